/* call.c - calls of client libraries without a connection of their own; see call.h. */
#include "preload/call.h"

#include <string.h>

#include "preload/activity.h"
#include "preload/clock.h"
#include "preload/config.h"
#include "preload/conn_internal.h"
#include "preload/counters.h"
#include "preload/pool.h"
#include "preload/repeats.h"
#include "preload/stack.h"
#include "preload/sys.h"

#define PROBES 8
#define COMING ((uintptr_t)1) /* of a place whose call is not to be found: it comes or goes */

enum { TAKEN = 1, GONE = 2 };

static struct pool calls;
static struct place {
	_Atomic uintptr_t handle; /* 0: free */
	struct call *_Atomic call;
} * places;
static uint32_t place_mask;
static _Atomic uint32_t held;
static uint32_t held_most;

static uint32_t places_for(uint32_t most)
{
	uint32_t count = 128;
	while (count < 4 * (uint64_t)most && count < 1u << 20)
		count *= 2;
	return count;
}

size_t call_memory(uint32_t most)
{
	return most * (sizeof(struct call) + 64) + places_for(most) * sizeof(struct place);
}

bool call_init(uint32_t most)
{
	uint32_t count = places_for(most);
	places = sys_map(count * sizeof(*places));
	place_mask = count - 1;
	held_most = most / 2;
	return places && pool_init(&calls, sizeof(struct call), most);
}

/* --- spans
 * -----------------------------------------------------------------------------------------------------------
 */

struct span *call_begin(uint64_t start)
{
	if (config.sdk_disabled)
		return NULL;
	struct activity_verdict verdict = activity_for_transfer();
	struct span *span = span_begin(SPAN_CLIENT, start);
	if (!span)
		return NULL;
	exchange_adopt(span, &verdict);
	return span;
}

void call_told(struct span *span, const struct protocol_facts *facts)
{
	if (facts->name.len)
		span_name(span, facts->name);
	if (facts->failed)
		span_error(span, facts->error_type);
	if (facts->statement)
		span->statement = repeats_hash((struct bytes){span->name, span->name_len});
	if (facts->unknown)
		count_one(texts_unknown);
	span->described = true;
}

bool call_owns(const struct span *exchange)
{
	static const struct bytes known[] = {
		{"server.address", 14}, {"server.port", 11}, {"db.namespace", 12}};

	if (call_within() != CALL_CLIENT)
		return false;
	struct span *span = thread.call_span;
	for (size_t i = 0; span && span->recording && i < sizeof(known) / sizeof(known[0]); i++)
		if (!attrs_has(&span->attrs, known[i]))
			attrs_take(&span->attrs, &exchange->attrs, known[i]);
	return true;
}

/* --- slots
 * -----------------------------------------------------------------------------------------------------------
 */

static uint32_t place_of(const void *handle)
{
	return (uint32_t)(((uintptr_t)handle * 0x9e3779b97f4a7c15u) >> 40);
}

static struct place *find(const void *handle)
{
	uint32_t at = place_of(handle);
	if ((uintptr_t)handle <= COMING || !places)
		return NULL;
	for (uint32_t i = 0; i < PROBES; i++) {
		struct place *place = &places[(at + i) & place_mask];
		if (atomic_load_explicit(&place->handle, memory_order_acquire) == (uintptr_t)handle)
			return place;
	}
	return NULL;
}

/* Whoever sets TAKEN on one that is GONE is the last. */
static void dispose(struct call *call)
{
	uint32_t gone = GONE;
	if (atomic_compare_exchange_strong(&call->state, &gone, GONE | TAKEN)) {
		if (call->span)
			call_done(call, false);
		pool_give(&calls, call);
	}
}

struct call *call_find(const void *handle)
{
	uint32_t idle = 0;
	const struct place *place = find(handle);
	struct call *call = place ? atomic_load_explicit(&place->call, memory_order_acquire) : NULL;
	if (!call || !atomic_compare_exchange_strong_explicit(&call->state, &idle, TAKEN,
							      memory_order_acquire, memory_order_relaxed))
		return NULL;
	if (call->handle == (uintptr_t)handle)
		return call;
	call_release(call); /* freed, and another's by now */
	return NULL;
}

void call_release(struct call *call)
{
	if (atomic_fetch_and_explicit(&call->state, ~(uint32_t)TAKEN, memory_order_acq_rel) & GONE)
		dispose(call);
}

static struct place *reserve(const void *handle)
{
	uint32_t at = place_of(handle);
	for (uint32_t i = 0; i < PROBES; i++) {
		struct place *place = &places[(at + i) & place_mask];
		uintptr_t none = 0;
		if (atomic_load_explicit(&place->handle, memory_order_relaxed) == 0 &&
		    atomic_compare_exchange_strong(&place->handle, &none, COMING))
			return place;
	}
	return NULL;
}

