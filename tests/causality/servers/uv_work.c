/* uv_work - libuv's loop reads and answers; its threads make the calls (uv_queue_work), each on a connection of its own.
 * rig: needs=pkg:libuv
 * rig: libs=-luv
 * rig: calls=3 */
#include "rig.h"

#include <uv.h>

struct client {
	uv_tcp_t stream;
	uv_write_t reply;
	uv_work_t work;
	struct request request;
	struct client *next;
	bool works, gone;
	size_t len;
	char buf[4096], text[256];
};

static void room(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
	struct client *c = handle->data;
	(void)size;
	*buf = uv_buf_init(c->buf + c->len, (unsigned)(sizeof(c->buf) - 1 - c->len));
}

static void closed(uv_handle_t *handle)
{
	struct client *c = handle->data;
	c->gone = true;
	if (!c->works)
		free(c);
}

static void shut(struct client *c)
{
	if (!uv_is_closing((uv_handle_t *)&c->stream))
		uv_close((uv_handle_t *)&c->stream, closed);
}

static void replied(uv_write_t *write, int status)
{
	struct client *c = write->data;
	if (status || c->request.closes)
		shut(c);
}

static void make_calls(uv_work_t *req)
{
	struct client *c = req->data;
	for (int i = 1; i <= c->request.calls; i++)
		rig_call(&c->request, i, NULL);
}

#ifndef CAP
#define CAP 1000000
#endif
static struct client *waits, **end = &waits;
static int working;

static void worked(uv_work_t *req, int status);

static void give(struct client *c)
{
	c->works = true;
	c->next = NULL;
	if (working == CAP) {
		*end = c;
		end = &c->next;
		return;
	}
	working++;
	c->work.data = c;
	uv_queue_work(c->stream.loop, &c->work, make_calls, worked);
}

static void give_next(void)
{
	struct client *c = waits;
	working--;
	if (!c)
		return;
	if (!(waits = c->next))
		end = &waits;
	give(c);
}

static void worked(uv_work_t *req, int status)
{
	struct client *c = req->data;
	(void)status;
	give_next();
	c->works = false;
	if (c->gone) {
		free(c);
		return;
	}
	if (uv_is_closing((uv_handle_t *)&c->stream))
		return;
	uv_buf_t out = uv_buf_init(c->text, (unsigned)rig_reply(c->text, sizeof(c->text), &c->request));
	c->reply.data = c;
	uv_write(&c->reply, (uv_stream_t *)&c->stream, &out, 1, replied);
}

static void client_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf)
{
	struct client *c = stream->data;
	(void)buf;
	if (got < 0) {
		shut(c);
		return;
	}
	c->len += (size_t)got;
	if (!rig_parse(c->buf, c->len, &c->request))
		return;
	c->len = 0;
	give(c);
}

static void incoming(uv_stream_t *listener, int status)
{
	struct client *c = calloc(1, sizeof(*c));
	(void)status;
	uv_tcp_init(listener->loop, &c->stream);
	c->stream.data = c;
	if (uv_accept(listener, (uv_stream_t *)&c->stream) == 0)
		uv_read_start((uv_stream_t *)&c->stream, room, client_read);
	else
		shut(c);
}

int main(int argc, char **argv)
{
	uv_tcp_t listener;
	setenv("UV_THREADPOOL_SIZE", "64", 1);
	uv_tcp_init(uv_default_loop(), &listener);
	uv_tcp_open(&listener, rig_listen(argc, argv, SOCK_NONBLOCK));
	uv_listen((uv_stream_t *)&listener, 4096, incoming);
	return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
