/* uv_timer.c - libuv's timers: what they do belongs to the request that made and started them (later.h).
 *
 * One that was made before any request is the program's own, and may serve many of them (Node has one for
 * all of its timers): what it does is nobody's, and no more the request's that the loop read before. One that
 * is started by anybody else but its maker is nobody's from then on.
 *
 * libuv keeps the callback in the handle, so ours stands there in its place, and the program's is found by
 * the handle's address, in a table whose places are given back when the handle is closed: from then on it
 * never fires. A handle is used by its loop's thread only: that is libuv's rule. Where no place is free
 * (counted) the timer is left as it is. What libuv calls itself comes by here as well: a timer that repeats
 * is started again, with our own callback. */
#include "hooks/libuv.h"

#include "hooks/nested.h"
#include "preload/counters.h"
#include "preload/later.h"

#define SYMBOLS(WRAP, CALL)  \
	WRAP(uv_timer_init)  \
	WRAP(uv_timer_start) \
	WRAP(uv_timer_again) \
	WRAP(uv_timer_stop)  \
	WRAP(uv_close)

HOOK_LATE_LIBRARY(uv_timer, SYMBOLS);

/* That of the caller's copy. */
#define OF(lib, name) ((lib) && (lib)->name ? (lib)->name : REAL(name))

#define PLACES 4096
#define PROBES 16
#define NS_PER_MS 1000000ull

struct place {
	_Atomic uintptr_t handle; /* 0: free */
	uv_timer_cb cb;
	struct later later;
};
static _Atomic(void *) places; /* of PLACES, when there is one */
static _Atomic uint32_t used;

static struct place *probe(const void *handle, uint32_t i)
{
	struct place *table = atomic_load_explicit(&places, memory_order_acquire);
	return &table[((uint32_t)(((uintptr_t)handle * 0x9e3779b97f4a7c15ull) >> 40) + i) % PLACES];
}

static struct place *find(const void *handle)
{
	if (atomic_load_explicit(&used, memory_order_relaxed) == 0 || !handle)
		return NULL;
	for (uint32_t i = 0; i < PROBES; i++)
		if (atomic_load_explicit(&probe(handle, i)->handle, memory_order_acquire) ==
		    (uintptr_t)handle)
			return probe(handle, i);
	return NULL;
}

static struct place *take(const void *handle, const struct later *later)
{
	bool room = later_table(&places, PLACES * sizeof(struct place));
	for (uint32_t i = 0; room && i < PROBES; i++) {
		struct place *place = probe(handle, i);
		uintptr_t none = 0;
		if (!atomic_compare_exchange_strong(&place->handle, &none, (uintptr_t)handle))
			continue;
		place->cb = NULL;
		place->later = *later;
		atomic_fetch_add_explicit(&used, 1, memory_order_relaxed);
		return place;
	}
	count_one(timers_unkept);
	return NULL;
}

static void give(struct place *place)
{
	atomic_store_explicit(&place->handle, 0, memory_order_release);
	atomic_fetch_sub_explicit(&used, 1, memory_order_relaxed);
}

static __attribute__((noinline)) void begins(struct later *later)
{
	if (!hook_live_nested())
		return;
	struct nested nested = nested_enter();
	if (later->activity != SPAN_NOBODY || later->link.set)
		later_begins(later);
	else
		later_begins_unknown();
	nested_leave(nested);
}

static __attribute__((noinline)) void ends(void)
{
	if (!hook_live_nested())
		return;
	struct nested nested = nested_enter();
	later_ends();
	nested_leave(nested);
}

static __attribute__((noinline)) void stopped(struct later *later)
{
	if (!hook_live_nested()) {
		later->pending = false;
		return;
	}
	struct nested nested = nested_enter();
	later_stopped(later);
	nested_leave(nested);
}

/* Whatever the callback does, it may close the handle: nothing of the place is looked at behind it. */
static void fired(uv_timer_t *handle)
{
	struct place *place = find(handle);
	if (!place) /* cannot be: it is given back when the timer is stopped for good */
		return;
	uv_timer_cb cb = place->cb;
	begins(&place->later);
	cb(handle);
	ends();
}

int uv_timer_init(uv_loop_t *loop, uv_timer_t *handle)
{
	const struct libuv *lib = libuv_of(__builtin_return_address(0), loop);
	struct place *stale = find(handle); /* a loop was thrown away with what was in it */
	struct later later;

	if (stale) {
		if (stale->later.pending)
			stopped(&stale->later);
		give(stale);
	}
	int result = OF(lib, uv_timer_init)(loop, handle);
	if (result != 0 || !hook_live_nested() ||
	    (lib && copies_itself(&lib->copy, __builtin_return_address(0))))
		return result;
	struct nested nested = nested_enter();
	if (later_made(&later))
		(void)take(handle, &later);
	nested_leave(nested);
	return result;
}

static __attribute__((noinline)) void set(struct place *place, uv_timer_cb cb, uint64_t delay,
					  uint64_t repeat)
{
	if (!hook_live_nested()) {
		place->later = (struct later){.activity = SPAN_NOBODY};
		return;
	}
	struct nested nested = nested_enter();
	later_set(&place->later, (uintptr_t)cb, delay * NS_PER_MS, repeat * NS_PER_MS);
	nested_leave(nested);
}

/* One that nobody made in a request: that what it does is nobody's must be told as well. */
static struct place *take_unknown(const void *handle)
{
	const struct later nobodys = {.activity = SPAN_NOBODY};
	return hook_live_nested() && handle ? take(handle, &nobodys) : NULL;
}

int uv_timer_start(uv_timer_t *handle, uv_timer_cb cb, uint64_t timeout, uint64_t repeat)
{
	const struct libuv *lib = libuv_of(__builtin_return_address(0), NULL);
	struct place *place = cb && cb != fired ? find(handle) : NULL;
	if (!place && cb && cb != fired)
		place = take_unknown(handle);
	if (!place)
		return OF(lib, uv_timer_start)(handle, cb, timeout, repeat);

	set(place, cb, timeout, repeat);
	uv_timer_cb before = place->cb;
	place->cb = cb;
	int result = OF(lib, uv_timer_start)(handle, fired, timeout, repeat);
	if (result != 0) /* it goes on as it was */
		place->cb = before;
	return result;
}

static bool by_itself(const struct libuv *lib, const void *caller)
{
	return lib && copies_itself(&lib->copy, caller);
}

int uv_timer_again(uv_timer_t *handle)
{
	const struct libuv *lib = libuv_of(__builtin_return_address(0), NULL);
	struct place *place = find(handle);
	if (place && place->cb && !by_itself(lib, __builtin_return_address(0))) {
		uint64_t repeat = place->later.repeat / NS_PER_MS;
		set(place, place->cb, repeat, repeat);
	}
	return OF(lib, uv_timer_again)(handle);
}

int uv_timer_stop(uv_timer_t *handle)
{
	const struct libuv *lib = libuv_of(__builtin_return_address(0), NULL);
	struct place *place = find(handle);
	if (place && place->later.pending && !by_itself(lib, __builtin_return_address(0)))
		stopped(&place->later);
	return OF(lib, uv_timer_stop)(handle);
}

void uv_close(uv_handle_t *handle, uv_close_cb cb)
{
	const struct libuv *lib = libuv_of(__builtin_return_address(0), NULL);
	struct place *place = find(handle);
	if (place) {
		if (place->later.pending)
			stopped(&place->later);
		give(place);
	}
	OF(lib, uv_close)(handle, cb);
}
