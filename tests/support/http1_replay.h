/* http1_replay.h - a conversation fed to the HTTP/1 parser in any pieces, and what it tells, as text.
 *
 * Every piece is laid flush against a page that cannot be read, so that one byte too far is a crash. */
#ifndef TAGALONG_HTTP1_REPLAY_H
#define TAGALONG_HTTP1_REPLAY_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "hooks/protocols/http1.h"
#include "tests/support/attrs_text.h"

extern const struct protocol protocol_http1;

#define REPLAY_ROOM ((size_t)1 << 21)

struct replay {
	struct protocol_sink sink; /* first */
	struct protocol_stash stash;
	uint64_t state[PROTOCOL_STATE_MAX / 8];
	uint64_t fed[2]; /* bytes of each half before this feed */
	enum protocol_half half;
	struct bytes piece;
	FILE *out;
	bool silent; /* looking ahead: nothing is told */
	bool pending_insert;
	uint64_t insert_at;
	uint32_t insert_exchange;
	char *text;
	size_t size;
	char *guard; /* end of the readable room */
	char *block;
	struct protocol_memo *memo; /* NULL: what is told of a request is found each time */
};

static inline char *replay_take(struct protocol_stash *stash)
{
	struct replay *replay = (struct replay *)(void *)((char *)stash - offsetof(struct replay, stash));
	return stash->block = replay->block;
}

static inline uint32_t replay_carrier(struct bytes name)
{
	if (bytes_equal_nocase(name, BYTES("traceparent")))
		return 1;
	if (bytes_equal_nocase(name, BYTES("tracestate")))
		return 2;
	return bytes_equal_nocase(name, BYTES("baggage")) ? 3 : 0;
}

/* Whether header lines are captured, in which case no notes are taken of them. */
static inline void replay_capture(bool captures)
{
	static const struct bytes request[] = {{"x-captured", 10}, {"accept", 6}, {NULL, 0}};
	static const struct bytes response[] = {{"content-type", 12}, {"x-captured", 10}, {NULL, 0}};
	static const uint32_t lengths[26] = {['t' - 'a'] = 1u << 11 | 1u << 10, ['b' - 'a'] = 1u << 7};
	protocol_settings.carrier = replay_carrier;
	protocol_settings.carrier_lengths = lengths;
	protocol_settings.capture_request[SIDE_SERVER] = captures ? request : NULL;
	protocol_settings.capture_response[SIDE_CLIENT] = captures ? response : NULL;
	protocol_settings_done();
}

static inline void replay_describe(struct replay *replay, enum protocol_side side,
				   enum protocol_moment moment)
{
	const struct protocol_endpoint endpoint = {
		.memo = replay->memo,
		.name = {"backend.example", 15},
		.peer_address = {"192.0.2.7", 9},
		.local_address = {"192.0.2.1", 9},
		.peer_port = 8080,
		.local_port = 80,
	};
	static const struct attrs_limits limits = {128, UINT32_MAX};
	uint8_t room[16384];
	struct attrs attrs;
	struct protocol_facts facts = {.attrs = &attrs};

	attrs_init(&attrs, room, sizeof(room), &limits);
	protocol_http1.describe(replay->state, side, moment, &endpoint, &facts);
	fprintf(replay->out, "  %s name=%.*s", side == SIDE_SERVER ? "server" : "client", (int)facts.name.len,
		facts.name.len ? facts.name.ptr : "");
	if (facts.failed)
		fprintf(replay->out, " failed=%.*s", (int)facts.error_type.len, facts.error_type.ptr);
	if (facts.again)
		fprintf(replay->out, " again%s%s", facts.authority ? " authority" : "",
			facts.target ? " target" : "");
	if (facts.call)
		fprintf(replay->out, " calls=%.*s", (int)facts.operation.len, facts.operation.ptr);
	if (facts.outcome && facts.outcome->key.len)
		fprintf(replay->out, " ended=%.*s", (int)facts.outcome->value.len, facts.outcome->value.ptr);
	fputc('\n', replay->out);
	attrs_text(&attrs, "    ", replay->out);
}

static inline void replay_flush_insert(struct replay *replay, const struct protocol_event *next)
{
	/* An edit before a lone CR depends on whether what follows was to be seen; no harm either way. */
	if (replay->pending_insert && next->type != EVENT_OPAQUE)
		fprintf(replay->out, "INSERT %u @%llu\n", replay->insert_exchange,
			(unsigned long long)replay->insert_at);
	replay->pending_insert = false;
}

static inline void replay_field(struct replay *replay, const struct protocol_event *event)
{
	if (event->whole && (event->offset + event->value.len > replay->piece.len ||
			     (event->value.len && replay->piece.ptr + event->offset != event->value.ptr)))
		abort();
	fprintf(replay->out, "FIELD %u #%u %.*s=", event->exchange, event->number, (int)event->name.len,
		event->name.ptr);
	fwrite(event->value.len ? event->value.ptr : "", 1, event->value.len, replay->out);
	fputc('\n', replay->out);
}

