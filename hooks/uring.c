/* uring.c - rings, found by their memory; the two looks of a call; whose turn a wait ends. */
#include "hooks/uring.h"

#include <string.h>

#include "preload/activity.h"
#include "preload/clock.h"
#include "preload/counters.h"
#include "preload/hook.h"
#include "preload/loop.h"

#define RINGS 2048
#define WIDES_MOST 64
#define PLACES 4096 /* 2 to the power of PLACES_BITS */
#define PLACES_BITS 12
#define GONE 1
#define COMING 2
/* Of io_uring_setup's flags those that leave the rings as they are here. */
#define KNOWN_FLAGS 0x1ffffu

static struct pool rings, wides;
static _Atomic int rings_state; /* 0: not mapped, 1: being mapped, 2: ready, 3: no memory */
static struct place {
	_Atomic uintptr_t key; /* 0: never used */
	struct uring *uring;
} places[PLACES];

static bool ready(void)
{
	int state = atomic_load_explicit(&rings_state, memory_order_acquire);
	if (state == 0 && atomic_compare_exchange_strong(&rings_state, &state, 1)) {
		state = pool_init(&rings, sizeof(struct uring), RINGS) &&
					pool_init(&wides, URING_WIDE * sizeof(uint32_t), WIDES_MOST) &&
					uring_op_init()
				? 2
				: 3;
		atomic_store_explicit(&rings_state, state, memory_order_release);
	}
	return state == 2;
}

static uintptr_t key_of(const struct io_uring *ring)
{
	return (uintptr_t)ring->sq.sqes;
}

static uint32_t first_place(uintptr_t key)
{
	return (uint32_t)(((uint64_t)key * 0x9e3779b97f4a7c15ull) >> (64 - PLACES_BITS));
}

static struct place *find_place(uintptr_t key)
{
	uint32_t first = first_place(key);
	for (uint32_t i = 0; i < PLACES; i++) {
		struct place *place = &places[(first + i) % PLACES];
		uintptr_t is = atomic_load_explicit(&place->key, memory_order_acquire);
		if (is == key)
			return place;
		if (is == 0)
			break;
	}
	return NULL;
}

static int process(void)
{
	return hook_marker ? hook_marker->pid : 0;
}

/* A forked child has the memory too. What is under way there is its parent's. */
static struct uring *find(const struct io_uring *ring)
{
	struct place *place = key_of(ring) > COMING ? find_place(key_of(ring)) : NULL;
	return place && place->uring->pid == process() ? place->uring : NULL;
}

static void drop(struct uring *uring)
{
	if (uring->bucket != uring->few)
		pool_give(&wides, uring->bucket);
	pool_give(&rings, uring);
}

static struct uring *make(const struct io_uring *ring)
{
	struct uring *uring = pool_take(&rings);
	if (!uring)
		return NULL;
	memset(uring, 0, sizeof(*uring));
	uring->pid = process();
	uring->mask = URING_BUCKETS - 1;
	uring->bucket = *ring->cq.kring_mask >= URING_BUCKETS * 4 ? pool_take(&wides) : NULL;
	if (uring->bucket) {
		memset(uring->bucket, 0, URING_WIDE * sizeof(uint32_t));
		uring->mask = URING_WIDE - 1;
	} else {
		uring->bucket = uring->few;
	}
	return uring;
}

static void keep(uintptr_t key, struct uring *uring)
{
	uint32_t first = first_place(key);
	for (uint32_t i = 0; i < PLACES; i++) {
		struct place *place = &places[(first + i) % PLACES];
		uintptr_t is = atomic_load_explicit(&place->key, memory_order_relaxed);
		if (is > GONE || !atomic_compare_exchange_strong(&place->key, &is, COMING))
			continue;
		place->uring = uring;
		atomic_store_explicit(&place->key, key, memory_order_release);
		return;
	}
	drop(uring);
	count_one(uring_rings);
}

