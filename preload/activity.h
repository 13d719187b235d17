/* activity.h - on whose behalf does this thread run? (design.md section 5)
 *
 * Evidence only, never time: what is not known is nobody's. A thread's answer is in thread.current; an
 * activity is the SERVER span of a request under way (or the process span), and is gone when that ends.
 * All cheap, lock-free, and safe in every context. */
#ifndef TAGALONG_ACTIVITY_H
#define TAGALONG_ACTIVITY_H

#include <poll.h>
#include <sys/select.h>

#include "preload/conn.h"
#include "preload/thread.h"

/* The live activity of this thread, or SPAN_NOBODY (none, or ambiguous). */
span_ref activity_current(void);

/* Evidence. */
void activity_read_request(struct conn *conn, span_ref activity); /* rule 1 */
void activity_read_answer(struct conn *conn,
			  span_ref activity); /* rule 2; NOBODY: an answer of unknown owner */
void activity_wandered(void); /* a request was answered by another thread than the one that read it */
void activity_woken(void);    /* a loop read its wake-up: what follows is posted work */
void activity_ended(span_ref activity); /* rule 6, on the thread that saw the end */

/* Rule 3: the thread is about to wait. `own` says that only fds of its current activity are waited for (or
 * none at all): the activity stays. */
void activity_wait(bool own);
/* The same for a wait for one descriptor only: that makes no event loop of the thread. */
void activity_wait_one(bool own);
bool activity_owns_fd(int fd); /* made by, or serving, the current activity */
bool activity_owns_poll(const struct pollfd *fds, nfds_t count);
bool activity_owns_select(int count, const fd_set *read, const fd_set *write, const fd_set *except);

/* A descriptor that the host just made (pipe, eventfd, epoll_create, timerfd...). */
void activity_made_fd(int fd, bool wakes);

/* Rule 4. What to hand to a thread or context that is made now; and what it does with it. */
span_ref activity_to_carry(void);
void activity_carried(span_ref activity, enum evidence evidence);
/* Waits on a condition or semaphore: inherited evidence is spent, and where other activities are under way
 * any. */
void activity_blocked(void);

/* The parent of a call that begins on `conn`. */
struct activity_verdict {
	span_ref activity;
	bool ambiguous;
	bool process; /* none, but the process's own context applies */
};
struct activity_verdict activity_for_call(struct conn *conn);
/* Who opened this connection, if that is certain. */
span_ref activity_for_opening(void);

/* Rule 5: who received exactly this context? NOBODY when none or more than one did. `process` is set when it
 * is the context that the process was started with. */
span_ref activity_find(const struct context *received, bool *process);
void activity_index(span_ref activity, const struct context *received);
void activity_unindex(span_ref activity, const struct context *received);

/* The context the process was started with (TRACEPARENT ...), read by the constructor; invalid if none.
 * With process spans, the process span's own. */
extern struct context process_context;
extern _Atomic bool process_served; /* it served a request: process_context is no default parent any more */
extern _Atomic uint32_t activities_live;
extern _Atomic bool activities_wander; /* activity_wandered() was called */

#endif
