/* http2_replay.h - a conversation fed to the HTTP/2 parser in any pieces, and what it tells, as text.
 *
 * Every piece is laid flush against a page that cannot be read, so that one byte too far is a crash; so does
 * the arena end at one. */
#ifndef TAGALONG_HTTP2_REPLAY_H
#define TAGALONG_HTTP2_REPLAY_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "hooks/protocols/http2.h"
#include "tests/support/attrs_text.h"

extern const struct protocol protocol_http2;

#define REPLAY_ROOM ((size_t)1 << 21)

struct replay {
	struct protocol_sink sink; /* first */
	struct protocol_arena arena;
	uint64_t state[PROTOCOL_STATE_MAX / 8];
	uint64_t fed[2]; /* bytes of each half before this feed */
	enum protocol_half half;
	struct bytes piece;
	FILE *out;
	bool silent; /* looking ahead: nothing is told */
	char *text;
	size_t size;
	char *guard;  /* end of the readable room */
	char *memory; /* the arena */
	char *little; /* what it is folded into */
	/* Edits: what is to be put into each request, and the stream as it is sent. */
	struct bytes lines;
	FILE *edited;
	size_t edited_to; /* of this piece */
	int edits;
	bool rewrites; /* the value of a carrier that is in no table, instead of lines put in */
	uint64_t framed;
	char value[300];
	size_t value_len;
};

static inline char *replay_take(struct protocol_arena *arena)
{
	struct replay *replay = (struct replay *)(void *)((char *)arena - offsetof(struct replay, arena));
	if (arena->folded && !protocol_http2.unfold(replay->state, replay->little, replay->memory))
		abort();
	arena->folded = false;
	return arena->base = replay->memory;
}

/* Between two feeds, as when another connection needs the arena. */
static inline bool replay_fold(struct replay *replay)
{
	if (!replay->arena.base || replay->arena.folded ||
	    !protocol_http2.fold(replay->state, replay->memory, replay->little, PROTOCOL_LITTLE_ARENA))
		return false;
	memset(replay->memory, 0xa5, 65536);
	return replay->arena.folded = true;
}

static inline uint32_t replay_carrier(struct bytes name)
{
	if (bytes_equal_nocase(name, BYTES("traceparent")))
		return 1;
	if (bytes_equal_nocase(name, BYTES("tracestate")))
		return 2;
	return bytes_equal_nocase(name, BYTES("baggage")) ? 3 : 0;
}

static inline void replay_settings(void)
{
	static const struct bytes request[] = {{"x-captured", 10}, {NULL, 0}};
	static const struct bytes response[] = {{"content-type", 12}, {NULL, 0}};
	static const uint32_t lengths[26] = {['t' - 'a'] = 1u << 11 | 1u << 10, ['b' - 'a'] = 1u << 7};
	protocol_settings.carrier_lengths = lengths;
	protocol_settings.carrier = replay_carrier;
	protocol_settings.capture_request[SIDE_SERVER] = request;
	protocol_settings.capture_response[SIDE_CLIENT] = response;
	protocol_settings_done();
}

static inline void replay_describe(struct replay *replay, enum protocol_side side,
				   enum protocol_moment moment)
{
	static const struct protocol_endpoint endpoint = {
		.name = {"backend.example", 15},
		.peer_address = {"192.0.2.7", 9},
		.local_address = {"192.0.2.1", 9},
		.peer_port = 8080,
		.local_port = 80,
	};
	static const struct attrs_limits limits = {128, UINT32_MAX};
	uint8_t room[32768];
	struct attrs attrs;
	struct protocol_facts facts = {.attrs = &attrs};

	attrs_init(&attrs, room, sizeof(room), &limits);
	protocol_http2.describe(replay->state, side, moment, &endpoint, &facts);
	fprintf(replay->out, "  %s name=%.*s", side == SIDE_SERVER ? "server" : "client", (int)facts.name.len,
		facts.name.len ? facts.name.ptr : "");
	if (facts.failed)
		fprintf(replay->out, " failed=%.*s", (int)facts.error_type.len, facts.error_type.ptr);
	if (facts.call)
		fprintf(replay->out, " calls=%.*s for=%llu", (int)facts.operation.len, facts.operation.ptr,
			(unsigned long long)facts.timeout);
	fputc('\n', replay->out);
	attrs_text(&attrs, "    ", replay->out);
}

/* Sends the piece up to `to`, then the edits. */
static inline void replay_edit(struct replay *replay)
{
	static char room[65536];
	struct protocol_edit edit[PROTOCOL_EDITS];
	int count;

	if (replay->rewrites) {
		struct protocol_rewrite what = {replay->framed,
						{replay->value, replay->value_len},
						0,
						replay->value_len < 16 ? replay->value_len : 16};
		memset(replay->value, '7', what.len);
		count = replay->framed
				? protocol_http2.rewrite(replay->state, &what, room, sizeof(room), edit)
				: 0;
		replay->framed = 0;
	} else {
		count = protocol_http2.insert(replay->state, replay->lines, room, sizeof(room), edit);
	}
	if (count == 0 || edit[0].offset < 0)
		return;
	replay->edits++;
	for (int i = 0; i < count; i++) {
		size_t at = (size_t)edit[i].offset;
		if (at < replay->edited_to || at >= replay->piece.len)
			abort(); /* in order, and never the last thing */
		fwrite(replay->piece.ptr + replay->edited_to, 1, at - replay->edited_to, replay->edited);
		fwrite(edit[i].text.ptr, 1, edit[i].text.len, replay->edited);
		replay->edited_to = at + (edit[i].replaces ? edit[i].text.len : 0);
	}
}

