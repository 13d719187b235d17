/* Calls that a client library was asked for by one activity and writes in the middle of another: each span is
 * its asker's child, whatever of it the kernel takes, and the answers say whose turn it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <arpa/inet.h>

#include <cmocka.h>

#include "preload/activity.h"
#include "preload/asked.h"
#include "preload/config.h"
#include "preload/conn.h"
#include "preload/counters.h"
#include "preload/later.h"
#include "preload/loop.h"
#include "preload/queue.h"
#include "tests/support/postgres_talk.h"

extern const struct protocol protocol_http1;
static const struct protocol *const protocols[] = {&protocol_http1, &protocol_postgres, NULL};

#define HELLO "> startup user|ann|database|shop\n< R\n< Z\n"

static struct conn incoming[8];

static struct span *serve(int id)
{
	struct span *span = span_begin(SPAN_SERVER, 1);
	assert_non_null(span);
	span_identify(span, NULL);
	span->request_ended = true;
	atomic_fetch_add(&activities_live, 1);
	atomic_store(&process_served, true);
	activity_read_request(&incoming[id], span_reference(span));
	return span;
}

static void served(struct span *span)
{
	atomic_store(&span->responding, true);
	activity_ended(span_reference(span));
	atomic_fetch_sub(&activities_live, 1);
	span_discard(span);
}

static void turn(void)
{
	activity_wait(false);
	loop_waited(2, -1, 0);
}

static int fd;
static struct conn *conn;
static size_t kernel_takes; /* of each write; 0: all */

static void converse(const char *script)
{
	static struct talk talk;
	struct outgoing out;

	talk_read(&talk, script);
	for (int i = 0; i < talk.turns; i++) {
		struct bytes text = talk_turn(&talk, i);
		while (text.len) {
			struct iovec iov = {(char *)(uintptr_t)text.ptr, text.len};
			int error = EAGAIN;
			ssize_t count = (ssize_t)text.len;
			if (talk.turn[i].half == HALF_REQUESTS) {
				out.frozen = false;
				conn_sending(&out, conn, &iov, 1);
				if (kernel_takes && (size_t)count > kernel_takes)
					count = (ssize_t)kernel_takes;
				count = conn_sent(&out, count, &error);
			} else {
				conn_received(conn, &iov, 1, count, 0);
			}
			text = bytes_from(text, (size_t)count);
		}
	}
}

static int connect_to_server(void **state)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(5432)};

	(void)state;
	memset(&thread, 0, sizeof(thread));
	atomic_store(&process_served, false);
	atomic_store(&activities_wander, false);
	atomic_store(&activities_live, 0);
	atomic_store(&loop_habits, 0);
	later_restart();
	atomic_store(&loop_reader, 0);
	kernel_takes = 0;
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	conn_connecting(fd, (struct sockaddr *)&address, sizeof(address));
	conn_connected(fd, 0, 0);
	conn = conn_get(fd);
	converse(HELLO);
	return conn ? 0 : -1;
}

static int disconnect(void **state)
{
	(void)state;
	conn_closing(fd);
	conn_put(conn);
	close(fd);
	return 0;
}

static void ask(unsigned flags)
{
	struct asked_own own;
	assert_true(asked_push(fd, flags, &own));
	assert_false(own.own);
}

static void answer(bool whole)
{
	struct conn *asked = asked_get(fd);
	assert_ptr_equal(asked, conn);
	asked_answer(asked, whole);
	if (whole)
		asked_over(asked);
	conn_put(asked);
}

/* The next span that was exported: of this statement, and this one's child (NULL: nobody's). */
static void expect_span(const char *statement, const struct span *parent)
{
	struct queue_record record;
	assert_int_equal(queue_peek(&record, 1, SIZE_MAX), 1);
	assert_non_null(memmem(record.payload.ptr, record.payload.len, statement, strlen(statement)));
	bool child = parent && memmem(record.payload.ptr, record.payload.len, parent->context.span_id, 8);
	assert_int_equal(child, parent != NULL);
	if (!parent)
		assert_non_null(
			memmem(record.payload.ptr, record.payload.len, "tagalong.parent.ambiguous", 25));
	queue_release(1);
}

static void expect_no_more(void)
{
	struct queue_record record;
	assert_int_equal(queue_peek(&record, 1, SIZE_MAX), 0);
}

#define CALL(table) "> P |SELECT a FROM " table " WHERE k = $1\n> B |\n> E \n"

