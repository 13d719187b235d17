/* conn_arena.c - arenas: taken, given back, and folded away for those who need one now.
 *
 * There are few, and a protocol that keeps one as long as its connection lives would be out of them with the
 * first few hundred connections, of which most wait for their next call. So whoever finds none looks for a
 * connection that has not used its own for a while, and has its protocol fold what that holds into a little
 * one, from which it goes on in a fresh arena with its next bytes. */
#include "preload/conn_internal.h"

#define LOOKS 128 /* at arenas of others, for one that can be had */

/* Before each of the large ones. */
struct arena_slot {
	_Atomic uint32_t owner; /* the connection's index + 1; 0: nobody's, or about to be somebody's */
	_Alignas(64) char base[];
};

_Static_assert(offsetof(struct arena_slot, base) == 64, "an arena is aligned");

static struct pool arenas, little_arenas;
static _Atomic uint32_t hand; /* of the clock that goes round over them */

void conn_arenas_init(uint32_t max_connections)
{
	/* Address space, until one is used. Without it, multiplexed protocols are not followed. */
	(void)pool_init(&arenas, sizeof(struct arena_slot) + PROTOCOL_ARENA_SIZE,
			CONN_ARENAS(max_connections));
	(void)pool_init(&little_arenas, PROTOCOL_LITTLE_ARENA, CONN_LITTLE_ARENAS(max_connections));
}

static struct arena_slot *slot_of(const struct conn *conn)
{
	return (struct arena_slot *)(void *)(conn->arena.base - offsetof(struct arena_slot, base));
}

void conn_give_arena(struct conn *conn)
{
	if (conn->arena.base && conn->arena.little) {
		pool_give(&little_arenas, conn->arena.base);
	} else if (conn->arena.base) {
		atomic_store_explicit(&slot_of(conn)->owner, 0, memory_order_relaxed);
		pool_give(&arenas, slot_of(conn));
	}
	conn->arena.base = NULL;
	conn->arena.little = conn->arena.folded = false;
}

/* Its lock is held. What was looked at ahead of a write may have to be told again, from the arena. */
static bool may_fold(const struct conn *conn, const struct arena_slot *slot)
{
	return conn->arena.base == slot->base && conn->protocol->fold && conn->mode == CONN_FOLLOWED &&
	       !conn->lost && !conn->kept && atomic_load(&conn->sending) == 0;
}

static bool fold_owner(struct arena_slot *slot, char *little, bool used_as_well)
{
	uint32_t owner = atomic_load_explicit(&slot->owner, memory_order_acquire);
	struct conn *conn = owner ? conn_slot(owner - 1) : NULL;
	bool folded = false;

	if (!conn || !conn_hold(conn))
		return false;
	/* Never waited for: who holds it is at work in the arena, and may wait for ours. */
	if (!atomic_exchange_explicit(&conn->lock, 1, memory_order_acquire)) {
		bool used = conn->arena.used && !used_as_well;
		conn->arena.used = false;
		folded = !used && may_fold(conn, slot) &&
			 conn->protocol->fold(conn->state, slot->base, little, PROTOCOL_LITTLE_ARENA);
		if (folded) {
			atomic_store_explicit(&slot->owner, 0, memory_order_relaxed);
			conn->arena.base = little;
			conn->arena.little = conn->arena.folded = true;
		}
		atomic_store_explicit(&conn->lock, 0, memory_order_release);
	}
	conn_put(conn);
	return folded;
}

static struct arena_slot *take_anothers(void)
{
	uint32_t slots = atomic_load_explicit(&arenas.carved, memory_order_relaxed);
	char *little = slots ? pool_take(&little_arenas) : NULL;

	if (!little)
		return NULL;
	for (uint32_t looks = 0; looks < LOOKS; looks++) {
		uint32_t at = atomic_fetch_add_explicit(&hand, 1, memory_order_relaxed) % slots;
		struct arena_slot *slot = pool_slot(&arenas, at);
		if (fold_owner(slot, little, looks >= LOOKS / 2))
			return slot;
	}
	pool_give(&little_arenas, little);
	return NULL;
}

char *conn_take_arena(struct protocol_arena *arena)
{
	struct conn *conn = (struct conn *)(void *)((char *)arena - offsetof(struct conn, arena));
	char *from = arena->base;

	if (from && !arena->folded)
		return from;
	if (!from && arena->little && (arena->base = pool_take(&little_arenas)) != NULL)
		return arena->base;
	struct arena_slot *slot = pool_take(&arenas);
	if (!slot)
		slot = take_anothers();
	if (!slot) {
		arena->little = from != NULL;
		return NULL;
	}
	atomic_store_explicit(&slot->owner, conn_index(conn) + 1, memory_order_release);
	arena->base = slot->base;
	arena->little = arena->folded = false;
	if (!from)
		return arena->base;
	bool right = conn->protocol->unfold && conn->protocol->unfold(conn->state, from, arena->base);
	pool_give(&little_arenas, from);
	return right ? arena->base : NULL;
}
