/* queue.h - finished spans on their way to the exporter: a ring of records, bounded in bytes.
 *
 * Many writers, one reader. Writers never wait: queue_put() copies a record in, or counts a drop. A record
 * becomes visible (release) only after it was filled. No lock, no allocation, no system call, except one
 * wake-up of a sleeping reader per batch (queue_set_waker). A record is a tag byte and its payload:
 * for RECORD_SPAN the payload is one encoded opentelemetry.proto.trace.v1.Span message. */
#ifndef TAGALONG_QUEUE_H
#define TAGALONG_QUEUE_H

#include "preload/bytes.h"

#include <stdint.h>

enum record_kind {
	RECORD_SPAN = 1,
	RECORD_STACK, /* the same with what stack.h lays behind it; becomes RECORD_SPAN by queue_amend() */
};

struct queue_record {
	enum record_kind kind;
	struct bytes payload; /* in the ring, valid until queue_release() */
};

/* Maps the ring. bytes is rounded up to a power of two (64 KiB to 1 GiB); max_records 0: no bound. */
bool queue_open(size_t bytes, uint32_t max_records);

/* A record put together from up to `count` parts. False: dropped and counted (queue_full, or
 * already_shutdown after queue_close()). */
bool queue_put(enum record_kind kind, const struct bytes *parts, size_t count);

/* The same in two steps, for a writer that fills the record itself and is not held up in between: a place for
 * `length` bytes, aligned to 8. NULL: dropped and counted. */
char *queue_begin(size_t length);
void queue_commit(char *place, enum record_kind kind, size_t length);

uint32_t queue_records(void); /* now in the ring; a hint */
size_t queue_used(void);      /* bytes; a hint */
size_t queue_capacity(void);

/* Reader only. Fills out[0..max) with the oldest records in order, without removing them, at most
 * `max_bytes` of payload (always at least one record if there is one); queue_release() removes the
 * first `records` of them. */
size_t queue_peek(struct queue_record *out, size_t max, size_t max_bytes);
void queue_release(size_t records);
/* Reader only. Another kind, and a payload that begins where it began and is no longer than it was. */
void queue_amend(struct queue_record *record, enum record_kind kind, size_t length);

/* Called by a writer after a put. The exporter sets it; must be async-signal-safe and cheap. */
void queue_set_waker(void (*waker)(void));
void queue_wake(void); /* as after a put, without one */

void queue_close(void);  /* later puts are counted as already_shutdown */
void queue_forked(void); /* child after fork: empty again, open, no waker running */

#endif
