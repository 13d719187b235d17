/* handoff.h - an activity goes along with what it sends to another thread. (design.md section 5)
 *
 * Whose the message is, the sender's thread says; that the taker now works for that one, the message says
 * (messages.h). What could still be wrong, and decides whether the taker's calls have their parent:
 *
 *   - the taker found in a list, behind a message that was a mere wake-up, what another request left there.
 *     Then that request was never sent: with one under way that was neither sent nor answered, all are in
 *     doubt;
 *   - the taker keeps what it took for later, takes others, or hands it on by a way that is not seen: then it
 *     leaves it unanswered. That ends all trust for the life of the process (`strays`);
 *   - a loop sends for a request what belongs to another one that it had kept. While every request that a
 *     loop left was sent, and who took it answers it, none is kept: LOOP_LEFT_UNSENT, `strays`. That must
 *     have been seen to be so a few times first.
 *
 * All of it errs towards nobody. Any context; lock-free. */
#ifndef TAGALONG_HANDOFF_H
#define TAGALONG_HANDOFF_H

#include "preload/messages.h"
#include "preload/thread.h"

/* A message's first half: before the real call, so that whoever takes it finds it known. */
bool handoff_sends(uint64_t key); /* true: it is known whose it is */
void handoff_unsent(void);        /* that one's real call failed, or took less */
void handoff_posted(void);        /* something else was written that wakes another thread */
void handoff_leaves(void);        /* before the real call that takes one: done with what was taken before */
void handoff_took(uint64_t key);  /* a whole message and nothing else; 0: something else */
void handoff_named(span_ref activity); /* by a call that names it (EVIDENCE_HANDED without a message) */
void handoff_left(void);               /* a loop turns away from what it took */

/* Do this thread's calls belong to what it took? alone: no other activity is under way. */
bool handoff_is_exact(bool alone);

/* A thread that works for nobody makes a call: by exclusion (jobs.h) it may be known for whom, which it then
 * works for. True: it may be somebody, and nobody knows who. */
bool handoff_job_is_doubtful(void);

/* A request begins, is answered by this thread, ends. */
void handoff_begun(struct span *span);
void handoff_answering(struct span *span);
void handoff_over(struct span *span);
void handoff_restart(void); /* in a forked child nothing was seen yet, and nothing is under way */

#endif
