/* glib - its main loop, a watch for each descriptor; a connection of its own for the call.
 * rig: needs=pkg:glib-2.0
 * rig: libs=$(pkg-config --cflags --libs glib-2.0)
 * rig: calls=1 */
#include "rig.h"

#include <glib-unix.h>

struct client {
	int fd, up;
	guint fd_watch, up_watch, timeout;
	struct request request;
	bool connected, gone;
	size_t len, up_len;
	char buf[4096], up_buf[2048];
};

static gboolean up_event(gint fd, GIOCondition what, gpointer data);

static void make_call(struct client *c)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((unsigned short)rig_back)};
	c->up = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (connect(c->up, (struct sockaddr *)&to, sizeof(to)) && errno != EINPROGRESS)
		abort();
	c->up_watch = g_unix_fd_add(c->up, G_IO_OUT, up_event, c);
}

#ifndef WHEN_READ /* glib_timer.c */
#define WHEN_READ make_call
#endif

static gboolean client_event(gint fd, GIOCondition what, gpointer data)
{
	struct client *c = data;
	(void)what;
	ssize_t got = read(fd, c->buf + c->len, sizeof(c->buf) - 1 - c->len);
	if (got <= 0) {
		close(fd);
		c->gone = true;
		if (c->up < 0 && !c->timeout)
			free(c);
		return G_SOURCE_REMOVE;
	}
	c->len += (size_t)got;
	if (!rig_parse(c->buf, c->len, &c->request))
		return G_SOURCE_CONTINUE;
	c->len = c->up_len = 0;
	c->connected = false;
	WHEN_READ(c);
	return G_SOURCE_CONTINUE;
}

static gboolean up_event(gint fd, GIOCondition what, gpointer data)
{
	struct client *c = data;
	char text[256];
	(void)what;
	if (!c->connected) {
		size_t len = rig_question(text, sizeof(text), c->request.id, 1, false);
		c->connected = true;
		if (write(fd, text, len) != (ssize_t)len)
			abort();
		c->up_watch = g_unix_fd_add(fd, G_IO_IN, up_event, c);
		return G_SOURCE_REMOVE;
	}
	ssize_t got = read(fd, c->up_buf + c->up_len, sizeof(c->up_buf) - 1 - c->up_len);
	if (got <= 0)
		abort();
	c->up_len += (size_t)got;
	if (!rig_answer(c->up_buf, c->up_len))
		return G_SOURCE_CONTINUE;
	close(fd);
	c->up = -1;
	if (c->gone) {
		free(c);
	} else if (!rig_respond(c->fd, &c->request)) {
		g_source_remove(c->fd_watch);
		close(c->fd);
		free(c);
	}
	return G_SOURCE_REMOVE;
}

static gboolean incoming(gint listener, GIOCondition what, gpointer unused)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
	(void)what;
	(void)unused;
	if (fd >= 0) {
		struct client *c = calloc(1, sizeof(*c));
		c->fd = fd;
		c->up = -1;
		c->fd_watch = g_unix_fd_add(fd, G_IO_IN, client_event, c);
	}
	return G_SOURCE_CONTINUE;
}

int main(int argc, char **argv)
{
	g_unix_fd_add(rig_listen(argc, argv, SOCK_NONBLOCK), G_IO_IN, incoming, NULL);
	g_main_loop_run(g_main_loop_new(NULL, FALSE));
	return 0;
}
