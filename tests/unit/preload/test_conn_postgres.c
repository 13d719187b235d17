/* A PostgreSQL connection whose kernel takes what it likes: whatever is cut and refused, each call that ran
 * has one span, what never ran has none, and what is said of each is what that call was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <arpa/inet.h>

#include <cmocka.h>

#include "preload/activity.h"
#include "preload/config.h"
#include "preload/conn.h"
#include "preload/counters.h"
#include "preload/queue.h"
#include "tests/support/connection.h"
#include "tests/support/postgres_talk.h"

extern const struct protocol protocol_http1, protocol_fastcgi, protocol_scgi, protocol_uwsgi;
static const struct protocol *const protocols[] = {&protocol_http1, &protocol_fastcgi,  &protocol_scgi,
						   &protocol_uwsgi, &protocol_postgres, NULL};

enum kernel { TAKES_ALL, TAKES_ONE, TAKES_TWO, TAKES_HALF, TAKES_ALL_BUT_ONE, REFUSES_FIRST, KERNELS };

static enum kernel kernel;
static unsigned calls;

static size_t kernel_takes(size_t offered)
{
	calls++;
	switch (kernel) {
	case TAKES_ONE:
		return 1;
	case TAKES_TWO:
		return offered > 2 ? 2 : offered;
	case TAKES_HALF:
		return (offered + 1) / 2;
	case TAKES_ALL_BUT_ONE:
		return offered > 1 ? offered - 1 : 1;
	case REFUSES_FIRST:
		return calls % 2 ? 0 : offered;
	default:
		return offered;
	}
}

static char wire[65536];
static size_t wire_len;

static ssize_t host_write(struct conn *conn, struct bytes text)
{
	struct iovec iov[2] = {{(char *)(uintptr_t)text.ptr, text.len / 2},
			       {(char *)(uintptr_t)text.ptr + text.len / 2, text.len - text.len / 2}};
	struct iovec pieces[64];
	struct outgoing out;
	int error = EAGAIN;
	ssize_t sent = -1;

	out.frozen = false;
	bool edited = conn_sending(&out, conn, iov, 2);
	if (edited && !protocol_settings.sqlcommenter)
		fail();
	size_t take = kernel_takes(edited ? outgoing_length(&out) : text.len), left = take;
	int count = edited ? outgoing_iov(&out, 0, pieces, 64) : 2;
	const struct iovec *from = edited ? pieces : iov;
	for (int i = 0; i < count && left > 0; i++) {
		size_t part = from[i].iov_len < left ? from[i].iov_len : left;
		memcpy(wire + wire_len, from[i].iov_base, part);
		wire_len += part;
		left -= part;
	}
	if (take)
		sent = (ssize_t)take;
	return conn_sent(&out, sent, &error);
}

static void write_fully(struct conn *conn, struct bytes text)
{
	while (text.len) {
		ssize_t sent = host_write(conn, text);
		text = bytes_from(text, sent > 0 ? (size_t)sent : 0);
	}
}

static void disconnect(struct conn *conn, int fd)
{
	conn_put(conn);
	conn_closing(fd);
	close(fd);
}

static void talk_to(struct conn *conn, const struct talk *talk)
{
	for (int i = 0; i < talk->turns; i++) {
		struct bytes text = talk_turn(talk, i);
		struct iovec iov = {(char *)(uintptr_t)text.ptr, text.len};
		if (talk->turn[i].half == HALF_REQUESTS)
			write_fully(conn, text);
		else
			conn_received(conn, &iov, 1, (ssize_t)text.len, 0);
	}
}

static bool holds(struct bytes record, const char *text)
{
	return text && memmem(record.ptr, record.len, text, strlen(text)) != NULL;
}

/* The spans that were exported are these, told by a text in each, in this order. */
static void expect_spans(const char *const *texts)
{
	struct queue_record records[64];
	size_t n = queue_peek(records, 64, SIZE_MAX), i = 0;

	for (; texts[i]; i++) {
		if (i >= n || !holds(records[i].payload, texts[i])) {
			print_error("span %zu of %zu is not: %s (kernel %d)\n", i + 1, n, texts[i], kernel);
			queue_release(n);
			fail();
		}
	}
	queue_release(n);
	assert_int_equal(n, i);
}

