/* test_http2_inflate.c - header blocks of an encoder that does as it likes say what nghttp2's decoder says they say, with or
 * without its having been asked; afterwards its table is the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/support/http2_blocks.h"

struct writer {
	uint8_t block[70000];
	size_t len;
	uint32_t seed;
};

static uint32_t below(struct writer *to, uint32_t most)
{
	to->seed = to->seed * 1664525u + 1013904223u;
	return (to->seed >> 8) % most;
}

static void put_integer(struct writer *to, unsigned first, unsigned bits, size_t value)
{
	unsigned most = (1u << bits) - 1;
	if (value < most) {
		to->block[to->len++] = (uint8_t)(first | value);
		return;
	}
	to->block[to->len++] = (uint8_t)(first | most);
	for (value -= most; value >= 128; value >>= 7)
		to->block[to->len++] = (uint8_t)(value | 128);
	to->block[to->len++] = (uint8_t)value;
}

/* The Huffman code of it, or as it is. nghttp2's encoder writes what is shorter: its output is cut out of a literal. */
static void put_string(struct writer *to, const char *text, bool huffman)
{
	size_t len = strlen(text);
	if (huffman && len < 2000) {
		uint8_t out[4096];
		nghttp2_hd_deflater *deflater;
		nghttp2_nv nv = {(uint8_t *)(uintptr_t)"x", (uint8_t *)(uintptr_t)text, 1, len, NGHTTP2_NV_FLAG_NO_INDEX};
		nghttp2_hd_deflate_new(&deflater, 4096);
		ssize_t size = nghttp2_hd_deflate_hd(deflater, out, sizeof(out), &nv, 1);
		nghttp2_hd_deflate_del(deflater);
		assert_true(size > 3); /* 0x10, the name's length, the name */
		memcpy(to->block + to->len, out + 3, (size_t)size - 3);
		to->len += (size_t)size - 3;
		return;
	}
	put_integer(to, 0, 7, len);
	memcpy(to->block + to->len, text, len);
	to->len += len;
}

static const char *const names[] = {":path", "user-agent", "traceparent", "x-captured", "content-type", "grpc-status", "host",
				    "x-forwarded-for", "grpc-timeout", "location", "server", "a", ":status"};
static const char *const values[] = {"/index.html", "text/plain; charset=utf-8", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
				     "", "0", "200", "Mon, 01 Jan 2024 00:00:00 GMT", "W/\"65a-1f<>{}~^\"", "back\\slash", "\x01\xff",
				     "a longer value of no meaning, so that the table is soon full: .......................................",
				     "https://www.example.org/a/b/c?d=e&f=g#h"};

enum { LITERAL = 0x00, NEVER = 0x10, ADDED = 0x40, INDEXED = 0x80 };

/* A field of some kind; `most`: of the numbers of names and fields in the tables. */
static void put_field(struct writer *to, unsigned how, uint32_t most)
{
	const char *value = values[below(to, sizeof(values) / sizeof(values[0]))];
	bool huffman = below(to, 2);
	if (how == INDEXED) {
		put_integer(to, INDEXED, 7, 1 + below(to, most));
		return;
	}
	unsigned bits = how == ADDED ? 6 : 4;
	if (below(to, 2)) {
		put_integer(to, how, bits, 1 + below(to, most));
	} else {
		put_integer(to, how, bits, 0);
		put_string(to, names[below(to, sizeof(names) / sizeof(names[0]))], below(to, 2));
	}
	put_string(to, value, huffman);
}

static struct bytes written(const struct writer *to)
{
	return (struct bytes){(const char *)to->block, to->len};
}

static void put_block(struct writer *to, const struct blocks *blocks)
{
	static const unsigned kinds[] = {LITERAL, NEVER, ADDED, INDEXED};
	size_t entries = nghttp2_hd_inflate_get_num_table_entries(blocks->alone.run.codec->inflater);
	bool uses = below(to, 4) == 0, adds = below(to, 2);

	to->len = 0;
	if (below(to, 40) == 0)
		put_integer(to, 0x20, 5, below(to, 3) * 100);
	else if (below(to, 40) == 0)
		put_integer(to, 0x20, 5, 4096);
	for (uint32_t i = below(to, 8); i > 0; i--) {
		unsigned how = kinds[below(to, 4)];
		put_field(to, how == ADDED && !adds ? LITERAL : how, uses ? (uint32_t)entries : 61);
	}
}

static void test_inflate_says_what_the_decoder_says(void **unused)
{
	(void)unused;
	static struct writer to;
	static const enum http2_kind kinds[] = {BLOCK_REQUEST, BLOCK_RESPONSE, BLOCK_TRAILERS, BLOCK_OTHER};
	uint32_t late = 0, right = 0;

	for (uint32_t seed = 1; seed <= 150; seed++) {
		struct blocks blocks;
		char again[4096];
		size_t kept = 0;
		to.seed = seed;
		blocks_open(&blocks, seed % 2 ? HALF_REQUESTS : HALF_RESPONSES);
		for (int i = 0; i < 120 && !blocks.ours.state.opaque; i++) {
			put_block(&to, &blocks);
			blocks_take(&blocks, written(&to), kinds[below(&to, 4)]);
			if (kept && below(&to, 2)) /* the same bytes mean the same, or by now another thing */
				blocks_take(&blocks, (struct bytes){again, kept}, BLOCK_RESPONSE);
			if (to.len && to.len <= sizeof(again) && below(&to, 3) == 0)
				memcpy(again, to.block, kept = to.len);
			if (below(&to, 20) == 0)
				blocks_compare_tables(&blocks);
			if (below(&to, 60) == 0)
				blocks_resize(&blocks, below(&to, 3) * 2048);
		}
		blocks_compare_tables(&blocks);
		late += blocks.late;
		right += blocks.count;
		blocks_close(&blocks);
	}
	assert_true(right > 3000);
	assert_true(late > 1000);
}

