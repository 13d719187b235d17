/* fuzz_postgres.c - any conversation, told the same however it is cut, and whatever was looked at ahead.
 *
 * Input: a seed byte for the cuts, whose lowest bit says that the connection has begun; then pieces: a byte
 * (bit 7: half, bit 6: skip, bit 5: a message without its length) and a length byte. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/postgres_replay.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char start[] = "\0\0\0\x1d\0\3\0\0user\0ann\0database\0b\0";

/* A statement with a name, so that there is an arena: a look ahead would take one, and only where it is cut.
 */
static const char named[] = "P\0\0\0\x9n\0\0\0\0S\0\0\0\4";

static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 16;
}

static void feed(struct replay *replay, enum protocol_half half, struct bytes text, uint32_t *seed)
{
	while (seed && text.len) {
		size_t cut = 1 + next_random(seed) % (next_random(seed) % 4 ? 8 : 200);
		if (cut > text.len)
			cut = text.len;
		if (next_random(seed) % 8 == 0)
			(void)replay_fold(replay);
		if (half == HALF_REQUESTS && next_random(seed) % 2)
			replay_ahead(replay, text);
		replay_feed(replay, half, bytes_until(text, cut));
		text = bytes_from(text, cut);
	}
	if (text.len)
		replay_feed(replay, half, text);
}

static void feed_message(struct replay *replay, enum protocol_half half, struct bytes text, uint32_t *seed)
{
	char message[5 + 4096] = {0};
	if (text.len < 1)
		return;
	message[0] = text.ptr[0];
	message[3] = (char)((text.len + 3) >> 8);
	message[4] = (char)(text.len + 3);
	memcpy(message + 5, text.ptr + 1, text.len - 1);
	feed(replay, half, (struct bytes){message, 4 + text.len}, seed);
}

static char *play(const uint8_t *data, size_t size, bool begun, uint32_t *seed)
{
	struct replay replay;
	replay_open(&replay);
	protocol_settings.sqlcommenter = true;
	replay.keep_stash = true; /* where it may be taken away depends on the cuts */
	if (begun) {
		feed(&replay, HALF_REQUESTS, (struct bytes){start, sizeof(start)}, seed);
		feed(&replay, HALF_RESPONSES, (struct bytes){"R\0\0\0\x8\0\0\0\0Z\0\0\0\5I", 15}, seed);
		feed(&replay, HALF_REQUESTS, (struct bytes){named, sizeof(named) - 1}, seed);
		feed(&replay, HALF_RESPONSES, (struct bytes){"1\0\0\0\4Z\0\0\0\5I", 11}, seed);
	}
	while (size >= 2) {
		enum protocol_half half = data[0] & 0x80 ? HALF_RESPONSES : HALF_REQUESTS;
		size_t len = data[1] | (size_t)(data[0] & 0x0f) << 8;
		uint8_t how = data[0] & 0x60;
		data += 2;
		size -= 2;
		if (how & 0x40) {
			replay_skip(&replay, half, len);
			continue;
		}
		if (len > size)
			len = size;
		struct bytes text = {(const char *)data, len};
		if (how)
			feed_message(&replay, half, text, seed);
		else
			feed(&replay, half, text, seed);
		data += len;
		size -= len;
	}
	return replay_close(&replay);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1 || size > 4000)
		return 0;
	uint32_t seed = data[0];
	bool begun = data[0] & 1;
	char *whole = play(data + 1, size - 1, begun, NULL);
	char *cut = play(data + 1, size - 1, begun, &seed);
	if (strcmp(whole, cut) != 0) {
		fprintf(stderr, "--- whole\n%s--- cut\n%s", whole, cut);
		abort();
	}
	free(whole);
	free(cut);
	return 0;
}
