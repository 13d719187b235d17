/* test_sql_text.c - golden cases, in one piece and cut everywhere; rooms of every size; what no file can show. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/support/sql_cases.h"

static struct sql_case_rooms rooms;

static void run(const struct sql_case *one, size_t cut, size_t step, size_t text_cap, struct sql_text_result *result)
{
	sql_case_run(&rooms, one->dialect, one->flags, one->input, cut, step, text_cap, SQL_SUMMARY_MAX, result);
}

static void same(const struct sql_case *one, const char *what, struct bytes got, struct bytes wanted, size_t where)
{
	if (!bytes_equal(got, wanted))
		fail_msg("%s, %s, %s at %zu:\n--- got\n%.*s\n--- wanted\n%.*s", one->file, one->name, what, where,
			 (int)got.len, got.ptr, (int)wanted.len, wanted.ptr);
}

static void check(const struct sql_case *one, const struct sql_text_result *got, size_t where)
{
	unsigned which = 0;
	while (which + 1 < one->texts && !bytes_equal(got->text, one->text[which]))
		which++;
	same(one, "text", got->text, one->text[which], where);
	same(one, "summary", got->summary, bytes_of(one->summary), where);
	if (got->statements != one->statements || got->cut != one->cut || got->doubtful != one->doubtful ||
	    got->open != one->open || got->commented != one->commented)
		fail_msg("%s, %s at %zu: %u statements%s%s%s%s", one->file, one->name, where, got->statements,
			 got->cut ? " cut" : "", got->doubtful ? " doubtful" : "", got->open ? " open" : "",
			 got->commented ? " commented" : "");
}

static void test_golden_cases_are_there(void **state)
{
	(void)state;
	unsigned published = 0, others = 0;
	assert_non_null(sql_cases());
	for (const struct sql_case *one = sql_cases(); one->name[0]; one++) {
		assert_true(one->complete && one->texts);
		*(strcmp(one->file, "published.sql") ? &others : &published) += 1;
	}
	assert_true(published >= 24 && others >= 200);
}

static void test_golden_in_one_piece(void **state)
{
	(void)state;
	struct sql_text_result got;
	for (const struct sql_case *one = sql_cases(); one->name[0]; one++) {
		run(one, 0, 0, SQL_CASE_MAX, &got);
		check(one, &got, 0);
	}
}

static void test_golden_cut_everywhere(void **state)
{
	(void)state;
	struct sql_text_result got;
	for (const struct sql_case *one = sql_cases(); one->name[0]; one++)
		for (size_t cut = 1; cut < one->input.len; cut++) {
			run(one, cut, 0, SQL_CASE_MAX, &got);
			check(one, &got, cut);
		}
}

static void test_golden_in_small_pieces(void **state)
{
	(void)state;
	struct sql_text_result got;
	for (const struct sql_case *one = sql_cases(); one->name[0]; one++)
		for (size_t step = 1; step < 8; step++)
			for (size_t first = 1; first <= step; first++) {
				run(one, first, step, SQL_CASE_MAX, &got);
				check(one, &got, step);
			}
}

/* A room of any size holds the beginning of the whole. */
static void test_room_of_every_size(void **state)
{
	(void)state;
	struct sql_text_result got;
	static char whole[SQL_CASE_MAX];
	for (const struct sql_case *one = sql_cases(); one->name[0]; one++) {
		run(one, 0, 0, SQL_CASE_MAX, &got);
		struct bytes all = {whole, got.text.len};
		memcpy(whole, got.text.ptr, got.text.len);
		for (size_t cap = 0; cap <= all.len; cap++) {
			run(one, 0, 3, cap, &got);
			assert_true(got.text.len <= cap && got.text.len + 3 >= cap);
			same(one, "cut text", got.text, bytes_until(all, got.text.len), cap);
			assert_int_equal(got.cut, cap < all.len || one->cut);
			same(one, "summary", got.summary, bytes_of(one->summary), cap);
		}
	}
}

static void test_sanitising_twice_changes_nothing(void **state)
{
	(void)state;
	struct sql_text_result got;
	static char once[SQL_CASE_MAX];
	for (const struct sql_case *one = sql_cases(); one->name[0]; one++) {
		if (one->flags & SQL_RAW)
			continue;
		run(one, 0, 0, SQL_CASE_MAX, &got);
		struct bytes text = {once, got.text.len};
		memcpy(once, got.text.ptr, got.text.len);
		sql_case_run(&rooms, one->dialect, one->flags, text, 0, 0, SQL_CASE_MAX, SQL_SUMMARY_MAX, &got);
		same(one, "second time", got.text, text, 0);
	}
}

