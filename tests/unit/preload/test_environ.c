/* What a new program finds in its environment, case by case; always against a guard: the plan's size is exact
 * enough that nothing is written behind it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "preload/environ.h"

#define RECEIVED "TRACEPARENT=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

static char library[512];   /* a path that can be read */
static char preload[600];   /* "LD_PRELOAD=" and it */
static struct context current;
static const uint8_t *request; /* the context is a request's that came with this */

static char *env_text(const char *format, const char *value)
{
	char *text = malloc(strlen(format) + strlen(value) + 1);
	size_t at = strcspn(format, "%");
	memcpy(text, format, at);
	text[at] = '\0';
	if (format[at]) {
		strcpy(text + at, value);
		strcat(text, format + at + 1);
	}
	return text;
}

/* Builds at the end of a page that is followed by one that cannot be touched. */
static char **build(char *const envp[], const struct context *context)
{
	static char *room;
	struct environ_plan plan;

	if (!room) {
		room = mmap(NULL, 3 * ENVIRON_ROOM_MOST, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		assert_ptr_not_equal(room, MAP_FAILED);
		assert_int_equal(mprotect(room + 2 * ENVIRON_ROOM_MOST, ENVIRON_ROOM_MOST, PROT_NONE), 0);
	}
	environ_plan(&plan, envp, context, request);
	if (plan.size == 0)
		return (char **)(uintptr_t)envp;
	size_t aligned = (plan.size + 7) & ~(size_t)7;
	return environ_build(&plan, room + 2 * ENVIRON_ROOM_MOST - aligned);
}

/* The value of the only entry of that name; NULL: none. */
static const char *only(char **env, const char *name)
{
	const char *found = NULL;
	size_t length = strlen(name);
	for (size_t i = 0; env[i]; i++) {
		if (strncmp(env[i], name, length) != 0 || env[i][length] != '=')
			continue;
		assert_null(found);
		found = env[i] + length + 1;
	}
	return found;
}

static void start_with(char *const env[])
{
	environ_init(library, env);
}

static int set_up(void **state)
{
	(void)state;
	char *const env[] = {preload, "OTEL_SERVICE_NAME=a", "TAGALONG_FILE=f", RECEIVED, "BAGGAGE=k=v", "HOME=/", NULL};
	start_with(env);
	memset(&current, 0, sizeof(current));
	memset(current.trace_id, 0x11, sizeof(current.trace_id));
	memset(current.span_id, 0x22, sizeof(current.span_id));
	current.flags = FLAG_SAMPLED;
	current.valid = true;
	return 0;
}

#define CURRENT "00-11111111111111111111111111111111-2222222222222222-01"

static void test_build_kept_without_context_is_original(void **state)
{
	(void)state;
	char *const env[] = {preload, "OTEL_SERVICE_NAME=a", RECEIVED, NULL};
	assert_ptr_equal(build(env, NULL), env);
	struct context none = {.valid = false};
	assert_ptr_equal(build(env, &none), env);
}

static void test_build_replaces_received_context_once(void **state)
{
	(void)state;
	char *const env[] = {preload, RECEIVED, "OTEL_SERVICE_NAME=a", "A=1", "TRACESTATE=x=y", NULL};
	char *const again[] = {preload, RECEIVED, "OTEL_SERVICE_NAME=a", "TRACESTATE=x=y", NULL};
	start_with(again);
	char **built = build(env, &current);
	assert_string_equal(only(built, "TRACEPARENT"), CURRENT);
	assert_null(only(built, "TRACESTATE"));
	assert_string_equal(only(built, "A"), "1");
	assert_string_equal(only(built, "LD_PRELOAD"), library);
	assert_string_equal(env[1], RECEIVED);
}

static void test_build_keeps_what_the_program_wrote(void **state)
{
	(void)state;
	char *const env[] = {preload, "OTEL_X=1",
			     "TRACEPARENT=00-99999999999999999999999999999999-8888888888888888-00", "TRACESTATE=q=1", NULL};
	char **built = build(env, &current);
	assert_string_equal(only(built, "TRACEPARENT"), "00-99999999999999999999999999999999-8888888888888888-00");
	assert_string_equal(only(built, "TRACESTATE"), "q=1");
}

static void test_build_baggage_replaced_only_by_baggage(void **state)
{
	(void)state;
	char *const env[] = {preload, "OTEL_X=1", RECEIVED, "BAGGAGE=k=v", NULL};
	assert_string_equal(only(build(env, &current), "BAGGAGE"), "k=v");
	current.baggage = BYTES("a=b");
	assert_string_equal(only(build(env, &current), "BAGGAGE"), "a=b");
}

static void test_build_cleared_gets_everything_back(void **state)
{
	(void)state;
	char *const env[] = {NULL};
	char **built = build(env, &current);
	assert_string_equal(only(built, "LD_PRELOAD"), library);
	assert_string_equal(only(built, "OTEL_SERVICE_NAME"), "a");
	assert_string_equal(only(built, "TAGALONG_FILE"), "f");
	assert_string_equal(only(built, "TRACEPARENT"), CURRENT);
	assert_null(only(built, "HOME"));
	assert_string_equal(only(build(NULL, &current), "LD_PRELOAD"), library);
}

static void test_build_rebuilt_settings_stay_the_programs(void **state)
{
	(void)state;
	char *const env[] = {"OTEL_SERVICE_NAME=b", NULL};
	char **built = build(env, NULL);
	assert_string_equal(only(built, "OTEL_SERVICE_NAME"), "b");
	assert_null(only(built, "TAGALONG_FILE"));
	assert_string_equal(only(built, "LD_PRELOAD"), library);
}

static void check_preload(const char *given, const char *expected)
{
	char *entry = env_text("LD_PRELOAD=%", given);
	char *wanted = env_text(expected, library);
	char *const env[] = {"OTEL_X=1", entry, NULL};
	assert_string_equal(only(build(env, NULL), "LD_PRELOAD"), wanted);
	free(entry);
	free(wanted);
}

static void test_build_preload_exactly_once(void **state)
{
	(void)state;
	char twice[1200];

	check_preload("", "%");
	check_preload("/a.so:/b.so", "%:/a.so:/b.so");
	check_preload("/a.so libtagalong.so /b.so", "/a.so:%:/b.so");
	check_preload("./libtagalong.so:/x/libtagalong.so", "%");
	snprintf(twice, sizeof(twice), "/a.so %s:%s /c.so", library, library);
	check_preload(twice, "/a.so:%:/c.so");
	/* Not ours, though it ends alike. */
	check_preload("/x/notlibtagalong.so", "%:/x/notlibtagalong.so");
	/* The loader expands it: kept as it stands. */
	check_preload("/usr/$LIB/libtagalong.so", "/usr/$LIB/libtagalong.so");
}

static void test_build_two_preload_entries_become_one(void **state)
{
	(void)state;
	char *const env[] = {"OTEL_X=1", "LD_PRELOAD=/first.so", "B=2", "LD_PRELOAD=/last.so", NULL};
	char *wanted = env_text("%:/last.so", library);
	assert_string_equal(only(build(env, NULL), "LD_PRELOAD"), wanted);
	free(wanted);
	char *const right[] = {"OTEL_X=1", "LD_PRELOAD=/first.so", preload, NULL};
	assert_string_equal(only(build(right, NULL), "LD_PRELOAD"), library);
}

static void test_build_unreadable_library_is_taken_out(void **state)
{
	(void)state;
	char *const start_env[] = {"LD_PRELOAD=/nowhere/libtagalong.so", NULL};
	environ_init("/nowhere/libtagalong.so", start_env);
	char *const cleared[] = {"A=1", NULL};
	assert_null(only(build(cleared, NULL), "LD_PRELOAD"));
	char *const kept[] = {"LD_PRELOAD=/nowhere/libtagalong.so:/b.so", NULL};
	assert_string_equal(only(build(kept, NULL), "LD_PRELOAD"), "/b.so");
	char *const alone[] = {"LD_PRELOAD=/nowhere/libtagalong.so", "A=1", NULL};
	assert_null(only(build(alone, NULL), "LD_PRELOAD"));
}

static void test_init_without_preload_adds_none(void **state)
{
	(void)state;
	char *const env[] = {"A=1", NULL};
	start_with(env);
	assert_ptr_equal(build(env, NULL), env);
	environ_init("/has space/libtagalong.so", env);
	assert_ptr_equal(build(env, NULL), env);
}

static void test_init_relative_path_becomes_absolute(void **state)
{
	(void)state;
	char directory[256], wanted[300];
	char *const env[] = {"LD_PRELOAD=./libtagalong.so", NULL}, *const cleared[] = {NULL};
	environ_init("./libtagalong.so", env);
	assert_non_null(getcwd(directory, sizeof(directory)));
	snprintf(wanted, sizeof(wanted), "%s/./libtagalong.so", directory);
	/* It is there only if it can be read from here: made so. */
	FILE *file = fopen("libtagalong.so", "wx");
	const char *value = only(build(cleared, NULL), "LD_PRELOAD");
	if (file) {
		fclose(file);
		unlink("libtagalong.so");
	}
	assert_non_null(value);
	assert_string_equal(value, wanted);
}

/* --- CGI -------------------------------------------------------------------------------------------------- */

#define CGI "GATEWAY_INTERFACE=CGI/1.1", "REQUEST_METHOD=GET"
#define CLIENTS "00-11111111111111111111111111111111-b7ad6b7169203331-01"

static const uint8_t clients_span[8] = {0xb7, 0xad, 0x6b, 0x71, 0x69, 0x20, 0x33, 0x31};
static const uint8_t no_span[8];

static void test_build_cgi_tells_the_request_in_both_names(void **state)
{
	(void)state;
	start_with((char *[]){preload, "OTEL_X=1", NULL});
	request = clients_span;
	char **env = build((char *[]){preload, "OTEL_X=1", CGI, "HTTP_TRACEPARENT=" CLIENTS, "HTTP_TRACESTATE=a=b", "HTTP_BAGGAGE=k=v",
				      "HTTP_HOST=a", NULL}, &current);
	assert_string_equal(only(env, "HTTP_TRACEPARENT"), only(env, "TRACEPARENT"));
	assert_string_equal(only(env, "TRACEPARENT"), CURRENT);
	assert_null(only(env, "HTTP_TRACESTATE")); /* the context has none */
	assert_string_equal(only(env, "HTTP_BAGGAGE"), "k=v");
	assert_string_equal(only(env, "HTTP_HOST"), "a");
	request = NULL;
}

static void test_build_cgi_without_a_client_that_traces(void **state)
{
	(void)state;
	start_with((char *[]){preload, "OTEL_X=1", RECEIVED, NULL});
	request = no_span;
	char **env = build((char *[]){preload, "OTEL_X=1", CGI, RECEIVED, NULL}, &current);
	assert_string_equal(only(env, "HTTP_TRACEPARENT"), only(env, "TRACEPARENT"));
	assert_string_equal(only(env, "TRACEPARENT"), CURRENT);
	request = NULL;
}

/* Not the context that the request came with: a tracer inside the server has spoken. And no context of a request's:
 * nobody knows better than the client. */
static void test_build_cgi_leaves_what_others_say(void **state)
{
	(void)state;
	static const char *const theirs[] = {"HTTP_TRACEPARENT=00-11111111111111111111111111111111-b7ad6b7169203332-01",
					     "HTTP_TRACEPARENT=00-ffffffffffffffffffffffffffffffff-b7ad6b7169203331-01",
					     "HTTP_TRACEPARENT=" CLIENTS};
	start_with((char *[]){preload, "OTEL_X=1", NULL});
	for (int i = 0; i < 3; i++) {
		request = i < 2 ? clients_span : NULL;
		char **env = build((char *[]){preload, "OTEL_X=1", CGI, (char *)(uintptr_t)theirs[i], NULL}, &current);
		assert_string_equal(only(env, "HTTP_TRACEPARENT"), strchr(theirs[i], '=') + 1);
		assert_non_null(only(env, "TRACEPARENT"));
	}
	request = clients_span; /* no CGI */
	char **env = build((char *[]){preload, "OTEL_X=1", "GATEWAY_INTERFACE=CGI/1.1", "HTTP_TRACEPARENT=" CLIENTS, NULL}, &current);
	assert_string_equal(only(env, "HTTP_TRACEPARENT"), CLIENTS);
	request = NULL;
}

/* A CGI program that starts others: what it was started with is passed on, as its own span if it has one. */
static void test_build_cgi_passes_on(void **state)
{
	(void)state;
	char *env[] = {preload, "OTEL_X=1", CGI, "HTTP_TRACEPARENT=" CLIENTS, NULL};
	start_with(env);
	char **built = build(env, &current);
	assert_string_equal(only(built, "HTTP_TRACEPARENT"), only(built, "TRACEPARENT"));
	assert_string_equal(only(built, "TRACEPARENT"), CURRENT);
}

static void test_is_cgi(void **state)
{
	(void)state;
	struct bytes name;
	assert_true(environ_is_cgi((char *[]){CGI, NULL}));
	assert_false(environ_is_cgi((char *[]){"REQUEST_METHOD=GET", NULL}));
	assert_false(environ_is_cgi((char *[]){"GATEWAY_INTERFACE=CGI/1.1", "A=REQUEST_METHOD=", NULL}));
	assert_int_equal(environ_http_field("HTTP_TRACESTATE=x", &name), FIELD_TRACESTATE);
	assert_int_equal(environ_http_field("TRACESTATE=x", &name), FIELD_NONE);
	assert_int_equal(environ_http_field("HTTP_", &name), FIELD_NONE);
}

static void test_plan_bad_pointers_are_left_to_the_kernel(void **state)
{
	(void)state;
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_int_equal(mprotect(page + 4096, 4096, PROT_NONE), 0);
	struct environ_plan plan;

	char *const *volatile nowhere = (char **)(uintptr_t)8;
	environ_plan(&plan, nowhere, &current, NULL);
	assert_int_equal(plan.size, 0);
	char *const bad_entry[] = {"A=1", (char *)(uintptr_t)16, NULL};
	environ_plan(&plan, bad_entry, &current, NULL);
	assert_int_equal(plan.size, 0);
	/* A list that runs into the end of the world. */
	char **list = (char **)(void *)(page + 4096) - 2;
	list[0] = list[1] = (char *)(uintptr_t)"A=1";
	environ_plan(&plan, list, &current, NULL);
	assert_int_equal(plan.size, 0);
	/* A string that does. */
	memset(page, 'A', 4096);
	char *const endless[] = {page + 4096 - 20, NULL};
	environ_plan(&plan, endless, &current, NULL);
	assert_int_equal(plan.size, 0);
	/* One that only just does not. */
	page[4095] = '\0';
	environ_plan(&plan, endless, &current, NULL);
	assert_true(plan.size > 0);
	munmap(page, 8192);
}

static void test_plan_huge_is_left_alone(void **state)
{
	(void)state;
	size_t many = ENVIRON_ROOM_MOST / sizeof(char *) + 10;
	char **env = calloc(many + 1, sizeof(char *));
	for (size_t i = 0; i < many; i++)
		env[i] = (char *)(uintptr_t)"A=1";
	struct environ_plan plan;
	environ_plan(&plan, env, &current, NULL);
	assert_int_equal(plan.size, 0);
	env[1000] = NULL;
	environ_plan(&plan, env, &current, NULL);
	assert_in_range(plan.size, 1000 * sizeof(char *), ENVIRON_ROOM_MOST);
	free(env);
}

static void test_build_other_propagators(void **state)
{
	(void)state;
	static const enum context_format formats[] = {FORMAT_B3MULTI, FORMAT_JAEGER, FORMAT_XRAY, 0};
	static const enum context_format usual[] = {FORMAT_TRACECONTEXT, FORMAT_BAGGAGE, 0};
	char *const env[] = {preload, "OTEL_X=1", RECEIVED, "X_B3_TRACEID=1", NULL};
	context_configure(formats);
	environ_init(library, env);
	char **built = build(env, &current);
	context_configure(usual);
	assert_string_equal(only(built, "X_B3_TRACEID"), "11111111111111111111111111111111");
	assert_string_equal(only(built, "X_B3_SPANID"), "2222222222222222");
	assert_non_null(only(built, "UBER_TRACE_ID"));
	assert_non_null(only(built, "X_AMZN_TRACE_ID"));
	/* No propagator of ours reads it, so it is the program's. */
	assert_string_equal(only(built, "TRACEPARENT"), RECEIVED + 12);
}

int main(int argc, char **argv)
{
	(void)argc;
	if (!realpath(argv[0], library))
		return 2;
	snprintf(preload, sizeof(preload), "LD_PRELOAD=%s", library);
#define CASE(name) cmocka_unit_test_setup(name, set_up)
	const struct CMUnitTest tests[] = {
		CASE(test_build_kept_without_context_is_original),
		CASE(test_build_replaces_received_context_once),
		CASE(test_build_keeps_what_the_program_wrote),
		CASE(test_build_baggage_replaced_only_by_baggage),
		CASE(test_build_cleared_gets_everything_back),
		CASE(test_build_rebuilt_settings_stay_the_programs),
		CASE(test_build_preload_exactly_once),
		CASE(test_build_two_preload_entries_become_one),
		CASE(test_build_unreadable_library_is_taken_out),
		CASE(test_init_without_preload_adds_none),
		CASE(test_init_relative_path_becomes_absolute),
		CASE(test_build_cgi_tells_the_request_in_both_names),
		CASE(test_build_cgi_without_a_client_that_traces),
		CASE(test_build_cgi_leaves_what_others_say),
		CASE(test_build_cgi_passes_on),
		CASE(test_is_cgi),
		CASE(test_plan_bad_pointers_are_left_to_the_kernel),
		CASE(test_plan_huge_is_left_alone),
		CASE(test_build_other_propagators),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
