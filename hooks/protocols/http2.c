/* http2.c - HTTP/2 with prior knowledge, or after TLS agreed on it, followed from a connection's first byte.
 * Rules: RFC 9113. How the state can be put back although decoders cannot: http2.h.
 *
 * Exchanges have the number of their stream. Errors that end a connection end the following; those that only
 * end a stream are left to the two sides, whose RST_STREAM tells of them. */
#include "hooks/protocols/http2.h"

extern const struct protocol protocol_http2;

_Static_assert(sizeof(struct http2_state) <= PROTOCOL_STATE_MAX, "fits a connection");

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
#define PREFACE_SIZE (sizeof(preface) - 1)

void http2_tell(struct http2_run *run, enum protocol_event_type type, uint32_t stream, uint32_t number)
{
	struct protocol_event event = {
		.type = type,
		.exchange = stream,
		.number = number,
		.offset = run->at,
	};
	http2_tell_event(run, &event);
}

void http2_tell_event(struct http2_run *run, struct protocol_event *event)
{
	struct http2_heap *heap = run->state->heap;

	if (run->sink->deaf & 1u << event->type)
		return;
	struct http2_stream *stream =
		heap && event->exchange ? http2_stream_find(heap, event->exchange) : NULL;
	event->mark = stream ? &stream->mark : NULL;
	run->sink->event(run->sink, event);
}

void http2_opaque(struct http2_run *run, enum protocol_opaque why)
{
	if (run->state->opaque)
		return;
	run->state->opaque = true;
	http2_tell(run, EVENT_OPAQUE, 0, why);
}

void http2_malformed(struct http2_run *run)
{
	const struct http2_half *half = run->state->half;
	http2_opaque(run, half[0].started || half[1].started ? OPAQUE_MALFORMED : OPAQUE_NOT_MINE);
}

static const struct protocol_outcome *outcome(const struct http2_stream *stream)
{
	bool given = stream->grpc_status != GRPC_NONE;
	return grpc_outcome(given ? stream->grpc_status : grpc_of_http(stream->status));
}

void http2_stream_ends(struct http2_run *run, uint32_t id)
{
	const struct http2_stream *stream = http2_stream_find(run->state->heap, id);

	if (!stream)
		return;
	if (run->requests) {
		http2_tell(run, EVENT_REQUEST_END, id, 0);
	} else if (!stream->headed) {
		http2_malformed(run);
	} else {
		struct protocol_event event = {
			.type = EVENT_RESPONSE_END,
			.exchange = id,
			.offset = run->at,
			.outcome = stream->call ? outcome(stream) : NULL,
		};
		http2_tell_event(run, &event);
		http2_stream_close(run->state->heap, id);
	}
}

/* --- a frame begins --------------------------------------------------------------------------------------
 */

static bool heap_ready(struct http2_run *run)
{
	struct http2_state *state = run->state;

	if (!state->heap) {
		char *arena = run->sink->arena ? run->sink->arena->take(run->sink->arena) : NULL;
		state->heap = arena ? http2_heap_new(arena) : NULL;
	}
	if (!state->heap) {
		http2_opaque(run, OPAQUE_TOO_LARGE);
		return false;
	}
	run->codec = &state->heap->codec[run->requests ? HALF_REQUESTS : HALF_RESPONSES];
	return true;
}

/* Was this stream ever begun? Only what was may have frames, but for the first HEADERS and PRIORITY. */
static bool idle(const struct http2_run *run, uint32_t stream)
{
	const struct http2_half *half = run->state->half;
	return stream > half[stream & 1 ? HALF_REQUESTS : HALF_RESPONSES].last;
}

