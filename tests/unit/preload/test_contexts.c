#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "preload/config.h"
#include "preload/contexts.h"

static struct span *spans[64];

static int set_up(void **state)
{
	(void)state;
	config.span_limits = (struct attrs_limits){128, UINT32_MAX};
	if (!span_init(64))
		return -1;
	for (int i = 0; i < 64; i++) {
		spans[i] = span_begin(SPAN_SERVER, 1);
		if (!spans[i])
			return -1;
		span_identify(spans[i], NULL);
	}
	return 0;
}

static const void *context(uintptr_t i)
{
	return (const void *)(0x10000 + i * 968); /* NOLINT(performance-no-int-to-ptr) */
}

static void test_take_once(void **state)
{
	(void)state;
	span_ref ref = span_reference(spans[0]);
	contexts_store(context(1), (struct carried){ref, 2});
	struct carried carried = contexts_take(context(1));
	assert_int_equal(carried.activity, ref);
	assert_int_equal(carried.layer, 2);
	carried = contexts_take(context(1));
	assert_int_equal(carried.activity, SPAN_NOBODY);
	assert_int_equal(carried.layer, 0);
	assert_int_equal(contexts_take(context(2)).activity, SPAN_NOBODY);
}

static void test_store_nothing_forgets(void **state)
{
	(void)state;
	contexts_store(context(3), (struct carried){span_reference(spans[1]), 0});
	contexts_store(context(3), (struct carried){SPAN_NOBODY, 0});
	assert_int_equal(contexts_take(context(3)).activity, SPAN_NOBODY);
}

static void test_store_again_replaces(void **state)
{
	(void)state;
	contexts_store(context(4), (struct carried){span_reference(spans[1]), 0});
	contexts_store(context(4), (struct carried){span_reference(spans[2]), 0});
	assert_int_equal(contexts_take(context(4)).activity, span_reference(spans[2]));
	assert_int_equal(contexts_take(context(4)).activity, SPAN_NOBODY);
}

/* More than there is room for: some are nobody's, none is another's. Dead ones make room. */
static void test_store_many(void **state)
{
	(void)state;
	int kept = 0;
	for (uintptr_t i = 0; i < 20000; i++)
		contexts_store(context(i), (struct carried){span_reference(spans[i % 64]), 0});
	for (uintptr_t i = 0; i < 20000; i++) {
		span_ref got = contexts_take(context(i)).activity;
		if (got == SPAN_NOBODY)
			continue;
		assert_int_equal(got, span_reference(spans[i % 64]));
		kept++;
	}
	assert_in_range(kept, 2048, 4096);

	for (uintptr_t i = 0; i < 20000; i++)
		contexts_store(context(i), (struct carried){span_reference(spans[63]), 0});
	span_discard(spans[63]);
	kept = 0;
	for (uintptr_t i = 0; i < 2000; i++) {
		contexts_store(context(50000 + i), (struct carried){span_reference(spans[5]), 0});
		kept += contexts_take(context(50000 + i)).activity == span_reference(spans[5]);
	}
	assert_int_equal(kept, 2000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_take_once),
		cmocka_unit_test(test_store_nothing_forgets),
		cmocka_unit_test(test_store_again_replaces),
		cmocka_unit_test(test_store_many),
	};
	return cmocka_run_group_tests(tests, set_up, NULL);
}
