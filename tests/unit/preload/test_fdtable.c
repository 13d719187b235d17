#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <pthread.h>

#include <cmocka.h>

#include "preload/fdtable.h"

static void test_set_get_grows(void **state)
{
	(void)state;
	const int fds[] = {0, 1, 1023, 1024, 100000, 1048575, 1048576, INT32_MAX};
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		assert_int_equal(fdtable_get(fds[i]), 0);
		assert_int_equal(fdtable_set(fds[i], (i + 1) * 64), 0);
	}
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		assert_int_equal(fdtable_set(fds[i], 0), (i + 1) * 64);
}

static void test_set_bad_fd_stores_nothing(void **state)
{
	(void)state;
	assert_int_equal(fdtable_get(-1), 0);
	assert_int_equal(fdtable_set(-1, 64), 64); /* given back */
	assert_int_equal(fdtable_set(777777, 0), 0);
	assert_null(fdtable_find(77777777));
}

struct seen {
	int count, last;
};

static void see(int fd, uintptr_t value, void *arg)
{
	struct seen *seen = arg;
	assert_int_equal(value, 64);
	assert_true(fd > seen->last);
	seen->last = fd;
	seen->count++;
}

static void test_each_visits_range_in_order(void **state)
{
	(void)state;
	const int fds[] = {3, 1022, 1023, 1024, 5000, 2000000};
	for (int i = 0; i < 6; i++)
		fdtable_set(fds[i], 64);
	struct seen seen = {0, -1};
	fdtable_each(0, INT32_MAX, see, &seen);
	assert_int_equal(seen.count, 6);
	seen = (struct seen){0, -1};
	fdtable_each(1023, 4999, see, &seen);
	assert_int_equal(seen.count, 2);
	seen = (struct seen){0, -1};
	fdtable_each(-5, 3, see, &seen);
	assert_int_equal(seen.count, 1);
	for (int i = 0; i < 6; i++)
		fdtable_set(fds[i], 0);
}

/* Two threads map the same levels at once; neither's entries may be lost. */
static void *fill(void *arg)
{
	int parity = (int)(intptr_t)arg;
	for (int fd = 4000000 + parity; fd < 4200000; fd += 2)
		fdtable_set(fd, 64);
	return NULL;
}

static void test_set_from_two_threads(void **state)
{
	(void)state;
	pthread_t a, b;
	pthread_create(&a, NULL, fill, (void *)0);
	pthread_create(&b, NULL, fill, (void *)1);
	pthread_join(a, NULL);
	pthread_join(b, NULL);
	for (int fd = 4000000; fd < 4200000; fd++)
		assert_int_equal(fdtable_get(fd), 64);
}

static void test_plain_keeps_activity(void **state)
{
	(void)state;
	span_ref ref = (span_ref)0xfffffffdull << 24 | 0xabcdef;
	assert_int_equal(fd_plain_activity(fd_plain(ref, true)), ref);
	assert_true(fd_plain(ref, true) & FD_WAKES);
	assert_false(fd_plain(ref, false) & FD_WAKES);
	assert_true(fd_plain(SPAN_NOBODY, false) & FD_PLAIN);
	assert_int_equal(fd_channel_of(fd_plain(ref, true)), 0);
	assert_int_equal(fd_plain_activity(fd_channel(7, true)), SPAN_NOBODY);
	assert_int_equal(fd_channel_of(fd_channel(7, true)), 7);
	assert_true(fd_channel(7, true) & FD_WAKES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set_get_grows),
		cmocka_unit_test(test_set_bad_fd_stores_nothing),
		cmocka_unit_test(test_each_visits_range_in_order),
		cmocka_unit_test(test_set_from_two_threads),
		cmocka_unit_test(test_plain_keeps_activity),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