/* A loop: each request's query waits in the library until another event makes it write. */
static void test_written_in_the_middle_of_another(void **state)
{
	(void)state;
	for (kernel_takes = 0; kernel_takes < 9; kernel_takes += 4) {
		turn();
		struct span *a = serve(1);
		ask(ASKED_ALONE);
		struct span *b = serve(2);
		ask(0);
		turn();
		struct span *c = serve(3);
		ask(0);
		converse(CALL("ta") CALL("tb") CALL("tc") "> S\n");
		assert_int_equal(loop_habits, 0); /* nobody was left waiting: each has a call under way */
		turn();
		converse("< 1\n< 2\n< C SELECT 1\n< 1\n< 2\n< C SELECT 1\n< 1\n< 2\n< C SELECT 1\n< Z\n");
		assert_int_equal(activity_current(), SPAN_NOBODY); /* it lies in the library */
		expect_span("FROM ta", a);
		expect_span("FROM tb", b);
		expect_span("FROM tc", c);
		answer(true);
		assert_int_equal(activity_current(), span_reference(a));
		served(a);
		answer(true);
		assert_int_equal(activity_current(), span_reference(b));
		ask(0); /* its second, behind c's */
		answer(false);
		assert_int_equal(activity_current(), span_reference(c));
		answer(true);
		served(c);
		turn();
		converse(CALL("tb2") "> S\n< 1\n< 2\n< C SELECT 1\n< Z\n");
		expect_span("FROM tb2", b);
		answer(true);
		served(b);
		assert_null(asked_get(fd));
		expect_no_more();
	}
}

/* A statement that is prepared has no exchange of its own, and may be one with the call behind it. */
static void test_preparing_is_no_call(void **state)
{
	(void)state;
	turn();
	struct span *a = serve(1);
	ask(ASKED_ALONE | ASKED_PART);
	struct span *b = serve(2);
	ask(0);
	ask(ASKED_PART);
	assert_int_equal(b->calls, 1); /* in one go */
	struct span *c = serve(3);
	ask(0);
	converse("> P s|SELECT FROM ta\n> B |s\n> E \n> P t|SELECT FROM tb\n> S\n> B |s\n> E \n> S\n");
	converse("< 1\n< 2\n< C SELECT 0\n< 1\n< Z\n< 2\n< C SELECT 0\n< Z\n");
	expect_span("FROM ta", b);
	expect_span("FROM ta", c);
	expect_no_more();
	answer(true);
	served(a);
	answer(true);
	assert_int_equal(b->calls, 1);
	answer(true);
	assert_int_equal(b->calls, 0);
	answer(true);
	served(c);
	/* One that fails is its asker's. */
	turn();
	activity_read_request(&incoming[2], span_reference(b));
	ask(ASKED_ALONE | ASKED_PART);
	struct span *d = serve(4);
	converse("> P u|SELECT nope\n> S\n< E C42703|Mno\n< Z\n");
	expect_span("42703", b);
	answer(true);
	served(b);
	served(d);
}

/* The library refuses: nothing is written, and the next one is not taken for it. */
static void test_refused_calls(void **state)
{
	(void)state;
	turn();
	struct span *a = serve(1);
	ask(ASKED_ALONE);
	ask(0);
	asked_pull(fd);
	ask(ASKED_PART);
	asked_pull(fd);
	assert_int_equal(a->calls, 1);
	struct span *c = serve(3);
	ask(0);
	turn();
	converse(CALL("ta") CALL("tc") "> S\n< 1\n< 2\n< C SELECT 1\n< 1\n< 2\n< C SELECT 1\n< Z\n");
	expect_span("FROM ta", a);
	expect_span("FROM tc", c);
	answer(true);
	assert_int_equal(a->calls, 0);
	served(a);
	answer(true);
	served(c);
}

/* What it was told for in vain is forgotten where the library has nothing else under way. */
static void test_alone_begins_anew(void **state)
{
	(void)state;
	turn();
	struct span *a = serve(1);
	ask(ASKED_ALONE);
	ask(0);
	ask(ASKED_PART);
	assert_int_equal(a->calls, 1);
	struct span *b = serve(2);
	ask(ASKED_ALONE);
	assert_int_equal(a->calls, 0);
	turn();
	converse(CALL("tb") "> S\n< 1\n< 2\n< C SELECT 1\n< Z\n");
	served(a);
	expect_span("FROM tb", b);
	answer(true);
	served(b);
}

/* A coroutine's stack comes and goes within a turn of the loop. */
static void test_another_within_the_turn(void **state)
{
	(void)state;
	turn();
	struct span *a = serve(1);
	ask(ASKED_ALONE);
	struct span *b = serve(2);
	activity_carried(span_reference(a), EVIDENCE_STACK);
	ask(0);
	activity_carried(span_reference(b), EVIDENCE_STACK);
	ask(0);
	converse(CALL("t1") CALL("t2") CALL("t3") "> S\n");
	converse("< 1\n< 2\n< C SELECT 1\n< 1\n< 2\n< C SELECT 1\n< 1\n< 2\n< C SELECT 1\n< Z\n");
	expect_span("FROM t1", a);
	expect_span("FROM t2", a);
	expect_span("FROM t3", b);
	served(a);
	served(b);
}

