/* json_wire.c - a message is looked through once for where its fields are, then written in the order of their
 * numbers. Sources: protobuf "Encoding", OTLP 1.x "JSON Protobuf Encoding". */
#include "exporter/json_wire.h"

#include "exporter/json.h"

#define DEEPEST 16 /* lists in lists */
#define FIELDS 17

enum kind { HEX = 1, BASE64, STRING, MESSAGE, INT32, INT64, UINT32, BOOL, FIXED64, DOUBLE, FIXED32 };
enum { VARINT, EIGHT, COUNTED, FOUR = 5 };

struct field {
	struct bytes key; /* with the comma before it */
	enum kind kind;
	bool repeated;
	const struct type *type;
};
struct type {
	struct field fields[FIELDS]; /* by number */
	bool oneof;                  /* all of it is one */
};

#define KEY(name) BYTES(",\"" name "\":")
#define ONE(number, name, what) [number] = {.key = KEY(name), .kind = (what)}
#define NESTED(number, name, of) [number] = {.key = KEY(name), .kind = MESSAGE, .type = &(of)}
#define MANY(number, name, of) [number] = {.key = KEY(name), .kind = MESSAGE, .repeated = true, .type = &(of)}

static const struct type any_value;
static const struct type key_value = {{ONE(1, "key", STRING), NESTED(2, "value", any_value)}, .oneof = false};
static const struct type array_value = {{MANY(1, "values", any_value)}, .oneof = false};
static const struct type kvlist = {{MANY(1, "values", key_value)}, .oneof = false};
static const struct type any_value = {
	{ONE(1, "stringValue", STRING), ONE(2, "boolValue", BOOL), ONE(3, "intValue", INT64),
	 ONE(4, "doubleValue", DOUBLE), NESTED(5, "arrayValue", array_value),
	 NESTED(6, "kvlistValue", kvlist), ONE(7, "bytesValue", BASE64)},
	.oneof = true,
};
static const struct type event = {
	{ONE(1, "timeUnixNano", FIXED64), ONE(2, "name", STRING), MANY(3, "attributes", key_value),
	 ONE(4, "droppedAttributesCount", UINT32)},
	.oneof = false,
};
static const struct type link_type = {
	{ONE(1, "traceId", HEX), ONE(2, "spanId", HEX), ONE(3, "traceState", STRING),
	 MANY(4, "attributes", key_value), ONE(5, "droppedAttributesCount", UINT32),
	 ONE(6, "flags", FIXED32)},
	.oneof = false,
};
static const struct type status = {{ONE(2, "message", STRING), ONE(3, "code", INT32)}, .oneof = false};
static const struct type span_type = {
	{ONE(1, "traceId", HEX), ONE(2, "spanId", HEX), ONE(3, "traceState", STRING),
	 ONE(4, "parentSpanId", HEX), ONE(5, "name", STRING), ONE(6, "kind", INT32),
	 ONE(7, "startTimeUnixNano", FIXED64), ONE(8, "endTimeUnixNano", FIXED64),
	 MANY(9, "attributes", key_value), ONE(10, "droppedAttributesCount", UINT32),
	 MANY(11, "events", event), ONE(12, "droppedEventsCount", UINT32), MANY(13, "links", link_type),
	 ONE(14, "droppedLinksCount", UINT32), NESTED(15, "status", status), ONE(16, "flags", FIXED32)},
	.oneof = false,
};

/* --- reading ----------------------------------------------------------------------------------------------
 */

struct value {
	uint64_t number;
	struct bytes text;
};

static bool read_long_varint(struct bytes *in, uint64_t *out)
{
	uint64_t value = 0;
	for (unsigned i = 0; i < 10 && i < in->len; i++) {
		uint8_t byte = (uint8_t)in->ptr[i];
		value |= (uint64_t)(byte & 0x7f) << 7 * i;
		if (byte < 0x80) {
			in->ptr += i + 1;
			in->len -= i + 1;
			*out = value;
			return true;
		}
	}
	return false;
}

static inline bool read_varint(struct bytes *in, uint64_t *out)
{
	if (!in->len || (uint8_t)*in->ptr >= 0x80)
		return read_long_varint(in, out);
	*out = (uint8_t)*in->ptr++;
	in->len--;
	return true;
}

static uint64_t read_fixed(struct bytes text)
{
	uint64_t value = 0;
	for (size_t i = 0; i < text.len; i++)
		value |= (uint64_t)(uint8_t)text.ptr[i] << 8 * i;
	return value;
}

static inline bool take(struct bytes *in, uint64_t len, struct bytes *out)
{
	if (len > in->len)
		return false;
	*out = (struct bytes){in->ptr, (size_t)len};
	in->ptr += len;
	in->len -= (size_t)len;
	return true;
}

/* One field off the front. */
static inline bool read_field(struct bytes *in, uint64_t *tag, struct value *value)
{
	if (!read_varint(in, tag))
		return false;
	*value = (struct value){0};
	switch (*tag & 7) {
	case VARINT:
		return read_varint(in, &value->number);
	case COUNTED:
		return read_varint(in, &value->number) && take(in, value->number, &value->text);
	case EIGHT:
	case FOUR:
		if (!take(in, (*tag & 7) == EIGHT ? 8 : 4, &value->text))
			return false;
		value->number = read_fixed(value->text);
		return true;
	default:
		return false;
	}
}

static unsigned wire_type(enum kind kind)
{
	return kind <= MESSAGE ? COUNTED : kind <= BOOL ? VARINT : kind <= DOUBLE ? EIGHT : FOUR;
}

/* --- writing ----------------------------------------------------------------------------------------------
 */

