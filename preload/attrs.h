/* attrs.h - attributes, written once, in OTLP's own wire encoding.
 *
 * A span's attributes are appended to a caller-owned buffer as `Span.attributes` fields (field 9 of
 * opentelemetry.proto.trace.v1.Span: tag 4A, length, KeyValue), ready to be copied to the exporter.
 * Nothing allocates, locks or makes a system call; one writer at a time. When the buffer is full or a
 * limit is reached the attribute is left out and `dropped` counts it; a string that does not fit the
 * rest of the buffer is cut on a UTF-8 boundary and `cut` counts it.
 *
 * Text that is not valid UTF-8 is written as bytes_value: a receiver must refuse a whole request with
 * one invalid string in it (otel.md 3.1). Keys are literals of ours, unique by construction of the
 * caller; attrs_has() answers where that is not so. */
#ifndef TAGALONG_ATTRS_H
#define TAGALONG_ATTRS_H

#include <stdint.h>

#include "preload/bytes.h"

struct attrs_limits {
	uint32_t count;        /* most attributes */
	uint32_t value_length; /* most code points of a string, bytes of a byte array; UINT32_MAX: none */
};

struct attrs {
	uint8_t *buf;
	uint32_t len, cap;
	uint32_t count;
	uint32_t dropped;
	uint32_t cut;
	const struct attrs_limits *limits; /* never NULL */
};

void attrs_init(struct attrs *attrs, void *buf, size_t cap, const struct attrs_limits *limits);

void attrs_string(struct attrs *attrs, struct bytes key, struct bytes value);
void attrs_int(struct attrs *attrs, struct bytes key, int64_t value);
void attrs_double(struct attrs *attrs, struct bytes key, double value);
void attrs_bool(struct attrs *attrs, struct bytes key, bool value);

/* An array of strings, one element per value (header capture). */
void attrs_strings(struct attrs *attrs, struct bytes key, const struct bytes *values, size_t count);

/* A string put together from parts, as one value ("http" "://" host target). */
void attrs_concat(struct attrs *attrs, struct bytes key, const struct bytes *parts, size_t count);

bool attrs_has(const struct attrs *attrs, struct bytes key);

/* True if the text is valid UTF-8 (no surrogates, no overlong forms, nothing beyond U+10FFFF). */
bool utf8_valid(struct bytes text);

/* The longest prefix of valid UTF-8 text that has at most `points` code points and `bytes` bytes. */
size_t utf8_prefix(struct bytes text, size_t points, size_t bytes);

#endif
