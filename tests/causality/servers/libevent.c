/* libevent - its HTTP server and its HTTP client.
 * rig: needs=pkg:libevent
 * rig: libs=-levent
 * rig: calls=1 */
#include "rig.h"

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>

struct work {
	struct evhttp_connection *up;
	struct evhttp_request *request;
	long id;
};

static struct event_base *base;

static void free_later(evutil_socket_t fd, short what, void *up)
{
	(void)fd;
	(void)what;
	evhttp_connection_free(up);
}

static void client_gone(struct evhttp_connection *connection, void *argument)
{
	struct work *work = argument;
	(void)connection;
	work->request = NULL;
}

static void answered(struct evhttp_request *answer, void *argument)
{
	struct work *work = argument;
	struct timeval now = {0, 0};
	if (work->request) {
		struct evbuffer *body = evbuffer_new();
		evhttp_connection_set_closecb(evhttp_request_get_connection(work->request), NULL, NULL);
		evbuffer_add_printf(body, "done %ld\n", work->id);
		evhttp_send_reply(work->request,
				  answer && evhttp_request_get_response_code(answer) == 200 ? 200 : 502, NULL,
				  body);
		evbuffer_free(body);
	}
	event_base_once(base, -1, EV_TIMEOUT, free_later, work->up, &now);
	free(work);
}

static UNUSED void call_and_answer(struct evhttp_request *request)
{
	struct work *work = calloc(1, sizeof(*work));
	char path[64];
	work->request = request;
	sscanf(evhttp_request_get_uri(request), "/r/%ld", &work->id);
	evhttp_connection_set_closecb(evhttp_request_get_connection(request), client_gone, work);
	work->up = evhttp_connection_base_new(base, NULL, "127.0.0.1", (unsigned short)rig_back);
	struct evhttp_request *question = evhttp_request_new(answered, work);
	evhttp_add_header(evhttp_request_get_output_headers(question), "Host", "back");
	snprintf(path, sizeof(path), "/d/%ld/1", work->id);
	evhttp_make_request(work->up, question, EVHTTP_REQ_GET, path);
}

#ifndef WHEN_ASKED
#define WHEN_ASKED(request) call_and_answer(request)
#endif

static void asked(struct evhttp_request *request, void *argument)
{
	(void)argument;
	WHEN_ASKED(request);
}

int main(int argc, char **argv)
{
	int listener = rig_listen(argc, argv, SOCK_NONBLOCK);
	base = event_base_new();
	struct evhttp *http = evhttp_new(base);
	evhttp_accept_socket(http, listener);
	evhttp_set_gencb(http, asked, NULL);
	return event_base_dispatch(base);
}
