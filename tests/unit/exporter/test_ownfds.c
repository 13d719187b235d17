/* The exporter's descriptors: where they are, whose they are, and that nobody else's is ever touched. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "exporter/ownfds.h"
#include "preload/counters.h"

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static void test_add_moves_high_and_hides(void **state)
{
	(void)state;
	int low = open("/dev/null", O_WRONLY);
	int ticket = ownfds_add(low), fd = ownfds_fd(ticket);
	assert_true(ticket >= 0);
	assert_false(is_open(low));
	assert_true(fd > 100);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_true(ownfds_is(fd));
	assert_false(ownfds_is(-1));
	assert_false(ownfds_is(low));
	assert_int_equal(ownfds_next(0, ~0u), fd);
	assert_int_equal(ownfds_next((unsigned)fd + 1, ~0u), -1);
	ownfds_drop(ticket);
	assert_false(is_open(fd));
	assert_false(ownfds_is(fd));
	ownfds_drop(ticket);
}

/* A forked child closes all; what its transports remember must not name the first file that comes after. */
static void test_old_ticket_names_nothing(void **state)
{
	(void)state;
	int old = ownfds_add(open("/dev/null", O_WRONLY));
	ownfds_close_all();
	assert_int_equal(ownfds_fd(old), -1);
	int fresh = ownfds_add(socket(AF_UNIX, SOCK_STREAM, 0));
	assert_int_not_equal(old, fresh);
	assert_int_equal(ownfds_fd(old), -1);
	assert_false(ownfds_intact(old));
	ownfds_drop(old);
	assert_true(ownfds_intact(fresh));
	ownfds_drop(fresh);
}

static void test_taken_number_is_left_alone(void **state)
{
	(void)state;
	uint64_t before = count_get(fds_rescued);
	int ticket = ownfds_add(open("/dev/null", O_WRONLY)), fd = ownfds_fd(ticket);
	int theirs = open("/dev/zero", O_RDONLY);
	assert_true(ownfds_intact(ticket));
	assert_int_equal(dup2(theirs, fd), fd); /* past our hooks */
	ownfds_drop(ticket);
	assert_true(is_open(fd));
	assert_int_equal(count_get(fds_rescued), before + 1);
	assert_int_equal(ownfds_fd(ticket), -1);
	close(fd);
	ticket = ownfds_add(theirs);
	close(ownfds_fd(ticket));
	assert_false(ownfds_intact(ticket));
	assert_int_equal(count_get(fds_rescued), before + 2);
}

static void test_move_keeps_the_file(void **state)
{
	(void)state;
	int ticket = ownfds_add(open("/dev/null", O_WRONLY)), fd = ownfds_fd(ticket);
	ownfds_move(fd);
	assert_false(is_open(fd));
	assert_int_not_equal(ownfds_fd(ticket), fd);
	assert_true(ownfds_intact(ticket));
	assert_true(fcntl(ownfds_fd(ticket), F_GETFD) & FD_CLOEXEC);
	ownfds_drop(ticket);
}

static void test_full_table_closes(void **state)
{
	(void)state;
	int tickets[OWNFDS_MAX];
	for (int i = 0; i < OWNFDS_MAX; i++)
		assert_true((tickets[i] = ownfds_add(open("/dev/null", O_WRONLY))) >= 0);
	int spare = open("/dev/null", O_WRONLY);
	assert_int_equal(ownfds_add(spare), -1);
	assert_false(is_open(spare));
	assert_int_equal(ownfds_add(-1), -1);
	for (int i = 0; i < OWNFDS_MAX; i++)
		ownfds_drop(tickets[i]);
	assert_int_equal(ownfds_next(0, ~0u), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_add_moves_high_and_hides),
		cmocka_unit_test(test_old_ticket_names_nothing),
		cmocka_unit_test(test_taken_number_is_left_alone),
		cmocka_unit_test(test_move_keeps_the_file),
		cmocka_unit_test(test_full_table_closes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
