/* hiredis.c - commands that programs give to hiredis, and when it sends and answers them.
 *
 * The wire sees each command and makes its span, whoever wrote the driver; a second one here would have to
 * find the first one, to stand in for it. What the wire cannot see is whose a command is once hiredis has put
 * it into its buffer, which a loop empties later, together with others', and whose reply it hands to the
 * program. So the hooks tell only that, see preload/given.h, at the three places that all of hiredis' calls
 * come by, since it calls itself by name: __redisAppendCommand(), redisBufferWrite() and redisGetReply(). A
 * copy that is built otherwise is what it was: seen by the wire. */
#include "hooks/hiredis.h"

#include <string.h>
#include <strings.h>

#include "preload/given.h"
#include "preload/hook.h"

#define SYMBOLS(WRAP, CALL)        \
	WRAP(__redisAppendCommand) \
	WRAP(redisBufferWrite)     \
	WRAP(redisBufferRead)      \
	WRAP(redisGetReply)        \
	WRAP(redisReconnect)       \
	WRAP(redisFree)            \
	WRAP(redisAsyncHandleWrite)

HOOK_LATE_LIBRARY(hiredis, SYMBOLS);

/* Whose call it is when no library was found: the next definition's, as for any other hook. */
#define LIB(name) (lib && lib->name ? lib->name : REAL(name))
#define CALLER __builtin_return_address(0)

#define HIREDIS_NAME(name) #name,
static const char *const names[] = {HIREDIS_FUNCTIONS(HIREDIS_NAME)};
static struct hiredis room[COPIES_MOST];
static struct copies libraries = {
	.names = names,
	.count = sizeof(names) / sizeof(names[0]),
	.room = room,
	.size = sizeof(room[0]),
};
_Static_assert(sizeof(struct hiredis) == sizeof(struct copy) + sizeof(names), "in the order of the names");

/* With a handle that is not known the library may be new as well. */
static const struct hiredis *hiredis_of(const void *caller, const struct given *given)
{
	return (const struct hiredis *)(const void *)copies_of(&libraries, caller, !given);
}

/* --- is this one command, with one reply?
 * ------------------------------------------------------------------------------- */

static const char *const without_reply[] = {
	"subscribe", "psubscribe", "ssubscribe", "unsubscribe", "punsubscribe", "sunsubscribe",
	"monitor",   "psync",      "sync",       "hello",       "client",
};

/* "*3\r\n" or "$5\r\n": how many; returns what stands behind it, NULL: something else. */
static const char *number(const char *at, const char *end, char type, size_t *value)
{
	*value = 0;
	if (at == end || *at++ != type)
		return NULL;
	for (; at < end && *at >= '0' && *at <= '9' && *value < SIZE_MAX / 16; at++)
		*value = *value * 10 + (size_t)(*at - '0');
	return end - at >= 2 && at[0] == '\r' && at[1] == '\n' ? at + 2 : NULL;
}

static bool is_whole(const char *at, size_t len)
{
	const char *end = at + len;
	size_t arguments, size;

	at = number(at, end, '*', &arguments);
	for (size_t i = 0; at && i < arguments; i++) {
		at = number(at, end, '$', &size);
		if (!at || size > (size_t)(end - at) || (size_t)(end - at) - size < 2)
			return false;
		for (size_t k = 0; i == 0 && k < sizeof(without_reply) / sizeof(without_reply[0]); k++)
			if (strlen(without_reply[k]) == size && strncasecmp(at, without_reply[k], size) == 0)
				return false;
		at += size + 2;
	}
	return at == end && arguments > 0;
}

/* --- what the program gives
 * ------------------------------------------------------------------------------------------ */

static void hand_over(struct given *given, redisContext *c, const char *cmd, size_t len)
{
	int saved = hook_enter();
	if (!given)
		given = given_open(c);
	if (given)
		given_hand_over(given, len, is_whole(cmd, len));
	hook_leave(saved);
}

/* Appends to the buffer; the bytes are the library's own or were formatted by the program, who vouches. */
int __redisAppendCommand(redisContext *c, const char *cmd, size_t len)
{
	struct given *given = given_get(c);
	const struct hiredis *lib = hiredis_of(CALLER, given);
	bool live = hook_live();
	int code = LIB(__redisAppendCommand)(c, cmd, len);
	if (code == 0 && live)
		hand_over(given, c, cmd, len);
	else if (code == 0 && given)
		given_unseen(given);
	return code;
}

/* --- what the library does with it
 * ------------------------------------------------------------------------------------ */

static int really_write(const struct hiredis *lib, redisContext *c, int *done, struct given *given)
{
	GIVEN_WHILE(given);
	return LIB(redisBufferWrite)(c, done);
}

int redisBufferWrite(redisContext *c, int *done)
{
	struct given *given = given_get(c);
	const struct hiredis *lib = hiredis_of(CALLER, given);
	int all = 0;
	if (!given || !hook_live())
		return LIB(redisBufferWrite)(c, done);
	int code = really_write(lib, c, &all, given);
	if (done && code == 0)
		*done = all;
	if (code == 0 && all) {
		int saved = hook_enter();
		given_sent_all(given);
		hook_leave(saved);
	}
	return code;
}

void redisAsyncHandleWrite(redisAsyncContext *ac)
{
	struct given *given = given_get(ac);
	const struct hiredis *lib = hiredis_of(CALLER, given);
	if (given)
		given_apart(given);
	LIB(redisAsyncHandleWrite)(ac);
}

int redisBufferRead(redisContext *c)
{
	struct given *given = given_get(c);
	const struct hiredis *lib = hiredis_of(CALLER, given);
	GIVEN_WHILE(given);
	return LIB(redisBufferRead)(c);
}

int redisGetReply(redisContext *c, void **reply)
{
	struct given *given = given_get(c);
	const struct hiredis *lib = hiredis_of(CALLER, given);
	int code = LIB(redisGetReply)(c, reply);
	if (given && code == 0 && reply && *reply && hook_live()) {
		int saved = hook_enter();
		given_delivered(given);
		hook_leave(saved);
	}
	return code;
}

/* --- handles go
 * --------------------------------------------------------------------------------------------------------
 */

static void gone(struct given *given)
{
	if (!given)
		return;
	if (thread.busy) { /* a handler in the middle of our own work, whose guard it is */
		given_close(given);
		return;
	}
	int saved = hook_enter();
	given_close(given);
	hook_leave(saved);
}

int redisReconnect(redisContext *c)
{
	struct given *given = given_get(c);
	const struct hiredis *lib = hiredis_of(CALLER, given);
	gone(given);
	return LIB(redisReconnect)(c);
}

void redisFree(redisContext *c)
{
	struct given *given = given_get(c);
	const struct hiredis *lib = hiredis_of(CALLER, given);
	gone(given);
	LIB(redisFree)(c);
}
