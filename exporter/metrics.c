#include "exporter/metrics.h"

#include <string.h>

#include "preload/clock.h"
#include "preload/config.h"
#include "preload/counters.h"
#include "preload/queue.h"

struct row {
	const char *metric, *unit, *key, *value, *help;
};

static const struct row rows[COUNTER_COUNT] = {
#define COUNTER(name, metric, unit, key, value, help) {metric, unit, key, value, help},
#include "preload/counters.def"
#undef COUNTER
};

static uint64_t started, last_sum;
static uint64_t taken, taken_count[COUNTER_COUNT];         /* the snapshot: when, and what */
static uint64_t delivered, delivered_count[COUNTER_COUNT]; /* the one before that somebody has */

void metrics_start(void)
{
	started = delivered = clock_wall(clock_now());
	last_sum = 0;
	memset(delivered_count, 0, sizeof(delivered_count));
}

void metrics_snapshot(void)
{
	taken = clock_wall(clock_now());
	for (int i = 0; i < COUNTER_COUNT; i++)
		taken_count[i] = atomic_load_explicit(&counters[i], memory_order_relaxed);
}

/* "lowmemory" differs only for instruments that we do not have. */
static bool is_delta(void)
{
	return config.metrics_temporality && strcmp(config.metrics_temporality, "cumulative") != 0;
}

static uint64_t sum_of_all(void)
{
	uint64_t sum = 0;
	for (int i = 0; i < COUNTER_COUNT; i++)
		sum += atomic_load_explicit(&counters[i], memory_order_relaxed);
	return sum;
}

bool metrics_changed(void)
{
	return sum_of_all() != last_sum;
}

void metrics_exported(bool was_delivered)
{
	if (!was_delivered && is_delta())
		return; /* it is tried again with the next */
	last_sum = 0;
	for (int i = 0; i < COUNTER_COUNT; i++)
		last_sum += taken_count[i];
	if (!was_delivered)
		return;
	delivered = taken;
	memcpy(delivered_count, taken_count, sizeof(delivered_count));
}

/* One message inside another; a failure to allocate is handed on. */
static void nest(struct buffer *out, uint8_t tag, struct buffer *inner)
{
	buffer_field(out, tag, buffer_bytes(inner));
	out->failed |= inner->failed;
	buffer_free(inner);
}

static void fixed64(struct buffer *out, uint8_t tag, uint64_t value)
{
	buffer_byte(out, tag);
	for (int i = 0; i < 8; i++)
		buffer_byte(out, (uint8_t)(value >> 8 * i));
}

/* NumberDataPoint.attributes. */
static void attribute(struct buffer *point, const char *key, const char *text)
{
	struct buffer any = {0}, pair = {0};
	if (!key[0])
		return;
	buffer_field(&any, 0x0a, bytes_of(text));
	buffer_field(&pair, 0x0a, bytes_of(key));
	nest(&pair, 0x12, &any);
	nest(point, 0x3a, &pair);
}

/* Appends Sum.data_points. */
static void point(struct buffer *sum, uint64_t since, uint64_t value, const char *key, const char *text,
		  bool component)
{
	struct buffer out = {0};
	fixed64(&out, 0x11, since);
	fixed64(&out, 0x19, taken);
	fixed64(&out, 0x31, value);
	attribute(&out, key, text);
	if (component) {
		attribute(&out, "otel.component.name", "batching_span_processor/0");
		attribute(&out, "otel.component.type", "batching_span_processor");
	}
	nest(sum, 0x0a, &out);
}

/* Appends ScopeMetrics.metrics, around the points in `sum`. */
static void metric(struct buffer *out, const struct row *row, bool monotonic, struct buffer *sum)
{
	struct buffer metric = {0};
	/* Levels go up and down, and are cumulative always. */
	buffer_add(sum, monotonic && is_delta() ? "\x10\x01" : "\x10\x02", 2);
	if (monotonic)
		buffer_add(sum, "\x18\x01", 2);
	buffer_field(&metric, 0x0a, bytes_of(row->metric));
	buffer_field(&metric, 0x12, bytes_of(row->help));
	buffer_field(&metric, 0x1a, bytes_of(row->unit));
	nest(&metric, 0x3a, sum);
	nest(out, 0x12, &metric);
}

static bool is_component(const char *name)
{
	return strncmp(name, "otel.sdk.processor.", 19) == 0;
}

static void level(struct buffer *out, const char *name, const char *unit, const char *help, uint64_t value)
{
	struct row row = {name, unit, "", "", help};
	struct buffer sum = {0};
	point(&sum, started, value, "", "", is_component(name));
	metric(out, &row, false, &sum);
}

void metrics_encode(struct buffer *out)
{
	struct buffer sum = {0};
	int first = 0;
	for (int i = 0; i < COUNTER_COUNT; i++) {
		bool last = i + 1 == COUNTER_COUNT || strcmp(rows[i].metric, rows[i + 1].metric) != 0;
		uint64_t count = taken_count[i] - (is_delta() ? delivered_count[i] : 0);
		point(&sum, is_delta() ? delivered : started, count, rows[i].key, rows[i].value,
		      is_component(rows[i].metric));
		if (!last)
			continue;
		metric(out, &rows[first], true, &sum);
		first = i + 1;
	}
	level(out, "otel.sdk.processor.span.queue.size", "{span}", "spans in the queue", queue_records());
	if (config.bsp_max_queue_size && config.bsp_max_queue_size != UINT32_MAX)
		level(out, "otel.sdk.processor.span.queue.capacity", "{span}", "most spans in the queue",
		      config.bsp_max_queue_size);
	level(out, "tagalong.queue.bytes", "By", "bytes of the queue in use", queue_used());
	level(out, "tagalong.queue.capacity", "By", "bytes of the queue", queue_capacity());
}
