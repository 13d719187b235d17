/* test_postgres.c - golden conversations, in one piece and cut everywhere; limits that files cannot show. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <glob.h>
#include <cmocka.h>

#include "tests/support/postgres_talk.h"

enum cutting { CUT_NONE, CUT_ONCE, CUT_AHEAD, CUT_BYTES, CUT_FOLDED };
static unsigned folds;

static void perform(struct replay *replay, enum protocol_half half, struct bytes text, enum cutting how,
		    size_t cut)
{
	bool out = half == HALF_REQUESTS;

	if (how == CUT_NONE || (how == CUT_FOLDED && cut == 0)) {
		replay_feed(replay, half, text);
	} else if (how == CUT_BYTES || how == CUT_FOLDED) {
		for (size_t i = 0; i < text.len; i++) {
			if (out)
				replay_ahead(replay, bytes_from(text, i));
			replay_feed(replay, half, bytes_until(bytes_from(text, i), 1));
		}
	} else {
		if (how == CUT_AHEAD && out)
			replay_ahead(replay, text);
		replay_feed(replay, half, bytes_until(text, cut));
		if (how == CUT_AHEAD && out)
			replay_ahead(replay, bytes_from(text, cut));
		replay_feed(replay, half, bytes_from(text, cut));
	}
}

static char *play(const struct talk *talk, enum cutting how, int which, size_t cut)
{
	struct replay replay;
	replay_open(&replay);
	replay.folding = how == CUT_FOLDED;
	for (int i = 0; i < talk->turns; i++)
		perform(&replay, talk->turn[i].half, talk_turn(talk, i),
			how >= CUT_BYTES || i == which ? how : CUT_NONE, cut);
	folds += replay.folds;
	return replay_close(&replay);
}

static char *read_file(const char *path)
{
	char *text = NULL;
	size_t size = 0, got;
	char piece[4096];
	FILE *file = fopen(path, "r"), *out = open_memstream(&text, &size);
	if (!file) {
		fclose(out);
		return text;
	}
	while ((got = fread(piece, 1, sizeof(piece), file)) > 0)
		fwrite(piece, 1, got, out);
	fclose(file);
	fclose(out);
	return text;
}

static void for_each_golden(void (*check)(const char *path, const struct talk *talk, const char *expected))
{
	static struct talk talk;
	glob_t found;
	char path[512];
	assert_int_equal(glob("tests/golden/postgres/*.in", 0, NULL, &found), 0);
	assert_true(found.gl_pathc >= 40);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		char *script = read_file(found.gl_pathv[i]);
		snprintf(path, sizeof(path), "%.*s.events", (int)(strlen(found.gl_pathv[i]) - 3),
			 found.gl_pathv[i]);
		char *expected = read_file(path);
		talk_read(&talk, script);
		check(path, &talk, expected);
		free(expected);
		free(script);
	}
	globfree(&found);
}

static void same(const char *path, const char *got, const char *expected, const char *how, int turn,
		 size_t cut)
{
	if (strcmp(got, expected) != 0)
		fail_msg("%s, %s, turn %d cut at %zu:\n--- got\n%s--- expected\n%s", path, how, turn, cut,
			 got, expected);
}

static void check_whole(const char *path, const struct talk *talk, const char *expected)
{
	char *got = play(talk, CUT_NONE, -1, 0);
	if (getenv("GOLDEN_WRITE")) { /* to be read through before it is committed */
		FILE *file = fopen(path, "w");
		assert_non_null(file);
		fputs(got, file);
		fclose(file);
	} else {
		same(path, got, expected, "whole", 0, 0);
	}
	free(got);
}

static void check_cut(const char *path, const struct talk *talk, const char *expected)
{
	for (enum cutting how = CUT_ONCE; how <= CUT_AHEAD; how++)
		for (int i = 0; i < talk->turns; i++)
			for (size_t cut = 1; cut < talk->turn[i].len; cut++) {
				char *got = play(talk, how, i, cut);
				same(path, got, expected, how == CUT_ONCE ? "cut" : "looked ahead and cut", i,
				     cut);
				free(got);
			}
}

static void check_bytes(const char *path, const struct talk *talk, const char *expected)
{
	char *got = play(talk, CUT_BYTES, -1, 0);
	same(path, got, expected, "byte by byte", 0, 0);
	free(got);
}

