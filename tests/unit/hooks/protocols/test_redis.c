/* test_redis.c - conversations, in one piece and cut everywhere; calls of several commands. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <glob.h>

#include "hooks/protocols/redis.h"
#include "tests/support/db_replay.h"

extern const struct protocol protocol_redis;

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

static void same(char *got, const char *expected, const char *path, const char *how, size_t at)
{
	if (strcmp(got, expected) != 0)
		fail_msg("%s, %s %zu:\n--- got\n%.6000s--- expected\n%.6000s", path, how, at, got, expected);
	free(got);
}

/* Every cut but those that the protocol goes by: a write that ends behind a command is a call. The goldens
 * have one command a write. */
static void test_golden(void **unused)
{
	(void)unused;
	glob_t found;
	assert_int_equal(glob("tests/golden/redis/*.in", 0, NULL, &found), 0);
	assert_true(found.gl_pathc >= 5);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		char path[300];
		struct db_talk talk = db_talk_read(found.gl_pathv[i]);
		snprintf(path, sizeof(path), "%.*s.events", (int)strlen(found.gl_pathv[i]) - 3,
			 found.gl_pathv[i]);
		char *expected = read_text(path);
		if (getenv("GOLDEN_UPDATE")) {
			FILE *out = fopen(path, "w");
			free(expected);
			expected = db_talk_play(&protocol_redis, &talk, 0, 0);
			fputs(expected, out);
			fclose(out);
		}
		assert_null(strstr(expected, "secret"));
		same(db_talk_play(&protocol_redis, &talk, 0, 0), expected, path, "whole", 0);
		for (size_t cut = 1; cut < talk.total; cut++)
			same(db_talk_play(&protocol_redis, &talk, cut, 0), expected, path, "cut at", cut);
		for (size_t step = 1; step < 8; step++)
			same(db_talk_play(&protocol_redis, &talk, 0, step), expected, path, "in pieces of",
			     step);
		free(expected);
		db_talk_free(&talk);
	}
	globfree(&found);
}

/* --- put together by hand --------------------------------------------------------------------------------
 */

static struct db_replay replay;

static void client(const char *text)
{
	db_replay_ahead(&replay, bytes_of(text));
	db_replay_feed(&replay, HALF_REQUESTS, bytes_of(text));
}

static void server(const char *text)
{
	db_replay_feed(&replay, HALF_RESPONSES, bytes_of(text));
}

