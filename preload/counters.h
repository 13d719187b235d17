/* counters.h - what was dropped, and why. Relaxed atomics, one per row of counters.def; any thread, any
 * context, signal handlers included. */
#ifndef TAGALONG_COUNTERS_H
#define TAGALONG_COUNTERS_H

#include <stdatomic.h>
#include <stdint.h>

enum counter {
#define COUNTER(name, metric, unit, key, value, help) COUNTER_##name,
#include "preload/counters.def"
#undef COUNTER
	COUNTER_COUNT
};

extern _Atomic uint64_t counters[COUNTER_COUNT]; /* defined in counters.c */

#define count_one(name) atomic_fetch_add_explicit(&counters[COUNTER_##name], 1, memory_order_relaxed)
#define count_add(name, n) atomic_fetch_add_explicit(&counters[COUNTER_##name], (n), memory_order_relaxed)
#define count_nth(first, n) \
	atomic_fetch_add_explicit(&counters[COUNTER_##first + (n)], 1, memory_order_relaxed)
#define count_get(name) atomic_load_explicit(&counters[COUNTER_##name], memory_order_relaxed)

#endif
