#include "preload/handoff.h"

#include "preload/activity.h"
#include "preload/counters.h"
#include "preload/jobs.h"
#include "preload/log.h"
#include "preload/loop.h"

/* So many requests were answered by who had taken them before a loop's habit counts for anything. */
#define PROVEN 4

enum sent { SENT_NOT, SENT_BY_THREAD, SENT_BY_LOOP };

static _Atomic uint32_t unsent;   /* requests under way that were neither sent nor answered */
static _Atomic uint32_t answered; /* by who had taken them, up to PROVEN */
static _Atomic bool strays;       /* one was not */
static _Atomic bool used, told;   /* messages were sent; the doubt was counted */

/* Of no interest where nobody hands anything on. */
static void tell_doubt(void)
{
	if (atomic_load(&strays) && atomic_load(&used) && !atomic_exchange(&told, true))
		count_one(handoffs_doubtful);
}

static void stray(const char *why)
{
	if (atomic_exchange(&strays, true))
		return;
	tell_doubt();
	log_debug("handoff", "%s: beside others, what is taken is not trusted any more", why);
}

static bool settle(struct span *span)
{
	/* Done before, at most ends: no locked instruction for that. */
	if (!atomic_load(&span->unsent) || !atomic_exchange(&span->unsent, false) || span_inherited(span))
		return false;
	atomic_fetch_sub(&unsent, 1);
	return true;
}

static void unsettle(struct span *span)
{
	if (!atomic_exchange(&span->unsent, true))
		atomic_fetch_add(&unsent, 1);
}

void handoff_begun(struct span *span)
{
	job_begun(span);
	unsettle(span);
}

void handoff_over(struct span *span)
{
	job_over(span);
	if (settle(span))
		stray("a request ends before it was sent or answered, and its task may be somewhere");
}

void handoff_restart(void)
{
	atomic_store(&unsent, 0);
	atomic_store(&answered, 0);
	atomic_store(&strays, false);
	atomic_store(&used, false);
	atomic_store(&told, false);
	job_restart();
}

bool handoff_sends(uint64_t key)
{
	bool sure;
	span_ref activity = activity_for_sending(&sure);
	struct span *span = activity == SPAN_NOBODY ? NULL : span_of(activity);

	/* What comes behind the first that a loop sends may be another's. */
	if (span && !sure && atomic_load(&span->sent))
		span = NULL;
	if (!span || span->kind != SPAN_SERVER) {
		message_sent(key, SPAN_NOBODY, false);
		return false;
	}
	message_sent(key, activity, sure);
	if (!atomic_load_explicit(&used, memory_order_relaxed)) {
		atomic_store(&used, true);
		tell_doubt();
	}
	if (!atomic_load(&span->sent))
		atomic_store(&span->sent, thread.loop ? SENT_BY_LOOP : SENT_BY_THREAD);
	(void)settle(span);
	return true;
}

void handoff_unsent(void)
{
	struct span *span = span_of(thread.current);
	stray("a message could not be sent");
	if (span && span->kind == SPAN_SERVER && !span_inherited(span))
		unsettle(span);
}

/* Does it work for what came in a message? */
static bool has_message(void)
{
	return thread.evidence == EVIDENCE_HANDED && thread.taken_at < MESSAGE_OF_JOB;
}

/* What this thread took, if nobody has begun to answer it. */
static bool holds_unanswered(void)
{
	bool took = has_message();
	const struct span *span = took ? span_of(thread.current) : NULL;
	return span && !atomic_load_explicit(&span->responding, memory_order_relaxed);
}

void handoff_posted(void)
{
	if (holds_unanswered())
		stray("who took a request wakes another thread before it has answered");
}

void handoff_left(void)
{
	if (holds_unanswered())
		stray("who took a request leaves it unanswered");
}

void handoff_leaves(void)
{
	/* A call's own work goes on behind whatever it waits for. */
	if (!has_message() || thread.loop)
		return;
	handoff_left();
	activity_wait_one(false);
}

void handoff_took(uint64_t key)
{
	message_place at = 0;
	span_ref activity = key ? message_taken(key, &at) : SPAN_NOBODY;
	if (activity == SPAN_NOBODY) {
		activity_woken();
		return;
	}
	activity_took(activity);
	thread.taken = key;
	thread.taken_at = at;
}

void handoff_named(span_ref activity)
{
	activity_took(activity);
	thread.taken_at = MESSAGE_OF_CALL;
}

bool handoff_job_is_doubtful(void)
{
	bool doubt = false;
	span_ref activity = thread.post && !thread.loop ? job_taken(&doubt) : SPAN_NOBODY;
	if (activity == SPAN_NOBODY)
		return doubt;
	activity_took(activity);
	thread.taken_at = MESSAGE_OF_JOB;
	return false;
}

bool handoff_is_exact(bool alone)
{
	bool sure;
	if (thread.taken_at == MESSAGE_OF_JOB)
		return job_is_exact();
	if (thread.taken_at == MESSAGE_OF_CALL)
		return true;
	if (!message_holds(thread.taken_at, thread.taken, thread.current, &sure))
		return false;
	if (atomic_load(&strays))
		return false;
	if (alone)
		return true;
	if (atomic_load(&unsent) != 0 || atomic_load_explicit(&activities_wander, memory_order_relaxed))
		return false;
	return sure || (atomic_load(&answered) >= PROVEN && loop_sends());
}

void handoff_answering(struct span *span)
{
	bool held = thread.evidence == EVIDENCE_HANDED && thread.current == span_reference(span);
	uint8_t sent = atomic_load(&span->sent);

	job_answering(span);
	(void)settle(span);
	if (held && has_message() && atomic_load_explicit(&answered, memory_order_relaxed) < PROVEN)
		atomic_fetch_add(&answered, 1);
	else if (!held && (sent || holds_unanswered()))
		stray("a request is answered by another thread than took it");
	/* A loop goes on with the next thing it reads. What another thread does behind what it sent is
	 * unknown.
	 */
	if (span->reader == &thread)
		activity_answered();
	else if (!(held && sent == SENT_BY_LOOP))
		activity_wandered();
}