static void forget(uintptr_t key)
{
	struct place *place = key > COMING ? find_place(key) : NULL;
	struct uring *uring = place ? place->uring : NULL;
	if (!uring || !atomic_compare_exchange_strong(&place->key, &key, GONE))
		return;
	if (uring->pid == process())
		uring_op_lose_all(uring);
	drop(uring);
}

void uring_made(struct io_uring *ring)
{
	if (!hook_live() || !hook_same_process())
		return;
	int saved = hook_enter();
	forget(key_of(ring));
	struct uring *uring = (ring->flags & ~KNOWN_FLAGS) || !ready() ? NULL : make(ring);
	if (uring)
		keep(key_of(ring), uring);
	else
		count_one(uring_rings);
	hook_leave(saved);
}

void uring_gone(const struct io_uring *ring)
{
	struct uring *uring = hooks_live && ring ? find(ring) : NULL;
	if (!uring)
		return;
	if (!hook_live()) {
		atomic_store(&uring->missed, true);
		return;
	}
	int saved = hook_enter();
	forget(key_of(ring));
	hook_leave(saved);
}

static void give_up(struct uring *uring)
{
	count_one(uring_rings);
	uring_op_lose_all(uring);
	if (uring->eventful)
		activity_unseen();
	atomic_store(&uring->dead, true);
}

/* --- the two looks ------------------------------------------------------------------------------------ */

static unsigned tail_of(const struct io_uring *ring)
{
	return __atomic_load_n(ring->cq.ktail, __ATOMIC_ACQUIRE);
}

static unsigned head_of(const struct io_uring *ring)
{
	return __atomic_load_n(ring->cq.khead, __ATOMIC_RELAXED);
}

/* What was completed up to `tail`. */
static void look(struct uring *uring, const struct io_uring *ring, unsigned tail, bool fresh)
{
	const struct io_uring_cq *cq = &ring->cq;
	unsigned mask = *cq->kring_mask, wide = ring->flags & IORING_SETUP_CQE32 ? 1 : 0;

	if (tail - uring->seen > mask + 1) { /* overwritten */
		atomic_store(&uring->missed, true);
		return;
	}
	for (; uring->seen != tail; uring->seen++)
		uring_op_done(uring, &cq->cqes[(size_t)(uring->seen & mask) << wide], fresh);
}

static void give(struct uring *uring, const struct io_uring *ring)
{
	const struct io_uring_sq *sq = &ring->sq;
	unsigned mask = *sq->kring_mask, wide = ring->flags & IORING_SETUP_SQE128 ? 1 : 0;

	uring->linked = false;
	for (; uring->taken != sq->sqe_tail; uring->taken++)
		uring_op_give(uring, &sq->sqes[(size_t)(uring->taken & mask) << wide]);
}

/* Is it used as it must be for what is said here to hold? */
static bool fits(struct uring *uring, const struct io_uring *ring)
{
	uintptr_t self = (uintptr_t)&thread;
	if (uring->owner != self && uring->seen == 0) /* set up by another one */
		uring->owner = self;
	return uring->owner == self && !atomic_load(&uring->missed) && ring->sq.sqe_head == uring->taken &&
	       ring->sq.sqe_tail - ring->sq.sqe_head <= *ring->sq.kring_mask + 1;
}

/* More came while the thread was at something: it may turn to any of it. */
static void more_came(struct uring *uring, unsigned count)
{
	if (count && uring->eventful)
		loop_waited((int)count, 0, 0);
}

static void doubt(const struct uring *uring)
{
	if (uring->eventful && thread.events > 1)
		activity_batch();
}

/* Who waits for one completion will be told of the first that it has not taken: so it has not been at any of
 * them, and they are as new as what comes in the wait. */
static unsigned end_of_past(const struct uring *uring, const struct io_uring *ring, unsigned head,
			    unsigned how)
{
	if (!(how & URING_NEXT))
		return tail_of(ring);
	return (int)(head - uring->seen) > 0 ? head : uring->seen;
}

