/* load - many clients with a mind of their own: each request has an id that no other has, some are given up half-way.
 *
 * usage: load PORT REQUESTS CLIENTS keep|close [option=number]...
 *   first=0       the ids start behind it
 *   calls=1       each request asks for 1 to so many calls: GET /r/ID/CALLS
 *   think=5       ms, at most, between an answer and the next request of a client
 *   abort=0       of 1000 requests so many are given up, at a random time after they were sent
 *   patience=20   ms after which, at the latest, that is
 *   parent=0      of 1000 requests so many carry a traceparent
 * RIG_ABORTED: a file for the ids of those that were given up. One line of JSON at the end. Exits 1 when nothing moves for 20 s, or an answer is another request's. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum state { RESTING, CONNECTING, WAITING, DONE };

struct client {
	int fd;
	enum state state;
	long id;
	int calls;
	bool gives_up;
	bool reused;
	double due; /* RESTING: when it goes on; else when it gives up */
	size_t len;
	char buf[8192];
};

static FILE *given_up;
static int port, epoll;
static bool keep;
static long total, begun, done, good, aborted, broken, wrong;
static long first, calls = 1, think = 5, aborts, patience = 20, parents;

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void rest(struct client *c, double at)
{
	c->state = RESTING;
	c->due = at + (think ? drand48() * (double)think : 0);
}

static void hang_up(struct client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

static void finished(struct client *c, double at)
{
	done++;
	rest(c, at);
}

static void fails(struct client *c, double at)
{
	broken++;
	hang_up(c);
	finished(c, at);
}

static bool send_request(struct client *c, double at)
{
	char text[512], parent[96] = "";
	if (lrand48() % 1000 < parents)
		snprintf(parent, sizeof(parent), "traceparent: 00-%016lx%016lx-%016lx-01\r\n", c->id + 1, lrand48() + 1,
			 c->id + 1);
	int len = snprintf(text, sizeof(text),
			   "GET /r/%ld/%d HTTP/1.1\r\nHost: rig\r\nX-Request-Id: %ld\r\n%s%s\r\n", c->id, c->calls, c->id,
			   parent, keep ? "" : "Connection: close\r\n");
	c->len = 0;
	c->state = WAITING;
	c->due = c->gives_up ? at + drand48() * (double)patience : at + 20000;
	return send(c->fd, text, (size_t)len, MSG_NOSIGNAL) == len;
}

static void begin(struct client *c, double at)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
	int one = 1;
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (begun >= total) {
		hang_up(c);
		c->state = DONE;
		return;
	}
	c->id = first + begun++;
	c->calls = 1 + (int)(lrand48() % calls);
	c->gives_up = lrand48() % 1000 < aborts;
	c->reused = c->fd >= 0;
	if (c->reused) {
		if (!send_request(c, at))
			fails(c, at);
		return;
	}
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c};
	epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &event);
	c->state = CONNECTING;
	c->due = at + 20000;
	if (connect(c->fd, (struct sockaddr *)&to, sizeof(to)) && errno != EINPROGRESS)
		fails(c, at);
}

/* 0: not whole yet. Knows lengths and chunks; an answer without either ends with the connection. */
static bool whole(struct client *c, bool closed)
{
	c->buf[c->len] = '\0';
	char *end = strstr(c->buf, "\r\n\r\n"), *field;
	if (!end)
		return false;
	if ((field = strcasestr(c->buf, "\r\ncontent-length:")) && field < end)
		return c->len >= (size_t)(end + 4 - c->buf) + strtoul(field + 17, NULL, 10);
	if ((field = strcasestr(c->buf, "\r\ntransfer-encoding:")) && field < end)
		return strstr(end, "\r\n0\r\n") != NULL;
	return closed;
}

static void answered(struct client *c, double at, bool closed)
{
	char mine[32];
	snprintf(mine, sizeof(mine), "%ld", c->id);
	const char *body = strstr(c->buf, "\r\n\r\n") + 4;
	bool ok = strncmp(c->buf + 9, "200", 3) == 0;
	const char *found = strstr(body, mine);
	if (ok && !found)
		wrong++;
	good += ok && found;
	broken += !ok;
	if (closed || !keep || strcasestr(c->buf, "\r\nconnection: close"))
		hang_up(c);
	finished(c, at);
}

