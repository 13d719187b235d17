/* The places of timers: found, given back, none left. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "preload/counters.h"
#include "preload/later_table.h"

struct place {
	struct later_place as;
	uint64_t more;
};

static const struct later mine = {.activity = 7, .repeat = 3};
static char timers[8192][64];

static void test_nothing_is_mapped_before_the_first(void **state)
{
	struct later_table table = {.size = sizeof(struct place)};
	(void)state;
	assert_null(later_find(&table, timers[0]));
	assert_null(table.places);
	struct place *place = later_take(&table, timers[0], &mine);
	assert_non_null(place);
	assert_non_null(table.places);
}

static void test_found_from_when_it_is_shown_until_it_is_given_back(void **state)
{
	struct later_table table = {.size = sizeof(struct place)};
	(void)state;
	struct place *place = later_take(&table, timers[0], &mine);
	assert_null(later_find(&table, timers[0]));
	later_show(place, timers[0]);
	assert_ptr_equal(later_find(&table, timers[0]), place);
	assert_int_equal(place->as.later.activity, 7);
	assert_int_equal(place->as.later.repeat, 3);
	assert_null(later_find(&table, timers[1]));
	assert_null(later_find(&table, NULL));
	place->more = 5;
	later_give(&table, place);
	assert_null(later_find(&table, timers[0]));
	assert_int_equal(table.used, 0);
	assert_ptr_equal(later_take(&table, timers[0], &mine), place);
	assert_int_equal(place->more, 0); /* of who had it before */
}

static void test_more_than_there_are_places(void **state)
{
	struct later_table table = {.size = sizeof(struct place)};
	uint64_t unkept = count_get(timers_unkept), kept = 0;
	(void)state;
	for (size_t i = 0; i < 8192; i++) {
		struct place *place = later_take(&table, timers[i], &mine);
		if (place) {
			later_show(place, timers[i]);
			kept++;
		}
	}
	assert_in_range(kept, 2048, 4096);
	assert_int_equal(count_get(timers_unkept) - unkept, 8192 - kept);
	size_t found = 0;
	for (size_t i = 0; i < 8192; i++) {
		struct place *place = later_find(&table, timers[i]);
		if (place) {
			later_give(&table, place);
			found++;
		}
	}
	assert_int_equal(found, kept);
	assert_int_equal(table.used, 0);
}

#define THREADS 4
static struct later_table shared = {.size = sizeof(struct place)};
static pthread_barrier_t all;

static void *taker(void *arg)
{
	size_t first = (size_t)(uintptr_t)arg, wrong = 0;
	pthread_barrier_wait(&all);
	for (int turn = 0; turn < 100; turn++) {
		for (size_t i = first; i < 8192; i += THREADS) {
			struct place *place = later_take(&shared, timers[i], &mine);
			if (place) {
				place->more = i;
				later_show(place, timers[i]);
			}
		}
		for (size_t i = first; i < 8192; i += THREADS) {
			struct place *place = later_find(&shared, timers[i]);
			if (place) {
				wrong += place->more != i;
				later_give(&shared, place);
			}
		}
	}
	return (void *)(uintptr_t)wrong;
}

static void test_each_thread_has_its_own_places(void **state)
{
	pthread_t threads[THREADS];
	(void)state;
	pthread_barrier_init(&all, NULL, THREADS);
	for (uintptr_t i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, taker, (void *)i);
	for (int i = 0; i < THREADS; i++) {
		void *wrong;
		pthread_join(threads[i], &wrong);
		assert_null(wrong);
	}
	assert_int_equal(shared.used, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_is_mapped_before_the_first),
		cmocka_unit_test(test_found_from_when_it_is_shown_until_it_is_given_back),
		cmocka_unit_test(test_more_than_there_are_places),
		cmocka_unit_test(test_each_thread_has_its_own_places),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
