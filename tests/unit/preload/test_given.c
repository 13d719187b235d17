/* Commands that wait in a client library: whoever flushes them, and however the kernel cuts that, each is its
 * giver's; two givers' commands are two calls; what cannot be told apart is nobody's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <arpa/inet.h>

#include <cmocka.h>

#include "preload/activity.h"
#include "preload/config.h"
#include "preload/conn.h"
#include "preload/counters.h"
#include "preload/given.h"
#include "preload/loop.h"
#include "preload/queue.h"
#include "tests/support/connection.h"

extern const struct protocol protocol_redis;
static const struct protocol *const protocols[] = {&protocol_redis, NULL};

static char handles[200];

static void disconnect(struct conn *conn, int fd)
{
	conn_put(conn);
	conn_closing(fd);
	close(fd);
}

static void write_some(struct given *given, struct conn *conn, const char *data, size_t len, size_t takes)
{
	struct iovec iov = {(char *)(uintptr_t)data, len};
	struct outgoing out;
	int error = EAGAIN;
	GIVEN_WHILE(given);
	out.frozen = false;
	assert_false(conn_sending(&out, conn, &iov, 1));
	conn_sent(&out, takes ? (ssize_t)takes : -1, &error);
}

static void read_all(struct given *given, struct conn *conn, const char *data)
{
	struct iovec iov = {(char *)(uintptr_t)data, strlen(data)};
	GIVEN_WHILE(given);
	conn_received(conn, &iov, 1, (ssize_t)iov.iov_len, 0);
}

static struct span *serve(uint8_t id)
{
	struct span *span = span_begin(SPAN_SERVER, 1);
	struct context parent = {.valid = true, .remote = true, .flags = FLAG_SAMPLED};
	memset(parent.trace_id, id, sizeof(parent.trace_id));
	memset(parent.span_id, id, sizeof(parent.span_id));
	span_identify(span, &parent);
	span->request_ended = true;
	atomic_fetch_add(&activities_live, 1);
	return span;
}

static void work_for(const struct span *span)
{
	activity_ended(thread.current);
	if (span)
		activity_read_request(NULL, span_reference(span));
}

static void served(struct span *span)
{
	activity_ended(span_reference(span));
	atomic_fetch_sub(&activities_live, 1);
	span_discard(span);
}

static const char *give(struct given *given, const struct span *giver, char *at, const char *key)
{
	size_t len = (size_t)sprintf(at, "*2\r\n$3\r\nGET\r\n$%zu\r\n%s\r\n", strlen(key), key);
	work_for(giver);
	given_hand_over(given, len, true);
	work_for(NULL);
	return at + len;
}

static const struct span *nth(const struct conn *conn, int n)
{
	const struct span *span = conn->first ? span_slot(conn->first - 1) : NULL;
	while (span && n-- > 0)
		span = span->next ? span_slot(span->next - 1) : NULL;
	return span;
}

static void assert_child(const struct span *span, const struct span *parent)
{
	assert_non_null(span);
	assert_true(span->identified && span->has_parent && !span->ambiguous);
	assert_memory_equal(span->parent_id, parent->context.span_id, 8);
	assert_memory_equal(span->context.trace_id, parent->context.trace_id, 16);
}

/* Two of one's in a row are one call, whatever is cut off. */
static void test_each_is_its_givers_at_every_cut(void **state)
{
	(void)state;
	char text[400], *at;
	struct span *one = serve(1), *other = serve(2);

	for (size_t cut = 0;; cut++) {
		int fd;
		struct conn *conn = connected(&fd, 6379);
		struct given *given = given_open(handles);
		at = (char *)(uintptr_t)give(given, one, text, "a");
		at = (char *)(uintptr_t)give(given, other, at, "b");
		at = (char *)(uintptr_t)give(given, other, at, "bb");
		at = (char *)(uintptr_t)give(given, one, at, "aaa");
		size_t len = (size_t)(at - text);
		work_for(other); /* who flushes says nothing */
		write_some(given, conn, text, len, cut);
		write_some(given, conn, text + cut, len - cut, 0);
		if (cut < len)
			write_some(given, conn, text + cut, len - cut, len - cut);
		given_sent_all(given);
		assert_child(nth(conn, 0), one);
		assert_child(nth(conn, 1), other);
		assert_non_null(nth(conn, 2));
		const struct span *last = nth(conn, 3);
		/* A kernel that takes a whole command only has ended the call. */
		if (last)
			assert_child(nth(conn, 2), other);
		assert_child(last ? last : nth(conn, 2), one);
		assert_null(nth(conn, 4));
		given_close(given);
		disconnect(conn, fd);
		if (cut == len)
			break;
	}
	served(one);
	served(other);
}

