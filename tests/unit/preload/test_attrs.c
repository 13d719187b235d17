/* test_attrs.c - attributes read back by hand, at every size of buffer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/support/attrs_text.h"

static const struct attrs_limits no_limits = {128, UINT32_MAX};

static char *text_of(const struct attrs *attrs)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	attrs_text(attrs, "", out);
	fclose(out);
	return text;
}

static void expect(const struct attrs *attrs, const char *expected)
{
	char *text = text_of(attrs);
	assert_string_equal(text, expected);
	free(text);
}

static void test_attrs_write_every_type(void **unused)
{
	(void)unused;
	uint8_t room[1024];
	struct attrs attrs;
	struct bytes list[] = {BYTES("a"), BYTES(""), BYTES("\xff")};
	struct bytes parts[] = {BYTES("http"), BYTES("://"), BYTES("\xc3"), BYTES("\xa9")};

	attrs_init(&attrs, room, sizeof(room), &no_limits);
	attrs_string(&attrs, BYTES("s"), BYTES("text"));
	attrs_string(&attrs, BYTES("empty"), BYTES(""));
	attrs_string(&attrs, BYTES("none"), BYTES_NONE);
	attrs_string(&attrs, BYTES("bad"), BYTES("a\xc3"));
	attrs_int(&attrs, BYTES("zero"), 0);
	attrs_int(&attrs, BYTES("minus"), -1);
	attrs_int(&attrs, BYTES("big"), INT64_MAX);
	attrs_bool(&attrs, BYTES("no"), false);
	attrs_bool(&attrs, BYTES("yes"), true);
	attrs_double(&attrs, BYTES("d"), 0.5);
	attrs_strings(&attrs, BYTES("list"), list, 3);
	attrs_strings(&attrs, BYTES("nothing"), list, 0);
	attrs_concat(&attrs, BYTES("joined"), parts, 4);
	attrs_concat(&attrs, BYTES("torn"), parts, 3);
	expect(&attrs, "s=\"text\"\nempty=\"\"\nnone=\"\"\nbad=b\"a\\xc3\"\nzero=0\nminus=-1\nbig=9223372036854775807\n"
		       "no=false\nyes=true\nd=0.5\nlist=[\"a\",\"\",b\"\\xff\"]\nnothing=[]\n"
		       "joined=\"http://\xc3\xa9\"\ntorn=b\"http://\\xc3\"\n");
	assert_int_equal(attrs.dropped, 0);
	assert_int_equal(attrs.cut, 0);
}

static uint8_t reserve[512];

static bool grow(struct attrs *attrs)
{
	memcpy(reserve, attrs->buf, attrs->len);
	attrs->buf = reserve;
	attrs->cap = sizeof(reserve);
	attrs->grow = NULL;
	return true;
}

static void test_attrs_grow_into_the_reserve(void **unused)
{
	(void)unused;
	uint8_t room[64];
	char value[601];
	struct attrs attrs;

	memset(value, 'v', sizeof(value));
	attrs_init(&attrs, room, sizeof(room), &no_limits);
	attrs.grow = grow;
	attrs_string(&attrs, BYTES("a"), BYTES("1"));
	assert_ptr_equal(attrs.buf, room);
	attrs_string(&attrs, BYTES("b"), ((struct bytes){value, 100}));
	assert_ptr_equal(attrs.buf, reserve);
	assert_int_equal(attrs.cut, 0);
	assert_true(attrs_has(&attrs, BYTES("a")) && attrs_has(&attrs, BYTES("b")));
	attrs_string(&attrs, BYTES("c"), ((struct bytes){value, 600}));
	assert_int_equal(attrs.cut, 1);
	assert_true(attrs.len <= attrs.cap);
}

/* The bytes themselves, so that writer and reader cannot be wrong together. */
static void test_attrs_string_is_otlp(void **unused)
{
	(void)unused;
	static const uint8_t expected[] = {0x4a, 0x08, 0x0a, 0x01, 'k', 0x12, 0x03, 0x0a, 0x01, 'v',
					   0x4a, 0x0e, 0x0a, 0x01, 'i', 0x12, 0x09, 0x21, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f};
	uint8_t room[64];
	struct attrs attrs;
	attrs_init(&attrs, room, sizeof(room), &no_limits);
	attrs_string(&attrs, BYTES("k"), BYTES("v"));
	attrs_double(&attrs, BYTES("i"), 1.0);
	assert_int_equal(attrs.len, sizeof(expected));
	assert_memory_equal(room, expected, sizeof(expected));
}

