/* test_span.c - most spans are written where they are to stand in the queue: as those that are put together
 * first, and as long as was said. Read back by protobuf-c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/otlp.pb-c.h"
#include "preload/clock.h"
#include "preload/config.h"
#include "preload/counters.h"
#include "preload/pool.h"
#include "preload/queue.h"
#include "preload/span.h"

static char long_name[SPAN_NAME];

static int fresh(void **state)
{
	(void)state;
	queue_set_waker(NULL);
	assert_true(queue_open(65536, 0));
	queue_forked();
	for (size_t i = 0; i < sizeof(long_name); i++)
		long_name[i] = (char)('a' + i % 26);
	return 0;
}

struct kind {
	size_t name_len;
	bool child, failed, attributes, state, dropped;
};

static struct span *make(const struct kind *kind)
{
	struct span *span = span_begin(SPAN_CLIENT, 1000);
	struct context parent = {.valid = true, .remote = kind->child, .flags = FLAG_SAMPLED};
	memset(parent.trace_id, 0xab, 16);
	memset(parent.span_id, 0xcd, 8);
	if (kind->state)
		parent.tracestate = BYTES("a=b");
	assert_non_null(span);
	span_identify(span, kind->child ? &parent : NULL);
	memset(span->name, 0xee, sizeof(span->name)); /* of this nothing may come out */
	span_name(span, (struct bytes){long_name, kind->name_len});
	if (kind->attributes)
		attrs_string(&span->attrs, BYTES("key"), BYTES("value"));
	if (kind->failed)
		span_error(span, BYTES("timeout"));
	span->attrs.dropped += kind->dropped;
	return span;
}

static void check(const struct kind *kind)
{
	struct queue_record record;
	struct span *span = make(kind);
	uint8_t span_id[8];
	memcpy(span_id, span->context.span_id, 8);
	span_end(span, 1500);
	assert_int_equal(queue_peek(&record, 1, SIZE_MAX), 1);
	assert_int_equal(record.kind, RECORD_SPAN);
	/* A byte too many would be a field of its own, and 0 is none. */
	Otlp__Span *out = otlp__span__unpack(NULL, record.payload.len, (const uint8_t *)record.payload.ptr);
	if (!out)
		fail_msg("name of %zu, %d %d %d", kind->name_len, kind->child, kind->failed,
			 kind->attributes);
	assert_int_equal(strlen(out->name), kind->name_len);
	assert_memory_equal(out->name, long_name, kind->name_len);
	assert_int_equal(out->base.n_unknown_fields, 0);
	assert_int_equal(out->trace_id.len, 16);
	assert_memory_equal(out->span_id.data, span_id, 8);
	assert_int_equal(out->parent_span_id.len, kind->child ? 8 : 0);
	if (kind->child)
		assert_int_equal(out->parent_span_id.data[7], 0xcd);
	assert_string_equal(out->trace_state, kind->state && kind->child ? "a=b" : "");
	assert_int_equal(out->kind, 3);
	assert_int_equal(out->end_time_unix_nano - out->start_time_unix_nano, 500);
	assert_int_equal(out->status ? out->status->code : 0, kind->failed ? 2 : 0);
	assert_int_equal(out->n_attributes, (size_t)kind->attributes + kind->failed);
	assert_int_equal(out->dropped_attributes_count, kind->dropped);
	assert_int_equal(out->flags & 0x301, kind->child ? 0x301 : 0x101);
	otlp__span__free_unpacked(out, NULL);
	queue_release(1);
	assert_int_equal(queue_used(), 0);
}

static void test_each_kind_reads_back(void **state)
{
	(void)state;
	static const size_t names[] = {0, 1, 7, 8, 15, 16, 17, 31, 126, 127, 128, SPAN_NAME};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		for (unsigned bits = 0; bits < 32 && names[i] <= SPAN_NAME; bits++) {
			struct kind kind = {names[i], bits & 1, bits & 2, bits & 4, bits & 8, bits & 16};
			check(&kind);
		}
}

/* Whatever was in the ring before, at whatever place. */
static void test_spans_lie_one_behind_the_other(void **state)
{
	(void)state;
	struct queue_record records[3];
	for (size_t i = 0; i < 3000; i++) {
		struct kind kind = {i % 40, i & 1, i & 2, i & 4, false, false};
		span_end(make(&kind), 1500);
		span_end(make(&kind), 1500);
		assert_int_equal(queue_peek(records, 3, SIZE_MAX), 2);
		assert_int_equal(records[0].payload.len, records[1].payload.len);
		for (int j = 0; j < 2; j++) {
			Otlp__Span *out = otlp__span__unpack(NULL, records[j].payload.len,
							     (const uint8_t *)records[j].payload.ptr);
			assert_non_null(out);
			assert_int_equal(strlen(out->name), i % 40);
			otlp__span__free_unpacked(out, NULL);
		}
		queue_release(2);
	}
	assert_int_equal(queue_used(), 0);
}

static void test_no_room_is_counted_and_no_span_queued(void **state)
{
	(void)state;
	struct kind kind = {.name_len = 100, .attributes = true};
	uint64_t full = count_get(spans_queue_full), queued = count_get(spans_queued);
	uint32_t tries = 1000;
	for (uint32_t i = 0; i < tries; i++)
		span_end(make(&kind), 1500);
	uint32_t there = queue_records();
	assert_true(there > 100 && there < tries);
	assert_int_equal(count_get(spans_queued) - queued, there);
	assert_int_equal(count_get(spans_queue_full) - full, tries - there);
	queue_release(there);
}

static int setup(void **state)
{
	(void)state;
	char *env[] = {NULL};
	config_load(env, "test");
	clock_adjust();
	return span_init(64) && blocks_init(64) ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_each_kind_reads_back, fresh),
		cmocka_unit_test_setup(test_spans_lie_one_behind_the_other, fresh),
		cmocka_unit_test_setup(test_no_room_is_counted_and_no_span_queued, fresh),
	};
	return cmocka_run_group_tests(tests, setup, NULL);
}
