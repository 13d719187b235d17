/* loop.h - what an event loop's habits allow to conclude. (design.md section 5)
 *
 * A loop reads, acts, and turns to something else: a window for each thing it read. Whether what it does in a
 * window is that request's is no matter of time but of what else it could be, and that can be known:
 *
 *   - work for another request needs that request to wait for something that we do not see: a queue, a timer,
 * a thread, the end of the turn. Such a request was left, when the loop turned away from it, with no call of
 *     its own under way. Where that was never seen (nor two requests of one connection at once, nor requests
 *     read by a second thread) nobody waits so, and what a window does is its request's;
 *   - a request with a call under way may have a second one waiting behind it. Where no request ever had two
 *     under way none has;
 *   - with a habit broken there remains the turn of one event: the loop slept with nothing to do, one thing
 *     happened, a request was read, and all until the next sleep comes from that, unless a timer is due.
 *
 * A habit once broken is broken for the life of the process. All of it errs towards nobody. Calls that could
 * not be given a parent are counted for whom the window was all the same, so that the habits stay true.
 *
 * Any context; lock-free. Threads that are no loops are not concerned. */
#ifndef TAGALONG_LOOP_H
#define TAGALONG_LOOP_H

#include "preload/conn.h"
#include "preload/thread.h"

enum loop_habit {
	LOOP_LEFT_WAITING = 1, /* a request was left with nothing under way that we see */
	LOOP_TWO_AT_ONCE = 2,  /* a request had two calls under way */
	LOOP_TWO_READERS = 4,  /* requests were read by two threads */
	LOOP_LEFT_UNSENT = 8,  /* as the first, and nothing of it was sent to another thread either */
};
extern _Atomic uint8_t loop_habits;   /* of the process, bits */
extern _Atomic uintptr_t loop_reader; /* the thread that read a request first; compared, never followed */

/* Nothing in this loop's past speaks against taking each window for what was read last. */
bool loop_is_clean(void);
/* Nor did a request ever have two calls under way, one of which might wait behind others'. */
bool loop_is_direct(void);
/* Why what this thread read last need not be what its next call is made for; AMBIGUOUS_NOT: it is. alone: no
 * other activity is under way. */
enum ambiguity loop_doubt(bool alone);

/* May what this thread sends to another one be taken for the request's that it read last? (handoff.h) */
bool loop_sends(void);

/* Has this activity a call under way already, and would a timer go off about now? Then a call in its window
 * is as well the timer's. */
bool loop_is_timers(span_ref asker);

/* This thread, a loop, turns from `activity` to something else. */
void loop_left(span_ref activity);
void loop_left_waiting(void); /* what it was left with was not what it waited for */
/* The program has given a whole answer to the library that is going to write it there: what this thread does
 * behind that is no more the request's than what it does behind an answer that it wrote itself. */
void loop_replied(int fd);
void loop_read_request(void); /* by this thread */
void loop_pipelined(void);    /* a request was read while another one of its connection is under way */
void loop_hidden(void);       /* what a loop reads, and when it acts, is not seen in order: a ring */
void loop_read_stale(const struct conn *conn); /* it read an answer there that no request is known to wait
						  for; NULL: nobody knows where */
void loop_window(void);                        /* something was read for another activity than before */

/* For a connection that is made now, and whether this is another turn than that, or a later wait. */
uint32_t loop_turn(void);
bool loop_is_elsewhere(const struct conn *fresh);

/* A wait returned. timeout: ms, 0 a mere look, < 0 for ever; from: its start, for a timeout > 0
 * of a thread that has not waited before. */
void loop_waited(int events, int timeout, uint64_t from);

/* A connection made, or a call begun, in the window of `asker`. Returns whom it was counted for. */
span_ref loop_count(span_ref asker);
void loop_uncount(span_ref *asker); /* its end; sets it to SPAN_NOBODY */

#endif
