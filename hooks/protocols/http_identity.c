/* http_identity.c - what haproxy, squid, varnish, nginx and httpd pass on by default as they got it. */
#include "hooks/protocols/http_describe.h"

/* Not: Host, Connection, Via, Forwarded and the like, which they write themselves; Accept-Encoding, Range,
 * Cache-Control and what asks whether something has changed, which caches do; what counts or codes the body.
 * Authorization is last: squid keeps it to itself where it stands in front of a server. */
const struct bytes http_identity_fields[] = {
	{"cookie", 6}, {"user-agent", 10},   {"referer", 7},        {"accept", 6}, {"accept-language", 15},
	{"origin", 6}, {"content-type", 12}, {"authorization", 13}, {NULL, 0},
};

enum { COOKIE, USER_AGENT, REFERER, ACCEPT, LANGUAGE, ORIGIN, TYPE, AUTHORIZATION, NUMBERS };

static int number_of(struct bytes name)
{
	switch (name.len) {
	case 6:
		return bytes_is(name, BYTES("cookie"))   ? COOKIE
		       : bytes_is(name, BYTES("accept")) ? ACCEPT
		       : bytes_is(name, BYTES("origin")) ? ORIGIN
							 : NUMBERS;
	case 7:
		return bytes_is(name, BYTES("referer")) ? REFERER : NUMBERS;
	case 10:
		return bytes_is(name, BYTES("user-agent")) ? USER_AGENT : NUMBERS;
	case 12:
		return bytes_is(name, BYTES("content-type")) ? TYPE : NUMBERS;
	case 13:
		return bytes_is(name, BYTES("authorization")) ? AUTHORIZATION : NUMBERS;
	case 15:
		return bytes_is(name, BYTES("accept-language")) ? LANGUAGE : NUMBERS;
	default:
		return NUMBERS;
	}
}

bool http_is_identity(struct bytes name)
{
	return protocol_settings.capture_request[CAPTURE_IDENTITY] && number_of(name) < NUMBERS;
}

/* Crumb by crumb: HTTP/2 may have them in fields of their own, and proxies put these together. */
static void cookies(struct bytes list, struct protocol_identity *to)
{
	struct bytes crumb;
	while (bytes_next(&list, ';', &crumb))
		if (crumb.len)
			to->part(to, PART_FIELD + COOKIE, crumb);
}

static void fields(const struct http_message *message, struct protocol_identity *to)
{
	uint8_t numbers[HTTP_CAPTURES];

	for (unsigned i = 0; i < message->captures; i++)
		numbers[i] = (uint8_t)number_of(message->captured[i].name);
	for (unsigned number = 0; number < NUMBERS; number++)
		for (unsigned i = 0; i < message->captures; i++) {
			struct bytes value = message->captured[i].value;
			if (numbers[i] != number ||
			    value.len == 0) /* in FastCGI what is not there is often empty */
				continue;
			if (number == COOKIE)
				cookies(value, to);
			else
				to->part(to, number == AUTHORIZATION ? PART_WITHHELD : PART_FIELD + number,
					 value);
		}
}

/* Nobody cuts a target off before. */
#define TARGET_WHOLE 1024

enum protocol_identified http_identify(const struct http_message *message, bool cut,
				       struct protocol_identity *to)
{
	struct bytes path = http_path(message);

	cut = cut || message->missed;
	if (cut && message->target.len >= TARGET_WHOLE)
		return IDENTIFIED_LOST;
	if (message->method.len == 0 || path.len == 0)
		return IDENTIFIED_NOT;
	to->part(to, PART_METHOD, message->method);
	to->part(to, PART_TARGET, path);
	fields(message, to);
	return cut ? IDENTIFIED_IN_PART : IDENTIFIED;
}
