/* What the span writer and the envelopes make, read back by protobuf-c: the oracle that our own encoding is
 * right. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "exporter/http.h"
#include "exporter/json.h"
#include "exporter/metrics.h"
#include "exporter/otlp.h"
#include "preload/clock.h"
#include "preload/config.h"
#include "preload/counters.h"
#include "preload/queue.h"
#include "preload/span.h"

static void make_span(uint64_t start, uint64_t end, bool child)
{
	struct span *span = span_begin(SPAN_SERVER, start);
	struct context parent = {.valid = true,
				 .remote = true,
				 .flags = FLAG_SAMPLED | FLAG_RANDOM,
				 .tracestate = BYTES("a=b,c=d")};
	memset(parent.trace_id, 0xab, 16);
	memset(parent.span_id, 0xcd, 8);
	assert_non_null(span);
	span_identify(span, child ? &parent : NULL);
	span_name(span, BYTES("GET /x"));
	attrs_string(&span->attrs, BYTES("text"), BYTES("a \"quoted\"\nline \xc3\xa4"));
	attrs_string(&span->attrs, BYTES("not.utf8"), BYTES("\xff\xfe"));
	attrs_int(&span->attrs, BYTES("zero"), 0);
	attrs_int(&span->attrs, BYTES("minus"), -5);
	attrs_bool(&span->attrs, BYTES("no"), false);
	attrs_double(&span->attrs, BYTES("half"), 0.5);
	if (child)
		span_error(span, BYTES("timeout"));
	span->link = (struct parent_link){
		.trace_id = "follows this one", .span_id = {7, 8, 9}, .flags = 3, .set = true};
	span_end(span, end);
}

static size_t take(struct queue_record *records, size_t max)
{
	return queue_peek(records, max, SIZE_MAX);
}

static void test_span_reads_back(void **state)
{
	(void)state;
	struct queue_record record;
	uint64_t now = clock_now();
	make_span(now, now + 12345, true);
	assert_int_equal(take(&record, 1), 1);
	Otlp__Span *span = otlp__span__unpack(NULL, record.payload.len, (const uint8_t *)record.payload.ptr);
	assert_non_null(span);
	assert_int_equal(span->trace_id.len, 16);
	assert_int_equal(span->trace_id.data[7], 0xab);
	assert_int_equal(span->span_id.len, 8);
	assert_int_equal(span->parent_span_id.data[0], 0xcd);
	assert_string_equal(span->trace_state, "a=b,c=d");
	assert_string_equal(span->name, "GET /x");
	assert_int_equal(span->kind, 2);
	assert_int_equal(span->end_time_unix_nano - span->start_time_unix_nano, 12345);
	assert_true(span->start_time_unix_nano > 1600000000000000000u);
	assert_int_equal(span->status->code, 2);
	assert_int_equal(span->flags, 0x303);
	assert_int_equal(span->n_attributes, 7);
	assert_string_equal(span->attributes[0]->value->string_value, "a \"quoted\"\nline \xc3\xa4");
	assert_int_equal(span->attributes[1]->value->value_case, OTLP__ANY_VALUE__VALUE_BYTES_VALUE);
	assert_int_equal(span->attributes[2]->value->value_case, OTLP__ANY_VALUE__VALUE_INT_VALUE);
	assert_int_equal(span->attributes[3]->value->int_value, -5);
	assert_int_equal(span->attributes[4]->value->value_case, OTLP__ANY_VALUE__VALUE_BOOL_VALUE);
	assert_true(span->attributes[5]->value->double_value == 0.5);
	assert_string_equal(span->attributes[6]->key, "error.type");
	assert_int_equal(span->n_links, 0); /* it has a parent */
	otlp__span__free_unpacked(span, NULL);
	queue_release(1);
}

static void test_root_has_no_parent_and_is_random(void **state)
{
	(void)state;
	struct queue_record record;
	make_span(5, 6, false);
	assert_int_equal(take(&record, 1), 1);
	Otlp__Span *span = otlp__span__unpack(NULL, record.payload.len, (const uint8_t *)record.payload.ptr);
	assert_int_equal(span->parent_span_id.len, 0);
	assert_int_equal(span->flags, 0x103);
	assert_null(span->status);
	assert_int_equal(span->n_links, 1);
	assert_int_equal(span->links[0]->trace_id.len, 16);
	assert_memory_equal(span->links[0]->trace_id.data, "follows this one", 16);
	assert_int_equal(span->links[0]->span_id.len, 8);
	assert_int_equal(span->links[0]->span_id.data[2], 9);
	assert_int_equal(span->links[0]->flags, 0x103);
	assert_int_equal(span->dropped_links_count, 0);
	otlp__span__free_unpacked(span, NULL);
	queue_release(1);
}

