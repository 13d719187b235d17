/* context_b3.c - B3, in one header or in several. Both are read in both modes, the single one first. */
#include "preload/context.h"
#include "preload/context_internal.h"

#define BIT(n) (1u << (n))

enum verdict { VERDICT_INVALID, VERDICT_NONE, VERDICT_DENY, VERDICT_CONTEXT };

/* Sampling state of one letter. */
static bool state_of(struct bytes text, struct context *out)
{
	if (text.len != 1)
		return false;
	switch (text.ptr[0]) {
	case 'd':
		out->debug = true;
		out->flags = FLAG_SAMPLED;
		return true;
	case '1':
		out->flags = FLAG_SAMPLED;
		return true;
	default:
		return text.ptr[0] == '0';
	}
}

static bool single_parts(struct bytes value, struct bytes parts[4], size_t *count)
{
	for (*count = 0; value.ptr; ++*count) {
		size_t dash = bytes_find(value, '-');
		if (*count == 4)
			return false;
		parts[*count] = bytes_until(value, dash);
		value = dash < value.len ? bytes_from(value, dash + 1) : BYTES_NONE;
	}
	return true;
}

static enum verdict single(struct bytes value, struct context *out)
{
	struct bytes parts[4] = {BYTES_NONE, BYTES_NONE, BYTES_NONE, BYTES_NONE};
	uint8_t parent[8];
	size_t count;

	if (!value.len)
		return VERDICT_NONE;
	if (!single_parts(value, parts, &count))
		return VERDICT_INVALID;
	if (count == 1) {
		if (!state_of(parts[0], out))
			return VERDICT_INVALID;
		return parts[0].ptr[0] == '0' ? VERDICT_DENY : VERDICT_NONE;
	}
	if (!trace_id_decode(parts[0], out->trace_id) || !span_id_decode(parts[1], out->span_id))
		return VERDICT_INVALID;
	if (count > 2 && !state_of(parts[2], out))
		return VERDICT_INVALID;
	if (count > 3 && !span_id_decode(parts[3], parent))
		return VERDICT_INVALID;
	return VERDICT_CONTEXT;
}

static enum verdict multi(const struct extraction *extraction, struct context *out)
{
	struct bytes trace = context_value(extraction, FIELD_B3_TRACEID, NULL);
	struct bytes span = context_value(extraction, FIELD_B3_SPANID, NULL);
	struct bytes parent = context_value(extraction, FIELD_B3_PARENTSPANID, NULL);
	struct bytes sampled = context_value(extraction, FIELD_B3_SAMPLED, NULL);
	bool deny = bytes_equal(sampled, BYTES("0")) || bytes_equal(sampled, BYTES("false"));
	uint8_t ignored[8];

	out->debug = bytes_equal(context_value(extraction, FIELD_B3_FLAGS, NULL), BYTES("1"));
	if (out->debug || bytes_equal(sampled, BYTES("1")) || bytes_equal(sampled, BYTES("true")))
		out->flags = FLAG_SAMPLED;
	else if (sampled.len && !deny)
		return VERDICT_INVALID;
	if (!trace.len && !span.len)
		return deny && !out->debug ? VERDICT_DENY : VERDICT_NONE;
	if (!trace_id_decode(trace, out->trace_id) || !span_id_decode(span, out->span_id))
		return VERDICT_INVALID;
	if (parent.len && !span_id_decode(parent, ignored))
		return VERDICT_INVALID;
	return VERDICT_CONTEXT;
}

bool b3_extract(const struct extraction *extraction, struct context *out)
{
	struct context one = {.valid = false}, several = {.valid = false};
	enum verdict verdict = single(context_value(extraction, FIELD_B3, NULL), &one);

	if (verdict == VERDICT_CONTEXT) {
		*out = one;
		return true;
	}
	enum verdict fallback = multi(extraction, &several);
	if (fallback == VERDICT_CONTEXT) {
		*out = several;
		return true;
	}
	out->deny = verdict == VERDICT_DENY || fallback == VERDICT_DENY;
	return false;
}

void b3_inject(const struct context *context, uint32_t format, uint32_t present, context_put *put, void *arg)
{
	bool sampled = context->flags & FLAG_SAMPLED;
	char text[51];

	/* A reader takes either kind: one of the program's own is enough to keep both of ours away. */
	if (present & (BIT(FIELD_B3) | BIT(FIELD_B3_TRACEID)))
		return;
	hex_encode(text, context->trace_id, 16);
	text[32] = '-';
	hex_encode(text + 33, context->span_id, 8);
	text[49] = '-';
	/* What a sampler of ours dropped is not debug any more. */
	text[50] = context->debug && sampled ? 'd' : sampled ? '1' : '0';
	if (format == FORMAT_B3) {
		put(arg, BYTES("b3"), (struct bytes){text, sizeof(text)});
		return;
	}
	put(arg, BYTES("x-b3-traceid"), (struct bytes){text, 32});
	if (!(present & BIT(FIELD_B3_SPANID)))
		put(arg, BYTES("x-b3-spanid"), (struct bytes){text + 33, 16});
	if (present & (BIT(FIELD_B3_FLAGS) | BIT(FIELD_B3_SAMPLED)))
		return;
	if (text[50] == 'd')
		put(arg, BYTES("x-b3-flags"), BYTES("1"));
	else
		put(arg, BYTES("x-b3-sampled"), (struct bytes){text + 50, 1});
}
