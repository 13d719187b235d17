/* metrics.h - counters.def as OTLP sums, and the queue as it stands. The exporter's thread only. */
#ifndef TAGALONG_METRICS_H
#define TAGALONG_METRICS_H

#include "exporter/buffer.h"

void metrics_start(void); /* counts from now on belong to this process */
/* Appends them as encoded ScopeMetrics.metrics fields. */
void metrics_encode(struct buffer *out);
/* Has anything been counted since metrics_exported()? */
bool metrics_changed(void);
void metrics_exported(void);

#endif