static void play(const char *script, const char *const *texts)
{
	static struct talk talk;
	talk_read(&talk, script);
	for (kernel = TAKES_ALL; kernel < KERNELS; kernel++) {
		int fd;
		struct conn *conn = connected(&fd, 5432);
		calls = 0;
		talk_to(conn, &talk);
		assert_ptr_equal(conn->protocol, &protocol_postgres);
		assert_int_equal(conn->mode, CONN_FOLLOWED);
		assert_int_equal(conn->first, 0);
		disconnect(conn, fd);
		expect_spans(texts);
	}
}

#define HELLO "> startup user|ann|database|shop\n< R\n< Z\n"

static void test_calls_of_every_kind(void **unused)
{
	(void)unused;
	play(HELLO "> Q INSERT INTO a VALUES (1)\n< C INSERT 0 1\n< Z\n"
		   "> P s1|SELECT * FROM b WHERE c = $1\n> D S|s1\n> S\n< 1\n< t\n< T\n< Z\n"
		   "> B |s1\n> E \n> P |DELETE FROM d\n> B |\n> E \n> S\n> Q COMMIT\n"
		   "< 2\n< D\n< C SELECT 1\n< 1\n< 2\n< C DELETE 4\n< Z\n< C COMMIT\n< Z\n> X\n",
	     (const char *const[]){"INSERT INTO a VALUES (?)", "SELECT * FROM b WHERE c = $1",
				   "DELETE FROM d", "COMMIT", NULL});
}

/* A name that is given again in the write that was looked at ahead means for each call what it meant then. */
static void test_names_that_change_within_a_write(void **unused)
{
	(void)unused;
	play(HELLO
	     "> P s1|SELECT 'x' FROM a WHERE k = $1\n> S\n< 1\n< Z\n"
	     "> B |s1\n> E \n> C S|s1\n> P s1|SELECT FROM b WHERE k = $1\n> B |s1\n> E \n> C S|s1\n> S\n"
	     "< 2\n< C SELECT 0\n< 3\n< 1\n< 2\n< C SELECT 0\n< 3\n< Z\n",
	     (const char *const[]){"FROM a WHERE k = $1", "FROM b WHERE k = $1", NULL});
}

static void test_what_never_ran_has_no_span(void **unused)
{
	(void)unused;
	play(HELLO "> P |SELECT 1 / $1\n> B |\n> E \n> P |SELECT 2\n> B |\n> E \n> S\n"
		   "< 1\n< 2\n< E C22012|Mdivision by zero\n< Z\n",
	     (const char *const[]){"22012", NULL});
}

/* Here: it was prepared by a statement, PREPARE s2 AS ... */
static void test_a_text_that_is_not_known_is_counted(void **unused)
{
	(void)unused;
	static struct talk talk;
	int fd;
	uint64_t before = count_get(texts_unknown);
	struct conn *conn = connected(&fd, 5432);

	kernel = TAKES_ALL;
	talk_read(&talk,
		  HELLO "> P s1|SELECT 1\n> S\n< 1\n< Z\n> B |s1\n> E \n> B |s2\n> E \n> B |s2\n> D P|\n> S\n"
			"< 2\n< C SELECT 1\n< 2\n< C SELECT 1\n< 2\n< n\n< Z\n> Q \n< I\n< Z\n");
	talk_to(conn, &talk);
	disconnect(conn, fd);
	expect_spans((const char *const[]){"SELECT ?", "shop", "shop", NULL});
	assert_int_equal(count_get(texts_unknown) - before, 1);
}

static void test_refused_connection(void **unused)
{
	(void)unused;
	play("> startup user|ann|database|shop\n< E C28P01|Mno\n",
	     (const char *const[]){"connect shop", NULL});
	play("> startup user|ann|database|shop\n< R\n< Z\n> X\n", (const char *const[]){NULL});
}

