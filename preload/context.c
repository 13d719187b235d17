/* context.c - which fields carry context, and the order in which the formats are asked. */
#include "preload/context.h"

#include "preload/context_internal.h"

#define BIT(n) (1u << (n))

static enum context_format order[8] = {FORMAT_TRACECONTEXT, FORMAT_BAGGAGE};
static uint32_t format_mask = FORMAT_TRACECONTEXT | FORMAT_BAGGAGE;
static uint32_t field_mask = BIT(FIELD_TRACEPARENT) | BIT(FIELD_TRACESTATE) | BIT(FIELD_BAGGAGE);
/* [letter]: bit n, a name in field_mask has n bytes; bit 31, 31 or more. Most headers of a request are none.
 */
static uint32_t lengths[26] = {['t' - 'a'] = BIT(11) | BIT(10), ['b' - 'a'] = BIT(7)};

struct name {
	const char *text;
	uint8_t len, field;
	bool prefix;
	uint8_t formats;
};

#define NAME(text, field, prefix, formats)                     \
	{                                                      \
		text, sizeof(text) - 1, field, prefix, formats \
	}
#define B3 (FORMAT_B3 | FORMAT_B3MULTI)

/* Ended by length 0; names of one first letter stand together. */
static const struct name names[] = {
	NAME("traceparent", FIELD_TRACEPARENT, false, FORMAT_TRACECONTEXT),
	NAME("tracestate", FIELD_TRACESTATE, false, FORMAT_TRACECONTEXT),
	NAME("baggage", FIELD_BAGGAGE, false, FORMAT_BAGGAGE),
	NAME("b3", FIELD_B3, false, B3),
	NAME("x-b3-traceid", FIELD_B3_TRACEID, false, B3),
	NAME("x-b3-spanid", FIELD_B3_SPANID, false, B3),
	NAME("x-b3-sampled", FIELD_B3_SAMPLED, false, B3),
	NAME("x-b3-flags", FIELD_B3_FLAGS, false, B3),
	NAME("x-b3-parentspanid", FIELD_B3_PARENTSPANID, false, B3),
	NAME("x-amzn-trace-id", FIELD_XRAY, false, FORMAT_XRAY),
	NAME("uber-trace-id", FIELD_UBER_TRACE_ID, false, FORMAT_JAEGER),
	NAME("uberctx-", FIELD_UBERCTX, true, FORMAT_JAEGER),
	NAME("jaeger-baggage", FIELD_JAEGER_BAGGAGE, false, FORMAT_JAEGER),
	NAME("ot-tracer-traceid", FIELD_OT_TRACEID, false, FORMAT_OTTRACE),
	NAME("ot-tracer-spanid", FIELD_OT_SPANID, false, FORMAT_OTTRACE),
	NAME("ot-tracer-sampled", FIELD_OT_SAMPLED, false, FORMAT_OTTRACE),
	NAME("ot-baggage-", FIELD_OT_BAGGAGE, true, FORMAT_OTTRACE),
	{NULL, 0, 0, false, 0},
};

void context_configure(const enum context_format *formats)
{
	size_t count = 0;

	format_mask = field_mask = 0;
	memset(lengths, 0, sizeof(lengths));
	for (; *formats && count < sizeof(order) / sizeof(order[0]) - 1; formats++) {
		if (format_mask & *formats)
			continue;
		order[count++] = *formats;
		format_mask |= *formats;
	}
	order[count] = (enum context_format)0;
	for (const struct name *name = names; name->len; name++) {
		if (!(name->formats & format_mask))
			continue;
		field_mask |= BIT(name->field);
		lengths[name->text[0] - 'a'] |= name->prefix ? ~(BIT(name->len + 1) - 1) : BIT(name->len);
	}
}

uint32_t context_formats(void)
{
	return format_mask;
}

static bool matches(const struct name *name, struct bytes text)
{
	if (name->prefix ? text.len <= name->len : text.len != name->len)
		return false;
	return bytes_is(bytes_until(text, name->len), (struct bytes){name->text, name->len});
}

static uint32_t find_field(struct bytes text, char first)
{
	for (const struct name *name = names; name->len; name++)
		if (name->text[0] == first && (field_mask & BIT(name->field)) && matches(name, text))
			return name->field;
	return FIELD_NONE;
}

