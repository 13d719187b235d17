/* test_protocol_memo.c - what is kept is put again for the same texts only, whole or not at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "preload/protocol_memo.h"

static const struct attrs_limits no_limits = {128, UINT32_MAX};
static const struct bytes texts[MEMO_TEXTS] = {{"", 0}, {"host:80", 7}, {"1.1", 3}, {"agent", 5}};

/* Three attributes behind one that was there before. */
static void write_some(struct attrs *attrs, struct attrs *before)
{
	attrs_string(attrs, BYTES("first"), BYTES("of the message"));
	*before = *attrs;
	attrs_string(attrs, BYTES("server.address"), BYTES("host"));
	attrs_int(attrs, BYTES("server.port"), 80);
	attrs_string(attrs, BYTES("user_agent.original"), BYTES("agent"));
}

static void keep_some(struct protocol_memo *memo, struct attrs *attrs, uint8_t *room, size_t size,
		      const struct attrs_limits *limits)
{
	struct attrs before;
	attrs_init(attrs, room, size, limits);
	write_some(attrs, &before);
	memo->len = 0;
	protocol_memo_keep(memo, texts, &before, attrs);
}

static void test_memo_puts_the_same_bytes(void **unused)
{
	(void)unused;
	uint8_t room[512], again[512];
	struct attrs attrs, second;
	struct protocol_memo memo;

	keep_some(&memo, &attrs, room, sizeof(room), &no_limits);
	assert_int_equal(memo.count, 3);
	attrs_init(&second, again, sizeof(again), &no_limits);
	attrs_string(&second, BYTES("first"), BYTES("of the message"));
	assert_true(protocol_memo_put(&memo, texts, &second));
	assert_int_equal(second.len, attrs.len);
	assert_int_equal(second.count, attrs.count);
	assert_memory_equal(room, again, attrs.len);
}

static void test_memo_is_for_these_texts_only(void **unused)
{
	(void)unused;
	uint8_t room[512];
	struct attrs attrs;
	struct protocol_memo memo;
	/* The last three are the same bytes in a row, cut elsewhere. */
	static const struct bytes others[][MEMO_TEXTS] = {
		{{"", 0}, {"host:81", 7}, {"1.1", 3}, {"agent", 5}},
		{{"", 0}, {"host:80", 7}, {"1.1", 3}, {"agent2", 6}},
		{{"", 0}, {"host:80", 7}, {"1.1", 3}, {NULL, 0}},
		{{"h", 1}, {"ost:80", 6}, {"1.1", 3}, {"agent", 5}},
		{{"", 0}, {"host:8", 6}, {"01.1", 4}, {"agent", 5}},
		{{"", 0}, {"host:80", 7}, {"1.1a", 4}, {"gent", 4}},
	};

	keep_some(&memo, &attrs, room, sizeof(room), &no_limits);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		struct attrs before = attrs;
		assert_false(protocol_memo_put(&memo, others[i], &attrs));
		assert_memory_equal(&before, &attrs, sizeof(attrs));
	}
}

static void test_memo_puts_all_or_nothing(void **unused)
{
	(void)unused;
	uint8_t room[512], small[512];
	struct attrs attrs, second;
	struct protocol_memo memo;

	keep_some(&memo, &attrs, room, sizeof(room), &no_limits);
	for (size_t size = 0; size <= memo.len; size++) {
		attrs_init(&second, small, size, &no_limits);
		assert_int_equal(protocol_memo_put(&memo, texts, &second), size == memo.len);
	}
	for (uint32_t count = 0; count <= 4; count++) {
		struct attrs_limits limits = {count, UINT32_MAX};
		attrs_init(&second, small, sizeof(small), &limits);
		attrs_string(&second, BYTES("first"), BYTES("x"));
		assert_int_equal(protocol_memo_put(&memo, texts, &second), count == 4);
	}
}