static void test_lost_connections(void **unused)
{
	(void)unused;
	static struct talk talk;
	static const struct {
		ssize_t got;
		int error;
		const char *text;
	} how[] = {{0, 0, "response_truncated"},
		   {-1, ECONNRESET, "connection_reset"},
		   {-1, ETIMEDOUT, "timeout"}};

	kernel = TAKES_ALL;
	for (size_t i = 0; i < 3; i++) {
		int fd;
		struct conn *conn = connected(&fd, 5432);
		talk_read(&talk, HELLO "> P a|SELECT 1 FROM t1\n> S\n< 1\n< Z\n> Q SELECT 2 FROM t2\n< T\n");
		talk_to(conn, &talk);
		conn_received(conn, NULL, 0, how[i].got, how[i].error);
		disconnect(conn, fd);
		expect_spans((const char *const[]){how[i].text, NULL});
		/* The server said why: that is the error. */
		conn = connected(&fd, 5432);
		talk_read(&talk, HELLO "> Q SELECT 2 FROM t2\n< T\n< E C57P01|Mshutting down\n");
		talk_to(conn, &talk);
		conn_received(conn, NULL, 0, how[i].got, how[i].error);
		disconnect(conn, fd);
		expect_spans((const char *const[]){"57P01", NULL});
		/* Before it has answered at all. */
		conn = connected(&fd, 5432);
		talk_read(&talk, "> startup user|ann|database|shop\n< R\n");
		talk_to(conn, &talk);
		conn_received(conn, NULL, 0, how[i].got, how[i].error);
		disconnect(conn, fd);
		expect_spans((const char *const[]){NULL});
	}
}

/* What was none after all does not make the first call another than the first: it is its connection's
 * opener's. */
static void test_first_call_is_the_openers(void **unused)
{
	(void)unused;
	static struct talk talk;
	struct span *server = span_begin(SPAN_SERVER, 1);
	span_identify(server, NULL);
	kernel = TAKES_ALL;
	thread.current = span_reference(server);
	thread.evidence = EVIDENCE_REQUEST;
	int fd;
	struct conn *conn = connected(&fd, 5432);
	assert_true(conn->opener == span_reference(server));
	thread.current = SPAN_NOBODY;
	thread.evidence = EVIDENCE_NONE;
	talk_read(&talk, HELLO "> P a|SELECT 1 FROM t1\n> S\n< 1\n< Z\n> B |a\n> E \n> S\n");
	talk_to(conn, &talk);
	struct span *span = span_slot(conn->first - 1);
	assert_true(span->activity == span_reference(server));
	disconnect(conn, fd);
	span_discard(server);
	expect_spans((const char *const[]){"SELECT t1", NULL});
}

static void test_a_server_is_not_followed(void **unused)
{
	(void)unused;
	static struct talk talk;
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(9000)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	conn_accepted(fd, (struct sockaddr *)&address, sizeof(address));
	struct conn *conn = conn_get(fd);
	talk_read(&talk, HELLO "> Q SELECT 1\n");
	struct bytes text = talk_turn(&talk, 0);
	struct iovec iov = {(char *)(uintptr_t)text.ptr, text.len};
	conn_received(conn, &iov, 1, (ssize_t)text.len, 0);
	assert_int_equal(conn->mode, CONN_OPAQUE);
	disconnect(conn, fd);
	expect_spans((const char *const[]){NULL});
}

