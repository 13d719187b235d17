/* loop.c - habits of event loops. */
#include "preload/loop.h"

#include <fcntl.h>

#include "preload/activity.h"
#include "preload/clock.h"
#include "preload/counters.h"
#include "preload/fdtable.h"
#include "preload/later.h"
#include "preload/log.h"
#include "preload/messages.h"
#include "preload/session.h"
#include "preload/sys.h"

_Atomic uint8_t loop_habits;
_Atomic uintptr_t loop_reader;

static void breaks(enum loop_habit habit)
{
	if (atomic_load_explicit(&loop_habits, memory_order_relaxed) & habit)
		return;
	if (atomic_fetch_or(&loop_habits, (uint8_t)habit) & habit)
		return;
	count_one(loops_doubtful);
	log_debug("loop", "%s: what it reads last does not say any more whose %s comes next",
		  habit == LOOP_LEFT_WAITING  ? "a request was left to wait for something that is not seen"
		  : habit == LOOP_LEFT_UNSENT ? "a request was left and not handed to another thread"
		  : habit == LOOP_TWO_AT_ONCE ? "a request has two calls under way"
					      : "two threads read requests",
		  habit == LOOP_LEFT_UNSENT ? "task" : "call");
}

static uint8_t habits(void)
{
	return atomic_load_explicit(&loop_habits, memory_order_acquire);
}

bool loop_is_clean(void)
{
	return !(habits() & (LOOP_LEFT_WAITING | LOOP_TWO_READERS)) &&
	       !atomic_load_explicit(&activities_wander, memory_order_relaxed);
}

bool loop_is_direct(void)
{
	return loop_is_clean() && !(habits() & LOOP_TWO_AT_ONCE);
}

/* Loops round their time-outs up; the start of the wait was read from a clock that is never ahead. */
#define DUE_EARLY_NS 1000000

static bool timer_is_due(void)
{
	return thread.due && clock_now() + DUE_EARLY_NS >= thread.due;
}

enum ambiguity loop_doubt(bool alone)
{
	bool request = thread.evidence == EVIDENCE_REQUEST;
	bool shared = atomic_load_explicit(&activities_wander, memory_order_relaxed) ||
		      (habits() & LOOP_TWO_READERS);

	if (shared && !alone)
		return AMBIGUOUS_LOOP;
	bool named = thread.evidence == EVIDENCE_HANDED && thread.taken_at == MESSAGE_OF_CALL;
	if ((request || named || thread.evidence == EVIDENCE_ANSWER) && loop_is_direct() &&
	    !later_others_wait(thread.current))
		return AMBIGUOUS_NOT;
	/* Who is alone among the living need not be: the loop may have posted work for one that is gone. */
	if (thread.stale)
		return AMBIGUOUS_READ;
	if (!alone && !(request && thread.events == 1 && thread.windows == 1))
		return AMBIGUOUS_LOOP;
	/* What a timer does is nobody's here that we know of. */
	return timer_is_due() ? AMBIGUOUS_TIMER : AMBIGUOUS_NOT;
}

bool loop_is_timers(span_ref asker)
{
	const struct span *span = thread.loop && thread.evidence != EVIDENCE_CALLBACK ? span_of(asker) : NULL;
	return span && atomic_load_explicit(&span->calls, memory_order_relaxed) > 0 && timer_is_due();
}

static bool is(const _Atomic bool *flag)
{
	return atomic_load_explicit(flag, memory_order_relaxed);
}

void loop_left(span_ref activity)
{
	struct span *span = span_of(activity);
	if (!span || span->kind != SPAN_SERVER)
		return;
	bool calls = atomic_load_explicit(&span->calls, memory_order_relaxed) > 0;
	bool client = !is(&span->request_ended) || (is(&span->responding) && is(&span->stuck)) ||
		      is(&span->hung_up);
	if (calls || client)
		return;
	if (!later_left(span))
		breaks(LOOP_LEFT_WAITING);
	if (!atomic_load_explicit(&span->sent, memory_order_relaxed))
		breaks(LOOP_LEFT_UNSENT);
}

