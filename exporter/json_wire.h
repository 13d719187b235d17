/* json_wire.h - OTLP JSON straight from a span's encoding, without the objects in between.
 *
 * Says what json_message() says of the unpacked message, which is the oracle of its tests, at a tenth of the
 * cost. The exporter's thread only. */
#ifndef TAGALONG_JSON_WIRE_H
#define TAGALONG_JSON_WIRE_H

#include "exporter/buffer.h"

/* Appends one Span. False: the bytes are none; what was appended then is cut off again. */
bool json_wire_span(struct buffer *out, struct bytes span);

#endif
