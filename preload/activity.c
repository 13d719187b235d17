/* activity.c - evidence, and nothing but evidence. */
#include "preload/activity.h"

#include <string.h>

#include "preload/counters.h"
#include "preload/session.h"

struct context process_context;
_Atomic bool process_served;
_Atomic uint32_t activities_live;
/* Threads of this process were seen to leave a request to another thread, or for another request: what a
 * thread read says nothing of what it does then. */
_Atomic bool activities_wander;

static void forget_current(void)
{
	thread.current = SPAN_NOBODY;
	thread.evidence = EVIDENCE_NONE;
	thread.source = NULL;
	thread.ambiguous = false;
}

static void set_current(span_ref activity, enum evidence evidence, struct conn *source)
{
	thread.current = activity;
	thread.evidence = (uint8_t)evidence;
	thread.source = source;
}

/* The activity this thread last had evidence for, if it still lives. */
static span_ref live_current(void)
{
	if (thread.current == SPAN_NOBODY)
		return SPAN_NOBODY;
	if (span_alive(thread.current))
		return thread.current;
	/* It ended, here or elsewhere; so did the doubt whether something was its. */
	forget_current();
	return SPAN_NOBODY;
}

span_ref activity_current(void)
{
	span_ref current = live_current();
	return thread.ambiguous ? SPAN_NOBODY : current;
}

/* Evidence for one activity while another one's is fresh makes what follows ambiguous: until the next wait,
 * nobody can tell which of the two the thread goes on with. */
static void add_evidence(span_ref activity, enum evidence evidence, struct conn *source)
{
	span_ref before = live_current();
	bool spent = thread.evidence == EVIDENCE_INHERITED || thread.evidence == EVIDENCE_FORKED ||
		     thread.evidence == EVIDENCE_NONE;

	if (before == activity && activity != SPAN_NOBODY) {
		if (evidence == EVIDENCE_REQUEST)
			set_current(activity, evidence, source);
		return;
	}
	if (before != SPAN_NOBODY && !spent)
		thread.ambiguous = true;
	else if (before != SPAN_NOBODY)
		thread.ambiguous = false;
	set_current(activity, evidence, source);
}

void activity_wandered(void)
{
	if (!atomic_load_explicit(&activities_wander, memory_order_relaxed))
		atomic_store_explicit(&activities_wander, true, memory_order_relaxed);
}

void activity_read_request(struct conn *conn, span_ref activity)
{
	if (!thread.loop && thread.evidence == EVIDENCE_REQUEST && thread.source != conn &&
	    live_current() != SPAN_NOBODY)
		activity_wandered();
	add_evidence(activity, EVIDENCE_REQUEST, conn);
}

void activity_read_answer(struct conn *conn, span_ref activity)
{
	if (activity != SPAN_NOBODY && span_alive(activity)) {
		add_evidence(activity, EVIDENCE_ANSWER, conn);
		return;
	}
	/* Somebody else's answer, or one of unknown owner. A loop goes on with whatever that was about; a
	 * thread that serves one request at a time goes on with that request. */
	if (thread.loop && live_current() != SPAN_NOBODY)
		thread.ambiguous = true;
}

void activity_woken(void)
{
	if (thread.loop && live_current() != SPAN_NOBODY)
		thread.ambiguous = true;
}

void activity_ended(span_ref activity)
{
	if (thread.current == activity)
		forget_current();
}

void activity_wait_one(bool own)
{
	if (!own)
		forget_current();
}

void activity_wait(bool own)
{
	if (own)
		return;
	thread.loop = true;
	forget_current();
}

static bool conn_serves(const struct conn *conn, span_ref activity)
{
	const struct span *span;
	if (conn->opener == activity)
		return true;
	if (conn->role == ROLE_SERVER && conn->last) {
		span = span_slot(conn->last - 1);
		return span_reference(span) == activity;
	}
	if (conn->first) {
		span = span_slot(conn->first - 1);
		return span->activity == activity;
	}
	return conn->mode == CONN_OPAQUE && conn->writer == activity && !conn->mixed;
}

bool activity_owns_fd(int fd)
{
	uintptr_t entry = fdtable_get(fd);
	if (entry == 0 || thread.current == SPAN_NOBODY)
		return false;
	if (entry & FD_PLAIN)
		return fd_plain_activity(entry) == thread.current;
	struct conn *conn = conn_get(fd);
	if (!conn)
		return false;
	bool serves = conn_serves(conn, thread.current);
	struct conn *session = serves ? NULL : session_above(conn);
	if (session) {
		serves = conn_serves(session, thread.current);
		conn_put(session);
	}
	conn_put(conn);
	return serves;
}

/* More than these are an event loop's, whoever made them. */
#define OWN_FDS_MOST 64

bool activity_owns_poll(const struct pollfd *fds, nfds_t count)
{
	if (count > OWN_FDS_MOST)
		return false;
	for (nfds_t i = 0; i < count; i++)
		if (fds[i].fd >= 0 && !activity_owns_fd(fds[i].fd))
			return false;
	return true;
}

bool activity_owns_select(int count, const fd_set *read, const fd_set *write, const fd_set *except)
{
	int seen = 0;
	if (count > FD_SETSIZE)
		return false;
	for (int fd = 0; fd < count; fd++) {
		if (!(read && FD_ISSET(fd, read)) && !(write && FD_ISSET(fd, write)) &&
		    !(except && FD_ISSET(fd, except)))
			continue;
		if (++seen > OWN_FDS_MOST || !activity_owns_fd(fd))
			return false;
	}
	return true;
}