static bool headers_begin(struct http2_run *run)
{
	struct http2_half *half = run->half;
	uint32_t id = half->stream;
	enum http2_kind kind = BLOCK_OTHER;

	half->ends = half->flags & FLAG_END_STREAM;
	if (id == 0)
		return false;
	if (!run->requests) {
		if (idle(run, id))
			return false;
		const struct http2_stream *stream = http2_stream_find(run->state->heap, id);
		if (stream)
			kind = stream->headed ? BLOCK_TRAILERS : BLOCK_RESPONSE;
	} else if (id > half->last) {
		if (id % 2 == 0)
			return false;
		half->last = id;
		if (!http2_stream_open(run->state->heap, id)) {
			http2_opaque(run, OPAQUE_TOO_LARGE);
			return true;
		}
		http2_tell(run, EVENT_REQUEST_BEGIN, id, 0);
		kind = BLOCK_REQUEST;
	}
	http2_block_begin(run, kind);
	half->want = (half->flags & FLAG_PADDED ? 1 : 0) + (half->flags & FLAG_PRIORITY ? 5 : 0);
	return true;
}

static bool settings_begin(struct http2_run *run)
{
	struct http2_half *half = run->half;

	half->setting = (struct http2_settings){0};
	if (half->stream != 0 || half->length % 6 != 0 || (half->flags & FLAG_ACK && half->length != 0))
		return false;
	half->want = half->length ? 6 : 0;
	return true;
}

static bool continuation_begin(struct http2_run *run)
{
	if (run->half->continuations++ >= HTTP2_CONTINUATIONS_MAX)
		http2_opaque(run, OPAQUE_TOO_LARGE);
	return true;
}

/* False: against the rules. Sets `want`. */
static bool frame_allowed(struct http2_run *run)
{
	struct http2_half *half = run->half;
	bool on_stream = half->stream != 0;

	switch (half->type) {
	case FRAME_DATA:
		half->want = half->flags & FLAG_PADDED ? 1 : 0;
		return on_stream && !idle(run, half->stream);
	case FRAME_HEADERS:
		return headers_begin(run);
	case FRAME_PRIORITY:
		return on_stream;
	case FRAME_RST_STREAM:
		half->want = 4;
		return on_stream && half->length == 4 && !idle(run, half->stream);
	case FRAME_SETTINGS:
		return settings_begin(run);
	case FRAME_PUSH_PROMISE:
		half->want = half->flags & FLAG_PADDED ? 5 : 4;
		http2_block_begin(run, BLOCK_OTHER);
		return on_stream && !run->requests && !idle(run, half->stream);
	case FRAME_PING:
		return !on_stream && half->length == 8;
	case FRAME_GOAWAY:
		half->want = 8;
		return !on_stream && half->length >= 8;
	case FRAME_WINDOW_UPDATE:
		return half->length == 4;
	case FRAME_CONTINUATION:
		return continuation_begin(run);
	default:
		return true;
	}
}

