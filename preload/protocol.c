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
};
