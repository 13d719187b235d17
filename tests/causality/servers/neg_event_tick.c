/* neg_event_tick - libevent answers every other request at once; a timer calls for the program itself
 * rig: needs=pkg:libevent
 * rig: libs=-levent
 * rig: calls=1 */
#define WHEN_ASKED tick_soon
struct evhttp_request;
static void tick_soon(struct evhttp_request *request);
#include "libevent.c"

static struct event *ticker;
static int ticks_left; /* it falls silent when nobody asks any more */

static void tick(evutil_socket_t fd, short what, void *unused)
{
	static int kept = -1;
	(void)fd;
	(void)what;
	(void)unused;
	if (ticks_left-- > 0)
		rig_ask("/n/tick", &kept);
	else
		event_del(ticker);
}

static void tick_soon(struct evhttp_request *request)
{
	static unsigned turns;
	if (turns++ % 2) {
		call_and_answer(request);
		return;
	}
	struct timeval often = {0, 2000};
	struct evbuffer *body = evbuffer_new();
	long id = 0;
	sscanf(evhttp_request_get_uri(request), "/r/%ld", &id);
	evbuffer_add_printf(body, "done %ld\n", id);
	evhttp_send_reply(request, 200, NULL, body);
	evbuffer_free(body);
	rig_sleep(300); /* so that the timer is due in the same turn */
	ticks_left = 5;
	if (!ticker)
		ticker = event_new(base, -1, EV_PERSIST, tick, NULL);
	if (!event_pending(ticker, EV_TIMEOUT, NULL))
		event_add(ticker, &often);
}