struct call *call_open(const void *handle)
{
	if ((uintptr_t)handle <= COMING || !places)
		return NULL;
	call_close(handle, true); /* its end went by unseen */
	struct place *place = reserve(handle);
	struct call *call = place ? pool_take(&calls) : NULL;
	if (!call) {
		if (place)
			atomic_store(&place->handle, 0);
		count_one(calls_no_slot);
		return NULL;
	}
	/* A stale call_find() may still try to take it: it finds another handle, or waits for none. */
	atomic_store_explicit(&call->state, TAKEN, memory_order_relaxed);
	call->handle = (uintptr_t)handle;
	call->span = NULL;
	call->failed = false;
	memset(call->own, 0, sizeof(call->own));
	call->kept.len = 0;
	atomic_store_explicit(&place->call, call, memory_order_relaxed);
	atomic_store_explicit(&place->handle, (uintptr_t)handle, memory_order_release);
	return call;
}

static void forget(struct call *call)
{
	span_discard(call->span);
	call->span = NULL;
	atomic_fetch_sub_explicit(&held, 1, memory_order_relaxed);
}

static void close_at(struct place *place, const void *handle, bool live)
{
	uintptr_t ours = (uintptr_t)handle;
	if (!atomic_compare_exchange_strong(&place->handle, &ours, COMING)) /* another thread was faster */
		return;
	struct call *call = atomic_load(&place->call); /* of this place no other thread has now */
	atomic_store(&place->handle, 0);
	if (!(atomic_fetch_or(&call->state, GONE) & TAKEN)) {
		if (call->span && !live)
			forget(call);
		dispose(call);
	}
}

/* Two threads may have opened it at once. */
void call_close(const void *handle, bool live)
{
	struct place *place;
	while ((place = find(handle)) != NULL)
		close_at(place, handle, live);
}

static void for_each(void (*what)(struct call *call, uint64_t arg), uint64_t arg)
{
	for (uint32_t i = 0; places && i <= place_mask; i++) {
		uintptr_t handle = atomic_load_explicit(&places[i].handle, memory_order_acquire);
		if (handle <= COMING)
			continue;
		struct call *call = call_find((const void *)handle); /* NOLINT(performance-no-int-to-ptr) */
		if (!call)
			continue;
		what(call, arg);
		call_release(call);
	}
}

static void close_owned(struct call *call, uint64_t owner)
{
	if (call->own[0] == owner)
		call_close((const void *)call->handle, true); /* NOLINT(performance-no-int-to-ptr) */
}

void call_close_owned(uint64_t owner)
{
	for_each(close_owned, owner);
}

static void end_as_it_is(struct call *call, uint64_t arg)
{
	(void)arg;
	if (call->span)
		stack_never(call->span);
	call_done(call, false);
}

void call_flush(void)
{
	if (atomic_load(&held))
		for_each(end_as_it_is, 0);
}

/* --- what lasts
 * -----------------------------------------------------------------------------------------------------
 */

bool call_hold(struct call *call, struct span *span)
{
	if (atomic_fetch_add_explicit(&held, 1, memory_order_relaxed) >= held_most) {
		atomic_fetch_sub_explicit(&held, 1, memory_order_relaxed);
		count_one(calls_not_held);
		return false;
	}
	call->span = span;
	return true;
}

/* When the last function returned, as far as ticks tell. */
static uint64_t end_of(const struct call *call, uint64_t now)
{
	uint64_t start = call->span->start, tick = call_tick();
	double all = (double)(tick - call->begun), part = (double)(call->last - call->begun);

	/* Clocks of two processors may differ by a little. */
	if (now <= start || tick <= call->begun || call->last <= call->begun || part >= all)
		return now;
	return start + (uint64_t)((double)(now - start) * (part / all));
}

struct span *call_take(struct call *call, uint64_t *end)
{
	struct span *span = call->span;
	if (!span)
		return NULL;
	*end = end_of(call, clock_now());
	call->span = NULL;
	atomic_fetch_sub_explicit(&held, 1, memory_order_relaxed);
	return span;
}

void call_done(struct call *call, bool now)
{
	uint64_t end;
	if (now)
		call->last = UINT64_MAX;
	struct span *span = call_take(call, &end);
	if (span)
		span_end(span, end);
}

bool call_keep(struct call *call, const struct span *span)
{
	const struct attrs *attrs = &span->attrs;
	if (attrs->len > sizeof(call->kept.attrs) || attrs->dropped || attrs->cut || !attrs->len)
		return false;
	memcpy(call->kept.attrs, attrs->buf, attrs->len);
	memcpy(call->kept.name, span->name, span->name_len);
	call->kept.name_len = span->name_len;
	call->kept.statement = span->statement;
	call->kept.count = attrs->count;
	call->kept.len = attrs->len;
	return true;
}

bool call_recall(const struct call *call, struct span *span)
{
	if (call->kept.len == 0)
		return false;
	memcpy(span->attrs.buf, call->kept.attrs, call->kept.len);
	span->attrs.len = call->kept.len;
	span->attrs.count = call->kept.count;
	memcpy(span->name, call->kept.name, call->kept.name_len);
	span->name_len = call->kept.name_len;
	span->statement = call->kept.statement;
	span->described = true;
	return true;
}