/* A text that is cut inside a literal shows nothing of it. */
static void test_end_anywhere_leaks_nothing(void **state)
{
	(void)state;
	static const char *const texts[] = {
		"SELECT 'ZQZQ', E'ZQZQ\\'ZQ', N'ZQZQ', 1 -- ZQZQ\n, 'ZQ''ZQ'",
		"SELECT /* ZQ /* ZQ */ ZQ */ $$ZQ$$, $a$ZQ$b$ZQ$a$, $ab$ZQ$a$ZQ$ab",
		"INSERT INTO t VALUES (X'7Z', 'ZQZQ', 0x7ZQZQ, 77ZQ, -77e-7ZQ, 7e-x)",
	};
	struct sql_text_result got;
	for (unsigned i = 0; i < 3; i++)
		for (size_t len = 0; len <= strlen(texts[i]); len++)
			for (unsigned dialect = SQL_POSTGRESQL; dialect <= SQL_MYSQL; dialect++) {
				if (i == 1 && dialect == SQL_MYSQL)
					continue; /* not its quotes */
				sql_case_run(&rooms, dialect, 0, (struct bytes){texts[i], len}, 0, 0, SQL_CASE_MAX,
					     SQL_SUMMARY_MAX, &got);
				assert_null(memmem(got.text.ptr, got.text.len, "ZQ", 2));
				assert_null(memmem(got.text.ptr, got.text.len, "7", 1));
			}
}

/* --- summaries ------------------------------------------------------------------------------------------- */

static void summary_of(const char *text, size_t cap, const char *wanted)
{
	struct sql_text_result got;
	sql_case_run(&rooms, SQL_GENERIC, 0, bytes_of(text), 0, 1, 100, cap, &got);
	if (!bytes_equal(got.summary, bytes_of(wanted)))
		fail_msg("%s in %zu: %.*s, not %s", text, cap, (int)got.summary.len, got.summary.ptr, wanted);
}

static void test_summary_is_cut_between_tokens(void **state)
{
	(void)state;
	const char *one = "SELECT * FROM alpha, \"b c\", d";
	summary_of(one, 255, "SELECT alpha \"b c\" d");
	summary_of(one, 20, "SELECT alpha \"b c\" d");
	summary_of(one, 19, "SELECT alpha \"b c\"");
	summary_of(one, 18, "SELECT alpha \"b c\"");
	summary_of(one, 17, "SELECT alpha");
	summary_of(one, 11, "SELECT");
	summary_of(one, 5, "");
	summary_of(one, 0, "");
}

static void test_batch_fits_its_room(void **state)
{
	(void)state;
	const char *equal = "SELECT * FROM alpha, \"b c\"; SELECT x FROM alpha x, \"b c\" WHERE 1 = 2;";
	summary_of(equal, 255, "BATCH SELECT alpha \"b c\"");
	summary_of(equal, 24, "BATCH SELECT alpha \"b c\"");
	summary_of(equal, 23, "BATCH SELECT alpha");
	summary_of(equal, 12, "BATCH SELECT");
	summary_of(equal, 11, "BATCH");
	summary_of(equal, 5, "BATCH");
	summary_of(equal, 4, "");
	summary_of("SELECT a FROM b; SELECT a FROM bb", 255, "BATCH");
	summary_of("SELECT a FROM bb; SELECT a FROM b", 255, "BATCH");
	summary_of("SELECT a FROM b; SELECT a FROM b; SELECT a FROM c", 255, "BATCH");
}

/* --- size ------------------------------------------------------------------------------------------------ */

static void test_long_in_list_in_small_room(void **state)
{
	(void)state;
	struct sql_text sql;
	struct sql_text_result got;
	char text[64], summary[64];
	sql_text_begin(&sql, SQL_MYSQL, 0, (struct sql_room){text, sizeof(text)},
		       (struct sql_room){summary, sizeof(summary)});
	sql_text_feed(&sql, BYTES("SELECT a FROM b WHERE c IN ("));
	for (int i = 0; i < 100000; i++)
		sql_text_feed(&sql, BYTES("'secret', "));
	sql_text_feed(&sql, BYTES("2) AND d = 1"));
	sql_text_end(&sql, &got);
	assert_false(got.cut);
	assert_true(bytes_equal(got.text, BYTES("SELECT a FROM b WHERE c IN (?) AND d = ?")));
	assert_true(bytes_equal(got.summary, BYTES("SELECT b")));
}

static void test_deep_parentheses(void **state)
{
	(void)state;
	struct sql_text sql;
	struct sql_text_result got;
	char text[16], summary[64];
	sql_text_begin(&sql, SQL_GENERIC, 0, (struct sql_room){text, sizeof(text)},
		       (struct sql_room){summary, sizeof(summary)});
	sql_text_feed(&sql, BYTES("SELECT * FROM a WHERE b = "));
	for (int i = 0; i < 100000; i++)
		sql_text_feed(&sql, BYTES("("));
	sql_text_feed(&sql, BYTES("SELECT 'secret' FROM c, d"));
	for (int i = 0; i < 100000; i++)
		sql_text_feed(&sql, BYTES(")"));
	sql_text_end(&sql, &got);
	assert_true(got.cut && !got.doubtful);
	assert_int_equal(got.statements, 1);
	assert_true(bytes_starts(got.summary, BYTES("SELECT a")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden_cases_are_there),
		cmocka_unit_test(test_golden_in_one_piece),
		cmocka_unit_test(test_golden_cut_everywhere),
		cmocka_unit_test(test_golden_in_small_pieces),
		cmocka_unit_test(test_room_of_every_size),
		cmocka_unit_test(test_sanitising_twice_changes_nothing),
		cmocka_unit_test(test_end_anywhere_leaks_nothing),
		cmocka_unit_test(test_summary_is_cut_between_tokens),
		cmocka_unit_test(test_batch_fits_its_room),
		cmocka_unit_test(test_long_in_list_in_small_room),
		cmocka_unit_test(test_deep_parentheses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
