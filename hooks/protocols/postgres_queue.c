/* postgres_queue.c - what was asked, in order; the answers come in the same. */
#include "hooks/protocols/postgres.h"

_Static_assert((POSTGRES_QUEUE & (POSTGRES_QUEUE - 1)) == 0 && (POSTGRES_LONG & (POSTGRES_LONG - 1)) == 0,
	       "numbers may begin again at 0");

#define TABLE_SIZE (PROTOCOL_ARENA_SIZE - sizeof(struct postgres_heap))

struct postgres_heap *postgres_heap(struct postgres_run *run)
{
	struct postgres_state *state = run->state;

	if (state->heap)
		return state->heap;
	char *arena = run->sink->arena ? run->sink->arena->take(run->sink->arena) : NULL;
	if (arena && !state->heap) { /* else it was unfolded */
		state->heap = (struct postgres_heap *)(void *)arena;
		db_prepared_init(state->heap->table, TABLE_SIZE);
	}
	return state->heap;
}

struct db_prepared *postgres_table(struct postgres_run *run)
{
	const struct protocol_arena *arena = run->sink->arena;
	bool there = run->state->heap || (arena && arena->folded);
	struct postgres_heap *heap = there ? postgres_heap(run) : NULL;

	return heap ? (struct db_prepared *)(void *)heap->table : NULL;
}

/* --- folded ----------------------------------------------------------------------------------------------
 */

static bool shorten(struct postgres_state *state)
{
	struct postgres_requests *asks = &state->requests;

	if (asks->asked - state->responses.answered > POSTGRES_QUEUE)
		return false;
	for (uint32_t i = state->responses.answered; asks->is_long && i != asks->asked; i++)
		asks->queue[i % POSTGRES_QUEUE] = state->heap->queue[i % POSTGRES_LONG];
	asks->is_long = false;
	return true;
}

/* A call that is being written (a Bind whose Execute may follow) refers to a statement by its place. */
bool postgres_fold(void *opaque, char *arena, char *to, size_t size)
{
	struct postgres_state *state = opaque;
	struct postgres_requests *asks = &state->requests;
	bool open = asks->group && state->responses.exchange < asks->exchange;
	bool refers = asks->source == SOURCE_TABLE;
	db_prepared_ref ref = refers ? asks->ref : 0;

	if (!state->heap || state->heap != (void *)arena)
		return false;
	struct db_prepared *table = (struct db_prepared *)(void *)state->heap->table;
	if (db_prepared_changes(table) != asks->changes) /* put back */
		db_prepared_go_back(table, asks->changes);
	if (!db_prepared_fold(table, to, size, &ref) || (open && refers && !ref) || !shorten(state))
		return false;
	if (refers)
		asks->ref = ref;
	state->heap = NULL;
	return true;
}

bool postgres_unfold(void *opaque, const char *from, char *arena)
{
	struct postgres_state *state = opaque;

	state->heap = (struct postgres_heap *)(void *)arena;
	if (state->missed)
		db_prepared_forget(state->heap->table, TABLE_SIZE, state->requests.changes);
	else
		db_prepared_unfold(state->heap->table, TABLE_SIZE, from);
	state->missed = false;
	return true;
}

/* --- the queue -------------------------------------------------------------------------------------------
 */

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
