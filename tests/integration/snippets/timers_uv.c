/* timers_uv PORT BACK: libuv. A request's call is made by a timer that it makes and starts.
 * /alive/...: and then it is answered. /ended/...: it is answered at once. /twice/...: the timer repeats
 * once, and is started again by uv_timer_again(); answered at the end. /batch/...: the first one's timer
 * makes the calls of two. /tick/...: one that was made at the start is started again; answered at once. */
#include <uv.h>

#include "timers_call.h"

struct client {
	uv_tcp_t tcp;
	uv_timer_t timer;
	char buf[4096], path[64];
	size_t len;
	int fired, open;
};
static int ticked;
static uv_timer_t ticks;
static struct client *batch[16];
static int batched;

static void answer(struct client *c)
{
	static char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
	uv_buf_t out = uv_buf_init(text, sizeof(text) - 1);
	if (uv_try_write((uv_stream_t *)&c->tcp, &out, 1) != (int)sizeof(text) - 1)
		exit(4);
}

static void closed(uv_handle_t *handle)
{
	struct client *c = handle->data;
	if (--c->open == 0)
		free(c);
}

static void fired(uv_timer_t *timer)
{
	struct client *c = timer->data;
	call(c->path);
	c->fired++;
	if (strncmp(c->path, "/twice/", 7) == 0 && c->fired == 1)
		return;
	if (strncmp(c->path, "/twice/", 7) == 0 && c->fired == 2) {
		uv_timer_stop(timer);
		uv_timer_again(timer);
		return;
	}
	if (strncmp(c->path, "/ended/", 7) != 0)
		answer(c);
	uv_close((uv_handle_t *)timer, closed);
}

static void freed(uv_handle_t *handle)
{
	free(handle);
}

static void batch_fired(uv_timer_t *timer)
{
	if (batched < 2)
		return;
	while (batched > 0) {
		struct client *c = batch[--batched];
		call(c->path);
		answer(c);
	}
	uv_close((uv_handle_t *)timer, freed);
}

static void join_batch(struct client *c)
{
	if (batched == 16)
		exit(5);
	batch[batched++] = c;
	if (batched > 1)
		return;
	uv_timer_t *timer = malloc(sizeof(*timer));
	uv_timer_init(c->tcp.loop, timer);
	uv_timer_start(timer, batch_fired, 50, 50);
}

static void tick(uv_timer_t *timer)
{
	call("/tick");
	if (++ticked % 5 == 0)
		uv_timer_stop(timer);
}

static void give(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
	struct client *c = handle->data;
	(void)size;
	*buf = uv_buf_init(c->buf + c->len, (unsigned)(sizeof(c->buf) - 1 - c->len));
}

static void got(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf)
{
	struct client *c = stream->data;
	(void)buf;
	if (size < 0) {
		uv_close((uv_handle_t *)stream, closed);
		return;
	}
	c->len += (size_t)size;
	c->buf[c->len] = '\0';
	if (!strstr(c->buf, "\r\n\r\n") || sscanf(c->buf, "GET %63s", c->path) != 1)
		return;
	if (strncmp(c->path, "/batch/", 7) == 0) {
		join_batch(c);
		return;
	}
	if (strncmp(c->path, "/tick/", 6) == 0) {
		uv_timer_start(&ticks, tick, 20, 35);
		answer(c);
		return;
	}
	uv_timer_init(stream->loop, &c->timer);
	c->timer.data = c;
	c->open = 2;
	uv_timer_start(&c->timer, fired, 60, 60);
	if (strncmp(c->path, "/ended/", 7) == 0)
		answer(c);
}

static void accepted(uv_stream_t *server, int status)
{
	struct client *c = calloc(1, sizeof(*c));
	(void)status;
	c->open = 1;
	c->tcp.data = c;
	uv_tcp_init(server->loop, &c->tcp);
	if (uv_accept(server, (uv_stream_t *)&c->tcp) == 0)
		uv_read_start((uv_stream_t *)&c->tcp, give, got);
}

int main(int argc, char **argv)
{
	uv_tcp_t server;
	struct sockaddr_in here;
	if (argc < 3 || uv_ip4_addr("127.0.0.1", atoi(argv[1]), &here))
		return 1;
	back = atoi(argv[2]);
	uv_tcp_init(uv_default_loop(), &server);
	uv_timer_init(uv_default_loop(), &ticks);
	uv_timer_start(&ticks, tick, 20, 35);
	if (uv_timer_start(&ticks, NULL, 1, 1) != UV_EINVAL) /* refused: it goes on as it was */
		return 2;
	if (uv_tcp_bind(&server, (struct sockaddr *)&here, 0) ||
	    uv_listen((uv_stream_t *)&server, 64, accepted))
		return 1;
	return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
