/* http2_memory.c - one connection's arena: what the decoders allocate, and the streams in flight.
 *
 * Allocation is by size class, with a list of free chunks each, and from the low end up, so that pages that a
 * conversation does not need are never touched. Nothing is joined again: a peer that spoils the arena with
 * ever other sizes uses up its own connection's budget, and is followed no longer. */
#include "hooks/protocols/http2.h"

_Static_assert((HTTP2_STREAM_SLOTS & (HTTP2_STREAM_SLOTS - 1)) == 0 && HTTP2_STREAM_SLOTS > HTTP2_STREAMS,
	       "the hash table always has a free slot");
_Static_assert(sizeof(struct http2_heap) <= PROTOCOL_ARENA_SIZE / 2, "the decoders need the rest");

/* Before what is handed out, which is aligned to 16. */
struct chunk {
	uint32_t size_class;
	uint32_t pad[3];
};

static size_t class_size(uint32_t size_class)
{
	return (size_class & 1 ? (size_t)48 : (size_t)32) << size_class / 2;
}

static void *reuse(struct http2_memory *memory, uint32_t size_class)
{
	void *ptr = memory->free[size_class];
	if (ptr)
		memcpy(&memory->free[size_class], ptr, sizeof(void *));
	return ptr;
}

void *http2_alloc(struct http2_memory *memory, size_t size)
{
	uint32_t size_class = 0;

	while (size_class < HTTP2_SIZES && class_size(size_class) < size)
		size_class++;
	if (size_class == HTTP2_SIZES)
		return NULL;
	void *ptr = reuse(memory, size_class);
	if (ptr)
		return ptr;
	size_t whole = sizeof(struct chunk) + class_size(size_class);
	if (whole <= (size_t)(memory->end - memory->at)) {
		struct chunk *chunk = (struct chunk *)(void *)memory->at;
		memory->at += whole;
		chunk->size_class = size_class;
		return chunk + 1;
	}
	while (!ptr && ++size_class < HTTP2_SIZES)
		ptr = reuse(memory, size_class);
	return ptr;
}

void http2_free(struct http2_memory *memory, void *ptr)
{
	if (!ptr)
		return;
	const struct chunk *chunk = (const struct chunk *)ptr - 1;
	memcpy(ptr, &memory->free[chunk->size_class], sizeof(void *));
	memory->free[chunk->size_class] = ptr;
}

/* --- as nghttp2 wants it -------------------------------------------------------------------------------- */

static void *call_malloc(size_t size, void *memory)
{
	return http2_alloc(memory, size);
}

static void call_free(void *ptr, void *memory)
{
	http2_free(memory, ptr);
}

static void *call_calloc(size_t count, size_t size, void *memory)
{
	if (size && count > PROTOCOL_ARENA_SIZE / size)
		return NULL;
	void *ptr = http2_alloc(memory, count * size);
	if (ptr)
		memset(ptr, 0, count * size);
	return ptr;
}

static void *call_realloc(void *old, size_t size, void *memory)
{
	if (!old)
		return http2_alloc(memory, size);
	size_t had = class_size(((const struct chunk *)old - 1)->size_class);
	if (size <= had)
		return old;
	void *ptr = http2_alloc(memory, size);
	if (ptr) {
		memcpy(ptr, old, had);
		http2_free(memory, old);
	}
	return ptr;
}

struct http2_heap *http2_heap_new(char *arena)
{
	struct http2_heap *heap = (struct http2_heap *)(void *)arena;
	size_t used = (sizeof(*heap) + 63) & ~(size_t)63;

	memset(heap, 0, offsetof(struct http2_heap, codec));
	heap->memory.at = arena + used;
	heap->memory.end = arena + PROTOCOL_ARENA_SIZE;
	heap->calls = (nghttp2_mem){&heap->memory, call_malloc, call_free, call_calloc, call_realloc};
	for (int i = 0; i < 2; i++) {
		struct http2_codec *codec = &heap->codec[i];
		memset(codec, 0, offsetof(struct http2_codec, records)); /* pages of records: when needed */
		if (nghttp2_hd_inflate_new2(&codec->inflater, &heap->calls) != 0)
			return NULL;
	}
	return heap;
}

/* --- streams: open addressing, ids of one parity in ascending order spread by themselves -----------------
 */

static uint32_t home(uint32_t id)
{
	return id / 2 & (HTTP2_STREAM_SLOTS - 1);
}

static uint32_t slot_of(const struct http2_heap *heap, uint32_t id)
{
	uint32_t slot = home(id);
	while (heap->stream[slot].id && heap->stream[slot].id != id)
		slot = (slot + 1) & (HTTP2_STREAM_SLOTS - 1);
	return slot;
}

struct http2_stream *http2_stream_find(struct http2_heap *heap, uint32_t id)
{
	struct http2_stream *stream = &heap->stream[slot_of(heap, id)];
	return stream->id ? stream : NULL;
}

struct http2_stream *http2_stream_open(struct http2_heap *heap, uint32_t id)
{
	struct http2_stream *stream = &heap->stream[slot_of(heap, id)];
	if (stream->id) {
		heap->gone -= stream->gone;
		stream->gone = false;
		return stream;
	}
	if (heap->streams == HTTP2_STREAMS && heap->gone) {
		http2_streams_sweep(heap);
		stream = &heap->stream[slot_of(heap, id)];
	}
	if (heap->streams == HTTP2_STREAMS)
		return NULL;
	heap->streams++;
	*stream = (struct http2_stream){.id = id, .grpc_status = GRPC_NONE};
	return stream;
}

void http2_stream_close(struct http2_heap *heap, uint32_t id)
{
	uint32_t hole = slot_of(heap, id);
	if (!heap->stream[hole].id)
		return;
	heap->streams--;
	heap->gone -= heap->stream[hole].gone;
	heap->stream[hole].id = 0;
	/* What had to go past the hole moves up. */
	for (uint32_t slot = (hole + 1) & (HTTP2_STREAM_SLOTS - 1); heap->stream[slot].id;
	     slot = (slot + 1) & (HTTP2_STREAM_SLOTS - 1)) {
		uint32_t want = home(heap->stream[slot].id);
		if (((slot - want) & (HTTP2_STREAM_SLOTS - 1)) < ((slot - hole) & (HTTP2_STREAM_SLOTS - 1)))
			continue;
		heap->stream[hole] = heap->stream[slot];
		heap->stream[slot].id = 0;
		hole = slot;
	}
}

void http2_streams_sweep(struct http2_heap *heap)
{
	for (uint32_t i = 0; i < HTTP2_STREAM_SLOTS && heap->gone;) {
		const struct http2_stream *stream = &heap->stream[i];
		if (stream->id && stream->gone)
			http2_stream_close(heap, stream->id); /* another may move here */
		else
			i++;
	}
	heap->gone = 0;
}
