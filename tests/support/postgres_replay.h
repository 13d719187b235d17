/* postgres_replay.h - a conversation fed to the PostgreSQL parser in any pieces, and what it tells, as text.
 *
 * Every piece is laid flush against a page that cannot be read; so do the stash and the arena end at one. The
 * stash is taken away, as the connection does, where no exchange is under way. */
#ifndef TAGALONG_POSTGRES_REPLAY_H
#define TAGALONG_POSTGRES_REPLAY_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "hooks/protocols/postgres.h"
#include "tests/support/attrs_text.h"

extern const struct protocol protocol_postgres;

#define REPLAY_ROOM ((size_t)1 << 25)

struct replay {
	struct protocol_sink sink; /* first */
	struct protocol_stash stash;
	struct protocol_arena arena;
	uint64_t state[PROTOCOL_STATE_MAX / 8];
	uint64_t fed[2]; /* bytes of each half before this feed */
	enum protocol_half half;
	struct bytes piece;
	FILE *out;
	bool silent, no_stash, no_arena, keep_stash;
	bool folding; /* its arena is wanted by others before each feed */
	unsigned folds;
	uint32_t under_way;
	char *text;
	size_t size;
	char *guard, *block, *memory, *little;
};

static inline char *replay_take_stash(struct protocol_stash *stash)
{
	struct replay *replay = (struct replay *)(void *)((char *)stash - offsetof(struct replay, stash));
	return stash->block = replay->no_stash ? NULL : replay->block;
}

static inline char *replay_take_arena(struct protocol_arena *arena)
{
	struct replay *replay = (struct replay *)(void *)((char *)arena - offsetof(struct replay, arena));
	if (!arena->folded)
		return arena->base = replay->no_arena ? NULL : replay->memory;
	if (replay->no_arena)
		return NULL;
	memset(replay->memory, 0xa5, 65536);
	arena->base = replay->memory;
	arena->folded = false;
	if (!protocol_postgres.unfold(replay->state, replay->little, replay->memory))
		abort();
	memset(replay->little, 0x5a, PROTOCOL_LITTLE_ARENA);
	return arena->base;
}

/* Another connection wants its arena. False: it stays. */
static inline bool replay_fold(struct replay *replay)
{
	struct protocol_arena *arena = &replay->arena;
	if (!arena->base || arena->folded ||
	    !protocol_postgres.fold(replay->state, replay->memory, replay->little, PROTOCOL_LITTLE_ARENA))
		return false;
	memset(replay->memory, 0x5a, 65536);
	arena->base = replay->little;
	replay->folds++;
	return arena->folded = true;
}

static inline void replay_describe(struct replay *replay, enum protocol_moment moment)
{
	static const struct protocol_endpoint endpoint = {
		.name = {"db1", 3}, .peer_address = {"192.0.2.7", 9}, .peer_port = 5432};
	static const struct attrs_limits limits = {128, UINT32_MAX};
	static uint8_t room[32768];
	char name_room[PROTOCOL_NAME_MAX];
	struct attrs attrs;
	struct protocol_facts facts = {.attrs = &attrs, .name_room = name_room};

	attrs_init(&attrs, room, sizeof(room), &limits);
	protocol_postgres.describe(replay->state, SIDE_SERVER, moment, &endpoint, &facts);
	if (attrs.count || facts.name.len || facts.failed)
		abort(); /* nothing is said of a server */
	protocol_postgres.describe(replay->state, SIDE_CLIENT, moment, &endpoint, &facts);
	if (moment == MOMENT_REQUEST)
		fprintf(replay->out, "  name=%.*s\n", (int)facts.name.len,
			facts.name.len ? facts.name.ptr : "");
	if (facts.failed)
		fprintf(replay->out, "  failed=%.*s\n", (int)facts.error_type.len, facts.error_type.ptr);
	if (facts.unknown)
		fprintf(replay->out, "  unknown\n");
	attrs_text(&attrs, "  ", replay->out);
}

static inline void replay_count(struct replay *replay, enum protocol_event_type type)
{
	replay->under_way += type == EVENT_REQUEST_BEGIN;
	if (type == EVENT_RESPONSE_END || type == EVENT_VOID) {
		if (replay->under_way == 0)
			abort();
		replay->under_way--;
	}
}

