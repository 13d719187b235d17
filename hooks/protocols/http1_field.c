/* http1_field.c - fields that decide where a message ends, and those that are kept for the span. */
#include "hooks/protocols/http1.h"

/* A name or a list item against a lower-case literal of letters and dashes. Setting bit 5 maps upper case to
 * lower; what else it maps onto letters and dashes is no token character and no visible ASCII, except that
 * '@' and '[' to '_' would become '`' and '{' to DEL, which no literal of ours holds, and CR the dash, which
 * no line holds. */
static bool is(struct bytes name, struct bytes lower)
{
	const uint64_t fold = 0x2020202020202020u;
	uint64_t a, b;
	if (name.len != lower.len)
		return false;
	size_t i = 0;
	for (; i + 8 <= name.len; i += 8) {
		memcpy(&a, name.ptr + i, 8);
		memcpy(&b, lower.ptr + i, 8);
		if ((a | fold) != b)
			return false;
	}
	for (; i < name.len; i++)
		if ((name.ptr[i] | 0x20) != lower.ptr[i])
			return false;
	return true;
}

/* One comparison at most for nearly every name. */
static inline enum http1_field known_field(struct bytes name, bool requests)
{
	/* Bit n: names of n letters that begin like this one may be ours; most names end here. */
	static const uint32_t lengths[26] = {
		['c' - 'a'] = 1u << 10 | 1u << 14,
		['f' - 'a'] = 1u << 9,
		['h' - 'a'] = 1u << 4,
		['l' - 'a'] = 1u << 8,
		['t' - 'a'] = 1u << 17,
		['u' - 'a'] = 1u << 7 | 1u << 10,
		['x' - 'a'] = 1u << 15 | 1u << 16 | 1u << 17,
	};
	unsigned first = (unsigned)((uint8_t)name.ptr[0] | 0x20) - 'a';
	if (first >= 26 || name.len > 17 || !(lengths[first] >> name.len & 1))
		return HTTP1_OTHER;
	switch (name.len) {
	case 4:
		return requests && is(name, BYTES("host")) ? HTTP1_HOST : HTTP1_OTHER;
	case 7:
		return is(name, BYTES("upgrade")) ? HTTP1_UPGRADE : HTTP1_OTHER;
	case 8:
		return !requests && is(name, BYTES("location")) ? HTTP1_LOCATION : HTTP1_OTHER;
	case 9:
		return requests && is(name, BYTES("forwarded")) ? HTTP1_FORWARDED : HTTP1_OTHER;
	case 10:
		if (is(name, BYTES("connection")))
			return HTTP1_CONNECTION;
		return requests && is(name, BYTES("user-agent")) ? HTTP1_USER_AGENT : HTTP1_OTHER;
	case 14:
		return is(name, BYTES("content-length")) ? HTTP1_CONTENT_LENGTH : HTTP1_OTHER;
	case 15:
		return requests && is(name, BYTES("x-forwarded-for")) ? HTTP1_FORWARDED_FOR : HTTP1_OTHER;
	case 16:
		return requests && is(name, BYTES("x-forwarded-host")) ? HTTP1_FORWARDED_HOST : HTTP1_OTHER;
	case 17:
		if (is(name, BYTES("transfer-encoding")))
			return HTTP1_TRANSFER_ENCODING;
		return requests && is(name, BYTES("x-forwarded-proto")) ? HTTP1_FORWARDED_PROTO : HTTP1_OTHER;
	default:
		return HTTP1_OTHER;
	}
}

static inline bool listed(const struct bytes *list, struct bytes name)
{
	for (; list && list->ptr; list++)
		if (bytes_equal_nocase(*list, name))
			return true;
	return false;
}

void http1_classify(struct http1_run *run, struct bytes name)
{
	struct http1_half *half = run->half;
	const struct bytes *const *lists =
		run->requests ? protocol_settings.capture_request : protocol_settings.capture_response;

	half->field = (uint8_t)known_field(name, run->requests);
	half->captured = listed(lists[SIDE_SERVER], name) || listed(lists[SIDE_CLIENT], name);
	half->carrier = 0;
	if (run->requests && half->field == HTTP1_OTHER) {
		unsigned letter = (unsigned)((uint8_t)name.ptr[0] | 0x20) - 'a';
		uint32_t letters = protocol_settings.carrier_letters;
		if (!letters || (letter < 26 && (letters >> letter & 1)))
			half->carrier = protocol_settings.carrier(name);
	}
}