static void begin(struct uring_call *call, struct uring *uring, struct io_uring *ring)
{
	call->head = head_of(ring);
	unsigned until = end_of_past(uring, ring, call->head, call->how), news = until - uring->seen;
	bool only = news == 1 && uring->flying == 1;

	if (!only)
		more_came(uring, news);
	look(uring, ring, until, false);
	if (!only && news)
		doubt(uring);
	if (call->how & URING_SUBMITS)
		give(uring, ring);
	call->idle = call->head == until;
	call->accepts = uring->accepts > 0;
	call->quiet = call->idle && !uring->outside && !(call->how & URING_TIMED) &&
		      (uring->flying == 1 || uring_op_own(uring));
}

/* The library calls its own functions by their names. What a longjmp left busy is found out by the first
 * operation that is given: the library gives none that the outer call has not. */
static bool is_inner(const struct uring_call *call, const struct uring *uring, const struct io_uring *ring)
{
	return atomic_load_explicit(&uring->busy, memory_order_relaxed) &&
	       uring->owner == (uintptr_t)&thread && (uintptr_t)call < uring->frame &&
	       (!(call->how & URING_SUBMITS) || ring->sq.sqe_tail == uring->taken);
}

bool uring_begin(struct uring_call *call, struct io_uring *ring, unsigned how)
{
	struct uring *uring = find(ring);

	*call = (struct uring_call){.how = (uint8_t)how};
	if (!uring || atomic_load_explicit(&uring->dead, memory_order_relaxed))
		return false;
	if (is_inner(call, uring, ring)) {
		call->how = 0;
		return true;
	}
	if (!hook_live() || atomic_exchange(&uring->busy, 1)) {
		atomic_store(&uring->missed, true);
		return false;
	}
	int saved = hook_enter();
	bool follows = fits(uring, ring);
	uring->frame = (uintptr_t)call;
	if (follows) {
		call->uring = uring;
		begin(call, uring, ring);
		follows = !atomic_load(&uring->missed);
	}
	if (!follows) {
		call->uring = NULL;
		give_up(uring);
		atomic_store(&uring->busy, 0);
	}
	hook_leave(saved);
	return follows;
}

/* The thread has nothing left to do, and waits for whatever comes: a loop's turn ends. One that waits for the
 * only thing that it has under way is blocked in that, as in a call of libc's. */
static void turn(const struct uring_call *call, unsigned news)
{
	bool timed = (call->how & URING_TIMED) != 0;
	if (call->quiet && !thread.loop) {
		activity_wait_one(!call->accepts);
		return;
	}
	if (!call->quiet)
		loop_hidden();
	activity_wait(false);
	thread.waits++;
	loop_waited((int)news, timed ? 1 : -1, timed ? clock_roughly() : 0);
}

static void end(const struct uring_call *call, const struct io_uring *ring)
{
	struct uring *uring = call->uring;
	unsigned tail = tail_of(ring), news = tail - uring->seen;

	if (head_of(ring) != call->head || ring->sq.sqe_head != uring->taken) {
		atomic_store(&uring->missed, true); /* taken by another thread; given by the library itself */
		return;
	}
	if (uring->eventful && (call->how & URING_WAITS) && call->idle)
		turn(call, news);
	else if (!call->quiet)
		more_came(uring, news);
	look(uring, ring, tail, true);
	if (!call->quiet)
		doubt(uring);
}

void uring_end(struct uring_call *call, struct io_uring *ring)
{
	struct uring *uring = call->uring;
	if (!uring)
		return;
	int saved = hook_enter();
	if (!atomic_load(&uring->missed))
		end(call, ring);
	if (atomic_load(&uring->missed))
		give_up(uring);
	atomic_store(&uring->busy, 0);
	hook_leave(saved);
}
