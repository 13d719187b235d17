/* cgi_replay.h - a conversation fed to one of the CGI protocols in any pieces, and what it tells, as text.
 *
 * Every piece is laid flush against a page that cannot be read. What is told of INSERT is kept apart: it depends on
 * the cuts whether there can be one. */
#ifndef TAGALONG_CGI_REPLAY_H
#define TAGALONG_CGI_REPLAY_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "hooks/protocols/cgi.h"
#include "tests/support/attrs_text.h"

#define CGI_REPLAY_ROOM ((size_t)1 << 20)

struct cgi_replay {
	struct protocol_sink sink; /* first */
	struct protocol_stash stash;
	const struct protocol *protocol;
	uint64_t state[PROTOCOL_STATE_MAX / 8];
	enum protocol_half half;
	struct bytes piece;
	uint64_t fed[2];
	bool silent;
	FILE *out;
	char *text;
	size_t size;
	char *guard, *block;
	/* the last INSERT */
	int inserts;
	size_t insert_at;
	bool patched;
	char encoded[4096];
	size_t encoded_len;
	struct protocol_patch patch;
};

static const struct bytes cgi_replay_lines = {
	"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\ntracestate: a=b\r\n", 87};

static inline char *cgi_replay_take(struct protocol_stash *stash)
{
	struct cgi_replay *replay = (struct cgi_replay *)(void *)((char *)stash - offsetof(struct cgi_replay, stash));
	return stash->block = replay->block;
}

static inline uint32_t cgi_replay_carrier(struct bytes name)
{
	if (bytes_equal(name, BYTES("traceparent")))
		return 1;
	if (bytes_equal(name, BYTES("tracestate")))
		return 2;
	return bytes_equal(name, BYTES("baggage")) ? 3 : 0;
}

static inline void cgi_replay_describe(struct cgi_replay *replay, enum protocol_moment moment)
{
	static const struct protocol_endpoint endpoint = {
		.peer_address = {"192.0.2.7", 9}, .local_address = {"192.0.2.1", 9}, .peer_port = 9000, .local_port = 80};
	static const struct attrs_limits limits = {128, UINT32_MAX};
	uint8_t room[16384];

	for (int side = SIDE_SERVER; side <= SIDE_CLIENT; side++) {
		struct attrs attrs;
		struct protocol_facts facts = {.attrs = &attrs};
		attrs_init(&attrs, room, sizeof(room), &limits);
		replay->protocol->describe(replay->state, side, moment, &endpoint, &facts);
		fprintf(replay->out, "  %s name=%.*s failed=%d\n", side == SIDE_SERVER ? "server" : "client",
			(int)facts.name.len, facts.name.len ? facts.name.ptr : "", facts.failed);
		attrs_text(&attrs, "    ", replay->out);
	}
}

static inline void cgi_replay_insert(struct cgi_replay *replay, const struct protocol_event *event)
{
	if (event->offset >= replay->piece.len)
		abort(); /* one byte at least must follow */
	replay->inserts++;
	replay->insert_at = event->offset;
	replay->encoded_len =
		replay->protocol->encode(replay->state, cgi_replay_lines, replay->encoded, sizeof(replay->encoded));
	replay->patched = replay->protocol->patch &&
			  replay->protocol->patch(replay->state, replay->encoded_len, &replay->patch);
	if (replay->patched && !replay->patch.begun &&
	    (replay->patch.gone || replay->patch.end > replay->insert_at || replay->patch.end < replay->patch.replaces))
		abort();
}

static inline void cgi_replay_event(struct protocol_sink *sink, const struct protocol_event *event)
{
	static const char *const names[] = {"REQUEST_BEGIN", "FIELD", "INSERT", "REQUEST_HEAD", "REQUEST_END",
		"RESPONSE_BEGIN", "INTERIM", "RESPONSE_HEAD", "RESPONSE_END", [EVENT_OPAQUE] = "OPAQUE"};
	static const char *const why[] = {"", "NOT_MINE", "HANDED_OVER", "MALFORMED", "TOO_LARGE", "LOST"};
	struct cgi_replay *replay = (struct cgi_replay *)(void *)sink;

	if (event->offset > replay->piece.len)
		abort();
	if (event->type == EVENT_INSERT) {
		cgi_replay_insert(replay, event);
		return;
	}
	if (event->type == EVENT_FIELD && event->whole &&
	    (event->offset + event->value.len > replay->piece.len ||
	     replay->piece.ptr + event->offset != event->value.ptr))
		abort();
	if (replay->silent)
		return;
	fputs(names[event->type], replay->out);
	if (event->type != EVENT_OPAQUE)
		fprintf(replay->out, " %u", event->exchange);
	if (event->type == EVENT_FIELD)
		fprintf(replay->out, " #%u %.*s=%.*s", event->number, (int)event->name.len, event->name.ptr,
			(int)event->value.len, event->value.len ? event->value.ptr : "");
	else if (event->type == EVENT_OPAQUE)
		fprintf(replay->out, " %s", why[event->number]);
	else if (event->type == EVENT_RESPONSE_HEAD)
		fprintf(replay->out, " %u", event->number);
	else if (event->type == EVENT_REQUEST_END || event->type == EVENT_RESPONSE_END)
		fprintf(replay->out, " @%llu", (unsigned long long)(replay->fed[replay->half] + event->offset));
	fputc('\n', replay->out);
	if (event->type == EVENT_REQUEST_HEAD)
		cgi_replay_describe(replay, MOMENT_REQUEST);
	else if (event->type == EVENT_RESPONSE_HEAD)
		cgi_replay_describe(replay, MOMENT_RESPONSE);
}

