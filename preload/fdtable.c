#include "preload/fdtable.h"

#include "preload/sys.h"

fd_entry *_Atomic *_Atomic fdtable_top[1 << (31 - FD_SHIFT)];

#define MIDDLE_SIZE ((size_t)1 << FD_MIDDLE_BITS)
#define LEAF_SIZE ((size_t)1 << FD_LEAF_BITS)

/* Two threads may map the same level at once: the loser gives its mapping back. */
static fd_entry *grow(int fd)
{
	fd_entry *_Atomic *middle = atomic_load_explicit(&fdtable_top[fd >> FD_SHIFT], memory_order_acquire);
	if (!middle) {
		fd_entry *_Atomic *fresh = sys_map(MIDDLE_SIZE * sizeof(*fresh));
		if (!fresh)
			return NULL;
		if (atomic_compare_exchange_strong(&fdtable_top[fd >> FD_SHIFT], &middle, fresh))
			middle = fresh;
		else
			sys_unmap(fresh, MIDDLE_SIZE * sizeof(*fresh));
	}

	fd_entry *_Atomic *place = &middle[((size_t)fd >> FD_LEAF_BITS) & (MIDDLE_SIZE - 1)];
	fd_entry *leaf = atomic_load_explicit(place, memory_order_acquire);
	if (!leaf) {
		fd_entry *fresh = sys_map(LEAF_SIZE * sizeof(*fresh));
		if (!fresh)
			return NULL;
		if (atomic_compare_exchange_strong(place, &leaf, fresh))
			leaf = fresh;
		else
			sys_unmap(fresh, LEAF_SIZE * sizeof(*fresh));
	}
	return &leaf[(size_t)fd & (LEAF_SIZE - 1)];
}

uintptr_t fdtable_set(int fd, uintptr_t value)
{
	if (fd < 0)
		return value;
	fd_entry *entry = fdtable_find(fd);
	if (!entry) {
		if (value == 0)
			return 0;
		entry = grow(fd);
		if (!entry)
			return value;
	}
	return atomic_exchange_explicit(entry, value, memory_order_acq_rel);
}

static void visit_leaf(fd_entry *leaf, int base, int from, int to, void (*visit)(int, uintptr_t, void *),
		       void *arg)
{
	for (int i = from; i <= to; i++) {
		uintptr_t value = atomic_load_explicit(&leaf[i], memory_order_acquire);
		if (value)
			visit(base + i, value, arg);
	}
}

void fdtable_each(int first, int last, void (*visit)(int fd, uintptr_t value, void *arg), void *arg)
{
	const int64_t leaf_size = (int64_t)LEAF_SIZE, middle_span = (int64_t)1 << FD_SHIFT;

	if (first < 0)
		first = 0;
	for (int64_t fd = first; fd <= last;) {
		fd_entry *_Atomic *middle =
			atomic_load_explicit(&fdtable_top[fd >> FD_SHIFT], memory_order_acquire);
		if (!middle) {
			fd = (fd / middle_span + 1) * middle_span;
			continue;
		}
		int64_t base = fd / leaf_size * leaf_size;
		fd_entry *leaf = atomic_load_explicit(
			&middle[((size_t)fd >> FD_LEAF_BITS) & (MIDDLE_SIZE - 1)], memory_order_acquire);
		int64_t to = last < base + leaf_size - 1 ? last : base + leaf_size - 1;
		if (leaf)
			visit_leaf(leaf, (int)base, (int)(fd - base), (int)(to - base), visit, arg);
		fd = base + leaf_size;
	}
}
