/* db_replay.h - a conversation with a database's server, fed to its protocol in any pieces; what is told, as
 * text.
 *
 * Every piece is laid flush against a page that cannot be read. What the client sends is looked at ahead, as
 * a connection does: then the state and the stash are put back, the stash in another place. The arena stays.
 */
#ifndef TAGALONG_DB_REPLAY_H
#define TAGALONG_DB_REPLAY_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "preload/protocol.h"
#include "tests/support/attrs_text.h"

#define DB_REPLAY_ROOM ((size_t)1 << 20)
#define DB_REPLAY_OPEN 512

struct db_replay {
	struct protocol_sink sink; /* first */
	struct protocol_stash stash;
	struct protocol_arena arena;
	const struct protocol *protocol;
	uint64_t state[PROTOCOL_STATE_MAX / 8];
	enum protocol_half half;
	struct bytes piece;
	uint64_t fed[2];
	bool silent, poor; /* poor: neither stash nor arena is to be had */
	bool vague;        /* compressed: where a call ends in a feed depends on the cuts */
	bool folding;      /* its arena is wanted by others before each feed */
	unsigned folds;
	uint32_t begun, ended, opaque;
	FILE *out;
	char *text;
	size_t size;
	char *guard, *blocks[2], *room, *little;
	int inserts;
	size_t insert_at;
};

static inline char *db_replay_stash(struct protocol_stash *stash)
{
	struct db_replay *replay =
		(struct db_replay *)(void *)((char *)stash - offsetof(struct db_replay, stash));
	return stash->block = replay->poor ? NULL : replay->blocks[0];
}

static inline char *db_replay_arena(struct protocol_arena *arena)
{
	struct db_replay *replay =
		(struct db_replay *)(void *)((char *)arena - offsetof(struct db_replay, arena));
	if (arena->folded) {
		if (replay->poor)
			return NULL;
		memset(replay->room, 0xa5, PROTOCOL_ARENA_SIZE);
		arena->base = replay->room;
		arena->folded = false;
		if (!replay->protocol->unfold(replay->state, replay->little, replay->room))
			abort();
		memset(replay->little, 0x5a, PROTOCOL_LITTLE_ARENA);
	} else if (!arena->base && !replay->poor) {
		memset(replay->room, 0xa5, 4096);
		arena->base = replay->room;
	}
	return arena->base;
}

/* Another connection wants its arena. False: it stays. */
static inline bool db_replay_fold(struct db_replay *replay)
{
	struct protocol_arena *arena = &replay->arena;
	if (!arena->base || arena->folded || arena->little || !replay->protocol->fold ||
	    !replay->protocol->fold(replay->state, replay->room, replay->little, PROTOCOL_LITTLE_ARENA))
		return false;
	memset(replay->room, 0x5a, PROTOCOL_ARENA_SIZE);
	arena->base = replay->little;
	replay->folds++;
	return arena->folded = true;
}

static inline void db_replay_describe(struct db_replay *replay, enum protocol_moment moment)
{
	static const struct protocol_endpoint endpoint = {
		.name = {"db.example", 10}, .peer_address = {"192.0.2.7", 9}, .peer_port = 4000};
	static const struct attrs_limits limits = {128, UINT32_MAX};
	static uint8_t room[32768];
	char name[PROTOCOL_NAME_MAX];
	struct attrs attrs;
	struct protocol_facts facts = {.attrs = &attrs, .name_room = name};

	attrs_init(&attrs, room, sizeof(room), &limits);
	replay->protocol->describe(replay->state, SIDE_CLIENT, moment, &endpoint, &facts);
	if (facts.name.len)
		fprintf(replay->out, "  name=%.*s\n", (int)facts.name.len, facts.name.ptr);
	if (facts.failed)
		fprintf(replay->out, "  failed=%.*s\n", (int)facts.error_type.len, facts.error_type.ptr);
	if (facts.unknown)
		fprintf(replay->out, "  unknown\n");
	attrs_text(&attrs, "    ", replay->out);
}

static inline void db_replay_event(struct protocol_sink *sink, const struct protocol_event *event)
{
	static const char *const names[] = {"REQUEST_BEGIN", "FIELD",          "INSERT",  "REQUEST_HEAD",
					    "REQUEST_END",   "RESPONSE_BEGIN", "INTERIM", "RESPONSE_HEAD",
					    "RESPONSE_END",  "BODY",           "RESET",   "VOID",
					    "OPAQUE",        "SWITCH"};
	static const char *const why[] = {"", "NOT_MINE", "HANDED_OVER", "MALFORMED", "TOO_LARGE", "LOST"};
	struct db_replay *replay = (struct db_replay *)(void *)sink;

	if (event->offset > replay->piece.len && replay->piece.len)
		abort();
	if (replay->silent)
		return;
	if (event->type == EVENT_REQUEST_BEGIN)
		replay->begun++;
	if (event->type == EVENT_RESPONSE_END)
		replay->ended++;
	if (event->type == EVENT_INSERT) {
		replay->inserts++;
		replay->insert_at = event->offset;
		return;
	}
	fputs(names[event->type], replay->out);
	if (event->type == EVENT_OPAQUE) {
		replay->opaque++;
		fprintf(replay->out, " %s\n", why[event->number]);
		return;
	}
	fprintf(replay->out, " %u%s", event->exchange, event->quiet ? " quiet" : "");
	if (!replay->vague && (event->type == EVENT_REQUEST_END || event->type == EVENT_RESPONSE_END))
		fprintf(replay->out, " @%llu",
			(unsigned long long)(replay->fed[replay->half] + event->offset));
	fputc('\n', replay->out);
	if (event->quiet)
		return;
	if (event->type == EVENT_REQUEST_HEAD)
		db_replay_describe(replay, MOMENT_REQUEST);
	else if (event->type == EVENT_RESPONSE_HEAD)
		db_replay_describe(replay, MOMENT_RESPONSE);
}

