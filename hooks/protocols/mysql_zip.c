/* mysql_zip.c - MySQL's compressed protocol: packets around pieces of the packets' stream.
 *
 * Each compressed packet is a zlib stream of its own. The inflaters live in the arena and so are never put
 * back. What the server sends is never fed twice. What the client sends may be: when that happens in the
 * middle of a packet, the inflater is taken back to the copy that was made where that feed began. */
#include "hooks/protocols/mysql_heap.h"

#define TABLE_SIZE (PROTOCOL_ARENA_SIZE - offsetof(struct mysql_heap, table))

static struct mysql_heap *begin(char *arena)
{
	struct mysql_heap *heap = (struct mysql_heap *)(void *)arena;

	heap->inflater[0].made = heap->inflater[1].made = false;
	heap->before.made = false;
	return heap;
}

struct mysql_heap *mysql_heap(struct mysql_run *run)
{
	struct protocol_arena *arena = run->sink->arena;
	bool first = arena->base == NULL;
	char *base = first || arena->folded ? arena->take(arena) : arena->base;

	if (base && first)
		db_prepared_init(begin(base)->table, TABLE_SIZE);
	return (struct mysql_heap *)(void *)base;
}

struct db_prepared *mysql_table(struct mysql_run *run)
{
	struct mysql_heap *heap = mysql_heap(run);
	return heap ? (struct db_prepared *)(void *)heap->table : NULL;
}

/* Each compressed packet begins anew: what an inflater knows is of use in the middle of one only. */
static bool inflating(const struct mysql_half *half)
{
	return half->zipped && half->zip_got == sizeof(half->zip_head) && !half->zip_plain && half->zip_done;
}

bool mysql_fold(void *opaque, char *arena, char *to, size_t size)
{
	const struct mysql_state *state = opaque;
	const struct mysql_heap *heap = (const struct mysql_heap *)(const void *)arena;

	return !inflating(&state->half[HALF_REQUESTS]) && !inflating(&state->half[HALF_RESPONSES]) &&
	       db_prepared_fold((const struct db_prepared *)(const void *)heap->table, to, size, NULL);
}

bool mysql_unfold(void *opaque, const char *from, char *arena)
{
	struct mysql_state *state = opaque;
	struct mysql_heap *heap = begin(arena);

	if (state->missed)
		db_prepared_init(heap->table, TABLE_SIZE);
	else
		db_prepared_unfold(heap->table, TABLE_SIZE, from);
	state->missed = false;
	return true;
}

static void *allocate(void *opaque, unsigned items, unsigned size)
{
	struct mysql_inflater *inflater = opaque;
	uint64_t wanted = ((uint64_t)items * size + 15) & ~(uint64_t)15;

	if (wanted > sizeof(inflater->memory) - inflater->used)
		return NULL;
	inflater->used += (uint32_t)wanted;
	return inflater->memory + inflater->used - wanted;
}

static void release(void *opaque, void *memory)
{
	(void)opaque;
	(void)memory;
}

static bool renew(struct mysql_inflater *inflater)
{
	if (inflater->made)
		return inflateReset(&inflater->stream) == Z_OK;
	inflater->used = 0;
	inflater->stream = (z_stream){.zalloc = allocate, .zfree = release, .opaque = inflater};
	inflater->made = inflateInit(&inflater->stream) == Z_OK;
	return inflater->made;
}

static uint64_t place_of(const struct mysql_half *half)
{
	return (uint64_t)half->zip_packets << 32 | half->zip_done;
}

/* The inflater that stands where this half does. */
static struct mysql_inflater *inflater_of(struct mysql_run *run, struct mysql_heap *heap)
{
	struct mysql_inflater *inflater = &heap->inflater[run->requests ? HALF_REQUESTS : HALF_RESPONSES];
	uint64_t place = place_of(run->half);

	if (run->half->zip_done == 0) {
		if (!renew(inflater))
			return NULL;
		inflater->place = place;
		return inflater;
	}
	if (!inflater->made)
		return NULL;
	if (inflater->place != place && run->requests && heap->before.made && heap->before.place == place)
		memcpy(inflater, &heap->before, sizeof(*inflater));
	return inflater->place == place ? inflater : NULL;
}

/* Where a feed begins in the middle of a packet. */
static void keep(struct mysql_run *run, struct mysql_heap *heap, const struct mysql_inflater *inflater)
{
	if (run->requests && run->half->zip_done)
		memcpy(&heap->before, inflater, sizeof(heap->before));
}

static void inflate_piece(struct mysql_run *run, struct mysql_heap *heap, struct mysql_inflater *inflater,
			  struct bytes in)
{
	struct mysql_half *half = run->half;
	z_stream *stream = &inflater->stream;

	stream->next_in = (z_const Bytef *)(uintptr_t)in.ptr;
	stream->avail_in = (uInt)in.len;
	for (;;) {
		stream->next_out = (Bytef *)heap->piece;
		stream->avail_out = sizeof(heap->piece);
		int result = inflate(stream, Z_NO_FLUSH);
		size_t got = sizeof(heap->piece) - stream->avail_out;
		bool wrong = (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) ||
			     got > half->zip_size;
		if (got > half->zip_size)
			got = half->zip_size;
		half->zip_size -= (uint32_t)got;
		mysql_stream(run, (struct bytes){heap->piece, got});
		if (wrong)
			mysql_opaque(run, OPAQUE_MALFORMED);
		if (run->state->opaque || result != Z_OK || (stream->avail_in == 0 && stream->avail_out))
			break;
	}
	inflater->place += in.len;
	half->zip_done += (uint32_t)in.len;
}

static void zip_payload(struct mysql_run *run, struct bytes in, bool first)
{
	struct mysql_half *half = run->half;
	struct mysql_heap *heap = half->zip_plain ? NULL : mysql_heap(run);
	struct mysql_inflater *inflater = heap ? inflater_of(run, heap) : NULL;

	if (half->zip_plain) {
		mysql_stream(run, in);
	} else if (!inflater) {
		mysql_opaque(run, heap ? OPAQUE_LOST : OPAQUE_TOO_LARGE);
		return;
	} else {
		if (first)
			keep(run, heap, inflater);
		inflate_piece(run, heap, inflater, in);
	}
	half->zip_left -= (uint32_t)in.len;
	if (half->zip_left)
		return;
	half->zip_got = 0;
	if (!half->zip_plain && half->zip_size && !run->state->opaque)
		mysql_opaque(run, OPAQUE_MALFORMED);
}

static void zip_head(struct mysql_half *half)
{
	const uint8_t *at = half->zip_head;

	half->zip_left = at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16;
	half->zip_size = at[4] | (uint32_t)at[5] << 8 | (uint32_t)at[6] << 16;
	half->zip_plain = half->zip_size == 0;
	half->zip_packets++;
	half->zip_done = 0;
	if (half->zip_left == 0)
		half->zip_got = 0;
}

void mysql_zip(struct mysql_run *run, struct bytes in)
{
	struct mysql_half *half = run->half;
	const size_t base = run->in.len - in.len;
	size_t used = 0;

	while (used < in.len && !run->state->opaque) {
		bool first = used == 0;
		if (half->zip_got < sizeof(half->zip_head)) {
			half->zip_head[half->zip_got++] = (uint8_t)in.ptr[used++];
			if (half->zip_got == sizeof(half->zip_head))
				zip_head(half);
			continue;
		}
		struct bytes piece = bytes_until(bytes_from(in, used), half->zip_left);
		used += piece.len;
		run->at = base + used;
		zip_payload(run, piece, first);
	}
}
