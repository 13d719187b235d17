#include "exporter/metrics.h"

#include <stdlib.h>
#include <string.h>

#include "preload/clock.h"
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

static Otlp__KeyValue *pair(const char *key, const char *value)
{
	Otlp__KeyValue *pair = malloc(sizeof(*pair));
	Otlp__AnyValue *any = malloc(sizeof(*any));
	otlp__key_value__init(pair);
	otlp__any_value__init(any);
	pair->key = strdup(key);
	pair->value = any;
	any->value_case = OTLP__ANY_VALUE__VALUE_STRING_VALUE;
	any->string_value = strdup(value);
	return pair;
}

static Otlp__NumberDataPoint *point(int64_t value, const char *key, const char *text, bool component)
{
	Otlp__NumberDataPoint *point = malloc(sizeof(*point));
	otlp__number_data_point__init(point);
	point->start_time_unix_nano = started;
	point->time_unix_nano = clock_wall(clock_now());
	point->value_case = OTLP__NUMBER_DATA_POINT__VALUE_AS_INT;
	point->as_int = value;
	point->attributes = calloc(3, sizeof(*point->attributes));
	if (key[0])
		point->attributes[point->n_attributes++] = pair(key, text);
	if (component) {
		point->attributes[point->n_attributes++] =
			pair("otel.component.name", "batching_span_processor/0");
		point->attributes[point->n_attributes++] =
			pair("otel.component.type", "batching_span_processor");
	}
	return point;
}

static Otlp__Metric *metric(const char *name, const char *help, const char *unit, bool monotonic)
{
	Otlp__Metric *metric = malloc(sizeof(*metric));
	Otlp__Sum *sum = malloc(sizeof(*sum));
	otlp__metric__init(metric);
	otlp__sum__init(sum);
	metric->name = strdup(name);
	metric->description = strdup(help);
	metric->unit = strdup(unit);
	metric->data_case = OTLP__METRIC__DATA_SUM;
	metric->sum = sum;
	sum->aggregation_temporality = 2; /* cumulative */
	sum->is_monotonic = monotonic;
	sum->data_points = calloc(COUNTER_COUNT, sizeof(*sum->data_points));
	return metric;
}

static bool is_component(const char *name)
{
	return strncmp(name, "otel.sdk.processor.", 19) == 0;
}

static Otlp__Metric *gauge(const char *name, const char *help, int64_t value)
{
	Otlp__Metric *one = metric(name, help, "{span}", false);
	one->sum->data_points[one->sum->n_data_points++] = point(value, "", "", true);
	return one;
}

void metrics_encode(Otlp__ScopeMetrics *into)
{
	into->metrics = calloc(COUNTER_COUNT + 2, sizeof(*into->metrics));
	for (int i = 0; i < COUNTER_COUNT; i++) {
		bool fresh = i == 0 || strcmp(rows[i].metric, rows[i - 1].metric) != 0;
		if (fresh)
			into->metrics[into->n_metrics++] =
				metric(rows[i].metric, rows[i].help, rows[i].unit, true);
		Otlp__Sum *sum = into->metrics[into->n_metrics - 1]->sum;
		sum->data_points[sum->n_data_points++] =
			point((int64_t)atomic_load_explicit(&counters[i], memory_order_relaxed), rows[i].key,
			      rows[i].value, is_component(rows[i].metric));
	}
	into->metrics[into->n_metrics++] =
		gauge("otel.sdk.processor.span.queue.size", "spans in the queue", queue_records());
	into->metrics[into->n_metrics++] =
		gauge("tagalong.queue.bytes", "bytes of the queue in use", (int64_t)queue_used());
}

void metrics_release(Otlp__ScopeMetrics *from)
{
	for (size_t i = 0; i < from->n_metrics; i++)
		otlp__metric__free_unpacked(from->metrics[i], NULL);
	free(from->metrics);
	from->metrics = NULL;
	from->n_metrics = 0;
}
