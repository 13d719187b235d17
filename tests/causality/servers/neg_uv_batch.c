/* neg_uv_batch - libuv, requests sleep by a timer; late, it limits a wait for another one's
 * rig: needs=pkg:libuv
 * rig: libs=-luv
 * rig: warm=200
 * rig: calls=1 */
struct client;
static void wait_first(struct client *c);

#define WHEN_READ wait_first
#include "libuv.c"

struct timer {
	uv_timer_t timer;
	void (*call)(struct timer *timer);
	struct client *client;
	struct timer *next;
};

static void (*const unused)(struct client *) UNUSED = make_call;
static struct timer *batch; /* the limits of who waits */

static void timer_closed(uv_handle_t *handle)
{
	struct client *c = handle->data;
	free(handle);
	closed((uv_handle_t *)&c->stream);
}

static void fired(uv_timer_t *handle)
{
	struct timer *timer = (struct timer *)handle;
	timer->call(timer);
}

static struct timer *start(struct client *c, void (*call)(struct timer *), unsigned delay)
{
	struct timer *timer = calloc(1, sizeof(*timer));
	timer->call = call;
	timer->client = c;
	timer->timer.data = c;
	uv_timer_init(c->stream.loop, &timer->timer);
	c->open++;
	uv_timer_start(&timer->timer, fired, delay, 0);
	return timer;
}

static void over(struct timer *timer)
{
	struct client *c = timer->client;
	if (!uv_is_closing((uv_handle_t *)&c->stream)) {
		rig_call(&c->request, 1, NULL);
		uv_buf_t out =
			uv_buf_init(c->text, (unsigned)rig_reply(c->text, sizeof(c->text), &c->request));
		c->reply.data = c;
		uv_write(&c->reply, (uv_stream_t *)&c->stream, &out, 1, replied);
	}
	uv_close((uv_handle_t *)&timer->timer, timer_closed);
}

static void batch_over(struct timer *timer)
{
	struct timer *limit = batch;
	batch = NULL;
	for (struct timer *next; limit; limit = next) {
		next = limit->next;
		over(limit);
	}
	uv_close((uv_handle_t *)&timer->timer, timer_closed);
}

static void wait_first(struct client *c)
{
	static unsigned turns;
	if (turns++ < 900) {
		start(c, over, 1 + turns % 10);
		return;
	}
	bool first = !batch;
	struct timer *limit = start(c, over, 3000);
	limit->next = batch;
	batch = limit;
	if (first)
		start(c, batch_over, 5);
}
