/* callstack.h - what a stack that was taken with a span says: code.stacktrace and code.function.name.
 *
 * A line for each frame, the innermost first, our own left out: module(function+0x1a), or module(+0x4711)
 * with the address as the module's file counts it where that names no function. The exporter's thread only.
 */
#ifndef TAGALONG_CALLSTACK_H
#define TAGALONG_CALLSTACK_H

#include <stdbool.h>
#include <stddef.h>

#include "preload/queue.h"

/* Makes plain spans of those that have a stack. */
void callstack_tell(struct queue_record *records, size_t count);
/* In a forked child. `inside`: the exporter's thread was in the midst of libc's or libunwind's locks. */
void callstack_forked(bool inside);

#endif
