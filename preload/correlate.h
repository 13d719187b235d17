/* correlate.h - headers that the user says a program passes on (TAGALONG_CORRELATE): a request that goes out
 * with the same value as exactly one request in flight is that request's call, whatever the thread.
 *
 * The whole value decides, never a hash of it. Two in flight with one value, or one that found no place in
 * the table, and the value says nothing. Values of no or more than CORRELATE_VALUE bytes are none. The table
 * is mapped at start, and only where headers are named; lock-free, any context. */
#ifndef TAGALONG_CORRELATE_H
#define TAGALONG_CORRELATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "preload/bytes.h"
#include "preload/context.h"
#include "preload/span.h"

/* `names`: lower case, ended by a NONE item; the first SPAN_CORRELATES count. Returns how many. */
uint32_t correlate_configure(const struct bytes *names);
size_t correlate_memory(uint32_t most);
bool correlate_init(uint32_t most); /* so many spans under way; nothing where no header is named */

/* What protocol_settings is told where headers are named: context_field() and these. */
uint32_t correlate_field(struct bytes name);
const uint32_t *correlate_field_lengths(void);
static inline bool correlate_is(uint32_t field)
{
	return field >= FIELD_COUNT;
}

/* A field of the head of a request that came in; of several of one name the first counts. */
void correlate_note(struct span *span, uint32_t field, struct bytes value);
void correlate_index(struct span *span); /* SERVER: the head is complete, the span identified */
void correlate_unindex(struct span *span);

/* A field of the head of a request that goes out: adds to what the fields before it came to. */
void correlate_ask(struct correlated *answer, uint32_t field, struct bytes value);

#endif
