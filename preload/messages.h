/* messages.h - messages between the threads of this process that name what they are about by an address.
 *
 * An item of work on its way through a pipe or a queue is, to us, a few words of which one is an address in
 * this program's memory. While the activity that sent it lives, the same bytes on the same channel are that
 * item, whichever thread takes them out: nothing is concluded from the order, so that it does not matter who
 * wrote first. The same bytes sent for two activities that live at once are no item's name (a wake-up, memory
 * that was given back early): they are nobody's then, for good.
 *
 * Lock-free and bounded; what finds no place is nobody's and counted. Any thread, any context. */
#ifndef TAGALONG_MESSAGES_H
#define TAGALONG_MESSAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "preload/span.h"

#define MESSAGE_MAX 64 /* bytes: more is content, and no name of anything */

/* 0: these bytes hold no address of ours. They must be readable. */
uint64_t message_key(uint64_t channel, const void *bytes, size_t len);
uint64_t message_key_of(uint64_t channel, const void *address); /* of one that is nothing but an address */

/* The place of a message, to be asked about later; 0: there is none. */
typedef uint32_t message_place;
#define MESSAGE_OF_JOB (UINT32_MAX - 1) /* no message: by exclusion, see jobs.h */
#define MESSAGE_OF_CALL UINT32_MAX      /* no message: a call that names what it hands on, and to whom */

/* Sent in `activity`, `sure` or by habit. NOBODY: sent for none that is known, so it is nobody else's either.
 */
void message_sent(uint64_t key, span_ref activity, bool sure);
/* Whose it is, if one activity's only, and that lives. */
span_ref message_taken(uint64_t key, message_place *place);
/* Is it still that one's and nobody else's? And was the sender sure? */
bool message_holds(message_place place, uint64_t key, span_ref activity, bool *sure);

#endif
