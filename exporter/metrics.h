/* metrics.h - counters.def as OTLP sums, and the queue as it stands. The exporter's thread only. */
#ifndef TAGALONG_METRICS_H
#define TAGALONG_METRICS_H

#include "proto/otlp.pb-c.h"

#include <stdbool.h>

void metrics_start(void); /* counts from now on belong to this process */
/* Fills `metrics` of the message; metrics_release() frees them. */
void metrics_encode(Otlp__ScopeMetrics *into);
void metrics_release(Otlp__ScopeMetrics *from);
/* Has anything been counted since metrics_exported()? */
bool metrics_changed(void);
void metrics_exported(void);

#endif
