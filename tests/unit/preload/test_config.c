/* The environment's rules (otel.md 1.1-1.7), and what is said when one is broken. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "preload/config.h"

static char log_file[] = "/tmp/test_config.XXXXXX";
static char said[8192];

static int open_log(void **state)
{
	(void)state;
	int fd = mkstemp(log_file);
	return fd < 0 ? -1 : close(fd);
}

static int remove_log(void **state)
{
	(void)state;
	return unlink(log_file);
}

/* Loads up to twelve "NAME=value" and reads back what was said. */
static void load_as(const char *exe, const char *const *entries)
{
	char log_setting[64] = "TAGALONG_LOG=";
	char *env[16] = {log_setting};
	int fd = open(log_file, O_RDWR | O_TRUNC);
	strcat(log_setting, log_file);
	for (size_t i = 0; entries[i]; i++)
		env[i + 1] = (char *)entries[i];
	config_load(env, exe);
	ssize_t len = read(fd, said, sizeof(said) - 1);
	said[len > 0 ? len : 0] = '\0';
	close(fd);
}

#define load(...) load_as("server", (const char *const[]){__VA_ARGS__, NULL})

static unsigned lines_said(void)
{
	unsigned count = 0;
	for (const char *at = said; *at; at++)
		count += *at == '\n';
	return count;
}

/* Exactly one line, with this in it. */
#define assert_said(text)                                                             \
	do {                                                                          \
		if (lines_said() != 1 || !strstr(said, text))                         \
			fail_msg("expected one line with: %s\nsaid: %s", text, said); \
	} while (0)
#define assert_silent() assert_string_equal(said, "")

static void test_load_defaults_are_silent(void **state)
{
	(void)state;
	load("PATH=/bin");
	assert_silent();
	assert_true(config.took_part);
	assert_int_equal(config.bsp_schedule_delay, 5000);
	assert_int_equal(config.queue_bytes, 4 << 20);
	assert_int_equal(config.bsp_max_queue_size, 0);
	assert_int_equal(config.span_limits.count, 128);
	assert_int_equal(config.span_limits.value_length, UINT32_MAX);
	assert_int_equal(config.formats[0], FORMAT_TRACECONTEXT);
	assert_int_equal(config.formats[1], FORMAT_BAGGAGE);
	assert_int_equal(config.formats[2], 0);
	assert_int_equal(config.traces_exporters, EXPORTER_OTLP);
	assert_int_equal(config.metrics_exporters, EXPORTER_OTLP);
	assert_string_equal(config.traces.url, "http://localhost:4318/v1/traces");
	assert_string_equal(config.metrics.path, "/v1/metrics");
	assert_string_equal(config.traces.protocol, "http/protobuf");
	assert_int_equal(config.traces.timeout, 10000);
	assert_true(config.root_sampler.parent_based);
	assert_int_equal(config.root_sampler.root, SAMPLER_ALWAYS_ON);
	assert_string_equal(config.known_method_list[9].ptr, "TRACE");
	assert_null(config.known_method_list[10].ptr);
}

