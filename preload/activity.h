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
void activity_took(span_ref activity);        /* a message that was sent in it (handoff.h) */
void activity_wandered(void);     /* a request was answered by another thread than the one that read it */
void activity_unseen(void);       /* requests may be read, or calls made, past all hooks */
void activity_hidden(void);       /* requests may be read that we do not know of */
void activity_read_unknown(void); /* a request was read that has no span */
void activity_batch(void);        /* several things came at once, and which of them it turns to is not seen */
void activity_answered(void);     /* this thread begins to answer a request that it read */
void activity_woken(void);        /* a loop read its wake-up: what follows is posted work */
void activity_ended(span_ref activity); /* rule 6, on the thread that saw the end */

/* An answer that nobody in particular is known to have asked for, read in the stead of `asker`. */
void activity_read_doubtful(struct conn *conn, span_ref asker);

/* Rule 3: the thread waits. `own` says that only fds of its current activity are waited for (or
 * none at all): the activity stays. */
void activity_wait(bool own);
/* The same for a wait for one descriptor only: that makes no event loop of the thread. */
void activity_wait_one(bool own);
bool activity_owns_fd(int fd); /* made by, or serving, the current activity */
/* Its own, or one that this side made and nobody awaits an answer on: whether it can still be used is asked
 * before each call by many a client, and nothing new can come of it. */
bool activity_owns_one(int fd);
bool activity_owns_poll(const struct pollfd *fds, nfds_t count);
bool activity_owns_select(int count, const fd_set *read, const fd_set *write, const fd_set *except);

/* A descriptor that the host just made (pipe, eventfd, epoll_create, timerfd...). */
void activity_made_fd(int fd, bool wakes);
void activity_made_pipe(int in, int out); /* or a pair: what is written to one is read from the other */

/* Rule 4. What to hand to a thread or context that is made now; and what it does with it. */
span_ref activity_to_carry(void);
/* EVIDENCE_HANDED: by a call that names what it hands on and to whom; for messages see handoff.h. */
void activity_carried(span_ref activity, enum evidence evidence);
/* Waits on a condition or semaphore, at this place (worker.h): inherited evidence is spent, and where other
 * activities are under way any that habit does not keep. */
void activity_blocked(uint32_t place);
/* Has it a request, read by itself and unanswered, that it can give to another thread? And it may have done
 * so: to those that wait for jobs, or to who knows whom. */
bool activity_can_give(void);
void activity_gives(bool jobs);

/* The parent of a call that begins on `conn`. */
struct activity_verdict {
	span_ref activity;
	uint8_t ambiguous; /* enum ambiguity */
	bool process;      /* none, but the process's own context applies */
	uint8_t evidence;  /* enum parent_evidence: what decided */
};
struct activity_verdict activity_for_call(const struct conn *conn);
/* The same for one that is to be its nth. */
struct activity_verdict activity_for_nth_call(const struct conn *conn, uint32_t number);
/* The same for a call that is handed over now and sent when and where a client library likes. */
struct activity_verdict activity_for_transfer(void);
/* For whom this thread, a loop, was last seen to do anything, certain or not (loop.h). */
span_ref activity_window(void);
/* For whom this thread sends something to another one. sure: by the same rules as for a call; else by its
 * habit, which the taker is to judge (handoff.h). */
span_ref activity_for_sending(bool *sure);
/* Who opened this connection, if that is certain. */
span_ref activity_for_opening(void);
/* Who registers a callback. conditional: certain only if others sleep for their own (later.h). */
span_ref activity_for_registering(bool *conditional);

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