static uint32_t number_at(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void frame_begin(struct http2_run *run)
{
	struct http2_half *half = run->half;

	half->length = half->left = number_at(half->small) >> 8;
	half->type = half->small[3];
	half->flags = half->small[4];
	half->stream = number_at(half->small + 5) & 0x7fffffff;
	half->pad = half->pad_left = half->want = 0;
	half->phase = PHASE_PREFIX;
	/* Each side speaks of its settings first; nothing else is HTTP/2. */
	if (!half->started &&
	    (half->type != FRAME_SETTINGS || half->flags & FLAG_ACK || half->stream || half->length % 6)) {
		http2_malformed(run);
		return;
	}
	half->started = true;
	bool continues = half->type == FRAME_CONTINUATION;
	if (half->length > half->frame_limit || continues != (half->block_stream != 0) ||
	    (continues && half->stream != half->block_stream)) {
		http2_malformed(run);
		return;
	}
	if (!heap_ready(run))
		return;
	if (!frame_allowed(run) || half->want > half->length)
		http2_malformed(run);
}

/* --- and goes on ------------------------------------------------------------------------------------------
 */

/* What stands at the front of the payload is complete. */
static void prefix_done(struct http2_run *run)
{
	struct http2_half *half = run->half;

	half->left -= half->want;
	half->phase = PHASE_BODY;
	switch (half->type) {
	case FRAME_SETTINGS:
		http2_setting(run);
		half->want = half->left ? 6 : 0;
		half->phase = half->left ? PHASE_PREFIX : PHASE_BODY;
		return;
	case FRAME_RST_STREAM:
		half->number = number_at(half->small);
		return;
	case FRAME_GOAWAY:
		half->number = number_at(half->small) & 0x7fffffff;
		return;
	case FRAME_PUSH_PROMISE:
		half->number = number_at(half->small + (half->flags & FLAG_PADDED ? 1 : 0)) & 0x7fffffff;
		if (half->number > half->last)
			half->last = half->number;
		break;
	default:
		break;
	}
	if (half->want && half->flags & FLAG_PADDED) {
		half->pad = half->pad_left = half->small[0];
		if (half->pad > half->left) {
			http2_malformed(run);
			return;
		}
		half->left -= half->pad;
	}
}

static void frame_end(struct http2_run *run)
{
	struct http2_half *half = run->half;

	switch (half->type) {
	case FRAME_DATA:
		if (half->flags & FLAG_END_STREAM)
			http2_stream_ends(run, half->stream);
		break;
	case FRAME_HEADERS:
	case FRAME_PUSH_PROMISE:
	case FRAME_CONTINUATION:
		if (half->flags & FLAG_END_HEADERS)
			http2_block_end(run);
		break;
	case FRAME_RST_STREAM:
		http2_reset(run);
		break;
	case FRAME_SETTINGS:
		http2_settings_end(run);
		break;
	case FRAME_GOAWAY:
		http2_goaway(run);
		break;
	default:
		break;
	}
}

static bool carries_block(const struct http2_half *half)
{
	return half->type == FRAME_HEADERS || half->type == FRAME_PUSH_PROMISE ||
	       half->type == FRAME_CONTINUATION;
}

static void body(struct http2_run *run)
{
	struct http2_half *half = run->half;
	struct bytes piece = bytes_until(bytes_from(run->in, run->at), half->left);

	if (carries_block(half))
		http2_block_add(run, piece);
	else if (half->type == FRAME_DATA && !(run->sink->deaf & 1u << EVENT_BODY) &&
		 http2_stream_find(run->state->heap, half->stream))
		http2_tell(run, EVENT_BODY, half->stream, run->requests ? HALF_REQUESTS : HALF_RESPONSES);
	run->at += piece.len;
	half->left -= (uint32_t)piece.len;
}

/* Up to `want` bytes into `small`; true when they are complete. */
static bool collect(struct http2_run *run)
{
	struct http2_half *half = run->half;

	if (half->got == 0 && half->want == HTTP2_HEADER && run->in.len - run->at >= HTTP2_HEADER) {
		memcpy(half->small, run->in.ptr + run->at, HTTP2_HEADER);
		run->at += HTTP2_HEADER;
		return true;
	}
	while (half->got < half->want && run->at < run->in.len)
		half->small[half->got++] = (uint8_t)run->in.ptr[run->at++];
	if (half->got < half->want)
		return false;
	half->got = 0;
	return true;
}

static void match_preface(struct http2_run *run)
{
	struct http2_half *half = run->half;

	while (half->got < PREFACE_SIZE && run->at < run->in.len) {
		if (run->in.ptr[run->at] != preface[half->got]) {
			http2_opaque(run, OPAQUE_NOT_MINE);
			return;
		}
		half->got++;
		run->at++;
	}
	if (half->got == PREFACE_SIZE) {
		half->phase = PHASE_HEADER;
		half->got = 0;
		half->want = HTTP2_HEADER;
	}
}

static void step(struct http2_run *run)
{
	struct http2_half *half = run->half;
	size_t here = run->in.len - run->at;

	switch ((enum http2_phase)half->phase) {
	case PHASE_PREFACE:
		match_preface(run);
		break;
	case PHASE_HEADER:
		if (collect(run))
			frame_begin(run);
		break;
	case PHASE_PREFIX:
		if (collect(run))
			prefix_done(run);
		break;
	case PHASE_BODY:
		body(run);
		break;
	case PHASE_PADDING:
		here = here < half->pad_left ? here : half->pad_left;
		run->at += here;
		half->pad_left -= (uint8_t)here;
		break;
	}
}

/* On through all that takes no further byte: a frame ends with its last one, not with the next frame's first.
 */
static void settle(struct http2_run *run)
{
	struct http2_half *half = run->half;

	if (half->phase == PHASE_PREFIX && half->want == 0)
		half->phase = PHASE_BODY;
	if (half->phase == PHASE_BODY && half->left == 0)
		half->phase = PHASE_PADDING;
	if (half->phase != PHASE_PADDING || half->pad_left != 0 || run->state->opaque)
		return;
	half->phase = PHASE_HEADER;
	half->want = HTTP2_HEADER;
	frame_end(run);
}

/* --- the protocol ----------------------------------------------------------------------------------------
 */

static void run_start(struct http2_run *run, struct http2_state *state, enum protocol_half which,
		      struct protocol_sink *sink)
{
	memset(run, 0, offsetof(struct http2_run, message));
	run->state = state;
	run->half = &state->half[which];
	run->other = &state->half[which == HALF_REQUESTS ? HALF_RESPONSES : HALF_REQUESTS];
	run->requests = which == HALF_REQUESTS;
	run->sink = sink;
	if (state->folded && !(sink->arena && sink->arena->take(sink->arena) && state->heap))
		http2_opaque(run, OPAQUE_TOO_LARGE);
	if (!state->heap)
		return;
	run->codec = &state->heap->codec[which];
	if (!run->requests && state->heap->gone)
		http2_streams_sweep(state->heap);
}

static void http2_open(void *opaque)
{
	struct http2_state *state = opaque;

	memset(state, 0, sizeof(*state));
	for (int i = 0; i < 2; i++) {
		state->half[i].frame_max = state->half[i].frame_limit = HTTP2_FRAME_MIN;
		state->half[i].list_max = UINT32_MAX;
	}
	state->half[HALF_RESPONSES].phase = PHASE_HEADER;
	state->half[HALF_RESPONSES].want = HTTP2_HEADER;
}

static void http2_take_over(void *opaque, struct bytes hello, struct protocol_sink *sink)
{
	struct http2_state *state = opaque;
	struct http2_run run;

	http2_open(state);
	run_start(&run, state, HALF_REQUESTS, sink);
	if (!heap_ready(&run))
		return;
	run.half->last = 1;
	http2_stream_open(state->heap, 1);
	http2_settings_upgraded(&run, hello);
}

static void http2_feed(void *opaque, enum protocol_half which, struct bytes in, struct protocol_sink *sink)
{
	struct http2_state *state = opaque;
	struct http2_run run;

	if (state->opaque || in.len == 0)
		return;
	run_start(&run, state, which, sink);
	run.in = in;
	state->run = &run;
	/* Earlier pieces of the same write may have to be told again. */
	if (run.codec && run.codec->inflated == run.half->blocks &&
	    (which == HALF_RESPONSES || run.codec->used > HTTP2_RECORDS / 2))
		http2_record_forget(run.codec);
	while (run.at < in.len && !state->opaque) {
		step(&run);
		settle(&run);
	}
	state->run = NULL;
}

/* Only what DATA carries may go by unseen. */
static void http2_skip(void *opaque, enum protocol_half which, uint64_t count, struct protocol_sink *sink)
{
	struct http2_state *state = opaque;
	struct http2_run run;

	if (state->opaque || count == 0)
		return;
	run_start(&run, state, which, sink);
	struct http2_half *half = run.half;
	if (state->opaque)
		return;
	if (half->phase != PHASE_BODY || half->type != FRAME_DATA || count > half->left) {
		http2_opaque(&run, OPAQUE_LOST);
		return;
	}
	half->left -= (uint32_t)count;
	settle(&run);
}

static void http2_end(void *opaque, enum protocol_half which, struct protocol_sink *sink)
{
	/* No message ends with the connection. */
	(void)opaque;
	(void)which;
	(void)sink;
}

static enum protocol_identified http2_identify(const void *opaque, struct protocol_identity *to)
{
	const struct http2_run *run = ((const struct http2_state *)opaque)->run;
	return run ? http_identify(&run->message, run->message.cut > 0, to) : IDENTIFIED_NOT;
}

static void http2_describe(const void *opaque, enum protocol_side side, enum protocol_moment moment,
			   const struct protocol_endpoint *endpoint, struct protocol_facts *facts)
{
	const struct http2_state *state = opaque;

	if (!state->run)
		return;
	const struct http_message *message = &state->run->message;
	if (moment == MOMENT_RESPONSE) {
		(state->run->call ? grpc_describe_response : http_describe_response)(message, side, facts);
		return;
	}
	(state->run->call ? grpc_describe_request : http_describe_request)(message, side, endpoint, facts);
	if (state->run->call)
		facts->timeout = grpc_timeout(bytes_trim(state->run->timeout));
}

/* What the other half has said since of what this one may send stays; the heap knows by itself. */
static void http2_put_back(void *opaque, const void *copy)
{
	struct http2_state *state = opaque;
	const struct http2_state *before = copy;
	struct http2_half *half = &state->half[HALF_REQUESTS], now = *half;

	*half = before->half[HALF_REQUESTS];
	half->frame_limit = now.frame_limit;
	half->list_max = now.list_max;
	state->opaque = before->opaque;
	if (state->heap)
		http2_record_trim(&state->heap->codec[HALF_REQUESTS], half->blocks);
}

/* The start of the preface is reserved: no HTTP/1 request has it. A server may speak first, with its
 * SETTINGS. */
static bool http2_begins(enum protocol_half which, struct bytes first)
{
	static const char settings[] = {FRAME_SETTINGS, 0, 0, 0, 0, 0};

	if (which == HALF_REQUESTS)
		return first.len >= 4 &&
		       bytes_starts((struct bytes){preface, PREFACE_SIZE}, bytes_until(first, PREFACE_SIZE));
	return first.len >= HTTP2_HEADER && first.ptr[0] == 0 && first.ptr[1] == 0 &&
	       (uint8_t)first.ptr[2] % 6 == 0 && memcmp(first.ptr + 3, settings, sizeof(settings)) == 0;
}

static struct http2_place place_of(const struct http2_run *run)
{
	const struct http2_half *half = run->half;
	return (struct http2_place){
		.start = (ptrdiff_t)run->at - (ptrdiff_t)half->length - HTTP2_HEADER,
		.length = half->length,
		.stream = half->stream,
		.frame_max = half->frame_max,
		.type = half->type,
		.flags = half->flags,
		.pad = half->pad,
		.in = run->in,
	};
}

static int http2_insert(const void *opaque, struct bytes lines, char *room, size_t size,
			struct protocol_edit edit[PROTOCOL_EDITS])
{
	const struct http2_run *run = ((const struct http2_state *)opaque)->run;

	if (!run || run->list > run->half->list_max ||
	    http2_list_size(lines) > run->half->list_max - run->list)
		return 0;
	struct http2_place place = place_of(run);
	return http2_edit(&place, lines, room, size, edit);
}

static int http2_rewrite(const void *opaque, const struct protocol_rewrite *what, char *room, size_t size,
			 struct protocol_edit edit[PROTOCOL_EDITS])
{
	const struct http2_run *run = ((const struct http2_state *)opaque)->run;

	if (!run)
		return 0;
	struct http2_place place = place_of(run);
	return http2_rewrite_value(&place, what, room, size, edit);
}

const struct protocol protocol_http2 = {
	.name = "http2",
	.state_size = sizeof(struct http2_state),
	.open = http2_open,
	.feed = http2_feed,
	.skip = http2_skip,
	.end = http2_end,
	.describe = http2_describe,
	.identify = http2_identify,
	.multiplexed = true,
	.put_back = http2_put_back,
	.begins = http2_begins,
	.fold = http2_fold,
	.unfold = http2_unfold,
	.take_over = http2_take_over,
	.insert = http2_insert,
	.rewrite = http2_rewrite,
};
