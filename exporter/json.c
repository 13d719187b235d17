#include "exporter/json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "preload/attrs.h"

static void escape(struct buffer *out, uint8_t c)
{
	static const char digits[] = "0123456789abcdef";
	switch (c) {
	case '"':
	case '\\':
		buffer_byte(out, '\\');
		buffer_byte(out, c);
		break;
	case '\n':
		buffer_text(out, "\\n");
		break;
	case '\r':
		buffer_text(out, "\\r");
		break;
	case '\t':
		buffer_text(out, "\\t");
		break;
	default:
		buffer_text(out, "\\u00");
		buffer_byte(out, (uint8_t)digits[c >> 4]);
		buffer_byte(out, (uint8_t)digits[c & 15]);
	}
}

/* Length of the valid UTF-8 sequence at `at`, 0: none starts here. */
static size_t sequence(struct bytes text, size_t at)
{
	for (size_t len = 1; len <= 4 && at + len <= text.len; len++)
		if (utf8_valid((struct bytes){text.ptr + at, len}))
			return len;
	return 0;
}

void json_string(struct buffer *out, struct bytes text)
{
	if (json_is_plain(text)) { /* nearly all */
		if (!buffer_reserve(out, text.len + 2))
			return;
		buffer_byte(out, '"');
		buffer_add(out, text.ptr, text.len);
		buffer_byte(out, '"');
		return;
	}
	bool valid = utf8_valid(text);
	buffer_byte(out, '"');
	size_t from = 0;
	for (size_t i = 0; i < text.len;) {
		uint8_t c = (uint8_t)text.ptr[i];
		size_t len = valid || c < 0x80 ? 1 : sequence(text, i);
		if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f && len) {
			i += len;
			continue;
		}
		buffer_add(out, text.ptr + from, i - from);
		if (len)
			escape(out, c);
		else
			buffer_text(out, "\\ufffd");
		from = ++i;
	}
	buffer_add(out, text.ptr + from, text.len - from);
	buffer_byte(out, '"');
}

void json_bytes(struct buffer *out, struct bytes data)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const uint8_t *byte = (const uint8_t *)data.ptr;
	buffer_byte(out, '"');
	for (size_t i = 0; i < data.len; i += 3) {
		size_t left = data.len - i;
		uint32_t v = (uint32_t)byte[i] << 16 | (left > 1 ? (uint32_t)byte[i + 1] << 8 : 0) |
			     (left > 2 ? byte[i + 2] : 0);
		char quad[4] = {digits[v >> 18], digits[v >> 12 & 63], left > 1 ? digits[v >> 6 & 63] : '=',
				left > 2 ? digits[v & 63] : '='};
		buffer_add(out, quad, 4);
	}
	buffer_byte(out, '"');
}

void json_double(struct buffer *out, double value)
{
	char text[40];
	if (isnan(value))
		buffer_text(out, "\"NaN\"");
	else if (isinf(value))
		buffer_text(out, value < 0 ? "\"-Infinity\"" : "\"Infinity\"");
	else {
		int n = snprintf(text, sizeof(text), "%.17g", value);
		for (int i = 0; i < n; i++) /* the host's locale must not matter */
			if (text[i] == ',')
				text[i] = '.';
		buffer_add(out, text, (size_t)n);
	}
}

static bool is_id(const char *name)
{
	return strcmp(name, "trace_id") == 0 || strcmp(name, "span_id") == 0 ||
	       strcmp(name, "parent_span_id") == 0;
}

