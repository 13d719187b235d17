/* test_memcached.c - conversations, in one piece and cut everywhere; calls of several commands, and of such that nobody
 * answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <glob.h>

#include "hooks/protocols/memcached.h"
#include "tests/support/db_replay.h"

extern const struct protocol protocol_memcached;

static char *read_text(const char *path)
{
	FILE *file = fopen(path, "r");
	char *text = calloc(1, 1 << 20);
	if (file) {
		text[fread(text, 1, (1 << 20) - 1, file)] = '\0';
		fclose(file);
	}
	return text;
}

/* Without the heads of calls that are not over yet: those depend on the cuts. */
static char *without_quiet(char *log)
{
	char *to = log;
	for (char *line = log, *next; *line; line = next) {
		next = line + strcspn(line, "\n") + 1;
		if (next - line > 7 && strncmp(next - 7, " quiet\n", 7) == 0)
			continue;
		memmove(to, line, (size_t)(next - line));
		to += next - line;
	}
	*to = '\0';
	return log;
}

static void same(char *got, const char *expected, const char *path, const char *how, size_t at)
{
	if (strcmp(without_quiet(got), expected) != 0)
		fail_msg("%s, %s %zu:\n--- got\n%.6000s--- expected\n%.6000s", path, how, at, got, expected);
	free(got);
}

static void test_golden(void **unused)
{
	(void)unused;
	glob_t found;
	assert_int_equal(glob("tests/golden/memcached/*.in", 0, NULL, &found), 0);
	assert_true(found.gl_pathc >= 5);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		char path[300];
		struct db_talk talk = db_talk_read(found.gl_pathv[i]);
		snprintf(path, sizeof(path), "%.*s.events", (int)strlen(found.gl_pathv[i]) - 3, found.gl_pathv[i]);
		char *expected = read_text(path);
		if (getenv("GOLDEN_UPDATE")) {
			FILE *out = fopen(path, "w");
			free(expected);
			expected = without_quiet(db_talk_play(&protocol_memcached, &talk, 0, 0));
			fputs(expected, out);
			fclose(out);
		}
		assert_null(strstr(expected, "secret"));
		same(db_talk_play(&protocol_memcached, &talk, 0, 0), expected, path, "whole", 0);
		for (size_t cut = 1; cut < talk.total; cut++)
			same(db_talk_play(&protocol_memcached, &talk, cut, 0), expected, path, "cut at", cut);
		for (size_t step = 1; step < 30; step++)
			same(db_talk_play(&protocol_memcached, &talk, 0, step), expected, path, "in pieces of", step);
		free(expected);
		db_talk_free(&talk);
	}
	globfree(&found);
}

/* --- put together by hand -------------------------------------------------------------------------------- */

static struct db_replay replay;

static void client_bytes(struct bytes text)
{
	db_replay_ahead(&replay, text);
	db_replay_feed(&replay, HALF_REQUESTS, text);
}

static void client(const char *text)
{
	client_bytes(bytes_of(text));
}

static void server(const char *text)
{
	db_replay_feed(&replay, HALF_RESPONSES, bytes_of(text));
}

static void begins(void)
{
	db_replay_open(&replay, &protocol_memcached);
}

/* As begins(), behind an answer that was understood. */
static void begins_sure(void)
{
	begins();
	client("version\r\n");
	server("VERSION 1\r\n");
}

static void log_has(const char *there, const char *not_there)
{
	char *log = db_replay_close(&replay);
	if (there && !strstr(log, there))
		fail_msg("no %s in:\n%.4000s", there, log);
	if (not_there && strstr(log, not_there))
		fail_msg("%s in:\n%.4000s", not_there, log);
	free(log);
}

