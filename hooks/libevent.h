/* libevent.h - which libevent a call is for, and its functions.
 *
 * No header of libevent's is needed: the few prototypes stand here, and tests/lint/vendor.sh compares them
 * with the vendor's where that is installed. */
#ifndef TAGALONG_HOOKS_LIBEVENT_H
#define TAGALONG_HOOKS_LIBEVENT_H

#include "hooks/copies.h"

#include <sys/time.h>

/* The same as the vendor's, who may have been included first. */
struct evbuffer;
struct evhttp_connection;
struct evhttp_request;
struct bufferevent;
struct event;
struct event_base;
typedef void (*event_callback_fn)(int fd, short what, void *argument);
typedef void (*event_finalize_callback_fn)(struct event *event, void *argument);

void evhttp_send_reply(struct evhttp_request *request, int code, const char *reason, struct evbuffer *body);
void evhttp_send_reply_end(struct evhttp_request *request);
void evhttp_send_error(struct evhttp_request *request, int error, const char *reason);
struct evhttp_connection *evhttp_request_get_connection(struct evhttp_request *request);
struct bufferevent *evhttp_connection_get_bufferevent(struct evhttp_connection *connection);
int bufferevent_getfd(struct bufferevent *bufferevent);

struct event *event_new(struct event_base *base, int fd, short events, event_callback_fn callback,
			void *argument);
int event_assign(struct event *event, struct event_base *base, int fd, short events,
		 event_callback_fn callback, void *argument);
int event_add(struct event *event, const struct timeval *timeout);
int event_del(struct event *event);
void event_active(struct event *event, int what, short calls);
void event_free(struct event *event);
int event_finalize(unsigned flags, struct event *event, event_finalize_callback_fn callback);
int event_free_finalize(unsigned flags, struct event *event, event_finalize_callback_fn callback);
int event_base_once(struct event_base *base, int fd, short events, event_callback_fn callback, void *argument,
		    const struct timeval *timeout);
event_callback_fn event_get_callback(const struct event *event);
void *event_get_callback_arg(const struct event *event);
void event_get_assignment(const struct event *event, struct event_base **base, int *fd, short *events,
			  event_callback_fn *callback, void **argument);
void *event_self_cbarg(void);

/* clang-format off */
#define LIBEVENT_EVENTS(NAME) \
	NAME(event_new) NAME(event_assign) NAME(event_add) NAME(event_del) NAME(event_active) NAME(event_free) \
	NAME(event_finalize) NAME(event_free_finalize) NAME(event_base_once) NAME(event_get_callback) \
	NAME(event_get_callback_arg) NAME(event_get_assignment) NAME(event_self_cbarg)
#define LIBEVENT_FUNCTIONS(NAME) \
	NAME(evhttp_send_reply) NAME(evhttp_send_reply_end) NAME(evhttp_send_error) \
	NAME(evhttp_request_get_connection) NAME(evhttp_connection_get_bufferevent) NAME(bufferevent_getfd)
/* clang-format on */

struct libevent {
	struct copy copy;
#define LIBEVENT_POINTER(name) __typeof__(&name) name;
	LIBEVENT_FUNCTIONS(LIBEVENT_POINTER)
#undef LIBEVENT_POINTER
};

/* HTTP may be an object of its own. */
struct libevent_events {
	struct copy copy;
#define LIBEVENT_POINTER(name) __typeof__(&name) name;
	LIBEVENT_EVENTS(LIBEVENT_POINTER)
#undef LIBEVENT_POINTER
};

#endif
