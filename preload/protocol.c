/* protocol.c - what all protocols are told at start; harmless defaults until then. */
#include "preload/protocol.h"

static uint32_t no_carrier(struct bytes name)
{
	(void)name;
	return 0;
}

static const struct bytes standard_methods[] = {
	{"GET", 3},   {"POST", 4},    {"PUT", 3},   {"HEAD", 4},  {"DELETE", 6}, {"OPTIONS", 7},
	{"PATCH", 5}, {"CONNECT", 7}, {"QUERY", 5}, {"TRACE", 5}, {NULL, 0},
};

static const struct bytes standard_redacted[] = {
	{"X-Amz-Signature", 15},
	{"X-Amz-Credential", 16},
	{"X-Amz-Security-Token", 20},
	{"AWSAccessKeyId", 14},
	{"Signature", 9},
	{"sig", 3},
	{"X-Goog-Signature", 16},
	{NULL, 0},
};

static const struct bytes nothing[] = {{NULL, 0}};

struct protocol_settings protocol_settings = {
	.carrier = no_carrier,
	.known_methods = standard_methods,
	.capture_request = {nothing, nothing},
	.capture_response = {nothing, nothing},
	.redacted_query_keys = standard_redacted,
	.redacted_lengths = UINT32_MAX,
};

static void want(enum protocol_half half, const struct bytes *list)
{
	for (; list && list->ptr; list++)
		if (list->len) {
			protocol_settings.wanted[half][protocol_letter(*list)] |= protocol_length_bit(*list);
			protocol_settings.capturing = true;
		}
}

void protocol_settings_done(void)
{
	const uint32_t *carriers = protocol_settings.carrier_lengths;

	protocol_settings.capturing = false;
	memset(protocol_settings.wanted, 0, sizeof(protocol_settings.wanted));
	for (int i = 0; carriers && i < 26; i++)
		protocol_settings.wanted[HALF_REQUESTS][i + 1] = carriers[i];
	protocol_settings.redacted_lengths = 0;
	for (const struct bytes *key = protocol_settings.redacted_query_keys; key && key->ptr; key++)
		protocol_settings.redacted_lengths |= protocol_length_bit(*key);
	for (int side = 0; side < 2; side++) {
		want(HALF_REQUESTS, protocol_settings.capture_request[side]);
		want(HALF_RESPONSES, protocol_settings.capture_response[side]);
	}
	want(HALF_REQUESTS, protocol_settings.capture_request[CAPTURE_IDENTITY]);
}