static void test_apart(void **state)
{
	(void)state;
	char text[400], *at = text;
	int fd;
	struct conn *conn = connected(&fd, 6379);
	struct given *given = given_open(handles);
	struct span *one = serve(1);

	given_apart(given);
	for (int i = 0; i < 3; i++)
		at = (char *)(uintptr_t)give(given, one, at, "a");
	served(one); /* and is over before they are sent: they were its all the same */
	write_some(given, conn, text, (size_t)(at - text), (size_t)(at - text));
	for (int i = 0; i < 3; i++) {
		assert_true(nth(conn, i)->has_parent);
		assert_int_equal(nth(conn, i)->context.trace_id[0], 1);
	}
	assert_null(nth(conn, 3));
	given_close(given);
	disconnect(conn, fd);
}

/* What was read is no evidence; what the library gives to the program is. */
static void test_replies(void **state)
{
	(void)state;
	char text[400], *at = text;
	int fd;
	struct conn *conn = connected(&fd, 6379);
	struct given *given = given_open(handles);
	struct span *one = serve(1), *other = serve(2);

	activity_wait(false);
	assert_true(thread.loop);
	at = (char *)(uintptr_t)give(given, one, at, "a");
	assert_int_equal(one->calls, 1);
	at = (char *)(uintptr_t)give(given, other, at, "b");
	activity_wait(false);
	write_some(given, conn, text, (size_t)(at - text), (size_t)(at - text));
	given_sent_all(given);
	read_all(given, conn, "$1\r\nx\r\n$1\r\ny\r\n");
	assert_null(nth(conn, 0));
	assert_int_equal(thread.current, SPAN_NOBODY);
	assert_int_equal(one->calls + other->calls, 2); /* nobody was left */
	given_delivered(given);
	assert_int_equal(thread.current, span_reference(one));
	assert_int_equal(one->calls, 0);
	one->responding = one->stuck = true;
	given_delivered(given);
	assert_int_equal(thread.current, span_reference(other));
	assert_false(thread.ambiguous);
	assert_int_equal(loop_habits, 0);
	/* One more than was asked for: from here on the wire says it again. */
	assert_true(given_delivers(given));
	given_delivered(given);
	assert_false(given_delivers(given));
	given_close(given);
	disconnect(conn, fd);
	served(one);
	served(other);
}

/* Also when a request's call was given and the handle goes: it is not counted for ever. */
static void test_gone(void **state)
{
	(void)state;
	char text[400];
	struct given *given = given_open(handles);
	struct span *one = serve(1);

	activity_wait(false);
	give(given, one, text, "a");
	assert_int_equal(one->calls, 1);
	given_close(given);
	assert_int_equal(one->calls, 0);
	assert_null(given_get(handles));
	given = given_open(handles);
	give(given, one, text, "a");
	work_for(one);
	given_hand_over(given, 10, false); /* answered by nobody knows how many replies */
	assert_int_equal(one->calls, 0);
	assert_false(given_delivers(given));
	given_close(given);
	served(one);
}