static void test_pipeline_is_one_call(void **unused)
{
	(void)unused;
	begins();
	client("get a\r\nget b\r\nget c\r\n");
	server("END\r\nVALUE b 0 1\r\nx\r\nEND\r\n");
	assert_int_equal(replay.begun, 1);
	assert_int_equal(replay.ended, 0);
	server("END\r\n");
	assert_int_equal(replay.ended, 1);
	log_has("name=PIPELINE get db.example:4000\n", "OPAQUE");

	begins();
	client("get a\r\nset b 0 0 1\r\nx\r\n");
	server("END\r\nSTORED\r\n");
	log_has("name=PIPELINE db.example:4000\n", "OPAQUE");
	begins();
	client("get a\r\nset b 0 0 1\r\nx\r\n");
	server("END\r\nSERVER_ERROR out of memory\r\n");
	log_has("failed=SERVER_ERROR\n    db.response.status_code=\"SERVER_ERROR\"", "OPAQUE");
}

static void test_writes_without_waiting_are_calls_of_their_own(void **unused)
{
	(void)unused;
	begins();
	for (int i = 0; i < 100; i++)
		client("get a\r\n");
	for (int i = 0; i < 100; i++)
		server("END\r\n");
	assert_int_equal(replay.begun, 100);
	assert_int_equal(replay.ended, 100);
	log_has("RESPONSE_END 100", "batch");

	begins();
	for (int i = 0; i <= MEMCACHED_IN_FLIGHT; i++)
		client("get a\r\n");
	log_has("OPAQUE TOO_LARGE", NULL);
}

static void test_noreply_ends_with_its_write(void **unused)
{
	(void)unused;
	begins();
	client("get a\r\n");
	client("delete b noreply\r\n");
	server("END\r\n");
	log_has("REQUEST_END 2 @25\nRESET 2\nRESPONSE_BEGIN 1\n", "OPAQUE");

	begins(); /* with one that is answered it is a pipeline */
	client("delete b noreply\r\nget a\r\ndelete c noreply\r\n");
	server("END\r\n");
	assert_int_equal(replay.ended, 1);
	log_has("db.operation.batch.size=3", "RESET");
}

/* What was complained of may have been the one that is not answered, or the one that is. */
static void test_errors_of_nobody(void **unused)
{
	(void)unused;
	begins_sure();
	client("set a 0 0 1 noreply\r\nx\r\n");
	server("SERVER_ERROR out of memory\r\n"); /* nothing else is waited for */
	client("get a\r\n");
	server("END\r\n");
	assert_int_equal(replay.ended, 2);
	log_has("RESPONSE_END 3", "failed");

	begins_sure();
	client("delete noreply noreply\r\nget a\r\n");
	server("SERVER_ERROR out of memory\r\n");
	log_has("OPAQUE LOST", "failed");
	begins_sure();
	server("SERVER_ERROR out of memory\r\n");
	log_has("OPAQUE MALFORMED", "failed");
}

static void test_quiet_meta(void **unused)
{
	(void)unused;
	/* The closer comes in another write: the call is not over before. */
	begins();
	client("mg a v q\r\n");
	client("mg b v q\r\n");
	server("VA 1\r\nx\r\n");
	client("mn\r\n");
	server("VA 1\r\nx\r\nMN\r\n");
	assert_int_equal(replay.begun, 1);
	assert_int_equal(replay.ended, 1);
	log_has("name=PIPELINE mg db.example:4000\n", "OPAQUE");
	/* Its own failure. */
	begins();
	client("ms a 1 q\r\nx\r\nmn\r\n");
	server("CLIENT_ERROR bad\r\nMN\r\n");
	log_has("failed=CLIENT_ERROR", "OPAQUE");
	/* Another call's, which is over. */
	begins();
	client("ms a 1 q\r\nx\r\n");
	client("mn\r\n");
	server("CLIENT_ERROR bad\r\nMN\r\n");
	log_has("RESPONSE_END 2", "failed");
	/* Either's. */
	begins();
	client("ms a 1 q\r\nx\r\n");
	client("md a q\r\nmn\r\n");
	server("NS\r\nCLIENT_ERROR bad\r\nMN\r\n");
	log_has("OPAQUE LOST", "failed");
	begins_sure();
	client("mg a v q\r\nmg b v\r\n");
	server("VA 1\r\nx\r\n");
	log_has("OPAQUE LOST", NULL);
	begins();
	client("mg a v q\r\nmn\r\n");
	server("ERROR\r\n");
	log_has("OPAQUE ", "RESPONSE_END");
}

