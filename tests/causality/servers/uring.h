/* uring.h - a server with one thread and one ring, made of liburing. The including file (or the compiler's
 * command line) says how it behaves:
 *
 *   FLAGS n        the ring's; by default its completions come only when it asks for them
 *   MULTISHOT      one accept for all clients
 *   POOL           connections to the server behind are kept for the next call
 *   BACKGROUND     behind each answer a call for nobody, on a connection of its own
 *   QUIET_FIRST    the ring did for long what is of no concern to anybody else, as one for files does
 *   SCRIBBLE       what was received is overwritten at once, by what never was on the wire
 *   HEADERS_APART  answers go out as two sends, linked
 *   RELEASE        connections are closed through the ring, by a link behind the last answer
 *   TIMED          it waits with a timeout, and takes what came in batches
 *   PROVIDED       requests are received into buffers of the kernel's choice
 *   ALIKE          the sends of all answers' heads have the same user_data */
#include <liburing.h>

#include "rig.h"

#ifndef FLAGS
#define FLAGS (IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN)
#endif
#ifdef SCRIBBLE
#define SPOIL(buf, size, by) spoil(buf, size, by)
static void spoil(char *buf, size_t size, const char *by)
{
	for (size_t i = 0; i < size; i++)
		buf[i] = by[i % strlen(by)];
}
#else
#define SPOIL(buf, size, by) ((void)0)
#endif

enum step { ACCEPTED, RECEIVED, ANSWERED, CLOSED, CONNECTED, ASKED, TOLD, IGNORED };

struct event {
	enum step step;
	struct client *client;
	struct up *up;
};

struct up {
	int fd;
	struct client *client;
	struct up *next;
	struct event connected, asked, told;
	size_t len;
	struct sockaddr_in to;
	char text[256], buf[2048];
};

struct client {
	int fd, number;
	size_t len, size, used;
	struct request request;
	struct event received, headed, answered, closed;
	char buf[4096], text[256];
};

static struct io_uring ring;
static UNUSED struct event accepting = {.step = ACCEPTED}, ignored = {.step = IGNORED};
static int listener;
static UNUSED struct up *idle;
#ifdef PROVIDED
static char buffers[256][2048];
#endif

static struct io_uring_sqe *prepare(struct event *event)
{
	struct io_uring_sqe *sqe;
	while (!(sqe = io_uring_get_sqe(&ring)))
		io_uring_submit(&ring);
	io_uring_sqe_set_data(sqe, event);
	return sqe;
}

/* n operations behind each other need to be given together. */
static void room_for(unsigned n)
{
	if (io_uring_sq_space_left(&ring) < n)
		io_uring_submit(&ring);
}

static void link_next(struct io_uring_sqe *sqe)
{
	sqe->flags |= IOSQE_IO_LINK;
}

static void accept_next(void)
{
	struct io_uring_sqe *sqe = prepare(&accepting);
#ifdef MULTISHOT
	io_uring_prep_multishot_accept(sqe, listener, NULL, NULL, 0);
#else
	io_uring_prep_accept(sqe, listener, NULL, NULL, 0);
#endif
}

