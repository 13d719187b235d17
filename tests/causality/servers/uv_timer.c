/* uv_timer - libuv, each request makes a timer that makes its call, on a connection of its own.
 * rig: needs=pkg:libuv
 * rig: libs=-luv
 * rig: warm=200
 * rig: calls=1 */
struct client;
static void wait_first(struct client *c);

#define WHEN_READ wait_first
#include "libuv.c"

static void timer_closed(uv_handle_t *handle)
{
	struct client *c = handle->data;
	free(handle);
	closed((uv_handle_t *)&c->stream);
}

static void fired(uv_timer_t *timer)
{
	struct client *c = timer->data;
	if (!uv_is_closing((uv_handle_t *)&c->stream))
		make_call(c);
	uv_close((uv_handle_t *)timer, timer_closed);
}

static void wait_first(struct client *c)
{
	static unsigned turns;
	uv_timer_t *timer = malloc(sizeof(*timer));
	uv_timer_init(c->stream.loop, timer);
	timer->data = c;
	c->open++;
	uv_timer_start(timer, fired, 1 + turns++ % 10, 0);
}