static bool message(struct buffer *out, const struct type *type, struct bytes in, int depth);

static void quoted(struct buffer *out, uint64_t value, bool is_signed)
{
	buffer_byte(out, '"');
	if (is_signed)
		buffer_number(out, (int64_t)value);
	else
		buffer_unsigned(out, value);
	buffer_byte(out, '"');
}

static bool put(struct buffer *out, const struct field *field, const struct value *value, int depth)
{
	switch (field->kind) {
	case HEX:
		buffer_byte(out, '"');
		buffer_hex(out, value->text.ptr, value->text.len);
		buffer_byte(out, '"');
		return true;
	case BASE64:
		json_bytes(out, value->text);
		return true;
	case STRING:
		json_string(out, value->text);
		return true;
	case MESSAGE:
		return message(out, field->type, value->text, depth + 1);
	case INT32:
		buffer_number(out, (int32_t)value->number);
		return true;
	case INT64:
	case FIXED64:
		quoted(out, value->number, field->kind == INT64);
		return true;
	case UINT32:
	case FIXED32:
		buffer_unsigned(out, (uint32_t)value->number);
		return true;
	case BOOL:
		buffer_text(out, value->number ? "true" : "false");
		return true;
	case DOUBLE: {
		double real;
		memcpy(&real, &value->number, sizeof(real));
		json_double(out, real);
		return true;
	}
	}
	return false;
}

/* Writers into room that is there. */
static inline char *lay(char *to, struct bytes text)
{
	memcpy(to, text.ptr, text.len);
	return to + text.len;
}
#define LAY(to, literal) lay(to, BYTES(literal))

/* An attribute as attrs.c encodes it, its value a plain text or a number: nearly all of a span is that.
 * False: it is another, and nothing was written. */
static bool put_attribute(struct buffer *out, struct bytes in)
{
	struct bytes key, any;
	uint64_t tag, value;

	if (!read_varint(&in, &tag) || tag != (1 << 3 | COUNTED) || !read_varint(&in, &value) ||
	    !take(&in, value, &key) || !read_varint(&in, &tag) || tag != (2 << 3 | COUNTED) ||
	    !read_varint(&in, &value) || value != in.len || !key.len || !json_is_plain(key))
		return false;
	any = in;
	if (!read_varint(&any, &tag) || !read_varint(&any, &value))
		return false;
	bool text = tag == (1 << 3 | COUNTED) && value == any.len && json_is_plain(any);
	if ((!text && (tag != (3 << 3 | VARINT) || any.len)) || !buffer_reserve(out, key.len + any.len + 64))
		return false;
	char *to = LAY(out->data + out->len, "{\"key\":\"");
	to = lay(to, key);
	if (text) {
		to = LAY(to, "\",\"value\":{\"stringValue\":\"");
		to = LAY(lay(to, any), "\"}}");
		out->len = (size_t)(to - out->data);
		return true;
	}
	to = LAY(to, "\",\"value\":{\"intValue\":\"");
	out->len = (size_t)(to - out->data);
	buffer_number(out, (int64_t)value);
	buffer_add(out, "\"}}", 3);
	return true;
}

/* Those of this number: in `in` from the first to the last, others may lie between. */
static bool put_all(struct buffer *out, const struct field *field, uint64_t wanted, struct bytes in,
		    int depth)
{
	bool first = true;
	buffer_byte(out, '[');
	while (in.len) {
		struct value value;
		uint64_t tag;
		if (!read_field(&in, &tag, &value))
			return false;
		if (tag >> 3 != wanted)
			continue;
		if (!first)
			buffer_byte(out, ',');
		first = false;
		if (!(field->type == &key_value && put_attribute(out, value.text)) &&
		    !put(out, field, &value, depth))
			return false;
	}
	buffer_byte(out, ']');
	return true;
}

static bool message(struct buffer *out, const struct type *type, struct bytes in, int depth)
{
	struct value found[FIELDS] = {0}; /* of what there are many: the bytes from the first to the last */
	uint32_t seen = 0;
	bool first = true;

	if (depth > DEEPEST)
		return false;
	while (in.len) {
		const char *from = in.ptr;
		struct value value;
		uint64_t tag;
		if (!read_field(&in, &tag, &value))
			return false;
		const struct field *field = &type->fields[tag >> 3 < FIELDS ? tag >> 3 : 0];
		if (!field->key.len)
			continue;
		if ((tag & 7) != wire_type(field->kind))
			return false;
		if (type->oneof)
			seen = 0; /* the last one is it */
		struct value *place = &found[tag >> 3];
		if (!field->repeated)
			*place = value;
		else if (!(seen >> (tag >> 3) & 1))
			place->text.ptr = from;
		if (field->repeated)
			place->text.len = (size_t)(in.ptr - place->text.ptr);
		seen |= 1u << (tag >> 3);
	}
	buffer_byte(out, '{');
	for (; seen; seen &= seen - 1) {
		unsigned number = (unsigned)__builtin_ctz(seen);
		const struct field *field = &type->fields[number];
		/* Proto3: a scalar that is zero is not there. */
		if (!type->oneof && field->kind != MESSAGE && !found[number].number)
			continue;
		buffer_add(out, field->key.ptr + first, field->key.len - first);
		first = false;
		if (field->repeated ? !put_all(out, field, number, found[number].text, depth)
				    : !put(out, field, &found[number], depth))
			return false;
	}
	buffer_byte(out, '}');
	return true;
}

bool json_wire_span(struct buffer *out, struct bytes span)
{
	size_t before = out->len;
	bool good = message(out, &span_type, span, 0);
	if (!good)
		out->len = before;
	return good;
}
