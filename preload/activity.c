/* activity.c - evidence, and nothing but evidence. */
#include "preload/activity.h"

#include <string.h>

#include "preload/counters.h"
#include "preload/handoff.h"
#include "preload/jobs.h"
#include "preload/later.h"
#include "preload/loop.h"
#include "preload/session.h"
#include "preload/worker.h"

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
	thread.gave = GAVE_NOT;
	thread.source = NULL;
	thread.ambiguous = AMBIGUOUS_NOT;
	thread.link.set = false;
}

static void set_current(span_ref activity, enum evidence evidence, struct conn *source)
{
	thread.current = activity;
	thread.evidence = (uint8_t)evidence;
	thread.gave = GAVE_NOT;
	thread.source = source;
	thread.place = 0;
	thread.lost = false;
	thread.link.set = false;
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
	thread.lost = true;
	return SPAN_NOBODY;
}

span_ref activity_current(void)
{
	span_ref current = live_current();
	return thread.ambiguous ? SPAN_NOBODY : current;
}

/* In a loop: it turns to something else. */
static void leave(span_ref activity)
{
	if (!thread.loop || activity == SPAN_NOBODY)
		return;
	if (thread.evidence == EVIDENCE_HANDED)
		handoff_left();
	loop_left(activity);
}

/* Evidence for one activity while another one's is fresh makes what follows ambiguous: until the next wait,
 * nobody can tell which of the two the thread goes on with, unless a loop's habits tell. */
static void add_evidence(span_ref activity, enum evidence evidence, struct conn *source)
{
	span_ref before = live_current();
	bool spent = thread.evidence == EVIDENCE_INHERITED || thread.evidence == EVIDENCE_FORKED ||
		     thread.evidence == EVIDENCE_NONE;

	if (before == activity && activity != SPAN_NOBODY) {
		/* What a callback reads of its own calls makes it no less that callback. */
		if (evidence == EVIDENCE_REQUEST || (thread.loop && thread.evidence != EVIDENCE_CALLBACK))
			set_current(activity, evidence, source);
		return;
	}
	leave(before);
	loop_window();
	if (thread.loop && loop_is_clean())
		thread.ambiguous = AMBIGUOUS_NOT;
	else if (before != SPAN_NOBODY && !spent)
		thread.ambiguous = AMBIGUOUS_READ;
	else if (before != SPAN_NOBODY)
		thread.ambiguous = AMBIGUOUS_NOT;
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
	loop_read_request();
	if (!thread.loop)
		worker_read(thread.place);
	if (thread.post)
		job_read();
	add_evidence(activity, EVIDENCE_REQUEST, conn);
}

void activity_read_answer(struct conn *conn, span_ref activity)
{
	if (activity != SPAN_NOBODY && span_alive(activity)) {
		add_evidence(activity, EVIDENCE_ANSWER, conn);
		return;
	}
	/* Its asker is gone, given up by its client, and goes on all the same; or was never known. */
	loop_read_stale(conn);
	activity_read_doubtful(conn, SPAN_NOBODY);
}

/* Somebody else's answer, or one of unknown owner. A loop goes on with whatever that was about; a thread that
 * serves one request at a time goes on with that request. */
void activity_read_doubtful(struct conn *conn, span_ref asker)
{
	span_ref before = live_current();
	if (!thread.loop)
		return;
	if (before != asker)
		leave(before);
	bool known = asker != SPAN_NOBODY && span_alive(asker);
	if (known) {
		loop_window();
		set_current(asker, EVIDENCE_ANSWER, conn);
	} else if (before != SPAN_NOBODY) {
		forget_current();
		loop_window();
	}
	if (!thread.ambiguous && (known || before != SPAN_NOBODY))
		thread.ambiguous = AMBIGUOUS_READ;
}

void activity_took(span_ref activity)
{
	add_evidence(activity, EVIDENCE_HANDED, NULL);
}

void activity_woken(void)
{
	activity_read_doubtful(NULL, SPAN_NOBODY);
}

