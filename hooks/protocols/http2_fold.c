/* http2_fold.c - the arena packed, for a connection that waits: what the decoders' tables hold, the settings
 * that are still to be acknowledged, the streams in flight.
 *
 * A table is packed as a header block that adds its entries, the oldest first: a new decoder that reads it
 * has the same table. What only saves work (blocks that are known when they come again) is not kept, nor is
 * what was said by blocks that are not fed again. */
#include "hooks/protocols/http2.h"

#define TABLE_USUAL 4096

struct folded_codec {
	uint64_t table;
	uint32_t inflated, applied;
	uint32_t limit;
	uint32_t len; /* of the block */
	bool broken, resized, limited;
	struct http2_settings queue[HTTP2_SETTINGS_WAITING];
};

/* Then the streams, then the blocks. */
struct folded {
	uint32_t streams;
	struct folded_codec codec[2];
};

struct writer {
	char *at, *end; /* at NULL: no room */
};

static void put(struct writer *out, const void *what, size_t len)
{
	if (!out->at || len > (size_t)(out->end - out->at)) {
		out->at = NULL;
		return;
	}
	memcpy(out->at, what, len);
	out->at += len;
}

static void put_integer(struct writer *out, uint8_t first, unsigned bits, size_t value)
{
	uint8_t text[12];
	size_t len = 1, most = (1u << bits) - 1;

	text[0] = (uint8_t)(first | (value < most ? value : most));
	if (value >= most) {
		for (value -= most; value >= 128; value >>= 7)
			text[len++] = (uint8_t)(0x80 | (value & 127));
		text[len++] = (uint8_t)value;
	}
	put(out, text, len);
}

static void put_entry(struct writer *out, const nghttp2_nv *entry)
{
	put(out, "\x40", 1);
	put_integer(out, 0, 7, entry->namelen);
	put(out, entry->name, entry->namelen);
	put_integer(out, 0, 7, entry->valuelen);
	put(out, entry->value, entry->valuelen);
}

static void put_table(struct writer *out, const struct http2_codec *codec)
{
	nghttp2_hd_inflater *inflater = codec->inflater;
	size_t size = nghttp2_hd_inflate_get_max_dynamic_table_size(inflater);
	size_t entries = nghttp2_hd_inflate_get_num_table_entries(inflater);

	if (codec->limited || size != TABLE_USUAL)
		put_integer(out, 0x20, 5, size);
	for (size_t i = entries; i > HTTP2_STATIC; i--)
		put_entry(out, nghttp2_hd_inflate_get_table_entry(inflater, i));
}

/* Is there anything that another feed still goes back to? A decoder that waits for its table's new size says
 * so to nobody: only one that has seen nothing yet is known to be as a new one. */
static bool busy(const struct http2_state *state, enum protocol_half which)
{
	const struct http2_half *half = &state->half[which];
	const struct http2_codec *codec = &state->heap->codec[which];
	return half->block_stream || codec->inflated != half->blocks || (codec->resized && codec->inflated);
}

static void fold_codec(struct writer *out, struct http2_codec *codec, struct folded_codec *folded)
{
	const char *from = out->at;

	*folded = (struct folded_codec){
		.table = codec->table,
		.inflated = codec->inflated,
		.applied = codec->applied,
		.limit = codec->limit,
		.broken = codec->broken,
		.resized = codec->resized,
		.limited = codec->limited,
	};
	memcpy(folded->queue, codec->queue, sizeof(folded->queue));
	if (!codec->resized && !codec->broken)
		put_table(out, codec);
	folded->len = out->at ? (uint32_t)(out->at - from) : 0;
}

bool http2_fold(void *opaque, char *arena, char *to, size_t size)
{
	(void)arena;
	struct http2_state *state = opaque;
	struct http2_heap *heap = state->heap;
	struct folded *folded = (struct folded *)(void *)to;
	struct writer out = {to + sizeof(*folded), to + size};

	if (!heap || state->opaque || busy(state, HALF_REQUESTS) || busy(state, HALF_RESPONSES))
		return false;
	folded->streams = 0;
	for (uint32_t i = 0; i < HTTP2_STREAM_SLOTS; i++)
		if (heap->stream[i].id) {
			put(&out, &heap->stream[i], sizeof(heap->stream[i]));
			folded->streams++;
		}
	for (int i = 0; i < 2 && out.at; i++) {
		(void)http2_late_feed(&heap->codec[i]); /* false: it is known to be broken then */
		fold_codec(&out, &heap->codec[i], &folded->codec[i]);
	}
	if (!out.at)
		return false;
	state->heap = NULL;
	state->folded = true;
	return true;
}

static bool unfold_codec(struct http2_codec *codec, const struct folded_codec *folded, const char *block)
{
	nghttp2_hd_inflater *inflater = codec->inflater;

	codec->table = folded->table;
	codec->inflated = folded->inflated;
	codec->applied = folded->applied;
	codec->limit = folded->limit;
	codec->broken = folded->broken;
	codec->resized = folded->resized;
	codec->limited = folded->limited;
	memcpy(codec->queue, folded->queue, sizeof(codec->queue));
	if (codec->limited && nghttp2_hd_inflate_change_table_size(inflater, codec->limit) != 0)
		return false;
	return folded->len == 0 || http2_decoder_feed(inflater, (const uint8_t *)block, folded->len);
}

bool http2_unfold(void *opaque, const char *from, char *arena)
{
	struct http2_state *state = opaque;
	const struct folded *folded = (const struct folded *)(const void *)from;
	struct http2_heap *heap = http2_heap_new(arena);

	state->folded = false;
	if (!heap)
		return false;
	from += sizeof(*folded);
	for (uint32_t i = 0; i < folded->streams; i++) {
		struct http2_stream stream;
		memcpy(&stream, from, sizeof(stream));
		from += sizeof(stream);
		*http2_stream_open(heap, stream.id) = stream;
		heap->gone += stream.gone;
	}
	for (int i = 0; i < 2; i++) {
		if (!unfold_codec(&heap->codec[i], &folded->codec[i], from))
			return false;
		from += folded->codec[i].len;
	}
	state->heap = heap;
	return true;
}
