/* event_timer - libevent, each request makes a timer that makes its call by libevent's HTTP client
 * rig: needs=pkg:libevent
 * rig: libs=-levent
 * rig: warm=200
 * rig: calls=1 */
#define WHEN_ASKED wait_first
struct evhttp_request;
static void wait_first(struct evhttp_request *request);
#include "libevent.c"

struct waits {
	struct evhttp_request *request;
	struct event *timer;
};

static void fired(evutil_socket_t fd, short what, void *argument)
{
	struct waits *waits = argument;
	(void)fd;
	(void)what;
	if (waits->request) {
		evhttp_connection_set_closecb(evhttp_request_get_connection(waits->request), NULL, NULL);
		call_and_answer(waits->request);
	}
	if (waits->timer)
		event_free(waits->timer);
	free(waits);
}

static void gone(struct evhttp_connection *connection, void *argument)
{
	struct waits *waits = argument;
	(void)connection;
	waits->request = NULL;
}

static void wait_first(struct evhttp_request *request)
{
	static unsigned turns;
	struct waits *waits = calloc(1, sizeof(*waits));
	struct timeval delay = {0, 1000 + turns % 10 * 1000};
	waits->request = request;
	evhttp_connection_set_closecb(evhttp_request_get_connection(request), gone, waits);
	if (turns++ % 2) {
		event_base_once(base, -1, EV_TIMEOUT, fired, waits, &delay);
		return;
	}
	waits->timer = event_new(base, -1, 0, fired, waits);
	if (event_get_callback(waits->timer) != fired || event_get_callback_arg(waits->timer) != waits)
		abort();
	event_add(waits->timer, &delay);
}
