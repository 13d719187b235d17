/* otlp.h - batches as OTLP requests.
 *
 * Spans come out of the queue already encoded: the protobuf request is an envelope around a copy of them.
 * JSON is written from the encoding as well; protobuf-c unpacks for the console, and writes resource and
 * metrics. The exporter's thread only. */
#ifndef TAGALONG_OTLP_H
#define TAGALONG_OTLP_H

#include "exporter/buffer.h"
#include "preload/queue.h"
#include "proto/otlp.pb-c.h"

struct batch {
	const struct queue_record *records;
	size_t count;
};

void otlp_start(void); /* encodes the resource; again after fork */

void otlp_protobuf(struct buffer *out, const struct batch *batch); /* appends an otlp.TracesData */
void otlp_json(struct buffer *out, const struct batch *batch);     /* appends one line's worth of it */

/* Our counters as otlp.MetricsData, in either form. */
void otlp_metrics(struct buffer *out, bool json);

#endif
