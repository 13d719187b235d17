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

#endif