/* --- binary */

struct packet {
	unsigned char bytes[64];
	size_t len;
};

static struct packet packet(int magic, int op, int extras, int key, int value, int status, int opaque)
{
	struct packet p = {.len = (size_t)(24 + extras + key + value)};
	p.bytes[0] = (unsigned char)magic;
	p.bytes[1] = (unsigned char)op;
	p.bytes[3] = (unsigned char)key;
	p.bytes[4] = (unsigned char)extras;
	p.bytes[7] = (unsigned char)status;
	p.bytes[11] = (unsigned char)(extras + key + value);
	p.bytes[15] = (unsigned char)opaque;
	return p;
}

static void send_packets(int half, const struct packet *list, size_t count)
{
	char room[1024];
	size_t used = 0;
	for (size_t i = 0; i < count; used += list[i++].len)
		memcpy(room + used, list[i].bytes, list[i].len);
	if (half == HALF_REQUESTS)
		client_bytes((struct bytes){room, used});
	else
		db_replay_feed(&replay, HALF_RESPONSES, (struct bytes){room, used});
}
#define ASK(...) \
	send_packets(HALF_REQUESTS, (struct packet[]){__VA_ARGS__}, sizeof((struct packet[]){__VA_ARGS__}) / sizeof(struct packet))
#define ANSWER(...) \
	send_packets(HALF_RESPONSES, (struct packet[]){__VA_ARGS__}, sizeof((struct packet[]){__VA_ARGS__}) / sizeof(struct packet))
#define GET(opaque) packet(0x80, 0, 0, 2, 0, 0, opaque)
#define GETQ(opaque) packet(0x80, 9, 0, 2, 0, 0, opaque)
#define SETQ(opaque) packet(0x80, 0x11, 8, 2, 3, 0, opaque)
#define NOOP(opaque) packet(0x80, 10, 0, 0, 0, 0, opaque)
#define HIT(opaque) packet(0x81, 0, 4, 0, 5, 0, opaque)
#define MISS(opaque) packet(0x81, 0, 0, 0, 9, 1, opaque)
#define SAYS(op, status, opaque) packet(0x81, op, 0, 0, 0, status, opaque)

static void test_quiet_binary(void **unused)
{
	(void)unused;
	begins(); /* three writes, one call; the answer comes before all is asked */
	ASK(GETQ(1));
	ASK(GETQ(2));
	ANSWER(HIT(1));
	ASK(NOOP(3));
	ANSWER(HIT(2), SAYS(10, 0, 3));
	assert_int_equal(replay.begun, 1);
	assert_int_equal(replay.ended, 1);
	log_has("name=PIPELINE get db.example:4000\n", "OPAQUE");

	begins(); /* opaques tell them apart */
	ASK(GETQ(1), GET(2));
	ANSWER(HIT(1), HIT(2));
	assert_int_equal(replay.ended, 1);
	log_has("RESPONSE_END 1", "OPAQUE");
	begins(); /* these do not, but a miss is certain */
	ASK(GETQ(0), GET(0));
	ANSWER(MISS(0));
	log_has("RESPONSE_END 1", "OPAQUE");
	begins(); /* nor is there a doubt where the server says that it was quiet */
	ASK(GETQ(0), GET(0));
	ANSWER(SAYS(9, 0, 0), MISS(0));
	assert_int_equal(replay.ended, 1);
	log_has("RESPONSE_END 1", "OPAQUE");
	begins();
	ASK(GET(7));
	ANSWER(HIT(7));
	ASK(GETQ(0), GET(0));
	ANSWER(HIT(0));
	log_has("OPAQUE LOST", "RESPONSE_END 2");

	begins(); /* a write that nobody waited for: its failure is not the next call's */
	ASK(SETQ(1));
	ASK(GET(2));
	ANSWER(SAYS(1, 0x82, 1), HIT(2));
	assert_int_equal(replay.ended, 1);
	log_has("RESET 1\n", "failed");
	begins(); /* but the same call's */
	ASK(SETQ(1), NOOP(2));
	ANSWER(SAYS(1, 0x82, 1), SAYS(10, 0, 2));
	log_has("failed=0x0082", "OPAQUE");
	begins();
	ASK(SETQ(1));
	ASK(SETQ(2), NOOP(3));
	ANSWER(SAYS(1, 0x82, 1));
	log_has("OPAQUE ", "failed");
}