static void test_no_more_links_than_wanted(void **state)
{
	(void)state;
	struct queue_record record;
	config.span_link_count_limit = 0;
	make_span(5, 6, false);
	config.span_link_count_limit = 128;
	assert_int_equal(take(&record, 1), 1);
	Otlp__Span *span = otlp__span__unpack(NULL, record.payload.len, (const uint8_t *)record.payload.ptr);
	assert_int_equal(span->n_links, 0);
	assert_int_equal(span->dropped_links_count, 1);
	otlp__span__free_unpacked(span, NULL);
	queue_release(1);
}

static void test_a_damaged_span_is_left_out_and_counted(void **state)
{
	(void)state;
	struct queue_record records[8];
	struct buffer whole = {0}, both = {0};
	uint64_t counted = count_get(spans_unreadable);
	make_span(5, 6, false);
	struct batch batch = {records, take(records, 1)};
	otlp_json(&whole, &batch);
	assert_int_equal(count_get(spans_unreadable), counted);
	records[1] = records[0];
	records[1].payload.len--;
	batch.count = 2;
	otlp_json(&both, &batch);
	assert_int_equal(count_get(spans_unreadable), counted + 1);
	assert_int_equal(both.len, whole.len);
	assert_memory_equal(both.data, whole.data, whole.len);
	queue_release(1);
	buffer_free(&whole);
	buffer_free(&both);
}

/* The two forms say the same: JSON made from the protobuf request equals the JSON request. */
static void test_json_equals_protobuf(void **state)
{
	(void)state;
	struct queue_record records[8];
	struct buffer packed = {0}, direct = {0}, through = {0};
	for (int i = 0; i < 5; i++)
		make_span(clock_now(), clock_now() + 10, i % 2);
	struct batch batch = {records, take(records, 8)};
	assert_int_equal(batch.count, 5);
	otlp_protobuf(&packed, &batch);
	otlp_json(&direct, &batch);
	Otlp__TracesData *data = otlp__traces_data__unpack(NULL, packed.len, (const uint8_t *)packed.data);
	assert_non_null(data);
	assert_int_equal(data->resource_spans[0]->scope_spans[0]->n_spans, 5);
	json_message(&through, &data->base);
	assert_int_equal(through.len, direct.len);
	assert_memory_equal(through.data, direct.data, direct.len);
	assert_null(memchr(direct.data, '\n', direct.len));
	otlp__traces_data__free_unpacked(data, NULL);
	queue_release(5);
	buffer_free(&packed);
	buffer_free(&direct);
	buffer_free(&through);
}

static void test_json_escapes(void **state)
{
	(void)state;
	struct buffer out = {0};
	json_string(&out, BYTES("q\" b\\ n\n t\t c\x01 d\x7f \xc3\xa4 bad\xff\xe2\x82 end"));
	buffer_byte(&out, 0);
	assert_string_equal(
		out.data,
		"\"q\\\" b\\\\ n\\n t\\t c\\u0001 d\\u007f \xc3\xa4 bad\\ufffd\\ufffd\\ufffd end\"");
	buffer_free(&out);
}

static bool has_attribute(const Otlp__Resource *resource, const char *key, const char *value)
{
	for (size_t i = 0; i < resource->n_attributes; i++)
		if (strcmp(resource->attributes[i]->key, key) == 0)
			return !value || strcmp(resource->attributes[i]->value->string_value, value) == 0;
	return false;
}

static void test_resource_ranks(void **state)
{
	(void)state;
	struct buffer packed = {0};
	struct batch none = {NULL, 0};
	otlp_protobuf(&packed, &none);
	Otlp__TracesData *data = otlp__traces_data__unpack(NULL, packed.len, (const uint8_t *)packed.data);
	const Otlp__Resource *resource = data->resource_spans[0]->resource;
	assert_true(has_attribute(resource, "service.name", "the-name"));    /* beats RESOURCE_ATTRIBUTES */
	assert_true(has_attribute(resource, "host.name", "named, by user")); /* beats the detector */
	assert_true(has_attribute(resource, "telemetry.sdk.name", "tagalong"));
	assert_true(has_attribute(resource, "process.executable.name", NULL));
	assert_true(has_attribute(resource, "os.type", "linux"));
	assert_true(has_attribute(resource, "service.instance.id", NULL));
	assert_false(has_attribute(resource, "process.command_args", NULL));
	otlp__traces_data__free_unpacked(data, NULL);
	buffer_free(&packed);
}