static inline void replay_insert(struct replay *replay, const struct protocol_event *event, uint64_t at)
{
	if (event->offset >= replay->piece.len ||
	    (replay->piece.ptr[event->offset] != '\r' && replay->piece.ptr[event->offset] != '\n'))
		abort();
	replay->pending_insert = true;
	replay->insert_at = at;
	replay->insert_exchange = event->exchange;
}

static inline void replay_event(struct protocol_sink *sink, const struct protocol_event *event)
{
	static const char *const names[] = {"REQUEST_BEGIN", "FIELD",          "INSERT",  "REQUEST_HEAD",
					    "REQUEST_END",   "RESPONSE_BEGIN", "INTERIM", "RESPONSE_HEAD",
					    "RESPONSE_END",  "OPAQUE"};
	static const char *const why[] = {"", "NOT_MINE", "HANDED_OVER", "MALFORMED", "TOO_LARGE", "LOST"};
	struct replay *replay = (struct replay *)(void *)sink;
	uint64_t at = replay->fed[replay->half] + event->offset;

	if (replay->silent)
		return;
	replay_flush_insert(replay, event);
	switch (event->type) {
	case EVENT_FIELD:
		replay_field(replay, event);
		break;
	case EVENT_INSERT:
		replay_insert(replay, event, at);
		break;
	case EVENT_OPAQUE:
		fprintf(replay->out, "OPAQUE %s\n", why[event->number]);
		break;
	case EVENT_SWITCH:
		fprintf(replay->out, "SWITCH %u %s @%llu ", event->exchange, event->next->name,
			(unsigned long long)at);
		for (size_t i = 0; i < event->value.len; i++)
			fprintf(replay->out, "%02x", (uint8_t)event->value.ptr[i]);
		fputc('\n', replay->out);
		break;
	case EVENT_REQUEST_END:
	case EVENT_RESPONSE_END:
		fprintf(replay->out, "%s %u @%llu\n", names[event->type], event->exchange,
			(unsigned long long)at);
		break;
	case EVENT_INTERIM:
	case EVENT_RESPONSE_HEAD:
		fprintf(replay->out, "%s %u %u\n", names[event->type], event->exchange, event->number);
		break;
	default:
		fprintf(replay->out, "%s %u\n", names[event->type], event->exchange);
		break;
	}
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
	static char *guard, *block;
	if (!guard) {
		guard = replay_guarded(REPLAY_ROOM);
		block = replay_guarded(PROTOCOL_STASH_SIZE) - PROTOCOL_STASH_SIZE;
		replay_capture(true);
	}
	memset(replay, 0, sizeof(*replay));
	replay->guard = guard;
	replay->block = block;
	memset(block, 0xa5, PROTOCOL_STASH_SIZE);
	replay->sink = (struct protocol_sink){.event = replay_event, .stash = &replay->stash};
	replay->stash.take = replay_take;
	replay->out = open_memstream(&replay->text, &replay->size);
	protocol_http1.open(replay->state);
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
	protocol_http1.feed(replay->state, half, replay->piece, &replay->sink);
	if (!replay->silent)
		replay->fed[half] += piece.len;
	memset(at, 0x5a, piece.len); /* nothing may be kept from it */
}

/* What the connection does before a write: a copy of the state runs ahead, then the original stands again. */
static inline void replay_ahead(struct replay *replay, enum protocol_half half, struct bytes piece)
{
	uint64_t state[PROTOCOL_STATE_MAX / 8];
	static char kept[PROTOCOL_STASH_SIZE];
	bool stashed = replay->stash.block != NULL;
	memcpy(state, replay->state, protocol_http1.state_size);
	if (stashed)
		memcpy(kept, replay->stash.block, sizeof(kept));
	replay->silent = true;
	replay_feed(replay, half, piece);
	replay->silent = false;
	memcpy(replay->state, state, protocol_http1.state_size);
	if (stashed)
		memcpy(replay->stash.block, kept, sizeof(kept));
}

static inline void replay_skip(struct replay *replay, enum protocol_half half, uint64_t count)
{
	replay->half = half;
	replay->piece = BYTES_NONE;
	replay->fed[half] += count;
	(protocol_http1.skip)(replay->state, half, count, &replay->sink);
}

static inline void replay_end(struct replay *replay, enum protocol_half half)
{
	replay->half = half;
	replay->piece = BYTES_NONE;
	protocol_http1.end(replay->state, half, &replay->sink);
}

/* The log; the caller frees it. */
static inline char *replay_close(struct replay *replay)
{
	if (replay->pending_insert)
		fprintf(replay->out, "INSERT %u @%llu\n", replay->insert_exchange,
			(unsigned long long)replay->insert_at);
	fclose(replay->out);
	return replay->text;
}

#endif
