/* http2_heap.h - what the HTTP/2 parser keeps in a connection's arena: decoders, what the last header blocks
 * said, streams in flight. Never copied, never put back: http2.h says how that works out. */
#ifndef TAGALONG_HTTP2_HEAP_H
#define TAGALONG_HTTP2_HEAP_H

#include <nghttp2/nghttp2.h>

#include "preload/protocol.h"

#define HTTP2_STREAMS 256             /* in flight */
#define HTTP2_STREAM_SLOTS 512        /* of the hash table: a power of two */
#define HTTP2_SETTINGS_WAITING 16     /* SETTINGS frames without an answer yet */
#define HTTP2_RECORDS (64 * 1024)     /* bytes of what the last header blocks of a half said */
#define HTTP2_RECORD_ROOM (16 * 1024) /* of these one block may have */
#define HTTP2_STATIC 61               /* names of the static table */
#define HTTP2_SAMES 4                 /* blocks that are known when they come again */

/* Of one SETTINGS frame; 0 in `given`: not in it. */
struct http2_settings {
	uint32_t table, frame_max, list_max;
	uint8_t given; /* bits, 1 << identifier */
};

/* What a header block said. Followed by its items. */
struct http2_record {
	_Alignas(8) uint32_t number; /* of the block, from 1 */
	uint32_t size;               /* with items, a multiple of 8 */
	uint32_t length, hash;
	uint32_t list;
	uint16_t status;
	uint16_t items, cut;
	uint8_t grpc_status;
};

/* Of a header block. */
struct http2_field {
	uint32_t index; /* of its name in the decoder's tables, 0: in none */
	struct bytes name, value;
};

/* As SETTINGS_MAX_HEADER_LIST_SIZE and the dynamic table count. */
static inline size_t http2_field_size(const struct http2_field *field)
{
	return field->name.len + field->value.len + 32;
}

/* A block, and what it said when the table was `table`, if it uses that. */
struct http2_same {
	uint64_t table;
	uint32_t size, adds;
	uint8_t len; /* 0: none */
	bool uses;
	char block[246];
	_Alignas(8) char record[512];
};

/* Blocks that the decoder is still to see. */
struct http2_late {
	uint32_t used;
	uint32_t adds; /* bytes, to the table */
	char blocks[8 * 1024];
};

struct http2_codec { /* of one half */
	nghttp2_hd_inflater *inflater;
	uint32_t inflated, applied;
	uint64_t table; /* another number with every block that may have changed the decoder's table */
	bool broken;
	bool resized; /* the table's size was changed, and no block has come since */
	bool limited; /* it was ever, last to this */
	uint32_t limit;
	char *text; /* the block under way, of `room` bytes */
	uint32_t room;
	uint32_t used; /* of records */
	struct http2_settings queue[HTTP2_SETTINGS_WAITING];
	struct http2_same same[HTTP2_SAMES];
	char scratch[2048]; /* texts of the field that is being read */
	struct http2_late late;
	_Alignas(8) char records[HTTP2_RECORDS];
};

struct http2_stream {
	uint64_t mark; /* for who is told */
	uint32_t id;   /* 0: free */
	bool headed;   /* the final response's head was told */
	bool gone;     /* the client reset it: closed at the next bytes of the server's */
	bool call;     /* gRPC */
	bool tunnel;   /* CONNECT: with its acceptance the exchange is over */
	uint8_t grpc_status;
	uint16_t status;
};

#define HTTP2_SIZES 26 /* 32, 48, 64, 96 ... bytes */

struct http2_memory {
	char *at, *end;
	void *free[HTTP2_SIZES];
};

struct http2_heap {
	struct http2_memory memory;
	nghttp2_mem calls;
	uint32_t streams, gone;
	struct http2_stream stream[HTTP2_STREAM_SLOTS];
	struct http2_codec codec[2];
};

/* http2_memory.c */
struct http2_heap *http2_heap_new(char *arena); /* NULL: no room for the decoders */
void *http2_alloc(struct http2_memory *memory, size_t size);
void http2_free(struct http2_memory *memory, void *ptr);
struct http2_stream *http2_stream_find(struct http2_heap *heap, uint32_t id);
struct http2_stream *http2_stream_open(struct http2_heap *heap, uint32_t id); /* NULL: too many */
void http2_stream_close(struct http2_heap *heap, uint32_t id);
void http2_streams_sweep(struct http2_heap *heap); /* closes those that are gone */

/* http2_fold.c, see preload/protocol.h */
bool http2_fold(void *state, char *arena, char *to, size_t size);
bool http2_unfold(void *state, const char *from, char *arena);

/* http2_late.c. False: broken, by a lack of memory. */
bool http2_late_put(struct http2_codec *codec, struct bytes block, uint32_t adds);
bool http2_late_feed(struct http2_codec *codec); /* all of them: now the decoder's table is right */

/* A block whose fields nobody asks for; false: not right, or no memory. */
bool http2_decoder_feed(nghttp2_hd_inflater *inflater, const uint8_t *block, size_t len);

/* http2_huffman.c: into `out`, which has room for twice as many bytes. How many, or -1: not right, or not
 * known here. */
ptrdiff_t http2_huffman(struct bytes code, char *out);

/* http2_record.c */
struct http2_record *http2_record_new(struct http2_codec *codec, uint32_t number);
struct http2_record *http2_record_find(struct http2_codec *codec, uint32_t number);
void http2_record_init(struct http2_record *record, uint32_t number); /* says nothing yet */
/* framed: of a carrier, for its FIELD. A name of at least one byte. */
void http2_record_keep(struct http2_record *record, bool requests, const struct http2_field *field,
		       uint64_t framed);
void http2_record_done(struct http2_codec *codec, struct http2_record *record);
/* Those of the first `blocks`, which are never fed again. Not while one is being told. */
void http2_record_trim(struct http2_codec *codec, uint32_t blocks);
void http2_record_forget(struct http2_codec *codec); /* those that are hardly needed any more */

#endif