static void begins(void)
{
	db_replay_open(&replay, &protocol_redis);
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

#define GET(key) "*2\r\n$3\r\nGET\r\n$1\r\n" key "\r\n"
#define SET(key) "*3\r\n$3\r\nSET\r\n$1\r\n" key "\r\n$6\r\nsecret\r\n"
#define MULTI "*1\r\n$5\r\nMULTI\r\n"
#define EXEC "*1\r\n$4\r\nEXEC\r\n"

static void test_pipeline_is_one_call(void **unused)
{
	(void)unused;
	begins();
	client(GET("a") GET("b") GET("c"));
	server("$1\r\n1\r\n$1\r\n2\r\n");
	assert_int_equal(replay.begun, 1);
	assert_int_equal(replay.ended, 0);
	server("-WRONGTYPE no\r\n");
	assert_int_equal(replay.ended, 1);
	log_has("name=PIPELINE GET\n", "OPAQUE");

	begins();
	client(GET("a") SET("b"));
	server("$1\r\n1\r\n+OK\r\n");
	log_has("db.query.text=\"GET a; SET b ?\"", "secret");
}

static void test_pipeline_cut_inside_a_command_goes_on(void **unused)
{
	(void)unused;
	const char all[] = GET("a") GET("b");
	struct bytes text = {all, sizeof(all) - 1};
	for (size_t cut = 1; cut < text.len; cut++) {
		if (cut == text.len / 2) /* this is a call of its own */
			continue;
		begins();
		db_replay_ahead(&replay, text);
		db_replay_feed(&replay, HALF_REQUESTS, bytes_until(text, cut));
		db_replay_ahead(&replay, bytes_from(text, cut));
		db_replay_feed(&replay, HALF_REQUESTS, bytes_from(text, cut));
		server("$-1\r\n$-1\r\n");
		assert_int_equal(replay.begun, 1);
		assert_int_equal(replay.ended, 1);
		log_has("db.operation.batch.size=2", "OPAQUE");
	}
}

#define EIGHT "12345678"
#define BIG EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT

/* Read in one go or argument by argument: the second is what a write does that ends inside of the command. */
static void test_whole_or_in_pieces_is_the_same(void **unused)
{
	(void)unused;
	static const char *const commands[] = {
		GET("a"),
		SET("b"),
		"*2\r\n$3\r\nGET\r\n$0\r\n\r\n",
		"*02\r\n$03\r\nget\r\n$11\r\n12\t456789\x7f\x1f\r\n",
		"*2\r\n$3\r\nGET\r\n$16\r\n1234567\x7f\xc3\xa9~ 5\r\n8\r\n",
		"*2\r\n$3\r\nGET\r\n$129\r\n" BIG "x\r\n",
		"*2\r\n$3\r\nGET\r\n$128\r\n" BIG "\r\n",
		"*8\r\n$3\r\nDEL\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n$1\r\n4\r\n$1\r\n5\r\n$1\r\n6\r\n$"
		"1\r\n7\r\n",
		"*9\r\n$3\r\nDEL\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n$1\r\n4\r\n$1\r\n5\r\n$1\r\n6\r\n$"
		"1\r\n7\r\n$1\r\n8\r\n",
		"*4\r\n$4\r\nHSET\r\n$1\r\nh\r\n$1\r\nf\r\n$6\r\nsecret\r\n",
		"*3\r\n$4\r\nAUTH\r\n$2\r\nme\r\n$6\r\nsecret\r\n",
		"*1\r\n$24\r\n123456789012345678901234\r\n",
		"*1\r\n$25\r\n1234567890123456789012345\r\n",
		"*3\r\n$7\r\nEVALSHA\r\n$3\r\nabc\r\n$1\r\n0\r\n",
		"*1\r\n$0\r\n\r\n",
	};
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		struct bytes text = bytes_of(commands[i]);
		begins();
		client(commands[i]);
		char *whole = db_replay_close(&replay);
		assert_non_null(strstr(whole, "db.operation.name"));
		assert_null(strstr(whole, "secret"));
		for (size_t cut = 1; cut < text.len; cut++) {
			begins();
			db_replay_ahead(&replay, bytes_until(text, cut));
			db_replay_feed(&replay, HALF_REQUESTS, bytes_until(text, cut));
			db_replay_ahead(&replay, bytes_from(text, cut));
			db_replay_feed(&replay, HALF_REQUESTS, bytes_from(text, cut));
			same(db_replay_close(&replay), whole, commands[i], "cut at", cut);
		}
		free(whole);
	}
}

static void test_controls_are_not_told(void **unused)
{
	(void)unused;
	char text[20], copy[21];
	for (size_t len = 0; len <= sizeof(text); len++)
		for (size_t at = 0; at < (len ? len : 1); at++)
			for (int c = 0; c < 256; c++) {
				memset(text, 'x', sizeof(text));
				memset(copy, '-', sizeof(copy));
				text[at] = (char)c;
				assert_ptr_equal(redis_copy(copy, (struct bytes){text, len}), copy + len);
				text[at] = c < ' ' || c == 0x7f ? '?' : (char)c;
				assert_memory_equal(copy, text, len);
				assert_int_equal(copy[len], '-');
			}
}

static void test_writes_without_waiting_are_calls_of_their_own(void **unused)
{
	(void)unused;
	begins();
	for (int i = 0; i < 100; i++)
		client(GET("a"));
	for (int i = 0; i < 100; i++)
		server("$-1\r\n");
	assert_int_equal(replay.begun, 100);
	assert_int_equal(replay.ended, 100);
	log_has("RESPONSE_END 100", "batch");

	begins();
	for (int i = 0; i <= REDIS_CALLS; i++)
		client(GET("a"));
	log_has("OPAQUE TOO_LARGE", NULL);
}

static void test_transaction(void **unused)
{
	(void)unused;
	begins();
	client(MULTI SET("a") SET("b") EXEC);
	server("+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n-OOM no\r\n");
	assert_int_equal(replay.ended, 1);
	log_has("name=MULTI SET\n    ", NULL);

	begins();
	client(MULTI SET("a") EXEC);
	server("+OK\r\n+QUEUED\r\n*1\r\n-OOM no\r\n");
	log_has("failed=OOM", "batch.size");

	/* An error inside another command's answer is a value. */
	begins();
	client("*1\r\n$4\r\nEXEC\r\n");
	server("*1\r\n-OOM no\r\n");
	log_has("RESPONSE_END", "failed");
}

static void test_database_is_what_was_selected(void **unused)
{
	(void)unused;
	begins();
	client("*2\r\n$6\r\nSELECT\r\n$1\r\n7\r\n" GET("a"));
	client(GET("b"));
	server("+OK\r\n$-1\r\n$-1\r\n");
	log_has(NULL, "db.namespace"); /* nobody knew yet */

	begins();
	client("*2\r\n$6\r\nSELECT\r\n$2\r\n99\r\n");
	server("-ERR DB index is out of range\r\n");
	client(GET("b"));
	server("$-1\r\n");
	log_has("db.namespace=\"0\"", "\"99\"");
}

