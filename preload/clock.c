#include "preload/clock.h"

#include <stdatomic.h>
#include <time.h>

static _Atomic uint64_t wall_offset;

static uint64_t read_clock(clockid_t id)
{
	struct timespec t;
	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t clock_now(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

uint64_t clock_roughly(void)
{
	return read_clock(CLOCK_MONOTONIC_COARSE);
}

uint64_t clock_wall(uint64_t monotonic)
{
	return monotonic + atomic_load_explicit(&wall_offset, memory_order_relaxed);
}

void clock_adjust(void)
{
	uint64_t before = read_clock(CLOCK_MONOTONIC);
	uint64_t wall = read_clock(CLOCK_REALTIME);
	uint64_t after = read_clock(CLOCK_MONOTONIC);
	/* Preempted between the readings: better luck next time, unless there was none yet. */
	if (after - before > 50000 && atomic_load_explicit(&wall_offset, memory_order_relaxed))
		return;
	atomic_store_explicit(&wall_offset, wall - before / 2 - after / 2, memory_order_relaxed);
}