static void receive(struct client *client)
{
	struct io_uring_sqe *sqe = prepare(&client->received);
#ifdef PROVIDED
	io_uring_prep_recv(sqe, client->fd, NULL, 2048, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = 7;
#else
	io_uring_prep_recv(sqe, client->fd, client->buf + client->len, sizeof(client->buf) - 1 - client->len,
			   0);
#endif
}

static void answer(struct client *client)
{
	size_t size = rig_reply(client->text, sizeof(client->text), &client->request);
	client->size = size;
	room_for(3);
#ifdef HEADERS_APART
	size_t head = (size_t)(strstr(client->text, "\r\n\r\n") + 4 - client->text);
#ifdef ALIKE
	struct io_uring_sqe *first = prepare(&ignored);
#else
	struct io_uring_sqe *first = prepare(&client->headed);
#endif
	io_uring_prep_send(first, client->fd, client->text, head, MSG_NOSIGNAL | MSG_WAITALL);
	link_next(first);
	client->size = size - head;
#endif
	struct io_uring_sqe *sqe = prepare(&client->answered);
	io_uring_prep_send(sqe, client->fd, client->text + size - client->size, client->size,
			   MSG_NOSIGNAL | MSG_WAITALL);
#ifdef RELEASE
	if (client->request.closes) {
		link_next(sqe);
		io_uring_prep_close(prepare(&client->closed), client->fd);
	}
#endif
}

static struct up *new_up(struct client *client)
{
	struct up *up = calloc(1, sizeof(*up));
	up->client = client;
	up->fd = socket(AF_INET, SOCK_STREAM, 0);
	up->to.sin_family = AF_INET;
	up->to.sin_port = htons((unsigned short)rig_back);
	up->to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	up->connected = (struct event){CONNECTED, client, up};
	up->asked = (struct event){ASKED, client, up};
	up->told = (struct event){TOLD, client, up};
	struct io_uring_sqe *sqe = prepare(&up->connected);
	io_uring_prep_connect(sqe, up->fd, (struct sockaddr *)&up->to, sizeof(up->to));
	link_next(sqe);
	return up;
}

static void ask(struct up *up)
{
	struct client *client = up->client;
	size_t size = rig_question(up->text, sizeof(up->text), client->request.id, client->number,
#ifdef POOL
				   true
#else
				   false
#endif
	);
	struct io_uring_sqe *sqe = prepare(&up->asked);
	io_uring_prep_send(sqe, up->fd, up->text, size, MSG_NOSIGNAL | MSG_WAITALL);
	link_next(sqe);
	up->len = 0;
	io_uring_prep_recv(prepare(&up->told), up->fd, up->buf, sizeof(up->buf) - 1, 0);
}

static void call(struct client *client)
{
	client->number++;
	room_for(3);
#ifdef POOL
	if (idle) {
		struct up *up = idle;
		idle = up->next;
		up->client = client;
		ask(up);
		return;
	}
#endif
	ask(new_up(client));
}

static UNUSED void call_for_nobody(void)
{
	static const char question[] = "GET /n/x HTTP/1.1\r\nHost: back\r\nConnection: close\r\n\r\n";
	room_for(3);
	struct up *up = new_up(NULL);
	struct io_uring_sqe *sqe = prepare(&up->asked);
	io_uring_prep_send(sqe, up->fd, question, sizeof(question) - 1, MSG_NOSIGNAL | MSG_WAITALL);
	link_next(sqe);
	io_uring_prep_recv(prepare(&up->told), up->fd, up->buf, sizeof(up->buf) - 1, 0);
}

static void drop(struct client *client)
{
	close(client->fd);
	free(client);
}

static void proceed(struct client *client)
{
	if (client->number < client->request.calls)
		call(client);
	else
		answer(client);
}

/* What is whole of it, or more. */
static void next_request(struct client *client)
{
	size_t size = rig_parse(client->buf, client->len, &client->request);
	if (!size) {
		receive(client);
		return;
	}
	client->used = size;
	client->number = 0;
	memmove(client->buf, client->buf + size, client->len - size);
	client->len -= size;
	SPOIL(client->buf + client->len, size, "GET /r/1/1 HTTP/1.1\r\n\r\n");
	proceed(client);
}

static void received(struct client *client, int got)
{
	if (got <= 0) {
		drop(client);
		return;
	}
	client->len += (size_t)got;
	next_request(client);
}

static void told(struct up *up, int got)
{
	struct client *client = up->client;
	size_t size = 0;
	if (!client) {
		close(up->fd);
		free(up);
		return;
	}
	if (got > 0) {
		up->len += (size_t)got;
		size = rig_answer(up->buf, up->len);
		if (!size) {
			io_uring_prep_recv(prepare(&up->told), up->fd, up->buf + up->len,
					   sizeof(up->buf) - 1 - up->len, 0);
			return;
		}
	}
	SPOIL(up->buf, up->len, "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n");
#ifdef POOL
	if (size) {
		up->next = idle;
		idle = up;
		proceed(client);
		return;
	}
#endif
	close(up->fd);
	free(up);
	proceed(client);
}

static void answered(struct client *client, int sent)
{
#ifdef BACKGROUND
	call_for_nobody();
#endif
	SPOIL(client->text, sizeof(client->text), "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n");
#ifdef RELEASE
	if (client->request.closes)
		return; /* the link does that */
#endif
	if (sent != (int)client->size || client->request.closes) {
		drop(client);
	} else {
		next_request(client);
	}
}

static void accepted(int fd, bool more)
{
	struct client *client = fd < 0 ? NULL : calloc(1, sizeof(*client));
	if (!more)
		accept_next();
	if (!client)
		return;
	client->fd = fd;
	client->received = (struct event){RECEIVED, client, NULL};
	client->headed = (struct event){IGNORED, client, NULL};
	client->answered = (struct event){ANSWERED, client, NULL};
	client->closed = (struct event){CLOSED, client, NULL};
	receive(client);
}

static void done(struct event *event, int result, unsigned flags)
{
	switch (event->step) {
	case ACCEPTED:
		accepted(result, flags & IORING_CQE_F_MORE);
		break;
	case RECEIVED:
#ifdef PROVIDED
		if (result > 0) {
			unsigned id = flags >> IORING_CQE_BUFFER_SHIFT;
			memcpy(event->client->buf + event->client->len, buffers[id], (size_t)result);
			io_uring_prep_provide_buffers(prepare(&ignored), buffers[id], 2048, 1, 7, (int)id);
		}
#endif
		received(event->client, result);
		break;
	case ANSWERED:
		answered(event->client, result);
		break;
	case CLOSED:
		if (result == -ECANCELED)
			close(event->client->fd);
		free(event->client);
		break;
	case TOLD:
		told(event->up, result);
		break;
	default:
		break;
	}
}

static volatile sig_atomic_t ended;
static void end(int number)
{
	ended = number;
}

int main(int argc, char **argv)
{
	struct io_uring_cqe *cqe;
	unsigned head, count;
	listener = rig_listen(argc, argv, 0);
	if (io_uring_queue_init(2048, &ring, FLAGS))
		return 77;
	sigaction(SIGTERM, &(struct sigaction){.sa_handler = end}, NULL);
#ifdef QUIET_FIRST
	for (int i = 0; i < 4000; i++) {
		io_uring_prep_nop(prepare(&accepting));
		io_uring_submit_and_wait(&ring, 1);
		io_uring_cq_advance(&ring, 1);
	}
#endif
#ifdef PROVIDED
	io_uring_prep_provide_buffers(prepare(&ignored), buffers, 2048, 256, 7, 0);
#endif
	accept_next();
#ifdef TIMED
	struct __kernel_timespec second = {1, 0};
	struct io_uring_cqe *batch[16];
	while (!ended) {
		io_uring_submit(&ring);
		io_uring_wait_cqe_timeout(&ring, &cqe, &second);
		count = io_uring_peek_batch_cqe(&ring, batch, 16);
		for (head = 0; head < count; head++)
			done(io_uring_cqe_get_data(batch[head]), batch[head]->res, batch[head]->flags);
		io_uring_cq_advance(&ring, count);
	}
#endif
	while (!ended) {
		io_uring_submit_and_wait(&ring, 1);
		count = 0;
		io_uring_for_each_cqe(&ring, head, cqe)
		{
			done(io_uring_cqe_get_data(cqe), cqe->res, cqe->flags);
			count++;
		}
		io_uring_cq_advance(&ring, count);
	}
	io_uring_queue_exit(&ring);
	return 0;
}