static void test_unknown_bytes(void **state)
{
	(void)state;
	char text[400], *at = text;
	int fd;
	struct conn *conn = connected(&fd, 6379);
	struct given *given = given_open(handles);
	struct span *one = serve(1);
	uint64_t lost = count_get(handles_lost);

	at = (char *)(uintptr_t)give(given, one, at, "a");
	given_unseen(given);
	at += sprintf(at, "*1\r\n$4\r\nPING\r\n");
	work_for(one);
	write_some(given, conn, text, (size_t)(at - text), (size_t)(at - text));
	given_sent_all(given);
	for (int i = 0; i < 2; i++)
		assert_true(nth(conn, i)->ambiguous && !nth(conn, i)->has_parent);
	assert_int_equal(count_get(handles_lost), lost + 1);
	given_close(given);
	disconnect(conn, fd);
	served(one);
}

/* More than there is room for: nobody's, until all of it is answered. */
static void test_many(void **state)
{
	static char text[80000];
	(void)state;
	struct span *one = serve(1);

	for (int count = 100; count <= 1100; count += 500) {
		int fd;
		char *at = text;
		struct conn *conn = connected(&fd, 6379);
		struct given *given = given_open(handles);
		uint64_t lost = count_get(handles_lost);
		given_apart(given);
		for (int i = 0; i < count; i++)
			at = (char *)(uintptr_t)give(given, one, at, "a");
		write_some(given, conn, text, (size_t)(at - text), (size_t)(at - text));
		given_sent_all(given);
		if (count <= 1024)
			assert_child(nth(conn, 0), one);
		else
			assert_true(nth(conn, 0)->ambiguous);
		assert_int_equal(count_get(handles_lost), lost + (count > 1024));
		while (conn->first)
			read_all(given, conn, "$1\r\nx\r\n");
		for (int i = 0; i < count; i++)
			given_delivered(given);
		at = (char *)(uintptr_t)give(given, one, text, "a");
		write_some(given, conn, text, (size_t)(at - text), (size_t)(at - text));
		assert_child(nth(conn, 0), one);
		given_close(given);
		disconnect(conn, fd);
	}
	served(one);
}

static void test_handles(void **state)
{
	(void)state;
	size_t known = 0;
	uint64_t before = count_get(handles_no_slot);
	for (size_t i = 0; i < sizeof(handles); i++)
		known += given_open(&handles[i]) != NULL;
	assert_in_range(known, 60, 64); /* each may only stand near its own place */
	assert_int_equal(count_get(handles_no_slot) - before, sizeof(handles) - known);
	for (size_t i = 0; i < sizeof(handles); i++) {
		struct given *given = given_get(&handles[i]);
		if (given)
			given_close(given);
		assert_null(given_get(&handles[i]));
	}
	assert_null(given_get(NULL));
	assert_null(given_open(NULL));
}

static int fresh_thread(void **state)
{
	(void)state;
	struct queue_record records[64];
	size_t n;
	memset(&thread, 0, sizeof(thread));
	loop_habits = 0;
	loop_reader = 0;
	while ((n = queue_peek(records, 64, SIZE_MAX)) > 0)
		queue_release(n);
	return 0;
}

static int set_up(void **state)
{
	char *env[] = {"OTEL_TRACES_EXPORTER=none", NULL};
	(void)state;
	config_load(env, "test");
	return span_init(4096) && blocks_init(64) && conn_init(64, protocols) && queue_open(16 << 20, 0) &&
			       given_init(64)
		       ? 0
		       : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_each_is_its_givers_at_every_cut, fresh_thread),
		cmocka_unit_test_setup(test_apart, fresh_thread),
		cmocka_unit_test_setup(test_replies, fresh_thread),
		cmocka_unit_test_setup(test_gone, fresh_thread),
		cmocka_unit_test_setup(test_unknown_bytes, fresh_thread),
		cmocka_unit_test_setup(test_many, fresh_thread),
		cmocka_unit_test_setup(test_handles, fresh_thread),
	};
	return cmocka_run_group_tests(tests, set_up, NULL);
}
