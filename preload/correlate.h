/* correlate.h - what the user says that a program passes on (TAGALONG_CORRELATE), named headers or
 * (":request") a request as a whole: one that goes out with the same value as exactly one request in flight
 * is that request's call, whatever the thread.
 *
 * The whole value of a header decides, never a hash of it. Two in flight with one value, or one that found no
 * place in the table, and the value says nothing. Values of no or more than CORRELATE_VALUE bytes are none.
 * The table is mapped at start, and only where there is something to keep; lock-free, any context.
 *
 * A request as a whole may be long, so its value is a hash, of 128 bits, by SipHash under a key that the
 * kernel gave us at start and nobody is told: who does not know it can neither make two requests that hash
 * alike, nor hope for chance. Without such a key there is no such value. See protocol_identity.h for what is
 * hashed. */
#ifndef TAGALONG_CORRELATE_H
#define TAGALONG_CORRELATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "preload/bytes.h"
#include "preload/context.h"
#include "preload/span.h"

#define CORRELATE_REQUEST ":request" /* the name that is no header's */
#define CORRELATE_WHOLE (FIELD_COUNT + CORRELATE_NAMES)
#define CORRELATE_DOUBT (CORRELATE_WHOLE + 1)

/* `names`: lower case, ended by a NONE item; of headers the first CORRELATE_NAMES count. Returns how many
 * headers are named. */
uint32_t correlate_configure(const struct bytes *names);
bool correlate_requests(void); /* is a request as a whole one of them, and can it be? */
size_t correlate_memory(uint32_t most);
bool correlate_init(uint32_t most); /* so many spans under way; nothing where nothing is named */

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

/* correlate_request.c. The same for a request as a whole, during `protocol`'s INSERT or REQUEST_HEAD; where
 * the headers are at odds about whose it is that says nothing, and they have been asked before. */
void correlate_note_request(struct span *span, const struct protocol *protocol, const void *state);
void correlate_ask_request(struct correlated *answer, const struct protocol *protocol, const void *state);
void correlate_key(const uint64_t key[2]);

/* So many more (or less) requests are in flight of which nothing is known: as long as there is one, none is
 * known to be the only one of its kind. */
void correlate_unseen(int count);

#endif