uint32_t context_field(struct bytes name)
{
	if (name.len < 2)
		return FIELD_NONE;
	if (bytes_is(name, BYTES("traceparent"))) /* what is asked for most */
		return field_mask & BIT(FIELD_TRACEPARENT) ? FIELD_TRACEPARENT : FIELD_NONE;
	unsigned letter = ((unsigned char)name.ptr[0] | 0x20u) - 'a';
	if (letter >= 26 || !(lengths[letter] & BIT(name.len < 31 ? name.len : 31)))
		return FIELD_NONE;
	return find_field(name, (char)('a' + letter));
}

static char env_char(char c)
{
	if (c >= 'a' && c <= 'z')
		return (char)(c & ~0x20);
	return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ? c : '_';
}

/* Only the normalised spelling counts: `traceparent` in an environment is somebody else's variable. */
uint32_t context_field_env(struct bytes text)
{
	if (text.len < 2)
		return FIELD_NONE;
	unsigned letter = (unsigned char)text.ptr[0] - 'A';
	if (letter >= 26 || !(lengths[letter] & BIT(text.len < 31 ? text.len : 31)))
		return FIELD_NONE;
	for (const struct name *name = names; name->len; name++) {
		size_t i = 0;
		if (!(field_mask & BIT(name->field)) ||
		    (name->prefix ? text.len <= name->len : text.len != name->len))
			continue;
		while (i < name->len && text.ptr[i] == env_char(name->text[i]))
			i++;
		/* What follows a prefix is the user's, and must be normalised as well. */
		while (i >= name->len && i < text.len && text.ptr[i] == env_char(text.ptr[i]))
			i++;
		if (i == text.len)
			return name->field;
	}
	return FIELD_NONE;
}

size_t context_env_name(struct bytes field_name, char *out, size_t cap)
{
	size_t len = 0;

	if (field_name.len + 2 > cap)
		return 0;
	if (!field_name.len || (field_name.ptr[0] >= '0' && field_name.ptr[0] <= '9'))
		out[len++] = '_';
	for (size_t i = 0; i < field_name.len; i++)
		out[len++] = env_char(field_name.ptr[i]);
	out[len] = '\0';
	return len;
}

/* --- extraction ---------------------------------------------------------------------------------------- */

static bool is_list(uint32_t field)
{
	return BIT(field) & (BIT(FIELD_TRACESTATE) | BIT(FIELD_BAGGAGE) | BIT(FIELD_UBERCTX) |
			     BIT(FIELD_JAEGER_BAGGAGE) | BIT(FIELD_OT_BAGGAGE));
}

void extraction_init(struct extraction *extraction)
{
	extraction->count = 0;
	extraction->overflow = false;
}

void extraction_add(struct extraction *extraction, uint32_t field, struct bytes name, struct bytes value)
{
	uint32_t at = extraction->count;

	if (field == FIELD_NONE || field >= FIELD_COUNT)
		return;
	if (at == EXTRACTION_FIELDS) {
		extraction->overflow = true;
		if (is_list(field))
			return;
		/* Lists are lost by now: an id, or a second one that makes the first invalid, is not. */
		for (at = 0; at < EXTRACTION_FIELDS && !is_list(extraction->seen[at].field);)
			at++;
		if (at == EXTRACTION_FIELDS)
			return;
	} else {
		extraction->count++;
	}
	extraction->seen[at].field = field;
	extraction->seen[at].name = field == FIELD_UBERCTX || field == FIELD_OT_BAGGAGE ? name : BYTES_NONE;
	extraction->seen[at].value = value;
}

struct bytes context_value(const struct extraction *extraction, uint32_t field, uint32_t *count)
{
	struct bytes value = BYTES_NONE;
	uint32_t found = 0;

	for (uint32_t i = 0; i < extraction->count; i++)
		if (extraction->seen[i].field == field && !found++)
			value = bytes_trim(extraction->seen[i].value);
	if (count)
		*count = found;
	return value;
}

static bool extract_one(enum context_format format, const struct extraction *extraction, struct context *out,
			struct room *room)
{
	switch (format) {
	case FORMAT_TRACECONTEXT:
		return traceparent_extract(extraction, out, room);
	case FORMAT_B3:
	case FORMAT_B3MULTI:
		return b3_extract(extraction, out);
	case FORMAT_JAEGER:
		return jaeger_extract(extraction, out);
	case FORMAT_XRAY:
		return xray_extract(extraction, out);
	case FORMAT_OTTRACE:
		return ottrace_extract(extraction, out);
	default:
		return false;
	}
}