/* What the server gets, in pieces as they went: text and comment of each query. */
static __attribute__((noinline)) char *read_wire(void)
{
	char *text = NULL;
	size_t size, at = 0;
	FILE *out = open_memstream(&text, &size);
	uint32_t length = postgres_number((const uint8_t *)wire);

	for (at = length; at + 5 <= wire_len; at += 1 + length) {
		length = postgres_number((const uint8_t *)wire + at + 1);
		if (wire[at] == 'Q' || wire[at] == 'P')
			fprintf(out, "%s\n", wire + at + (wire[at] == 'P' ? 7 : 5));
		if ((wire[at] == 'Q') != (wire[at + length] == '\0' && strlen(wire + at + 5) + 5 == length))
			if (wire[at] == 'Q')
				fprintf(out, "its length is wrong\n");
	}
	if (at != wire_len)
		fprintf(out, "some %zu of %zu bytes\n", at, wire_len);
	fclose(out);
	return text;
}

static const char commented[] = "/*traceparent='00-";

static void test_comments(void **unused)
{
	(void)unused;
	static struct talk talk;
	static const struct {
		const char *before, *after; /* the comment stands between; after NULL: none */
	} queries[] = {
		{"SELECT 1", ""},
		{"update t set a = 1", " ;\t; "},
		{"SELECT 1; SELECT 2", NULL},
		{"SELECT 1 -- x", NULL},
		{"CREATE VIEW v AS SELECT 1", NULL},
		{"SELECT 'open", NULL},
		{"", NULL},
		{"BEGIN", NULL},
		{"WITH a AS (SELECT 1) SELECT * FROM a", ""},
	};

	protocol_settings.sqlcommenter = true;
	for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
		char script[256], expected[256];
		const char *after = queries[i].after;
		snprintf(script, sizeof(script),
			 HELLO "> Q %s%s\n< C SELECT 1\n< Z\n> P a|SELECT 2\n> S\n< 1\n< Z\n",
			 queries[i].before, after ? after : "");
		talk_read(&talk, script);
		for (kernel = TAKES_ALL; kernel < KERNELS; kernel++) {
			int fd;
			struct conn *conn = connected(&fd, 5432);
			calls = 0;
			wire_len = 0;
			talk_to(conn, &talk);
			assert_int_equal(conn->mode, CONN_FOLLOWED);
			disconnect(conn, fd);
			char *got = read_wire(), *comment = strstr(got, commented);
			/* What is begun is finished; what cannot be begun any more is not. */
			if (!comment) {
				assert_true(!after || kernel != TAKES_ALL);
				snprintf(expected, sizeof(expected), "%s%s\nSELECT 2\n", queries[i].before,
					 after ? after : "");
				assert_string_equal(got, expected);
			} else {
				assert_non_null(after);
				assert_int_equal((comment - 1) - got, strlen(queries[i].before));
				assert_int_equal(comment[-1], ' ');
				char *end = strstr(comment, "'*/");
				assert_int_equal(end - comment, 12 + 3 + 55);
				snprintf(expected, sizeof(expected), "'*/%s\nSELECT 2\n", after);
				assert_string_equal(end, expected);
			}
			free(got);
			struct queue_record records[8];
			size_t n = queue_peek(records, 8, SIZE_MAX);
			assert_int_equal(n, 1);
			assert_false(holds(records[0].payload, "traceparent"));
			queue_release(n);
		}
	}
	protocol_settings.sqlcommenter = false;
}

static int set_up(void **state)
{
	char *env[] = {"OTEL_TRACES_EXPORTER=none", NULL};
	(void)state;
	config_load(env, "test");
	protocol_settings.carrier = context_field;
	protocol_settings.known_methods = config.known_method_list;
	return span_init(256) && blocks_init(64) && conn_init(64, protocols) && queue_open(1 << 20, 0) ? 0
												       : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calls_of_every_kind),
		cmocka_unit_test(test_names_that_change_within_a_write),
		cmocka_unit_test(test_what_never_ran_has_no_span),
		cmocka_unit_test(test_a_text_that_is_not_known_is_counted),
		cmocka_unit_test(test_refused_connection),
		cmocka_unit_test(test_lost_connections),
		cmocka_unit_test(test_first_call_is_the_openers),
		cmocka_unit_test(test_a_server_is_not_followed),
		cmocka_unit_test(test_comments),
	};
	return cmocka_run_group_tests(tests, set_up, NULL);
}
