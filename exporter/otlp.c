#include "exporter/otlp.h"

#include <stdlib.h>
#include <string.h>

#include "exporter/json.h"
#include "exporter/metrics.h"
#include "exporter/resource.h"

static struct buffer resource, scope, resource_json, scope_json;

static void to_json(struct buffer *out, const ProtobufCMessageDescriptor *type, const struct buffer *encoded)
{
	ProtobufCMessage *message =
		protobuf_c_message_unpack(type, NULL, encoded->len, (const uint8_t *)encoded->data);
	if (!message) {
		buffer_text(out, "{}");
		return;
	}
	json_message(out, message);
	protobuf_c_message_free_unpacked(message, NULL);
}

void otlp_start(void)
{
	buffer_clear(&resource);
	buffer_clear(&scope);
	buffer_clear(&resource_json);
	buffer_clear(&scope_json);
	resource_encode(&resource);
	resource_scope(&scope);
	to_json(&resource_json, &otlp__resource__descriptor, &resource);
	to_json(&scope_json, &otlp__scope__descriptor, &scope);
}

static size_t varint_size(size_t value)
{
	size_t n = 1;
	while (value >= 0x80) {
		value >>= 7;
		n++;
	}
	return n;
}

static size_t field_size(size_t len)
{
	return 1 + varint_size(len) + len;
}

static void open_field(struct buffer *out, uint8_t tag, size_t len)
{
	buffer_byte(out, tag);
	buffer_varint(out, len);
}

void otlp_protobuf(struct buffer *out, const struct batch *batch)
{
	struct bytes schema = BYTES(RESOURCE_SCHEMA);
	size_t spans = 0;
	for (size_t i = 0; i < batch->count; i++)
		spans += field_size(batch->records[i].payload.len);
	size_t scope_spans = field_size(scope.len) + spans + field_size(schema.len);
	size_t resource_spans = field_size(resource.len) + field_size(scope_spans) + field_size(schema.len);

	buffer_reserve(out, field_size(resource_spans));
	open_field(out, 0x0a, resource_spans);
	buffer_field(out, 0x0a, buffer_bytes(&resource));
	open_field(out, 0x12, scope_spans);
	buffer_field(out, 0x0a, buffer_bytes(&scope));
	for (size_t i = 0; i < batch->count; i++)
		buffer_field(out, 0x12, batch->records[i].payload);
	buffer_field(out, 0x1a, schema);
	buffer_field(out, 0x1a, schema);
}

void otlp_json(struct buffer *out, const struct batch *batch)
{
	bool first = true;
	buffer_text(out, "{\"resourceSpans\":[{\"resource\":");
	buffer_add(out, resource_json.data, resource_json.len);
	buffer_text(out, ",\"scopeSpans\":[{\"scope\":");
	buffer_add(out, scope_json.data, scope_json.len);
	buffer_text(out, ",\"spans\":[");
	for (size_t i = 0; i < batch->count; i++) {
		struct bytes payload = batch->records[i].payload;
		Otlp__Span *span = otlp__span__unpack(NULL, payload.len, (const uint8_t *)payload.ptr);
		if (!span)
			continue;
		if (!first)
			buffer_byte(out, ',');
		first = false;
		json_message(out, &span->base);
		otlp__span__free_unpacked(span, NULL);
	}
	buffer_text(out,
		    "],\"schemaUrl\":\"" RESOURCE_SCHEMA "\"}],\"schemaUrl\":\"" RESOURCE_SCHEMA "\"}]}");
}

/* --- metrics: the envelope as above, around what metrics.c encodes -----------------------------------------
 */

void otlp_metrics(struct buffer *out, bool json)
{
	Otlp__MetricsData data = OTLP__METRICS_DATA__INIT;
	Otlp__ResourceMetrics resource_metrics = OTLP__RESOURCE_METRICS__INIT;
	Otlp__ScopeMetrics scope_metrics = OTLP__SCOPE_METRICS__INIT;
	Otlp__ResourceMetrics *one_resource = &resource_metrics;
	Otlp__ScopeMetrics *one_scope = &scope_metrics;

	data.resource_metrics = &one_resource;
	data.n_resource_metrics = 1;
	resource_metrics.scope_metrics = &one_scope;
	resource_metrics.n_scope_metrics = 1;
	resource_metrics.resource =
		otlp__resource__unpack(NULL, resource.len, (const uint8_t *)resource.data);
	scope_metrics.scope = otlp__scope__unpack(NULL, scope.len, (const uint8_t *)scope.data);
	metrics_encode(&scope_metrics);
	if (json) {
		json_message(out, &data.base);
	} else {
		size_t size = otlp__metrics_data__get_packed_size(&data);
		if (buffer_reserve(out, size))
			out->len += otlp__metrics_data__pack(&data, (uint8_t *)out->data + out->len);
	}
	metrics_release(&scope_metrics);
	if (resource_metrics.resource)
		otlp__resource__free_unpacked(resource_metrics.resource, NULL);
	if (scope_metrics.scope)
		otlp__scope__free_unpacked(scope_metrics.scope, NULL);
}
