/* stack.h - who asked? The call stack of a CLIENT span that failed or was slow, taken where the call ends.
 *
 * On the host's thread nothing is unwound, loaded or named: its registers and the upper part of its stack are
 * copied behind the span, and the exporter's thread reads in the copy (exporter/callstack.h). So it does not
 * matter what the host is in the midst of (the loader, a fork, a signal, a cancellation), nor how small its
 * stack is; and a call that was neither slow nor failed costs a comparison.
 *
 * Only memory that certainly is this thread's own stack is read. That is so of the first thread's, of that of
 * a thread that libc made, and of one that was given to makecontext(). Of any other nobody knows where it
 * ends, and what lies behind may be unmapped at any moment: counted, and no stack.
 *
 * The stack at the end of a call is the call's only where the thread that ends it also began it and did not
 * turn to other things in between (thread.waits): what an event loop reads says nothing of who asked. Counted
 * too. */
#ifndef TAGALONG_STACK_H
#define TAGALONG_STACK_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "preload/bytes.h"
#include "preload/config.h"
#include "preload/span.h"

/* A record with a stack: the encoded span, padded to 8; one of these; the bytes of the stack from `sp` on;
 * and last of all, in 8 bytes, the length of the span. */
struct stack_sample {
	uint64_t ip, sp, bp, bx, r12, r13, r14, r15;
	uint32_t bytes;
	uint32_t attributes; /* that the span has */
	uint64_t unloads;    /* of objects so far: one may have gone, and another have come to its place */
};

#define STACK_MOST ((size_t)64 << 10)  /* bytes of a stack */
#define STACK_ROOM ((size_t)4096)      /* behind the span, at least: for what will be said in its stead */
#define STACK_TRAILER sizeof(uint64_t) /* the length of the span */

static inline bool stack_wanted(const struct span *span, uint64_t end)
{
	return span->kind == SPAN_CLIENT && (span->failed || end - span->start >= config.stack_after);
}

/* Queues the encoded span, with its stack if that can be had. The parts are as for queue_put(). */
bool stack_put(const struct span *span, uint64_t end, const struct bytes *parts, size_t count);
/* Stacks that the exporter's thread has yet to read: the objects whose code is on them must stay that long.
 */
extern _Atomic uint32_t stacks_waiting;
void stack_read(void); /* that thread: one of them was */
void stack_settle(
	void); /* an object is about to be unloaded: waits for them, not long, and not again in vain */
extern void (*stack_settler)(int timeout_ms);
void stack_forked(void);
/* It does not end where its call ends: no stack. */
void stack_never(struct span *span);

/* How far up the stack goes on that `sp` is in; 0: nobody knows. */
uintptr_t stack_end(uintptr_t sp);
void stack_init(void);                                    /* in the constructor */
void stack_thread_made(const pthread_attr_t *attributes); /* NULL: of libc's default */
void stack_context_made(const void *base, size_t size);   /* by makecontext() */
void stack_copy(char *to, const void *from, size_t len);  /* of one's own stack, in words */

#endif
