/* resource.h - who we are (otel.md 5.13), encoded once per process. The exporter's thread only: reads /proc.
 */
#ifndef TAGALONG_RESOURCE_H
#define TAGALONG_RESOURCE_H

#include "exporter/buffer.h"

#define RESOURCE_SCHEMA "https://opentelemetry.io/schemas/1.44.0"
#define SCOPE_NAME "tagalong"

/* Appends an encoded otlp.Resource message. A forked child asks again: it is an instance of its own. */
void resource_encode(struct buffer *out);
/* Appends an encoded otlp.Scope message. */
void resource_scope(struct buffer *out);
/* Base name of the executable, "" if unknown; static. */
const char *resource_executable(void);

#endif
