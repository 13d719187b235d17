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

void metrics_start(void)
{
	started = clock_wall(clock_now());
	last_sum = 0;
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

void metrics_exported(void)
{
	last_sum = sum_of_all();
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
static void point(struct buffer *sum, uint64_t value, const char *key, const char *text, bool component)
{
	struct buffer out = {0};
	fixed64(&out, 0x11, started);
	fixed64(&out, 0x19, clock_wall(clock_now()));
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
	buffer_add(sum, "\x10\x02", 2); /* cumulative */
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
	point(&sum, value, "", "", is_component(name));
	metric(out, &row, false, &sum);
}

void metrics_encode(struct buffer *out)
{
	struct buffer sum = {0};
	int first = 0;
	for (int i = 0; i < COUNTER_COUNT; i++) {
		bool last = i + 1 == COUNTER_COUNT || strcmp(rows[i].metric, rows[i + 1].metric) != 0;
		point(&sum, atomic_load_explicit(&counters[i], memory_order_relaxed), rows[i].key,
		      rows[i].value, is_component(rows[i].metric));
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
