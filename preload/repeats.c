/* repeats.c - counts of statements in their request's span. */
#include "preload/repeats.h"

#include <string.h>

#include "preload/config.h"
#include "preload/counters.h"
#include "preload/stack.h"

uint64_t repeats_hash(struct bytes name)
{
	uint64_t hash = 0xcbf29ce484222325u ^ name.len, word;

	for (size_t i = 0; i < name.len; i += sizeof(word)) {
		word = 0;
		if (name.len - i >= sizeof(word))
			memcpy(&word, name.ptr + i, sizeof(word));
		else
			memcpy(&word, name.ptr + i, name.len - i);
		hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
		hash ^= hash >> 32;
	}
	return hash ? hash : 1;
}

/* Who cannot have it soon goes without: a count is not worth a wait. */
static bool lock(struct span *server)
{
	for (int tries = 0; tries < 1000; tries++)
		if (!atomic_exchange_explicit(&server->repeats_lock, 1, memory_order_acquire))
			return true;
	count_one(repeats_uncounted);
	return false;
}

static void unlock(struct span *server)
{
	atomic_store_explicit(&server->repeats_lock, 0, memory_order_release);
}

static struct span_repeat *find(struct span *server, const struct span *statement)
{
	uint8_t used = server->repeats;

	for (uint8_t i = 0; i < used && i < SPAN_REPEATS; i++)
		if (server->repeat[i].statement == statement->statement)
			return &server->repeat[i];
	if (used >= SPAN_REPEATS) {
		count_one(repeats_uncounted);
		return NULL;
	}
	struct span_repeat *repeat = &server->repeat[used];
	memset(repeat, 0, sizeof(*repeat));
	repeat->statement = statement->statement;
	repeat->name_len = statement->name_len < sizeof(repeat->name) ? statement->name_len
								      : (uint8_t)sizeof(repeat->name);
	memcpy(repeat->name, statement->name, repeat->name_len);
	server->repeats = (uint8_t)(used + 1);
	return repeat;
}

static void measure(struct span_repeat *repeat, const struct span *statement, uint64_t end)
{
	uint64_t took = end > statement->start ? end - statement->start : 0;

	if (repeat->collapsed == 0 || took < repeat->least)
		repeat->least = took;
	if (took > repeat->most)
		repeat->most = took;
	repeat->sum += took;
	repeat->end = end;
	repeat->failed += statement->failed;
	repeat->collapsed++;
}

/* True: the statement stands for the rest from now on, or is one of them. */
static bool collapse(struct span_repeat *repeat, struct span *statement, uint64_t end)
{
	/* An id that somebody has seen must be exported. */
	if (config.db_collapse == UINT32_MAX || repeat->count <= config.db_collapse || statement->exposed ||
	    !statement->recording || statement->aside)
		return false;
	measure(repeat, statement, end);
	if (repeat->kept)
		span_discard(statement);
	else
		repeat->kept = statement->index + 1;
	return true;
}

bool repeats_ended(struct span *statement, uint64_t end)
{
	struct span *server = span_of(statement->activity);
	bool taken = false;

	if (!server || server->kind != SPAN_SERVER || span_inherited(server) || !lock(server))
		return false;
	struct span_repeat *repeat = span_alive(statement->activity) ? find(server, statement) : NULL;
	if (repeat) {
		repeat->count++;
		taken = collapse(repeat, statement, end);
	}
	unlock(server);
	return taken;
}

static size_t put_count(char *room, uint32_t count)
{
	char digits[12];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + count % 10);
		count /= 10;
	} while (count);
	memcpy(room, digits + at, sizeof(digits) - at);
	return sizeof(digits) - at;
}

/* "SELECT orders x 41" */
static struct bytes phrase(const struct span_repeat *repeat, char *room)
{
	size_t used = repeat->name_len;

	memcpy(room, repeat->name, used);
	memcpy(room + used, " x ", 3);
	used += 3;
	used += put_count(room + used, repeat->count);
	return (struct bytes){room, used};
}

static void end_kept(struct span_repeat *repeat)
{
	struct span *kept = repeat->kept ? span_slot(repeat->kept - 1) : NULL;

	repeat->kept = 0;
	if (!kept)
		return;
	kept->statement = 0;
	stack_never(kept);
	attrs_int(&kept->attrs, BYTES("tagalong.collapsed.count"), repeat->collapsed);
	attrs_double(&kept->attrs, BYTES("tagalong.collapsed.min"), (double)repeat->least / 1e9);
	attrs_double(&kept->attrs, BYTES("tagalong.collapsed.max"), (double)repeat->most / 1e9);
	attrs_double(&kept->attrs, BYTES("tagalong.collapsed.sum"), (double)repeat->sum / 1e9);
	if (repeat->failed) {
		attrs_int(&kept->attrs, BYTES("tagalong.collapsed.failed"), repeat->failed);
		kept->failed = true;
	}
	span_end(kept, repeat->end);
}

void repeats_tell(struct span *server)
{
	struct bytes phrases[SPAN_REPEATS];
	char room[SPAN_REPEATS][SPAN_NAME + 16];
	size_t told = 0;

	if (!lock(server)) /* somebody was torn out of it: what it kept is kept for good */
		return;
	for (uint8_t i = 0; i < server->repeats && i < SPAN_REPEATS; i++) {
		struct span_repeat *repeat = &server->repeat[i];
		end_kept(repeat);
		if (config.repeated_queries && repeat->count >= config.repeated_queries) {
			phrases[told] = phrase(repeat, room[told]);
			told++;
		}
	}
	server->repeats = 0;
	unlock(server);
	if (told && server->recording)
		attrs_strings(&server->attrs, BYTES("tagalong.repeated_queries"), phrases, told);
}

void repeats_drop(struct span *server)
{
	if (!lock(server))
		return;
	for (uint8_t i = 0; i < server->repeats && i < SPAN_REPEATS; i++)
		if (server->repeat[i].kept)
			span_discard(span_slot(server->repeat[i].kept - 1));
	server->repeats = 0;
	unlock(server);
}
