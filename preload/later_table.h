/* later_table.h - what a library's timers are, found by their addresses in it.
 *
 * 4096 places of the library's own struct, which begins with a struct later_place. They are mapped when the
 * first timer wants one: who has no timers pays nothing. Where none is free the timer is left as it is, and
 * counted (tagalong.timers.unkept). A place is one thread's until it is shown, and is found by any thread
 * from then on; what else stands in it is guarded by the library's own rules for its timers.
 *
 * Lock-free, also in signal handlers; errno stays; nothing is ever unmapped, so what is found may be read
 * after it was given back. */
#ifndef TAGALONG_LATER_TABLE_H
#define TAGALONG_LATER_TABLE_H

#include "preload/later.h"

struct later_place {
	_Atomic uintptr_t timer; /* 0: free; 1: taken, and not to be found */
	struct later later;
};

struct later_table {
	size_t size; /* of the library's struct */
	_Atomic(char *) places;
	_Atomic uint32_t used;
};

/* One for that timer, zeroes but for what is said of it here. NULL: there is none free near it. */
void *later_take(struct later_table *table, const void *timer, const struct later *later);
/* From now on it is found. */
void later_show(void *place, const void *timer);
void later_give(struct later_table *table, void *place);

void *later_look(const struct later_table *table, const void *timer);

static inline void *later_find(const struct later_table *table, const void *timer)
{
	return timer && atomic_load_explicit(&table->used, memory_order_relaxed) ? later_look(table, timer)
										 : NULL;
}

#endif
