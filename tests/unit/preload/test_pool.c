#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <pthread.h>

#include <cmocka.h>

#include "preload/pool.h"

static void test_take_until_empty_and_again(void **state)
{
	(void)state;
	struct pool pool = {0};
	void *slots[10];
	assert_true(pool_init(&pool, 100, 10));
	for (int i = 0; i < 10; i++) {
		slots[i] = pool_take(&pool);
		assert_non_null(slots[i]);
		memset(slots[i], 0xff, 100); /* neighbours must not mind */
		assert_int_equal(pool_index(&pool, slots[i]), i);
	}
	assert_null(pool_take(&pool));
	pool_give(&pool, slots[3]);
	pool_give(&pool, slots[7]);
	assert_ptr_equal(pool_take(&pool), slots[7]);
	assert_ptr_equal(pool_take(&pool), slots[3]);
	assert_null(pool_take(&pool));
}

static void test_take_uninitialised_is_null(void **state)
{
	(void)state;
	struct pool pool = {0};
	assert_null(pool_take(&pool));
}

#define ROUNDS 200000
static struct pool shared;

static void *churn(void *arg)
{
	uint64_t mark = (uint64_t)(uintptr_t)arg;
	for (int i = 0; i < ROUNDS; i++) {
		_Atomic uint64_t *slot = pool_take(&shared);
		if (!slot)
			continue;
		atomic_store(slot, mark);
		if (atomic_load(slot) != mark) /* somebody else has it as well */
			return (void *)1;
		pool_give(&shared, slot);
	}
	return NULL;
}

static void test_no_slot_is_handed_out_twice(void **state)
{
	(void)state;
	pthread_t threads[4];
	void *result;
	assert_true(pool_init(&shared, 64, 3));
	for (uintptr_t i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, churn, (void *)(i + 1));
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], &result);
		assert_null(result);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_take_until_empty_and_again),
		cmocka_unit_test(test_take_uninitialised_is_null),
		cmocka_unit_test(test_no_slot_is_handed_out_twice),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
