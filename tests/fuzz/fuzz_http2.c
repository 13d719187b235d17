/* fuzz_http2.c - any conversation, told the same however it is cut, and whatever was looked at ahead; and what an edit
 * makes of it stays within its bounds.
 *
 * Input: a seed byte for the cuts, then pieces: a byte (bit 7: half, bit 6: skip, bit 5: a frame without its length,
 * whose type, flags and stream come first) and a length byte. Bytes are fed after the preface and empty SETTINGS. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/http2_replay.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char start[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0";

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
		if (half == HALF_REQUESTS && next_random(seed) % 2)
			replay_ahead(replay, half, text);
		replay_feed(replay, half, bytes_until(text, cut));
		text = bytes_from(text, cut);
	}
}

static void feed(struct replay *replay, enum protocol_half half, struct bytes text, uint32_t *seed)
{
	if (seed)
		feed_cut(replay, half, text, seed);
	else
		replay_feed(replay, half, text);
}

static void feed_frame(struct replay *replay, enum protocol_half half, struct bytes text, uint32_t *seed)
{
	char frame[9 + 4096] = {0};
	if (text.len < 3)
		return;
	size_t payload = text.len - 3;
	frame[1] = (char)(payload >> 8);
	frame[2] = (char)payload;
	frame[3] = text.ptr[0];
	frame[4] = text.ptr[1];
	frame[8] = text.ptr[2];
	memcpy(frame + 9, text.ptr + 3, payload);
	feed(replay, half, (struct bytes){frame, 9 + payload}, seed);
}

static char *play(const uint8_t *data, size_t size, uint32_t *seed)
{
	struct replay replay;
	char *sent;
	size_t sent_size;
	replay_open(&replay);
	replay.rewrites = size > 0 && data[0] & 0x10;
	replay.lines = BYTES("traceparent: 00-11111111111111111111111111111111-2222222222222222-01\r\n");
	replay.edited = open_memstream(&sent, &sent_size);
	feed(&replay, HALF_REQUESTS, (struct bytes){start, sizeof(start)}, seed);
	feed(&replay, HALF_RESPONSES, (struct bytes){start + 24, sizeof(start) - 24}, seed);
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
		if (how)
			feed_frame(&replay, half, (struct bytes){(const char *)data, len}, seed);
		else
			feed(&replay, half, (struct bytes){(const char *)data, len}, seed);
		data += len;
		size -= len;
	}
	fclose(replay.edited);
	free(sent);
	return replay_close(&replay);
}

/* Where memory ends depends on what else is in it, which depends on the cuts. */
static int bounded(const char *log)
{
	return strstr(log, "OPAQUE TOO_LARGE") || strstr(log, "OPAQUE LOST");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1 || size > 4000)
		return 0;
	uint32_t seed = data[0];
	char *whole = play(data + 1, size - 1, NULL);
	char *cut = play(data + 1, size - 1, &seed);
	if (strcmp(whole, cut) != 0 && !bounded(whole) && !bounded(cut)) {
		fprintf(stderr, "--- whole\n%s--- cut\n%s", whole, cut);
		abort();
	}
	free(whole);
	free(cut);
	return 0;
}