static inline char *cgi_replay_guarded(size_t size)
{
	char *room = mmap(NULL, size + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (room == MAP_FAILED || mprotect(room + size, 4096, PROT_NONE) != 0)
		abort();
	return room + size;
}

static inline void cgi_replay_open(struct cgi_replay *replay, const struct protocol *protocol)
{
	static const struct bytes request[] = {{"x-captured", 10}, {NULL, 0}};
	static const struct bytes response[] = {{"content-type", 12}, {NULL, 0}};
	static char *guard, *block;

	if (!guard) {
		guard = cgi_replay_guarded(CGI_REPLAY_ROOM);
		block = cgi_replay_guarded(PROTOCOL_STASH_SIZE) - PROTOCOL_STASH_SIZE;
		protocol_settings.carrier = cgi_replay_carrier;
		protocol_settings.capture_request[SIDE_SERVER] = request;
		protocol_settings.capture_response[SIDE_CLIENT] = response;
		protocol_settings_done();
	}
	memset(replay, 0, sizeof(*replay));
	memset(block, 0xa5, PROTOCOL_STASH_SIZE);
	replay->guard = guard;
	replay->block = block;
	replay->protocol = protocol;
	replay->sink = (struct protocol_sink){.event = cgi_replay_event, .stash = &replay->stash};
	replay->stash.take = cgi_replay_take;
	replay->out = open_memstream(&replay->text, &replay->size);
	protocol->open(replay->state);
}

static inline void cgi_replay_feed(struct cgi_replay *replay, enum protocol_half half, struct bytes piece)
{
	if (piece.len > CGI_REPLAY_ROOM)
		abort();
	char *at = replay->guard - piece.len;
	if (piece.len)
		memcpy(at, piece.ptr, piece.len);
	replay->half = half;
	replay->piece = (struct bytes){at, piece.len};
	replay->protocol->feed(replay->state, half, replay->piece, &replay->sink);
	if (!replay->silent)
		replay->fed[half] += piece.len;
	memset(at, 0x5a, piece.len); /* nothing may be kept from it */
}

/* What the connection does before a write: a copy runs ahead, then state and stash stand again as they did. */
static inline void cgi_replay_ahead(struct cgi_replay *replay, enum protocol_half half, struct bytes piece)
{
	uint64_t state[PROTOCOL_STATE_MAX / 8];
	static char kept[PROTOCOL_STASH_SIZE];
	memcpy(state, replay->state, sizeof(state));
	memcpy(kept, replay->block, sizeof(kept));
	replay->silent = true;
	cgi_replay_feed(replay, half, piece);
	replay->silent = false;
	memcpy(replay->state, state, sizeof(state));
	memcpy(replay->block, kept, sizeof(kept));
}

static inline void cgi_replay_skip(struct cgi_replay *replay, enum protocol_half half, uint64_t count)
{
	replay->half = half;
	replay->piece = BYTES_NONE;
	replay->fed[half] += count;
	(replay->protocol->skip)(replay->state, half, count, &replay->sink);
}

static inline void cgi_replay_end(struct cgi_replay *replay, enum protocol_half half)
{
	replay->half = half;
	replay->piece = BYTES_NONE;
	replay->protocol->end(replay->state, half, &replay->sink);
}

/* The log; the caller frees it. */
static inline char *cgi_replay_close(struct cgi_replay *replay)
{
	fclose(replay->out);
	return replay->text;
}

/* What goes out when `piece` was looked at and its INSERT is followed: the edited bytes, in `out`. */
static inline size_t cgi_replay_edited(const struct cgi_replay *replay, struct bytes piece, char *out)
{
	size_t used = 0, from = 0;
	if (replay->patched) {
		from = replay->patch.end;
		used = from - replay->patch.replaces;
		memcpy(out, piece.ptr, used);
		memcpy(out + used, replay->patch.bytes, replay->patch.len);
		used += replay->patch.len;
	}
	memcpy(out + used, piece.ptr + from, replay->insert_at - from);
	used += replay->insert_at - from;
	memcpy(out + used, replay->encoded, replay->encoded_len);
	used += replay->encoded_len;
	memcpy(out + used, piece.ptr + replay->insert_at, piece.len - replay->insert_at);
	return used + piece.len - replay->insert_at;
}

#endif
