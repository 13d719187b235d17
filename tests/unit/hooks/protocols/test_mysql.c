/* test_mysql.c - recorded conversations, in one piece and cut everywhere; what no recording holds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <glob.h>

#include "tests/support/db_replay.h"

extern const struct protocol protocol_mysql;

/* --- conversations: tests/golden/mysql/NAME.in and NAME.events -------------------------------------------
 */

static char *read_text(const char *path)
{
	FILE *file = fopen(path, "r");
	char *text = calloc(1, 1 << 20);
	if (file) {
		size_t len = fread(text, 1, (1 << 20) - 1, file);
		text[len] = '\0';
		fclose(file);
	}
	return text;
}

static void same(char *got, const char *expected, const char *path, const char *how, size_t at)
{
	if (strcmp(got, expected) != 0)
		fail_msg("%s, %s %zu:\n--- got\n%.6000s--- expected\n%.6000s", path, how, at, got, expected);
	free(got);
}

static void for_each_golden(void (*check)(const char *path, const struct db_talk *talk, const char *expected))
{
	glob_t found;
	assert_int_equal(glob("tests/golden/mysql/*.in", 0, NULL, &found), 0);
	assert_true(found.gl_pathc >= 14);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		char path[300];
		struct db_talk talk = db_talk_read(found.gl_pathv[i]);
		snprintf(path, sizeof(path), "%.*s.events", (int)strlen(found.gl_pathv[i]) - 3,
			 found.gl_pathv[i]);
		char *expected = read_text(path);
		assert_true(talk.lines > 1);
		check(found.gl_pathv[i], &talk, expected);
		free(expected);
		db_talk_free(&talk);
	}
	globfree(&found);
}

static void check_whole(const char *path, const struct db_talk *talk, const char *expected)
{
	same(db_talk_play(&protocol_mysql, talk, 0, 0), expected, path, "whole", 0);
}

static void check_cut(const char *path, const struct db_talk *talk, const char *expected)
{
	for (size_t cut = 1; cut < talk->total; cut++)
		same(db_talk_play(&protocol_mysql, talk, cut, 0), expected, path, "cut at", cut);
}

static void check_steps(const char *path, const struct db_talk *talk, const char *expected)
{
	for (size_t step = 1; step < 8; step++)
		same(db_talk_play(&protocol_mysql, talk, 0, step), expected, path, "in pieces of", step);
}

static void test_golden_whole(void **unused)
{
	(void)unused;
	for_each_golden(check_whole);
}

static void test_golden_cut_everywhere(void **unused)
{
	(void)unused;
	for_each_golden(check_cut);
}

static void test_golden_in_small_pieces(void **unused)
{
	(void)unused;
	for_each_golden(check_steps);
}

/* As with more connections than there are arenas. */
static unsigned folds;

static void check_folded(const char *path, const struct db_talk *talk, const char *expected)
{
	struct db_talk folding = *talk;

	folding.folds = &folds;
	for (size_t step = 0; step < 6; step += 5)
		same(db_talk_play(&protocol_mysql, &folding, 0, step), expected, path, "folded, in pieces of",
		     step);
}

static void test_golden_folded(void **unused)
{
	(void)unused;
	folds = 0;
	for_each_golden(check_folded);
	assert_true(folds > 100);
}

/* --- put together by hand ---------------------------------------------------------------------------------
 */

struct message {
	char text[1 << 16];
	size_t len;
};

static void put(struct message *message, const void *bytes, size_t len)
{
	assert_true(message->len + len <= sizeof(message->text));
	memcpy(message->text + message->len, bytes, len);
	message->len += len;
}

static void put_packet(struct message *message, uint8_t sequence, const void *bytes, size_t len)
{
	const char head[] = {(char)len, (char)(len >> 8), (char)(len >> 16), (char)sequence};
	put(message, head, 4);
	put(message, bytes, len);
}

