/* fuzz_hpack.c - a header block that fields of ours were put into, or of which a value was written anew, means what it meant, and
 * leaves the decoder's table as it would have been: entry by entry, by a decoder that knows nothing of the edit.
 *
 * Input: a byte (bit 0: a value is rewritten, bit 1: padded, bit 2: with priority, bits 3-4: so many frames more), then the block. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/http2_replay.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char start[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0";
#define OURS "traceparent: 00-11111111111111111111111111111111-2222222222222222-01\r\n"

struct decoded {
	nghttp2_hd_inflater *inflater;
	char *text;
	size_t size;
};

static void tell_field(FILE *out, const nghttp2_nv *nv, bool masked)
{
	bool carrier = masked && (replay_carrier((struct bytes){(const char *)nv->name, nv->namelen}));
	fprintf(out, "%zu %zu ", nv->namelen, nv->valuelen);
	fwrite(nv->name, 1, nv->namelen, out);
	for (size_t i = 0; i < nv->valuelen; i++) /* blanks around a value are no part of it, and stay */
		fputc(carrier ? '7' : nv->value[i], out);
	fputc('\n', out);
}

static bool decode(struct decoded *decoded, struct bytes block, bool masked)
{
	const uint8_t *at = (const uint8_t *)block.ptr;
	size_t left = block.len;
	int flags = 0;
	bool good = true;
	FILE *out = open_memstream(&decoded->text, &decoded->size);
	nghttp2_hd_inflate_new(&decoded->inflater);
	while (good && !(flags & NGHTTP2_HD_INFLATE_FINAL)) {
		nghttp2_nv nv;
		flags = 0;
		ssize_t used = nghttp2_hd_inflate_hd2(decoded->inflater, &nv, &flags, at, left, 1);
		good = used >= 0 && (used > 0 || flags);
		at += used > 0 ? used : 0;
		left -= used > 0 ? (size_t)used : 0;
		if (good && flags & NGHTTP2_HD_INFLATE_EMIT)
			tell_field(out, &nv, masked);
		good = good && ftell(out) < 100000;
	}
	fclose(out);
	return good;
}

static void forget(struct decoded *decoded)
{
	nghttp2_hd_inflate_del(decoded->inflater);
	free(decoded->text);
}

static void put_frame(FILE *out, uint8_t type, uint8_t flags, const char *payload, size_t len)
{
	const char head[9] = {(char)(len >> 16), (char)(len >> 8), (char)len, (char)type, (char)flags, 0, 0, 0, 1};
	fwrite(head, 1, 9, out);
	fwrite(payload, 1, len, out);
}

/* The frames of the request, and what the parser makes of them. */
static char *send_it(uint8_t how, struct bytes block, size_t *sent_size, int *edits)
{
	char *frames, *sent, first[6000] = {0};
	size_t frames_size, at = 0, parts = (how >> 3 & 3) + 1, part = block.len / parts;
	struct replay replay;
	FILE *out = open_memstream(&frames, &frames_size);
	if (how & 2)
		first[at++] = 3;
	if (how & 4)
		at += 5;
	if (part)
		memcpy(first + at, block.ptr, part);
	put_frame(out, 1, (uint8_t)(1 | (how & 2 ? 8 : 0) | (how & 4 ? 0x20 : 0) | (part == block.len ? 4 : 0)), first,
		  at + part + (how & 2 ? 3 : 0));
	for (size_t from = part; from < block.len;) {
		size_t len = block.len - from < part + parts ? block.len - from : part;
		put_frame(out, 9, from + len == block.len ? 4 : 0, block.ptr + from, len);
		from += len;
	}
	fclose(out);
	replay_open(&replay);
	replay.lines = BYTES(OURS);
	replay.rewrites = how & 1;
	replay_feed(&replay, HALF_REQUESTS, (struct bytes){start, sizeof(start)});
	replay.edited = open_memstream(&sent, sent_size);
	replay_feed(&replay, HALF_REQUESTS, (struct bytes){frames, frames_size});
	fclose(replay.edited);
	*edits = replay.edits;
	free(frames);
	free(replay_close(&replay));
	return sent;
}

/* The header block in these frames. */
static size_t read_it(const char *sent, size_t size, char *block)
{
	size_t have = 0;
	while (size > 0) {
		const uint8_t *at = (const uint8_t *)sent;
		if (size < 9)
			abort();
		size_t len = (size_t)at[0] << 16 | (size_t)at[1] << 8 | at[2];
		if (len > size - 9 || len > 16384)
			abort();
		size_t skip = at[3] == 1 ? (at[4] & 8 ? 1u : 0u) + (at[4] & 0x20 ? 5u : 0u) : 0, pad = at[3] == 1 && at[4] & 8 ? at[9] : 0;
		memcpy(block + have, at + 9 + skip, len - skip - pad);
		have += len - skip - pad;
		if ((size == 9 + len) != !!(at[4] & 4))
			abort();
		sent += 9 + len;
		size -= 9 + len;
	}
	return have;
}

static void compare(const struct decoded *was, const struct decoded *is, bool ours)
{
	static const char added[] = "11 55 traceparent00-11111111111111111111111111111111-2222222222222222-01\n";
	size_t more = ours ? sizeof(added) - 1 : 0;
	if (is->size != was->size + more || memcmp(is->text, was->text, was->size) != 0 ||
	    memcmp(is->text + was->size, added, more) != 0)
		abort();
	size_t entries = nghttp2_hd_inflate_get_num_table_entries(was->inflater);
	if (nghttp2_hd_inflate_get_num_table_entries(is->inflater) != entries)
		abort();
	for (size_t i = 1; i <= entries; i++) {
		const nghttp2_nv *a = nghttp2_hd_inflate_get_table_entry(was->inflater, i);
		const nghttp2_nv *b = nghttp2_hd_inflate_get_table_entry(is->inflater, i);
		if (a->namelen != b->namelen || a->valuelen != b->valuelen || memcmp(a->name, b->name, a->namelen) != 0 ||
		    memcmp(a->value, b->value, a->valuelen) != 0)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char block[20000];
	struct decoded was, is;
	int edits;
	if (size < 9 || size > 4000)
		return 0;
	bool rewrites = data[0] & 1;
	struct bytes given = {(const char *)data + 1, size - 1};
	if (decode(&was, given, rewrites)) {
		size_t sent_size;
		char *sent = send_it(data[0], given, &sent_size, &edits);
		size_t len = read_it(sent, sent_size, block);
		if (!decode(&is, (struct bytes){block, len}, rewrites))
			abort();
		compare(&was, &is, edits && !rewrites);
		forget(&is);
		free(sent);
	}
	forget(&was);
	return 0;
}
