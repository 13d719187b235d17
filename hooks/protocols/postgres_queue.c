/* postgres_queue.c - what was asked, in order; the answers come in the same. */
#include "hooks/protocols/postgres.h"

_Static_assert((POSTGRES_QUEUE & (POSTGRES_QUEUE - 1)) == 0 && (POSTGRES_LONG & (POSTGRES_LONG - 1)) == 0,
	       "numbers may begin again at 0");

struct postgres_heap *postgres_heap(struct postgres_run *run)
{
	struct postgres_state *state = run->state;

	if (state->heap)
		return state->heap;
	char *arena = run->sink->arena ? run->sink->arena->take(run->sink->arena) : NULL;
	if (arena) {
		state->heap = (struct postgres_heap *)(void *)arena;
		db_prepared_init(state->heap->table, PROTOCOL_ARENA_SIZE - sizeof(struct postgres_heap));
	}
	return state->heap;
}

uint8_t *postgres_item(struct postgres_run *run, uint32_t number)
{
	struct postgres_requests *asks = postgres_asks(run);

	return asks->is_long ? &run->state->heap->queue[number % POSTGRES_LONG]
			     : &asks->queue[number % POSTGRES_QUEUE];
}

static bool lengthen(struct postgres_run *run)
{
	struct postgres_requests *asks = postgres_asks(run);
	struct postgres_heap *heap = asks->is_long ? NULL : postgres_heap(run);

	if (!heap)
		return false;
	for (uint32_t i = postgres_answers(run)->answered; i != asks->asked; i++)
		heap->queue[i % POSTGRES_LONG] = asks->queue[i % POSTGRES_QUEUE];
	asks->is_long = true;
	return true;
}

void postgres_push(struct postgres_run *run, enum postgres_item item)
{
	struct postgres_requests *asks = postgres_asks(run);
	uint32_t waiting = asks->asked - postgres_answers(run)->answered;

	if (waiting >= (asks->is_long ? POSTGRES_LONG : POSTGRES_QUEUE) && !lengthen(run)) {
		postgres_opaque(run, OPAQUE_TOO_LARGE);
		return;
	}
	*postgres_item(run, asks->asked++) = (uint8_t)item;
}

uint8_t postgres_front(struct postgres_run *run)
{
	uint32_t answered = postgres_answers(run)->answered;
	return answered == postgres_asks(run)->asked ? ITEM_NONE : *postgres_item(run, answered);
}
