/* Lines to spans to trees. */
#include <locale.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "exporter/cli/cli.h"
#include "exporter/cli/view.h"

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"

static struct view_spans all;
static struct view_source source;

static int start(void **state)
{
	(void)state;
	all = (struct view_spans){0};
	source = (struct view_source){.name = "t"};
	return 0;
}

static int stop(void **state)
{
	(void)state;
	view_free(&all);
	return 0;
}

static void feed(const char *line)
{
	source.line++;
	view_line(&all, &source, line, strlen(line));
}

/* A line with one span; `more` is put behind its name. */
static void span(unsigned id, unsigned parent, unsigned long long from, unsigned long long to,
		 const char *more)
{
	char *line = cli_join(
		"{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":"
		"{\"stringValue\":\"svc\"}}]},\"scopeSpans\":[{\"spans\":[{\"traceId\":\"" TRACE
		"\",\"spanId\":"
		"\"%016x\",\"parentSpanId\":\"%016x\",\"startTimeUnixNano\":\"%llu\",\"endTimeUnixNano\":\"%"
		"llu\","
		"\"name\":\"s%u\"%s}]}]}]}",
		id, parent, from, to, id, more);
	feed(line);
	free(line);
}

/* The tree as "1(2 3(4))", in the order in which it is shown. */
static const char *shape(void)
{
	static char out[4096];
	size_t used = 0;

	view_build(&all);
	assert_int_equal(all.trace_count, 1);
	for (const struct view_span *at = all.traces[0].roots; at;) {
		used += (size_t)snprintf(out + used, sizeof(out) - used, "%s", at->name + 1);
		if (at->child) {
			used += (size_t)snprintf(out + used, sizeof(out) - used, "(");
			at = at->child;
			continue;
		}
		while (at && !at->next) {
			used += at->up ? (size_t)snprintf(out + used, sizeof(out) - used, ")") : 0;
			at = at->up;
		}
		at = at ? at->next : NULL;
		used += at ? (size_t)snprintf(out + used, sizeof(out) - used, " ") : 0;
	}
	return out;
}

static const struct view_span *named(const char *name)
{
	for (size_t i = 0; i < all.count; i++)
		if (!strcmp(all.at[i]->name, name))
			return all.at[i];
	fail_msg("no span %s", name);
	return NULL;
}

static char *printed(struct view_options options)
{
	char *out;
	size_t len;
	FILE *file = open_memstream(&out, &len);

	options.width = options.width ? options.width : 100;
	view_print(&all, &options, file);
	fclose(file);
	return out;
}

static void test_tree_is_built_over_lines_in_any_order(void **state)
{
	(void)state;
	span(4, 3, 130, 140, "");
	span(3, 1, 120, 150, "");
	span(1, 0, 100, 200, "");
	span(2, 1, 110, 115, "");
	assert_string_equal(shape(), "1(2 3(4))");
	assert_int_equal(named("s4")->depth, 2);
	assert_int_equal(source.bad, 0);
}

static void test_missing_parent_is_a_marked_root(void **state)
{
	(void)state;
	span(1, 0, 100, 200, "");
	span(2, 9, 110, 120, "");
	assert_string_equal(shape(), "1 2");
	assert_int_equal(named("s2")->oddity, ODDITY_ORPHAN);
	char *out = printed((struct view_options){0});
	assert_non_null(strstr(out, "(parent 0000000000000009 not in the file)"));
	free(out);
}

static void test_rings_are_cut_and_every_span_shown_once(void **state)
{
	(void)state;
	span(1, 3, 100, 200, "");
	span(2, 1, 110, 120, "");
	span(3, 2, 120, 130, "");
	span(4, 4, 140, 150, "");
	span(5, 2, 150, 160, "");
	const char *text = shape();
	for (char id = '1'; id <= '5'; id++) {
		const char *first = strchr(text, id);
		assert_non_null(first);
		assert_null(strchr(first + 1, id));
	}
	assert_int_equal(named("s4")->oddity, ODDITY_RING);
	size_t rings = 0;
	for (size_t i = 0; i < all.count; i++)
		rings += all.at[i]->oddity == ODDITY_RING;
	assert_int_equal(rings, 2);
}