static void test_load_warns_once_and_uses_the_default(void **state)
{
	static const struct {
		const char *entry, *line;
	} rows[] = {
		{"OTEL_BSP_SCHEDULE_DELAY=abc",
		 "warn config: OTEL_BSP_SCHEDULE_DELAY=\"abc\" is not a number of "
		 "milliseconds; using 5000\n"},
		{"OTEL_BSP_SCHEDULE_DELAY=-1", "OTEL_BSP_SCHEDULE_DELAY=\"-1\""},
		{"OTEL_BSP_SCHEDULE_DELAY=5s", "OTEL_BSP_SCHEDULE_DELAY=\"5s\""},
		{"OTEL_BSP_SCHEDULE_DELAY=99999999999", "OTEL_BSP_SCHEDULE_DELAY=\"99999999999\""},
		{"OTEL_BSP_MAX_QUEUE_SIZE=0", "OTEL_BSP_MAX_QUEUE_SIZE=\"0\""},
		{"OTEL_SDK_DISABLED=1", "OTEL_SDK_DISABLED=\"1\" is neither true nor false; using false"},
		{"OTEL_TRACES_SAMPLER=Jaeger_Remote", "OTEL_TRACES_SAMPLER=\"Jaeger_Remote\" is not one of"},
		{"OTEL_LOG_LEVEL=loud", "OTEL_LOG_LEVEL=\"loud\""},
		{"TAGALONG_QUEUE_BYTES=4X", "TAGALONG_QUEUE_BYTES=\"4X\""},
		{"TAGALONG_QUEUE_BYTES=63K", "TAGALONG_QUEUE_BYTES=\"63K\""},
		{"TAGALONG_QUEUE_BYTES=2G", "TAGALONG_QUEUE_BYTES=\"2G\""},
		{"TAGALONG_MAX_CONNECTIONS=15", "TAGALONG_MAX_CONNECTIONS=\"15\""},
		{"OTEL_TRACES_EXPORTER=zipkin,otlp", "\"zipkin\" is not known"},
		{"OTEL_PROPAGATORS=b4,tracecontext,baggage", "\"b4\" is not known"},
		{"OTEL_TRACES_EXPORTER=zipkin",
		 "OTEL_TRACES_EXPORTER=\"zipkin\" names no exporter; using otlp"},
		{"OTEL_METRICS_EXPORTER=prometheus",
		 "OTEL_METRICS_EXPORTER=\"prometheus\" names no exporter; using otlp"},
		{"OTEL_PROPAGATORS=b4,b5",
		 "OTEL_PROPAGATORS=\"b4,b5\" names no propagator; using tracecontext,baggage"},
		{"OTEL_EXPORTER_OTLP_TIMEOUT=-1", "OTEL_EXPORTER_OTLP_TIMEOUT=\"-1\""},
		{"OTEL_SPAN_EVENT_COUNT_LIMIT=many", "OTEL_SPAN_EVENT_COUNT_LIMIT=\"many\""},
		{"OTEL_METRIC_EXPORT_INTERVAL=1m", "OTEL_METRIC_EXPORT_INTERVAL=\"1m\""},
		{"TAGALONG_PROCESS_SPANS=yes", "TAGALONG_PROCESS_SPANS=\"yes\" is neither true nor false"},
		{"OTEL_EXPORTER_OTLP_COMPRESSION=zstd", "OTEL_EXPORTER_OTLP_COMPRESSION=\"zstd\""},
		{"OTEL_EXPORTER_OTLP_PROTOCOL=grpc", "using http/protobuf"},
		{"OTEL_EXPORTER_OTLP_CERTIFICATE=/ca.pem", "https is not there yet"},
		{"TAGALONG_CORRELATE=:foo,x-request-id", "warn config: TAGALONG_CORRELATE: \":foo\" is left "
							 "out: there is no such name; what is no header is "
							 ":request\n"},
		{"TAGALONG_CORRELATE=:request,9digits", "\"9digits\" is left out: it begins with no letter"},
		{"TAGALONG_CORRELATE=a,b,:Request,c,d,e", "\"e\" is left out: there are too many"},
		{"TAGALONG_STACK_THRESHOLD=never", "TAGALONG_STACK_THRESHOLD=\"never\" is neither a number "
						   "of milliseconds nor off; using 1000"},
		{"OTEL_CONFIG_FILE=/x.yaml", "error config: OTEL_CONFIG_FILE=\"/x.yaml\" is NOT READ"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		load(rows[i].entry);
		assert_said(rows[i].line);
		assert_int_equal(config.bsp_schedule_delay, 5000);
		assert_int_equal(config.queue_bytes, 4 << 20);
		assert_false(config.sdk_disabled);
		assert_int_equal(config.root_sampler.root, SAMPLER_ALWAYS_ON);
		assert_int_equal(config.traces_exporters, EXPORTER_OTLP);
		assert_int_equal(config.formats[1], FORMAT_BAGGAGE);
		assert_string_equal(config.traces.protocol, "http/protobuf");
		assert_int_equal(config.metrics_exporters, EXPORTER_OTLP);
		assert_int_equal(config.traces.timeout, 10000);
	}
}

/* An unusable value of a signal falls to the general one, not to the default (otel.md 1.1). */
static void test_load_takes_the_names_that_are_passed_on(void **state)
{
	(void)state;
	load("TAGALONG_CORRELATE=:request");
	assert_silent();
	load("TAGALONG_CORRELATE=a,b,:Request,c,d");
	assert_silent();
}

static void test_load_falls_to_the_next_source(void **state)
{
	(void)state;
	load("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT=x", "OTEL_EXPORTER_OTLP_TIMEOUT=7");
	assert_said("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT=\"x\"");
	assert_int_equal(config.traces.timeout, 7);
	load("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=smoke", "OTEL_EXPORTER_OTLP_PROTOCOL=http/json");
	assert_said("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=\"smoke\"");
	assert_string_equal(config.traces.protocol, "http/json");
	load("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT=-1", "OTEL_ATTRIBUTE_COUNT_LIMIT=7");
	assert_said("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT=\"-1\"");
	assert_int_equal(config.span_limits.count, 7);
	load("OTEL_EXPORTER_OTLP_TRACES_HEADERS=", "OTEL_EXPORTER_OTLP_HEADERS=a=b",
	     "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION=", "OTEL_EXPORTER_OTLP_COMPRESSION=gzip");
	assert_silent();
	assert_string_equal(config.traces.headers, "a=b");
	assert_true(config.traces.gzip);
}

static void test_load_takes_values_by_type(void **state)
{
	(void)state;
	load("OTEL_BSP_SCHEDULE_DELAY= 0\t", "OTEL_EXPORTER_OTLP_TIMEOUT=0", "OTEL_SDK_DISABLED=TRUE",
	     "TAGALONG_QUEUE_BYTES=2m", "OTEL_SERVICE_NAME=", "OTEL_EXPORTER_OTLP_COMPRESSION=GZIP",
	     "OTEL_EXPORTER_OTLP_METRICS_TIMEOUT=7", "OTEL_TRACES_EXPORTER=OTLP_file,console",
	     "TAGALONG_STACK_THRESHOLD=OFF");
	assert_silent();
	assert_true(config.stack_after == UINT64_MAX);
	assert_int_equal(config.bsp_schedule_delay, 0);
	assert_int_equal(config.traces.timeout, INT32_MAX);
	assert_int_equal(config.metrics.timeout, 7);
	assert_true(config.sdk_disabled);
	assert_int_equal(config.queue_bytes, 2 << 20);
	assert_null(config.service_name);
	assert_true(config.traces.gzip);
	assert_int_equal(config.traces_exporters, EXPORTER_FILE | EXPORTER_CONSOLE);
	assert_int_equal(config.metrics_exporters, 0);
	load("TAGALONG_STACK_THRESHOLD=20");
	assert_true(config.stack_after == 20000000);
	load(NULL);
	assert_true(config.stack_after == 1000000000);
}

static void test_load_applies_the_url_rule(void **state)
{
	static const struct {
		const char *entry, *traces, *host;
		uint16_t port;
	} rows[] = {
		{"OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4318", "http://c:4318/v1/traces", "c", 4318},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4318/x/", "http://c:4318/x/v1/traces", "c", 4318},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=http://c/x", "http://c/x/v1/traces", "c", 80},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=HTTP://[::1]:1/", "http://[::1]:1/v1/traces", "::1", 1},
		{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://c:4318", "http://c:4318/", "c", 4318},
		{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://h/v1/traces/", "http://h/v1/traces/", "h", 80},
		{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://h/p?key=s#f", "http://h/p", "h", 80},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		load(rows[i].entry);
		assert_silent();
		assert_true(config.traces.usable);
		assert_string_equal(config.traces.url, rows[i].traces);
		assert_string_equal(config.traces.host, rows[i].host);
		assert_int_equal(config.traces.port, rows[i].port);
	}
	assert_string_equal(config.traces.path, "/p?key=s");
}

static void test_load_refuses_what_is_no_url(void **state)
{
	static const char *const rows[] = {
		"OTEL_EXPORTER_OTLP_ENDPOINT=c:4318",         "OTEL_EXPORTER_OTLP_ENDPOINT=http://",
		"OTEL_EXPORTER_OTLP_ENDPOINT=http://c:0",     "OTEL_EXPORTER_OTLP_ENDPOINT=http://c:65536",
		"OTEL_EXPORTER_OTLP_ENDPOINT=http://c:",      "OTEL_EXPORTER_OTLP_ENDPOINT=http://c/a b",
		"OTEL_EXPORTER_OTLP_ENDPOINT=http://c/\r\nX", "OTEL_EXPORTER_OTLP_ENDPOINT=http://[::1",
		"OTEL_EXPORTER_OTLP_ENDPOINT=https://c",
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		load(rows[i]);
		assert_said("nothing is sent");
		assert_false(config.traces.usable);
		assert_false(config.metrics.usable);
	}
}

static void test_load_says_no_secret(void **state)
{
	(void)state;
	load("OTEL_EXPORTER_OTLP_HEADERS=api-key=hunter2",
	     "OTEL_EXPORTER_OTLP_ENDPOINT=https://me:hunter2@c/?k=hunter2",
	     "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=http://me:hunter2@c/", "OTEL_LOG_LEVEL=trace");
	assert_int_equal(lines_said(), 2);
	assert_null(strstr(said, "hunter2"));
	assert_string_equal(config.traces.headers, "api-key=hunter2");
	assert_string_equal(config.metrics.url, "http://c/");
}

static void test_load_clamps_the_batch_to_the_queue(void **state)
{
	(void)state;
	load("OTEL_BSP_MAX_QUEUE_SIZE=100");
	assert_silent();
	assert_int_equal(config.bsp_max_export_batch_size, 100);
	load("OTEL_BSP_MAX_QUEUE_SIZE=1000", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE=2000");
	assert_said("OTEL_BSP_MAX_EXPORT_BATCH_SIZE=\"2000\" is more than OTEL_BSP_MAX_QUEUE_SIZE=1000; "
		    "using 512");
	assert_int_equal(config.bsp_max_export_batch_size, 512);
}

static void test_load_reads_propagators(void **state)
{
	(void)state;
	load("OTEL_PROPAGATORS=B3, xray,,b3");
	assert_silent();
	assert_int_equal(config.formats[0], FORMAT_B3);
	assert_int_equal(config.formats[1], FORMAT_XRAY);
	assert_int_equal(config.formats[2], 0);
	load("OTEL_PROPAGATORS=none");
	assert_silent();
	assert_int_equal(config.formats[0], 0);
	assert_int_equal(context_formats(), 0);
	load("OTEL_PROPAGATORS=b3,none");
	assert_said("none besides others; using none");
	assert_int_equal(config.formats[0], 0);
	load("OTEL_PROPAGATORS=,");
	assert_said("names no propagator");
	assert_int_equal(context_formats(), FORMAT_TRACECONTEXT | FORMAT_BAGGAGE);
}

static void test_load_reads_the_samplers_argument_with_a_sampler_only(void **state)
{
	(void)state;
	load("OTEL_TRACES_SAMPLER_ARG=nonsense");
	assert_silent();
	load("OTEL_TRACES_SAMPLER=parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG=0.25");
	assert_silent();
	assert_true(config.root_sampler.parent_based);
	assert_true(config.root_sampler.ratio == 0.25);
	load("OTEL_TRACES_SAMPLER=traceidratio", "OTEL_TRACES_SAMPLER_ARG=1.5");
	assert_said("OTEL_TRACES_SAMPLER_ARG=\"1.5\" is not a probability from 0 to 1; using 1");
	assert_false(config.root_sampler.parent_based);
	load("OTEL_TRACES_SAMPLER=traceidratio", "OTEL_TRACES_SAMPLER_ARG=nan");
	assert_said("\"nan\"");
	assert_true(config.root_sampler.ratio == 1);
}

static void test_load_resource_is_whole_or_nothing(void **state)
{
	(void)state;
	load("OTEL_RESOURCE_ATTRIBUTES= a = x%2Cy%3d ,b=,a=2,");
	assert_silent();
	assert_int_equal(config.resource_count, 2);
	assert_string_equal(config.resource[0].key.ptr, "a");
	assert_string_equal(config.resource[0].value.ptr, "2");
	assert_int_equal(config.resource[1].value.len, 0);
	load("OTEL_RESOURCE_ATTRIBUTES=a=1,b=%2");
	assert_said("error config: OTEL_RESOURCE_ATTRIBUTES=\"a=1,b=%2\" is discarded as a whole");
	assert_int_equal(config.resource_count, 0);
	load("OTEL_RESOURCE_ATTRIBUTES=a=1,b");
	assert_said("discarded");
	assert_int_equal(config.resource_count, 0);
	load("OTEL_RESOURCE_ATTRIBUTES=a=%ff");
	assert_said("discarded");
}

static void test_load_resolves_limits(void **state)
{
	(void)state;
	load("OTEL_ATTRIBUTE_COUNT_LIMIT=5", "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT=0");
	assert_int_equal(config.span_limits.count, 5);
	assert_int_equal(config.span_limits.value_length, 0);
	load("OTEL_ATTRIBUTE_COUNT_LIMIT=5", "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT=6");
	assert_int_equal(config.span_limits.count, 6);
}

static void test_load_stays_out_and_silent(void **state)
{
	(void)state;
	load("TAGALONG_DISABLED=true", "OTEL_BSP_SCHEDULE_DELAY=abc");
	assert_false(config.took_part);
	assert_silent();
	load("TAGALONG_EXCLUDE=x, ser*r", "OTEL_CONFIG_FILE=x");
	assert_false(config.took_part);
	assert_silent();
	load("TAGALONG_INCLUDE=nginx,python3*");
	assert_false(config.took_part);
	load_as("python3.11", (const char *const[]){"TAGALONG_INCLUDE=nginx,python3*", NULL});
	assert_true(config.took_part);
	load("OTEL_LOG_LEVEL=none", "OTEL_BSP_SCHEDULE_DELAY=abc");
	assert_silent();
}

static void test_glob_list_matches(void **state)
{
	(void)state;
	assert_true(config_glob_list("a*c", "abbc"));
	assert_true(config_glob_list("x,*", ""));
	assert_true(config_glob_list("*a*b", "xaxaxb"));
	assert_true(config_glob_list("p?p", "php"));
	assert_false(config_glob_list("p?p", "pp"));
	assert_false(config_glob_list("", "a"));
	assert_false(config_glob_list("a*c", "abbcd"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_load_defaults_are_silent),
		cmocka_unit_test(test_load_warns_once_and_uses_the_default),
		cmocka_unit_test(test_load_takes_the_names_that_are_passed_on),
		cmocka_unit_test(test_load_falls_to_the_next_source),
		cmocka_unit_test(test_load_takes_values_by_type),
		cmocka_unit_test(test_load_applies_the_url_rule),
		cmocka_unit_test(test_load_refuses_what_is_no_url),
		cmocka_unit_test(test_load_says_no_secret),
		cmocka_unit_test(test_load_clamps_the_batch_to_the_queue),
		cmocka_unit_test(test_load_reads_propagators),
		cmocka_unit_test(test_load_reads_the_samplers_argument_with_a_sampler_only),
		cmocka_unit_test(test_load_resource_is_whole_or_nothing),
		cmocka_unit_test(test_load_resolves_limits),
		cmocka_unit_test(test_load_stays_out_and_silent),
		cmocka_unit_test(test_glob_list_matches),
	};
	return cmocka_run_group_tests(tests, open_log, remove_log);
}
