/* libev - a watcher for each descriptor; a connection of its own for the call.
 * rig: needs=/usr/include/ev.h
 * rig: libs=-lev
 * rig: calls=1 */
#include "rig.h"

#include <ev.h>

struct client {
	ev_io in, up;
	struct request request;
	bool connected, gone;
	size_t len, up_len;
	char buf[4096], up_buf[2048];
};

static void give_up(struct ev_loop *loop, struct client *c)
{
	ev_io_stop(loop, &c->in);
	close(c->in.fd);
	c->gone = true;
	if (c->up.fd < 0)
		free(c);
}

static void up_ready(struct ev_loop *loop, ev_io *watch, int what)
{
	struct client *c = watch->data;
	char text[256];
	(void)what;
	if (!c->connected) {
		size_t len = rig_question(text, sizeof(text), c->request.id, 1, false);
		c->connected = true;
		if (write(watch->fd, text, len) != (ssize_t)len)
			abort();
		ev_io_stop(loop, watch);
		ev_io_set(watch, watch->fd, EV_READ);
		ev_io_start(loop, watch);
		return;
	}
	ssize_t got = read(watch->fd, c->up_buf + c->up_len, sizeof(c->up_buf) - 1 - c->up_len);
	if (got <= 0)
		abort();
	c->up_len += (size_t)got;
	if (!rig_answer(c->up_buf, c->up_len))
		return;
	ev_io_stop(loop, watch);
	close(watch->fd);
	watch->fd = -1;
	if (c->gone)
		free(c);
	else if (!rig_respond(c->in.fd, &c->request))
		give_up(loop, c);
}

static void make_call(struct ev_loop *loop, struct client *c)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((unsigned short)rig_back)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) && errno != EINPROGRESS)
		abort();
	ev_io_init(&c->up, up_ready, fd, EV_WRITE);
	c->up.data = c;
	ev_io_start(loop, &c->up);
}

static void client_ready(struct ev_loop *loop, ev_io *watch, int what)
{
	struct client *c = watch->data;
	(void)what;
	ssize_t got = read(watch->fd, c->buf + c->len, sizeof(c->buf) - 1 - c->len);
	if (got <= 0) {
		give_up(loop, c);
		return;
	}
	c->len += (size_t)got;
	if (!rig_parse(c->buf, c->len, &c->request))
		return;
	c->len = c->up_len = 0;
	c->connected = false;
	make_call(loop, c);
}

static void incoming(struct ev_loop *loop, ev_io *listener, int what)
{
	int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK);
	(void)what;
	if (fd < 0)
		return;
	struct client *c = calloc(1, sizeof(*c));
	ev_io_init(&c->in, client_ready, fd, EV_READ);
	c->in.data = c;
	c->up.fd = -1;
	ev_io_start(loop, &c->in);
}

int main(int argc, char **argv)
{
	ev_io listener;
	ev_io_init(&listener, incoming, rig_listen(argc, argv, SOCK_NONBLOCK), EV_READ);
	ev_io_start(EV_DEFAULT, &listener);
	return ev_run(EV_DEFAULT, 0);
}