static void value(struct buffer *out, const ProtobufCFieldDescriptor *field, const void *at)
{
	switch (field->type) {
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SFIXED64:
		buffer_byte(out, '"');
		buffer_number(out, *(const int64_t *)at);
		buffer_byte(out, '"');
		break;
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		buffer_byte(out, '"');
		buffer_unsigned(out, *(const uint64_t *)at);
		buffer_byte(out, '"');
		break;
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_ENUM:
		buffer_number(out, *(const int32_t *)at);
		break;
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
		buffer_unsigned(out, *(const uint32_t *)at);
		break;
	case PROTOBUF_C_TYPE_BOOL:
		buffer_text(out, *(const protobuf_c_boolean *)at ? "true" : "false");
		break;
	case PROTOBUF_C_TYPE_DOUBLE:
		json_double(out, *(const double *)at);
		break;
	case PROTOBUF_C_TYPE_STRING:
		json_string(out, bytes_of(*(char *const *)at));
		break;
	case PROTOBUF_C_TYPE_BYTES: {
		const ProtobufCBinaryData *data = at;
		if (!is_id(field->name)) {
			json_bytes(out, (struct bytes){(const char *)data->data, data->len});
			break;
		}
		buffer_byte(out, '"');
		buffer_hex(out, data->data, data->len);
		buffer_byte(out, '"');
		break;
	}
	case PROTOBUF_C_TYPE_MESSAGE:
		json_message(out, *(ProtobufCMessage *const *)at);
		break;
	default:
		buffer_text(out, "null");
	}
}

/* Proto3: a scalar that is zero is not there. */
static bool is_default(const ProtobufCFieldDescriptor *field, const void *at)
{
	switch (field->type) {
	case PROTOBUF_C_TYPE_MESSAGE:
		return *(void *const *)at == NULL;
	case PROTOBUF_C_TYPE_STRING:
		return !*(char *const *)at || !**(char *const *)at;
	case PROTOBUF_C_TYPE_BYTES:
		return ((const ProtobufCBinaryData *)at)->len == 0;
	case PROTOBUF_C_TYPE_DOUBLE:
		return *(const double *)at == 0;
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_SFIXED64:
		return *(const uint64_t *)at == 0;
	case PROTOBUF_C_TYPE_BOOL:
		return !*(const protobuf_c_boolean *)at;
	default:
		return *(const uint32_t *)at == 0;
	}
}

static size_t element_size(const ProtobufCFieldDescriptor *field)
{
	switch (field->type) {
	case PROTOBUF_C_TYPE_MESSAGE:
	case PROTOBUF_C_TYPE_STRING:
		return sizeof(void *);
	case PROTOBUF_C_TYPE_BYTES:
		return sizeof(ProtobufCBinaryData);
	default:
		return 8;
	}
}

static void repeated(struct buffer *out, const ProtobufCFieldDescriptor *field, const char *elements,
		     size_t count)
{
	buffer_byte(out, '[');
	for (size_t i = 0; i < count; i++) {
		if (i)
			buffer_byte(out, ',');
		value(out, field, elements + i * element_size(field));
	}
	buffer_byte(out, ']');
}

static void key(struct buffer *out, const char *name, bool first)
{
	if (!first)
		buffer_byte(out, ',');
	buffer_byte(out, '"');
	for (; *name; name++) {
		bool upper = *name == '_' && name[1];
		if (upper)
			name++;
		buffer_byte(out, (uint8_t)(upper && *name >= 'a' && *name <= 'z' ? *name - 32 : *name));
	}
	buffer_text(out, "\":");
}

void json_message(struct buffer *out, const ProtobufCMessage *message)
{
	const char *base = (const char *)message;
	bool first = true;

	buffer_byte(out, '{');
	for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
		const void *at = base + field->offset;
		if (field->label == PROTOBUF_C_LABEL_REPEATED) {
			size_t count = *(const size_t *)(const void *)(base + field->quantifier_offset);
			if (!count)
				continue;
			key(out, field->name, first);
			repeated(out, field, *(char *const *)at, count);
		} else {
			bool oneof = field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF;
			uint32_t chosen =
				oneof ? *(const uint32_t *)(const void *)(base + field->quantifier_offset)
				      : 0;
			if (oneof ? chosen != field->id : is_default(field, at))
				continue;
			key(out, field->name, first);
			value(out, field, at);
		}
		first = false;
	}
	buffer_byte(out, '}');
}
