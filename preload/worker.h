/* worker.h - what the habits of a pool's threads allow to conclude. (design.md section 5)
 *
 * A thread that has read a request waits on a condition: for a lock, a collector of garbage, a class that
 * another thread loads; or, having given the request away, for its next job, which may be another request's.
 * A library sees one and the same call. What tells them apart is where the thread waits:
 *
 *   - the place from which a thread came when it read a request is one where jobs are waited for, whatever
 * the thread has read before. Places are known by what called the wait and by how deep in its stack the
 * thread stood, and are the process's: threads of a pool run the same code;
 *   - a place where so many threads waited in the midst of a request, with others under way, and then
 * answered that request themselves, is a wait for something else: a connection of a pool, a lock. This is all
 * that tells in a process whose threads come to their requests from no such wait, as those do that serve one
 * connection each;
 *   - anywhere else it goes on with what it has read, if that is the habit of this process: so many requests,
 *     with others under way, were answered by the threads that read them; none by another; and no thread that
 *     reads requests was ever seen to come from a wait with a job that it did not read.
 *
 * A habit once broken is broken for the life of the process. All of it errs towards nobody. What it cannot
 * see: in a process that has kept to it so far, two requests given away at the same time by threads of one
 * pool, of which one takes up the other's after a wait at a place that no request was ever read from.
 *
 * Any context; lock-free. Event loops are not concerned, see loop.h. */
#ifndef TAGALONG_WORKER_H
#define TAGALONG_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "preload/thread.h"

#define WORKER_PROVEN 16     /* requests */
#define WORKER_UNSIGNALLED 4 /* requests are as good a proof as one in which nothing was signalled */
#define WORKER_PAUSES 64     /* places of waits in the midst of a request that are proven */
#define WORKER_PLACES 256    /* more, and no wait tells anything any more */

/* Of the process. */
struct worker_habits {
	_Atomic uint32_t answered; /* fourths of requests */
	_Atomic uint32_t known;    /* places */
	_Atomic bool broken;
	_Atomic uint32_t places[WORKER_PLACES];
	_Atomic uint32_t pauses[WORKER_PAUSES]; /* places */
	_Atomic uint32_t proofs[WORKER_PAUSES]; /* of each, those that went on with their request */
};
extern struct worker_habits worker_habits;

/* Where a wait stands; never 0. A thread's own block lies above its stack. */
static inline uint32_t worker_place(const void *frame, const void *caller)
{
	uint64_t depth = (uintptr_t)&thread - (uintptr_t)frame;
	uint64_t mixed = ((uintptr_t)caller * 0x9e3779b97f4a7c15ull) ^ (depth * 0xff51afd7ed558ccdull);
	return (uint32_t)(mixed >> 32) | 1;
}

/* Does a thread that waits there, and has read a request, go on with that? */
bool worker_keeps(uint32_t place);
void worker_paused(uint32_t place); /* this thread waits there, and has read what it works for */

/* A thread that has read a request and signals a condition may have given the request away, and take another
 * one from the same list without a wait. That is so where those who wait on that condition wait for jobs, and
 * not where they wait in the midst of a request: for a lock. Of a condition that no reader was seen to wait
 * on nothing is known: it may be so until the process has proven its habits, for which the answers to such
 * requests count little, and none behind a signal where jobs are waited for. */
void worker_waits(const void *condition, uint32_t place); /* a wait of this thread, once it is judged */
enum worker_signal { SIGNAL_IS_NONE, SIGNAL_MAY_GIVE, SIGNAL_GIVES };
enum worker_signal worker_signals(const void *condition);

void worker_read(uint32_t place); /* a request, by this thread, which waited there last; 0: nowhere */
void worker_answered(
	bool alone);      /* this thread begins to answer what it read; no other request is under way */
void worker_called(void); /* this thread, which works for nobody, makes a call */

#endif
