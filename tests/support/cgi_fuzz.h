/* cgi_fuzz.h - any conversation with one of the CGI protocols, told the same however it is cut.
 *
 * Input: a seed byte for the cuts, then pieces: a byte (bit 7: half, bit 6: end or skip) and a length byte. */
#ifndef TAGALONG_CGI_FUZZ_H
#define TAGALONG_CGI_FUZZ_H

#include "tests/support/cgi_replay.h"

static inline uint32_t cgi_fuzz_random(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 16;
}

static inline void cgi_fuzz_feed(struct cgi_replay *replay, enum protocol_half half, struct bytes text, uint32_t *seed)
{
	while (text.len) {
		size_t cut = *seed ? 1 + cgi_fuzz_random(seed) % (cgi_fuzz_random(seed) % 4 ? 8 : 200) : text.len;
		if (cut > text.len)
			cut = text.len;
		if (*seed && cgi_fuzz_random(seed) % 2)
			cgi_replay_ahead(replay, half, text);
		cgi_replay_feed(replay, half, bytes_until(text, cut));
		text = bytes_from(text, cut);
	}
}

static inline char *cgi_fuzz_play(const struct protocol *protocol, const uint8_t *data, size_t size, uint32_t seed)
{
	struct cgi_replay replay;
	cgi_replay_open(&replay, protocol);
	while (size >= 2) {
		enum protocol_half half = data[0] & 0x80 ? HALF_RESPONSES : HALF_REQUESTS;
		size_t len = data[1] | (size_t)(data[0] & 0x0f) << 8;
		bool other = data[0] & 0x40;
		data += 2;
		size -= 2;
		if (other) {
			if (len % 4 == 0)
				cgi_replay_end(&replay, half);
			else
				cgi_replay_skip(&replay, half, len);
			continue;
		}
		if (len > size)
			len = size;
		cgi_fuzz_feed(&replay, half, (struct bytes){(const char *)data, len}, &seed);
		data += len;
		size -= len;
	}
	return cgi_replay_close(&replay);
}

static inline int cgi_fuzz(const struct protocol *protocol, const uint8_t *data, size_t size)
{
	/* What finds no room depends on the cuts. */
	if (size < 1 || size > 1000)
		return 0;
	char *whole = cgi_fuzz_play(protocol, data + 1, size - 1, 0);
	char *cut = cgi_fuzz_play(protocol, data + 1, size - 1, data[0] + 1u);
	if (strcmp(whole, cut) != 0) {
		fprintf(stderr, "--- whole\n%s--- cut\n%s", whole, cut);
		abort();
	}
	free(whole);
	free(cut);
	return 0;
}

#endif
