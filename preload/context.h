/* context.h - trace context and its seven wire formats (otel.md section 4).
 *
 * Pure functions of text: no allocation, no lock, no system call; safe on any thread and in a signal
 * handler. Which formats are read and written is set once by context_configure() before first use. */
#ifndef TAGALONG_CONTEXT_H
#define TAGALONG_CONTEXT_H

#include <stdint.h>

#include "preload/bytes.h"

enum context_format { /* bits; order of use is kept apart, see context_configure() */
		      FORMAT_TRACECONTEXT = 1 << 0,
		      FORMAT_BAGGAGE = 1 << 1,
		      FORMAT_B3 = 1 << 2,
		      FORMAT_B3MULTI = 1 << 3,
		      FORMAT_JAEGER = 1 << 4,
		      FORMAT_XRAY = 1 << 5,
		      FORMAT_OTTRACE = 1 << 6,
};

#define FLAG_SAMPLED 0x01
#define FLAG_RANDOM 0x02

#define CONTEXT_STATE_MAX 512    /* tracestate that is carried on; longer is cut as otel.md 4.2 says */
#define CONTEXT_BAGGAGE_MAX 8192 /* baggage that is carried on */

/* The fields that carry context. Their number is what protocol_settings.carrier answers. */
enum context_field {
	FIELD_NONE = 0,
	FIELD_TRACEPARENT,
	FIELD_TRACESTATE,
	FIELD_BAGGAGE,
	FIELD_B3,
	FIELD_B3_TRACEID,
	FIELD_B3_SPANID,
	FIELD_B3_SAMPLED,
	FIELD_B3_FLAGS,
	FIELD_B3_PARENTSPANID,
	FIELD_UBER_TRACE_ID,
	FIELD_UBERCTX, /* uberctx-{key}; name kept in the extraction */
	FIELD_JAEGER_BAGGAGE,
	FIELD_XRAY,
	FIELD_OT_TRACEID,
	FIELD_OT_SPANID,
	FIELD_OT_SAMPLED,
	FIELD_OT_BAGGAGE, /* ot-baggage-{key} */
	FIELD_COUNT,
};

/* Fields that say which span a request belongs to: one of them means that somebody has spoken already. */
#define CONTEXT_PRESENT(field) (1u << (field))
#define CONTEXT_IDENTIFYING                                                         \
	(CONTEXT_PRESENT(FIELD_TRACEPARENT) | CONTEXT_PRESENT(FIELD_B3) |           \
	 CONTEXT_PRESENT(FIELD_B3_TRACEID) | CONTEXT_PRESENT(FIELD_UBER_TRACE_ID) | \
	 CONTEXT_PRESENT(FIELD_XRAY) | CONTEXT_PRESENT(FIELD_OT_TRACEID))

struct context {
	uint8_t trace_id[16];
	uint8_t span_id[8];
	uint8_t flags; /* FLAG_SAMPLED | FLAG_RANDOM, other bits zero */
	bool valid;    /* ids are set and not all zero */
	bool remote;
	bool debug;              /* b3 debug or jaeger debug was received: forwarded as such */
	bool deny;               /* `b3: 0` without ids: do not sample the root */
	struct bytes tracestate; /* borrowed; one line, no header name; NONE when empty */
	struct bytes baggage;    /* borrowed; W3C wire form; NONE when empty */
};

/* `formats` in order of use, ended by 0. Default until called: tracecontext, baggage. */
void context_configure(const enum context_format *formats);
uint32_t context_formats(void); /* mask */

/* The number of a header, compared without case, 0 if no configured format reads it. Fast reject for
 * anything else. */
uint32_t context_field(struct bytes name);
/* [26 letters]: bit n, a field that begins with that letter has n letters (31: or more). Static. */
const uint32_t *context_field_lengths(void);
/* The same for an environment variable's name, in its normalised form (TRACEPARENT, X_B3_TRACEID). */
uint32_t context_field_env(struct bytes name);
/* A field's name as an environment variable's (otel.md 4.7), with a NUL. Its length; 0: cap is too small. */
size_t context_env_name(struct bytes field_name, char *out, size_t cap);

/* Collects fields of one carrier, in order of arrival. Text is borrowed until context_extract(). */
#define EXTRACTION_FIELDS 24
struct extraction {
	struct {
		uint32_t field;
		struct bytes name; /* only for prefix fields (uberctx-, ot-baggage-), else NONE */
		struct bytes value;
	} seen[EXTRACTION_FIELDS];
	uint32_t count;
	bool overflow; /* more came: list fields are then incomplete and dropped, never cut */
};

void extraction_init(struct extraction *extraction);
void extraction_add(struct extraction *extraction, uint32_t field, struct bytes name, struct bytes value);

/* Reads what was collected, by the configured formats in their order; a later success replaces an
 * earlier one. `text` (cap bytes) receives tracestate and baggage in canonical form; out->tracestate and
 * out->baggage point into it. CONTEXT_STATE_MAX + CONTEXT_BAGGAGE_MAX always suffices. Returns out->valid. */
bool context_extract(const struct extraction *extraction, struct context *out, char *text, size_t cap);

/* Writes the fields of all configured formats, calling `put` for each with a lower-case name (xray keeps
 * its capitals). Fields whose bit (1u << enum context_field) is in `present` are left out, and so is the
 * rest of a format whose identifying field is present: nothing is ever doubled. `put` borrows the text
 * for the call. An invalid context writes baggage only. */
typedef void context_put(void *arg, struct bytes name, struct bytes value);
void context_inject(const struct context *context, uint32_t present, context_put *put, void *arg);

/* The same as HTTP/1 header lines ("name: value\r\n"...). Returns the bytes written; a field that does
 * not fit is left out, with all that would follow it. */
size_t context_inject_lines(const struct context *context, uint32_t present, char *out, size_t cap);

/* Where in the value of `field` (a trimmed header value as another process sent it) the 16 hex digits of
 * the span id stand, if the value is well formed and, where the value names a trace too, names exactly
 * `context`'s trace and span. -1: it does not, or the field has no span id. */
int context_span_offset(uint32_t field, struct bytes value, const struct context *context);

void hex_encode(char *out, const uint8_t *bytes, size_t count);  /* 2*count digits, no NUL */
bool hex_decode(uint8_t *out, const char *digits, size_t count); /* count bytes; lower case only */

#endif