void activity_ended(span_ref activity)
{
	if (thread.current == activity)
		forget_current();
}

/* It may come back to what it leaves by a way that tells nothing. */
static void leave_undone(void)
{
	span_ref undone = live_current();
	leave(undone);
	if (undone != SPAN_NOBODY)
		thread.lost = true;
}

void activity_wait_one(bool own)
{
	if (own)
		return;
	leave_undone();
	forget_current();
}

void activity_wait(bool own)
{
	if (own)
		return;
	leave_undone();
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

/* Nobody waits for an answer on it: also where its TLS session is over, and the program looks whether the
 * socket is still there (mod_proxy). */
static bool idle(const struct conn *conn)
{
	bool over = conn->carries && !atomic_load(&conn->carried);
	return conn->role == ROLE_CLIENT && !conn->first && (conn->mode == CONN_FOLLOWED || over);
}

bool activity_owns_one(int fd)
{
	if (activity_owns_fd(fd))
		return true;
	struct conn *conn = thread.loop ? NULL : conn_get(fd);
	if (!conn)
		return false;
	bool unused = idle(conn);
	struct conn *session = unused ? NULL : session_above(conn);
	if (session) {
		unused = idle(session);
		conn_put(session);
	}
	conn_put(conn);
	return unused;
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

/* Only one that no activity made may be a way from one request to another's thread. */
void activity_made_pipe(int in, int out)
{
	static _Atomic uint64_t channels;
	bool own = activity_current() != SPAN_NOBODY;
	uint64_t channel = own ? 0 : atomic_fetch_add_explicit(&channels, 1, memory_order_relaxed) + 1;
	activity_made_fd(in, true);
	activity_made_fd(out, false);
	if (own)
		return;
	fdtable_set(in, fd_channel(channel, true));
	fdtable_set(out, fd_channel(channel, false));
}

span_ref activity_to_carry(void)
{
	return activity_current();
}

void activity_carried(span_ref activity, enum evidence evidence)
{
	forget_current();
	thread.taken_at = MESSAGE_OF_CALL;
	if (activity != SPAN_NOBODY && span_alive(activity))
		set_current(activity, evidence, NULL);
}

static _Atomic bool unseen;

/* Whoever is alone among those that are seen need not be. */
void activity_hidden(void)
{
	job_unseen("requests may be read past all hooks");
	if (!atomic_load_explicit(&unseen, memory_order_relaxed))
		atomic_store_explicit(&unseen, true, memory_order_relaxed);
}

void activity_read_unknown(void)
{
	activity_hidden();
	if (thread.loop) {
		activity_read_doubtful(NULL, SPAN_NOBODY);
	} else if (live_current() != SPAN_NOBODY) {
		forget_current();
		thread.ambiguous = AMBIGUOUS_READ;
	}
}

void activity_unseen(void)
{
	activity_wandered();
	activity_hidden();
}

void activity_batch(void)
{
	if (live_current() != SPAN_NOBODY && !thread.ambiguous)
		thread.ambiguous = AMBIGUOUS_READ;
}

static bool alone(void)
{
	return !atomic_load_explicit(&unseen, memory_order_relaxed) &&
	       atomic_load_explicit(&activities_live, memory_order_relaxed) <= 1;
}

/* Has it read what it works for, and does it go on with that behind a wait there? */
static bool keeps(uint32_t place)
{
	bool read = thread.evidence == EVIDENCE_REQUEST || thread.evidence == EVIDENCE_ANSWER;
	const struct span *span = read && !thread.loop ? span_of(thread.current) : NULL;
	bool own = span && span->reader == &thread;
	if (own && !thread.gave)
		worker_paused(place);
	return alone() || (own && worker_keeps(place));
}

/* What a thread finds after such a wait may be another activity's job; with no other under way it cannot. */
void activity_blocked(uint32_t place)
{
	if (thread.evidence == EVIDENCE_INHERITED || thread.evidence == EVIDENCE_FORKED)
		forget_current();
	if (live_current() == SPAN_NOBODY) {
		/* What it lost undone it may still be in the midst of. */
		if (!thread.lost)
			thread.place = place;
	} else if (thread.evidence != EVIDENCE_NONE && !keeps(place)) {
		thread.evidence = EVIDENCE_NONE;
		thread.ambiguous = AMBIGUOUS_WAIT;
	}
}

bool activity_can_give(void)
{
	bool read = thread.evidence == EVIDENCE_REQUEST || thread.evidence == EVIDENCE_ANSWER;
	const struct span *span = read && !thread.loop ? span_of(thread.current) : NULL;
	return span && span->reader == &thread &&
	       !atomic_load_explicit(&span->responding, memory_order_relaxed);
}

void activity_gives(bool jobs)
{
	if (jobs || !thread.gave)
		thread.gave = jobs ? GAVE_TO_JOBS : GAVE_MAYBE;
}

void activity_answered(void)
{
	worker_answered(alone());
}

/* What was carried into a thread says whose it is only while no other activity is under way: the thread may
 * be a new one of a pool, and its first job another's, taken without a wait that could be seen.
 *
 * In a loop, what is read last says for sure whose call comes next only where no other activity is under way
 * in the process: an answer's reader may at once start what waited behind it, and a timer may go off behind a
 * request's. The same for a pool whose handlers give back their thread before they have answered. */
static enum ambiguity doubt(void)
{
	if (thread.evidence == EVIDENCE_STACK)
		return AMBIGUOUS_NOT;
	if (thread.evidence == EVIDENCE_CALLBACK)
		return later_others_wait(thread.current) ? AMBIGUOUS_TIMER : AMBIGUOUS_NOT;
	if (thread.evidence == EVIDENCE_HANDED && !thread.loop)
		return handoff_is_exact(alone()) ? AMBIGUOUS_NOT : AMBIGUOUS_HANDOFF;
	if (thread.loop)
		return loop_doubt(alone());
	bool wanders = thread.evidence == EVIDENCE_INHERITED || thread.gave ||
		       atomic_load_explicit(&activities_wander, memory_order_relaxed);
	return wanders && !alone() ? AMBIGUOUS_POOL : AMBIGUOUS_NOT;
}

span_ref activity_window(void)
{
	return thread.loop ? live_current() : SPAN_NOBODY;
}

span_ref activity_for_sending(bool *sure)
{
	span_ref current = live_current();
	*sure = current != SPAN_NOBODY && !thread.ambiguous && !doubt();
	bool habit = thread.loop && thread.evidence == EVIDENCE_REQUEST && loop_sends();
	return *sure || habit ? current : SPAN_NOBODY;
}

span_ref activity_for_opening(void)
{
	span_ref current = activity_current();
	if (current != SPAN_NOBODY && doubt())
		return SPAN_NOBODY;
	return current;
}

/* Is the only doubt that somebody sleeps for what is not proven yet? */
static bool only_sleepers(void)
{
	bool callback = thread.evidence == EVIDENCE_CALLBACK;
	bool named = thread.evidence == EVIDENCE_HANDED && thread.taken_at == MESSAGE_OF_CALL;
	if (thread.ambiguous && !(callback && thread.ambiguous == AMBIGUOUS_TIMER))
		return false;
	return (callback || named || thread.evidence == EVIDENCE_REQUEST ||
		thread.evidence == EVIDENCE_ANSWER) &&
	       loop_is_direct() && !later_others_wait_unseen(thread.current);
}

span_ref activity_for_registering(bool *conditional)
{
	span_ref opening = activity_for_opening();
	*conditional = opening == SPAN_NOBODY;
	if (opening != SPAN_NOBODY)
		return opening;
	span_ref window = activity_window();
	return window != SPAN_NOBODY && only_sleepers() ? window : SPAN_NOBODY;
}

static enum parent_evidence thread_says(void)
{
	static const uint8_t says[] = {
		[EVIDENCE_NONE] = PARENT_NONE,         [EVIDENCE_REQUEST] = PARENT_THREAD,
		[EVIDENCE_ANSWER] = PARENT_CONNECTION, [EVIDENCE_INHERITED] = PARENT_LINEAGE,
		[EVIDENCE_FORKED] = PARENT_LINEAGE,    [EVIDENCE_STACK] = PARENT_LINEAGE,
		[EVIDENCE_CALLBACK] = PARENT_HANDOFF,  [EVIDENCE_HANDED] = PARENT_HANDOFF,
	};
	return (enum parent_evidence)says[thread.evidence];
}

struct activity_verdict activity_for_transfer(void)
{
	struct activity_verdict verdict = {.activity = SPAN_NOBODY};
	span_ref current = live_current();
	enum ambiguity why = (enum ambiguity)thread.ambiguous;

	if (!why && current == SPAN_NOBODY && handoff_job_is_doubtful())
		why = AMBIGUOUS_HANDOFF;
	current = live_current();
	if (!why && current != SPAN_NOBODY)
		why = doubt();
	if (!why && current == SPAN_NOBODY && thread.loop && later_others_wait_unseen(SPAN_NOBODY))
		why = AMBIGUOUS_LOOP; /* it may well be the work of who waits */
	if (why)
		verdict.ambiguous = (uint8_t)why;
	else if (current != SPAN_NOBODY)
		verdict = (struct activity_verdict){.activity = current, .evidence = thread_says()};
	else if (process_context.valid && !atomic_load_explicit(&process_served, memory_order_relaxed))
		verdict = (struct activity_verdict){.process = true, .evidence = PARENT_PROCESS};
	else
		worker_called();
	return verdict;
}

struct activity_verdict activity_for_nth_call(const struct conn *conn, uint32_t number)
{
	thread.asked_in = thread.turn + 1;
	span_ref current = live_current();
	bool fresh = number <= conn->voided + 1;
	span_ref opener = fresh && span_alive(conn->opener) ? conn->opener : SPAN_NOBODY;

	/* Made by it, for it: whatever the thread has read since. Only a loop whose requests never wait for a
	 * connection is sure to give none to another request than it was made for. */
	bool callback = thread.evidence == EVIDENCE_CALLBACK && current == opener;
	bool direct = thread.loop && !callback && loop_is_direct() && !later_others_wait(opener);
	if (opener != SPAN_NOBODY && (direct || ((current == SPAN_NOBODY || thread.ambiguous) &&
						 (!thread.loop || (alone() && !thread.stale)))))
		return (struct activity_verdict){.activity = opener, .evidence = PARENT_CONNECTION};
	/* What is sent on a new connection of an earlier turn is its maker's. */
	bool elsewhere = fresh && loop_is_elsewhere(conn);
	if ((opener != SPAN_NOBODY && opener != current) || (elsewhere && current != opener))
		return (struct activity_verdict){.ambiguous = AMBIGUOUS_CONNECTION};
	return activity_for_transfer();
}

struct activity_verdict activity_for_call(const struct conn *conn)
{
	return activity_for_nth_call(conn, conn->requests);
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
	/* Some tracers make a root's span id of its trace's. */
	return (uint32_t)(((trace * 0xff51afd7ed558ccdull + span) * 0x9e3779b97f4a7c15ull) >> 40) %
	       INDEX_SIZE;
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
	/* While it lives nobody else takes its place: what was read is still there. */
	for (uint32_t i = 0; i < INDEX_PROBES; i++) {
		_Atomic span_ref *place = &received_index[(at + i) % INDEX_SIZE];
		if (atomic_load_explicit(place, memory_order_relaxed) != activity)
			continue;
		atomic_store_explicit(place, SPAN_NOBODY, memory_order_relaxed);
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
	if (current != SPAN_NOBODY && !doubt() && received_it(current, received))
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
