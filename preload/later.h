/* later.h - callbacks that a program registers now and a library runs later (timers). (design.md section 5)
 *
 * What is run belongs to who registered it, if that was certain and still lives; what comes after its end is
 * nobody's child, and its calls are roots with a link to it.
 *
 * A callback may do more than that: a timer that serves several requests at once does the work of whoever
 * waits for it. So a timer is somebody's only if that one made it and nobody else ever set it, and only while
 * no other request was left waiting for something that we do not see, be it a timer of its own.
 *
 * All expect hook_enter(); lock-free. */
#ifndef TAGALONG_LATER_H
#define TAGALONG_LATER_H

#include "preload/span.h"

struct later {
	span_ref activity; /* SPAN_NOBODY: nobody's, or nobody knows */
	struct parent_link link;
};

/* This thread makes something that may call back. False: not for anybody that is certain. */
bool later_made(struct later *later);
/* It sets it. False: it is no more `later`'s than anybody's, from now on. */
bool later_set(struct later *later);
/* Around the callback. */
void later_begins(const struct later *later);
void later_ends(void);

/* A loop turns from a request that has nothing under way that is seen; it ends. */
void later_left(struct span *span);
void later_over(struct span *span);
/* Does anybody but this one wait so? */
bool later_others_wait(span_ref activity);
void later_restart(void); /* in a forked child nobody waits */

#endif
