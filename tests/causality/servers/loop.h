/* loop.h - a server with one thread and epoll, and asynchronous calls. The including file says how it behaves:
 *
 *   KEEP           answers' connections are kept for the next call
 *   CAP n          at most n connections; calls wait for one, first come first served
 *   FANOUT         all calls of a request at once; else one after the other
 *   RELEASE_FIRST  a connection is given to who waits for it before its answer is looked at
 *   DEFER          what is to be done for a request is done when all events of the wait were read
 *   TIMER          requests wait for a random time before their calls
 *   BACKGROUND     a call for nobody whenever a timerfd is readable
 *   TAIL           the first call at once, the second at the end of the turn, whatever was read between
 */
#include "rig.h"

enum kind { LISTENER, CLIENT, UP, TICK };

struct client {
	enum kind kind;
	int fd;
	bool gone, busy;
	int asked, answered;
	struct request request;
	long due; /* TIMER */
	struct client *next, *next_dead;
	size_t len;
	char buf[4096];
};

struct up {
	enum kind kind;
	int fd;
	bool connected, dead;
	struct client *client; /* NULL: idle, or the client is gone */
	int number;
	struct up *next, *next_dead;
	size_t len;
	char buf[4096];
};

struct waiting {
	struct client *client;
	int number;
	struct waiting *next;
};

static int epoll;
static UNUSED int ticks_left; /* it falls silent when nobody asks any more */
static struct up *idle;
static int ups;
static struct waiting *queue, **queue_end = &queue;
static struct client *deferred, *timed, *dead_clients;
static struct up *dead_ups;

static void watch(int fd, void *ptr, uint32_t events, int how)
{
	struct epoll_event event = {.events = events, .data.ptr = ptr};
	epoll_ctl(epoll, how, fd, &event);
}

static void ask(struct up *up)
{
	char text[256];
	size_t len = rig_question(text, sizeof(text), up->client->request.id, up->number,
#ifdef KEEP
				  true
#else
				  false
#endif
	);
	up->len = 0;
	if (send(up->fd, text, len, MSG_NOSIGNAL) != (ssize_t)len)
		up->dead = true;
}

static void drop_up(struct up *up);
static void answered(struct client *client);

static void open_up(struct client *client, int number)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((unsigned short)rig_back)};
	struct up *up = calloc(1, sizeof(*up));
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	up->kind = UP;
	up->client = client;
	up->number = number;
	ups++;
	up->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	watch(up->fd, up, EPOLLOUT, EPOLL_CTL_ADD);
	if (connect(up->fd, (struct sockaddr *)&to, sizeof(to)) && errno != EINPROGRESS)
		abort();
}

static void call(struct client *client, int number)
{
#ifdef KEEP
	struct up *up = idle;
	if (up) {
		idle = up->next;
		up->client = client;
		up->number = number;
		ask(up);
		if (up->dead)
			drop_up(up);
		return;
	}
#endif
#ifdef CAP
	if (ups >= CAP) {
		struct waiting *waiting = malloc(sizeof(*waiting));
		*waiting = (struct waiting){client, number, NULL};
		*queue_end = waiting;
		queue_end = &waiting->next;
		return;
	}
#endif
	open_up(client, number);
}

static void serve_waiting(void)
{
	struct waiting *waiting = queue;
	if (!waiting)
		return;
	if (!(queue = waiting->next))
		queue_end = &queue;
	if (!waiting->client->gone) {
		call(waiting->client, waiting->number);
	} else {
		answered(waiting->client);
		serve_waiting();
	}
	free(waiting);
}

static void drop_up(struct up *up)
{
	close(up->fd);
	ups--;
	up->dead = true;
	up->next_dead = dead_ups;
	dead_ups = up;
	serve_waiting();
}

static void release(struct up *up)
{
	up->client = NULL;
#ifdef KEEP
	up->next = idle;
	idle = up;
	serve_waiting();
#else
	drop_up(up);
#endif
}

static void bury(struct client *client)
{
	client->next_dead = dead_clients;
	dead_clients = client;
}

static void drop_client(struct client *client)
{
	close(client->fd);
	client->gone = true;
	if (!client->busy)
		bury(client);
}

static void answered(struct client *client)
{
	client->answered++;
	if (client->answered < client->request.calls) {
#ifndef FANOUT
		if (!client->gone && client->asked < client->request.calls)
			call(client, ++client->asked);
#endif
		if (!client->gone)
			return;
	}
	if (client->gone) {
		if (client->answered == client->asked)
			bury(client);
		return;
	}
	client->busy = false;
	char text[256];
	size_t len = rig_reply(text, sizeof(text), &client->request);
	if (send(client->fd, text, len, MSG_NOSIGNAL) != (ssize_t)len || client->request.closes)
		drop_client(client);
}

