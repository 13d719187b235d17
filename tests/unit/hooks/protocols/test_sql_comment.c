/* test_sql_comment.c - where the comment goes and what is in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "hooks/protocols/sql_comment.h"
#include "tests/support/sql_cases.h"

#define PARENT "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

static void place(enum sql_dialect dialect, const char *statement, const char *before)
{
	size_t offset = 12345;
	bool found = sql_comment_place(dialect, 0, bytes_of(statement), &offset);
	if (found != (before != NULL) || (found && offset != strlen(before)))
		fail_msg("%s: %s at %zu", statement, found ? "found" : "not found", offset);
	if (found)
		assert_memory_equal(statement, before, strlen(before));
	else
		assert_int_equal(offset, 12345);
}

static void test_place_is_behind_the_statement(void **state)
{
	(void)state;
	for (enum sql_dialect dialect = SQL_GENERIC; dialect <= SQL_SQLITE; dialect++) {
		place(dialect, "SELECT 1", "SELECT 1");
		place(dialect, "SELECT 1;", "SELECT 1");
		place(dialect, " SELECT a FROM t \n; ; \t", " SELECT a FROM t");
		place(dialect, "SELECT ';' ;", "SELECT ';'");
		place(dialect, "SELECT 'it''s -- /* x */'", "SELECT 'it''s -- /* x */'");
		place(dialect, "x", "x");
	}
	place(SQL_POSTGRESQL, "DO $$ BEGIN; END; $$;", "DO $$ BEGIN; END; $$");
	place(SQL_MYSQL, "SELECT 'a\\'-- b'", "SELECT 'a\\'-- b'");
	place(SQL_SQLITE, "CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT 1; END;",
	      "CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT 1; END");
}

static void test_place_is_nowhere(void **state)
{
	(void)state;
	for (enum sql_dialect dialect = SQL_GENERIC; dialect <= SQL_SQLITE; dialect++) {
		place(dialect, "", NULL);
		place(dialect, " ;; \n", NULL);
		place(dialect, "SELECT 1; SELECT 2", NULL);
		place(dialect, "SELECT /* x */ 1", NULL);
		place(dialect, "/* x */ SELECT 1", NULL);
		place(dialect, "SELECT 1 /*traceparent='" PARENT "'*/", NULL);
		place(dialect, "SELECT 1 -- x", NULL);
		place(dialect, "SELECT 1 -- x\n", NULL);
		place(dialect, "SELECT 1 /* x", NULL);
		place(dialect, "SELECT 'x", NULL);
		place(dialect, "SELECT 'x;", NULL);
		place(dialect, "SELECT \"x", NULL);
	}
	place(SQL_MYSQL, "SELECT 1 # x", NULL);
	place(SQL_MYSQL, "SELECT /*!40101 1 */", NULL);
	place(SQL_MYSQL, "SELECT 1 --", NULL);
	place(SQL_MYSQL, "SELECT 'x\\'", NULL);
	place(SQL_MYSQL, "SELECT `x", NULL);
	place(SQL_POSTGRESQL, "SELECT E'x\\'", NULL);
	place(SQL_POSTGRESQL, "SELECT $a$ x $b$", NULL);
	place(SQL_GENERIC, "SELECT 'x\\' FROM t", NULL); /* does it escape? */
	size_t offset;
	assert_false(sql_comment_place(SQL_SQLITE, 0, (struct bytes){"SELECT 1\0", 9}, &offset));
	assert_false(sql_comment_place(SQL_SQLITE, 0, BYTES_NONE, &offset));
}

/* With the comment, no golden case is read otherwise: all that is added is a comment. */
static void test_place_changes_no_reading(void **state)
{
	(void)state;
	struct sql_case_rooms rooms = {0};
	struct sql_text_result got;
	char text[SQL_CASE_MAX + 2 * SQL_COMMENT_MAX];
	unsigned placed = 0;
	for (const struct sql_case *one = sql_cases(); one->name[0]; one++) {
		size_t offset;
		if (one->flags & SQL_RAW || !sql_comment_place(one->dialect, one->flags, one->input, &offset))
			continue;
		placed++;
		memcpy(text, one->input.ptr, offset);
		size_t len = sql_comment_text(BYTES(PARENT), BYTES("a=b"), text + offset, SQL_COMMENT_MAX);
		memcpy(text + offset + len, one->input.ptr + offset, one->input.len - offset);
		struct bytes with = {text, one->input.len + len};
		sql_case_run(&rooms, one->dialect, one->flags, with, 0, 0, SQL_CASE_MAX, SQL_SUMMARY_MAX, &got);
		assert_true(got.commented && !got.open && !got.doubtful);
		assert_int_equal(got.statements, 1);
		if (!bytes_equal(got.summary, bytes_of(one->summary)))
			fail_msg("%s: %.*s", one->name, (int)got.summary.len, got.summary.ptr);
		assert_false(sql_comment_place(one->dialect, one->flags, with, &offset));
	}
	assert_true(placed >= 100);
}

static void text_is(const char *parent, const char *tracestate, size_t cap, const char *wanted)
{
	char *room = sql_case_guarded(cap) - cap;
	size_t len = sql_comment_text(bytes_of(parent), bytes_of(tracestate), room, cap);
	if (!bytes_equal((struct bytes){room, len}, bytes_of(wanted)))
		fail_msg("%s in %zu: %.*s", tracestate, cap, (int)len, room);
}

static void test_text_is_encoded(void **state)
{
	(void)state;
	const char *bare = " /*traceparent='" PARENT "'*/";
	text_is(PARENT, "", 200, bare);
	text_is(PARENT, "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7", 200,
		" /*traceparent='" PARENT "',tracestate='congo%3Dt61rcWkgMzE%2Crojo%3D00f067aa0ba902b7'*/");
	text_is(PARENT, "a='*/;-- \\\xff\n", 200,
		" /*traceparent='" PARENT "',tracestate='a%3D%27%2A%2F%3B--%20%5C%FF%0A'*/");
	text_is("", "a=b", 200, "");
	text_is("'*/", "", 200, " /*traceparent='%27%2A%2F'*/");
}

static void test_text_fits_or_is_left_out(void **state)
{
	(void)state;
	const char *bare = " /*traceparent='" PARENT "'*/";
	const char *all = " /*traceparent='" PARENT "',tracestate='a%3Db'*/";
	char longest[513], out[SQL_COMMENT_MAX];
	for (size_t cap = 0; cap < 120; cap++) {
		char *room = sql_case_guarded(cap) - cap;
		size_t len = sql_comment_text(BYTES(PARENT), BYTES("a=b"), room, cap);
		struct bytes got = {room, len};
		assert_true(len <= cap && (len == 0 || bytes_equal(got, bytes_of(bare)) ||
					   bytes_equal(got, bytes_of(all))));
		assert_true(cap < strlen(bare) + 2 || len);
		assert_true(cap < strlen(all) + 2 || len == strlen(all));
	}
	memset(longest, '=', 512);
	longest[512] = '\0';
	assert_true(sql_comment_text(BYTES(PARENT), bytes_of(longest), out, sizeof(out)) > 3 * 512);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_place_is_behind_the_statement),
		cmocka_unit_test(test_place_is_nowhere),
		cmocka_unit_test(test_place_changes_no_reading),
		cmocka_unit_test(test_text_is_encoded),
		cmocka_unit_test(test_text_fits_or_is_left_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
