#include "preload/sampler.h"

#include "preload/context_internal.h"
#include "preload/log.h"

#define SPACE56 ((uint64_t)1 << 56)
#define DIGITS 14
#define PRECISION 4
#define OT_MAX 256
#define NO_VALUE UINT64_MAX

static struct sampler active = {.root = SAMPLER_ALWAYS_ON, .parent_based = true};

/* --- thresholds (otel.md 3.4) -------------------------------------------------------------------------- */

static unsigned digit_at(uint64_t value, unsigned place)
{
	return (unsigned)(value >> (4 * (DIGITS - 1 - place))) & 15;
}

/* T with four significant digits, not counting leading `f`s, rounded half up. */
static uint64_t round_threshold(uint64_t exact)
{
	unsigned leading = 0;

	while (leading < DIGITS && digit_at(exact, leading) == 15)
		leading++;
	unsigned keep = PRECISION + leading < DIGITS - 1 ? PRECISION + leading : DIGITS - 1;
	uint64_t unit = (uint64_t)1 << (4 * (DIGITS - keep));
	uint64_t rounded = (exact + unit / 2) / unit * unit;
	/* A carry out of the top: all `f`s is as near as these digits come. */
	return rounded >= SPACE56 ? SPACE56 - unit : rounded;
}

static void derive(struct sampler *sampler)
{
	/* 2^56 times the ratio is exact: only the exponent changes. */
	double scaled = sampler->ratio * (double)SPACE56;
	uint64_t kept = scaled > 0 ? (uint64_t)scaled : 0;
	unsigned len = DIGITS;

	if (scaled - (double)kept >= 0.5)
		kept++;
	sampler->th[0] = '\0';
	if (kept == 0) {
		sampler->root = SAMPLER_ALWAYS_OFF;
		return;
	}
	sampler->threshold = kept >= SPACE56 ? 0 : round_threshold(SPACE56 - kept);
	for (unsigned i = 0; i < DIGITS; i++)
		sampler->th[i] = "0123456789abcdef"[digit_at(sampler->threshold, i)];
	while (len > 1 && sampler->th[len - 1] == '0')
		len--;
	sampler->th[len] = '\0';
}

void sampler_configure(const struct sampler *sampler)
{
	struct sampler fresh = *sampler;

	fresh.threshold = 0;
	fresh.th[0] = '\0';
	if (fresh.root == SAMPLER_RATIO)
		derive(&fresh);
	active = fresh;
}

/* --- tracestate's ot entry ----------------------------------------------------------------------------- */

struct ot {
	size_t at; /* which member it is; state.count: none */
	struct bytes value;
	uint64_t rv, th; /* NO_VALUE: missing or malformed */
	bool has_th;
};

/* Up to 14 lower-case digits, filled up with zeros on the right. */
static uint64_t digits56(struct bytes text)
{
	char full[DIGITS];
	uint8_t raw[7];
	uint64_t value = 0;

	if (!text.len || text.len > DIGITS)
		return NO_VALUE;
	memset(full, '0', sizeof(full));
	memcpy(full, text.ptr, text.len);
	if (!hex_decode(raw, full, sizeof(raw)))
		return NO_VALUE;
	for (size_t i = 0; i < sizeof(raw); i++)
		value = value << 8 | raw[i];
	return value;
}

static void find_ot(const struct state *state, struct ot *ot)
{
	struct bytes rest, item;

	*ot = (struct ot){state->count, BYTES_NONE, NO_VALUE, NO_VALUE, false};
	for (size_t i = state->count; i > 0; i--)
		if (bytes_starts(state->members[i - 1], BYTES("ot=")))
			ot->at = i - 1;
	if (ot->at == state->count)
		return;
	rest = ot->value = bytes_from(state->members[ot->at], 3);
	while (bytes_next(&rest, ';', &item)) {
		if (bytes_starts(item, BYTES("rv:")) && item.len == 3 + DIGITS) {
			ot->rv = digits56(bytes_from(item, 3));
		} else if (bytes_starts(item, BYTES("th:"))) {
			ot->th = ot->has_th ? NO_VALUE : digits56(bytes_from(item, 3));
			ot->has_th = true;
		}
	}
}

