/* http2_blocks.h - header blocks, each read as the parser reads it and by nghttp2's decoder alone: they must say the same, and
 * leave the same table. */
#ifndef TAGALONG_HTTP2_BLOCKS_H
#define TAGALONG_HTTP2_BLOCKS_H

#include <stdio.h>
#include <stdlib.h>

#include "tests/support/http2_replay.h"

struct blocks_way {
	struct protocol_sink sink; /* first */
	struct http2_state state;
	struct http2_run run;
	enum protocol_opaque opaque;
	char *arena;
};

struct blocks {
	struct blocks_way ours, alone;
	uint32_t count, late; /* blocks; those of them that the decoder had not seen when they were read */
};

static inline void blocks_event(struct protocol_sink *sink, const struct protocol_event *event)
{
	struct blocks_way *way = (struct blocks_way *)(void *)sink;
	if (event->type == EVENT_OPAQUE)
		way->opaque = (enum protocol_opaque)event->number;
}

static inline void blocks_open_way(struct blocks_way *way, enum protocol_half half)
{
	memset(way, 0, sizeof(*way));
	way->arena = aligned_alloc(64, PROTOCOL_ARENA_SIZE);
	way->sink.event = blocks_event;
	way->state.heap = http2_heap_new(way->arena);
	way->state.half[half].started = true;
	way->run.state = &way->state;
	way->run.half = &way->state.half[half];
	way->run.other = &way->state.half[!half];
	way->run.codec = &way->state.heap->codec[half];
	way->run.requests = half == HALF_REQUESTS;
	way->run.sink = &way->sink;
}

static inline void blocks_open(struct blocks *blocks, enum protocol_half half)
{
	replay_settings();
	blocks_open_way(&blocks->ours, half);
	blocks_open_way(&blocks->alone, half);
	blocks->count = blocks->late = 0;
}

static inline void blocks_close(struct blocks *blocks)
{
	free(blocks->ours.arena);
	free(blocks->alone.arena);
}

static inline void blocks_differ(const char *what)
{
	fprintf(stderr, "%s differs\n", what);
	abort();
}

/* Both tables, entry by entry, the decoder having seen all. */
static inline void blocks_compare_tables(struct blocks *blocks)
{
	nghttp2_hd_inflater *a = blocks->ours.run.codec->inflater, *b = blocks->alone.run.codec->inflater;
	if (blocks->ours.state.opaque || blocks->alone.state.opaque)
		return;
	if (!http2_late_feed(blocks->ours.run.codec))
		blocks_differ("what the decoder takes");
	size_t entries = nghttp2_hd_inflate_get_num_table_entries(a);
	if (nghttp2_hd_inflate_get_num_table_entries(b) != entries)
		blocks_differ("the number of entries");
	if (nghttp2_hd_inflate_get_max_dynamic_table_size(a) != nghttp2_hd_inflate_get_max_dynamic_table_size(b))
		blocks_differ("the table's size");
	for (size_t i = 1; i <= entries; i++) {
		const nghttp2_nv *x = nghttp2_hd_inflate_get_table_entry(a, i);
		const nghttp2_nv *y = nghttp2_hd_inflate_get_table_entry(b, i);
		if (x->namelen != y->namelen || x->valuelen != y->valuelen || memcmp(x->name, y->name, x->namelen) != 0 ||
		    memcmp(x->value, y->value, x->valuelen) != 0)
			blocks_differ("an entry");
	}
}

static inline struct http2_record *blocks_read(struct blocks_way *way, struct bytes block, enum http2_kind kind, uint32_t number,
					       bool (*inflate)(struct http2_run *, struct bytes, struct http2_record *))
{
	way->run.half->kind = (uint8_t)kind;
	struct http2_record *record = http2_record_new(way->run.codec, number);
	if (way->state.opaque || !inflate(&way->run, block, record))
		return NULL;
	return record; /* the room is the next one's again */
}

static inline void blocks_take(struct blocks *blocks, struct bytes block, enum http2_kind kind)
{
	const struct http2_record *ours = blocks_read(&blocks->ours, block, kind, ++blocks->count, http2_inflate);
	const struct http2_record *alone = blocks_read(&blocks->alone, block, kind, blocks->count, http2_inflate_all);
	if (!ours != !alone || blocks->ours.opaque != blocks->alone.opaque)
		blocks_differ("whether it is right");
	if (!ours)
		return;
	if (ours->size != alone->size || memcmp(ours, alone, ours->size) != 0)
		blocks_differ("what it says");
	blocks->late += blocks->ours.run.codec->late.used > 0;
}

/* The table's size, as acknowledged SETTINGS change it. */
static inline void blocks_resize(struct blocks *blocks, uint32_t size)
{
	struct blocks_way *ways[] = {&blocks->ours, &blocks->alone};
	for (int i = 0; i < 2; i++) {
		const char payload[6] = {0, SETTING_TABLE, (char)(size >> 24), (char)(size >> 16), (char)(size >> 8), (char)size};
		struct http2_run run = ways[i]->run;
		if (ways[i]->state.opaque)
			return;
		/* Those of a client bind its server at once where the connection was upgraded. */
		run.half = &ways[i]->state.half[HALF_REQUESTS];
		run.other = &ways[i]->state.half[HALF_RESPONSES];
		http2_settings_upgraded(&run, (struct bytes){payload, sizeof(payload)});
	}
}

#endif
