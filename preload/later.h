/* later.h - callbacks that a program registers now and a library runs later (timers, idle work). (design.md
 * section 5)
 *
 * What is run belongs to who registered it, if that was certain and still lives; what comes after its end is
 * nobody's child, and its calls are roots with a link to it.
 *
 * A callback may do more than that: a timer that serves several requests at once does the work of whoever
 * waits for it. So it is somebody's only if that one made it and nobody else ever set it, and only while no
 * other request was left waiting for something that we do not see. A request that was left with a timer of
 * its own waits for that timer, or the timer is but the limit of what it waits for. Which of the two is the
 * habit of the timer's function:
 *
 *   - it is proven when so many requests that were left with it (and nothing else under way) slept until it
 *     went off, made their calls in it, and were answered by who read those calls' answers;
 *   - it is broken, for the life of the process, when one that was left so is answered before, or by who
 *     works for another one, or its timer is stopped or set anew by somebody else while its client is there.
 *
 * Who sleeps for a proven function is no doubt for anybody. Who sleeps for one that is not proven yet is one
 * for all. Who sleeps for a broken one waits unseen. What is registered while others sleep for what is not
 * proven yet is its maker's if all of that is proven when it runs.
 *
 * All expect hook_enter(); lock-free. */
#ifndef TAGALONG_LATER_H
#define TAGALONG_LATER_H

#include "preload/span.h"

struct later {
	span_ref activity; /* SPAN_NOBODY: nobody's, or nobody knows */
	struct parent_link link;
	uint8_t habit;    /* of its function: index + 1; 0: too many functions */
	bool pending;     /* it is set, and has not gone off */
	bool conditional; /* its maker's if what others sleep for is proven */
	uint32_t broken;  /* habits, when it was made */
	uint64_t repeat;  /* ns, 0: once */
};

/* This thread makes something that may call back. False: not for anybody that is certain. */
bool later_made(struct later *later);
/* It sets it, to call that function in so many ns. False: it is no more `later`'s than anybody's, from now
 * on. */
bool later_set(struct later *later, uintptr_t function, uint64_t delay, uint64_t repeat);
/* It is not going to call back any more; nothing if it did already. */
void later_stopped(struct later *later);
/* Around the callback. `later` is not looked at behind its begin. */
void later_begins(struct later *later);
void later_ends(void);
/* A callback that nobody's timer, or an unknown one's, calls. */
void later_begins_unknown(void);

/* A loop turns from a request that has nothing under way that is seen; it begins to be answered; it ends. */
bool later_left(struct span *span); /* true: it sleeps for a timer of its own */
void later_answering(struct span *span);
void later_over(struct span *span);
/* Does anybody but this one wait for what is not seen, or may do so? */
bool later_others_wait(span_ref activity);
bool later_others_wait_unseen(span_ref activity); /* is known to */
void later_restart(void);                         /* in a forked child nobody waits */

#endif
