/* worker.c - habits of a pool's threads. */
#include "preload/worker.h"

#include "preload/activity.h"
#include "preload/counters.h"
#include "preload/log.h"

struct worker_habits worker_habits;

static void breaks(const char *why)
{
	if (atomic_exchange(&worker_habits.broken, true))
		return;
	count_one(workers_doubtful);
	log_debug("worker", "%s: a wait is in doubt whatever was read before", why);
}

static _Atomic uint32_t *slot_of(uint32_t place)
{
	for (uint32_t i = 0; i < WORKER_PLACES; i++) {
		_Atomic uint32_t *slot = &worker_habits.places[(place + i) % WORKER_PLACES];
		uint32_t there = atomic_load_explicit(slot, memory_order_relaxed);
		if (there == 0 || there == place)
			return slot;
	}
	return NULL;
}

static void remember(uint32_t place)
{
	uint32_t there;
	_Atomic uint32_t *slot;
	do {
		slot = slot_of(place);
		if (!slot || atomic_load_explicit(slot, memory_order_relaxed) == place)
			return;
		there = 0;
	} while (!atomic_compare_exchange_strong(slot, &there, place) && there != place);
	if (there == 0 && atomic_fetch_add(&worker_habits.known, 1) + 1 >= WORKER_PLACES / 2)
		breaks("requests are read from behind too many waits");
}

/* Of the place's proofs; NULL: there are too many places. */
static _Atomic uint32_t *proofs_of(uint32_t place, bool make)
{
	for (uint32_t i = 0; i < 8; i++) {
		uint32_t at = (place + i) % WORKER_PAUSES, there = atomic_load(&worker_habits.pauses[at]);
		if (there == 0 &&
		    (!make || atomic_compare_exchange_strong(&worker_habits.pauses[at], &there, place)))
			return make ? &worker_habits.proofs[at] : NULL;
		if (there == place)
			return &worker_habits.proofs[at];
	}
	return NULL;
}

static bool proven(uint32_t place)
{
	const _Atomic uint32_t *proofs = proofs_of(place, false);
	return proofs && atomic_load_explicit(proofs, memory_order_relaxed) >= WORKER_PROVEN;
}

static bool readers_answer(void)
{
	return atomic_load_explicit(&worker_habits.answered, memory_order_relaxed) >=
	       WORKER_PROVEN * WORKER_UNSIGNALLED;
}

void worker_paused(uint32_t place)
{
	thread.paused = place;
}

bool worker_keeps(uint32_t place)
{
	if (atomic_load_explicit(&worker_habits.broken, memory_order_acquire) ||
	    atomic_load_explicit(&activities_wander, memory_order_relaxed) || !readers_answer())
		return false;
	if (atomic_load_explicit(&worker_habits.known, memory_order_relaxed) == 0)
		return proven(place);
	const _Atomic uint32_t *slot = slot_of(place);
	return slot && atomic_load_explicit(slot, memory_order_relaxed) == 0;
}

/* Conditions that readers waited on last: what tells them apart, and the place; 0: in the midst of a request.
 */
#define CONDITIONS 512
static _Atomic uint64_t conditions[CONDITIONS];

static uint64_t mix(const void *condition)
{
	return (uintptr_t)condition * 0x9e3779b97f4a7c15ull;
}

void worker_waits(const void *condition, uint32_t place)
{
	uint64_t mixed = mix(condition);
	bool idle = thread.current == SPAN_NOBODY && thread.place == place;
	/* In the midst of what it may have given away, or lost, it may wait for either. */
	if (!idle && (thread.gave || thread.current == SPAN_NOBODY))
		return;
	atomic_store_explicit(&conditions[(uint32_t)mixed % CONDITIONS],
			      (mixed & ~(uint64_t)UINT32_MAX) | (idle ? place : 0), memory_order_relaxed);
}

enum worker_signal worker_signals(const void *condition)
{
	uint64_t mixed = mix(condition);
	uint64_t there =
		atomic_load_explicit(&conditions[(uint32_t)mixed % CONDITIONS], memory_order_relaxed);
	if (there == 0 || there >> 32 != mixed >> 32)
		return readers_answer() ? SIGNAL_IS_NONE : SIGNAL_MAY_GIVE;
	uint32_t place = (uint32_t)there;
	if (place == 0)
		return SIGNAL_IS_NONE;
	const _Atomic uint32_t *slot = slot_of(place);
	bool jobs = slot && atomic_load_explicit(slot, memory_order_relaxed) == place;
	return jobs || !readers_answer() ? SIGNAL_GIVES : SIGNAL_IS_NONE;
}

void worker_read(uint32_t place)
{
	thread.reads = true;
	thread.paused = 0;
	if (place)
		remember(place);
}

void worker_answered(bool alone)
{
	_Atomic uint32_t *proofs =
		thread.paused && !alone && !thread.loop ? proofs_of(thread.paused, true) : NULL;
	thread.paused = 0;
	if (proofs && atomic_load_explicit(proofs, memory_order_relaxed) < WORKER_PROVEN)
		atomic_fetch_add_explicit(proofs, 1, memory_order_relaxed);
	uint32_t weight = thread.gave == GAVE_NOT ? WORKER_UNSIGNALLED : thread.gave == GAVE_MAYBE;
	if (!alone && !thread.loop && weight && !readers_answer())
		atomic_fetch_add_explicit(&worker_habits.answered, weight, memory_order_relaxed);
}

void worker_called(void)
{
	if (thread.reads && thread.place && !thread.lost && !thread.loop)
		breaks("a thread that reads requests came from its wait with another job");
}