static void test_duplicates_are_counted_and_children_stay_with_the_first(void **state)
{
	(void)state;
	span(1, 0, 150, 200, "");
	span(1, 0, 100, 200, "");
	span(2, 1, 160, 170, "");
	assert_string_equal(shape(), "1 1(2)");
	assert_int_equal(all.traces[0].duplicates, 1);
	assert_int_equal(named("s2")->up->line, 1);
}

static void test_a_chain_of_a_hundred_thousand_spans_is_no_recursion(void **state)
{
	(void)state;
	for (unsigned id = 1; id <= 100000; id++)
		span(id, id - 1, 100 + id, 1000000, "");
	view_build(&all);
	assert_int_equal(named("s100000")->depth, 99999);
	char *out = printed((struct view_options){0});
	assert_non_null(strstr(out, "(99999 deep)"));
	free(out);
}

/* Each line of the tree must end within the width, whatever the clocks say. */
static void test_clock_skew_does_not_break_the_bars(void **state)
{
	(void)state;
	span(1, 0, 1000000, 2000000, "");
	span(2, 1, 900000, 1500000, "");  /* before its parent */
	span(3, 1, 1500000, 1400000, ""); /* ends before it starts */
	span(4, 1, 1500000, 9000000, ""); /* outlives its parent */
	span(5, 1, 1500000, 0, "");       /* no end */
	assert_string_equal(shape(), "1(2 3 4 5)");
	assert_int_equal(all.traces[0].start, 900000);
	assert_int_equal(all.traces[0].end, 9000000);
	char *out = printed((struct view_options){.ascii = true});
	assert_non_null(strstr(out, "negative"));
	assert_non_null(strstr(out, "no end"));
	size_t lines = 0;
	for (char *line = strtok(out, "\n"); line; line = strtok(NULL, "\n")) {
		assert_true(strlen(line) <= 100);
		lines += strchr(line, '=') != NULL;
		if (strstr(line, "negative") || strstr(line, "no end"))
			assert_ptr_equal(strchr(line, '='), strrchr(line, '='));
	}
	assert_int_equal(lines, 5);
	free(out);
}

static void test_all_spans_at_one_instant_have_a_bar(void **state)
{
	(void)state;
	span(1, 0, 1000, 1000, "");
	assert_string_equal(shape(), "1");
	char *out = printed((struct view_options){.ascii = true});
	assert_non_null(strstr(out, "0 ns  ="));
	free(out);
}

static void test_errors_and_detail_are_shown(void **state)
{
	(void)state;
	span(1, 0, 100, 200,
	     ",\"kind\":3,\"status\":{\"code\":2},\"attributes\":[{\"key\":\"url.full\",\"value\":"
	     "{\"stringValue\":\"http://h/"
	     "p\"}},{\"key\":\"http.response.status_code\",\"value\":{\"intValue\":\"503\"}},"
	     "{\"key\":\"error.type\",\"value\":{\"stringValue\":\"503\"}},"
	     "{\"key\":\"tagalong.parent.ambiguous\",\"value\":{\"boolValue\":true}}]");
	view_build(&all);
	assert_int_equal(all.traces[0].errors, 1);
	char *out = printed((struct view_options){0});
	assert_non_null(strstr(out, "! → s1 http://h/p 503 (parent ambiguous)"));
	assert_null(strchr(out, '\033'));
	free(out);
	out = printed((struct view_options){.color = true});
	assert_non_null(strstr(out, "\033[31m"));
	free(out);
}

static void test_text_of_the_file_is_escaped(void **state)
{
	(void)state;
	feed("{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{"
	     "\"stringValue\":"
	     "\"s\\u001b]0;x\\u0007\"}}]},\"scopeSpans\":[{\"spans\":[{\"traceId\":\"" TRACE "\",\"spanId\":"
	     "\"0000000000000001\",\"startTimeUnixNano\":5,\"endTimeUnixNano\":6,\"name\":"
	     "\"n\\u0000\\u009b\",\"attributes\":"
	     "[{\"key\":\"url.path\",\"value\":{\"stringValue\":\"/\\u001b[2J\"}}],"
	     "\"status\":{\"message\":\"m\\u001b\"}}]}]}]}");
	view_build(&all);
	assert_int_equal(source.bad, 0);
	char *out = printed((struct view_options){.width = 200});
	for (const char *at = out; *at; at++)
		assert_true(*at == '\n' || (unsigned char)*at >= ' ');
	assert_null(strstr(out, "\xc2\x9b"));
	assert_non_null(strstr(out, "n\\x00\\x9b /\\x1b[2J (m\\x1b)"));
	free(out);
}