static void send_packet(struct db_replay *replay, enum protocol_half half, uint8_t sequence,
			const void *bytes, size_t len)
{
	static struct message message;
	message.len = 0;
	put_packet(&message, sequence, bytes, len);
	db_replay_feed(replay, half, (struct bytes){message.text, message.len});
}
#define CLIENT(replay, sequence, text) send_packet(replay, HALF_REQUESTS, sequence, text, sizeof(text) - 1)
#define SERVER(replay, sequence, text) send_packet(replay, HALF_RESPONSES, sequence, text, sizeof(text) - 1)

#define OK "\0\0\0\2\0\0\0"
#define GREETING(low, high) \
	"\x0a"              \
	"10.11.6-MariaDB\0" \
	"1234"              \
	"saltsalt"          \
	"\0" low "\x21"     \
	"\2\0" high "\x15"  \
	"\0\0\0\0\0\0"      \
	"\0\0\0\0"          \
	"moresaltmore\0"
#define LOGIN(capabilities)                                           \
	capabilities "\0\0\0\1"                                       \
		     "\x21"                                           \
		     "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0" \
		     "me\0"                                           \
		     "\2pw"

/* Logged in: 4.1, passwords with a length, MySQL's first capability; nothing newer. */
static void log_in(struct db_replay *replay, bool poor)
{
	db_replay_open(replay, &protocol_mysql);
	replay->poor = poor;
	SERVER(replay, 0, GREETING("\x01\x82", "\0\0"));
	CLIENT(replay, 1, LOGIN("\x01\x82\0\0"));
	SERVER(replay, 2, OK);
}

static void log_has(struct db_replay *replay, const char *there, const char *not_there)
{
	char *log = db_replay_close(replay);
	if (there && !strstr(log, there))
		fail_msg("no %s in:\n%.4000s", there, log);
	if (not_there && strstr(log, not_there))
		fail_msg("%s in:\n%.4000s", not_there, log);
	free(log);
}

static void test_other_servers_are_not_taken_for_it(void **unused)
{
	static const struct bytes first[] = {
		{"220 mail.example ESMTP ready\r\n", 30},
		{"220-FTP\r\n", 9},
		{"SSH-2.0-OpenSSH_9.2p1\r\n", 23},
		{"+OK POP3\r\n", 10},
		{"* OK IMAP4rev1\r\n", 16},
		{"RFB 003.008\n", 12},
		{"HTTP/1.1 408 Timeout\r\n\r\n", 24},
		{"\0\0\x12\4\0\0\0\0\0\0\3\0\0\0\x64", 15},
		{"\xff\xfd\x18\xff\xfd\x20", 6},
		{"\x16\3\3\0\x7a\2\0\0\x76\3\3", 11},
		{"\0\0\0\0", 4},
		{"\x4a\0\0\0\x09"
		 "3.23.58",
		 12},
		{"\x4a\0\0\1\x0a"
		 "5.5.5",
		 10},
		{"\x4a\0\1\0\x0a"
		 "5.5.5",
		 10},
	};
	(void)unused;
	for (size_t i = 0; i < sizeof(first) / sizeof(first[0]); i++)
		if (protocol_mysql.begins(HALF_RESPONSES, first[i]))
			fail_msg("%zu was taken for a greeting", i);
	assert_true(protocol_mysql.begins(HALF_RESPONSES, (struct bytes){"\x4a\0\0\0", 4}));
	assert_true(protocol_mysql.begins(HALF_RESPONSES, (struct bytes){"\x4a\0\0\0\x0a"
									 "5.5.5",
									 10}));
	assert_true(protocol_mysql.begins(HALF_RESPONSES, (struct bytes){"\x45\0\0\0\xff\x6a\4Host", 11}));
}