void activity_made_fd(int fd, bool wakes)
{
	span_ref current = activity_current();
	if (current == SPAN_NOBODY && !wakes) {
		conn_forget(fd);
		return;
	}
	conn_forget(fd);
	fdtable_set(fd, fd_plain(current, wakes));
}

span_ref activity_to_carry(void)
{
	return activity_current();
}

void activity_carried(span_ref activity, enum evidence evidence)
{
	forget_current();
	if (activity != SPAN_NOBODY && span_alive(activity))
		set_current(activity, evidence, NULL);
}

static bool alone(void)
{
	return atomic_load_explicit(&activities_live, memory_order_relaxed) <= 1;
}

/* What a thread finds after such a wait may be another activity's job; with no other under way it cannot. */
void activity_blocked(void)
{
	if (thread.evidence == EVIDENCE_INHERITED || thread.evidence == EVIDENCE_FORKED) {
		forget_current();
	} else if (thread.evidence != EVIDENCE_NONE && live_current() != SPAN_NOBODY && !alone()) {
		thread.evidence = EVIDENCE_NONE;
		thread.ambiguous = true;
	}
}

/* In a loop, what is read last says for sure whose call comes next only where no other activity is under way
 * in the process: an answer's reader may at once start what waited behind it, and a timer may go off behind a
 * request's. The same for a pool whose handlers give back their thread before they have answered. */
static bool read_is_exact(void)
{
	bool wanders = thread.loop || atomic_load_explicit(&activities_wander, memory_order_relaxed);
	return !wanders || alone() || thread.evidence == EVIDENCE_STACK;
}

span_ref activity_for_opening(void)
{
	span_ref current = activity_current();
	if (current != SPAN_NOBODY && !read_is_exact())
		return SPAN_NOBODY;
	return current;
}

struct activity_verdict activity_for_call(struct conn *conn)
{
	struct activity_verdict verdict = {SPAN_NOBODY, false, false};
	span_ref current = live_current();
	bool fresh = conn->requests <= 1;
	span_ref opener = fresh && span_alive(conn->opener) ? conn->opener : SPAN_NOBODY;

	if (opener != SPAN_NOBODY && (current == SPAN_NOBODY || thread.ambiguous)) {
		verdict.activity = opener; /* made by it, for it: whatever the thread has read since */
	} else if (thread.ambiguous) {
		verdict.ambiguous = true;
	} else if (current != SPAN_NOBODY && opener != SPAN_NOBODY && opener != current) {
		verdict.ambiguous = true;
	} else if (current != SPAN_NOBODY && !read_is_exact()) {
		verdict.ambiguous = true;
	} else if (current != SPAN_NOBODY) {
		verdict.activity = current;
	} else if (process_context.valid && !atomic_load_explicit(&process_served, memory_order_relaxed)) {
		verdict.process = true;
	}
	return verdict;
}

/* --- who received this context? ---------------------------------------------------------------------- */

#define INDEX_SIZE 16384
#define INDEX_PROBES 8
static _Atomic span_ref received_index[INDEX_SIZE];

static uint32_t index_of(const struct context *context)
{
	uint64_t trace, span;
	memcpy(&trace, context->trace_id + 8, 8);
	memcpy(&span, context->span_id, 8);
	return (uint32_t)(((trace ^ span) * 0x9e3779b97f4a7c15ull) >> 40) % INDEX_SIZE;
}

void activity_index(span_ref activity, const struct context *received)
{
	uint32_t at = index_of(received);
	for (uint32_t i = 0; i < INDEX_PROBES; i++) {
		_Atomic span_ref *place = &received_index[(at + i) % INDEX_SIZE];
		span_ref was = atomic_load_explicit(place, memory_order_relaxed);
		if (was != SPAN_NOBODY && span_alive(was))
			continue;
		if (atomic_compare_exchange_strong(place, &was, activity))
			return;
	}
	count_one(activities_unindexed);
}

void activity_unindex(span_ref activity, const struct context *received)
{
	uint32_t at = index_of(received);
	for (uint32_t i = 0; i < INDEX_PROBES; i++) {
		span_ref was = activity;
		if (atomic_compare_exchange_strong(&received_index[(at + i) % INDEX_SIZE], &was, SPAN_NOBODY))
			return;
	}
}

static bool received_it(span_ref activity, const struct context *received)
{
	const struct span *span = span_of(activity);
	return span && memcmp(span->context.trace_id, received->trace_id, sizeof(received->trace_id)) == 0 &&
	       memcmp(span->received_id, received->span_id, sizeof(received->span_id)) == 0 &&
	       span_alive(activity);
}

span_ref activity_find(const struct context *received, bool *process)
{
	span_ref found = SPAN_NOBODY;
	uint32_t at = index_of(received);

	*process = false;
	/* The thread's own activity first: a caller may send one context with several requests. */
	span_ref current = activity_current();
	if (current != SPAN_NOBODY && read_is_exact() && received_it(current, received))
		return current;
	for (uint32_t i = 0; i < INDEX_PROBES; i++) {
		span_ref candidate =
			atomic_load_explicit(&received_index[(at + i) % INDEX_SIZE], memory_order_relaxed);
		if (candidate == SPAN_NOBODY || !received_it(candidate, received))
			continue;
		if (found != SPAN_NOBODY)
			return SPAN_NOBODY;
		found = candidate;
	}
	if (found == SPAN_NOBODY && process_context.valid &&
	    memcmp(process_context.trace_id, received->trace_id, 16) == 0 &&
	    memcmp(process_context.span_id, received->span_id, 8) == 0)
		*process = true;
	return found;
}