static void keep_first(struct bytes *slot, struct bytes value)
{
	if (!slot->ptr)
		*slot = value;
}

void http1_keep(struct http_message *message, enum http1_field field, bool captured, struct bytes name,
		struct bytes value)
{
	switch (field) {
	case HTTP1_HOST:
		keep_first(&message->host, value);
		break;
	case HTTP1_USER_AGENT:
		keep_first(&message->user_agent, value);
		break;
	case HTTP1_FORWARDED:
		keep_first(&message->forwarded, value);
		break;
	case HTTP1_FORWARDED_PROTO:
		keep_first(&message->forwarded_proto, value);
		break;
	case HTTP1_FORWARDED_HOST:
		keep_first(&message->forwarded_host, value);
		break;
	case HTTP1_FORWARDED_FOR:
		keep_first(&message->forwarded_for, value);
		break;
	case HTTP1_LOCATION:
		keep_first(&message->location, value);
		break;
	default:
		break;
	}
	if (!captured)
		return;
	if (message->captures < HTTP_CAPTURES)
		message->captured[message->captures++] = (struct http_captured){name, value};
	else
		message->missed++;
}

/* --- framing ------------------------------------------------------------------------------------------- */

/* RFC 9112 6.3: a list of equal valid numbers counts as that number; anything else is an error. */
static void content_length(struct http1_half *half, struct bytes list)
{
	struct bytes item;

	if (list.len == 0)
		half->broken = true;
	while (bytes_next(&list, ',', &item)) {
		uint64_t value = 0;
		if (item.len == 0 || item.len > 18)
			half->broken = true;
		for (size_t i = 0; i < item.len && !half->broken; i++) {
			if (item.ptr[i] < '0' || item.ptr[i] > '9')
				half->broken = true;
			value = value * 10 + (uint64_t)(item.ptr[i] - '0');
		}
		if (half->has_length && half->left != value)
			half->broken = true;
		half->has_length = true;
		half->left = value;
	}
}

/* Only `chunked` says where a body ends; it must be applied once, and last. */
static void transfer_encoding(struct http1_half *half, struct bytes list)
{
	struct bytes item;

	half->has_coding = true;
	if (list.len == 0)
		half->broken = true;
	while (bytes_next(&list, ',', &item)) {
		struct bytes coding = bytes_trim(bytes_until(item, bytes_find(item, ';')));
		if (coding.len == 0)
			half->broken = true;
		for (size_t i = 0; i < coding.len; i++)
			if (!http1_token[(uint8_t)coding.ptr[i]])
				half->broken = true;
		half->chunked = is(coding, BYTES("chunked"));
		if (half->chunked && (half->chunked_before || coding.len != item.len))
			half->broken = true;
		half->chunked_before |= half->chunked;
	}
}

void http1_framing(struct http1_half *half, enum http1_field field, struct bytes value)
{
	struct bytes item;

	switch (field) {
	case HTTP1_CONTENT_LENGTH:
		content_length(half, value);
		break;
	case HTTP1_TRANSFER_ENCODING:
		transfer_encoding(half, value);
		break;
	case HTTP1_UPGRADE:
		half->upgrade |= value.len > 0;
		break;
	default:
		while (bytes_next(&value, ',', &item)) {
			half->close |= is(item, BYTES("close"));
			half->keep |= is(item, BYTES("keep-alive"));
		}
		break;
	}
}

enum http1_kind http1_kind(const struct http1_state *state)
{
	uint32_t index = state->answered % HTTP1_IN_FLIGHT;
	return (state->kinds[index / 32] >> (index % 32 * 2)) & 3;
}

bool http1_framing_sound(const struct http1_run *run)
{
	const struct http1_half *half = run->half;

	if (!run->requests) {
		/* Where the status decides, the fields do not matter, however odd. */
		enum http1_kind kind = http1_kind(run->state);
		bool bare = half->status < 200 || half->status == 204 || half->status == 304 ||
			    kind == KIND_HEAD || (kind == KIND_CONNECT && half->status < 300);
		if (bare)
			return true;
	}
	if (half->broken || (half->has_length && half->has_coding) || (half->has_coding && half->minor == 0))
		return false;
	return !run->requests || !half->has_coding || half->chunked;
}
