/* test_conn_mysql.c - a recorded conversation with a database over connections: the server speaks first,
 * kernels take what they like, quiet exchanges leave no span, a session inside TLS knows what its carrier
 * heard. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <errno.h>
#include <unistd.h>
#include <arpa/inet.h>

#include <cmocka.h>

#include "preload/activity.h"
#include "preload/config.h"
#include "preload/conn.h"
#include "preload/counters.h"
#include "preload/queue.h"
#include "preload/session.h"
#include "tests/support/connection.h"
#include "tests/support/db_replay.h"

extern const struct protocol protocol_http1, protocol_http2, protocol_fastcgi, protocol_scgi, protocol_uwsgi,
	protocol_mysql;
static const struct protocol *const protocols[] = {&protocol_http1,
						   &protocol_http2,
						   &protocol_fastcgi,
						   &protocol_scgi,
						   &protocol_uwsgi,
						   &protocol_mysql,
						   NULL};

enum kernel { TAKES_ALL, TAKES_ONE, TAKES_HALF, TAKES_ALL_BUT_ONE, REFUSES_FIRST, KERNELS };

static unsigned calls;

static size_t taken(enum kernel kernel, size_t offered)
{
	calls++;
	if (kernel == TAKES_ONE)
		return 1;
	if (kernel == TAKES_HALF)
		return (offered + 1) / 2;
	if (kernel == TAKES_ALL_BUT_ONE)
		return offered > 1 ? offered - 1 : 1;
	return kernel == REFUSES_FIRST && calls % 2 ? 0 : offered;
}

static void host_writes(struct conn *conn, struct bytes bytes, enum kernel kernel)
{
	for (int tries = 0; bytes.len; tries++) {
		struct iovec iov = {(char *)(uintptr_t)bytes.ptr, bytes.len};
		struct outgoing out;
		int error = EAGAIN;
		out.frozen = false;
		assert_false(conn_sending(&out, conn, &iov, 1)); /* nothing is put in */
		size_t take = taken(kernel, bytes.len);
		ssize_t went = conn_sent(&out, take ? (ssize_t)take : -1, &error);
		assert_int_equal(went, take ? (ssize_t)take : -1);
		bytes = bytes_from(bytes, take);
		assert_true(tries < 100000);
	}
}

static void host_reads(struct conn *conn, struct bytes bytes, size_t step)
{
	while (bytes.len) {
		struct bytes piece = bytes_until(bytes, step ? step : bytes.len);
		struct iovec iov = {(char *)(uintptr_t)piece.ptr, piece.len};
		conn_received(conn, &iov, 1, (ssize_t)piece.len, 0);
		bytes = bytes_from(bytes, piece.len);
	}
}

static void *find_text(const char *bytes, size_t len, const char *text)
{
	return memmem(bytes, len, text, strlen(text));
}

/* Spans that came out since, and how many of them hold the text. */
static size_t spans(const char *text, size_t *with)
{
	struct queue_record records[64];
	size_t n, total = 0;
	*with = 0;
	while ((n = queue_peek(records, 64, SIZE_MAX)) > 0) {
		for (size_t i = 0; i < n; i++) {
			total++;
			*with += find_text(records[i].payload.ptr, records[i].payload.len, text) != NULL;
		}
		queue_release(n);
	}
	return total;
}

static void disconnect(struct conn *conn, int fd)
{
	conn_put(conn);
	conn_closing(fd);
	close(fd);
}

static const struct golden {
	const char *path;
	size_t calls, failed;
} goldens[] = {
	{"tests/golden/mysql/simple.in", 4, 2}, {"tests/golden/mysql/prep.in", 6, 1},
	{"tests/golden/mysql/space.in", 6, 2},  {"tests/golden/mysql/java_bulk.in", 7, 1},
	{"tests/golden/mysql/file.in", 3, 0},   {"tests/golden/mysql/zip_prep_big.in", 8, 1},
};

/* Each read once, and kept. */
static struct db_talk talk_of(const char *path)
{
	static struct {
		const char *path;
		struct db_talk talk;
	} kept[32];
	size_t i = 0;

	while (kept[i].path && strcmp(kept[i].path, path) != 0)
		i++;
	assert_true(i + 1 < sizeof(kept) / sizeof(kept[0]));
	if (!kept[i].path) {
		kept[i].path = path;
		kept[i].talk = db_talk_read(path);
	}
	return kept[i].talk;
}