/* What is put in stays within this piece, or begins before it. */
static inline void replay_insert(struct replay *replay, size_t offset)
{
	static const struct bytes lines = {
		"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\ntracestate: a=b\r\n",
		87};
	char room[256];
	struct protocol_edit edit[PROTOCOL_EDITS];
	int count = protocol_postgres.insert(replay->state, lines, room, sizeof(room), edit);

	if (count != 2 || edit[0].offset + 4 > (ptrdiff_t)offset || edit[1].offset != (ptrdiff_t)offset)
		abort();
	if (edit[0].text.len != 4 || edit[1].text.len > sizeof(room) - 4)
		abort();
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

	if (event->offset > replay->piece.len)
		abort();
	if (event->type == EVENT_INSERT) {
		if (event->offset >= replay->piece.len)
			abort();
		replay_insert(replay, event->offset);
		return;
	}
	replay_count(replay, event->type);
	if (replay->silent)
		return;
	fprintf(replay->out, "%s", names[event->type]);
	if (event->type == EVENT_OPAQUE)
		fprintf(replay->out, " %s", why[event->number]);
	else
		fprintf(replay->out, " %u", event->exchange);
	if (event->type == EVENT_RESPONSE_END)
		fprintf(replay->out, " @%llu", at);
	fputc('\n', replay->out);
	if (event->type == EVENT_REQUEST_HEAD)
		replay_describe(replay, MOMENT_REQUEST);
	else if (event->type == EVENT_RESPONSE_HEAD)
		replay_describe(replay, MOMENT_RESPONSE);
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
	static char *guard, *block, *memory, *little;
	if (!guard) {
		little = replay_guarded((PROTOCOL_LITTLE_ARENA + 4095) & ~4095) - PROTOCOL_LITTLE_ARENA;
		guard = replay_guarded(REPLAY_ROOM);
		block = replay_guarded(PROTOCOL_STASH_SIZE) - PROTOCOL_STASH_SIZE;
		memory = replay_guarded(PROTOCOL_ARENA_SIZE) - PROTOCOL_ARENA_SIZE;
	}
	memset(replay, 0, sizeof(*replay));
	memset(memory, 0xa5, 65536); /* whatever was there before */
	memset(block, 0xa5, PROTOCOL_STASH_SIZE);
	replay->guard = guard;
	replay->block = block;
	replay->memory = memory;
	replay->little = little;
	replay->sink = (struct protocol_sink){
		.event = replay_event, .stash = &replay->stash, .arena = &replay->arena};
	replay->stash.take = replay_take_stash;
	replay->arena.take = replay_take_arena;
	replay->out = open_memstream(&replay->text, &replay->size);
	protocol_postgres.open(replay->state);
}

static inline void replay_tidy(struct replay *replay)
{
	if (!replay->stash.block || replay->under_way || replay->stash.keep || replay->keep_stash)
		return;
	memset(replay->block, 0x5a, PROTOCOL_STASH_SIZE);
	replay->stash.block = NULL;
}

static inline void replay_feed(struct replay *replay, enum protocol_half half, struct bytes piece)
{
	if (piece.len > REPLAY_ROOM)
		abort();
	if (replay->folding && !replay->silent)
		(void)replay_fold(replay);
	char *at = replay->guard - piece.len;
	if (piece.len)
		memcpy(at, piece.ptr, piece.len);
	replay->half = half;
	replay->piece = (struct bytes){at, piece.len};
	protocol_postgres.feed(replay->state, half, replay->piece, &replay->sink);
	if (!replay->silent)
		replay->fed[half] += piece.len;
	memset(at, 0x5a, piece.len); /* nothing may be kept from it */
	replay_tidy(replay);
}

/* What the connection does before a write: the state runs ahead, then its copy is put back, and the stash's.
 */
static inline void replay_ahead(struct replay *replay, struct bytes piece)
{
	uint64_t state[PROTOCOL_STATE_MAX / 8];
	static char kept[PROTOCOL_STASH_SIZE];
	bool stashed = replay->stash.block != NULL;
	uint32_t under_way = replay->under_way;

	if (replay->folding)
		(void)replay_fold(replay);
	memcpy(state, replay->state, sizeof(state));
	if (stashed)
		memcpy(kept, replay->block, sizeof(kept));
	replay->silent = true;
	replay_feed(replay, HALF_REQUESTS, piece);
	replay->silent = false;
	protocol_postgres.put_back(replay->state, state);
	if (stashed) {
		memcpy(replay->block, kept, sizeof(kept));
		replay->stash.block = replay->block;
	} else if (replay->stash.block) {
		memset(replay->block, 0x5a, sizeof(kept));
		replay->stash.block = NULL;
	}
	replay->under_way = under_way;
}

static inline void replay_skip(struct replay *replay, enum protocol_half half, uint64_t count)
{
	replay->half = half;
	replay->piece = BYTES_NONE;
	replay->fed[half] += count;
	(protocol_postgres.skip)(replay->state, half, count, &replay->sink);
}

/* The log; the caller frees it. */
static inline char *replay_close(struct replay *replay)
{
	fclose(replay->out);
	return replay->text;
}

#endif
