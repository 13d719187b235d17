/* test_conn_lock.c - a thread that was preempted while it held a connection's lock, and one that will never give it back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <pthread.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <arpa/inet.h>

#include <cmocka.h>

#include "preload/clock.h"
#include "preload/config.h"
#include "preload/conn_internal.h"
#include "preload/counters.h"
#include "preload/queue.h"

extern const struct protocol protocol_http1, protocol_mysql;
static const struct protocol *const protocols[] = {&protocol_http1, &protocol_mysql, NULL};

static struct conn *connected(const struct protocol *protocol, int *fd)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(3306)};
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	*fd = socket(AF_INET, SOCK_STREAM, 0);
	conn_connecting(*fd, (struct sockaddr *)&address, sizeof(address));
	conn_connected(*fd, 0, 0);
	struct conn *conn = conn_get(*fd);
	assert_non_null(conn);
	conn->protocol = protocol;
	conn->protocol->open(conn->state);
	return conn;
}

static void disconnect(struct conn *conn, int fd)
{
	conn_put(conn);
	conn_closing(fd);
	close(fd);
}

static _Atomic bool held;

/* As a busy machine does it: away for longer than any amount of trying takes. */
static void *is_preempted(void *argument)
{
	struct timespec away = {0, 5000000};
	struct conn *conn = argument;
	bool got = conn_lock(conn);
	atomic_store(&held, true);
	nanosleep(&away, NULL);
	conn_unlock(conn);
	return got ? conn : NULL;
}

static void test_a_holder_that_was_preempted_is_waited_for(void **state)
{
	(void)state;
	int fd;
	struct conn *conn = connected(&protocol_mysql, &fd);
	uint64_t before = count_get(connections_contended);
	for (int i = 0; i < 10; i++) {
		pthread_t holder;
		void *got;
		atomic_store(&held, false);
		assert_int_equal(pthread_create(&holder, NULL, is_preempted, conn), 0);
		while (!atomic_load(&held))
			;
		assert_true(conn_lock(conn));
		conn_unlock(conn);
		pthread_join(holder, &got);
		assert_ptr_equal(got, conn);
	}
	assert_false(conn->lost);
	assert_int_equal(count_get(connections_contended), before);
	disconnect(conn, fd);
}

static void test_a_lock_that_stays_away_ends_the_connection_once(void **state)
{
	(void)state;
	const struct protocol *const kinds[] = {&protocol_mysql, &protocol_http1};
	for (int i = 0; i < 2; i++) {
		int fd;
		struct conn *conn = connected(kinds[i], &fd);
		uint64_t before = count_get(connections_contended), start = clock_now();
		assert_true(conn_lock(conn));
		assert_false(conn_lock(conn));
		assert_true(conn->lost);
		uint64_t patience = clock_now() - start;
		if (kinds[i]->database)
			assert_true(patience > 50000000);
		for (int again = 0; again < 100; again++)
			assert_false(conn_lock(conn));
		assert_int_equal(count_get(connections_contended), before + 101);
		conn_unlock(conn);
		disconnect(conn, fd);
	}
}

static int set_up(void **state)
{
	char *env[] = {"OTEL_TRACES_EXPORTER=none", NULL};
	(void)state;
	config_load(env, "test");
	return span_init(256) && blocks_init(64) && conn_init(64, protocols) && queue_open(1 << 20, 0) ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_holder_that_was_preempted_is_waited_for),
		cmocka_unit_test(test_a_lock_that_stays_away_ends_the_connection_once),
	};
	return cmocka_run_group_tests(tests, set_up, NULL);
}
