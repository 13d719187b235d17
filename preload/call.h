/* call.h - calls that a client library makes with no connection that we see: an in-process database, a driver
 * that keeps to itself.
 *
 * One call, one span: the outer level owns it. A hook that runs such a call says so with call_enter(); what
 * is below asks call_within(). Inside CALL_CLIENT (a driver's) the wire's exchanges with a database stand
 * aside: their bytes are followed as ever, so that framing never loses step, but no span of theirs is
 * exported. They know the server, which the driver's interface may not, and tell it to the call's span.
 * Inside CALL_EMBEDDED (SQLite) only what the library does itself belongs to the call. CALL_WIRED: the wire
 * has the spans, but what the library does by way of its own functions is no call of the program's (asked.h).
 * A call that was left by a longjmp is noticed by the frames: it is no outer call of anything that is not
 * deeper on the stack.
 *
 * A call that lasts over several of the library's functions (a statement that is being stepped) is kept with
 * the handle that all of them are told: in a fixed slot, found by the handle, used by one thread at a time.
 * What a statement's next execution says of itself as well stands there too, encoded. Bounded; where no slot
 * is free (counted) the hook must do without. No allocation, no lock, no system call. */
#ifndef TAGALONG_CALL_H
#define TAGALONG_CALL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "preload/span.h"
#include "preload/thread.h"

/* --- inside which call? Neither needs hook_enter(). --------------------------------------------------- */

struct call_outer {
	uint8_t kind;
	uintptr_t frame;
	struct span *span;
};

#define CALL_DEPTH ((uintptr_t)1 << 20) /* bytes of stack that a library is believed to use */

/* What was before; to be given back by call_leave(), best by CALL_WHILE(), which also serves a cancelled
 * thread. `span`: the call's, or NULL. */
static inline __attribute__((always_inline)) struct call_outer call_enter(enum call_kind kind,
									  struct span *span)
{
	struct call_outer before = {thread.call, thread.call_frame, thread.call_span};
	thread.call_frame = (uintptr_t)__builtin_frame_address(0);
	thread.call_span = span;
	thread.call = (uint8_t)kind;
	return before;
}

static inline void call_leave(const struct call_outer *before)
{
	thread.call = before->kind;
	thread.call_frame = before->frame;
	thread.call_span = before->span;
}

#define CALL_WHILE(kind, span)                                                             \
	__attribute__((cleanup(call_leave), unused)) const struct call_outer call_before = \
		call_enter(kind, span)

static inline __attribute__((always_inline)) enum call_kind call_within(void)
{
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);
	if (__builtin_expect(thread.call == CALL_NONE, 1))
		return CALL_NONE;
	return here <= thread.call_frame && thread.call_frame - here < CALL_DEPTH
		       ? (enum call_kind)thread.call
		       : CALL_NONE;
}

/* --- its span. These, and the slots, expect hook_enter(). --------------------------------------------- */

struct protocol_facts;

/* On behalf of whom this thread works for. NULL: there is to be none, or no slot (counted). */
struct span *call_begin(uint64_t start);
void call_told(struct span *span, const struct protocol_facts *facts); /* what a describe function said */
/* A database's exchange on the wire: inside a driver's call? Then that is told what this one knows. */
bool call_owns(const struct span *exchange);

/* --- what lasts --------------------------------------------------------------------------------------- */

#define CALL_OWN 8

struct call {
	uintptr_t handle;
	_Atomic uint32_t state; /* who is at it, and whether the handle is gone */
	struct span *span;      /* under way between two functions; NULL */
	uint64_t begun, last;   /* its beginning and when a function last returned, by call_tick() */
	bool failed;            /* so far */
	uint64_t own[CALL_OWN]; /* the hook's, zero at first */
	struct {
		uint32_t len, count; /* 0: nothing kept */
		uint64_t statement;
		uint8_t name_len;
		char name[SPAN_NAME];
		uint8_t attrs[SPAN_ATTRS];
	} kept;
};

bool call_init(uint32_t most);
size_t call_memory(uint32_t most); /* address space that call_init() takes */

/* Taken for this thread until call_release(). NULL: not known, or another thread is at it. */
struct call *call_find(const void *handle);
struct call *call_open(const void *handle); /* a fresh one; NULL: no slot (counted) */
void call_release(struct call *call);
/* The handle is about to be freed, or was freed unseen: not found any more, and what was under way ends.
 * Where no hook is live, it does not end but is forgotten. */
void call_close(const void *handle, bool live);
/* All whose first own word is this. Looks at every place: not for what is done often. */
void call_close_owned(uint64_t owner);
/* At the end of the process or program: what is under way ends as it is. */
void call_flush(void);

/* May another one stay under way between two functions? Those that do cost a span's slot each. False is
 * counted. The call of the slot holds its span from call_hold() to call_done(). */
bool call_hold(struct call *call, struct span *span);
/* It ended when the last function returned: now, or at call->last. */
void call_done(struct call *call, bool now);
/* The same for a span that is to be told more before it ends, at `end`. NULL: there is none. */
struct span *call_take(struct call *call, uint64_t *end);

/* Cheaper than the clock, for what is told a thousand times a call; only good between two readings of both.
 */
static inline uint64_t call_tick(void)
{
#if defined(__x86_64__)
	return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
	uint64_t ticks;
	__asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
	return ticks;
#else
	return 0;
#endif
}

/* The description that `span` has now, for the next call of this handle. False: it is too long to be kept, or
 * was cut. */
bool call_keep(struct call *call, const struct span *span);
bool call_recall(const struct call *call, struct span *span); /* false: nothing is kept */

#endif
