/* connect() called again: how a host asks whether it is done, and what makes another connection of it. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "preload/config.h"
#include "preload/conn_internal.h"
#include "preload/queue.h"
#include "tests/support/connection.h"

extern const struct protocol protocol_http1;
static const struct protocol *const protocols[] = {&protocol_http1, NULL};

static struct sockaddr_in server;

static void hook_connect(int fd, const void *to, socklen_t len)
{
	conn_connecting(fd, to, len);
	int result = connect(fd, to, len);
	conn_connected(fd, result, errno);
}

/* Done, and the host has asked SO_ERROR. */
static struct conn *async(int *fd)
{
	*fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	hook_connect(*fd, &server, sizeof(server));
	struct conn *conn = conn_get(*fd);
	assert_true(conn && conn->connecting);
	struct pollfd done = {.fd = *fd, .events = POLLOUT};
	assert_int_equal(poll(&done, 1, 5000), 1);
	conn_connect_result(*fd, 0);
	assert_false(conn->connecting);
	return conn;
}

static void leads_to(int fd, struct conn *conn)
{
	struct conn *now = conn_get(fd);
	assert_ptr_equal(now, conn);
	if (now)
		conn_put(now);
}

static void end(int fd, struct conn *conn)
{
	conn_put(conn);
	conn_closing(fd);
	close(fd);
}

static void test_behind_so_error_it_is_the_same(void **state)
{
	(void)state;
	int fd;
	struct conn *conn = async(&fd);
	for (int i = 0; i < 2; i++) { /* that it is done, and that it is connected already */
		hook_connect(fd, &server, sizeof(server));
		leads_to(fd, conn);
	}
	end(fd, conn);
}

static void test_a_number_closed_unseen_is_another(void **state)
{
	(void)state;
	int fd, fresh = socket(AF_INET, SOCK_STREAM, 0);
	struct conn *conn = async(&fd);
	assert_int_equal(dup2(fresh, fd), fd);
	hook_connect(fd, &server, sizeof(server));
	struct conn *now = conn_get(fd);
	assert_true(now && now != conn);
	conn_put(conn);
	close(fresh);
	end(fd, now);
}

static void test_dissolved(void **state)
{
	(void)state;
	const struct sockaddr none = {.sa_family = AF_UNSPEC};
	for (int connecting = 0; connecting < 2; connecting++) {
		int fd;
		struct conn *conn = async(&fd);
		conn->connecting = connecting;
		hook_connect(fd, &none, sizeof(none));
		leads_to(fd, NULL);
		hook_connect(fd, &server, sizeof(server));
		struct conn *now = conn_get(fd);
		assert_true(now && now != conn);
		conn_put(conn);
		end(fd, now);
	}
}

/* The kernel refuses that, and the connection lives. */
static void test_a_local_one_cannot_be_dissolved(void **state)
{
	(void)state;
	const struct sockaddr none = {.sa_family = AF_UNSPEC};
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), listener = socket(AF_UNIX, SOCK_STREAM, 0);
	socklen_t len = sizeof(name);
	assert_int_equal(bind(listener, (struct sockaddr *)&name, sizeof(sa_family_t)),
			 0); /* a name of the kernel's */
	assert_int_equal(getsockname(listener, (struct sockaddr *)&name, &len), 0);
	assert_int_equal(listen(listener, 1), 0);
	hook_connect(fd, &name, len);
	struct conn *conn = conn_get(fd);
	assert_non_null(conn);
	hook_connect(fd, &none, sizeof(none));
	leads_to(fd, conn);
	close(listener);
	end(fd, conn);
}

static int set_up(void **state)
{
	char *env[] = {"OTEL_TRACES_EXPORTER=none", NULL};
	socklen_t len = sizeof(server);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	(void)state;
	config_load(env, "test");
	server = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	if (bind(listener, (struct sockaddr *)&server, sizeof(server)) || listen(listener, 16) ||
	    getsockname(listener, (struct sockaddr *)&server, &len))
		return -1;
	return span_init(16) && blocks_init(16) && conn_init(16, protocols) && queue_open(1 << 16, 0) ? 0
												      : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_behind_so_error_it_is_the_same),
		cmocka_unit_test(test_a_number_closed_unseen_is_another),
		cmocka_unit_test(test_dissolved),
		cmocka_unit_test(test_a_local_one_cannot_be_dissolved),
	};
	return cmocka_run_group_tests(tests, set_up, NULL);
}
