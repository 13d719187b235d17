/* context_vendor.c - jaeger, xray and ottrace. */
#include "preload/context.h"
#include "preload/context_internal.h"

#define BIT(n) (1u << (n))
#define NAME_MAX_BYTES 300
#define XRAY_BAGGAGE_MAX 256
#define UBER_MAX 128 /* longest uber-trace-id that can be valid, percent-encoded or not */

/* --- jaeger -------------------------------------------------------------------------------------------- */

/* `size` bytes from up to twice as many digits of either case; leading zeros may be missing. */
static bool padded_id(struct bytes digits, uint8_t *out, size_t size)
{
	char text[32];
	unsigned bits = 0;

	if (!digits.len || digits.len > 2 * size)
		return false;
	memset(text, '0', sizeof(text));
	for (size_t i = 0; i < digits.len; i++)
		text[2 * size - digits.len + i] = bytes_lower(digits.ptr[i]);
	if (!hex_decode(out, text, size))
		return false;
	for (size_t i = 0; i < size; i++)
		bits |= out[i];
	return bits != 0;
}

/* A value without a colon may have been percent-encoded on its way. */
static struct bytes uber_plain(struct bytes value, char *text, size_t cap)
{
	size_t len = 0;

	if (bytes_find(value, ':') < value.len || value.len > cap)
		return value;
	for (size_t i = 0; i < value.len; i++) {
		if (value.ptr[i] == '%' && i + 2 < value.len && value.ptr[i + 1] == '3' &&
		    bytes_lower(value.ptr[i + 2]) == 'a') {
			text[len++] = ':';
			i += 2;
		} else {
			text[len++] = value.ptr[i];
		}
	}
	return (struct bytes){text, len};
}

static bool all_zero(struct bytes text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] != '0')
			return false;
	return true;
}

static bool uber_decode(struct bytes value, struct context *out)
{
	struct bytes parts[4];
	uint8_t flags[4];

	for (size_t i = 0; i < 4; i++) {
		size_t colon = bytes_find(value, ':');
		if ((i < 3) == (colon == value.len))
			return false;
		parts[i] = bytes_until(value, colon);
		value = bytes_from(value, colon + 1);
	}
	if (!padded_id(parts[0], out->trace_id, 16) || !padded_id(parts[1], out->span_id, 8))
		return false;
	/* Flags of zero are no id, but no error either. */
	if (!padded_id(parts[3], flags, sizeof(flags)) &&
	    (!parts[3].len || parts[3].len > 8 || !all_zero(parts[3])))
		return false;
	out->debug = flags[3] & 2;
	out->flags = flags[3] & 3 ? FLAG_SAMPLED : 0;
	return true;
}

bool jaeger_extract(const struct extraction *extraction, struct context *out)
{
	struct bytes value = context_value(extraction, FIELD_UBER_TRACE_ID, NULL);
	char text[UBER_MAX];

	return value.len && uber_decode(uber_plain(value, text, sizeof(text)), out);
}

/* One header per entry of the baggage: "<prefix><key>: <value>". */
static void put_entries(struct bytes prefix, struct bytes baggage, context_put *put, void *arg)
{
	struct bytes key, value;
	char name[NAME_MAX_BYTES];

	while (baggage_next(&baggage, &key, &value)) {
		if (prefix.len + key.len > sizeof(name))
			continue;
		memcpy(name, prefix.ptr, prefix.len);
		for (size_t i = 0; i < key.len; i++)
			name[prefix.len + i] = bytes_lower(key.ptr[i]);
		put(arg, (struct bytes){name, prefix.len + key.len}, value);
	}
}

void jaeger_inject(const struct context *context, uint32_t present, context_put *put, void *arg)
{
	char text[53];

	if (present & BIT(FIELD_UBER_TRACE_ID))
		return;
	if (context->valid) {
		bool sampled = context->flags & FLAG_SAMPLED;
		hex_encode(text, context->trace_id, 16);
		text[32] = ':';
		hex_encode(text + 33, context->span_id, 8);
		memcpy(text + 49, ":0:", 3);
		text[52] = context->debug && sampled ? '3' : sampled ? '1' : '0';
		put(arg, BYTES("uber-trace-id"), (struct bytes){text, sizeof(text)});
	}
	if (!(present & (BIT(FIELD_UBERCTX) | BIT(FIELD_JAEGER_BAGGAGE))))
		put_entries(BYTES("uberctx-"), context->baggage, put, arg);
}

/* --- xray ---------------------------------------------------------------------------------------------- */

static bool xray_root(struct bytes root, struct context *out)
{
	char digits[32];

	if (root.len != 35 || root.ptr[0] != '1' || root.ptr[1] != '-' || root.ptr[10] != '-')
		return false;
	memcpy(digits, root.ptr + 2, 8);
	memcpy(digits + 8, root.ptr + 11, 24);
	return trace_id_decode((struct bytes){digits, sizeof(digits)}, out->trace_id);
}

static bool xray_decode(struct bytes value, struct context *out, struct bytes *parent)
{
	bool root = false, span = false;
	struct bytes pair;

	while (bytes_next(&value, ';', &pair)) {
		size_t equals = bytes_find(pair, '=');
		struct bytes key = bytes_trim(bytes_until(pair, equals));
		struct bytes text = bytes_trim(bytes_from(pair, equals + 1));
		if (bytes_equal(key, BYTES("Root"))) {
			if (!xray_root(text, out))
				return false;
			root = true;
		} else if (bytes_equal(key, BYTES("Parent"))) {
			if (!span_id_decode(text, out->span_id))
				return false;
			*parent = text;
			span = true;
		} else if (bytes_equal(key, BYTES("Sampled"))) {
			out->flags = bytes_equal(text, BYTES("1")) ? FLAG_SAMPLED : 0;
		}
	}
	return root && span;
}