static void replied(const struct conn *conn)
{
	struct span *span = conn->role == ROLE_SERVER && conn->first ? span_slot(conn->first - 1) : NULL;
	if (!span || !is(&span->request_ended))
		return;
	later_answering(span);
	activity_ended(span_reference(span));
}

void loop_replied(int fd)
{
	struct conn *conn = conn_get(fd);
	struct conn *session = conn ? session_above(conn) : NULL;
	if (conn)
		replied(session ? session : conn);
	if (session)
		conn_put(session);
	if (conn)
		conn_put(conn);
}

void loop_left_waiting(void)
{
	breaks(LOOP_LEFT_WAITING);
}

bool loop_sends(void)
{
	return !(habits() & LOOP_LEFT_UNSENT) && !is(&activities_wander) && !timer_is_due();
}

void loop_read_request(void)
{
	uintptr_t first = 0, own = (uintptr_t)&thread;
	if (atomic_load_explicit(&loop_reader, memory_order_relaxed) == own)
		return;
	if (!atomic_compare_exchange_strong(&loop_reader, &first, own) && first != own)
		breaks(LOOP_TWO_READERS);
}

void loop_pipelined(void)
{
	if (!thread.loop)
		return;
	breaks(LOOP_LEFT_WAITING);
	breaks(LOOP_LEFT_UNSENT);
}

void loop_hidden(void)
{
	breaks(LOOP_LEFT_WAITING);
	breaks(LOOP_TWO_AT_ONCE);
}

/* Who waits for an answer in the very call that reads it goes on from there, and posts nothing. By which
 * descriptor a session's bytes came, or a ring's, is not known. */
static bool goes_on(const struct conn *conn)
{
	if (!conn || thread.asked_in != thread.turn + 1 || fdtable_get(thread.fd) != (uintptr_t)conn)
		return false;
	long flags = sys_fcntl(thread.fd, F_GETFL, 0);
	return flags >= 0 && !(flags & O_NONBLOCK);
}

void loop_read_stale(const struct conn *conn)
{
	if (thread.loop && !thread.stale)
		thread.stale = !goes_on(conn);
}

void loop_window(void)
{
	if (thread.windows < UINT16_MAX)
		thread.windows++;
	thread.turn++;
}

uint32_t loop_turn(void)
{
	bool served = atomic_load_explicit(&process_served, memory_order_relaxed);
	if (!thread.loop || !served)
		return 0;
	return thread.turn ? thread.turn : ++thread.turn;
}

bool loop_is_elsewhere(const struct conn *fresh)
{
	return thread.loop && fresh->made_in && fresh->made_in != thread.turn;
}

void loop_waited(int events, int timeout, uint64_t from)
{
	int before = timeout == 0 ? thread.events : 0;
	thread.turn++;
	int sum = before + (events > 0 ? events : 0);

	thread.events = (uint16_t)(sum < UINT16_MAX ? sum : UINT16_MAX);
	if (timeout == 0)
		return;
	thread.windows = 0;
	thread.stale = false;
	/* The time-out was reckoned from a clock that the loop may have read as early as when it woke before;
	 * what it did since took its time. */
	uint64_t reckoned = thread.waited ? thread.waited : from;
	thread.due = timeout > 0 ? reckoned + (uint64_t)timeout * 1000000 : 0;
	thread.waited = clock_roughly();
}

span_ref loop_count(span_ref asker)
{
	struct span *span = thread.loop && loop_is_clean() ? span_of(asker) : NULL;
	if (!span || span->kind != SPAN_SERVER || span_inherited(span))
		return SPAN_NOBODY;
	if (atomic_fetch_add_explicit(&span->calls, 1, memory_order_relaxed) > 0)
		breaks(LOOP_TWO_AT_ONCE);
	return asker;
}

void loop_uncount(span_ref *asker)
{
	struct span *span = *asker != SPAN_NOBODY ? span_of(*asker) : NULL;
	*asker = SPAN_NOBODY;
	if (span)
		atomic_fetch_sub_explicit(&span->calls, 1, memory_order_relaxed);
}
