/* http1_field.c - fields that decide where a message ends, and those that are kept for the span. */
#include "hooks/protocols/http1.h"
#include "hooks/protocols/http1_scan.h"

#define AT(letter) [(letter)&31]

const uint32_t http1_lengths[2][32] = {
	[HALF_REQUESTS] = {AT('c') = 1u << 10 | 1u << 12 | 1u << 14 | 1u << 24, AT('f') = 1u << 9,
			   AT('h') = 1u << 4 | 1u << 14, AT('t') = 1u << 17, AT('u') = 1u << 7 | 1u << 10,
			   AT('x') = 1u << 15 | 1u << 16 | 1u << 17},
	[HALF_RESPONSES] = {AT('c') = 1u << 10 | 1u << 14, AT('g') = 1u << 11, AT('l') = 1u << 8,
			    AT('t') = 1u << 17, AT('u') = 1u << 7},
};

/* One comparison at most for nearly every name. */
static inline __attribute__((always_inline)) enum http1_field known_field(struct bytes name, bool requests)
{
	switch (name.len) {
	case 4:
		return requests && bytes_is(name, BYTES("host")) ? HTTP1_HOST : HTTP1_OTHER;
	case 7:
		return bytes_is(name, BYTES("upgrade")) ? HTTP1_UPGRADE : HTTP1_OTHER;
	case 8:
		return !requests && bytes_is(name, BYTES("location")) ? HTTP1_LOCATION : HTTP1_OTHER;
	case 9:
		return requests && bytes_is(name, BYTES("forwarded")) ? HTTP1_FORWARDED : HTTP1_OTHER;
	case 10:
		if (bytes_is(name, BYTES("connection")))
			return HTTP1_CONNECTION;
		return requests && bytes_is(name, BYTES("user-agent")) ? HTTP1_USER_AGENT : HTTP1_OTHER;
	case 11:
		return !requests && bytes_is(name, BYTES("grpc-status")) ? HTTP1_GRPC_STATUS : HTTP1_OTHER;
	case 12:
		return requests && bytes_is(name, BYTES("content-type")) ? HTTP1_CONTENT_TYPE : HTTP1_OTHER;
	case 14:
		if (bytes_is(name, BYTES("content-length")))
			return HTTP1_CONTENT_LENGTH;
		return requests && bytes_is(name, BYTES("http2-settings")) ? HTTP1_SETTINGS : HTTP1_OTHER;
	case 15:
		return requests && bytes_is(name, BYTES("x-forwarded-for")) ? HTTP1_FORWARDED_FOR
									    : HTTP1_OTHER;
	case 16:
		return requests && bytes_is(name, BYTES("x-forwarded-host")) ? HTTP1_FORWARDED_HOST
									     : HTTP1_OTHER;
	case 17:
		if (bytes_is(name, BYTES("transfer-encoding")))
			return HTTP1_TRANSFER_ENCODING;
		return requests && bytes_is(name, BYTES("x-forwarded-proto")) ? HTTP1_FORWARDED_PROTO
									      : HTTP1_OTHER;
	case 24:
		return requests && bytes_is(name, BYTES("connect-protocol-version")) ? HTTP1_CONNECT_VERSION
										     : HTTP1_OTHER;
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

static bool captured(bool requests, struct bytes name)
{
	const struct bytes *const *lists =
		requests ? protocol_settings.capture_request : protocol_settings.capture_response;

	return listed(lists[SIDE_SERVER], name) || listed(lists[SIDE_CLIENT], name) ||
	       (requests && http_is_identity(name));
}

static inline __attribute__((always_inline)) void classify(struct http1_run *run, struct bytes name)
{
	struct http1_half *half = run->half;

	half->field = (uint8_t)known_field(name, run->requests);
	half->captured = protocol_settings.capturing && captured(run->requests, name);
	half->carrier = run->requests && half->field == HTTP1_OTHER ? protocol_settings.carrier(name) : 0;
}

void http1_classify(struct http1_run *run, struct bytes name)
{
	classify(run, name);
}

/* Where a field's value goes in a message; 0: nowhere (method stands there, which no field is). */
static const uint8_t slots[] = {
	[HTTP1_HOST] = offsetof(struct http_message, host),
	[HTTP1_USER_AGENT] = offsetof(struct http_message, user_agent),
	[HTTP1_FORWARDED] = offsetof(struct http_message, forwarded),
	[HTTP1_FORWARDED_PROTO] = offsetof(struct http_message, forwarded_proto),
	[HTTP1_FORWARDED_HOST] = offsetof(struct http_message, forwarded_host),
	[HTTP1_FORWARDED_FOR] = offsetof(struct http_message, forwarded_for),
	[HTTP1_LOCATION] = offsetof(struct http_message, location),
	[HTTP1_CONTENT_TYPE] = offsetof(struct http_message, content_type),
	[HTTP1_CONNECT_VERSION] = offsetof(struct http_message, connect_version),
	[HTTP1_GRPC_STATUS] = offsetof(struct http_message, grpc_status),
	[HTTP1_START_LINE] = 0,
};

_Static_assert(offsetof(struct http_message, grpc_status) < 256, "fits slots[]");

struct bytes *http1_slot(struct http_message *message, enum http1_field field)
{
	return (struct bytes *)(void *)((char *)message + slots[field]);
}

static inline void keep(struct http_message *message, enum http1_field field, bool captured,
			struct bytes name, struct bytes value)
{
	if (slots[field]) {
		struct bytes *slot = (struct bytes *)(void *)((char *)message + slots[field]);
		if (!slot->ptr) { /* the first one counts */
			*slot = value;
			message->same = 0;
		}
	}
	if (!captured)
		return;
	if (message->captures < HTTP_CAPTURES)
		message->captured[message->captures++] = (struct http_captured){name, value};
	else
		message->missed++;
}

void http1_keep(struct http_message *message, enum http1_field field, bool captured, struct bytes name,
		struct bytes value)
{
	keep(message, field, captured, name, value);
}

/* --- framing ------------------------------------------------------------------------------------------- */

/* RFC 9112 6.3: a list of equal valid numbers counts as that number; anything else is an error. */
static void content_length(struct http1_half *half, struct bytes list)
{
	struct bytes item;
	uint64_t plain = 0;
	size_t digits = 0;

	/* A number, as nearly always, and the first. */
	for (; digits < list.len && list.ptr[digits] >= '0' && list.ptr[digits] <= '9'; digits++)
		plain = plain * 10 + (uint64_t)(list.ptr[digits] - '0');
	if (digits == list.len && digits > 0 && digits <= 18 && !half->has_length) {
		half->has_length = true;
		half->left = plain;
		return;
	}

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
		half->chunked = bytes_is(coding, BYTES("chunked"));
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
	case HTTP1_SETTINGS:
	case HTTP1_UPGRADE:
		http1_upgrade_field(half, field, value);
		break;
	default:
		if (bytes_is(value, BYTES("keep-alive"))) { /* what it nearly always says */
			half->keep = true;
			break;
		}
		while (bytes_next(&value, ',', &item)) {
			half->close |= bytes_is(item, BYTES("close"));
			half->keep |= bytes_is(item, BYTES("keep-alive"));
		}
		break;
	}
}

void http1_field_line(struct http1_run *run, struct bytes name, struct bytes value)
{
	struct http1_half *half = run->half;
	size_t end = (size_t)(value.ptr + value.len - run->in.ptr);

	classify(run, name);
	half->dull = half->field == HTTP1_OTHER && !half->captured && !half->carrier;
	if (half->dull)
		return;
	value = bytes_trim(value);
	if (half->field >= HTTP1_CONTENT_LENGTH && half->field <= HTTP1_UPGRADE)
		http1_framing(half, half->field, value);
	keep(&run->message, half->field, half->captured, name, value);
	if (half->carrier)
		http1_field_event(run, name, value, value.len ? (size_t)(value.ptr - run->in.ptr) : end,
				  true);
}

enum http1_kind http1_kind(const struct http1_state *state)
{
	uint32_t index = state->answered % HTTP1_IN_FLIGHT;
	return (state->kinds[index / 32] >> (index % 32 * 2)) & 3;
}

bool http1_framing_sound(const struct http1_run *run)
{
	const struct http1_half *half = run->half;

	if (!half->broken && !half->has_coding)
		return true;
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
