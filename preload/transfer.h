/* transfer.h - calls that a client library makes for the program, each known again on the wire by its mark.
 *
 * Such a library keeps a call in a handle, and sends it when and on which thread it likes: what that thread
 * did last says nothing. So the handle remembers who handed it over, and until the call is done its request
 * carries a mark: the trace context of the CLIENT span that is to come, as one of the fields that the library
 * puts into the head itself. When a head with the mark is about to go out, on whatever connection, thread or
 * protocol, the span takes the identity that stands there: nothing on the wire needs to be changed, so the
 * mark may be compressed or signed. Then the handle's fields are given a new identity, for a redirect or
 * another attempt.
 *
 * A handle is used by one thread at a time, which is the library's rule; finding and claiming are safe on any
 * thread. Fixed slots, found by their handle; where all are taken a call goes unmarked, and is judged by the
 * wire alone. Nothing allocates or calls the library. Handles come and go without a guard; the rest expects
 * hook_enter() to be in force. */
#ifndef TAGALONG_TRANSFER_H
#define TAGALONG_TRANSFER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "preload/span.h"

#define TRANSFER_LINES 16
#define TRANSFER_TEXT 640
#define TRANSFER_DIGITS 8

/* A list as client libraries know it: text "name: value", next. The last one leads on to the program's own.
 */
struct transfer_line {
	char *text;
	void *next;
};

struct transfer {
	_Atomic uintptr_t handle; /* 0: free */
	/* The library's hooks' own. */
	struct correlated correlated; /* what the program's list says, set before transfer_mark() */
	void *theirs;                 /* the program's list */
	bool peculiar;                /* nobody knows which protocol it is for */
	/* The mark. */
	bool marked;
	uint8_t ambiguous; /* enum ambiguity */
	bool has_parent, parent_remote, recording;
	uint8_t evidence;       /* enum parent_evidence */
	bool reclaimable;       /* the span that took the identity before this one never came to be */
	_Atomic uint64_t id[2]; /* span ids: that in the lines, and the one before it; 0: none */
	struct context own, before;
	bool recorded; /* `before` was to be */
	uint8_t parent_id[8];
	span_ref activity;
	uint32_t present; /* carrier fields of the program's own list, bits */
	uint32_t attempts;
	uint64_t begun; /* monotonic ns: when it was handed over */
	/* Its last attempt, which waits for what becomes of the call; see transfer_failed(). */
	span_ref last;
	_Atomic(struct span *) parked;
	uint64_t parked_end;
	struct bytes late; /* what became of it, of an attempt that has not ended yet */
	uint32_t lines, digits;
	size_t size;   /* bytes of the lines in a head */
	size_t passed; /* and how many have gone in all attempts */
	char *digit[TRANSFER_DIGITS];
	struct transfer_line line[TRANSFER_LINES];
	char *block; /* NULL, or a block for what does not fit `text` */
	size_t used;
	char text[TRANSFER_TEXT];
	char state[CONTEXT_STATE_MAX];
};

bool transfer_init(uint32_t most);

/* A handle was made, or is gone. transfer_open() NULL: no room, it is not known. */
struct transfer *transfer_open(const void *handle);
struct transfer *transfer_get(const void *handle);
void transfer_leave(struct transfer *transfer); /* not found by its handle any more; to be closed */
void transfer_close(struct transfer *transfer);

/* The call is handed over now: by whom? `present`: carrier fields that the program puts into it itself, bits
 * of enum context_field. True: `line` is to be put in front of the program's list. False: it cannot be
 * marked. */
bool transfer_mark(struct transfer *transfer, uint32_t present);
/* Where the lines lead on to; before each time that the library is given them. */
void transfer_chain(struct transfer *transfer, void *theirs);
void transfer_unmark(struct transfer *transfer); /* it is done; the lines must not be read any more */

/* On the wire: a head with the context `theirs` belongs to this CLIENT span. True: that was a mark, and the
 * span has its identity. */
bool transfer_claim(struct span *span, const struct context *theirs);
/* That head did not go out after all; when it comes again, it has the same mark. */
void transfer_release(const struct span *span);
/* An attempt has ended at that time. True: it is kept until the call is done, or the next attempt goes out.
 */
bool transfer_park(struct span *span, uint64_t end);
/* The library says that the call failed with its last attempt, and why (static text). Before
 * transfer_unmark(), which ends it in any case. */
void transfer_failed(struct transfer *transfer, struct bytes error);
/* That attempt never came to be: a span for it, which is the caller's to describe and to end. NULL: no slot.
 * transfer NULL: nobody knows the handle, and the call is the thread's own. */
struct span *transfer_unsent(struct transfer *transfer, uint64_t start);
/* How the connection came about that this attempt goes out on, as its events. */
struct conn;
void transfer_tell_connection(struct span *span, const struct conn *conn);
void transfer_flush(void); /* the process ends: whatever waits is exported as it is */
/* Is anything marked at all? */
bool transfer_any(void);

#endif
