#include "preload/contexts.h"

#include <stdatomic.h>

#define PLACES 4096
#define PROBES 8
#define LAYER_SHIFT 56 /* a span_ref has 24 + 32 bits */
#define WRITING ((uintptr_t)1)

static struct place {
	_Atomic uintptr_t key; /* 0: free; WRITING: being filled */
	_Atomic uint64_t value;
} places[PLACES];

static uint32_t first_probe(uintptr_t key)
{
	return (uint32_t)((key * 0x9e3779b97f4a7c15ull) >> 40) % PLACES;
}

static struct place *probe(uintptr_t key, uint32_t i)
{
	return &places[(first_probe(key) + i) % PLACES];
}

struct carried contexts_take(const void *context)
{
	uintptr_t key = (uintptr_t)context;
	struct carried carried = {SPAN_NOBODY, 0};

	for (uint32_t i = 0; i < PROBES; i++) {
		struct place *place = probe(key, i);
		uintptr_t was = key;
		if (atomic_load_explicit(&place->key, memory_order_relaxed) != key)
			continue;
		/* An entry may be evicted at any time, and its place be someone else's: the value counts only
		 * if the place is still ours after it was read. */
		atomic_thread_fence(memory_order_acquire);
		uint64_t value = atomic_load_explicit(&place->value, memory_order_acquire);
		if (!atomic_compare_exchange_strong(&place->key, &was, 0))
			continue;
		carried.activity = value & ((1ull << LAYER_SHIFT) - 1);
		carried.layer = (uint8_t)(value >> LAYER_SHIFT);
		return carried;
	}
	return carried;
}

/* Free, or of a context whose activity is over. */
static bool claim(struct place *place)
{
	uintptr_t was = atomic_load_explicit(&place->key, memory_order_acquire);
	if (was == WRITING)
		return false;
	if (was != 0) {
		uint64_t value = atomic_load_explicit(&place->value, memory_order_acquire);
		if (value >> LAYER_SHIFT || span_alive(value))
			return false;
	}
	return atomic_compare_exchange_strong(&place->key, &was, WRITING);
}

void contexts_store(const void *context, struct carried carried)
{
	uintptr_t key = (uintptr_t)context;

	(void)contexts_take(context);
	if (carried.activity == SPAN_NOBODY && carried.layer == 0)
		return;
	for (uint32_t i = 0; i < PROBES; i++) {
		struct place *place = probe(key, i);
		if (!claim(place))
			continue;
		atomic_store_explicit(&place->value,
				      carried.activity | (uint64_t)carried.layer << LAYER_SHIFT,
				      memory_order_release);
		atomic_store_explicit(&place->key, key, memory_order_release);
		return;
	}
}
