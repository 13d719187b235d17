/* attrs.h - attributes, written once, in OTLP's own wire encoding.
 *
 * A span's attributes are appended to a caller-owned buffer as `Span.attributes` fields (field 9 of
 * opentelemetry.proto.trace.v1.Span: tag 4A, length, KeyValue), ready to be copied to the exporter.
 * Nothing allocates, locks or makes a system call; one writer at a time. When the buffer is full or a
 * limit is reached the attribute is left out and `dropped` counts it; a string that does not fit the
 * rest of the buffer is cut on a UTF-8 boundary and `cut` counts it. An owner that has a larger buffer in
 * reserve says so with `grow`.
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
	/* NULL, or makes buf and cap larger, once, keeping what is written; false: it cannot. */
	bool (*grow)(struct attrs *attrs);
};

void attrs_init(struct attrs *attrs, void *buf, size_t cap, const struct attrs_limits *limits);

/* Any string, any number; what the two inline functions below do not take. */
void attrs_any_string(struct attrs *attrs, struct bytes key, struct bytes value);
void attrs_any_int(struct attrs *attrs, struct bytes key, int64_t value);
/* Copies; false: some byte is not ASCII. */
bool attrs_copy_ascii(uint8_t *to, const char *from, size_t len);

enum { ATTRS_SHORT = 112 }; /* key and value together: every length around them is one byte then */

/* Room for a short attribute with some to spare? */
static inline bool attrs_roomy(const struct attrs *attrs)
{
	return attrs->cap - attrs->len >= ATTRS_SHORT + 16 && attrs->count < attrs->limits->count;
}

/* The tags and lengths around a key and a value of an AnyValue field `tag` whose content takes `rest` bytes;
 * returns where the content goes, behind its own length if it has one. */
static inline __attribute__((always_inline)) uint8_t *attrs_frame(struct attrs *attrs, struct bytes key,
								  uint8_t tag, size_t rest)
{
	uint8_t *at = attrs->buf + attrs->len;
	at[0] = 0x4a; /* Span.attributes */
	at[1] = (uint8_t)(key.len + rest + 5);
	at[2] = 0x0a; /* KeyValue.key */
	at[3] = (uint8_t)key.len;
	memcpy(at + 4, key.ptr, key.len);
	at += 4 + key.len;
	at[0] = 0x12; /* KeyValue.value */
	at[1] = (uint8_t)(rest + 1);
	at[2] = tag;
	return at + 3;
}

/* Inline, so that the key of a short ASCII value, which is what nearly all are, is a few constant stores. */
static inline __attribute__((always_inline)) void attrs_string(struct attrs *attrs, struct bytes key,
							       struct bytes value)
{
	if (__builtin_constant_p(key.len) && key.len + value.len <= ATTRS_SHORT &&
	    value.len <= attrs->limits->value_length && attrs_roomy(attrs)) {
		uint8_t *at = attrs_frame(attrs, key, 0x0a, 1 + value.len);
		*at++ = (uint8_t)value.len;
		if (attrs_copy_ascii(at, value.ptr, value.len)) {
			attrs->len += (uint32_t)(8 + key.len + value.len);
			attrs->count++;
			return;
		}
	}
	attrs_any_string(attrs, key, value);
}

static inline __attribute__((always_inline)) void attrs_int(struct attrs *attrs, struct bytes key,
							    int64_t value)
{
	if (__builtin_constant_p(key.len) && key.len <= ATTRS_SHORT - 8 && value >= 0 && value < 1 << 21 &&
	    attrs_roomy(attrs)) {
		size_t size = 1u + (value >= 1 << 7) + (value >= 1 << 14);
		uint8_t *at = attrs_frame(attrs, key, 0x18, size);
		at[0] = (uint8_t)(value | (size > 1 ? 0x80 : 0));
		at[1] = (uint8_t)((uint8_t)(value >> 7 & 0x7f) | (size > 2 ? 0x80 : 0));
		at[2] = (uint8_t)(value >> 14);
		attrs->len += (uint32_t)(7 + key.len + size);
		attrs->count++;
		return;
	}
	attrs_any_int(attrs, key, value);
}

void attrs_double(struct attrs *attrs, struct bytes key, double value);
void attrs_bool(struct attrs *attrs, struct bytes key, bool value);

/* An array of strings, one element per value (header capture). */
void attrs_strings(struct attrs *attrs, struct bytes key, const struct bytes *values, size_t count);

/* A string put together from parts, as one value ("http" "://" host target). */
void attrs_concat(struct attrs *attrs, struct bytes key, const struct bytes *parts, size_t count);

bool attrs_has(const struct attrs *attrs, struct bytes key);
/* Copies the attribute of this key, if `from` has it. */
void attrs_take(struct attrs *attrs, const struct attrs *from, struct bytes key);

/* True if the text is valid UTF-8 (no surrogates, no overlong forms, nothing beyond U+10FFFF). */
bool utf8_valid(struct bytes text);

/* The longest prefix of valid UTF-8 text that has at most `points` code points and `bytes` bytes. */
size_t utf8_prefix(struct bytes text, size_t points, size_t bytes);

#endif
