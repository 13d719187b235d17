/* http2.h - what the files of the HTTP/2 parser share with each other and nobody else.
 *
 * http2.c         the protocol: preface, frames, events
 * http2_control.c SETTINGS, RST_STREAM, GOAWAY: frames that change what other frames mean
 * http2_head.c    header blocks: collected, inflated once, told
 * http2_inflate.c what a block says
 * http2_huffman.c its texts
 * http2_late.c    blocks that the decoder is still to see
 * http2_record.c  what a header block said
 * grpc.c          what a request and its trailers mean where they are a call
 * http2_memory.c  the arena: allocator, streams
 * http2_fold.c    the arena packed, for a connection that waits
 * http2_edit.c    fields put into a header block that is on its way out
 *
 * Two kinds of state. struct http2_state is plain: a connection copies it, feeds ahead of a write, puts the
 * copy back when less was written, and feeds what really went. struct http2_heap, in the arena, is never put
 * back: an HPACK decoder cannot take a block back. So the plain state counts what it has come to, and the
 * heap knows what was done already:
 *
 * - Header blocks: half.blocks against codec.inflated. A block that comes again is not inflated again. What
 * it said was recorded, with its length and hash, and is told from there; other bytes in its place are
 * noticed, and the connection given up.
 *
 * - SETTINGS: half.acks against codec.applied. What was acknowledged changes the decoder once. Those that
 * wait for that are numbered, so that the same ones go to the same places when they come again.
 *
 * - codec.text, the part of a block that has come so far. Only the first block not inflated yet needs it, and
 * no other has followed that one: the same bytes go to the same places.
 *
 * - Streams: opening one that is there is a no-op. One that the client resets stays until the server's next
 *   bytes, which no client's write is put back over.
 *
 * What the server sends is never looked at ahead, and what of that was fed in the meantime stays. */
#ifndef TAGALONG_HTTP2_H
#define TAGALONG_HTTP2_H

#include "hooks/protocols/grpc.h"
#include "hooks/protocols/http2_heap.h"

#define HTTP2_BLOCK_MAX (64 * 1024) /* compressed bytes of one header block */
#define HTTP2_LIST_MAX (256 * 1024) /* and inflated, as SETTINGS_MAX_HEADER_LIST_SIZE counts */
#define HTTP2_CONTINUATIONS_MAX 64  /* frames of one block */
#define HTTP2_FRAME_MIN 16384       /* what every peer must accept */
#define HTTP2_HEADER 9              /* bytes of a frame's header */

enum http2_type {
	FRAME_DATA,
	FRAME_HEADERS,
	FRAME_PRIORITY,
	FRAME_RST_STREAM,
	FRAME_SETTINGS,
	FRAME_PUSH_PROMISE,
	FRAME_PING,
	FRAME_GOAWAY,
	FRAME_WINDOW_UPDATE,
	FRAME_CONTINUATION,
};

#define FLAG_ACK 0x01u
#define FLAG_END_STREAM 0x01u
#define FLAG_END_HEADERS 0x04u
#define FLAG_PADDED 0x08u
#define FLAG_PRIORITY 0x20u

enum http2_phase {
	PHASE_PREFACE, /* the client's 24 bytes */
	PHASE_HEADER,
	PHASE_PREFIX, /* `want` bytes of the payload are collected in `small` */
	PHASE_BODY,   /* `left` bytes: a fragment of a header block, or passed over */
	PHASE_PADDING,
};

/* Other: pushed, closed streams, the trailers of requests. */
enum http2_kind { BLOCK_OTHER, BLOCK_REQUEST, BLOCK_RESPONSE, BLOCK_TRAILERS };

#define SETTING_TABLE 1
#define SETTING_FRAME_MAX 5
#define SETTING_LIST_MAX 6