/* More changes of hand than there is room for: nobody's rather than a wrong one's, until all is answered. */
static void test_too_many_changes_of_hand(void **state)
{
	static struct span *many[200];
	struct asked_own own;
	uint64_t before = count_get(asked_untold);
	bool known = true;
	int count = 0;

	(void)state;
	turn();
	while (known && count < 200) {
		many[count] = serve(1);
		known = asked_push(fd, count++ ? 0 : ASKED_ALONE, &own);
	}
	assert_false(known);
	assert_int_equal(count_get(asked_untold), before + 1);
	for (int i = 0; i < count; i++)
		assert_int_equal(many[i]->calls, 0);
	converse(CALL("ta") "> S\n< 1\n< 2\n< C SELECT 1\n< Z\n");
	expect_span("FROM ta", NULL);
	for (int i = 0; i < count; i++)
		served(many[i]);
	turn();
	struct span *a = serve(1);
	ask(ASKED_ALONE);
	converse(CALL("ta") "> S\n< 1\n< 2\n< C SELECT 1\n< Z\n");
	expect_span("FROM ta", a);
	for (int i = 0; i < 1000; i++)
		ask(0);
	served(a);
}

/* Where the wire is not followed the library has the spans. */
static void test_spans_of_the_library(void **state)
{
	struct asked_own own;

	(void)state;
	conn_bypassed(fd);
	converse("> Q SELECT 1\n< C SELECT 1\n< Z\n");
	assert_int_equal(conn->mode, CONN_OPAQUE);
	turn();
	struct span *a = serve(1);
	assert_true(asked_push(fd, ASKED_ALONE, &own));
	assert_true(own.own);
	assert_int_equal(own.endpoint->peer_port, 5432);
	span_name(own.span, BYTES("first"));
	assert_true(asked_push(fd, ASKED_PART, &own));
	span_name(own.span, BYTES("prepared"));
	assert_true(asked_push(fd, 0, &own));
	span_name(own.span, BYTES("second"));
	turn();
	assert_ptr_equal(asked_get(fd), conn);
	conn_put(conn);
	answer(true);
	expect_span("first", a);
	answer(true);
	expect_no_more();
	/* The connection is lost in the middle of a call of the library's: the hook has the last word. */
	struct conn *held = asked_get(fd);
	asked_hold(held);
	conn_closing(fd);
	assert_non_null(asked_span(held));
	span_error(asked_span(held), BYTES("lost"));
	asked_answer(held, true);
	asked_over(held);
	asked_put(held);
	expect_span("lost", a);
	assert_null(conn->asked);
	served(a);
}

static void test_closed_with_calls_under_way(void **state)
{
	struct asked_own own;

	(void)state;
	conn_bypassed(fd);
	converse("> Q SELECT 1\n< C SELECT 1\n< Z\n");
	turn();
	struct span *a = serve(1);
	assert_true(asked_push(fd, ASKED_ALONE, &own));
	span_name(own.span, BYTES("first"));
	assert_int_equal(a->calls, 1);
	conn_closing(fd);
	assert_int_equal(a->calls, 0);
	expect_span("tagalong.incomplete", a);
	assert_false(asked_push(fd, ASKED_ALONE, &own)); /* not a connection any more */
	assert_null(asked_get(-1));
	assert_false(asked_push(100000, 0, &own));
	served(a);
}

static int set_up(void **state)
{
	char *env[] = {"OTEL_TRACES_EXPORTER=none", NULL};
	(void)state;
	config_load(env, "test");
	protocol_settings.carrier = context_field;
	protocol_settings.known_methods = config.known_method_list;
	return span_init(256) && blocks_init(64) && conn_init(64, protocols) && asked_init(64) &&
			       queue_open(1 << 20, 0)
		       ? 0
		       : -1;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, connect_to_server, disconnect)
	const struct CMUnitTest tests[] = {
		TEST(test_written_in_the_middle_of_another),
		TEST(test_preparing_is_no_call),
		TEST(test_refused_calls),
		TEST(test_alone_begins_anew),
		TEST(test_another_within_the_turn),
		TEST(test_too_many_changes_of_hand),
		TEST(test_spans_of_the_library),
		TEST(test_closed_with_calls_under_way),
	};
	return cmocka_run_group_tests(tests, set_up, NULL);
}
