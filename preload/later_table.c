/* later_table.c - the places of timers; see later_table.h. */
#include "preload/later_table.h"

#include <string.h>

#include "preload/counters.h"
#include "preload/sys.h"

#define PLACES 4096
#define PROBES 16
#define FILLING ((uintptr_t)1)

/* Two threads may map it at once: the loser gives its mapping back. */
static char *mapped(struct later_table *table)
{
	char *there = atomic_load_explicit(&table->places, memory_order_acquire);
	if (there)
		return there;
	char *fresh = sys_map(PLACES * table->size);
	if (!fresh || atomic_compare_exchange_strong(&table->places, &there, fresh))
		return fresh;
	sys_unmap(fresh, PLACES * table->size);
	return there;
}

static struct later_place *probe(const struct later_table *table, char *places, const void *timer, uint32_t i)
{
	uint32_t at = (uint32_t)(((uintptr_t)timer * 0x9e3779b97f4a7c15ull) >> 40) + i;
	return (struct later_place *)(void *)(places + at % PLACES * table->size);
}

void *later_look(const struct later_table *table, const void *timer)
{
	char *places = atomic_load_explicit(&table->places, memory_order_acquire);
	for (uint32_t i = 0; places && i < PROBES; i++) {
		struct later_place *place = probe(table, places, timer, i);
		if (atomic_load_explicit(&place->timer, memory_order_acquire) == (uintptr_t)timer)
			return place;
	}
	return NULL;
}

void *later_take(struct later_table *table, const void *timer, const struct later *later)
{
	char *places = mapped(table);
	for (uint32_t i = 0; places && i < PROBES; i++) {
		struct later_place *place = probe(table, places, timer, i);
		uintptr_t none = 0;
		if (!atomic_compare_exchange_strong(&place->timer, &none, FILLING))
			continue;
		memset(place + 1, 0, table->size - sizeof(*place));
		place->later = *later;
		atomic_fetch_add_explicit(&table->used, 1, memory_order_relaxed);
		return place;
	}
	count_one(timers_unkept);
	return NULL;
}

void later_show(void *place, const void *timer)
{
	struct later_place *taken = place;
	atomic_store_explicit(&taken->timer, (uintptr_t)timer, memory_order_release);
}

void later_give(struct later_table *table, void *place)
{
	later_show(place, NULL);
	atomic_fetch_sub_explicit(&table->used, 1, memory_order_relaxed);
}