static void test_binary_that_is_none(void **unused)
{
	(void)unused;
	begins_sure();
	replay.piece.len = 0;
	client("\x80\r\n");
	log_has("OPAQUE MALFORMED", NULL);
	begins();
	ASK(packet(0x80, 0, 4, 2, 0, 0, 1));
	log_has("OPAQUE MALFORMED", "REQUEST");
	begins();
	ASK(GET(1));
	ANSWER(HIT(1));
	ASK(GET(1));
	ANSWER(SAYS(1, 0, 1));
	log_has("OPAQUE MALFORMED", "RESPONSE_END 2");
	begins();
	ASK(GET(1));
	ANSWER(HIT(2));
	log_has("VOID 1\nOPAQUE NOT_MINE", "RESPONSE");
}

/* --- */

static void test_nothing_is_guessed(void **unused)
{
	(void)unused;
	static const char *const requests[] = {"\r\n", "bogus\r\n", "set a 0 0\r\n", "set a 0 0 x\r\n", "set a 0 0 -1\r\n",
		"set a 0 0 1\r\nxyz", "set a 0 0 1 maybe\r\n", "cas a 0 0 1\r\n", "GET a\r\n", "ms a\r\n", "ms a S1\r\n",
		"get a\rb\r\n", "set a 0 0 99999999999\r\n"};
	static const struct {
		const char *request, *reply;
	} replies[] = {{"get a\r\n", "VALUE a 0\r\n"}, {"get a\r\n", "STORED\r\n"}, {"get a\r\n", "VALUE a 0 x\r\n"},
		{"get a\r\n", "VALUE a 0 1\r\nxyz"}, {"get a\r\n", "\r\n"}, {"delete a\r\n", "OK 4\r\n"}, {"delete a\r\n", "END\r\n"},
		{"stats\r\n", "OK 885\r\n---\n"}, {"mg a v\r\n", "VA\r\n"}, {"mg a v\r\n", "MN\r\n"}, {"version\r\n", "1.1.19\r\n"},
		{"mn\r\n", "HD\r\n"}, {"get a\r\n", "$-1\r\n"}};

	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		begins();
		client(requests[i]);
		assert_int_equal(replay.opaque, 1);
		log_has("OPAQUE MALFORMED", "REQUEST_END");
	}
	for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
		begins();
		client(replies[i].request);
		server(replies[i].reply);
		assert_int_equal(replay.opaque, 1);
		log_has("OPAQUE ", "RESPONSE_END");
	}
	/* A long key: the server takes the data for a command. */
	static char line[400];
	snprintf(line, sizeof(line), "set %0251d 0 0 1\r\nx\r\n", 1);
	begins();
	client(line);
	log_has("OPAQUE MALFORMED", "REQUEST_END");
}

/* Two writes ahead, one of several commands: as if nobody had asked. */
static void test_another_protocol_is_told_nowhere(void **unused)
{
	(void)unused;
	begins();
	client("get a\r\nget b\r\n");
	client("get c\r\n");
	client("set d 0 0 5\r\nab");
	server("HTTP/1.1 400 Bad Request\r\n");
	log_has("VOID 1\nVOID 2\nVOID 3\nOPAQUE NOT_MINE", "RESPONSE");
}

