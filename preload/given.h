/* given.h - what a client library's handle was given to do, and by whom.
 *
 * A library that collects commands and sends them when its program's loop says so (hiredis) writes them in a
 * turn that is nobody's, several together, and reads their answers together as well: the wire cannot tell
 * whose they are. Who handed them over is known, and the library keeps their order. So the handle remembers,
 * for each command, on whose behalf the thread ran that gave it; the wire asks at that command's bytes, and
 * makes a call of its own where two commands of one write are not one's. A call so given counts as under way
 * until its reply is handed to the program, which is the evidence for what the thread does next: what was
 * merely read into the library's buffer is none.
 *
 * The bytes are the proof: they are counted when given and when sent, and where the two are out of step, or
 * there is no room (counted), what the handle sends is nobody's for certain until it is empty again.
 *
 * Found by the handle, never waits, allocates nothing (blocks of the pool). As the handle itself, a slot is
 * used by one thread at a time. All expect hook_enter() to be in force, unless said otherwise. */
#ifndef TAGALONG_GIVEN_H
#define TAGALONG_GIVEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "preload/span.h"
#include "preload/thread.h"

struct given;

bool given_init(uint32_t most);
size_t given_memory(uint32_t most); /* address space that given_init() takes */

/* NULL: not known. Does not need hook_enter(). */
struct given *given_get(const void *handle);
struct given *given_open(const void *handle); /* NULL: no slot (counted) */
/* The handle is about to be freed, or starts anew on another connection. Also where no hook is live. */
void given_close(struct given *given);

/* The calling thread has given it `bytes` more to send, which are one command (whole), answered by one reply.
 * Otherwise answers cannot be told apart any more, and the wire says again whose they are. */
void given_hand_over(struct given *given, size_t bytes, bool whole);
/* Something was given while we could not look. Needs no hook_enter(). */
void given_unseen(struct given *given);
/* Nothing is left to be sent. */
void given_sent_all(struct given *given);
/* Each command is a call of its own, also when one activity gave several. */
void given_apart(struct given *given);
/* The library hands the next reply to the program. */
void given_delivered(struct given *given);

/* --- for as long as the library writes or reads for the handle. Neither needs hook_enter(). ----------- */

struct given_outer {
	struct given *given;
	uintptr_t frame;
};

static inline __attribute__((always_inline)) struct given_outer given_enter(struct given *given)
{
	struct given_outer before = {thread.given, thread.given_frame};
	thread.given_frame = (uintptr_t)__builtin_frame_address(0);
	thread.given = given;
	return before;
}

static inline void given_leave(const struct given_outer *before)
{
	thread.given = before->given;
	thread.given_frame = before->frame;
}

#define GIVEN_WHILE(given)                                                                    \
	__attribute__((cleanup(given_leave), unused)) const struct given_outer given_before = \
		given_enter(given)

/* --- the connection's side ---------------------------------------------------------------------------- */

/* The one that this thread's library writes or reads for; NULL: none. */
struct given *given_within(void);
/* `at`: of the bytes that are being written now. Does a call end there, whatever comes behind it? */
bool given_parts(struct given *given, uint64_t at);
/* Gives the span of the call whose last byte so far stands before `at` its identity. */
void given_adopt(struct given *given, uint64_t at, struct span *span);
void given_sent(struct given *given, size_t bytes);
/* Its replies are known one by one: that they were read says nothing yet. */
bool given_delivers(const struct given *given);

#endif
