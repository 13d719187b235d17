/* json.h - OTLP messages as JSON (otel.md 2.5): what protobuf-c unpacked, written by its descriptors. */
#ifndef TAGALONG_JSON_H
#define TAGALONG_JSON_H

#include <protobuf-c/protobuf-c.h>

#include "exporter/buffer.h"

/* Appends the message as one JSON object without line breaks. Field names in lowerCamelCase, trace and span
 * ids in hex, other bytes in base64, 64-bit numbers as strings, enums as numbers; fields with default values
 * are left out. Never writes invalid UTF-8 (U+FFFD takes its place). */
void json_message(struct buffer *out, const ProtobufCMessage *message);
void json_string(struct buffer *out, struct bytes text);

void json_bytes(struct buffer *out, struct bytes data); /* base64 */
void json_double(struct buffer *out, double value);

#define JSON_EVERY(byte) ((byte)*0x0101010101010101u)

/* Among eight bytes, is there one that is not written as it is? */
static inline bool json_is_special(uint64_t word)
{
	uint64_t quote = word ^ JSON_EVERY((uint64_t)'"'), slash = word ^ JSON_EVERY((uint64_t)'\\');
	/* The highest bit of a byte says: no ASCII, or too small, or one of the two, or (one more) DEL. */
	return (word | ((word - JSON_EVERY(0x20u)) & ~word) | ((quote - JSON_EVERY(1u)) & ~quote) |
		((slash - JSON_EVERY(1u)) & ~slash) | (word + JSON_EVERY(1u))) &
	       JSON_EVERY(0x80u);
}

/* ASCII that is written as it is. */
static inline bool json_is_plain(struct bytes text)
{
	uint64_t word = JSON_EVERY((uint64_t)' ');
	if (text.len < 8) {
		for (size_t i = 0; i < text.len; i++)
			word = word << 8 | (uint8_t)text.ptr[i];
		return !json_is_special(word);
	}
	for (size_t i = 0; i + 8 < text.len; i += 8) {
		memcpy(&word, text.ptr + i, sizeof(word));
		if (json_is_special(word))
			return false;
	}
	memcpy(&word, text.ptr + text.len - 8, sizeof(word)); /* overlaps the one before */
	return !json_is_special(word);
}

#endif