static inline char *db_replay_guarded(size_t size)
{
	char *room = mmap(NULL, size + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (room == MAP_FAILED || mprotect(room + size, 4096, PROT_NONE) != 0)
		abort();
	return room;
}

static inline void db_replay_open(struct db_replay *replay, const struct protocol *protocol)
{
	static char *guard, *blocks[2], *room, *little;

	if (!guard) {
		little = db_replay_guarded((PROTOCOL_LITTLE_ARENA + 4095) & ~4095) +
			 (-PROTOCOL_LITTLE_ARENA & 4095);
		guard = db_replay_guarded(DB_REPLAY_ROOM) + DB_REPLAY_ROOM;
		blocks[0] = db_replay_guarded(PROTOCOL_STASH_SIZE);
		blocks[1] = db_replay_guarded(PROTOCOL_STASH_SIZE);
		room = db_replay_guarded(PROTOCOL_ARENA_SIZE);
	}
	memset(replay, 0, sizeof(*replay));
	replay->guard = guard;
	replay->blocks[0] = blocks[0];
	replay->blocks[1] = blocks[1];
	replay->room = room;
	replay->little = little;
	replay->protocol = protocol;
	replay->sink = (struct protocol_sink){
		.event = db_replay_event, .stash = &replay->stash, .arena = &replay->arena};
	replay->stash.take = db_replay_stash;
	replay->arena.take = db_replay_arena;
	replay->out = open_memstream(&replay->text, &replay->size);
	protocol->open(replay->state);
}

static inline void db_replay_feed(struct db_replay *replay, enum protocol_half half, struct bytes piece)
{
	if (piece.len > DB_REPLAY_ROOM)
		abort();
	char *at = replay->guard - piece.len;
	if (piece.len)
		memcpy(at, piece.ptr, piece.len);
	if (replay->folding && !replay->silent)
		(void)db_replay_fold(replay);
	replay->half = half;
	replay->piece = (struct bytes){at, piece.len};
	replay->protocol->feed(replay->state, half, replay->piece, &replay->sink);
	memset(at, 0x5a, piece.len); /* nothing may be kept from it */
	if (replay->silent)
		return;
	replay->fed[half] += piece.len;
	if (replay->begun == replay->ended && replay->stash.block) {
		memset(replay->stash.block, 0xa5, PROTOCOL_STASH_SIZE);
		replay->stash.block = NULL;
	}
}

/* What the connection does before a write that then takes less, or nothing. */
static inline void db_replay_ahead(struct db_replay *replay, struct bytes piece)
{
	uint64_t state[PROTOCOL_STATE_MAX / 8];
	static char kept[PROTOCOL_STASH_SIZE];
	char *block = replay->stash.block;

	if (replay->folding)
		(void)db_replay_fold(replay);
	memcpy(state, replay->state, sizeof(state));
	if (block)
		memcpy(kept, block, sizeof(kept));
	replay->silent = true;
	db_replay_feed(replay, HALF_REQUESTS, piece);
	replay->silent = false;
	memcpy(replay->state, state, sizeof(state));
	if (!block)
		return;
	replay->blocks[0] = block == replay->blocks[0] ? replay->blocks[1] : replay->blocks[0];
	replay->blocks[1] = block;
	memcpy(replay->blocks[0], kept, sizeof(kept));
	memset(block, 0xa5, PROTOCOL_STASH_SIZE);
	replay->stash.block = replay->blocks[0];
}

/* The log; the caller frees it. */
static inline char *db_replay_close(struct db_replay *replay)
{
	fclose(replay->out);
	return replay->text;
}

/* --- a whole conversation: one line a write, "C " or "S ", then its bytes; \xNN, \\; # comment -------------
 */

struct db_line {
	enum protocol_half half;
	struct bytes bytes;
};

struct db_talk {
	struct db_line *line;
	size_t lines, total;
	bool vague;      /* see struct db_replay */
	unsigned *folds; /* how many, if there are to be any */
};

static inline int db_talk_digit(char c)
{
	return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}

static inline struct db_talk db_talk_read(const char *path)
{
	struct db_talk talk = {0};
	FILE *file = fopen(path, "r");
	char *text = NULL;
	size_t cap = 0;
	ssize_t len;

	while (file && (len = getline(&text, &cap, file)) > 0) {
		if (strncmp(text, "# compressed", 12) == 0)
			talk.vague = true;
		if (len < 3 || (text[0] != 'C' && text[0] != 'S') || text[1] != ' ')
			continue;
		char *bytes = malloc((size_t)len);
		size_t used = 0;
		for (ssize_t i = 2; i < len && text[i] != '\n'; i++) {
			if (text[i] != '\\') {
				bytes[used++] = text[i];
			} else if (text[i + 1] == 'x') {
				bytes[used++] =
					(char)(db_talk_digit(text[i + 2]) << 4 | db_talk_digit(text[i + 3]));
				i += 3;
			} else {
				bytes[used++] = text[++i];
			}
		}
		talk.line = realloc(talk.line, (talk.lines + 1) * sizeof(*talk.line));
		talk.line[talk.lines++] =
			(struct db_line){text[0] == 'C' ? HALF_REQUESTS : HALF_RESPONSES, {bytes, used}};
		talk.total += used;
	}
	free(text);
	if (file)
		fclose(file);
	return talk;
}

static inline void db_talk_free(struct db_talk *talk)
{
	for (size_t i = 0; i < talk->lines; i++)
		free((void *)(uintptr_t)talk->line[i].bytes.ptr);
	free(talk->line);
}

static inline void db_talk_part(struct db_replay *replay, enum protocol_half half, struct bytes whole,
				struct bytes part)
{
	if (half == HALF_REQUESTS)
		db_replay_ahead(replay, whole);
	db_replay_feed(replay, half, part);
}

/* Cut once, where `cut` falls in all of its bytes; step: into pieces of so many. */
static inline char *db_talk_play(const struct protocol *protocol, const struct db_talk *talk, size_t cut,
				 size_t step)
{
	struct db_replay replay;
	size_t at = 0;

	db_replay_open(&replay, protocol);
	replay.vague = talk->vague;
	replay.folding = talk->folds != NULL;
	for (size_t i = 0; i < talk->lines; i++) {
		struct bytes rest = talk->line[i].bytes;
		size_t first = cut > at && cut < at + rest.len ? cut - at : rest.len;
		at += rest.len;
		while (rest.len) {
			size_t take = step && step < rest.len     ? step
				      : !step && first < rest.len ? first
								  : rest.len;
			db_talk_part(&replay, talk->line[i].half, rest, bytes_until(rest, take));
			rest = bytes_from(rest, take);
			first = rest.len;
		}
	}
	if (talk->folds)
		*talk->folds += replay.folds;
	return db_replay_close(&replay);
}

/* --- fuzzing: a seed byte, then pieces: a byte (bit 7: the server's) and a length byte --------------------
 */

static inline uint32_t db_fuzz_random(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 16;
}

static inline void db_fuzz_feed(struct db_replay *replay, enum protocol_half half, struct bytes text,
				uint32_t *seed)
{
	while (text.len) {
		size_t cut =
			*seed ? 1 + db_fuzz_random(seed) % (db_fuzz_random(seed) % 4 ? 8 : 200) : text.len;
		if (cut > text.len)
			cut = text.len;
		if (*seed && db_fuzz_random(seed) % 8 == 0)
			(void)db_replay_fold(replay);
		if (*seed && half == HALF_REQUESTS && db_fuzz_random(seed) % 2)
			db_replay_ahead(replay, text);
		db_replay_feed(replay, half, bytes_until(text, cut));
		text = bytes_from(text, cut);
	}
}

static inline char *db_fuzz_play(const struct protocol *protocol, const uint8_t *data, size_t size,
				 bool vague, uint32_t seed)
{
	struct db_replay replay;
	db_replay_open(&replay, protocol);
	replay.vague = vague;
	while (size >= 2 && replay.begun < DB_REPLAY_OPEN) {
		enum protocol_half half = data[0] & 0x80 ? HALF_RESPONSES : HALF_REQUESTS;
		size_t len = data[1] | (size_t)(data[0] & 0x0f) << 8;
		data += 2;
		size -= 2;
		if (len > size)
			len = size;
		db_fuzz_feed(&replay, half, (struct bytes){(const char *)data, len}, &seed);
		data += len;
		size -= len;
	}
	return db_replay_close(&replay);
}

static inline int db_fuzz(const struct protocol *protocol, const uint8_t *data, size_t size, bool vague)
{
	if (size < 1 || size > 4000)
		return 0;
	char *whole = db_fuzz_play(protocol, data + 1, size - 1, vague, 0);
	char *cut = db_fuzz_play(protocol, data + 1, size - 1, vague, data[0] + 1u);
	if (strcmp(whole, cut) != 0) {
		fprintf(stderr, "--- whole\n%s--- cut\n%s", whole, cut);
		abort();
	}
	free(whole);
	free(cut);
	return 0;
}

#endif
