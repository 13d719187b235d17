/* libevent.h - which libevent a call is for, and its functions.
 *
 * No header of libevent's is needed: the few prototypes stand here, and tests/lint/vendor.sh compares them
 * with the vendor's where that is installed. */
#ifndef TAGALONG_HOOKS_LIBEVENT_H
#define TAGALONG_HOOKS_LIBEVENT_H

#include "hooks/copies.h"

/* The same as the vendor's, who may have been included first. */
struct evbuffer;
struct evhttp_connection;
struct evhttp_request;
struct bufferevent;

void evhttp_send_reply(struct evhttp_request *request, int code, const char *reason, struct evbuffer *body);
void evhttp_send_reply_end(struct evhttp_request *request);
void evhttp_send_error(struct evhttp_request *request, int error, const char *reason);
struct evhttp_connection *evhttp_request_get_connection(struct evhttp_request *request);
struct bufferevent *evhttp_connection_get_bufferevent(struct evhttp_connection *connection);
int bufferevent_getfd(struct bufferevent *bufferevent);

/* clang-format off */
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

#endif
