/* libuv - callbacks, one call at a time on a connection of its own.
 * rig: needs=pkg:libuv
 * rig: libs=-luv
 * rig: calls=1 */
#include "rig.h"

#include <uv.h>

struct client {
	uv_tcp_t stream, up;
	uv_connect_t connect;
	uv_write_t ask, reply;
	struct request request;
	int open; /* handles */
	size_t len, up_len;
	char buf[4096], up_buf[4096], text[256], question[256];
};

static void room(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
	struct client *c = handle->data;
	bool up = handle == (uv_handle_t *)&c->up;
	(void)size;
	*buf = up ? uv_buf_init(c->up_buf + c->up_len, (unsigned)(sizeof(c->up_buf) - 1 - c->up_len))
		  : uv_buf_init(c->buf + c->len, (unsigned)(sizeof(c->buf) - 1 - c->len));
}

static void closed(uv_handle_t *handle)
{
	struct client *c = handle->data;
	if (--c->open == 0)
		free(c);
}

static void shut(void *handle)
{
	if (!uv_is_closing(handle))
		uv_close(handle, closed);
}

static void replied(uv_write_t *write, int status)
{
	struct client *c = write->data;
	if (status || c->request.closes)
		shut(&c->stream);
}

static void up_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf)
{
	struct client *c = stream->data;
	(void)buf;
	if (got < 0) {
		shut(&c->up);
		return;
	}
	c->up_len += (size_t)got;
	if (!rig_answer(c->up_buf, c->up_len))
		return;
	shut(&c->up);
	if (uv_is_closing((uv_handle_t *)&c->stream))
		return;
	uv_buf_t out = uv_buf_init(c->text, (unsigned)rig_reply(c->text, sizeof(c->text), &c->request));
	c->reply.data = c;
	uv_write(&c->reply, (uv_stream_t *)&c->stream, &out, 1, replied);
}

static void connected(uv_connect_t *connect, int status)
{
	struct client *c = connect->data;
	if (status || uv_is_closing((uv_handle_t *)&c->up))
		return;
	uv_buf_t out = uv_buf_init(c->question, (unsigned)rig_question(c->question, sizeof(c->question), c->request.id, 1, false));
	uv_write(&c->ask, (uv_stream_t *)&c->up, &out, 1, NULL);
	uv_read_start((uv_stream_t *)&c->up, room, up_read);
}

static void make_call(struct client *c)
{
	struct sockaddr_in to;
	uv_tcp_init(c->stream.loop, &c->up);
	c->up.data = c->connect.data = c;
	c->open++;
	uv_ip4_addr("127.0.0.1", rig_back, &to);
	uv_tcp_connect(&c->connect, &c->up, (struct sockaddr *)&to, connected);
}

#ifndef WHEN_READ /* uv_timer.c */
#define WHEN_READ make_call
#endif

static void client_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf)
{
	struct client *c = stream->data;
	(void)buf;
	if (got < 0) {
		shut(&c->stream);
		return;
	}
	c->len += (size_t)got;
	if (!rig_parse(c->buf, c->len, &c->request))
		return;
	c->len = c->up_len = 0;
	WHEN_READ(c);
}

static void incoming(uv_stream_t *listener, int status)
{
	struct client *c = calloc(1, sizeof(*c));
	(void)status;
	uv_tcp_init(listener->loop, &c->stream);
	c->stream.data = c;
	c->open = 1;
	if (uv_accept(listener, (uv_stream_t *)&c->stream) == 0)
		uv_read_start((uv_stream_t *)&c->stream, room, client_read);
	else
		shut(&c->stream);
}

int main(int argc, char **argv)
{
	uv_tcp_t listener;
	uv_tcp_init(uv_default_loop(), &listener);
	uv_tcp_open(&listener, rig_listen(argc, argv, SOCK_NONBLOCK));
	uv_listen((uv_stream_t *)&listener, 4096, incoming);
	return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