bool xray_extract(const struct extraction *extraction, struct context *out)
{
	struct bytes parent;
	return xray_decode(context_value(extraction, FIELD_XRAY, NULL), out, &parent);
}

void xray_inject(const struct context *context, context_put *put, void *arg)
{
	static const char frame[] =
		"Root=1-00000000-000000000000000000000000;Parent=0000000000000000;Sampled=0";
	struct bytes list = context->baggage, key, value;
	char text[sizeof(frame) - 1 + XRAY_BAGGAGE_MAX];
	size_t len = sizeof(frame) - 1;

	memcpy(text, frame, len);
	hex_encode(text + 7, context->trace_id, 4);
	hex_encode(text + 16, context->trace_id + 4, 12);
	hex_encode(text + 48, context->span_id, 8);
	text[73] = context->flags & FLAG_SAMPLED ? '1' : '0';
	while (baggage_next(&list, &key, &value)) {
		if (len + key.len + value.len + 2 > sizeof(text) || bytes_equal(key, BYTES("Root")) ||
		    bytes_equal(key, BYTES("Parent")) || bytes_equal(key, BYTES("Sampled")))
			continue;
		text[len++] = ';';
		memcpy(text + len, key.ptr, key.len);
		len += key.len;
		text[len++] = '=';
		memcpy(text + len, value.ptr, value.len);
		len += value.len;
	}
	put(arg, BYTES("X-Amzn-Trace-Id"), (struct bytes){text, len});
}

/* --- ottrace ------------------------------------------------------------------------------------------- */

bool ottrace_extract(const struct extraction *extraction, struct context *out)
{
	struct bytes sampled = context_value(extraction, FIELD_OT_SAMPLED, NULL);

	if (bytes_equal(sampled, BYTES("true")) || bytes_equal(sampled, BYTES("1")))
		out->flags = FLAG_SAMPLED;
	else if (sampled.len && !bytes_equal(sampled, BYTES("false")) && !bytes_equal(sampled, BYTES("0")))
		return false;
	return trace_id_decode(context_value(extraction, FIELD_OT_TRACEID, NULL), out->trace_id) &&
	       span_id_decode(context_value(extraction, FIELD_OT_SPANID, NULL), out->span_id);
}

void ottrace_inject(const struct context *context, uint32_t present, context_put *put, void *arg)
{
	char text[32];

	if (present & BIT(FIELD_OT_TRACEID))
		return;
	hex_encode(text, context->trace_id + 8, 8);
	hex_encode(text + 16, context->span_id, 8);
	put(arg, BYTES("ot-tracer-traceid"), (struct bytes){text, 16});
	if (!(present & BIT(FIELD_OT_SPANID)))
		put(arg, BYTES("ot-tracer-spanid"), (struct bytes){text + 16, 16});
	if (!(present & BIT(FIELD_OT_SAMPLED)))
		put(arg, BYTES("ot-tracer-sampled"),
		    context->flags & FLAG_SAMPLED ? BYTES("true") : BYTES("false"));
	if (!(present & BIT(FIELD_OT_BAGGAGE)))
		put_entries(BYTES("ot-baggage-"), context->baggage, put, arg);
}

/* --- the span id's place ------------------------------------------------------------------------------- */

/* Where `digits` stand in `value`, if `found` is the same trace and span. */
static int place(struct bytes value, const struct context *found, const struct context *context,
		 const char *digits)
{
	if (memcmp(found->trace_id, context->trace_id, 16) != 0 ||
	    memcmp(found->span_id, context->span_id, 8) != 0)
		return -1;
	return (int)(digits - value.ptr);
}

static int b3_place(struct bytes value, const struct context *context)
{
	struct extraction one = {.seen = {{FIELD_B3, BYTES_NONE, value}}, .count = 1};
	struct context found = {.valid = false};

	if (!b3_extract(&one, &found))
		return -1;
	return place(value, &found, context, value.ptr + bytes_find(value, '-') + 1);
}

static int uber_place(struct bytes value, const struct context *context)
{
	struct context found = {.valid = false};
	size_t colon = bytes_find(value, ':');

	/* Fewer than 16 digits cannot be replaced in place. */
	if (!uber_decode(value, &found) || bytes_find(bytes_from(value, colon + 1), ':') != 16)
		return -1;
	return place(value, &found, context, value.ptr + colon + 1);
}

int context_span_offset(uint32_t field, struct bytes value, const struct context *context)
{
	struct context found = {.valid = false};
	struct bytes parent = BYTES_NONE;

	switch (field) {
	case FIELD_TRACEPARENT:
		return traceparent_decode(value, &found) ? place(value, &found, context, value.ptr + 36) : -1;
	case FIELD_B3:
		return b3_place(value, context);
	case FIELD_UBER_TRACE_ID:
		return uber_place(value, context);
	case FIELD_XRAY:
		return xray_decode(value, &found, &parent) ? place(value, &found, context, parent.ptr) : -1;
	case FIELD_B3_SPANID:
	case FIELD_OT_SPANID:
		return span_id_decode(value, found.span_id) && memcmp(found.span_id, context->span_id, 8) == 0
			       ? 0
			       : -1;
	default:
		return -1;
	}
}
