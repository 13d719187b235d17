/* metrics.h - counters.def as OTLP sums, and the queue as it stands. The exporter's thread only. */
#ifndef TAGALONG_METRICS_H
#define TAGALONG_METRICS_H

#include "exporter/buffer.h"

void metrics_start(void); /* counts from now on belong to this process */
/* What is exported next is what has been counted until now, however often it is encoded. */
void metrics_snapshot(void);
/* Appends it as encoded ScopeMetrics.metrics fields: counts since the start, or (config.metrics_temporality)
 * since the last snapshot that was delivered. */
void metrics_encode(struct buffer *out);
/* Has anything been counted since metrics_exported()? */
bool metrics_changed(void);
/* delivered: to one destination at least. A count that was not is part of the next delta. */
void metrics_exported(bool delivered);

#endif
