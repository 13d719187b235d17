/* span.h - spans under way: fixed slots in a pool, encoded once, at their end.
 *
 * A span belongs to one exchange of one connection (or to the process) and is written under that owner's
 * lock. Other threads may only look at its identity, through a span_ref: slots are never unmapped and carry
 * a generation, so a stale reference is noticed and never followed. No malloc, no lock, no system call. */
#ifndef TAGALONG_SPAN_H
#define TAGALONG_SPAN_H

#include <stdatomic.h>
#include <stdint.h>

#include "preload/attrs.h"
#include "preload/context.h"

enum span_kind { SPAN_INTERNAL = 1, SPAN_SERVER, SPAN_CLIENT, SPAN_PRODUCER, SPAN_CONSUMER };

/* Who a span is, without keeping it: 0 is nobody. */
typedef uint64_t span_ref;
#define SPAN_NOBODY ((span_ref)0)

enum span_doom { DOOM_NONE, DOOM_AHEAD, DOOM_CERTAIN }; /* ahead: if that write goes as far */

#define SPAN_TEXT 640
#define SPAN_ATTRS 1072
#define SPAN_NAME 128

struct protocol_call;
struct protocol_outcome;

struct span {
	/* Read by other threads (span_look), written before `generation` is published. */
	_Atomic uint32_t generation; /* odd: under way */
	uint32_t index;
	struct context context; /* its own ids, flags and tracestate; baggage to pass on */
	uint8_t parent_id[8];
	uint8_t received_id[8]; /* span id that came in with the request: what a proxy passes on */

	/* The owner's. */
	uint32_t next, before; /* in its owner's list: index + 1, 0 ends */
	uint32_t exchange;
	uint8_t kind;
	bool has_parent, parent_remote, recording, failed, ambiguous;
	bool identified; /* ids are final */
	bool exposed;    /* the id went out on the wire or to a child: must be exported if recording */
	bool aside;      /* a tracer inside the program speaks for this call: not exported */
	bool head_seen, request_ended, responding, described, passed_on;
	uint8_t doomed; /* CLIENT, enum span_doom: ends when the write under way has gone */
	uint16_t status;
	uint8_t name_len, error_len;
	span_ref activity;          /* CLIENT: on whose behalf */
	const void *reader;         /* SERVER: the thread that read its head; compared, never followed */
	uint64_t start;             /* monotonic ns */
	uint64_t authority, target; /* CLIENT: hashes of where it went and for what */
	uint32_t resend;
	/* It calls a procedure: which, in this span's room; by when; how that ended. */
	const struct protocol_call *call;
	const struct protocol_outcome *outcome;
	struct bytes operation;
	uint64_t deadline; /* monotonic ns, 0: none */
	char error[32];
	const char *inject;               /* CLIENT: header lines to put in, in this span's room */
	uint32_t inject_len, inject_sent; /* and how much of them has gone */
	char *framed;       /* the same as the protocol frames it: then inject_sent counts these */
	char patch[8];      /* CLIENT: the length that counts them, once it was planned */
	bool patch_begun;   /* the first byte of it has gone: what it promises must follow */
	uint8_t patch_more; /* and so many of the bytes that it gained */
	uint32_t present;   /* CLIENT: carrier fields that the program wrote itself, bits */
	void *saved;        /* fields of a head that is cut between two feeds */
	char *block;        /* NULL, or one block (pool_block) for what does not fit `text` */
	uint32_t block_used, text_used;
	uint32_t fork_epoch, forks;
	struct attrs attrs;
	_Alignas(8) char text[SPAN_TEXT];
	uint8_t attrs_buf[SPAN_ATTRS];
	char name[SPAN_NAME];
};

bool span_init(uint32_t max_spans);

/* A fresh slot, zeroed but for buffers; NULL (counted) when none is left. */
struct span *span_begin(enum span_kind kind, uint64_t start);

/* Gives it identity: a child of `parent` (may be NULL or invalid: a root) and the sampler's verdict. May be
 * called again as long as nothing was exposed. */
void span_identify(struct span *span, const struct context *parent);

span_ref span_reference(const struct span *span);
bool span_alive(span_ref ref);
/* Copies the identity of a span under way; tracestate and baggage into `text`. False: it is gone. */
bool span_look(span_ref ref, struct context *out, char *text, size_t cap);
struct span *span_slot(uint32_t index); /* its owner's way from a link to the slot */
/* The slot itself, only for its owner or for reads that a later span_alive() confirms. NULL: gone. */
struct span *span_of(span_ref ref);

void span_name(struct span *span, struct bytes name);
void span_error(struct span *span, struct bytes type); /* status ERROR + error.type; the first one stays */

/* Ends at `end` (monotonic): encodes it into the queue when it is recording and not aside, frees the slot. */
void span_end(struct span *span, uint64_t end);
/* Frees the slot; nothing is exported. */
void span_discard(struct span *span);

/* In a forked child: spans under way belong to the parent. They stay readable as parents, and are not
 * exported here. */
void span_forked(void);
bool span_inherited(const struct span *span);
/* The parent's side: it was under way when a child was forked, which may be the one that answers. */
void span_forked_parent(void);
bool span_shared(const struct span *span);

/* Room in the span for text that must live as long as it: `text`, then a block. NULL: none. */
char *span_room(struct span *span, size_t size);

#endif