struct http2_half {
	uint32_t length, left; /* of the payload: all; what is to come, without the padding */
	uint32_t stream;
	uint32_t number;       /* RST_STREAM: the code; GOAWAY: last stream */
	uint32_t frame_max;    /* that the other side has said it accepts, and this one has acknowledged */
	uint32_t frame_limit;  /* the most that it has ever said */
	uint32_t list_max;     /* of a header list that the other side accepts */
	uint32_t last;         /* highest stream begun */
	uint32_t block_stream; /* a header block is under way: only its CONTINUATION may come. 0: none */
	uint32_t block_len, block_hash;
	uint32_t blocks;         /* header blocks that ended */
	uint32_t settings, acks; /* sent by this half */
	struct http2_settings setting;
	uint8_t phase, type, flags, pad, pad_left;
	uint8_t got, want;
	uint8_t continuations, kind;
	bool started; /* the first SETTINGS came */
	bool ends;    /* the block's HEADERS ended its stream */
	uint8_t small[HTTP2_HEADER];
};

struct http2_run;

struct http2_state {
	struct http2_run *run; /* only during a feed */
	struct http2_heap *heap;
	bool opaque, folded; /* folded: the heap is, see http2_fold.c */
	struct http2_half half[2];
};

/* One feed, on the stack. */
struct http2_run {
	struct http2_state *state;
	struct http2_half *half, *other;
	struct http2_codec *codec; /* NULL until there is a heap */
	struct protocol_sink *sink;
	struct bytes in;
	size_t at;
	bool requests;
	struct bytes direct; /* a block that stands whole in this feed */
	uint32_t list;       /* of the head that is being told */
	bool call;           /* so is it a call, of this type and for so long? */
	struct bytes timeout;
	struct http_message message;
};

/* http2.c */
void http2_tell(struct http2_run *run, enum protocol_event_type type, uint32_t stream, uint32_t number);
void http2_tell_event(struct http2_run *run, struct protocol_event *event);
void http2_opaque(struct http2_run *run, enum protocol_opaque why);
void http2_malformed(struct http2_run *run); /* NOT_MINE before the first right frame */
void http2_stream_ends(struct http2_run *run, uint32_t stream);

/* http2_control.c */
void http2_setting(struct http2_run *run);
void http2_settings_end(struct http2_run *run);
void http2_settings_upgraded(struct http2_run *run, struct bytes payload); /* the client's; hold at once */
void http2_reset(struct http2_run *run);
void http2_goaway(struct http2_run *run);

/* http2_head.c */
void http2_block_begin(struct http2_run *run, enum http2_kind kind);
void http2_block_add(struct http2_run *run, struct bytes piece);
void http2_block_end(struct http2_run *run);

/* http2_inflate.c: the next block of this half, into a fresh record; false: opaque now. */
bool http2_inflate(struct http2_run *run, struct bytes block, struct http2_record *record);
/* The same, by the decoder alone. The block is no null pointer. */
bool http2_inflate_all(struct http2_run *run, struct bytes block, struct http2_record *record);

/* http2_record.c */
/* Fills the message and tells the carrier fields. */
void http2_record_read(struct http2_run *run, const struct http2_record *record, uint32_t stream);

/* http2_edit.c: pure. The frame that ends a header block, and the feed that it ends in. */
struct http2_place {
	ptrdiff_t start; /* of the frame's header, in the feed */
	uint32_t length, stream;
	uint32_t frame_max;
	uint8_t type, flags, pad;
	struct bytes in;
};
/* "name: value" lines as literal fields without indexing. room NULL: only how long. 0: nothing, or no room.
 */
size_t http2_encode(struct bytes lines, char *room, size_t size);
/* What SETTINGS_MAX_HEADER_LIST_SIZE counts of them. */
size_t http2_list_size(struct bytes lines);
/* Where in a block the value of a field stands that is in no table: `len` bytes from `at` on, with their
 * length in front. len 0: it is in one. */
struct http2_value {
	uint32_t at, len;
	bool huffman;
};
struct http2_value http2_find_value(struct bytes block, size_t from, size_t to);
uint64_t http2_pack_value(const struct http2_value *value);
int http2_rewrite_value(const struct http2_place *place, const struct protocol_rewrite *what, char *room,
			size_t size, struct protocol_edit edit[PROTOCOL_EDITS]);
int http2_edit(const struct http2_place *place, struct bytes lines, char *room, size_t size,
	       struct protocol_edit edit[PROTOCOL_EDITS]);

#endif
