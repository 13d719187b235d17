/* hiredis.h - which libhiredis a call is for, and its functions.
 *
 * No header of hiredis' is needed: the few prototypes stand here, and tests/lint/vendor.sh compares them with
 * the vendor's where that is installed. */
#ifndef TAGALONG_HOOKS_HIREDIS_H
#define TAGALONG_HOOKS_HIREDIS_H

#include "hooks/copies.h"

#ifndef __HIREDIS_H /* the vendor's: the lint includes that first */
typedef struct redisContext redisContext;
typedef struct redisAsyncContext redisAsyncContext;
#endif

int __redisAppendCommand(redisContext *c, const char *cmd, size_t len);
int redisBufferWrite(redisContext *c, int *done);
int redisBufferRead(redisContext *c);
int redisGetReply(redisContext *c, void **reply);
int redisReconnect(redisContext *c);
void redisFree(redisContext *c);
void redisAsyncHandleWrite(redisAsyncContext *ac);

/* clang-format off */
#define HIREDIS_FUNCTIONS(NAME) \
	NAME(__redisAppendCommand) NAME(redisBufferWrite) NAME(redisBufferRead) NAME(redisGetReply) \
	NAME(redisReconnect) NAME(redisFree) NAME(redisAsyncHandleWrite)
/* clang-format on */

struct hiredis {
	struct copy copy;
#define HIREDIS_POINTER(name) __typeof__(&name) name;
	HIREDIS_FUNCTIONS(HIREDIS_POINTER)
#undef HIREDIS_POINTER
};

#endif
