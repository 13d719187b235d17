/* timers_event PORT BACK: libevent. As timers_uv.c /alive/..., /ended/... and /batch/...; /once/...: as
 * /alive, by event_base_once(), and by event_active() behind that. /api: what is told of an event is what was
 * said of it. */
#include "timers_call.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/http.h>

struct wait {
	struct event event;
	struct evhttp_request *request;
	char path[64];
	int fired;
};

static struct event_base *base;
static struct wait *batch[2];
static int batched, finals;

static void late(evutil_socket_t fd, short what, void *argument)
{
	struct wait *wait = argument;
	(void)fd;
	(void)what;
	call(wait->path);
	if (strncmp(wait->path, "/once/", 6) == 0 && wait->fired++ == 0) {
		event_assign(&wait->event, base, -1, 0, late, wait);
		event_active(&wait->event, EV_TIMEOUT, 1);
		return;
	}
	if (wait->request)
		evhttp_send_reply(wait->request, 200, NULL, NULL);
	free(wait);
}

static void batch_late(evutil_socket_t fd, short what, void *argument)
{
	struct event *event = argument;
	(void)fd;
	(void)what;
	if (batched < 2)
		return;
	while (batched > 0)
		late(-1, 0, batch[--batched]);
	event_free(event);
}

static void final(struct event *event, void *argument)
{
	finals += argument == &finals;
	free(event);
}

static int api(void)
{
	struct event *event = malloc(sizeof(*event)), *own;
	struct event_base *of;
	evutil_socket_t fd;
	short events;
	event_callback_fn callback;
	void *argument;
	struct timeval far = {100, 0};
	if (event_assign(event, base, -1, EV_PERSIST, late, &far) || event_get_callback(event) != late ||
	    event_get_callback_arg(event) != &far)
		return 500;
	event_get_assignment(event, &of, &fd, &events, &callback, &argument);
	if (of != base || fd != -1 || events != EV_PERSIST || callback != late || argument != &far)
		return 501;
	if (event_assign(event, base, -1, 0, batch_late, &finals) ||
	    event_get_callback(event) != batch_late || event_get_callback_arg(event) != &finals ||
	    event_add(event, &far) || !event_pending(event, EV_TIMEOUT, NULL) || event_del(event) ||
	    event_pending(event, EV_TIMEOUT, NULL))
		return 502;
	if (event_finalize(0, event, final))
		return 503;
	own = event_new(base, -1, 0, batch_late, event_self_cbarg());
	if (!own || event_get_callback_arg(own) != own)
		return 504;
	event_free(own);
	return 200;
}

static void asked(struct evhttp_request *request, void *unused)
{
	struct wait *wait = calloc(1, sizeof(*wait));
	struct timeval soon = {0, 60000};
	(void)unused;
	snprintf(wait->path, sizeof(wait->path), "%s", evhttp_request_get_uri(request));
	wait->request = request;
	if (strcmp(wait->path, "/api") == 0 || strcmp(wait->path, "/finals") == 0) {
		evhttp_send_reply(request,
				  wait->path[1] == 'a' ? api()
				  : finals == 1        ? 200
						       : 505,
				  NULL, NULL);
		free(wait);
		return;
	}
	if (strncmp(wait->path, "/batch/", 7) == 0) {
		batch[batched++] = wait;
		if (batched == 1)
			event_add(event_new(base, -1, EV_PERSIST, batch_late, event_self_cbarg()), &soon);
		return;
	}
	if (strncmp(wait->path, "/once/", 6) == 0) {
		event_base_once(base, -1, EV_TIMEOUT, late, wait, &soon);
		return;
	}
	evtimer_assign(&wait->event, base, late, wait);
	event_add(&wait->event, &soon);
	if (strncmp(wait->path, "/ended/", 7) != 0)
		return;
	wait->request = NULL;
	evhttp_send_reply(request, 200, NULL, NULL);
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return 1;
	back = atoi(argv[2]);
	base = event_base_new();
	struct evhttp *http = evhttp_new(base);
	if (evhttp_bind_socket(http, "127.0.0.1", (unsigned short)atoi(argv[1])))
		return 1;
	evhttp_set_gencb(http, asked, NULL);
	return event_base_dispatch(base);
}