static void test_passwords_are_never_told(void **unused)
{
	(void)unused;
	static const char *const secrets[] = {
		"*3\r\n$4\r\nAUTH\r\n$2\r\nme\r\n$6\r\nsecret\r\n",
		"*4\r\n$6\r\nCONFIG\r\n$3\r\nSET\r\n$11\r\nrequirepass\r\n$6\r\nsecret\r\n",
		"*4\r\n$3\r\nacl\r\n$7\r\nSETUSER\r\n$2\r\nme\r\n$7\r\n>secret\r\n",
		"*5\r\n$5\r\nHELLO\r\n$1\r\n3\r\n$4\r\nAUTH\r\n$2\r\nme\r\n$6\r\nsecret\r\n",
		"*3\r\n$7\r\nMIGRATE\r\n$1\r\nh\r\n$6\r\nsecret\r\n",
	};
	for (int raw = 0; raw < 2; raw++)
		for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
			protocol_settings.db_text = raw ? DB_TEXT_RAW : DB_TEXT_SANITIZED;
			begins();
			client(secrets[i]);
			log_has("db.query.text=\"", "secret");
		}
	begins();
	client(SET("a"));
	log_has("SET a secret", NULL);
	protocol_settings.db_text = DB_TEXT_SANITIZED;
}

/* As it would be typed; in one go, and in pieces. */
static void told_is(const char *const *words, size_t count, const char *text)
{
	char command[1024], expected[300];
	int used = sprintf(command, "*%zu\r\n", count);

	for (size_t i = 0; i < count; i++)
		used += sprintf(command + used, "$%zu\r\n%s\r\n", strlen(words[i]), words[i]);
	snprintf(expected, sizeof(expected), "db.query.text=\"%s\"", text);
	for (int cut = 0; cut < used; cut++) {
		begins();
		db_replay_ahead(&replay, bytes_of(command));
		db_replay_feed(&replay, HALF_REQUESTS, bytes_until(bytes_of(command), (size_t)cut));
		db_replay_feed(&replay, HALF_REQUESTS, bytes_from(bytes_of(command), (size_t)cut));
		log_has(expected, "secret");
	}
}

#define TOLD(text, ...)                             \
	told_is((const char *const[]){__VA_ARGS__}, \
		sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *), text)

/* A value with a blank in it that nobody quoted, a typing error: no key, whatever the command is. */
static void test_what_the_command_does_not_know_is_not_told(void **unused)
{
	(void)unused;
	TOLD("GET k ?", "GET", "k", "secret");
	TOLD("EXEC ?", "EXEC", "secret");
	TOLD("MULTI ?", "MULTI", "secret");
	TOLD("TYPE k ? ?", "TYPE", "k", "secret", "secret");
	TOLD("HGET h f ?", "HGET", "h", "f", "secret");
	TOLD("HSETNX h f ? ?", "HSETNX", "h", "f", "secret", "secret");
	TOLD("LTRIM l 0 1 ?", "LTRIM", "l", "0", "1", "secret");
	TOLD("RENAME a b ?", "RENAME", "a", "b", "secret");
	TOLD("SELECT 1 ?", "SELECT", "1", "secret");
	TOLD("MSET a ? b ?", "MSET", "a", "secret", "b", "secret");
	TOLD("MSET a ? ?", "MSET", "a", "secret", "secret");
	TOLD("HSET h f ? g ?", "HSET", "h", "f", "secret", "g", "secret");
	TOLD("HSET h ? ? ?", "HSET", "h", "f", "secret", "secret");
	TOLD("acl WhoAmI", "acl", "WhoAmI");
	TOLD("ACL ?", "ACL", "secret");
	TOLD("CONFIG SET ? ?", "CONFIG", "SET", "secret", "secret");
	TOLD("INFO ?", "INFO", "secret");
	TOLD("INFO server ?", "INFO", "server", "secret");
	TOLD("HELLO 3 ? ? ?", "HELLO", "3", "AUTH", "secret", "secret");
	TOLD("HELLO", "HELLO");
	TOLD("MIGRATE ? ?", "MIGRATE", "secret", "secret");
	TOLD("FT.SEARCH ? ?", "FT.SEARCH", "secret", "secret");
	TOLD("?", "my secret");
	TOLD("?", "secret=1");
	TOLD("? ?", "a-secret-that-is-longer-than-a-name", "secret");
	TOLD("?", "1234");
	TOLD("?", "");
}

