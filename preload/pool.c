#include "preload/pool.h"

#include "preload/sys.h"

static struct pool *pools;

bool pool_init(struct pool *pool, size_t slot, uint32_t most)
{
	slot = (slot + 63) & ~(size_t)63;
	size_t links = ((size_t)most * sizeof(uint32_t) + 63) & ~(size_t)63;
	char *map = sys_map(links + slot * most);

	if (!map)
		return false;
	pool->links = (_Atomic uint32_t *)(void *)map;
	pool->slot = slot;
	pool->most = most;
	atomic_store(&pool->carved, 0);
	atomic_store(&pool->free, 0);
	pool->base = map + links;
	pool->other = pools;
	pools = pool;
	return true;
}

void pool_drop_all(void)
{
	for (struct pool *pool = pools; pool; pool = pool->other) {
		sys_unmap(pool->links, (size_t)(pool->base - (char *)pool->links) + pool->slot * pool->most);
		pool->base = NULL;
	}
}

void *pool_take(struct pool *pool)
{
	if (!pool->base)
		return NULL;

	uint64_t head = atomic_load_explicit(&pool->free, memory_order_acquire);
	while ((uint32_t)head != 0) {
		uint32_t index = (uint32_t)head - 1;
		/* May read the link of a slot that another thread takes just now; the tag makes the exchange
		 * fail then. */
		uint32_t next = atomic_load_explicit(&pool->links[index], memory_order_relaxed);
		uint64_t want = ((head >> 32) + 1) << 32 | next;
		if (atomic_compare_exchange_weak_explicit(&pool->free, &head, want, memory_order_acq_rel,
							  memory_order_acquire))
			return pool_slot(pool, index);
	}
	uint32_t carved = atomic_load_explicit(&pool->carved, memory_order_relaxed);
	while (carved < pool->most)
		if (atomic_compare_exchange_weak_explicit(&pool->carved, &carved, carved + 1,
							  memory_order_acq_rel, memory_order_relaxed))
			return pool_slot(pool, carved);
	return NULL;
}

void pool_give(struct pool *pool, void *slot)
{
	uint32_t index = pool_index(pool, slot);
	uint64_t head = atomic_load_explicit(&pool->free, memory_order_relaxed);
	uint64_t want;

	do {
		atomic_store_explicit(&pool->links[index], (uint32_t)head, memory_order_relaxed);
		want = ((head >> 32) + 1) << 32 | (index + 1);
	} while (!atomic_compare_exchange_weak_explicit(&pool->free, &head, want, memory_order_acq_rel,
							memory_order_relaxed));
}

static struct pool blocks, wides;

bool blocks_init(uint32_t most)
{
	return pool_init(&blocks, BLOCK_SIZE, most) && pool_init(&wides, WIDE_SIZE, WIDES(most));
}

char *wide_take(void)
{
	return pool_take(&wides);
}

void wide_give(char *wide)
{
	if (wide)
		pool_give(&wides, wide);
}

char *block_take(void)
{
	return pool_take(&blocks);
}

void block_give(char *block)
{
	if (block)
		pool_give(&blocks, block);
}
