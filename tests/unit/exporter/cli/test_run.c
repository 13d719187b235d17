/* The pure parts of `tagalong run`. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exporter/cli/run.h"

static void same_and_free(char *text, const char *expected)
{
	assert_string_equal(text, expected);
	free(text);
}

static void test_preload_is_in_front_and_once(void **state)
{
	(void)state;
	same_and_free(run_preload("/l/libtagalong.so", NULL), "/l/libtagalong.so");
	same_and_free(run_preload("/l/libtagalong.so", ""), "/l/libtagalong.so");
	same_and_free(run_preload("/l/libtagalong.so", "/a.so:b.so c.so"),
		      "/l/libtagalong.so:/a.so:b.so:c.so");
	same_and_free(run_preload("/l/libtagalong.so", "/a.so:/l/libtagalong.so"), "/l/libtagalong.so:/a.so");
	same_and_free(run_preload("/l/libtagalong.so", "libtagalong.so /old/libtagalong.so::"),
		      "/l/libtagalong.so");
	same_and_free(run_preload("/l/libtagalong.so", "/x/notlibtagalong.so"),
		      "/l/libtagalong.so:/x/notlibtagalong.so");
	same_and_free(run_preload("/l/my.so", "/l/my.so:/l/my.so2"), "/l/my.so:/l/my.so2");
}

static void test_list_set_replaces_and_encodes(void **state)
{
	(void)state;
	same_and_free(run_list_set(NULL, "a", "b"), "a=b");
	same_and_free(run_list_set("", "a", "x,y=z %"), "a=x%2Cy%3Dz%20%25");
	same_and_free(run_list_set("a=1,b=2", "c", "3"), "a=1,b=2,c=3");
	same_and_free(run_list_set("a=1, b =2,c=3", "b", "9"), "a=1,c=3,b=9");
	same_and_free(run_list_set("ab=1", "a", "2"), "ab=1,a=2");
	same_and_free(run_list_set("k=1", "k", "\xc3\xbc"), "k=%C3%BC");
}

static void test_absolute(void **state)
{
	char here[4096], expected[4200];

	(void)state;
	assert_non_null(getcwd(here, sizeof(here)));
	snprintf(expected, sizeof(expected), "%s/x.jsonl", here);
	same_and_free(run_absolute("x.jsonl"), expected);
	same_and_free(run_absolute("/x"), "/x");
}

static void sums_up(const char *lines, const char *expected)
{
	struct run_stats stats = {0};
	char text[512];
	FILE *file = fmemopen((char *)lines, strlen(lines) ? strlen(lines) : 1, "r");

	run_stats_read(&stats, file);
	fclose(file);
	run_stats_text(&stats, text, sizeof(text));
	assert_string_equal(text, expected);
}

static void test_stats_sum_up(void **state)
{
	(void)state;
	sums_up("\n", "no spans");
	sums_up("pid=1 exe=a spans=1 exported=1 dropped=0 failed=0 dest=/tmp/x\n",
		"1 span from 1 process to /tmp/x (0 dropped)");
	sums_up("pid=1 exe=a spans=4 exported=4 dropped=0 failed=0 dest=/tmp/x\n"
		"pid=2 exe=b spans=0 exported=0 dropped=0 failed=0 dest=/tmp/x\n"
		"pid=3 exe=c spans=8 exported=8 dropped=2 failed=0 dest=/tmp/x\n",
		"12 spans from 2 processes to /tmp/x (2 dropped)");
	sums_up("pid=1 exe=a spans=5 exported=3 dropped=0 failed=2 dest=http://c:4318/v1/traces\n",
		"3 of 5 spans from 1 process to http://c:4318/v1/traces (0 dropped, 2 failed)");
	sums_up("pid=1 exe=a spans=5 exported=10 dropped=0 failed=0 dest=console\n"
		"pid=2 exe=a spans=1 exported=1 dropped=0 failed=0 dest=/x\n",
		"6 spans from 2 processes to console and /x (0 dropped)");
	sums_up("pid=1 exe=a spans=0 exported=0 dropped=0 failed=0 dest=/tmp/x\n",
		"no spans");
	/* A process tells in several lines; why it failed is told with the counts. */
	sums_up("pid=1 exe=a spans=4 exported=4 dropped=0 failed=0 errno=0 dest=/x\n"
		"pid=1 exe=a spans=3 exported=0 dropped=0 failed=3 errno=13 dest=/x\n",
		"4 of 7 spans from 1 process to /x (0 dropped, 3 failed: Permission denied)");
}

static void test_stats_ignore_what_is_no_line_of_theirs(void **state)
{
	(void)state;
	sums_up("garbage\npid=1\npid=1 spans=x exported=1 dropped=0 failed=0\n"
		"pid=1 exe=a spans=99999999999999999999999 exported=1 dropped=0 failed=0 dest=/x\n"
		"pid=1 exe=a spans=3 exported=3 dropped=0 failed=0 dest=/cut",
		"no spans");
	sums_up("pid=1 exe=x spans=7 y spans=2 exported=2 dropped=0 failed=0 dest=/a\033b\n",
		"2 spans from 1 process to /a\\x1bb (0 dropped)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_preload_is_in_front_and_once),
		cmocka_unit_test(test_list_set_replaces_and_encodes),
		cmocka_unit_test(test_absolute),
		cmocka_unit_test(test_stats_sum_up),
		cmocka_unit_test(test_stats_ignore_what_is_no_line_of_theirs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