static void readable(struct client *c, double at)
{
	for (;;) {
		ssize_t got = recv(c->fd, c->buf + c->len, sizeof(c->buf) - 1 - c->len, 0);
		if (got < 0 && errno == EAGAIN)
			break;
		bool closed = got <= 0;
		if (!closed)
			c->len += (size_t)got;
		if (c->state == WAITING && whole(c, closed)) {
			answered(c, at, closed);
			return;
		}
		if (!closed)
			continue;
		if (c->state == RESTING) { /* an idle kept connection may be closed any time */
			hang_up(c);
		} else if (c->state == WAITING && c->reused && c->len == 0) {
			/* closed as our request was on its way: no fault of anybody's */
			aborted++;
			hang_up(c);
			finished(c, at);
		} else {
			fails(c, at);
		}
		return;
	}
}

static double timers(struct client *clients, long count, double at)
{
	double next = at + 1000;
	for (long i = 0; i < count; i++) {
		struct client *c = &clients[i];
		if (c->state == DONE)
			continue;
		if (c->due <= at) {
			if (c->state == RESTING) {
				begin(c, at);
			} else if (c->gives_up && c->state == WAITING) {
				aborted++;
				if (given_up)
					fprintf(given_up, "%ld\n", c->id);
				hang_up(c);
				finished(c, at);
			} else {
				fails(c, at);
			}
		}
		if (c->state != DONE && c->due < next)
			next = c->due;
	}
	return next;
}

static long option(int argc, char **argv, const char *name, long otherwise)
{
	size_t len = strlen(name);
	for (int i = 5; i < argc; i++)
		if (strncmp(argv[i], name, len) == 0 && argv[i][len] == '=')
			return atol(argv[i] + len + 1);
	return otherwise;
}

int main(int argc, char **argv)
{
	if (argc < 5)
		return 2;
	port = atoi(argv[1]);
	total = atol(argv[2]);
	long count = atol(argv[3]);
	keep = strcmp(argv[4], "keep") == 0;
	first = option(argc, argv, "first", first);
	calls = option(argc, argv, "calls", calls);
	think = option(argc, argv, "think", think);
	aborts = option(argc, argv, "abort", aborts);
	patience = option(argc, argv, "patience", patience);
	parents = option(argc, argv, "parent", parents);
	if (getenv("RIG_ABORTED"))
		given_up = fopen(getenv("RIG_ABORTED"), "a");
	signal(SIGPIPE, SIG_IGN);
	srand48(time(NULL) ^ getpid());
	epoll = epoll_create1(0);
	struct client *clients = calloc((size_t)count, sizeof(*clients));
	double start = now(), moved = start;
	long before = -1;
	for (long i = 0; i < count; i++) {
		clients[i].fd = -1;
		rest(&clients[i], start);
	}
	while (done < total) {
		struct epoll_event events[256];
		double at = now(), next = timers(clients, count, at);
		int n = epoll_wait(epoll, events, 256, next > at ? (int)(next - at) + 1 : 0);
		at = now();
		for (int i = 0; i < n; i++) {
			struct client *c = events[i].data.ptr;
			if (c->fd >= 0 && c->state == CONNECTING && (events[i].events & EPOLLOUT) &&
			    !(events[i].events & EPOLLERR)) {
				if (!send_request(c, at))
					fails(c, at);
			} else if (c->fd >= 0 && c->state == CONNECTING && (events[i].events & EPOLLERR)) {
				fails(c, at);
			}
			if (c->fd >= 0 && (events[i].events & (EPOLLIN | EPOLLHUP)))
				readable(c, at);
		}
		if (done != before)
			moved = at;
		before = done;
		if (at - moved > 20000)
			break;
	}
	printf("{\"requests\": %ld, \"answered\": %ld, \"aborted\": %ld, \"broken\": %ld, \"wrong\": %ld, \"seconds\": %.1f}\n",
	       done, good, aborted, broken, wrong, (now() - start) / 1e3);
	if (given_up)
		fclose(given_up);
	return done < total || wrong > 0;
}