static void test_metrics_carry_every_counter(void **state)
{
	(void)state;
	struct buffer packed = {0};
	count_add(parser_malformed, 7);
	metrics_snapshot();
	otlp_metrics(&packed, false);
	Otlp__MetricsData *data = otlp__metrics_data__unpack(NULL, packed.len, (const uint8_t *)packed.data);
	assert_non_null(data);
	const Otlp__ScopeMetrics *scope = data->resource_metrics[0]->scope_metrics[0];
	size_t points = 0;
	bool found = false;
	for (size_t i = 0; i < scope->n_metrics; i++) {
		points += scope->metrics[i]->sum->n_data_points;
		if (strcmp(scope->metrics[i]->name, "tagalong.parser.gave_up") == 0)
			found = scope->metrics[i]->sum->data_points[0]->as_int == 7;
	}
	assert_int_equal(points, COUNTER_COUNT + 3);
	assert_true(found);
	otlp__metrics_data__free_unpacked(data, NULL);
	buffer_free(&packed);
}

/* The count of what broke a protocol's rules, and how it is said to be counted. */
static int64_t malformed(int *temporality)
{
	struct buffer packed = {0};
	int64_t count = -1;
	otlp_metrics(&packed, false);
	Otlp__MetricsData *data = otlp__metrics_data__unpack(NULL, packed.len, (const uint8_t *)packed.data);
	assert_non_null(data);
	const Otlp__ScopeMetrics *scope = data->resource_metrics[0]->scope_metrics[0];
	for (size_t i = 0; i < scope->n_metrics; i++) {
		const Otlp__Metric *metric = scope->metrics[i];
		if (strcmp(metric->name, "tagalong.parser.gave_up") == 0) {
			count = metric->sum->data_points[0]->as_int;
			*temporality = (int)metric->sum->aggregation_temporality;
		} else if (strcmp(metric->name, "tagalong.queue.bytes") == 0) {
			assert_int_equal(metric->sum->aggregation_temporality, 2);
		}
	}
	otlp__metrics_data__free_unpacked(data, NULL);
	buffer_free(&packed);
	return count;
}

static void test_metrics_delta_counts_since_the_last_delivery(void **state)
{
	(void)state;
	static const char *const preferences[] = {"cumulative", "delta", "lowmemory"};
	for (int i = 0; i < 3; i++) {
		int temporality = 0;
		int64_t before = (int64_t)atomic_load(&counters[COUNTER_parser_malformed]);
		bool delta = i > 0;
		config.metrics_temporality = preferences[i];
		metrics_start();
		metrics_snapshot();
		metrics_exported(true);
		count_add(parser_malformed, 3);
		metrics_snapshot();
		assert_int_equal(malformed(&temporality), delta ? 3 : before + 3);
		assert_int_equal(temporality, delta ? 1 : 2);
		metrics_exported(false); /* nobody has it */
		count_add(parser_malformed, 2);
		metrics_snapshot();
		assert_int_equal(malformed(&temporality), delta ? 5 : before + 5);
		assert_int_equal(malformed(&temporality), delta ? 5 : before + 5); /* a second destination */
		metrics_exported(true);
		metrics_snapshot();
		assert_int_equal(malformed(&temporality), delta ? 0 : before + 5);
	}
	config.metrics_temporality = "cumulative";
}

static void test_retry_after(void **state)
{
	(void)state;
	assert_int_equal(http_retry_after(BYTES("0"), 0), 0);
	assert_int_equal(http_retry_after(BYTES("120"), 0), 120000);
	assert_int_equal(http_retry_after(BYTES("Sun, 06 Nov 1994 08:49:37 GMT"), 784111777 - 30), 30000);
	assert_int_equal(http_retry_after(BYTES("Sun, 06 Nov 1994 08:49:37 GMT"), 784111777 + 5), 0);
	assert_int_equal(http_retry_after(BYTES("soon"), 0), -1);
	assert_int_equal(http_retry_after(BYTES(""), 0), -1);
}

static int set_up(void **state)
{
	char *env[] = {"OTEL_SERVICE_NAME=the-name",
		       "OTEL_RESOURCE_ATTRIBUTES=service.name=other,host.name=named%2C%20by%20user", NULL};
	(void)state;
	config_load(env, "test");
	clock_adjust();
	metrics_start();
	if (!span_init(64) || !queue_open(1 << 20, 0))
		return -1;
	otlp_start();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_span_reads_back),
		cmocka_unit_test(test_root_has_no_parent_and_is_random),
		cmocka_unit_test(test_a_damaged_span_is_left_out_and_counted),
		cmocka_unit_test(test_json_equals_protobuf),
		cmocka_unit_test(test_json_escapes),
		cmocka_unit_test(test_resource_ranks),
		cmocka_unit_test(test_metrics_carry_every_counter),
		cmocka_unit_test(test_metrics_delta_counts_since_the_last_delivery),
		cmocka_unit_test(test_retry_after),
		cmocka_unit_test(test_no_more_links_than_wanted),
	};
	return cmocka_run_group_tests(tests, set_up, NULL);
}
