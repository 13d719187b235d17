#include "preload/later.h"

#include <string.h>

#include "preload/activity.h"
#include "preload/clock.h"
#include "preload/log.h"
#include "preload/loop.h"
#include "preload/thread.h"

#define HABITS 16
/* So many requests must have kept to a habit. */
#define PROVEN 16

enum adrift { ADRIFT_NOT, ADRIFT_UNSEEN, ADRIFT_ASLEEP }; /* the last: and the habit's index behind it */

static struct habit {
	_Atomic uintptr_t function; /* and how long it takes; 0: free, and so are all behind it */
	_Atomic uint32_t asleep;    /* requests */
	_Atomic uint32_t kept;
	_Atomic bool slept, broken;
} habits[HABITS];
static _Atomic uint32_t waiting; /* requests that were left with nothing that is seen, and live */
static _Atomic uint32_t broken;

static bool is(const _Atomic bool *flag)
{
	return atomic_load_explicit(flag, memory_order_relaxed);
}

static bool proven(const struct habit *habit)
{
	return !is(&habit->broken) && atomic_load_explicit(&habit->kept, memory_order_relaxed) >= PROVEN;
}

/* One function may call all of a program's; those that take a thousand times as long are another kind. */
static uint8_t habit_of(uintptr_t function, uint64_t delay)
{
	for (uint64_t ms = delay / 1000000; ms >= 16; ms /= 16)
		function = function * 31 + 1;
	for (uint8_t i = 0; i < HABITS; i++) {
		uintptr_t was = atomic_load_explicit(&habits[i].function, memory_order_relaxed);
		if (was == function ||
		    (was == 0 && (atomic_compare_exchange_strong(&habits[i].function, &was, function) ||
				  was == function)))
			return (uint8_t)(i + 1);
	}
	return 0;
}

static void break_habit(struct habit *habit, const char *why)
{
	if (atomic_exchange(&habit->broken, true))
		return;
	atomic_fetch_add(&broken, 1);
	log_debug("later", "%s: what waits for such timers may wait for anything", why);
	if (is(&habit->slept))
		loop_left_waiting();
}

/* --- who waits ---------------------------------------------------------------------------------------- */

static uint8_t settle(struct span *span, uint8_t now)
{
	/* As it is already, nearly always: no locked instruction for that. */
	uint8_t was = atomic_load_explicit(&span->adrift, memory_order_relaxed);
	if (was != now)
		was = atomic_exchange_explicit(&span->adrift, now, memory_order_relaxed);
	if (was == now)
		return was;
	if (was == ADRIFT_UNSEEN)
		atomic_fetch_sub_explicit(&waiting, 1, memory_order_relaxed);
	else if (was >= ADRIFT_ASLEEP)
		atomic_fetch_sub_explicit(&habits[was - ADRIFT_ASLEEP].asleep, 1, memory_order_relaxed);
	if (now == ADRIFT_UNSEEN)
		atomic_fetch_add_explicit(&waiting, 1, memory_order_relaxed);
	else if (now >= ADRIFT_ASLEEP)
		atomic_fetch_add_explicit(&habits[now - ADRIFT_ASLEEP].asleep, 1, memory_order_relaxed);
	return was;
}

static struct habit *asleep_for(const struct span *span)
{
	uint8_t now = atomic_load_explicit(&span->adrift, memory_order_relaxed);
	return now >= ADRIFT_ASLEEP ? &habits[now - ADRIFT_ASLEEP] : NULL;
}

bool later_left(struct span *span)
{
	uint8_t timer = atomic_load_explicit(&span->timer, memory_order_relaxed);
	if (asleep_for(span))
		return true;
	bool sleeps = timer && !is(&habits[timer - 1].broken) && loop_is_clean();
	if (sleeps && !is(&habits[timer - 1].slept))
		atomic_store(&habits[timer - 1].slept, true);
	(void)settle(span, sleeps ? (uint8_t)(ADRIFT_ASLEEP + timer - 1) : ADRIFT_UNSEEN);
	return sleeps;
}

void later_over(struct span *span)
{
	if (!span_inherited(span))
		(void)settle(span, ADRIFT_NOT);
}

void later_answering(struct span *span)
{
	if (span_inherited(span)) /* it sleeps in the parent */
		return;
	struct habit *habit = asleep_for(span);
	uint8_t woken = atomic_load_explicit(&span->woken, memory_order_relaxed);
	if (woken)
		woken = atomic_exchange_explicit(&span->woken, 0, memory_order_relaxed);
	if (habit) {
		(void)settle(span, ADRIFT_UNSEEN);
		break_habit(habit, "a request is answered that waits for its timer");
	}
	if (!woken)
		return;
	habit = &habits[woken - 1];
	if (thread.current == span_reference(span))
		atomic_fetch_add_explicit(&habit->kept, 1, memory_order_relaxed);
	else if (thread.current != SPAN_NOBODY && span_alive(thread.current))
		break_habit(habit, "a request is answered by another's callback or call");
}

bool later_others_wait_unseen(span_ref activity)
{
	const struct span *own = span_of(activity);
	bool self = own && atomic_load_explicit(&own->adrift, memory_order_relaxed) == ADRIFT_UNSEEN;
	return atomic_load_explicit(&waiting, memory_order_relaxed) > (self ? 1 : 0);
}

