/* Whose call is a request that carries the same value? The whole value decides, and only where it is one request's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "preload/config.h"
#include "preload/correlate.h"
#include "preload/counters.h"

#define SPANS 256
#define FIRST FIELD_COUNT
#define SECOND (FIELD_COUNT + 1)

static struct span *request(uint32_t field, struct bytes value)
{
	struct span *span = span_begin(SPAN_SERVER, 1);
	assert_non_null(span);
	correlate_note(span, field, value);
	span_identify(span, NULL);
	correlate_index(span);
	return span;
}

static void over(struct span *span)
{
	correlate_unindex(span);
	span_discard(span);
}

static struct correlated ask(uint32_t field, struct bytes value)
{
	struct correlated answer = {SPAN_NOBODY, CORRELATES_NOT};
	correlate_ask(&answer, field, value);
	return answer;
}

#define ASSERT_FOUND(answer, span)                                    \
	do {                                                          \
		struct correlated found = (answer);                   \
		assert_int_equal(found.found, CORRELATES_ONE);        \
		assert_int_equal(found.with, span_reference(span));   \
	} while (0)

static void test_names(void **state)
{
	(void)state;
	const char *wanted[] = {"X-Request-ID", "x-request-id", "correlation"}, *not[] = {"x-request-i", "x-request-idx", "x", "host"};
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(correlate_field(bytes_of(wanted[i])), i == 2 ? SECOND : FIRST);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(correlate_field(bytes_of(not[i])), 0);
	assert_int_equal(correlate_field(BYTES("TraceParent")), FIELD_TRACEPARENT);
	/* What a protocol may leave out at first sight. */
	assert_true(correlate_field_lengths()['x' - 'a'] & 1u << 12);
	assert_true(correlate_field_lengths()['t' - 'a'] & 1u << 11);
}

static void test_one_is_found_while_it_lives(void **state)
{
	(void)state;
	struct span *a = request(FIRST, BYTES("a")), *b = request(FIRST, BYTES("b"));
	ASSERT_FOUND(ask(FIRST, BYTES("a")), a);
	ASSERT_FOUND(ask(FIRST, BYTES("b")), b);
	assert_int_equal(ask(SECOND, BYTES("a")).found, CORRELATES_NOT);
	assert_int_equal(ask(FIRST, BYTES("A")).found, CORRELATES_NOT);
	assert_int_equal(ask(FIRST, BYTES("ab")).found, CORRELATES_NOT);
	over(a);
	assert_int_equal(ask(FIRST, BYTES("a")).found, CORRELATES_NOT);
	/* Ended by another process, or without a word. */
	span_discard(b);
	struct span *c = request(FIRST, BYTES("c")); /* takes the slot */
	assert_int_equal(ask(FIRST, BYTES("b")).found, CORRELATES_NOT);
	ASSERT_FOUND(ask(FIRST, BYTES("c")), c);
	over(c);
}

static void test_two_with_one_value_are_ambiguous(void **state)
{
	(void)state;
	struct span *a = request(FIRST, BYTES("same")), *b = request(FIRST, BYTES("same"));
	assert_int_equal(ask(FIRST, BYTES("same")).found, CORRELATES_MANY);
	over(a);
	ASSERT_FOUND(ask(FIRST, BYTES("same")), b);
	over(b);
}

static void test_two_headers_must_agree(void **state)
{
	(void)state;
	struct span *a = span_begin(SPAN_SERVER, 1), *b = request(SECOND, BYTES("2"));
	correlate_note(a, FIRST, BYTES("1"));
	correlate_note(a, SECOND, BYTES("3"));
	correlate_note(a, FIRST, BYTES("again")); /* the first one counts */
	correlate_index(a);
	struct correlated answer = ask(FIRST, BYTES("1"));
	correlate_ask(&answer, SECOND, BYTES("3"));
	ASSERT_FOUND(answer, a);
	correlate_ask(&answer, SECOND, BYTES("unknown"));
	ASSERT_FOUND(answer, a);
	correlate_ask(&answer, SECOND, BYTES("2"));
	assert_int_equal(answer.found, CORRELATES_MANY);
	assert_int_equal(ask(FIRST, BYTES("again")).found, CORRELATES_NOT);
	over(a);
	over(b);
}

static void test_length_of_a_value(void **state)
{
	(void)state;
	char text[CORRELATE_VALUE + 1];
	memset(text, 'x', sizeof(text));
	struct span *longest = request(FIRST, (struct bytes){text, CORRELATE_VALUE});
	struct span *longer = request(FIRST, (struct bytes){text, CORRELATE_VALUE + 1});
	struct span *empty = request(FIRST, BYTES_NONE);
	ASSERT_FOUND(ask(FIRST, (struct bytes){text, CORRELATE_VALUE}), longest);
	assert_int_equal(ask(FIRST, (struct bytes){text, CORRELATE_VALUE + 1}).found, CORRELATES_NOT);
	assert_int_equal(ask(FIRST, BYTES_NONE).found, CORRELATES_NOT);
	assert_int_equal(longer->correlates + empty->correlates, 0);
	over(longest);
	over(longer);
	over(empty);
}

/* One without a place may have any value: nothing is one's alone until it is over. */
static void test_without_a_place_nothing_is_certain(void **state)
{
	(void)state;
	struct span *spans[20], *other = request(FIRST, BYTES("other"));
	uint64_t before = count_get(activities_unindexed);
	for (int i = 0; i < 16; i++)
		spans[i] = request(FIRST, BYTES("same"));
	ASSERT_FOUND(ask(FIRST, BYTES("other")), other);
	for (int i = 16; i < 20; i++)
		spans[i] = request(FIRST, BYTES("same"));
	assert_int_equal(count_get(activities_unindexed) - before, 4);
	assert_int_equal(ask(FIRST, BYTES("other")).found, CORRELATES_MANY);
	for (int i = 0; i < 20; i++)
		over(spans[i]);
	ASSERT_FOUND(ask(FIRST, BYTES("other")), other);
	over(other);
}

static void test_many_at_once(void **state)
{
	(void)state;
	static struct span *spans[SPANS];
	char text[32];
	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < SPANS; i++) {
			snprintf(text, sizeof(text), "%d-%d", round, i);
			spans[i] = request(FIRST, bytes_of(text));
		}
		for (int i = 0; i < SPANS; i++) {
			snprintf(text, sizeof(text), "%d-%d", round, i);
			ASSERT_FOUND(ask(FIRST, bytes_of(text)), spans[i]);
		}
		for (int i = 0; i < SPANS; i++)
			over(spans[i]);
	}
}

static int set_up(void **state)
{
	static char *env[] = {"OTEL_LOG_LEVEL=none", "TAGALONG_CORRELATE=X-Request-Id,,9digits,Correlation", NULL};
	(void)state;
	config_load(env, "test");
	return correlate_configure(config.correlate_list) == 2 && span_init(SPANS) && correlate_init(SPANS) ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_one_is_found_while_it_lives),
		cmocka_unit_test(test_two_with_one_value_are_ambiguous),
		cmocka_unit_test(test_two_headers_must_agree),
		cmocka_unit_test(test_length_of_a_value),
		cmocka_unit_test(test_without_a_place_nothing_is_certain),
		cmocka_unit_test(test_many_at_once),
	};
	return cmocka_run_group_tests(tests, set_up, NULL);
}
