/* exchange_call.c - requests that call a procedure: what they are called, and how they end. */
#include "preload/conn_internal.h"

#include <string.h>

static enum protocol_side side_of(const struct span *span)
{
	return span->kind == SPAN_SERVER ? SIDE_SERVER : SIDE_CLIENT;
}

/* A caller rounds the time it gives up, and measures it from a little earlier: what ends so shortly before
 * the time is up ends because of that. */
static uint64_t deadline(const struct span *span, uint64_t timeout)
{
	uint64_t slack = timeout / 64 + 2000000;
	return timeout ? span->start + (timeout > slack ? timeout - slack : 1) : 0;
}

void exchange_call_begin(struct span *span, const struct protocol_facts *facts)
{
	size_t len = facts->operation.len;
	char *room = len ? span_room(span, len) : NULL;

	if (room)
		memcpy(room, facts->operation.ptr, len);
	span->call = facts->call;
	span->operation = room ? (struct bytes){room, len} : BYTES_NONE;
	span->deadline = deadline(span, facts->timeout);
}

void exchange_call_ended(struct span *span, const struct protocol_event *event, uint64_t now)
{
	bool late = event->late && span->deadline && now >= span->deadline;
	span->outcome = late ? event->late : event->outcome;
}

bool exchange_call_lost(const struct conn *conn, struct span *span)
{
	if (!span->call)
		return false;
	enum protocol_side side = side_of(span);
	bool peers = conn->reset || conn->peer_closed;
	span->outcome = peers ? span->call->lost[side] : span->call->left[side];
	return span->outcome != NULL;
}

void exchange_call_conclude(struct span *span)
{
	const struct protocol_call *call = span->call;
	const struct protocol_outcome *outcome = span->outcome;
	bool unknown = outcome && outcome->unknown && span->kind == SPAN_SERVER;
	struct bytes operation = span->operation;

	if (outcome && outcome->failed[side_of(span)])
		span_error(span, outcome->value);
	if (operation.len == 0) /* no room for all of it */
		operation = (struct bytes){span->name, span->name_len};
	if (!span->recording)
		return;
	/* A name of anything only if the server knows it: a client may make up as many as it likes. */
	attrs_string(&span->attrs, call->operation, unknown ? call->other : operation);
	if (unknown)
		attrs_string(&span->attrs, call->original, operation);
	if (outcome && outcome->key.len)
		attrs_string(&span->attrs, outcome->key, outcome->value);
	if (unknown)
		span_name(span, call->name);
}