static void play(const struct golden *golden, enum kernel kernel, size_t step)
{
	struct db_talk talk = talk_of(golden->path);
	size_t failed;
	int fd;
	struct conn *conn = connected(&fd, 3306);

	for (size_t i = 0; i < talk.lines; i++) {
		if (talk.line[i].half == HALF_REQUESTS)
			host_writes(conn, talk.line[i].bytes, kernel);
		else
			host_reads(conn, talk.line[i].bytes, step);
	}
	assert_ptr_equal(conn->protocol, &protocol_mysql);
	assert_int_equal(conn->mode, CONN_FOLLOWED);
	assert_int_equal(conn->first, 0);
	assert_null(conn->stash.block);
	disconnect(conn, fd);
	size_t total = spans("error.type", &failed);
	if (total != golden->calls || failed != golden->failed)
		fail_msg("%s, kernel %d, step %zu: %zu spans, %zu failed", golden->path, kernel, step, total,
			 failed);
}

static void test_every_kernel(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(goldens) / sizeof(goldens[0]); i++)
		for (enum kernel kernel = TAKES_ALL; kernel < KERNELS; kernel++)
			for (size_t step = 0; step < 9; step += 4)
				play(&goldens[i], kernel, step);
}

/* The server's side of the same is nobody's call. */
static void test_the_server_itself_is_not_followed(void **unused)
{
	struct db_talk talk = talk_of("tests/golden/mysql/simple.in");
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(4000)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	size_t with;
	(void)unused;
	conn_accepted(fd, (struct sockaddr *)&address, sizeof(address));
	struct conn *conn = conn_get(fd);
	for (size_t i = 0; i < talk.lines; i++) {
		if (talk.line[i].half == HALF_RESPONSES)
			host_writes(conn, talk.line[i].bytes, TAKES_ALL);
		else
			host_reads(conn, talk.line[i].bytes, 0);
	}
	assert_int_equal(conn->mode, CONN_OPAQUE);
	disconnect(conn, fd);
	assert_int_equal(spans("", &with), 0);
}

static void test_servers_of_another_kind_that_speak_first(void **unused)
{
	static const char *const lines[] = {"220 mail.example ESMTP\r\n", "SSH-2.0-OpenSSH_9.2p1\r\n",
					    "+OK ready\r\n"};
	size_t with;
	(void)unused;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		int fd;
		struct conn *conn = connected(&fd, 3306);
		uint64_t before = count_get(parser_foreign) + count_get(parser_malformed);
		host_reads(conn, bytes_of(lines[i]), 0);
		host_writes(conn, BYTES("EHLO me\r\n"), TAKES_ALL);
		assert_ptr_not_equal(conn->protocol, &protocol_mysql);
		assert_int_equal(conn->mode, CONN_OPAQUE);
		assert_int_equal(count_get(parser_foreign) + count_get(parser_malformed), before + 1);
		disconnect(conn, fd);
	}
	assert_int_equal(spans("", &with), 0);
}

/* Lost in the middle: the call says so, the quiet one before it leaves nothing. */
static void test_a_lost_connection(void **unused)
{
	struct db_talk talk = talk_of("tests/golden/mysql/simple.in");
	size_t with;
	int fd;
	(void)unused;
	struct conn *conn = connected(&fd, 3306);
	for (size_t i = 0; i < 3; i++)
		if (talk.line[i].half == HALF_REQUESTS)
			host_writes(conn, talk.line[i].bytes, TAKES_ALL);
		else
			host_reads(conn, talk.line[i].bytes, 0);
	host_writes(conn, (struct bytes){"\1\0\0\0\x0e", 5}, TAKES_ALL); /* COM_PING */
	host_writes(conn, (struct bytes){"\x09\0\0\0\3select 1", 13}, TAKES_ALL);
	conn_received(conn, NULL, 0, 0, 0);
	disconnect(conn, fd);
	assert_int_equal(spans("response_truncated", &with), 1);
	assert_int_equal(with, 1);
}