static inline void replay_event(struct protocol_sink *sink, const struct protocol_event *event)
{
	static const char *const names[] = {"REQUEST_BEGIN", "FIELD",          "INSERT",  "REQUEST_HEAD",
					    "REQUEST_END",   "RESPONSE_BEGIN", "INTERIM", "RESPONSE_HEAD",
					    "RESPONSE_END",  "BODY",           "RESET",   "VOID",
					    "OPAQUE"};
	static const char *const why[] = {"", "NOT_MINE", "HANDED_OVER", "MALFORMED", "TOO_LARGE", "LOST"};
	struct replay *replay = (struct replay *)(void *)sink;
	unsigned long long at = replay->fed[replay->half] + event->offset;

	if (event->type == EVENT_REQUEST_BEGIN)
		replay->framed = 0;
	if (event->type == EVENT_FIELD && event->framed && event->value.len <= sizeof(replay->value)) {
		replay->framed = event->framed;
		memcpy(replay->value, event->value.ptr, replay->value_len = event->value.len);
	}
	if (event->type == EVENT_INSERT && replay->edited && !replay->silent)
		replay_edit(replay);
	if (replay->silent || event->type == EVENT_BODY) /* as often as there are pieces */
		return;
	fprintf(replay->out, "%s", names[event->type]);
	if (event->type != EVENT_OPAQUE)
		fprintf(replay->out, " %u", event->exchange);
	if (event->type == EVENT_FIELD)
		fprintf(replay->out, " #%u %.*s=%.*s", event->number, (int)event->name.len, event->name.ptr,
			(int)event->value.len, event->value.len ? event->value.ptr : "");
	else if (event->type == EVENT_OPAQUE)
		fprintf(replay->out, " %s", why[event->number]);
	else if (event->type == EVENT_RESET)
		fprintf(replay->out, " %s %.*s", event->number == RESET_CANCELLED ? "cancelled" : "failed",
			(int)event->value.len, event->value.ptr);
	else if (event->type == EVENT_INTERIM || event->type == EVENT_RESPONSE_HEAD)
		fprintf(replay->out, " %u", event->number);
	else if (event->type == EVENT_INSERT || event->type == EVENT_REQUEST_END ||
		 event->type == EVENT_RESPONSE_END)
		fprintf(replay->out, " @%llu", at);
	if (event->outcome)
		fprintf(replay->out, " %s%s%s", event->outcome->value.ptr, event->late ? " late=" : "",
			event->late ? event->late->value.ptr : "");
	fputc('\n', replay->out);
	if (event->type == EVENT_INSERT && event->offset >= replay->piece.len)
		abort();
	if (event->type == EVENT_REQUEST_HEAD || event->type == EVENT_RESPONSE_HEAD) {
		enum protocol_moment moment =
			event->type == EVENT_REQUEST_HEAD ? MOMENT_REQUEST : MOMENT_RESPONSE;
		replay_describe(replay, SIDE_SERVER, moment);
		replay_describe(replay, SIDE_CLIENT, moment);
	}
}

static inline char *replay_guarded(size_t size)
{
	char *room = mmap(NULL, size + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (room == MAP_FAILED || mprotect(room + size, 4096, PROT_NONE) != 0)
		abort();
	return room + size;
}

static inline void replay_open(struct replay *replay)
{
	static char *guard, *memory, *little;
	if (!guard) {
		guard = replay_guarded(REPLAY_ROOM);
		memory = replay_guarded(PROTOCOL_ARENA_SIZE) - PROTOCOL_ARENA_SIZE;
		little = replay_guarded(5 * 4096) - PROTOCOL_LITTLE_ARENA;
		replay_settings();
	}
	memset(replay, 0, sizeof(*replay));
	replay->guard = guard;
	replay->memory = memory;
	replay->little = little;
	memset(memory, 0xa5, 8192); /* whatever was there before */
	replay->sink = (struct protocol_sink){.event = replay_event, .arena = &replay->arena};
	replay->arena.take = replay_take;
	replay->out = open_memstream(&replay->text, &replay->size);
	protocol_http2.open(replay->state);
}

static inline void replay_feed(struct replay *replay, enum protocol_half half, struct bytes piece)
{
	if (piece.len > REPLAY_ROOM)
		abort();
	char *at = replay->guard - piece.len;
	if (piece.len)
		memcpy(at, piece.ptr, piece.len);
	replay->half = half;
	replay->piece = (struct bytes){at, piece.len};
	replay->edited_to = 0;
	protocol_http2.feed(replay->state, half, replay->piece, &replay->sink);
	if (!replay->silent) {
		replay->fed[half] += piece.len;
		if (replay->edited && half == HALF_REQUESTS)
			fwrite(at + replay->edited_to, 1, piece.len - replay->edited_to, replay->edited);
	}
	memset(at, 0x5a, piece.len); /* nothing may be kept from it */
}

/* What the connection does before a write: the state runs ahead, then its copy is put back. The arena is not.
 */
static inline void replay_ahead(struct replay *replay, enum protocol_half half, struct bytes piece)
{
	uint64_t state[PROTOCOL_STATE_MAX / 8];
	memcpy(state, replay->state, protocol_http2.state_size);
	replay->silent = true;
	replay_feed(replay, half, piece);
	replay->silent = false;
	protocol_http2.put_back(replay->state, state);
}

static inline void replay_skip(struct replay *replay, enum protocol_half half, uint64_t count)
{
	replay->half = half;
	replay->piece = BYTES_NONE;
	replay->fed[half] += count;
	(protocol_http2.skip)(replay->state, half, count, &replay->sink);
}

/* The log; the caller frees it. */
static inline char *replay_close(struct replay *replay)
{
	fclose(replay->out);
	return replay->text;
}

#endif