static uint32_t take_answer(struct blocks *blocks, uint32_t number, const char *server)
{
	static struct writer to;
	char text[32];

	to.len = 0;
	snprintf(text, sizeof(text), "W/\"%u\"", number / 3);
	put_integer(&to, INDEXED, 7, 8);
	put_integer(&to, ADDED, 6, 34);
	put_string(&to, text, true);
	put_integer(&to, ADDED, 6, 54);
	put_string(&to, server, true);
	blocks_take(blocks, written(&to), BLOCK_RESPONSE);
	return blocks->ours.run.codec->late.used;
}

/* As nginx does: every answer adds to a table that nothing is ever taken from. */
static void test_inflate_spares_the_decoder_what_only_adds(void **unused)
{
	(void)unused;
	const char *server = "nginx and its number, which is long, and words";

	for (; *server; server++) {
		struct blocks blocks;
		uint32_t late = 0, had = 0, rounds = 0;
		blocks_open(&blocks, HALF_RESPONSES);
		/* Compared when the oldest ones have just been dropped. */
		for (uint32_t i = 0; i < 3000 && (late >= had || ++rounds < 4); i++) {
			had = late;
			late = take_answer(&blocks, i, server);
		}
		assert_int_equal(rounds, 4);
		assert_int_equal(blocks.late, blocks.count);
		nghttp2_hd_inflater *inflater = blocks.ours.run.codec->inflater;
		assert_int_equal(nghttp2_hd_inflate_get_num_table_entries(inflater), HTTP2_STATIC);
		blocks_compare_tables(&blocks);
		assert_true(nghttp2_hd_inflate_get_num_table_entries(inflater) > HTTP2_STATIC + 50);
		blocks_close(&blocks);
	}
}

static ptrdiff_t decoded(const char *text, char *out)
{
	static struct writer to;
	to.len = 0;
	put_string(&to, text, true);
	assert_true(to.len > 0);
	if (!(to.block[0] & 0x80)) /* no shorter that way */
		return -2;
	size_t at = 1;
	if ((to.block[0] & 127) == 127)
		while (to.block[at++] & 128)
			;
	struct bytes code = {(const char *)to.block + at, to.len - at};
	char *flush = malloc(code.len); /* a byte too far is one that is not there */
	memcpy(flush, code.ptr, code.len);
	ptrdiff_t size = http2_huffman((struct bytes){flush, code.len}, out);
	free(flush);
	return size;
}

static void test_huffman_reads_all_that_is_printed(void **unused)
{
	(void)unused;
	char text[300], out[600];
	struct writer to = {.seed = 7};

	for (int c = ' '; c <= '~'; c++) {
		/* Short codes around it, for nghttp2 to prefer them. */
		for (size_t before = 0; before < 16; before++) {
			memset(text, 'a', 64);
			text[before] = (char)c;
			text[64 + before % 8] = '\0';
			memset(text + 64, 'e', before % 8);
			ptrdiff_t size = decoded(text, out);
			if (c == '\\') {
				assert_int_equal(size, -1);
				continue;
			}
			assert_int_equal(size, strlen(text));
			assert_memory_equal(out, text, size);
		}
	}
	for (int i = 0; i < 3000; i++) {
		size_t len = 1 + below(&to, 250);
		for (size_t at = 0; at < len; at++)
			text[at] = "0123456789abcdefghijklmnopqrstuvwxyz-/.=:_%ABCXZ&*,;!()?+|#>$@[]~^}<`{'\""[below(&to, i % 2 ? 72 : 30)];
		text[len] = '\0';
		ptrdiff_t size = decoded(text, out);
		if (size == -2)
			continue;
		assert_int_equal(size, len);
		assert_memory_equal(out, text, len);
	}
}

static void test_huffman_refuses_wrong_ends(void **unused)
{
	(void)unused;
	char out[16];
	static const char *const wrong[] = {
		"\x1f\xff",         /* "a" and eleven ones */
		"\x18",             /* and zeroes */
		"\xff",             /* ones alone: too many */
		"\xff\xff\xff\xff", /* their end symbol */
		"\xfe",             /* half of a code */
		"\xff\xc0",
	};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(http2_huffman(bytes_of(wrong[i]), out), -1);
	assert_int_equal(http2_huffman((struct bytes){"\x1f", 1}, out), 1);
	assert_int_equal(out[0], 'a');
	assert_int_equal(http2_huffman((struct bytes){"", 0}, out), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_inflate_says_what_the_decoder_says),
		cmocka_unit_test(test_inflate_spares_the_decoder_what_only_adds),
		cmocka_unit_test(test_huffman_reads_all_that_is_printed),
		cmocka_unit_test(test_huffman_refuses_wrong_ends),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