/* The entry with `th` (NULL: with none) in place of its own; 0: nothing is left, or it would be too long. */
static size_t rewrite(const struct ot *ot, const char *th, char *out, bool *too_long)
{
	struct bytes rest = ot->value, item;
	size_t len = 3;

	memcpy(out, "ot=", 3);
	*too_long = false;
	if (th)
		len += (size_t)log_format(out + len, 3 + DIGITS + 1, "th:%s", th);
	while (bytes_next(&rest, ';', &item)) {
		if (!item.len || bytes_starts(item, BYTES("th:")))
			continue;
		size_t separator = len > 3;
		if (len - 3 + separator + item.len > OT_MAX) {
			*too_long = true;
			return 0;
		}
		if (separator)
			out[len++] = ';';
		memcpy(out + len, item.ptr, item.len);
		len += item.len;
	}
	return len > 3 ? len : 0;
}

/* Moves the changed entry to the front; the others keep their order. */
static void replace(struct state *state, const struct ot *ot, const char *th, struct room *room,
		    struct context *child)
{
	char entry[3 + OT_MAX];
	bool too_long;
	size_t len = rewrite(ot, th, entry, &too_long);
	size_t gap = ot->at < state->count ? ot->at : state->count;

	if (too_long)
		return;
	if (len) {
		/* A full list loses its right-most member. */
		if (gap == STATE_MEMBERS)
			gap--;
		else if (gap == state->count)
			state->count++;
		memmove(&state->members[1], &state->members[0], gap * sizeof(state->members[0]));
		state->members[0] = (struct bytes){entry, len};
	} else if (gap < state->count) {
		state->count--;
		memmove(&state->members[gap], &state->members[gap + 1],
			(state->count - gap) * sizeof(state->members[0]));
	}
	child->tracestate = state_write(state, room);
}

/* --- decision ------------------------------------------------------------------------------------------ */

static uint64_t randomness(const struct context *child, const struct ot *ot)
{
	uint64_t value = 0;

	if (ot && ot->rv != NO_VALUE)
		return ot->rv;
	for (size_t i = 9; i < 16; i++)
		value = value << 8 | child->trace_id[i];
	return value;
}

/* With something to read or write in the tracestate. */
__attribute__((noinline)) static bool decide_state(bool ratio, bool sampled, struct context *child,
						   struct room room)
{
	struct state state;
	struct ot ot;

	state.count = 0;
	if (!state_parse(&state, child->tracestate))
		state.count = 0;
	find_ot(&state, &ot);
	uint64_t r = randomness(child, &ot);
	if (ratio) {
		sampled = r >= active.threshold;
		if (sampled)
			replace(&state, &ot, active.th, &room, child);
		else if (ot.has_th)
			replace(&state, &ot, NULL, &room, child);
	} else if (ot.has_th && !(sampled && ot.th != NO_VALUE && r >= ot.th)) {
		replace(&state, &ot, NULL, &room, child);
	}
	return sampled;
}

bool sampler_decide(const struct context *parent, struct context *child, char *text, size_t cap)
{
	bool has_parent = parent && parent->valid;
	bool follow = has_parent && active.parent_based;
	bool sampled = follow ? parent->flags & FLAG_SAMPLED : active.root == SAMPLER_ALWAYS_ON;
	bool ratio = !follow && active.root == SAMPLER_RATIO;

	child->tracestate = has_parent ? parent->tracestate : BYTES_NONE;
	if (!has_parent && parent && parent->deny)
		sampled = ratio = false;
	if (ratio || child->tracestate.len)
		sampled = decide_state(ratio, sampled, child, (struct room){text, cap});
	child->flags = (uint8_t)((child->flags & ~FLAG_SAMPLED) | (sampled ? FLAG_SAMPLED : 0));
	return sampled;
}

static size_t describe_root(char *out, size_t cap)
{
	uint32_t millionths = (uint32_t)(active.ratio * 1e6 + 0.5);
	char fraction[8];

	if (active.root == SAMPLER_ALWAYS_ON)
		return (size_t)log_format(out, cap, "AlwaysOnSampler");
	if (active.root == SAMPLER_ALWAYS_OFF)
		return (size_t)log_format(out, cap, "AlwaysOffSampler");
	for (int i = 5; i >= 0; i--, millionths /= 10)
		fraction[i] = (char)('0' + millionths % 10);
	fraction[6] = '\0';
	return (size_t)log_format(out, cap, "TraceIdRatioBased{%u.%s}", millionths, fraction);
}

size_t sampler_describe(char *out, size_t cap)
{
	char root[64];

	if (!active.parent_based)
		return describe_root(out, cap);
	describe_root(root, sizeof(root));
	return (size_t)log_format(
		out, cap,
		"ParentBased{root=%s,remoteParentSampled=AlwaysOnSampler,"
		"remoteParentNotSampled=AlwaysOffSampler,localParentSampled=AlwaysOnSampler,"
		"localParentNotSampled=AlwaysOffSampler}",
		root);
}
