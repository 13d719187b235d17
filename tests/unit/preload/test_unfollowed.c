/* test_unfollowed.c - requests that are read and have no span, and connections that are not followed: what a
 * thread did before says nothing of what it does for them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "preload/activity.h"
#include "preload/config.h"
#include "preload/conn_internal.h"
#include "preload/counters.h"
#include "preload/loop.h"
#include "preload/queue.h"
#include "preload/thread.h"

extern const struct protocol protocol_http1;
static const struct protocol *const protocols[] = {&protocol_http1, NULL};

enum { CONNECTIONS = 16, SPANS = 256 };

struct peer {
	struct conn *conn;
	int fd, other;
};

static struct peer accepted(void)
{
	struct peer peer;
	int pair[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	peer.fd = pair[0];
	peer.other = pair[1];
	conn_accepted(peer.fd, NULL, 0);
	peer.conn = conn_get(peer.fd);
	return peer;
}

static void gone(struct peer *peer)
{
	if (peer->conn)
		conn_put(peer->conn);
	conn_closing(peer->fd);
	close(peer->fd);
	close(peer->other);
}

static void reads(struct peer *peer, const char *text)
{
	struct iovec iov = {(void *)(uintptr_t)text, strlen(text)};
	conn_received(peer->conn, &iov, 1, (ssize_t)iov.iov_len, 0);
}

static const char request[] = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";

/* Until there is none left. */
static unsigned take_all(struct span **taken)
{
	unsigned count = 0;
	while (count < SPANS && (taken[count] = span_begin(SPAN_INTERNAL, 1)))
		count++;
	return count;
}

static void give_all(struct span **taken, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		span_discard(taken[i]);
}

static void request_without_a_span_is_read(bool loop)
{
	static struct span *taken[SPANS];
	struct peer first = accepted(), second = accepted();
	thread.loop = loop;
	reads(&first, request);
	span_ref activity = activity_current();
	assert_int_not_equal(activity, SPAN_NOBODY);

	unsigned count = take_all(taken);
	uint64_t before = count_get(spans_no_slot);
	reads(&second, request);
	assert_int_equal(count_get(spans_no_slot), before + 1);
	assert_int_equal(activity_current(), SPAN_NOBODY);
	assert_true(span_alive(activity));

	give_all(taken, count);
	gone(&first);
	gone(&second);
	activity_wait(false);
	thread.loop = false;
}

static void test_a_request_without_a_span_is_nobody_else_s(void **state)
{
	(void)state;
	request_without_a_span_is_read(false);
	request_without_a_span_is_read(true);
}

/* The second of two pipelined requests changes nothing: the first one is worked on. */
static void test_behind_a_pipelined_request(void **state)
{
	static struct span *taken[SPANS];
	struct peer peer = accepted();
	(void)state;
	reads(&peer, request);
	span_ref activity = activity_current();
	unsigned count = take_all(taken);
	reads(&peer, request);
	assert_int_equal(activity_current(), activity);
	assert_int_not_equal(activity, SPAN_NOBODY);
	give_all(taken, count);
	gone(&peer);
	activity_wait(false);
}

static void test_bytes_on_a_connection_given_up_are_nobody_s_in_a_loop(void **state)
{
	struct peer first = accepted(), second = accepted();
	(void)state;
	thread.loop = true;
	reads(&second, "\x01\x02 no protocol of ours\r\n\r\n");
	assert_int_equal(second.conn->mode, CONN_OPAQUE);
	reads(&first, request);
	assert_int_not_equal(activity_current(), SPAN_NOBODY);
	reads(&second, "more of it");
	assert_int_equal(activity_current(), SPAN_NOBODY);
	gone(&first);
	gone(&second);
	activity_wait(false);
	thread.loop = false;
}

static void test_a_connection_without_a_place_puts_loops_in_doubt(void **state)
{
	struct peer peers[CONNECTIONS + 1];
	(void)state;
	uint64_t before = count_get(connections_no_slot);
	assert_true(loop_is_clean());
	for (unsigned i = 0; i < CONNECTIONS; i++)
		peers[i] = accepted();
	assert_int_equal(count_get(connections_no_slot), before);
	assert_true(loop_is_clean());
	peers[CONNECTIONS] = accepted();
	assert_int_equal(count_get(connections_no_slot), before + 1);
	assert_null(peers[CONNECTIONS].conn);
	assert_false(loop_is_clean());
	for (unsigned i = 0; i <= CONNECTIONS; i++)
		gone(&peers[i]);
}

static int set_up(void **state)
{
	char *env[] = {"OTEL_TRACES_EXPORTER=none", NULL};
	(void)state;
	config_load(env, "test");
	return span_init(SPANS) && blocks_init(64) && conn_init(CONNECTIONS, protocols) &&
			       queue_open(1 << 20, 0)
		       ? 0
		       : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		/* The first: what it is about stays so. */
		cmocka_unit_test(test_a_connection_without_a_place_puts_loops_in_doubt),
		cmocka_unit_test(test_a_request_without_a_span_is_nobody_else_s),
		cmocka_unit_test(test_behind_a_pipelined_request),
		cmocka_unit_test(test_bytes_on_a_connection_given_up_are_nobody_s_in_a_loop),
	};
	return cmocka_run_group_tests(tests, set_up, NULL);
}