static void test_first_bytes(void **unused)
{
	(void)unused;
	static const struct {
		const char *text;
		bool mine;
	} rows[] = {{"get a\r\n", true}, {"get a b c\r\n", true}, {"gets a\r\nget b\r\n", true}, {"set a 0 0 1\r\nx\r\n", true},
		{"set a 0 0 1 noreply\r\n", true}, {"set a 4294967295 -1 1048576\r\n", true}, {"cas a 0 0 1 77\r\n", true},
		{"incr a 1\r\n", true}, {"touch a 0\r\n", true}, {"delete a\r\n", true}, {"gat 0 a\r\n", true},
		{"version\r\n", true}, {"stats\r\n", true}, {"stats items\r\n", true}, {"flush_all\r\n", true}, {"mn\r\n", true},
		{"mg a v q\r\n", true}, {"ms a 2 T0\r\nab\r\n", true}, {"md a\r\n", true}, {"ma a D5\r\n", true}, {"me a\r\n", true},
		/* not all of it is there, or not so */
		{"get a", false}, {"get a\r", false}, {"get a\n", false}, {"get\r\n", false}, {"get  a\r\n", false}, {"get a \r\n", true}, {"set a 16 0 6 \r\n", true}, {"get a  \r\n", false}, {" get a\r\n", false}, {" \r\n", false},
		{"set a 0 0\r\n", false}, {"set a 0 0 x\r\n", false}, {"set a b\r\n", false}, {"incr a\r\n", false},
		{"touch a b\r\n", false}, {"cas a 0 0 1\r\n", false}, {"ms a x\r\n", false}, {"mg a 1\r\n", false}, {"mn a\r\n", false},
		{"version 2\r\n", false}, {"quit\r\n", false},
		/* HTTP, whatever is made of it */
		{"GET / HTTP/1.1\r\n", false}, {"GET a\r\n", false}, {"POST / HTTP/1.0\r\n", false}, {"PUT a b\r\n", false},
		{"DELETE a\r\n", false}, {"HEAD / HTTP/1.1\r\n", false}, {"OPTIONS * HTTP/1.1\r\n", false}, {"get /\r\n", false},
		{"get /index.html\r\n", false}, {"get / HTTP/1.1\r\n", false}, {"get a HTTP/1.1\r\n", false}, {"delete a HTTP/1.1\r\n", false},
		{"get http://a/\r\n", false}, {"get a://b\r\n", false}, {"PRI * HTTP/2.0\r\n", false},
		/* others */
		{"delete 17\r\n", false}, {"touch 17\r\n", false}, {"put 0 0 60 5\r\n", false}, {"stats-job 1\r\n", false},
		{"*1\r\n$4\r\nPING\r\n", false}, {"EHLO a\r\n", false}, {"user a\r\n", false}, {"stat\r\n", false}, {"", false}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if ((protocol_memcached.begins)(HALF_REQUESTS, bytes_of(rows[i].text)) != rows[i].mine)
			fail_msg("%s", rows[i].text);
	assert_false((protocol_memcached.begins)(HALF_RESPONSES, BYTES("get a\r\n")));
}

static void test_first_bytes_of_binary(void **unused)
{
	(void)unused;
	const struct {
		struct packet packet;
		bool mine;
	} rows[] = {{GET(1), true}, {SETQ(9), true}, {NOOP(0), true}, {packet(0x80, 0x10, 0, 0, 0, 0, 0), true},
		{packet(0x80, 8, 0, 0, 0, 0, 0), true}, {packet(0x80, 8, 4, 0, 0, 0, 0), true}, {packet(0x80, 0x24, 4, 3, 0, 0, 0), true},
		{HIT(1), false}, {packet(0x80, 0, 0, 0, 0, 0, 0), false}, {packet(0x80, 0, 0, 2, 1, 0, 0), false},
		{packet(0x80, 1, 0, 2, 1, 0, 0), false}, {packet(0x80, 0x1f, 0, 2, 0, 0, 0), false}, {packet(0x80, 0x25, 0, 2, 0, 0, 0), false},
		{packet(0x80, 10, 0, 1, 0, 0, 0), false}, {packet(0x80, 0xff, 0, 1, 0, 0, 0), false}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bytes first = {(const char *)rows[i].packet.bytes, 24};
		if ((protocol_memcached.begins)(HALF_REQUESTS, first) != rows[i].mine)
			fail_msg("row %zu", i);
		first.len = 23;
		assert_false((protocol_memcached.begins)(HALF_REQUESTS, first));
	}
	struct packet odd = GET(1);
	odd.bytes[11] = 1; /* the body is shorter than its key */
	assert_false((protocol_memcached.begins)(HALF_REQUESTS, (struct bytes){(const char *)odd.bytes, odd.len}));
}

static void test_refused_before_it_was_sent(void **unused)
{
	(void)unused;
	begins_sure();
	client("set a 0 0 1000\r\nxyz");
	server("SERVER_ERROR object too large for cache\r\n");
	assert_int_equal(replay.ended, 2);
	for (int i = 0; i < 498; i++)
		client("xx");
	assert_int_equal(replay.opaque, 0);
	client("xx");
	assert_int_equal(replay.opaque, 1); /* where the line should end */
	log_has("failed=SERVER_ERROR", "REQUEST_BEGIN 3");

	begins_sure();
	client("set a 0 0 4\r\nxyz");
	server("SERVER_ERROR object too large for cache\r\n");
	client("x\r\nget b\r\n");
	server("END\r\n");
	assert_int_equal(replay.ended, 3);
	log_has("RESPONSE_END 3", "OPAQUE");
}

static void test_bytes_that_go_by_unseen(void **unused)
{
	(void)unused;
	begins();
	client("set a 0 0 2000000000\r\n");
	(protocol_memcached.skip)(replay.state, HALF_REQUESTS, 2000000000, &replay.sink);
	client("\r\n");
	server("STORED\r\n");
	client("get a\r\n");
	server("VALUE a 0 2000000000\r\n");
	(protocol_memcached.skip)(replay.state, HALF_RESPONSES, 2000000000, &replay.sink);
	server("\r\nEND\r\n");
	assert_int_equal(replay.ended, 2);
	(protocol_memcached.skip)(replay.state, HALF_RESPONSES, 1, &replay.sink);
	log_has("OPAQUE LOST", NULL);

	begins();
	struct packet half = GET(1);
	client_bytes((struct bytes){(const char *)half.bytes, 24});
	replay.piece.len = 0;
	(protocol_memcached.skip)(replay.state, HALF_REQUESTS, 2, &replay.sink);
	struct packet hit = HIT(1);
	db_replay_feed(&replay, HALF_RESPONSES, (struct bytes){(const char *)hit.bytes, 24});
	replay.piece.len = 0;
	(protocol_memcached.skip)(replay.state, HALF_RESPONSES, 9, &replay.sink);
	ASK(GET(2));
	ANSWER(HIT(2));
	assert_int_equal(replay.ended, 2);
	log_has("RESPONSE_END 2", "OPAQUE");
}

static void test_without_an_arena(void **unused)
{
	(void)unused;
	begins();
	replay.poor = true;
	client("get a\r\n");
	log_has("OPAQUE TOO_LARGE", NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_pipeline_is_one_call),
		cmocka_unit_test(test_writes_without_waiting_are_calls_of_their_own),
		cmocka_unit_test(test_noreply_ends_with_its_write),
		cmocka_unit_test(test_errors_of_nobody),
		cmocka_unit_test(test_quiet_meta),
		cmocka_unit_test(test_quiet_binary),
		cmocka_unit_test(test_binary_that_is_none),
		cmocka_unit_test(test_nothing_is_guessed),
		cmocka_unit_test(test_another_protocol_is_told_nowhere),
		cmocka_unit_test(test_first_bytes),
		cmocka_unit_test(test_first_bytes_of_binary),
		cmocka_unit_test(test_refused_before_it_was_sent),
		cmocka_unit_test(test_bytes_that_go_by_unseen),
		cmocka_unit_test(test_without_an_arena),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