/* As with more connections than there are arenas. */
static void check_folded(const char *path, const struct talk *talk, const char *expected)
{
	for (size_t cut = 0; cut < 2; cut++) {
		char *got = play(talk, CUT_FOLDED, -1, cut);
		same(path, got, expected, "folded", 0, cut);
		free(got);
	}
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

static void test_golden_byte_by_byte(void **unused)
{
	(void)unused;
	for_each_golden(check_bytes);
}

static void test_golden_folded(void **unused)
{
	(void)unused;
	folds = 0;
	for_each_golden(check_folded);
	assert_true(folds > 100);
}

/* --- what files cannot show -------------------------------------------------------------------------------
 */

static const char hello[] = "> startup user|ann|database|shop\n< R\n< Z\n";

static void feed_talk(struct replay *replay, const char *script)
{
	static struct talk talk;
	talk_read(&talk, script);
	for (int i = 0; i < talk.turns; i++)
		replay_feed(replay, talk.turn[i].half, talk_turn(&talk, i));
}

static void expect(char *log, const char *there, const char *not_there)
{
	if (there && !strstr(log, there))
		fail_msg("no %s in:\n%s", there, strlen(log) > 3000 ? log + strlen(log) - 3000 : log);
	if (not_there && strstr(log, not_there))
		fail_msg("%s in:\n%.3000s", not_there, log);
	free(log);
}

static void feed_header(struct replay *replay, enum protocol_half half, char type, uint32_t length)
{
	char head[5] = {type, (char)(length >> 24), (char)(length >> 16), (char)(length >> 8), (char)length};
	replay_feed(replay, half, (struct bytes){head, 5});
}

static void test_statement_of_20_megabytes(void **unused)
{
	(void)unused;
	static char megabyte[1 << 20];
	struct replay replay;
	static const char *const begins[] = {"INSERT INTO big VALUES ('", "INSERT INTO big SELECT abc -- "};

	for (size_t i = 0; i < 4; i++) {
		bool parse = i >= 2;
		const char *begin = begins[i % 2];
		memset(megabyte, i % 2 ? 'y' : 'x', sizeof(megabyte));
		replay_open(&replay);
		feed_talk(&replay, hello);
		feed_header(
			&replay, HALF_REQUESTS, parse ? 'P' : 'Q',
			(uint32_t)(4 + parse + strlen(begin) + 20 * sizeof(megabyte) + 1 + (parse ? 2 : 0)));
		if (parse)
			replay_feed(&replay, HALF_REQUESTS, (struct bytes){"", 1});
		replay_feed(&replay, HALF_REQUESTS, (struct bytes){begin, strlen(begin)});
		for (int turn = 0; turn < 20; turn++)
			replay_feed(&replay, HALF_REQUESTS, (struct bytes){megabyte, sizeof(megabyte)});
		replay_feed(&replay, HALF_REQUESTS, (struct bytes){"\0\0", parse ? 3 : 1});
		if (parse)
			feed_talk(&replay, "> B |\n> E \n> S\n< 1\n< 2\n");
		feed_talk(&replay, "< C INSERT 0 1\n< Z\n> Q SELECT 1\n< C SELECT 1\n< Z\n");
		char *log = replay_close(&replay);
		assert_non_null(strstr(log, "name=INSERT big"));
		assert_non_null(strstr(log, "RESPONSE_END 3"));
		assert_null(strstr(log, "batch.size"));
		expect(log, "RESPONSE_END 2", "xxxx");
	}
}

static void test_result_of_1_gigabyte(void **unused)
{
	(void)unused;
	static char megabyte[1 << 20];
	struct replay replay;

	replay_open(&replay);
	feed_talk(&replay, hello);
	feed_talk(&replay, "> Q SELECT * FROM big\n< T\n");
	memset(megabyte, 'Z', sizeof(megabyte));
	for (int row = 0; row < 2; row++) {
		feed_header(&replay, HALF_RESPONSES, 'D', 4 + (1u << 29));
		for (int i = 0; i < 256; i++)
			replay_feed(&replay, HALF_RESPONSES, (struct bytes){megabyte, sizeof(megabyte)});
		replay_skip(&replay, HALF_RESPONSES, 1u << 28); /* unread */
	}
	feed_talk(&replay, "< C SELECT 2\n< Z\n");
	expect(replay_close(&replay), "db.response.returned_rows=2\nRESPONSE_END 2", "OPAQUE");
}

static void test_skip_where_something_is_to_be_read(void **unused)
{
	(void)unused;
	static const char *const lost[] = {"> Q SELECT 1\n< bytes C|#000000ff|SEL\n",
					   "> Q SELECT 1\n< bytes D\n",
					   "> Q SELECT 1\n< bytes D|#00000010\n"};
	struct replay replay;

	for (size_t i = 0; i < 3; i++) {
		replay_open(&replay);
		feed_talk(&replay, hello);
		feed_talk(&replay, lost[i]);
		replay_skip(&replay, HALF_RESPONSES, i < 2 ? 4 : 13);
		expect(replay_close(&replay), "OPAQUE LOST", NULL);
	}
	replay_open(&replay);
	feed_talk(&replay, hello);
	feed_talk(&replay, "> bytes Q|#000000ff|SEL\n");
	replay_skip(&replay, HALF_REQUESTS, 4);
	expect(replay_close(&replay), "OPAQUE LOST", NULL);
	/* Parameters of a Bind, data of a COPY. */
	replay_open(&replay);
	feed_talk(&replay, hello);
	feed_talk(&replay, "> P |SELECT $1\n> bytes B|#00000106|#00|#00\n");
	replay_skip(&replay, HALF_REQUESTS, 256);
	feed_talk(&replay, "> E \n> S\n< 1\n< 2\n< C SELECT 0\n< Z\n");
	expect(replay_close(&replay), "RESPONSE_END 2", "OPAQUE");
}

static void pipeline(struct replay *replay, int calls)
{
	for (int i = 0; i < calls; i++)
		feed_talk(replay, "> P |SELECT $1\n> B |\n> E \n");
	feed_talk(replay, "> S\n");
	for (int i = 0; i < calls; i++)
		feed_talk(replay, "< 1\n< 2\n< C SELECT 0\n");
	feed_talk(replay, "< Z\n");
}

static void test_long_pipelines(void **unused)
{
	(void)unused;
	struct replay replay;
	char last[64];
	const int calls[] = {1, POSTGRES_QUEUE - 1, POSTGRES_QUEUE, 1000, POSTGRES_LONG - 1};

	for (size_t i = 0; i < 5; i++) {
		replay_open(&replay);
		feed_talk(&replay, hello);
		pipeline(&replay, calls[i]);
		pipeline(&replay, calls[i]);
		feed_talk(&replay, "> Q SELECT 2\n< C SELECT 0\n< Z\n");
		snprintf(last, sizeof(last), "RESPONSE_END %d", 2 * calls[i] + 2);
		expect(replay_close(&replay), last, "OPAQUE");
	}
	replay_open(&replay);
	feed_talk(&replay, hello);
	pipeline(&replay, POSTGRES_LONG);
	expect(replay_close(&replay), "OPAQUE TOO_LARGE", NULL);
	replay_open(&replay);
	replay.no_arena = true;
	feed_talk(&replay, hello);
	pipeline(&replay, POSTGRES_QUEUE - 1);
	pipeline(&replay, POSTGRES_QUEUE);
	expect(replay_close(&replay), "OPAQUE TOO_LARGE", NULL);
}

/* Looked ahead over so much that the queue moves, put back, and what went came in pieces. */
static void test_long_pipeline_put_back(void **unused)
{
	(void)unused;
	static struct talk talk;
	static char script[64 * 1024];
	struct replay replay;
	size_t used = 0;

	for (int i = 0; i < 200; i++)
		used += (size_t)snprintf(script + used, sizeof(script) - used,
					 "> P s%d|SELECT %d, $1\n> B |s%d\n> E \n", i, i, i);
	snprintf(script + used, sizeof(script) - used, "> S\n");
	talk_read(&talk, script);
	for (size_t step = 1; step < 4000; step = step * 2 + 1) {
		replay_open(&replay);
		feed_talk(&replay, hello);
		struct bytes rest = talk_turn(&talk, 0);
		talk.turns = 1;
		static char copy[64 * 1024];
		memcpy(copy, rest.ptr, rest.len);
		rest.ptr = copy;
		while (rest.len) {
			replay_ahead(&replay, rest);
			replay_feed(&replay, HALF_REQUESTS, bytes_until(rest, step));
			rest = bytes_from(rest, step);
		}
		for (int i = 0; i < 200; i++)
			feed_talk(&replay, "< 1\n< 2\n< C SELECT 0\n");
		feed_talk(&replay, "< Z\n> B |s150\n> E \n> S\n< 2\n< C SELECT 0\n< Z\n");
		char *log = replay_close(&replay);
		assert_non_null(strstr(log, "SELECT 199, $1"));
		const char *last = strstr(log, "REQUEST_HEAD 202");
		assert_non_null(last);
		assert_non_null(strstr(last, "SELECT 150, $1"));
		expect(log, "RESPONSE_END 202", "OPAQUE");
	}
}

/* The server's answer to an earlier call is read between a write's look ahead and what really went. */
static void test_put_back_keeps_the_answers(void **unused)
{
	(void)unused;
	struct replay replay;
	uint64_t state[PROTOCOL_STATE_MAX / 8];

	replay_open(&replay);
	feed_talk(&replay, hello);
	feed_talk(&replay, "> P |SELECT $1\n> B |\n> E \n> S\n");
	memcpy(state, replay.state, sizeof(state));
	replay.silent = true;
	feed_talk(&replay, "> Q SELECT 2\n");
	replay.silent = false;
	feed_talk(&replay, "< 1\n< 2\n< C SELECT 0\n< Z\n");
	protocol_postgres.put_back(replay.state, state);
	replay.under_way = 0;
	feed_talk(&replay, "> Q SELECT 3\n< C SELECT 0\n< Z\n");
	expect(replay_close(&replay), "RESPONSE_END 3", "OPAQUE");
}

static void test_many_prepared_statements(void **unused)
{
	(void)unused;
	struct replay replay;
	char script[512];

	for (int arena = 0; arena < 2; arena++) {
		replay_open(&replay);
		replay.no_arena = !arena;
		feed_talk(&replay, hello);
		for (int i = 0; i < 10000; i++) {
			snprintf(script, sizeof(script),
				 "> P s%d|SELECT %d, a, b, c, d FROM some_table WHERE some_column = $1 ORDER "
				 "BY e\n> S\n< 1\n< Z\n",
				 i, i);
			feed_talk(&replay, script);
		}
		feed_talk(&replay, "> B |s0\n> E \n> S\n< 2\n< C SELECT 0\n< Z\n> B |s9999\n> E \n> S\n< "
				   "2\n< C SELECT 0\n< Z\n");
		char *log = replay_close(&replay);
		char *old = strstr(log, "REQUEST_HEAD 10002"), *young = strstr(log, "REQUEST_HEAD 10003");
		assert_non_null(old);
		assert_non_null(young);
		if (arena)
			assert_non_null(strstr(young, "SELECT 9999, a"));
		else
			assert_null(strstr(young, "query"));
		*young = '\0';
		assert_null(strstr(old, "query.text"));
		expect(log, NULL, "OPAQUE");
	}
}

static void test_without_memory(void **unused)
{
	(void)unused;
	struct replay replay;

	replay_open(&replay);
	replay.no_stash = replay.no_arena = true;
	feed_talk(&replay, hello);
	feed_talk(&replay, "> Q SELECT 'secret'\n< C SELECT 1\n< Z\n> P s1|SELECT $1\n> D S|s1\n> S\n< 1\n< "
			   "t\n< T\n< Z\n"
			   "> C P|x\n> B |s1\n> D P|\n> E \n> S\n< 3\n< 2\n< n\n< C SELECT 0\n< Z\n"
			   "> P |SELECT 1\n> B |\n> E \n> S\n< 1\n< 2\n< C SELECT 0\n< Z\n");
	char *log = replay_close(&replay);
	assert_non_null(strstr(log, "RESPONSE_END 4"));
	assert_non_null(strstr(log, "RESPONSE_END 5"));
	assert_non_null(strstr(log, "name=shop"));
	expect(log, "VOID 3", "query");
}

static void test_text_settings(void **unused)
{
	(void)unused;
	static const char script[] =
		"> Q SELECT 'x1' FROM t\n< C SELECT 1\n< Z\n> P |SELECT 'x2', $1 FROM t\n> B |\n> E \n> S\n";
	struct replay replay;

	protocol_settings.db_text = DB_TEXT_RAW;
	replay_open(&replay);
	feed_talk(&replay, hello);
	feed_talk(&replay, script);
	char *log = replay_close(&replay);
	assert_non_null(strstr(log, "\"SELECT 'x1' FROM t\""));
	expect(log, "\"SELECT 'x2', $1 FROM t\"", NULL);
	protocol_settings.db_text = DB_TEXT_OFF;
	replay_open(&replay);
	feed_talk(&replay, hello);
	feed_talk(&replay, script);
	expect(replay_close(&replay), "db.query.summary=\"SELECT t\"", "query.text");
	protocol_settings.db_text = DB_TEXT_SANITIZED;
}

/* A text that is cut at its room's end is cut between characters; a $1 in a string is no parameter. */
static void test_long_texts(void **unused)
{
	(void)unused;
	static char script[32768];
	struct replay replay;

	for (size_t shift = 0; shift < 3; shift++) {
		size_t used = (size_t)sprintf(script, "> P |SELECT $1, %.*s\"", (int)shift, "aa");
		while (used < 20000)
			used += (size_t)sprintf(script + used, "\xe2\x82\xac");
		sprintf(script + used, "\"\n> B |\n> E \n> S\n");
		replay_open(&replay);
		feed_talk(&replay, hello);
		feed_talk(&replay, script);
		expect(replay_close(&replay), "\xe2\x82\xac\"\n", NULL);
	}
	replay_open(&replay);
	feed_talk(&replay, hello);
	feed_talk(&replay, "> P |SELECT 'costs $1', a$1, \"b $2\" FROM t\n> B |\n> E \n> S\n");
	expect(replay_close(&replay), "db.query.text=\"SELECT ?, a$1, \"b $2\" FROM t\"", "costs");
}

static void test_names_are_told_apart_by_63_bytes(void **unused)
{
	(void)unused;
	struct replay replay;
	char script[1024], name[80];

	memset(name, 'n', sizeof(name));
	replay_open(&replay);
	feed_talk(&replay, hello);
	snprintf(script, sizeof(script),
		 "> P %.70s|SELECT a FROM t WHERE b = $1\n> S\n< 1\n< Z\n> B |%.63s\n> E \n> S\n< 2\n< C "
		 "SELECT 0\n< Z\n"
		 "> B |%.62s\n> E \n> S\n",
		 name, name, name);
	feed_talk(&replay, script);
	char *log = replay_close(&replay);
	const char *second = strstr(log, "REQUEST_HEAD 3"), *third = strstr(log, "REQUEST_HEAD 4");
	assert_non_null(strstr(second, "WHERE b = $1"));
	assert_null(strstr(third, "WHERE"));
	free(log);
}

static void test_garbage(void **unused)
{
	(void)unused;
	static char noise[300];
	struct replay replay;

	srand(3);
	for (int turn = 0; turn < 3000; turn++) {
		replay_open(&replay);
		if (turn % 4)
			feed_talk(&replay, hello);
		for (int piece = 0; piece < 6; piece++) {
			size_t len = (size_t)rand() % sizeof(noise);
			for (size_t i = 0; i < len; i++)
				noise[i] = rand() % 3 ? "\0\0\0\5\4QPBDESHXZ123CTIns"[rand() % 22]
						      : (char)rand();
			replay_feed(&replay, rand() % 2 ? HALF_REQUESTS : HALF_RESPONSES,
				    (struct bytes){noise, len});
		}
		free(replay_close(&replay));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden_whole),
		cmocka_unit_test(test_golden_cut_everywhere),
		cmocka_unit_test(test_golden_byte_by_byte),
		cmocka_unit_test(test_golden_folded),
		cmocka_unit_test(test_statement_of_20_megabytes),
		cmocka_unit_test(test_result_of_1_gigabyte),
		cmocka_unit_test(test_skip_where_something_is_to_be_read),
		cmocka_unit_test(test_long_pipelines),
		cmocka_unit_test(test_long_pipeline_put_back),
		cmocka_unit_test(test_put_back_keeps_the_answers),
		cmocka_unit_test(test_many_prepared_statements),
		cmocka_unit_test(test_without_memory),
		cmocka_unit_test(test_text_settings),
		cmocka_unit_test(test_long_texts),
		cmocka_unit_test(test_names_are_told_apart_by_63_bytes),
		cmocka_unit_test(test_garbage),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