static void test_memo_keeps_nothing_that_is_not_whole(void **unused)
{
	(void)unused;
	uint8_t room[2048];
	char long_text[500];
	struct attrs attrs, before;
	struct protocol_memo memo;
	struct attrs_limits few = {2, UINT32_MAX}, narrow = {128, 3};

	keep_some(&memo, &attrs, room, sizeof(room), &few); /* dropped */
	assert_int_equal(memo.len, 0);
	keep_some(&memo, &attrs, room, sizeof(room), &narrow); /* cut */
	assert_int_equal(memo.len, 0);

	memset(long_text, 'x', sizeof(long_text));
	struct bytes many[MEMO_TEXTS] = {{long_text, 100}, {long_text, 100}, {long_text, 100}, {"", 0}};
	keep_some(&memo, &attrs, room, sizeof(room), &no_limits);
	before = attrs;
	attrs_string(&attrs, BYTES("k"), BYTES("v"));
	protocol_memo_keep(&memo, many, &before, &attrs); /* too much to compare */
	assert_int_equal(memo.len, 0);

	before = attrs;
	attrs_string(&attrs, BYTES("k"), (struct bytes){long_text, sizeof(long_text)});
	protocol_memo_keep(&memo, texts, &before, &attrs); /* too much to keep */
	assert_int_equal(memo.len, 0);
	assert_false(protocol_memo_put(&memo, texts, &attrs));
}

static void test_memo_sees_each_byte(void **unused)
{
	(void)unused;
	uint8_t room[512];
	char text[40];
	struct attrs attrs, before;
	struct protocol_memo memo = {.len = 0};

	for (size_t len = 0; len <= sizeof(text); len++) {
		const struct bytes mine[MEMO_TEXTS] = {{"x", 1}, {text, len}};
		memset(text, 'a', sizeof(text));
		attrs_init(&attrs, room, sizeof(room), &no_limits);
		write_some(&attrs, &before);
		protocol_memo_keep(&memo, mine, &before, &attrs);
		assert_true(protocol_memo_put(&memo, mine, &attrs));
		for (size_t at = 0; at < len; at++) {
			text[at] = 'b';
			assert_false(protocol_memo_put(&memo, mine, &attrs));
			text[at] = 'a';
		}
	}
}

static void test_memo_takes_the_word_of_who_knows(void **unused)
{
	(void)unused;
	uint8_t room[512], again[512], small[512];
	struct attrs attrs, second, before;
	struct protocol_memo memo = {.serial = 5};

	keep_some(&memo, &attrs, room, sizeof(room), &no_limits);
	assert_int_equal(memo.serial, 0); /* nobody has said anything of what is kept now */
	attrs_init(&second, again, sizeof(again), &no_limits);
	assert_false(protocol_memo_put_same(&memo, 5, &second));
	assert_int_equal(second.len, 0);
	memo.serial = 7;
	assert_false(protocol_memo_put_same(&memo, 5, &second));
	attrs_string(&second, BYTES("first"), BYTES("of the message"));
	assert_true(protocol_memo_put_same(&memo, 7, &second));
	assert_int_equal(second.len, attrs.len);
	assert_int_equal(second.count, attrs.count);
	assert_memory_equal(room, again, attrs.len);
	/* All or nothing, as with texts. */
	for (size_t size = 0; size <= memo.len; size++) {
		attrs_init(&second, small, size, &no_limits);
		assert_int_equal(protocol_memo_put_same(&memo, 7, &second), size == memo.len);
	}
	for (uint32_t count = 0; count <= 4; count++) {
		struct attrs_limits limits = {count, UINT32_MAX};
		attrs_init(&second, small, sizeof(small), &limits);
		attrs_string(&second, BYTES("first"), BYTES("x"));
		assert_int_equal(protocol_memo_put_same(&memo, 7, &second), count == 4);
	}
	/* Whatever was said of it, nothing is kept. */
	attrs_init(&second, again, sizeof(again), &(struct attrs_limits){2, UINT32_MAX});
	write_some(&second, &before);
	protocol_memo_keep(&memo, texts, &before, &second);
	memo.serial = 7;
	attrs_init(&second, again, sizeof(again), &no_limits);
	assert_false(protocol_memo_put_same(&memo, 7, &second));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memo_puts_the_same_bytes),
		cmocka_unit_test(test_memo_is_for_these_texts_only),
		cmocka_unit_test(test_memo_puts_all_or_nothing),
		cmocka_unit_test(test_memo_sees_each_byte),
		cmocka_unit_test(test_memo_keeps_nothing_that_is_not_whole),
		cmocka_unit_test(test_memo_takes_the_word_of_who_knows),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
