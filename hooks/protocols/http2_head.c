/* http2_head.c - header blocks: collected, inflated exactly once and in order, told. */
#include "hooks/protocols/http2.h"

#define HASH_SEED 2166136261u

void http2_block_begin(struct http2_run *run, enum http2_kind kind)
{
	struct http2_half *half = run->half;

	half->block_stream = half->stream;
	half->block_len = 0;
	half->block_hash = HASH_SEED;
	half->continuations = 0;
	half->kind = (uint8_t)kind;
	if (half->type == FRAME_PUSH_PROMISE)
		half->ends = false;
	run->direct = BYTES_NONE;
}

/* Is the block under way one that was inflated when these bytes were looked at ahead? */
static bool known(const struct http2_run *run)
{
	return run->half->blocks < run->codec->inflated;
}

static bool keep_piece(struct http2_run *run, struct bytes piece)
{
	struct http2_codec *codec = run->codec;
	size_t had = run->half->block_len, need = had + piece.len;

	if (need > codec->room) {
		size_t room = 1024;
		while (room < need)
			room *= 2;
		char *text = http2_alloc(&run->state->heap->memory, room);
		if (!text)
			return false;
		if (had)
			memcpy(text, codec->text, had);
		http2_free(&run->state->heap->memory, codec->text);
		codec->text = text;
		codec->room = (uint32_t)room;
	}
	memcpy(codec->text + had, piece.ptr, piece.len);
	return true;
}

void http2_block_add(struct http2_run *run, struct bytes piece)
{
	struct http2_half *half = run->half;
	bool whole = half->block_len == 0 && piece.len == half->left && half->flags & FLAG_END_HEADERS &&
		     run->in.len - run->at >= piece.len + half->pad_left;
	uint32_t hash = half->block_hash;

	if (piece.len > HTTP2_BLOCK_MAX - half->block_len) {
		http2_opaque(run, OPAQUE_TOO_LARGE);
		return;
	}
	/* Only what may be edited is looked at ahead, and comes again. */
	bool again = run->requests && !(run->sink->deaf & 1u << EVENT_INSERT);
	for (size_t i = 0; again && i < piece.len; i++)
		hash = (hash ^ (uint8_t)piece.ptr[i]) * 16777619u;
	half->block_hash = hash;
	if (whole)
		run->direct = piece;
	else if (!known(run) && !keep_piece(run, piece))
		http2_opaque(run, OPAQUE_TOO_LARGE);
	half->block_len += (uint32_t)piece.len;
}

/* What this block says; NULL: opaque now. */
static const struct http2_record *said(struct http2_run *run)
{
	struct http2_half *half = run->half;
	struct http2_codec *codec = run->codec;
	struct http2_record *record;

	if (known(run)) {
		record = http2_record_find(codec, half->blocks + 1);
		if (record && record->length == half->block_len && record->hash == half->block_hash)
			return record;
		http2_opaque(run, OPAQUE_LOST);
		return NULL;
	}
	if (codec->broken) {
		http2_opaque(run, OPAQUE_MALFORMED);
		return NULL;
	}
	record = http2_record_new(codec, half->blocks + 1);
	struct bytes block = run->direct.ptr ? run->direct : (struct bytes){codec->text, half->block_len};
	if (!http2_inflate(run, block, record))
		return NULL;
	record->length = half->block_len;
	record->hash = half->block_hash;
	http2_record_done(codec, record);
	codec->inflated++;
	return record;
}

static void tell_request(struct http2_run *run, const struct http2_record *record, uint32_t stream)
{
	struct protocol_event event = {.type = EVENT_INSERT, .exchange = stream, .offset = run->at - 1};

	http2_record_read(run, record, stream);
	run->list = record->list;
	run->call = grpc_is_call(run->message.content_type, run->message.target);
	struct http2_stream *open = http2_stream_find(run->state->heap, stream);
	if (open) {
		open->call = run->call;
		open->tunnel = bytes_equal(run->message.method, BYTES("CONNECT"));
	}
	http2_tell_event(run, &event);
	http2_tell(run, EVENT_REQUEST_HEAD, stream, 0);
}

static void tell_response(struct http2_run *run, const struct http2_record *record, uint32_t stream)
{
	if (record->status < 100 || record->status == 101 || (record->status < 200 && run->half->ends)) {
		http2_malformed(run);
		return;
	}
	if (record->status < 200) {
		http2_tell(run, EVENT_INTERIM, stream, record->status);
		return;
	}
	struct http2_stream *open = http2_stream_find(run->state->heap, stream);
	run->call = open && open->call;
	if (open) {
		open->headed = true;
		open->status = record->status;
		open->grpc_status = run->half->ends ? record->grpc_status : GRPC_NONE;
	}
	http2_tell(run, EVENT_RESPONSE_BEGIN, stream, 0);
	http2_record_read(run, record, stream);
	http2_tell(run, EVENT_RESPONSE_HEAD, stream, record->status);
	if (open && open->tunnel && record->status < 300) {
		http2_tell(run, EVENT_RESPONSE_END, stream, 0);
		http2_stream_close(run->state->heap, stream);
	}
}

static void tell_trailers(struct http2_run *run, const struct http2_record *record, uint32_t stream)
{
	struct http2_stream *open = http2_stream_find(run->state->heap, stream);
	if (open)
		open->grpc_status = record->grpc_status;
}

void http2_block_end(struct http2_run *run)
{
	struct http2_half *half = run->half;
	uint32_t stream = half->block_stream;
	const struct http2_record *record = said(run);

	if (!record)
		return;
	half->blocks++;
	half->block_stream = 0;
	run->direct = BYTES_NONE;
	if (half->kind == BLOCK_REQUEST)
		tell_request(run, record, stream);
	else if (half->kind == BLOCK_RESPONSE)
		tell_response(run, record, stream);
	else if (half->kind == BLOCK_TRAILERS)
		tell_trailers(run, record, stream);
	if (half->ends && !run->state->opaque)
		http2_stream_ends(run, stream);
}