static void test_commands_are_found(void **unused)
{
	(void)unused;
	assert_int_equal(redis_command(BYTES("Get"))->keep, REDIS_FIRST);
	assert_int_equal(redis_command(BYTES("acl"))->keep, REDIS_VERB);
	assert_int_equal(redis_command(BYTES("ZSCORE"))->keep, REDIS_FIRST);
	assert_int_equal(redis_command(BYTES("GET\0\0"))->keep, REDIS_HIDE);
	assert_int_equal(redis_command(BYTES("ge"))->keep, REDIS_HIDE);
	assert_int_equal(redis_command(BYTES_NONE)->keep, REDIS_HIDE);
}

static void test_long_text_is_bounded(void **unused)
{
	(void)unused;
	static char text[1 << 16];
	size_t used = 0;
	used += (size_t)sprintf(text, "*3001\r\n$3\r\nDEL\r\n");
	for (int i = 0; i < 3000; i++)
		used += (size_t)sprintf(text + used, "$6\r\n\xc3\xa9%04d\r\n", i);
	begins();
	client(text);
	server(":0\r\n");
	log_has("db.query.text=\"DEL", "b\"");
}

static void test_nothing_is_guessed(void **unused)
{
	(void)unused;
	static const char *const requests[] = {"*0\r\n", "*1\r\n:3\r\n",    "*1\r\n$3\r\nGETx\r\n",
					       "*1\n",   "*1234567890\r\n", "*1\r\n$\r\n",
					       "*\r\n"};
	static const char *const replies[] = {"$?\r\n", "x\r\n", "*-x\r\n", "%9999999999\r\n", "$1x\r\n"};

	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		begins();
		client(requests[i]);
		assert_int_equal(replay.opaque, 1);
		log_has("OPAQUE MALFORMED", "REQUEST_HEAD");
	}
	for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
		begins();
		client(GET("a"));
		server(replies[i]);
		assert_int_equal(replay.opaque, 1);
		log_has("OPAQUE ", "RESPONSE_END");
	}
	begins();
	client(GET("a"));
	for (int i = 0; i <= REDIS_DEPTH; i++)
		server("*1\r\n");
	log_has("OPAQUE TOO_LARGE", "RESPONSE_END");
	begins();
	client("PING\r\n");
	log_has("OPAQUE NOT_MINE", "REQUEST_HEAD");
}

static void test_first_bytes(void **unused)
{
	(void)unused;
	static const struct {
		const char *text;
		bool mine;
	} rows[] = {{"*1\r\n$4\r\n", true},    {"*12\r\n", true},         {"*1\r\n:", false},
		    {"*1\r", false},           {"*a\r\n", false},         {"PING\r\n", false},
		    {"* HTTP/1.1\r\n", false}, {"*123456789\r\n", false}, {"*0\r\n", false}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(protocol_redis.begins(HALF_REQUESTS, bytes_of(rows[i].text)), rows[i].mine);
	assert_false(protocol_redis.begins(HALF_RESPONSES, BYTES("*1\r\n$4\r\n")));
}

static void test_bytes_that_go_by_unseen(void **unused)
{
	(void)unused;
	begins();
	client(GET("a"));
	server("$1000000000\r\n");
	(protocol_redis.skip)(replay.state, HALF_RESPONSES, 1000000000, &replay.sink);
	server("\r\n");
	assert_int_equal(replay.ended, 1);
	(protocol_redis.skip)(replay.state, HALF_RESPONSES, 1, &replay.sink);
	log_has("OPAQUE LOST", NULL);
}

static void test_without_an_arena(void **unused)
{
	(void)unused;
	begins();
	replay.poor = true;
	client(GET("a"));
	log_has("OPAQUE TOO_LARGE", NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_pipeline_is_one_call),
		cmocka_unit_test(test_pipeline_cut_inside_a_command_goes_on),
		cmocka_unit_test(test_whole_or_in_pieces_is_the_same),
		cmocka_unit_test(test_controls_are_not_told),
		cmocka_unit_test(test_writes_without_waiting_are_calls_of_their_own),
		cmocka_unit_test(test_transaction),
		cmocka_unit_test(test_database_is_what_was_selected),
		cmocka_unit_test(test_passwords_are_never_told),
		cmocka_unit_test(test_what_the_command_does_not_know_is_not_told),
		cmocka_unit_test(test_commands_are_found),
		cmocka_unit_test(test_long_text_is_bounded),
		cmocka_unit_test(test_nothing_is_guessed),
		cmocka_unit_test(test_first_bytes),
		cmocka_unit_test(test_bytes_that_go_by_unseen),
		cmocka_unit_test(test_without_an_arena),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