/* One bad thing a line; the good span stays. */
static void test_bad_input_is_counted_and_skipped(void **state)
{
	static const char *const lines[] = {
		"{",
		"nonsense",
		"[]",
		"{}",
		"17",
		"null",
		"\"x\"",
		"{\"resourceMetrics\":[]}",
		"{\"resourceSpans\":{}}",
		"{\"resourceSpans\":[7]}",
		"{\"resourceSpans\":[{\"scopeSpans\":7}]}",
		"{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[7]}]}]}",
		"{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"traceId\":\"" TRACE
		"\",\"spanId\":\"0000000000000000\"}]}]}]}",
		"{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"traceId\":\"" TRACE
		"\",\"spanId\":\"0000000000000001\"}]}]}]}",
		"{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"traceId\":\"" TRACE
		"\",\"spanId\":\"0000000000000001\","
		"\"startTimeUnixNano\":\"99999999999999999999999\"}]}]}]}",
		"{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"traceId\":\"" TRACE
		"\",\"spanId\":\"0000000000000001\","
		"\"startTimeUnixNano\":-5}]}]}]}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		feed(lines[i]);
		assert_int_equal(source.bad, i + 1);
	}
	feed("  \r\n");
	span(1, 0, 5, 6, "");
	assert_int_equal(source.bad, sizeof(lines) / sizeof(lines[0]));
	assert_int_equal(all.count, 1);
}

static void other_trace(unsigned id, unsigned long long length, const char *service, unsigned code)
{
	char *line = cli_join(
		"{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":"
		"{\"stringValue\":\"%s\"}}]},\"scopeSpans\":[{\"spans\":[{\"traceId\":\"%032x\",\"spanId\":"
		"\"%016x\","
		"\"startTimeUnixNano\":\"%u\",\"endTimeUnixNano\":\"%llu\",\"name\":\"n\",\"status\":{"
		"\"code\":%u}}]}]}]}",
		service, id, id, 1000 + id, 1000 + id + length, code);
	feed(line);
	free(line);
}

/* The traces that are shown, by the last digit of their ids. */
static void selects(struct view_options options, const char *expected)
{
	char ids[16] = "", *out = printed(options);

	for (char *at = out; (at = strstr(at, "trace ")); at += 38)
		strncat(ids, at + 37, 1);
	free(out);
	assert_string_equal(ids, expected);
}

static void test_options_select_traces(void **state)
{
	(void)state;
	other_trace(1, 50, "a", 0);
	other_trace(2, 70, "b", 2);
	other_trace(3, 60, "a", 1);
	view_build(&all);
	selects((struct view_options){0}, "123");
	selects((struct view_options){.errors = true}, "2");
	selects((struct view_options){.service = "a"}, "13");
	selects((struct view_options){.slowest = 2}, "23");
	selects((struct view_options){.slowest = 9}, "231");
	selects((struct view_options){.limit = 1}, "1");
	selects((struct view_options){.trace = "00000000000000000000000000000003"}, "3");
	selects((struct view_options){.trace = "0000"}, "123");
	selects((struct view_options){.trace = "01"}, "");
	selects((struct view_options){.errors = true, .service = "a"}, "");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
	const struct CMUnitTest tests[] = {
		TEST(test_tree_is_built_over_lines_in_any_order),
		TEST(test_missing_parent_is_a_marked_root),
		TEST(test_rings_are_cut_and_every_span_shown_once),
		TEST(test_duplicates_are_counted_and_children_stay_with_the_first),
		TEST(test_a_chain_of_a_hundred_thousand_spans_is_no_recursion),
		TEST(test_clock_skew_does_not_break_the_bars),
		TEST(test_all_spans_at_one_instant_have_a_bar),
		TEST(test_errors_and_detail_are_shown),
		TEST(test_text_of_the_file_is_escaped),
		TEST(test_bad_input_is_counted_and_skipped),
		TEST(test_options_select_traces),
	};

	setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
