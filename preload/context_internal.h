/* context_internal.h - what the wire formats share; nobody includes it but context*.c and the sampler. */
#ifndef TAGALONG_CONTEXT_INTERNAL_H
#define TAGALONG_CONTEXT_INTERNAL_H

#include "preload/context.h"

#define STATE_MEMBERS 32
#define BAGGAGE_MEMBERS 64

/* Where text goes; what does not fit is not put. */
struct room {
	char *at;
	size_t left;
};

/* The one value of a field, trimmed; NONE where it is missing. `count` (may be NULL): how often it came. */
struct bytes context_value(const struct extraction *extraction, uint32_t field, uint32_t *count);

/* Each reads its own format into `out` (ids, flags, valid, debug, deny; tracestate of tracecontext). */
bool traceparent_extract(const struct extraction *extraction, struct context *out, struct room *room);
bool b3_extract(const struct extraction *extraction, struct context *out);
bool jaeger_extract(const struct extraction *extraction, struct context *out);
bool xray_extract(const struct extraction *extraction, struct context *out);
bool ottrace_extract(const struct extraction *extraction, struct context *out);

void b3_inject(const struct context *context, uint32_t formats, uint32_t present, context_put *put,
	       void *arg);
void jaeger_inject(const struct context *context, uint32_t present, context_put *put, void *arg);
void xray_inject(const struct context *context, context_put *put, void *arg);
void ottrace_inject(const struct context *context, uint32_t present, context_put *put, void *arg);

/* Ids of 16 or 32 digits, lower case; false when malformed or all zero. */
bool trace_id_decode(struct bytes digits, uint8_t out[16]);
bool span_id_decode(struct bytes digits, uint8_t out[8]);
int hex_byte(const char digits[2]); /* lower case; -1: malformed */
bool traceparent_decode(struct bytes value, struct context *out);

/* W3C tracestate. Splits a list into members; false when one is invalid or there are too many. */
struct state {
	struct bytes members[STATE_MEMBERS];
	size_t count;
};
bool state_parse(struct state *state, struct bytes list);
/* Writes the members, cut to CONTEXT_STATE_MAX and the room as otel.md 4.2 says. */
struct bytes state_write(struct state *state, struct room *room);

/* Baggage of one carrier format in canonical W3C form; NONE when there is none. */
struct bytes baggage_extract(const struct extraction *extraction, enum context_format format,
			     struct room *room);
/* Takes the next member off canonical baggage: key and value, still percent-encoded, without properties. */
bool baggage_next(struct bytes *list, struct bytes *key, struct bytes *value);

#endif