static void test_a_session_begins_with_the_third_packet(void **unused)
{
	static const char login[] = "\x40\0\0\2" LOGIN("\x01\x8a\0\0");
	char other[40];
	(void)unused;
	assert_true(protocol_mysql.begins(HALF_REQUESTS, (struct bytes){login, 32}));
	for (size_t i = 0; i < 32; i++) {
		memcpy(other, login, 32);
		other[i] ^= 0x5a;
		bool free_to_be = i == 1 || i == 4 || (i >= 6 && i <= 12);
		assert_int_equal(protocol_mysql.begins(HALF_REQUESTS, (struct bytes){other, 32}), free_to_be);
	}
	assert_false(protocol_mysql.begins(HALF_REQUESTS, (struct bytes){login, 31}));
	assert_false(protocol_mysql.begins(HALF_REQUESTS, BYTES("GET /a-path-of-some-length HTTP/1.1\r\n")));
}

static void test_tls_hands_over(void **unused)
{
	struct db_replay replay;
	(void)unused;
	db_replay_open(&replay, &protocol_mysql);
	SERVER(&replay, 0, GREETING("\x01\x8a", "\0\0"));
	CLIENT(&replay, 1, "\x01\x8a\0\0\0\0\0\1\x21\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
	log_has(&replay, "OPAQUE HANDED_OVER", "REQUEST");
}

static void test_what_is_known_of_the_greeting_goes_into_the_session(void **unused)
{
	struct db_replay carrier, session;
	(void)unused;
	db_replay_open(&carrier, &protocol_mysql);
	SERVER(&carrier, 0, GREETING("\x01\x8a", "\0\0"));
	free(db_replay_close(&carrier));
	db_replay_open(&session, &protocol_mysql);
	protocol_mysql.resume(session.state, carrier.state);
	/* The client asks for end packets that are OK packets, which this server does not know. */
	CLIENT(&session, 2, LOGIN("\x01\x8a\0\1"));
	SERVER(&session, 3, OK);
	CLIENT(&session, 0, "\3select 1");
	SERVER(&session, 1, "\1");
	SERVER(&session, 2, "column");
	SERVER(&session, 3, "\xfe\0\0\2\0");
	SERVER(&session, 4, "\0011");
	SERVER(&session, 5, "\xfe\0\0\2\0");
	log_has(&session, "db.response.returned_rows=1", "mysql");
}

static void test_a_refused_login_is_a_call_that_failed(void **unused)
{
	struct db_replay replay;
	(void)unused;
	db_replay_open(&replay, &protocol_mysql);
	SERVER(&replay, 0, "\xff\x10\4Too many connections");
	log_has(&replay, "name=connect\n", "OPAQUE");
	db_replay_open(&replay, &protocol_mysql);
	SERVER(&replay, 0, "\xff\x10\4Too many connections");
	log_has(&replay, "failed=1040\n", NULL);
}

static void test_payloads_over_16_mib_are_one(void **unused)
{
	static char piece[1 << 16];
	struct db_replay replay;
	(void)unused;
	log_in(&replay, false);
	memset(piece, 'x', sizeof(piece));
	db_replay_feed(&replay, HALF_REQUESTS, BYTES("\xff\xff\xff\0\3insert into big values ('"));
	size_t left = 0xffffff - 26;
	for (; left > sizeof(piece); left -= sizeof(piece))
		db_replay_feed(&replay, HALF_REQUESTS, (struct bytes){piece, sizeof(piece)});
	db_replay_feed(&replay, HALF_REQUESTS, (struct bytes){piece, left});
	assert_int_equal(replay.begun, 1);
	db_replay_feed(&replay, HALF_REQUESTS, BYTES("\6\0\0\1xxx');"));
	/* The answer: a row as long, of which the first byte is that of an end. */
	SERVER(&replay, 1, "\1");
	SERVER(&replay, 2, "column");
	SERVER(&replay, 3, "\xfe\0\0\2\0");
	db_replay_feed(&replay, HALF_RESPONSES, BYTES("\xff\xff\xff\4\xfe"));
	uint32_t passed = 0xffffff - 1 - 100;
	(protocol_mysql.skip)(replay.state, HALF_RESPONSES, passed, &replay.sink);
	db_replay_feed(&replay, HALF_RESPONSES, (struct bytes){piece, 100});
	SERVER(&replay, 5, "");
	SERVER(&replay, 6, "\xfe\0\0\2\0");
	assert_int_equal(replay.ended, 1);
	assert_int_equal(replay.opaque, 0);
	char *log = db_replay_close(&replay);
	assert_non_null(strstr(log, "db.query.text=\"insert into big values (?);\""));
	assert_non_null(strstr(log, "db.response.returned_rows=1"));
	free(log);
}

static void test_a_gibibyte_of_rows_takes_no_memory(void **unused)
{
	static char piece[1 << 16];
	struct db_replay replay;
	(void)unused;
	log_in(&replay, false);
	CLIENT(&replay, 0, "\3select * from big");
	SERVER(&replay, 1, "\1");
	SERVER(&replay, 2, "column");
	SERVER(&replay, 3, "\xfe\0\0\2\0");
	memset(piece, 'x', sizeof(piece));
	for (int row = 0; row < 1024; row++) {
		char head[4] = {0, 0, 0x10, (char)(row + 4)};
		protocol_mysql.feed(replay.state, HALF_RESPONSES, (struct bytes){head, 4}, &replay.sink);
		for (int i = 0; i < 16; i++)
			protocol_mysql.feed(replay.state, HALF_RESPONSES,
					    (struct bytes){piece, sizeof(piece)}, &replay.sink);
	}
	SERVER(&replay, 4, "\xfe\0\0\2\0");
	assert_null(replay.arena.base);
	log_has(&replay, "db.response.returned_rows=1024\n", "OPAQUE");
}

static void test_refused_before_it_was_sent_whole(void **unused)
{
	struct db_replay replay;
	(void)unused;
	log_in(&replay, false);
	db_replay_feed(&replay, HALF_REQUESTS, BYTES("\xff\xff\xff\0\3insert into big values ('"));
	SERVER(&replay, 1, "\xff\x81\4#08S01Got a packet bigger than 'max_allowed_packet' bytes");
	db_replay_feed(&replay, HALF_REQUESTS, BYTES("and so on"));
	assert_int_equal(replay.ended, 1);
	assert_int_equal(replay.opaque, 0);
	log_has(&replay, "name=insert big\n", "RESPONSE_HEAD 1\n  failed=1153\nREQUEST");
}

static void test_unread_bytes_of_anything_else_end_it(void **unused)
{
	struct db_replay replay;
	(void)unused;
	log_in(&replay, false);
	CLIENT(&replay, 0, "\3select 1");
	(protocol_mysql.skip)(replay.state, HALF_RESPONSES, 4, &replay.sink);
	log_has(&replay, "OPAQUE LOST", NULL);
}

static void test_ten_thousand_prepared_statements(void **unused)
{
	struct db_replay replay;
	char text[100], answer[] = "\0....\0\0\0\0\0\0\0", execute[] = "\x17....\0\1\0\0\0";
	(void)unused;
	log_in(&replay, false);
	for (uint32_t id = 1; id <= 10000; id++) {
		int len = snprintf(text, sizeof(text), "\x16select a from t%u where b = ?", id);
		send_packet(&replay, HALF_REQUESTS, 0, text, (size_t)len);
		memcpy(answer + 1, &id, 4);
		send_packet(&replay, HALF_RESPONSES, 1, answer, 12);
	}
	for (uint32_t id = 1; id <= 10000; id += 9999) {
		memcpy(execute + 1, &id, 4);
		send_packet(&replay, HALF_REQUESTS, 0, execute, 10);
		SERVER(&replay, 1, OK);
	}
	assert_int_equal(replay.ended, 10002);
	assert_int_equal(replay.opaque, 0);
	char *log = db_replay_close(&replay);
	const char *first = strstr(log, "REQUEST_HEAD 10001\n"), *last = strstr(log, "REQUEST_HEAD 10002\n");
	assert_true(first && last);
	assert_non_null(strstr(last, "name=select t10000\n"));
	assert_null(strstr(first, "name=select t1\n")); /* forgotten, and not taken for another */
	assert_non_null(strstr(first, "name=db.example:4000\n"));
	free(log);
}

static void test_closed_statements_make_room(void **unused)
{
	struct db_replay replay;
	char close[] = "\x19....", answer[] = "\0....\0\0\0\0\0\0\0", execute[] = "\x17....\0\1\0\0\0";
	uint32_t id = 7;
	(void)unused;
	log_in(&replay, false);
	CLIENT(&replay, 0, "\x16select a from kept where b = ?");
	memcpy(answer + 1, &id, 4);
	send_packet(&replay, HALF_RESPONSES, 1, answer, 12);
	memcpy(close + 1, &id, 4);
	send_packet(&replay, HALF_REQUESTS, 0, close, 5);
	memcpy(execute + 1, &id, 4);
	send_packet(&replay, HALF_REQUESTS, 0, execute, 10); /* of a statement that is no more */
	char *log = db_replay_close(&replay);
	const char *executed = strstr(log, "REQUEST_HEAD 2\n");
	assert_non_null(executed);
	assert_null(strstr(executed, "kept"));
	free(log);
}

/* Folded, and no arena to be had when it is needed: what was missed is told as unknown, never as another. */
static void test_a_change_that_is_missed_while_it_is_folded_is_no_lie(void **unused)
{
	(void)unused;
	static const struct {
		bool prepares;
		const char *there;
	} rows[] = {{false, "name=select a\n"}, {true, "name=db.example:4000\n"}};
	for (size_t i = 0; i < 2; i++) {
		struct db_replay replay;
		log_in(&replay, false);
		CLIENT(&replay, 0, "\x16select x from a where b = ?");
		SERVER(&replay, 1, "\0\7\0\0\0\0\0\0\0\0\0\0");
		assert_true(db_replay_fold(&replay));
		replay.poor = true;
		if (rows[i].prepares) { /* a server that gives its numbers again */
			CLIENT(&replay, 0, "\x16select x from c where d = ?");
			SERVER(&replay, 1, "\0\7\0\0\0\0\0\0\0\0\0\0");
		}
		CLIENT(&replay, 0, "\x17\7\0\0\0\0\1\0\0\0");
		SERVER(&replay, 1, OK);
		replay.poor = false;
		size_t before = (fflush(replay.out), replay.size);
		CLIENT(&replay, 0, "\x16select x from e where f = ?");
		SERVER(&replay, 1, "\0\x8\0\0\0\0\0\0\0\0\0\0");
		CLIENT(&replay, 0, "\x17\7\0\0\0\0\1\0\0\0");
		SERVER(&replay, 1, OK);
		char *log = db_replay_close(&replay);
		if (!strstr(log + before, rows[i].there))
			fail_msg("no %s in:\n%s", rows[i].there, log + before);
		free(log);
	}
}

static void test_too_many_in_flight(void **unused)
{
	struct db_replay replay;
	(void)unused;
	log_in(&replay, false);
	for (int i = 0; i < 128; i++)
		CLIENT(&replay, 0, "\3select 1");
	assert_int_equal(replay.opaque, 0);
	for (int i = 0; i < 128; i++) { /* and round again */
		SERVER(&replay, 1, OK);
		CLIENT(&replay, 0, "\3select 1");
	}
	assert_int_equal(replay.opaque, 0);
	assert_int_equal(replay.ended, 128);
	CLIENT(&replay, 0, "\3select 1");
	log_has(&replay, "OPAQUE TOO_LARGE", NULL);
}

static void test_without_memory_calls_are_counted_all_the_same(void **unused)
{
	struct db_replay replay;
	(void)unused;
	log_in(&replay, true);
	CLIENT(&replay, 0, "\3select 1");
	SERVER(&replay, 1, "\xff\x28\4#42000no");
	CLIENT(&replay, 0, "\x16select ?");
	SERVER(&replay, 1, "\0\1\0\0\0\0\0\0\0\0\0\0");
	CLIENT(&replay, 0, "\x17\1\0\0\0\0\1\0\0\0");
	SERVER(&replay, 1, OK);
	assert_int_equal(replay.begun, 3);
	assert_int_equal(replay.ended, 3);
	log_has(&replay, "failed=1064", "OPAQUE");
}

static void test_what_nobody_asked_for(void **unused)
{
	struct db_replay replay;
	(void)unused;
	log_in(&replay, false);
	SERVER(&replay, 0, "\xff\xbf\x0f#HY000The client was disconnected because of inactivity");
	log_has(&replay, NULL, "OPAQUE");
	log_in(&replay, false);
	SERVER(&replay, 0, OK "more");
	log_has(&replay, "OPAQUE MALFORMED", NULL);
}

static void test_progress_is_no_end(void **unused)
{
	struct db_replay replay;
	(void)unused;
	log_in(&replay, false);
	CLIENT(&replay, 0, "\3alter table a engine=Aria");
	SERVER(&replay, 1, "\xff\xff\xff\1\1\2\0\0\0\4copy");
	assert_int_equal(replay.ended, 0);
	SERVER(&replay, 2, OK);
	assert_int_equal(replay.ended, 1);
	log_has(&replay, NULL, "failed");
}

static void test_half_known_commands_end_it(void **unused)
{
	static const char commands[] = {0x00, 0x0b, 0x0f, 0x10,       0x13,
					0x1d, 0x20, 0x7f, (char)0xfb, (char)0xfe};
	struct db_replay replay;
	(void)unused;
	for (size_t i = 0; i < sizeof(commands); i++) {
		log_in(&replay, false);
		send_packet(&replay, HALF_REQUESTS, 0, commands + i, 1);
		CLIENT(&replay, 0, "\3select 1");
		log_has(&replay, "OPAQUE MALFORMED", "REQUEST");
	}
	log_in(&replay, false);
	CLIENT(&replay, 0, "\x12\4\0\0\0\0\0\1\0\0\0");
	log_has(&replay, "OPAQUE HANDED_OVER", "REQUEST");
	log_in(&replay, false);
	CLIENT(&replay, 5, "\3select 1"); /* no command begins there */
	log_has(&replay, "OPAQUE MALFORMED", "REQUEST");
}

static void test_use_is_followed_without_the_servers_help(void **unused)
{
	static const struct {
		const char *text, *space;
	} all[] = {
		{"USE shop", "db.namespace=\"shop\""},
		{" use\t`a b`;", NULL},
		{"use `shop` ; ", "db.namespace=\"shop\""},
		{"use shop; select 1", NULL},
		{"use /* c */ shop", NULL},
	};
	struct db_replay replay;
	char text[64];
	(void)unused;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		log_in(&replay, false);
		int len = snprintf(text, sizeof(text), "\3%s", all[i].text);
		send_packet(&replay, HALF_REQUESTS, 0, text, (size_t)len);
		SERVER(&replay, 1, OK);
		CLIENT(&replay, 0, "\3select 1");
		log_has(&replay, all[i].space, all[i].space ? NULL : "db.namespace");
	}
	log_in(&replay, false); /* refused: nothing changes */
	CLIENT(&replay, 0, "\3use shop");
	SERVER(&replay, 1, "\xff\x19\4#42000Unknown database");
	CLIENT(&replay, 0, "\3select 1");
	log_has(&replay, "failed=1049", "db.namespace");
}