static void test_attrs_write_every_length(void **unused)
{
	(void)unused;
	static uint8_t room[70000];
	static char text[66000];
	struct attrs attrs;
	memset(text, 'x', sizeof(text));
	for (size_t len = 0; len < sizeof(text); len += len < 300 || (len > 16000 && len < 16500) ? 1 : 97) {
		attrs_init(&attrs, room, sizeof(room), &no_limits);
		attrs_string(&attrs, BYTES("key"), (struct bytes){text, len});
		attrs_int(&attrs, BYTES("after"), 7);
		char *read = text_of(&attrs);
		assert_int_equal(strlen(read), 4 + len + 2 + 1 + strlen("after=7\n"));
		assert_string_equal(read + 4 + len + 2 + 1, "after=7\n");
		assert_int_equal(attrs.cut, 0);
		free(read);
	}
}

/* Whatever fits, what is written is whole, and nothing is written behind the end. */
static void test_attrs_stay_in_their_buffer(void **unused)
{
	(void)unused;
	uint8_t room[256];
	struct bytes parts[] = {BYTES("f\xc3\xbc"), BYTES("r \xe2\x82\xac"), BYTES("100 und noch mehr davon")};
	for (size_t cap = 0; cap <= 200; cap++) {
		struct attrs attrs;
		memset(room, 0xee, sizeof(room));
		attrs_init(&attrs, room, cap, &no_limits);
		attrs_concat(&attrs, BYTES("concat"), parts, 3);
		attrs_string(&attrs, BYTES("string"), BYTES("\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac"));
		attrs_strings(&attrs, BYTES("strings"), parts, 2);
		attrs_int(&attrs, BYTES("int"), -1);
		attrs_double(&attrs, BYTES("double"), 1);
		attrs_bool(&attrs, BYTES("bool"), true);
		assert_true(attrs.len <= cap);
		char *text = text_of(&attrs);
		if (strstr(text, "concat=b") || strstr(text, "string=b") || strstr(text, "[b"))
			fail_msg("cut inside a character with %zu bytes: %s", cap, text);
		free(text);
		assert_int_equal(attrs.count + attrs.dropped, 6);
		assert_true(cap < 200 || (attrs.count == 6 && attrs.cut == 0));
		for (size_t i = cap; i < sizeof(room); i++)
			assert_int_equal(room[i], 0xee);
	}
}

static void test_attrs_limits_count_code_points(void **unused)
{
	(void)unused;
	static const struct attrs_limits limits = {4, 3};
	uint8_t room[512];
	struct attrs attrs;
	struct bytes list[] = {BYTES("\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"), BYTES("abc"), BYTES("\xff\xff\xff\xff")};
	attrs_init(&attrs, room, sizeof(room), &limits);
	attrs_string(&attrs, BYTES("a"), list[0]);
	attrs_string(&attrs, BYTES("b"), list[1]);
	attrs_concat(&attrs, BYTES("c"), list, 2);
	attrs_strings(&attrs, BYTES("d"), list, 3);
	attrs_int(&attrs, BYTES("e"), 1);
	expect(&attrs, "a=\"\xc3\xa9\xc3\xa9\xc3\xa9\"\nb=\"abc\"\nc=\"\xc3\xa9\xc3\xa9\xc3\xa9\"\n"
		       "d=[\"\xc3\xa9\xc3\xa9\xc3\xa9\",\"abc\",b\"\\xff\\xff\\xff\"]\n");
	assert_int_equal(attrs.dropped, 1);
	assert_int_equal(attrs.cut, 4);
}