/* One format's answer laid over what the formats before it found. */
static void take(struct context *out, const struct context *one, bool valid)
{
	struct bytes baggage = out->baggage;

	if (valid) {
		*out = *one;
		out->valid = out->remote = true;
		out->baggage = baggage;
	} else if (one->deny && !out->valid) {
		out->deny = true;
	}
}

bool context_extract(const struct extraction *extraction, struct context *out, char *text, size_t cap)
{
	struct room room = {text, cap};

	*out = (struct context){.valid = false};
	if (!extraction->count)
		return false;
	/* As nearly always: no other format has anything to say. */
	if (extraction->count == 1 && extraction->seen[0].field == FIELD_TRACEPARENT) {
		out->valid = out->remote = traceparent_decode(bytes_trim(extraction->seen[0].value), out);
		return out->valid;
	}
	for (size_t i = 0; order[i]; i++) {
		bool valid = false;
		if (order[i] != FORMAT_BAGGAGE) {
			struct context one = {.valid = false};
			valid = extract_one(order[i], extraction, &one, &room);
			take(out, &one, valid);
		}
		if (extraction->overflow || order[i] == FORMAT_TRACECONTEXT ||
		    (order[i] == FORMAT_OTTRACE && !valid))
			continue;
		struct bytes baggage = baggage_extract(extraction, order[i], &room);
		if (baggage.len)
			out->baggage = baggage;
	}
	return out->valid;
}

/* --- injection ----------------------------------------------------------------------------------------- */

static void traceparent_inject(const struct context *context, uint32_t present, context_put *put, void *arg)
{
	char text[55];

	if (present & BIT(FIELD_TRACEPARENT))
		return;
	memcpy(text, "00-", 3);
	hex_encode(text + 3, context->trace_id, 16);
	text[35] = '-';
	hex_encode(text + 36, context->span_id, 8);
	text[52] = '-';
	text[53] = '0';
	text[54] = (char)('0' + (context->flags & (FLAG_SAMPLED | FLAG_RANDOM)));
	put(arg, BYTES("traceparent"), (struct bytes){text, sizeof(text)});
	if (context->tracestate.len && !(present & BIT(FIELD_TRACESTATE)))
		put(arg, BYTES("tracestate"), context->tracestate);
}

void context_inject(const struct context *context, uint32_t present, context_put *put, void *arg)
{
	for (size_t i = 0; order[i]; i++) {
		if (order[i] == FORMAT_BAGGAGE) {
			if (context->baggage.len && !(present & BIT(FIELD_BAGGAGE)))
				put(arg, BYTES("baggage"), context->baggage);
		} else if (order[i] == FORMAT_JAEGER) {
			jaeger_inject(context, present, put, arg);
		} else if (!context->valid) {
			continue;
		} else if (order[i] == FORMAT_TRACECONTEXT) {
			traceparent_inject(context, present, put, arg);
		} else if (order[i] == FORMAT_OTTRACE) {
			ottrace_inject(context, present, put, arg);
		} else if (order[i] == FORMAT_XRAY) {
			if (!(present & BIT(FIELD_XRAY)))
				xray_inject(context, put, arg);
		} else {
			b3_inject(context, order[i], present, put, arg);
		}
	}
}

static void put_line(void *arg, struct bytes name, struct bytes value)
{
	struct room *room = arg;
	size_t need = name.len + value.len + 4;

	if (need > room->left) {
		room->left = 0; /* nothing after it either: a tracestate alone would be no context */
		return;
	}
	memcpy(room->at, name.ptr, name.len);
	memcpy(room->at + name.len, ": ", 2);
	memcpy(room->at + name.len + 2, value.ptr, value.len);
	memcpy(room->at + need - 2, "\r\n", 2);
	room->at += need;
	room->left -= need;
}

size_t context_inject_lines(const struct context *context, uint32_t present, char *out, size_t cap)
{
	struct room room = {out, cap};

	context_inject(context, present, put_line, &room);
	return (size_t)(room.at - out);
}

const uint32_t *context_field_lengths(void)
{
	return lengths;
}
