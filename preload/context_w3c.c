/* context_w3c.c - traceparent and tracestate, W3C Trace Context Level 2. */
#include "preload/context.h"
#include "preload/context_digits.h"
#include "preload/context_internal.h"

#define TRACEPARENT_LEN 55
#define STATE_LONG_MEMBER 128 /* longer ones go first when something must go */

bool traceparent_decode(struct bytes value, struct context *out)
{
	const char *text = value.ptr;

	if (value.len < TRACEPARENT_LEN || text[2] != '-' || text[35] != '-' || text[52] != '-')
		return false;
	int flags =
		text[53] == '0' && text[54] >= '0' && text[54] <= '3' ? text[54] - '0' : hex_byte(text + 53);
	if (flags < 0)
		return false;
	if (value.len > TRACEPARENT_LEN || memcmp(text, "00", 2) != 0) {
		int version = hex_byte(text);
		if (version < 0 || version == 0xff)
			return false;
		if (value.len > TRACEPARENT_LEN && (version == 0 || text[TRACEPARENT_LEN] != '-'))
			return false;
	}
	uint8_t trace[16], span[8];
	bool good = digits_eight(trace, text + 3);
	good &= digits_eight(trace + 8, text + 19);
	good &= digits_eight(span, text + 36);
	if (!good || !digits_any_bit(trace, sizeof(trace)) || !digits_any_bit(span, sizeof(span)))
		return false;
	memcpy(out->trace_id, trace, sizeof(trace));
	memcpy(out->span_id, span, sizeof(span));
	out->flags = (uint8_t)(flags & (FLAG_SAMPLED | FLAG_RANDOM));
	return true;
}

static bool key_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '*' ||
	       c == '/' || c == '@';
}

static bool member_valid(struct bytes member)
{
	size_t equals = bytes_find(member, '=');
	struct bytes value = bytes_from(member, equals + 1);

	if (equals == 0 || equals == member.len || equals > 256 || value.len == 0 || value.len > 256)
		return false;
	for (size_t i = 0; i < equals; i++)
		if (!key_char(member.ptr[i]))
			return false;
	if (bytes_find(BYTES("_-*/@"), member.ptr[0]) < 5)
		return false;
	for (size_t i = 0; i < value.len; i++)
		if (value.ptr[i] < 0x20 || value.ptr[i] > 0x7e || value.ptr[i] == '=')
			return false;
	return true;
}

bool state_parse(struct state *state, struct bytes list)
{
	struct bytes member;

	while (bytes_next(&list, ',', &member)) {
		if (!member.len)
			continue;
		if (state->count == STATE_MEMBERS || !member_valid(member))
			return false;
		state->members[state->count++] = member;
	}
	return true;
}

static size_t state_size(const struct state *state)
{
	size_t size = state->count ? state->count - 1 : 0;

	for (size_t i = 0; i < state->count; i++)
		size += state->members[i].len;
	return size;
}

/* The right-most member longer than `least`, or count. */
static size_t right_most(const struct state *state, size_t least)
{
	for (size_t i = state->count; i > 0; i--)
		if (state->members[i - 1].len > least)
			return i - 1;
	return state->count;
}

struct bytes state_write(struct state *state, struct room *room)
{
	size_t most = room->left < CONTEXT_STATE_MAX ? room->left : CONTEXT_STATE_MAX;

	while (state_size(state) > most) {
		size_t victim = right_most(state, STATE_LONG_MEMBER);
		if (victim == state->count)
			victim = state->count - 1;
		state->count--;
		memmove(&state->members[victim], &state->members[victim + 1],
			(state->count - victim) * sizeof(state->members[0]));
	}
	if (!state->count)
		return BYTES_NONE;
	struct bytes out = {room->at, state_size(state)};
	for (size_t i = 0; i < state->count; i++) {
		if (i)
			*room->at++ = ',';
		memcpy(room->at, state->members[i].ptr, state->members[i].len);
		room->at += state->members[i].len;
	}
	room->left -= out.len;
	return out;
}

static struct bytes tracestate_extract(const struct extraction *extraction, struct room *room)
{
	struct state state;

	if (extraction->overflow)
		return BYTES_NONE;
	state.count = 0;
	for (uint32_t i = 0; i < extraction->count; i++)
		if (extraction->seen[i].field == FIELD_TRACESTATE &&
		    !state_parse(&state, extraction->seen[i].value))
			return BYTES_NONE;
	return state_write(&state, room);
}

bool traceparent_extract(const struct extraction *extraction, struct context *out, struct room *room)
{
	uint32_t count;
	struct bytes value = context_value(extraction, FIELD_TRACEPARENT, &count);

	if (count != 1 || !traceparent_decode(value, out))
		return false;
	if (extraction->count > 1)
		out->tracestate = tracestate_extract(extraction, room);
	return true;
}
