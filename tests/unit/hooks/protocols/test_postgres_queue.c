/* test_postgres_queue.c - the arena folded for another connection, and what that must not lose or confuse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/support/postgres_talk.h"

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
	if (!strstr(log, there) || strstr(log, not_there))
		fail_msg("no %s, or %s, in:\n%.3000s", there, not_there, log);
	free(log);
}

#define PREPARE "> P s|SELECT a FROM b\n> S\n< 1\n< Z\n"
#define EXECUTE "> B |s\n> E \n> S\n< 2\n< C SELECT 1\n< Z\n"

static void test_a_change_that_is_missed_while_it_is_folded_is_no_lie(void **unused)
{
	(void)unused;
	static const struct {
		const char *missed, *then, *there, *not_there;
	} rows[] = {
		/* looked for, and not to be had: one call without its text, the next one has it */
		{EXECUTE, EXECUTE, "RESPONSE_END 4", "lost"},
		/* another one of that name */
		{"> C S|s\n> P s|SELECT c FROM d\n> S\n< 3\n< 1\n< Z\n", EXECUTE, "RESPONSE_END 4",
		 "SELECT a"},
		{"> C S|s\n> S\n< 3\n< Z\n", EXECUTE, "RESPONSE_END 3", "SELECT a"},
		/* and so is one that comes after it */
		{"> C S|s\n> S\n< 3\n< Z\n", "> P s|SELECT e FROM f\n> S\n< 1\n< Z\n" EXECUTE,
		 "name=SELECT f", "SELECT a"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct replay replay;
		replay_open(&replay);
		feed_talk(&replay, hello);
		feed_talk(&replay, PREPARE);
		assert_true(replay_fold(&replay));
		replay.no_arena = true;
		feed_talk(&replay, rows[i].missed);
		replay.no_arena = false;
		size_t before = (fflush(replay.out), replay.size);
		feed_talk(&replay, rows[i].then);
		char *log = replay_close(&replay);
		if (i == 0)
			assert_non_null(strstr(log + before, "name=SELECT b"));
		/* Each that is executed without its text says so. */
		assert_int_equal(i == 0, strstr(log, "  unknown") && strstr(log, "  unknown") < log + before);
		assert_int_equal(i == 1 || i == 2, strstr(log + before, "  unknown") != NULL);
		if (strstr(log + before, rows[i].not_there) || !strstr(log + before, rows[i].there))
			fail_msg("row %zu:\n%s", i, log + before);
		free(log);
	}
}

static void test_folded_while_a_call_refers_to_a_place(void **unused)
{
	(void)unused;
	struct replay replay;

	replay_open(&replay);
	feed_talk(&replay, hello);
	assert_false(replay_fold(&replay)); /* nothing to fold */
	feed_talk(&replay, PREPARE "> P other|SELECT 1\n> S\n< 1\n< Z\n");
	assert_true(replay_fold(&replay));
	/* What is packed moves up, to where what is gone now stood. */
	feed_talk(&replay, "> P gone|SELECT 0\n> C S|gone\n> P s2|SELECT c FROM d\n> P last|SELECT 3\n> S\n"
			   "< 1\n< 3\n< 1\n< 1\n< Z\n> B |s2\n");
	assert_true(replay_fold(&replay)); /* its Execute is still to come */
	size_t before = (fflush(replay.out), replay.size);
	feed_talk(&replay, "> E \n");
	assert_true(replay_fold(&replay)); /* in the midst of its answer */
	feed_talk(&replay, "> S\n< 2\n");
	(void)replay_fold(&replay);
	feed_talk(&replay, "< C SELECT 1\n< Z\n");
	char *log = replay_close(&replay);
	assert_non_null(strstr(log + before, "name=SELECT d"));
	expect(log, "RESPONSE_END", "OPAQUE");
}

/* More in flight than the state has places for stay in the arena. */
static void test_a_long_queue_is_not_folded(void **unused)
{
	(void)unused;
	struct replay replay;

	replay_open(&replay);
	feed_talk(&replay, hello);
	feed_talk(&replay, PREPARE);
	for (int i = 0; i < POSTGRES_QUEUE; i++)
		feed_talk(&replay, "> B |s\n> E \n");
	assert_true(replay_fold(&replay));
	feed_talk(&replay, "> B |s\n> E \n> S\n");
	assert_false(replay_fold(&replay));
	feed_talk(&replay, "< 2\n< C SELECT 1\n");
	assert_false(replay_fold(&replay));
	for (int i = 0; i < POSTGRES_QUEUE; i++) {
		feed_talk(&replay, "< 2\n< C SELECT 1\n");
		(void)replay_fold(&replay);
		assert_true(replay.arena.folded);
	}
	feed_talk(&replay, "< Z\n" EXECUTE);
	expect(replay_close(&replay), "RESPONSE_END 68", "OPAQUE");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_change_that_is_missed_while_it_is_folded_is_no_lie),
		cmocka_unit_test(test_folded_while_a_call_refers_to_a_place),
		cmocka_unit_test(test_a_long_queue_is_not_folded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