static void test_a_backslash_is_read_as_the_server_reads_it(void **unused)
{
	struct db_replay replay;
	(void)unused;
	log_in(&replay, false);
	CLIENT(&replay, 0, "\3select 'a\\', secret, 'b'");
	log_has(&replay, NULL, "secret");
	log_in(&replay, false);
	CLIENT(&replay, 0, "\3set sql_mode=NO_BACKSLASH_ESCAPES");
	SERVER(&replay, 1, "\0\0\0\2\2\0\0");
	CLIENT(&replay, 0, "\3select 'a\\', name, 'b'");
	log_has(&replay, "db.query.text=\"select ?, name, ?\"", NULL);
	log_in(&replay, false);
	CLIENT(&replay, 0, "\3SET NAMES 'gbk'");
	SERVER(&replay, 1, OK);
	CLIENT(&replay, 0, "\3select '\xd5\\', secret, 'b'");
	log_has(&replay, NULL, "secret");
}

/* Whatever comes: told the same however it is cut. */
static void test_spoiled_conversations(void **unused)
{
	glob_t found;
	uint32_t seed = 1;
	(void)unused;
	assert_int_equal(glob("tests/golden/mysql/*.in", 0, NULL, &found), 0);
	for (int round = 0; round < 3000; round++) {
		static struct db_talk talks[64];
		size_t at = (size_t)round % found.gl_pathc;
		if (!talks[at].lines)
			talks[at] = db_talk_read(found.gl_pathv[at]);
		struct db_line *line = &talks[at].line[db_fuzz_random(&seed) % talks[at].lines];
		size_t place = db_fuzz_random(&seed) % line->bytes.len;
		char *byte = (char *)(uintptr_t)line->bytes.ptr + place, before = *byte;
		*byte = (char)db_fuzz_random(&seed);
		talks[at].vague = true;
		char *whole = db_talk_play(&protocol_mysql, &talks[at], 0, 0);
		same(db_talk_play(&protocol_mysql, &talks[at], 0, 1 + seed % 7), whole, found.gl_pathv[at],
		     "spoiled in round", (size_t)round);
		free(whole);
		*byte = before;
	}
	globfree(&found);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden_whole),
		cmocka_unit_test(test_golden_cut_everywhere),
		cmocka_unit_test(test_golden_in_small_pieces),
		cmocka_unit_test(test_golden_folded),
		cmocka_unit_test(test_other_servers_are_not_taken_for_it),
		cmocka_unit_test(test_a_session_begins_with_the_third_packet),
		cmocka_unit_test(test_tls_hands_over),
		cmocka_unit_test(test_what_is_known_of_the_greeting_goes_into_the_session),
		cmocka_unit_test(test_a_refused_login_is_a_call_that_failed),
		cmocka_unit_test(test_payloads_over_16_mib_are_one),
		cmocka_unit_test(test_a_gibibyte_of_rows_takes_no_memory),
		cmocka_unit_test(test_refused_before_it_was_sent_whole),
		cmocka_unit_test(test_unread_bytes_of_anything_else_end_it),
		cmocka_unit_test(test_ten_thousand_prepared_statements),
		cmocka_unit_test(test_closed_statements_make_room),
		cmocka_unit_test(test_a_change_that_is_missed_while_it_is_folded_is_no_lie),
		cmocka_unit_test(test_too_many_in_flight),
		cmocka_unit_test(test_without_memory_calls_are_counted_all_the_same),
		cmocka_unit_test(test_what_nobody_asked_for),
		cmocka_unit_test(test_progress_is_no_end),
		cmocka_unit_test(test_half_known_commands_end_it),
		cmocka_unit_test(test_use_is_followed_without_the_servers_help),
		cmocka_unit_test(test_a_backslash_is_read_as_the_server_reads_it),
		cmocka_unit_test(test_spoiled_conversations),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
