#include "exporter/otlp.h"

#include <stdlib.h>
#include <string.h>

#include "exporter/json.h"
#include "exporter/json_wire.h"
#include "exporter/metrics.h"
#include "exporter/resource.h"
#include "preload/counters.h"

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
	buffer_forget(&resource);
	buffer_forget(&scope);
	buffer_forget(&resource_json);
	buffer_forget(&scope_json);
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

/* What there is room for already: nothing is asked for each span. This one copy is cheaper than to have the
 * kernel gather two pieces a span from the ring. */
static void copy_spans(struct buffer *out, const struct batch *batch)
{
	char *to = out->data + out->len;
	for (size_t i = 0; i < batch->count; i++) {
		struct bytes span = batch->records[i].payload;
		size_t rest = span.len;
		*to++ = 0x12;
		for (; rest >= 0x80; rest >>= 7)
			*to++ = (char)(rest | 0x80);
		*to++ = (char)rest;
		memcpy(to, span.ptr, span.len);
		to += span.len;
	}
	out->len = (size_t)(to - out->data);
}

void otlp_protobuf(struct buffer *out, const struct batch *batch)
{
	struct bytes schema = BYTES(RESOURCE_SCHEMA);
	size_t spans = 0;
	for (size_t i = 0; i < batch->count; i++)
		spans += field_size(batch->records[i].payload.len);
	size_t scope_spans = field_size(scope.len) + spans + field_size(schema.len);
	size_t resource_spans = field_size(resource.len) + field_size(scope_spans) + field_size(schema.len);

	if (!buffer_reserve(out, field_size(resource_spans)))
		return;
	open_field(out, 0x0a, resource_spans);
	buffer_field(out, 0x0a, buffer_bytes(&resource));
	open_field(out, 0x12, scope_spans);
	buffer_field(out, 0x0a, buffer_bytes(&scope));
	copy_spans(out, batch);
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
		size_t before = out->len;
		if (!first)
			buffer_byte(out, ',');
		if (json_wire_span(out, batch->records[i].payload)) {
			first = false;
		} else {
			out->len = before;
			count_one(spans_unreadable);
		}
	}
	buffer_text(out,
		    "],\"schemaUrl\":\"" RESOURCE_SCHEMA "\"}],\"schemaUrl\":\"" RESOURCE_SCHEMA "\"}]}");
}

/* --- metrics: the envelope as above, around what metrics.c encodes -----------------------------------------
 */

void otlp_metrics(struct buffer *out, bool json)
{
	struct buffer scope_metrics = {0}, resource_metrics = {0}, data = {0};

	buffer_field(&scope_metrics, 0x0a, buffer_bytes(&scope));
	metrics_encode(&scope_metrics);
	buffer_field(&resource_metrics, 0x0a, buffer_bytes(&resource));
	buffer_field(&resource_metrics, 0x12, buffer_bytes(&scope_metrics));
	buffer_field(&data, 0x0a, buffer_bytes(&resource_metrics));
	out->failed |= scope_metrics.failed || resource_metrics.failed || data.failed;
	if (json)
		to_json(out, &otlp__metrics_data__descriptor, &data);
	else
		buffer_add(out, data.data, data.len);
	buffer_free(&scope_metrics);
	buffer_free(&resource_metrics);
	buffer_free(&data);
}
