/* Identifiers: never zero, never twice, and new ones after a fork. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "preload/id.h"

#define COUNT 20000

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, 8);
}

static void test_span_ids_differ(void **state)
{
	static uint8_t ids[COUNT][8];
	struct id_state one = {.epoch = 0}, two = {.epoch = 0};
	(void)state;
	for (int i = 0; i < COUNT; i++)
		id_span(i & 1 ? &one : &two, ids[i]);
	qsort(ids, COUNT, 8, compare);
	assert_memory_not_equal(ids[0], "\0\0\0\0\0\0\0", 8);
	for (int i = 1; i < COUNT; i++)
		assert_memory_not_equal(ids[i - 1], ids[i], 8);
}

static void test_forked_state_seeds_anew(void **state)
{
	struct id_state parent = {.epoch = 0}, child;
	(void)state;
	id_random(&parent);
	child = parent;
	assert_true(id_random(&parent) == id_random(&child)); /* what would happen without it */
	id_forked();
	assert_true(id_random(&parent) != id_random(&child));
}

static void test_sequence_is_xoshiro(void **state)
{
	/* The published generator's first outputs for the state 1, 2, 3, 4. */
	static const uint64_t expected[] = {41943041u, 58720359u, 3588806011781223u, 3591011842654386u};
	struct id_state ids = {.epoch = 0};
	(void)state;
	id_random(&ids);
	for (int i = 0; i < 4; i++)
		ids.s[i] = (uint64_t)i + 1;
	for (int i = 0; i < 4; i++)
		assert_true(id_random(&ids) == expected[i]);
}

static void test_trace_id_has_two_random_halves(void **state)
{
	struct id_state ids = {.epoch = 0};
	uint8_t id[16], seen[16] = {0};
	(void)state;
	for (int i = 0; i < 200; i++) {
		id_trace(&ids, id);
		for (int j = 0; j < 16; j++)
			seen[j] |= id[j];
	}
	for (int j = 0; j < 16; j++)
		assert_int_equal(seen[j], 0xff);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_span_ids_differ),
		cmocka_unit_test(test_forked_state_seeds_anew),
		cmocka_unit_test(test_sequence_is_xoshiro),
		cmocka_unit_test(test_trace_id_has_two_random_halves),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
