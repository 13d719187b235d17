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
#include "preload/later_table.h"

#define SYMBOLS(WRAP, CALL)  \
	WRAP(uv_timer_init)  \
	WRAP(uv_timer_start) \
	WRAP(uv_timer_again) \
	WRAP(uv_timer_stop)  \
	WRAP(uv_close)

HOOK_LATE_LIBRARY(uv_timer, SYMBOLS);

/* That of the caller's copy. */
#define OF(lib, name) ((lib) && (lib)->name ? (lib)->name : REAL(name))

#define NS_PER_MS 1000000ull

struct place {
	struct later_place as; /* by the handle */
	uv_timer_cb cb;
};
static struct later_table timers = {.size = sizeof(struct place)};

static struct place *find(const void *handle)
{
	return later_find(&timers, handle);
}

static struct place *take(const void *handle, const struct later *later)
{
	struct place *place = later_take(&timers, handle, later);
	if (place)
		later_show(place, handle);
	return place;
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
	begins(&place->as.later);
	cb(handle);
	ends();
}

int uv_timer_init(uv_loop_t *loop, uv_timer_t *handle)
{
	const struct libuv *lib = libuv_of(__builtin_return_address(0), loop);
	struct place *stale = find(handle); /* a loop was thrown away with what was in it */
	struct later later;

	if (stale) {
		if (stale->as.later.pending)
			stopped(&stale->as.later);
		later_give(&timers, stale);
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
		place->as.later = (struct later){.activity = SPAN_NOBODY};
		return;
	}
	struct nested nested = nested_enter();
	later_set(&place->as.later, (uintptr_t)cb, delay * NS_PER_MS, repeat * NS_PER_MS);
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
		uint64_t repeat = place->as.later.repeat / NS_PER_MS;
		set(place, place->cb, repeat, repeat);
	}
	return OF(lib, uv_timer_again)(handle);
}

int uv_timer_stop(uv_timer_t *handle)
{
	const struct libuv *lib = libuv_of(__builtin_return_address(0), NULL);
	struct place *place = find(handle);
	if (place && place->as.later.pending && !by_itself(lib, __builtin_return_address(0)))
		stopped(&place->as.later);
	return OF(lib, uv_timer_stop)(handle);
}

void uv_close(uv_handle_t *handle, uv_close_cb cb)
{
	const struct libuv *lib = libuv_of(__builtin_return_address(0), NULL);
	struct place *place = find(handle);
	if (place) {
		if (place->as.later.pending)
			stopped(&place->as.later);
		later_give(&timers, place);
	}
	OF(lib, uv_close)(handle, cb);
}
