/* http1_upgrade.c - a connection that goes on in HTTP/2 (RFC 7540 3.2: "Upgrade: h2c"). The answer to the
 * request that asked for it comes there, in stream 1. */
#include "hooks/protocols/http1.h"
#include "hooks/protocols/http1_scan.h"

extern const struct protocol protocol_http2;

_Static_assert(HTTP1_SETTINGS_MAX <= PROTOCOL_HELLO_MAX, "fits the event");

static int sextet(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '-' || c == '+' ? 62 : c == '_' || c == '/' ? 63 : -1;
}

/* base64url; who pads it all the same is understood. */
static void decode(struct http1_half *half, struct bytes text)
{
	uint32_t bits = 0, have = 0;
	size_t len = 0;
	bool again = half->settings_len != HTTP1_SETTINGS_NONE;

	half->settings_len = HTTP1_SETTINGS_BAD;
	while (text.len && text.ptr[text.len - 1] == '=')
		text.len--;
	if (again || text.len > HTTP1_SETTINGS_MAX * 8 / 6)
		return;
	for (size_t i = 0; i < text.len; i++) {
		int value = sextet(text.ptr[i]);
		if (value < 0)
			return;
		bits = bits << 6 | (uint32_t)value;
		have += 6;
		if (have < 8)
			continue;
		have -= 8;
		half->settings[len++] = (char)(bits >> have);
	}
	if (len % 6 == 0)
		half->settings_len = (uint8_t)(len + 1);
}

void http1_upgrade_field(struct http1_half *half, enum http1_field field, struct bytes value)
{
	struct bytes item;

	if (field == HTTP1_SETTINGS) {
		decode(half, value);
		return;
	}
	half->upgrade |= value.len > 0;
	while (bytes_next(&value, ',', &item))
		half->h2c |= bytes_equal(item, BYTES("h2c"));
}

bool http1_upgrade(struct http1_run *run)
{
	struct http1_state *state = run->state;
	const struct http1_half *requests = &state->half[HALF_REQUESTS];

	if (!run->half->h2c || !requests->h2c || requests->settings_len == HTTP1_SETTINGS_NONE ||
	    requests->settings_len == HTTP1_SETTINGS_BAD)
		return false;
	/* Somebody who sends on before the answer speaks what we do not know. */
	if (state->begun != state->answered + 1 || requests->phase != PHASE_IDLE || requests->cr)
		return false;
	struct protocol_event event = {
		.type = EVENT_SWITCH,
		.exchange = http1_exchange(run),
		.offset = run->at,
		.next = &protocol_http2,
		.value = {requests->settings, requests->settings_len - 1u},
	};
	http1_tell(run, EVENT_INTERIM, 101, run->at);
	state->opaque = true;
	run->sink->event(run->sink, &event);
	return true;
}
