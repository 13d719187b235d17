/* fuzz_http1.c - any conversation, told the same however it is cut, whatever was looked at ahead, and
 * whatever notes there are of it and of others.
 *
 * Input: a seed byte for the cuts, then pieces: a byte (bit 7: half, bit 6: end or skip) and a length byte.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/http1_replay.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 16;
}

static void feed_cut(struct replay *replay, enum protocol_half half, struct bytes text, uint32_t *seed)
{
	while (text.len) {
		size_t cut = 1 + next_random(seed) % (next_random(seed) % 4 ? 8 : 200);
		if (cut > text.len)
			cut = text.len;
		if (next_random(seed) % 2)
			replay_ahead(replay, half, text);
		replay_feed(replay, half, bytes_until(text, cut));
		text = bytes_from(text, cut);
	}
}

static _Alignas(8) char notes[2][PROTOCOL_NOTES_SIZE];
static struct protocol_memo memo; /* which goes by what they say */

static char *play(const uint8_t *data, size_t size, bool cut, uint32_t seed, bool noting)
{
	struct replay replay;
	replay_open(&replay);
	replay.sink.notes = noting ? notes : NULL;
	replay.memo = noting ? &memo : NULL;
	while (size >= 2) {
		enum protocol_half half = data[0] & 0x80 ? HALF_RESPONSES : HALF_REQUESTS;
		size_t len = data[1] | (size_t)(data[0] & 0x0f) << 8;
		bool other = data[0] & 0x40;
		data += 2;
		size -= 2;
		if (other) {
			if (len % 4 == 0)
				replay_end(&replay, half);
			else
				replay_skip(&replay, half, len);
			continue;
		}
		if (len > size)
			len = size;
		struct bytes text = {(const char *)data, len};
		if (cut)
			feed_cut(&replay, half, text, &seed);
		else
			replay_feed(&replay, half, text);
		data += len;
		size -= len;
	}
	return replay_close(&replay);
}

static void compare(char *other, const char *whole, const char *how)
{
	if (strcmp(whole, other) != 0) {
		fprintf(stderr, "--- whole\n%s--- %s\n%s", whole, how, other);
		abort();
	}
	free(other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Longer heads are cut by the stash, which depends on where they are cut. */
	if (size < 1 || size > 1000)
		return 0;
	uint8_t seed = *data++;
	char *whole = play(data, --size, false, 0, false);
	compare(play(data, size, true, seed, false), whole, "cut");
	free(whole);
	replay_capture(false);
	memset(notes, 0, sizeof(notes));
	memset(&memo, 0, sizeof(memo));
	whole = play(data, size, false, 0, false);
	for (int round = 0; round < 4; round++) {
		compare(play(data, size, false, 0, true), whole, "with notes");
		compare(play(data, size, true, seed + round, true), whole, "with notes, cut");
	}
	free(whole);
	replay_capture(true);
	return 0;
}