static void test_attrs_has_finds_keys(void **unused)
{
	(void)unused;
	static char text[200];
	uint8_t room[512];
	struct attrs attrs;
	memset(text, 'y', sizeof(text));
	attrs_init(&attrs, room, sizeof(room), &no_limits);
	assert_false(attrs_has(&attrs, BYTES("a")));
	attrs_string(&attrs, BYTES("long"), (struct bytes){text, sizeof(text)});
	attrs_int(&attrs, BYTES("a"), 1);
	assert_true(attrs_has(&attrs, BYTES("long")));
	assert_true(attrs_has(&attrs, BYTES("a")));
	assert_false(attrs_has(&attrs, BYTES("lon")));
	assert_false(attrs_has(&attrs, BYTES("y")));
}

static void test_attrs_take_one_or_none(void **unused)
{
	(void)unused;
	static char text[200];
	memset(text, 'y', sizeof(text));
	uint8_t room[512], own[512];
	struct attrs from, attrs;
	attrs_init(&from, room, sizeof(room), &no_limits);
	attrs_int(&from, BYTES("a"), 1);
	attrs_string(&from, BYTES("long"), (struct bytes){text, sizeof(text)});
	attrs_string(&from, BYTES("b"), BYTES("x"));
	for (size_t cap = 0; cap < sizeof(own); cap++) {
		struct attrs_limits two = {2, UINT32_MAX};
		attrs_init(&attrs, own, cap, &two);
		attrs_take(&attrs, &from, BYTES("b"));
		attrs_take(&attrs, &from, BYTES("long"));
		attrs_take(&attrs, &from, BYTES("none"));
		assert_true(attrs.len <= cap);
		assert_int_equal(attrs.count + attrs.dropped, 2);
		assert_int_equal(attrs_has(&attrs, BYTES("b")) + attrs_has(&attrs, BYTES("long")), attrs.count);
		assert_int_equal(attrs.dropped, (cap < 10) + (cap < 225));
		if (attrs.count == 2)
			attrs_take(&attrs, &from, BYTES("a")); /* over the limit */
		assert_true(attrs.count <= 2);
	}
	text[0] = 0;
	char *read = text_of(&attrs);
	assert_int_equal(strncmp(read, "b=\"x\"\nlong=\"yyy", 15), 0);
	free(read);
}

static void test_utf8_valid_knows_the_rules(void **unused)
{
	(void)unused;
	static const char *const good[] = {"", "plain ascii, longer than a word", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80",
		"\xed\x9f\xbf", "\xee\x80\x80", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf", "1234567\xc3\xa9", "12345678\xc3\xa9y"};
	static const char *const bad[] = {"\x80", "\xc0\xaf", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf",
		"\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xc3", "\xe2\x82", "\xf0\x9f\x98", "1234567\xc3", "12345678\xff",
		"\xc3(", "\xe2\x82(", "\xfe", "\xc3\xa9\xbf"};
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (!utf8_valid(bytes_of(good[i])))
			fail_msg("good text %zu refused", i);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (utf8_valid(bytes_of(bad[i])))
			fail_msg("bad text %zu taken", i);
}

static void test_utf8_prefix_never_tears(void **unused)
{
	(void)unused;
	struct bytes text = BYTES("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z");
	static const size_t ends[] = {0, 1, 3, 6, 10, 11};
	for (size_t points = 0; points < 7; points++)
		assert_int_equal(utf8_prefix(text, points, 100), ends[points < 5 ? points : 5]);
	for (size_t bytes = 0; bytes < 14; bytes++) {
		size_t got = utf8_prefix(text, 100, bytes);
		assert_true(got <= bytes);
		assert_true(utf8_valid(bytes_until(text, got)));
		assert_true(got == text.len || got + 4 > bytes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_attrs_write_every_type),
		cmocka_unit_test(test_attrs_grow_into_the_reserve),
		cmocka_unit_test(test_attrs_string_is_otlp),
		cmocka_unit_test(test_attrs_write_every_length),
		cmocka_unit_test(test_attrs_stay_in_their_buffer),
		cmocka_unit_test(test_attrs_limits_count_code_points),
		cmocka_unit_test(test_attrs_has_finds_keys),
		cmocka_unit_test(test_attrs_take_one_or_none),
		cmocka_unit_test(test_utf8_valid_knows_the_rules),
		cmocka_unit_test(test_utf8_prefix_never_tears),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