bool later_others_wait(span_ref activity)
{
	if (later_others_wait_unseen(activity))
		return true;
	const struct span *own = span_of(activity);
	const struct habit *selfs = own ? asleep_for(own) : NULL;
	for (int i = 0; i < HABITS && atomic_load_explicit(&habits[i].function, memory_order_relaxed); i++) {
		uint32_t others = atomic_load_explicit(&habits[i].asleep, memory_order_relaxed);
		if (others > (selfs == &habits[i] ? 1 : 0) && !proven(&habits[i]))
			return true;
	}
	return false;
}

static bool all_is_proven(void)
{
	for (int i = 0; i < HABITS && atomic_load_explicit(&habits[i].function, memory_order_relaxed); i++)
		if (is(&habits[i].slept) && !proven(&habits[i]))
			return false;
	return true;
}

void later_restart(void)
{
	atomic_store_explicit(&waiting, 0, memory_order_relaxed);
	for (int i = 0; i < HABITS; i++)
		atomic_store_explicit(&habits[i].asleep, 0, memory_order_relaxed);
}

/* --- what calls back ---------------------------------------------------------------------------------- */

bool later_made(struct later *later)
{
	memset(later, 0, sizeof(*later));
	later->activity = activity_for_registering(&later->conditional);
	const struct span *span = span_of(later->activity);
	if (!span || !span->identified || span->kind != SPAN_SERVER) {
		later->activity = SPAN_NOBODY;
		return false;
	}
	later->broken = atomic_load(&broken);
	memcpy(later->link.trace_id, span->context.trace_id, sizeof(later->link.trace_id));
	memcpy(later->link.span_id, span->context.span_id, sizeof(later->link.span_id));
	later->link.flags = span->context.flags;
	later->link.set = true;
	return true;
}

/* Is it the one that goes off first, as far as is known? */
static void expect(struct span *span, uint8_t habit, uint64_t due)
{
	uint8_t first = atomic_load_explicit(&span->timer, memory_order_relaxed);
	if (!habit || (first && first != habit && span->timer_due <= due))
		return;
	span->timer_due = due;
	atomic_store_explicit(&span->timer, habit, memory_order_relaxed);
}

static void expect_no_more(struct span *span, uint8_t habit)
{
	if (habit && atomic_load_explicit(&span->timer, memory_order_relaxed) == habit)
		atomic_store_explicit(&span->timer, 0, memory_order_relaxed);
}

bool later_set(struct later *later, uintptr_t function, uint64_t delay, uint64_t repeat)
{
	bool conditional = false;
	bool own =
		later->activity != SPAN_NOBODY && activity_for_registering(&conditional) == later->activity;
	struct span *span = own ? span_of(later->activity) : NULL;
	if (!span) {
		later_stopped(later);
		*later = (struct later){.activity = SPAN_NOBODY};
		return false;
	}
	later->conditional |= conditional;
	if (later->pending)
		expect_no_more(span, later->habit);
	later->habit = habit_of(function, delay);
	later->pending = true;
	later->repeat = repeat;
	expect(span, later->habit, clock_now() + delay);
	return true;
}

void later_stopped(struct later *later)
{
	struct span *span = later->pending && span_alive(later->activity) ? span_of(later->activity) : NULL;
	later->pending = false;
	if (!span || span_inherited(span))
		return;
	expect_no_more(span, later->habit);
	struct habit *habit = asleep_for(span);
	if (!habit || later->habit != habit - habits + 1)
		return;
	(void)settle(span, ADRIFT_UNSEEN);
	if (!is(&span->deserted))
		break_habit(habit, "a timer is stopped that a request waits for");
}

/* A loop turns from what it read to the callback, and from that to what nobody knows. */
static void turn_to(span_ref activity)
{
	activity_woken();
	activity_carried(activity, EVIDENCE_CALLBACK);
}

static void wake(struct span *span, struct later *later)
{
	struct habit *habit = asleep_for(span);
	expect_no_more(span, later->habit);
	if (later->repeat)
		expect(span, later->habit, clock_now() + later->repeat);
	if (habit && later->habit == habit - habits + 1) {
		(void)settle(span, ADRIFT_NOT);
		atomic_store_explicit(&span->woken, later->habit, memory_order_relaxed);
	}
}

static bool is_its_makers(const struct later *later)
{
	return !later->conditional || (later->broken == atomic_load(&broken) && all_is_proven());
}

void later_begins(struct later *later)
{
	struct span *span = span_of(later->activity);
	bool lives = span && span_alive(later->activity) && !span_inherited(span);
	bool certain = is_its_makers(later);

	later->pending = later->repeat != 0;
	turn_to(lives ? later->activity : SPAN_NOBODY);
	if (lives)
		wake(span, later);
	if (lives && !certain)
		thread.ambiguous = AMBIGUOUS_TIMER;
	if (!span && later->link.set && certain && !later_others_wait(SPAN_NOBODY))
		thread.link = later->link;
}

void later_begins_unknown(void)
{
	turn_to(SPAN_NOBODY);
}

void later_ends(void)
{
	struct span *span = span_of(thread.current);
	/* What it did was no call: that tells nothing of what it waited for. */
	if (span && atomic_load_explicit(&span->calls, memory_order_relaxed) == 0)
		atomic_store_explicit(&span->woken, 0, memory_order_relaxed);
	turn_to(SPAN_NOBODY);
}
