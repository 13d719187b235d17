/* libuv.c - work that a loop gives to libuv's threads, and what the loop does when it is done.
 *
 * A request (uv_work_t) is queued once at a time and comes back to the loop that queued it, so its address
 * says whose work that is. Functions of ours stand in the host's place and find the host's by it. They do so
 * for nobody's work too: what comes back in the same turn of a loop must not be taken for the one's before.
 *
 * What is behind the end of a work is as much the request's as what is behind an answer that was read, and is
 * judged like that (loop.h). */
#include "hooks/libuv.h"

#include "preload/activity.h"
#include "preload/handoff.h"
#include "preload/hook.h"
#include "preload/loop.h"

#define SYMBOLS(WRAP, CALL) WRAP(uv_queue_work)

HOOK_LATE_LIBRARY(libuv, SYMBOLS);

#define NAME_ROW(name) #name,
static const char *const names[] = {LIBUV_FUNCTIONS(NAME_ROW)};
static struct libuv room[COPIES_MOST];
static struct copies libraries = {
	.names = names,
	.count = sizeof(names) / sizeof(names[0]),
	.room = room,
	.size = sizeof(room[0]),
};

/* With a loop that is not known the library may be new as well. */
const struct libuv *libuv_of(const void *caller, const uv_loop_t *loop)
{
	if (!loop)
		return (const struct libuv *)(const void *)copies_known(&libraries, caller);
	static _Atomic uintptr_t loops[8];
	_Atomic uintptr_t *seen = &loops[((uintptr_t)loop >> 6) % 8];
	bool known = atomic_load_explicit(seen, memory_order_relaxed) == (uintptr_t)loop;
	const struct copy *copy = copies_of(&libraries, caller, !known);
	atomic_store_explicit(seen, (uintptr_t)loop, memory_order_relaxed);
	return (const struct libuv *)(const void *)copy;
}

_Static_assert(sizeof(struct libuv) == sizeof(struct copy) + sizeof(names), "in the order of the names");

/* --- what is queued ----------------------------------------------------------------------------------- */

#define WORKS 2048
#define PROBES 16
#define FILLING ((uintptr_t)1)

/* Filled by who queues it; read by the thread that works, and, after that, by the loop. */
static struct work {
	_Atomic uintptr_t req; /* 0: free */
	uv_work_cb work;
	uv_after_work_cb after;
	span_ref activity;
	span_ref asker; /* counted as under way for it */
} works[WORKS];

static struct work *probe(const uv_work_t *req, uint32_t i)
{
	return &works[((uint32_t)(((uintptr_t)req * 0x9e3779b97f4a7c15ull) >> 40) + i) % WORKS];
}

static struct work *find(const uv_work_t *req)
{
	for (uint32_t i = 0; i < PROBES; i++)
		if (atomic_load_explicit(&probe(req, i)->req, memory_order_acquire) == (uintptr_t)req)
			return probe(req, i);
	return NULL;
}

static struct work *take_place(const uv_work_t *req)
{
	struct work *place = find(req); /* its end was never told: a loop was closed, a process forked */
	for (uint32_t i = 0; i < PROBES && !place; i++) {
		uintptr_t was = 0;
		if (atomic_compare_exchange_strong(&probe(req, i)->req, &was, FILLING))
			place = probe(req, i);
	}
	return place;
}

static void give_place(struct work *place)
{
	atomic_store_explicit(&place->req, 0, memory_order_release);
}

/* --- the functions in the host's place ---------------------------------------------------------------- */

static __attribute__((noinline)) void carry(span_ref activity)
{
	if (!hook_live())
		return;
	int saved = hook_enter();
	activity_carried(activity, activity == SPAN_NOBODY ? EVIDENCE_NONE : EVIDENCE_HANDED);
	hook_leave(saved);
}

static void at_work(uv_work_t *req)
{
	const struct work *place = find(req);
	if (!place) /* cannot be: it is given back behind this only */
		return;
	uv_work_cb work = place->work;
	carry(place->activity);
	work(req);
	carry(SPAN_NOBODY);
}

static __attribute__((noinline)) void come_back(struct work *place)
{
	if (!hook_live())
		return;
	int saved = hook_enter();
	if (place->activity != SPAN_NOBODY && span_alive(place->activity))
		handoff_named(place->activity);
	else
		activity_woken();
	loop_uncount(&place->asker);
	hook_leave(saved);
}

static __attribute__((noinline)) void turn_away(void)
{
	if (!hook_live())
		return;
	int saved = hook_enter();
	activity_woken();
	hook_leave(saved);
}

static void after_work(uv_work_t *req, int status)
{
	struct work *place = find(req);
	if (!place)
		return;
	uv_after_work_cb after = place->after;
	come_back(place);
	give_place(place);
	if (after)
		after(req, status);
	turn_away();
}

static struct work *prepare(uv_work_t *req, uv_work_cb work, uv_after_work_cb after)
{
	struct work *place = take_place(req);
	if (!place)
		return NULL;
	bool sure;
	span_ref activity = activity_for_sending(&sure);
	place->work = work;
	place->after = after;
	place->activity = sure ? activity : SPAN_NOBODY;
	place->asker = loop_count(activity_window());
	atomic_store_explicit(&place->req, (uintptr_t)req, memory_order_release);
	return place;
}

static void not_queued(struct work *place)
{
	int saved = hook_enter();
	loop_uncount(&place->asker);
	give_place(place);
	hook_leave(saved);
}

int uv_queue_work(uv_loop_t *loop, uv_work_t *req, uv_work_cb work, uv_after_work_cb after)
{
	const struct libuv *lib = libuv_of(__builtin_return_address(0), loop);
	__typeof__(&uv_queue_work) queue = lib ? lib->uv_queue_work : REAL(uv_queue_work);

	if (!hook_live() || !req || !work)
		return queue(loop, req, work, after);
	int saved = hook_enter();
	struct work *place = prepare(req, work, after);
	hook_leave(saved);
	if (!place)
		return queue(loop, req, work, after);

	int result = queue(loop, req, at_work, after_work);
	if (result != 0)
		not_queued(place);
	return result;
}