/* Waited for in vain, then closed: over that. Closed just so: nobody knows why. */
static void test_a_wait_that_expires(void **unused)
{
	struct db_talk talk = talk_of("tests/golden/mysql/simple.in");
	size_t with;
	(void)unused;
	for (int waits = 0; waits < 3; waits++) {
		int fd;
		struct conn *conn = connected(&fd, 3306);
		for (size_t i = 0; i < 3; i++)
			if (talk.line[i].half == HALF_REQUESTS)
				host_writes(conn, talk.line[i].bytes, TAKES_ALL);
			else
				host_reads(conn, talk.line[i].bytes, 0);
		if (waits == 2) /* for another call */
			conn_wait_expired(fd);
		host_writes(conn, talk.line[3].bytes, TAKES_ALL);
		host_reads(conn, talk.line[4].bytes, 0);
		host_writes(conn, (struct bytes){"\x09\0\0\0\3select 1", 13}, TAKES_ALL);
		if (waits == 1)
			conn_wait_expired(fd);
		conn_put(conn);
		conn_closing(fd);
		close(fd);
		assert_int_equal(spans(waits == 1 ? "timeout" : "tagalong.incomplete", &with), 2);
		assert_int_equal(with, 1);
	}
}

static void test_a_session_resumes(void **unused)
{
	static const char request[] =
		"\x20\0\0\1\x01\x8a\0\0\0\0\0\1\x21\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
	struct db_talk talk = talk_of("tests/golden/mysql/session.in");
	struct db_talk plain = talk_of("tests/golden/mysql/simple.in");
	size_t with;
	int fd, handle;
	(void)unused;
	for (enum kernel kernel = TAKES_ALL; kernel < KERNELS; kernel++) {
		struct conn *conn = connected(&fd, 3306);
		host_reads(conn, plain.line[0].bytes, 0);
		host_writes(conn, (struct bytes){request, 36}, kernel);
		assert_int_equal(conn->mode, CONN_OPAQUE);
		struct conn *session = session_begin(&handle, ROLE_CLIENT, true);
		session_on_fd(session, fd);
		for (size_t i = 0; i < talk.lines; i++) {
			if (talk.line[i].half == HALF_REQUESTS)
				host_writes(session, talk.line[i].bytes,
					    kernel == TAKES_ONE && i == 0 ? TAKES_HALF : kernel);
			else
				host_reads(session, talk.line[i].bytes, 0);
		}
		assert_ptr_equal(session->protocol, &protocol_mysql);
		assert_int_equal(session->mode, CONN_FOLLOWED);
		conn_put(session);
		session_end(&handle);
		disconnect(conn, fd);
		assert_int_equal(spans("mariadb", &with), 3);
		assert_int_equal(with, 3); /* which only the greeting said */
	}
}

/* --- the context as a comment ----------------------------------------------------------------------------
 */

static char wire[8192];
static size_t wire_len;

static void host_writes_edited(struct conn *conn, struct bytes bytes, enum kernel kernel)
{
	for (int tries = 0; bytes.len; tries++) {
		struct iovec iov = {(char *)(uintptr_t)bytes.ptr, bytes.len}, pieces[32];
		struct outgoing out;
		int error = EAGAIN;
		out.frozen = false;
		bool edited = conn_sending(&out, conn, &iov, 1);
		size_t take = taken(kernel, edited ? outgoing_length(&out) : bytes.len), left = take;
		int count = edited ? outgoing_iov(&out, 0, pieces, 32) : 1;
		for (int i = 0; i < count && left; i++) {
			const struct iovec *from = edited ? &pieces[i] : &iov;
			size_t part = from->iov_len < left ? from->iov_len : left;
			memcpy(wire + wire_len, from->iov_base, part);
			wire_len += part;
			left -= part;
		}
		ssize_t went = conn_sent(&out, take ? (ssize_t)take : -1, &error);
		assert_true(went == -1 || (went > 0 && (size_t)went <= bytes.len));
		if (went > 0)
			bytes = bytes_from(bytes, (size_t)went);
		assert_true(tries < 100000);
	}
}

static const struct statement {
	const char *text;
	bool commented;
} statements[] = {
	{"select 1", true},
	{"insert into t values ('it''s')", true},
	{"  UPDATE t SET a = 1 ;  ", true},
	{"call p(1);", true},
	{"select 1 /* mine */", false},
	{"select 1; select 2", false},
	{"select 'open", false},
	{"create procedure p() select 1", false},
	{"create view v as select 1", false},
	{"prepare s from 'select 1'", false},
	{"set names utf8", false},
};