static void start(struct client *client)
{
	if (client->gone) { /* while it waited */
		bury(client);
		return;
	}
#ifdef FANOUT
	while (client->asked < client->request.calls)
#endif
		call(client, ++client->asked);
#ifdef TAIL
	client->next = deferred;
	deferred = client;
#endif
}

static void client_event(struct client *client)
{
	ssize_t got = recv(client->fd, client->buf + client->len, sizeof(client->buf) - 1 - client->len, 0);
	if (got < 0 && errno == EAGAIN)
		return;
	if (got <= 0 || client->busy) {
		drop_client(client);
		return;
	}
	client->len += (size_t)got;
	if (!rig_parse(client->buf, client->len, &client->request))
		return;
	client->len = 0;
	client->busy = true;
	ticks_left = 10;
	client->asked = client->answered = 0;
#ifdef TIMER
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	client->due = t.tv_sec * 1000 + t.tv_nsec / 1000000 + lrand48() % 10;
	client->next = timed;
	timed = client;
#elif defined(DEFER)
	client->next = deferred;
	deferred = client;
#else
	start(client);
#endif
}

static void up_event(struct up *up)
{
	if (!up->connected) {
		int error = 0;
		socklen_t size = sizeof(error);
		getsockopt(up->fd, SOL_SOCKET, SO_ERROR, &error, &size);
		if (error)
			abort();
		up->connected = true;
		watch(up->fd, up, EPOLLIN, EPOLL_CTL_MOD);
		ask(up);
		return;
	}
	ssize_t got = recv(up->fd, up->buf + up->len, sizeof(up->buf) - 1 - up->len, 0);
	if (got < 0 && errno == EAGAIN)
		return;
	if (got <= 0 && !up->client) {
		for (struct up **at = &idle; *at; at = &(*at)->next)
			if (*at == up) {
				*at = up->next;
				break;
			}
		drop_up(up);
		return;
	}
	if (got <= 0)
		abort();
	up->len += (size_t)got;
	if (!rig_answer(up->buf, up->len))
		return;
	struct client *client = up->client;
#ifdef RELEASE_FIRST
	release(up);
	answered(client);
#else
	answered(client);
	release(up);
#endif
}

/* Every due one; ms until the next. */
static UNUSED int timers(void)
{
	struct timespec t;
	long next = -1;
	clock_gettime(CLOCK_MONOTONIC, &t);
	long at = t.tv_sec * 1000 + t.tv_nsec / 1000000;
	for (struct client **from = &timed; *from;) {
		struct client *client = *from;
		if (client->due <= at) {
			*from = client->next;
			start(client);
			continue;
		}
		if (next < 0 || client->due - at < next)
			next = client->due - at;
		from = &client->next;
	}
	return (int)next;
}

static void turn_ends(void)
{
	while (deferred) {
		struct client *client = deferred;
		deferred = client->next;
#ifdef TAIL
		if (!client->gone && client->asked < client->request.calls)
			call(client, ++client->asked);
#else
		start(client);
#endif
	}
	while (dead_ups) {
		struct up *up = dead_ups;
		dead_ups = up->next_dead;
		free(up);
	}
	while (dead_clients) {
		struct client *client = dead_clients;
		dead_clients = client->next_dead;
		free(client);
	}
}

static int ticker, tick_up = -1;

static void tick(void)
{
	uint64_t times;
	if (read(ticker, &times, sizeof(times)) == sizeof(times) && ticks_left-- > 0)
		rig_ask("/n/tick", &tick_up);
}

int main(int argc, char **argv)
{
	enum kind kind = LISTENER;
#ifdef BACKGROUND
	enum kind tick_kind = TICK;
	struct itimerspec often = {{0, 7000000}, {0, 7000000}};
#endif
	int listener = rig_listen(argc, argv, SOCK_NONBLOCK), timeout = -1, fd;
	epoll = epoll_create1(0);
	watch(listener, &kind, EPOLLIN, EPOLL_CTL_ADD);
#ifdef BACKGROUND
	ticker = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	timerfd_settime(ticker, 0, &often, NULL);
	watch(ticker, &tick_kind, EPOLLIN, EPOLL_CTL_ADD);
#endif
	for (;;) {
		struct epoll_event events[64];
		int n = epoll_wait(epoll, events, 64, timeout);
		for (int i = 0; i < n; i++) {
			switch (*(enum kind *)events[i].data.ptr) {
			case LISTENER:
				while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
					struct client *client = calloc(1, sizeof(*client));
					client->kind = CLIENT;
					client->fd = fd;
					watch(fd, client, EPOLLIN, EPOLL_CTL_ADD);
				}
				break;
			case CLIENT:
				if (!((struct client *)events[i].data.ptr)->gone)
					client_event(events[i].data.ptr);
				break;
			case TICK:
				tick();
				break;
			case UP:
				if (!((struct up *)events[i].data.ptr)->dead)
					up_event(events[i].data.ptr);
				break;
			}
		}
#ifdef TIMER
		timeout = timers();
#endif
		turn_ends();
	}
}
