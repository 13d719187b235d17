/* jobs.h - requests that go from thread to thread through memory, with a condition to wake who takes them.
 *
 * A list under a mutex shows us nothing of what is put in or taken out. What we see: that the thread which
 * read a request signals a condition, with the mutex held that others wait with there; that a thread comes
 * from its wait there and makes calls; who answers. It is told whose job that thread has by exclusion:
 *
 *   - every request under way is a unit until it is known that some thread has its job: until one that came
 *     from such a wait makes its first call, or the answer begins. Where one unit only is left, and none was
 *     when its request was read, the thread that makes its first call now has that request's job. With two or
 *     more left nobody knows which is which;
 *   - so much holds of a condition where, so many times before, those who came from a wait answered a request
 *     that its reader had signalled there, and nothing else ever happened: no signal without the mutex, or by
 *     anybody but a request's reader, or a second one for it; no wait by a thread that has read a request or
 *     is in the midst of one, none from another place; no calls without an answer behind them;
 *   - and at each call of that thread no other request may be left that it could have taken as well.
 *
 * Who takes a job without a wait is nobody until it answers, and its request in the way of others till then.
 * What a condition that was trusted did wrong once ends the trust in all of them for the life of the process.
 * What it cannot see: the first job ever, on such a condition, that no request has to do with, put in without
 * a signal, and taken by a thread that is woken for a request.
 *
 * Any context; lock-free; no hook on a mutex. */
#ifndef TAGALONG_JOBS_H
#define TAGALONG_JOBS_H

#include <stdbool.h>
#include <stdint.h>

#include "preload/span.h"
#include "preload/thread.h"

#define JOB_PROVEN 16 /* requests that were answered by who came from a wait */
#define JOB_QUEUES 64 /* conditions that are followed */

/* A bit for each condition that may still be trusted; 0: nothing to be told. */
extern _Atomic uint64_t job_queues;

/* What this thread has done since it came from its wait: thread.job. */
enum job { JOB_NONE, JOB_CALLED, JOB_COUNTED };

/* A request is read; is answered by this thread; ends. */
void job_begun(struct span *span);
void job_answering(struct span *span);
void job_over(struct span *span);
void job_read(void);               /* this thread reads a request */
void job_unseen(const char *what); /* requests may come by unseen */
void job_restart(void);            /* in a forked child nothing was seen yet */

/* This thread signals. Before the real call. True: the condition may be one to be followed, and is not. */
bool job_signals(const void *condition);
void job_follows(const void *condition); /* then, unless the signal is for something else */
/* It waits, at this place (worker.h). Returns what to tell job_came() when it is woken. Before the real call,
 * with the mutex held. */
uint32_t job_waits(const void *condition, const void *mutex, uint32_t place);
void job_came(uint32_t waited);

/* For whom a thread that works for nobody makes a call now; NOBODY: nobody knows. doubt: it may be somebody.
 */
span_ref job_taken(bool *doubt);
/* Has a thread that took a job so nothing else at hand? */
bool job_is_exact(void);

#endif