/* What went out instead: the packet as its length says, the statement, and in it at most one comment. */
static bool is_commented(const struct statement *what, size_t cut)
{
	const uint8_t *head = (const uint8_t *)wire;
	size_t len = strlen(what->text), end = len;
	while (end && strchr("; ", what->text[end - 1]))
		end--;
	assert_int_equal(head[0] | head[1] << 8 | head[2] << 16, wire_len - 4);
	assert_int_equal(head[3], 0);
	assert_int_equal(head[4], 3);
	if (wire_len == len + 5) {
		assert_memory_equal(wire + 5, what->text, len);
		return false;
	}
	size_t more = wire_len - len - 5;
	if (memcmp(wire + 5, what->text, end) != 0 ||
	    memcmp(wire + 5 + end, " /*traceparent='00-", 19) != 0 ||
	    memcmp(wire + 5 + end + more - 6, "-03'*/", 6) != 0 ||
	    memcmp(wire + 5 + end + more, what->text + end, len - end) != 0)
		fail_msg("%s, cut at %zu: %.*s", what->text, cut, (int)wire_len - 5, wire + 5);
	return true;
}

static void check_statement(const struct statement *what, enum kernel kernel, size_t cut)
{
	struct db_talk talk = talk_of("tests/golden/mysql/simple.in");
	char request[128];
	size_t len = strlen(what->text) + 5, with;
	int fd;
	struct conn *conn = connected(&fd, 3306);

	for (size_t i = 0; i < 3; i++)
		if (talk.line[i].half == HALF_REQUESTS)
			host_writes(conn, talk.line[i].bytes, TAKES_ALL);
		else
			host_reads(conn, talk.line[i].bytes, 0);
	memcpy(request, (char[]){(char)(len - 4), 0, 0, 0, 3}, 5);
	memcpy(request + 5, what->text, len - 5);
	wire_len = 0;
	calls = 0;
	host_writes_edited(conn, (struct bytes){request, cut}, kernel);
	host_writes_edited(conn, (struct bytes){request + cut, len - cut}, kernel);
	bool commented = is_commented(what, cut);
	bool whole = cut == 0 && (kernel == TAKES_ALL || kernel == REFUSES_FIRST);
	if (commented != what->commented && (whole || commented))
		fail_msg("%s: %scommented", what->text, commented ? "" : "not ");
	host_reads(conn, (struct bytes){"\7\0\0\1\0\0\0\2\0\0\0", 11}, 0);
	assert_int_equal(conn->mode, CONN_FOLLOWED);
	disconnect(conn, fd);
	assert_int_equal(spans("traceparent", &with), 1); /* its text is the program's */
	assert_int_equal(with, 0);
}

static void test_statements_get_a_comment_when_asked_for(void **unused)
{
	(void)unused;
	protocol_settings.sqlcommenter = true;
	for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++)
		for (enum kernel kernel = TAKES_ALL; kernel < KERNELS; kernel++)
			for (size_t cut = 0; cut < strlen(statements[i].text) + 5; cut++)
				check_statement(&statements[i], kernel, cut);
	for (size_t i = 0; i < sizeof(goldens) / sizeof(goldens[0]); i++)
		if (strstr(goldens[i].path, "zip") || strstr(goldens[i].path, "prep"))
			play(&goldens[i], TAKES_ALL, 0); /* nothing in either */
	protocol_settings.sqlcommenter = false;
}

static int set_up(void **state)
{
	char *env[] = {"OTEL_TRACES_EXPORTER=none", NULL};
	(void)state;
	config_load(env, "test");
	protocol_settings.carrier = context_field;
	protocol_settings.known_methods = config.known_method_list;
	return span_init(256) && blocks_init(64) && conn_init(64, protocols) && session_init(64) &&
			       queue_open(1 << 20, 0)
		       ? 0
		       : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_kernel),
		cmocka_unit_test(test_the_server_itself_is_not_followed),
		cmocka_unit_test(test_servers_of_another_kind_that_speak_first),
		cmocka_unit_test(test_a_lost_connection),
		cmocka_unit_test(test_a_wait_that_expires),
		cmocka_unit_test(test_statements_get_a_comment_when_asked_for),
		cmocka_unit_test(test_a_session_resumes),
	};
	return cmocka_run_group_tests(tests, set_up, NULL);
}
