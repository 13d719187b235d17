/* pool.h - equal slots in one mapping: O(1), lock-free, never unmapped (a stale pointer still points at a
 * slot of the same type). Memory is touched only as slots are first used. Any thread, any context. */
#ifndef TAGALONG_POOL_H
#define TAGALONG_POOL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pool {
	char *base;
	size_t slot;   /* bytes, a multiple of 64 */
	uint32_t most; /* slots */
	_Atomic uint32_t carved;
	_Atomic uint64_t free; /* low 32: index + 1 of the first free slot, high 32: a tag against ABA */
	_Atomic uint32_t *links;
	struct pool *other; /* made before this one */
};

bool pool_init(struct pool *pool, size_t slot, uint32_t most);
void pool_drop_all(void);           /* the constructor's way back, when one of them could not be had */
void *pool_take(struct pool *pool); /* contents undefined; NULL when all are taken */
void pool_give(struct pool *pool, void *slot);

static inline uint32_t pool_index(const struct pool *pool, const void *slot)
{
	return (uint32_t)((size_t)((const char *)slot - pool->base) / pool->slot);
}

static inline void *pool_slot(const struct pool *pool, uint32_t index)
{
	return pool->base + (size_t)index * pool->slot;
}

/* The one pool of PROTOCOL_STASH_SIZE-and-a-bit blocks that connections and spans draw on. */
#define BLOCK_SIZE 9216
bool blocks_init(uint32_t most);
char *block_take(void);
void block_give(char *block);
/* And a few wide ones, for the edits of a write that holds many requests. */
#define WIDE_SIZE (64 * 1024)
#define WIDES(blocks) ((blocks) / 32 + 1)
char *wide_take(void);
void wide_give(char *wide);

#endif
