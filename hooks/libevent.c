/* libevent.c - answers of libevent's HTTP server: they are whole when the program gives them away, and are
 * written when the loop finds that the client can take them.
 *
 * Until then nothing of such a request is under way that the socket tells of, and nobody waits for anything
 * but its client. Its timers are not followed: event_add() and its like are names that plug-ins of all makes
 * have for functions of their own, whose calls a hook would take away from them. The first part of an answer
 * that comes in pieces says nothing of what the next one waits for. */
#include "hooks/libevent.h"

#include "hooks/nested.h"
#include "preload/loop.h"

#define SYMBOLS(WRAP, CALL)                     \
	WRAP(evhttp_send_reply)                 \
	WRAP(evhttp_send_reply_end)             \
	WRAP(evhttp_send_error)                 \
	CALL(evhttp_request_get_connection)     \
	CALL(evhttp_connection_get_bufferevent) \
	CALL(bufferevent_getfd)

HOOK_LATE_LIBRARY(libevent, SYMBOLS);

#define NAME_ROW(name) #name,
static const char *const names[] = {LIBEVENT_FUNCTIONS(NAME_ROW)};
static struct libevent room[COPIES_MOST];
static struct copies libraries = {
	.names = names,
	.count = sizeof(names) / sizeof(names[0]),
	.room = room,
	.size = sizeof(room[0]),
};
_Static_assert(sizeof(struct libevent) == sizeof(struct copy) + sizeof(names), "in the order of the names");

/* Where a copy keeps HTTP in an object of its own, the rest is in another one. */
#define OF(lib, name) ((lib) && (lib)->name ? (lib)->name : REAL(name))

static const struct libevent *libevent_of(const void *caller)
{
	return (const struct libevent *)(const void *)copies_known(&libraries, caller);
}

static __attribute__((noinline)) void answered(const struct libevent *lib, struct evhttp_request *request)
{
	if (!request || !hook_live_nested())
		return;
	struct evhttp_connection *connection = OF(lib, evhttp_request_get_connection)(request);
	struct bufferevent *buffer =
		connection ? OF(lib, evhttp_connection_get_bufferevent)(connection) : NULL;
	int fd = buffer ? OF(lib, bufferevent_getfd)(buffer) : -1;
	if (fd < 0)
		return;
	struct nested nested = nested_enter();
	loop_replied(fd);
	nested_leave(nested);
}

void evhttp_send_reply(struct evhttp_request *request, int code, const char *reason, struct evbuffer *body)
{
	const struct libevent *lib = libevent_of(__builtin_return_address(0));
	answered(lib, request);
	OF(lib, evhttp_send_reply)(request, code, reason, body);
}

void evhttp_send_reply_end(struct evhttp_request *request)
{
	const struct libevent *lib = libevent_of(__builtin_return_address(0));
	answered(lib, request);
	OF(lib, evhttp_send_reply_end)(request);
}

void evhttp_send_error(struct evhttp_request *request, int error, const char *reason)
{
	const struct libevent *lib = libevent_of(__builtin_return_address(0));
	answered(lib, request);
	OF(lib, evhttp_send_error)(request, error, reason);
}
