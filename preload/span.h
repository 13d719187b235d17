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
#include "preload/parent.h"
#include "preload/protocol.h"

enum span_kind { SPAN_INTERNAL = 1, SPAN_SERVER, SPAN_CLIENT, SPAN_PRODUCER, SPAN_CONSUMER };

enum span_doom { DOOM_NONE, DOOM_AHEAD, DOOM_CERTAIN }; /* ahead: if that write goes as far */

#define SPAN_TEXT 640
#define SPAN_ATTRS 1072
#define SPAN_NAME PROTOCOL_NAME_MAX
#define SPAN_EVENTS 6

struct protocol_call;
struct protocol_outcome;

/* What was asked again and again on behalf of a SERVER span: see repeats.h. */
#define SPAN_REPEATS 16
struct span_repeat {
	uint64_t statement;        /* hash of the name */
	uint64_t least, most, sum; /* ns, of those that were collapsed */
	uint64_t end;              /* of the last of them */
	uint32_t count, collapsed, failed;
	uint32_t kept; /* span that stands for them: index + 1 */
	uint8_t name_len;
	char name[SPAN_NAME];
};

struct span {
	_Atomic uint32_t repeats_lock; /* never cleared with the rest: it may be held by a straggler */
	/* Read by other threads (span_look), written before `generation` is published. */
	_Atomic uint32_t generation; /* odd: under way */
	_Atomic uint32_t fork_epoch; /* of the process that began it; set anew, never cleared */
	_Atomic uint32_t *_Atomic
		pulse; /* its generation, as forked children see it; NULL: they never learn of its end */
	uint32_t index;
	struct context context; /* its own ids, flags and tracestate; baggage to pass on */
	uint8_t parent_id[8];
	uint8_t received_id[8]; /* span id that came in with the request: what a proxy passes on */

	/* The owner's. */
	uint32_t next, before; /* in its owner's list: index + 1, 0 ends */
	uint32_t exchange;
	uint8_t kind;
	bool has_parent, parent_remote, recording, failed;
	uint8_t ambiguous;       /* enum ambiguity */
	uint8_t evidence;        /* enum parent_evidence */
	struct parent_link link; /* only where it has no parent */
	bool identified;         /* ids are final */
	bool exposed; /* the id went out on the wire or to a child: must be exported if recording */
	bool aside;   /* a tracer inside the program speaks for this call: not exported */
	bool head_seen, described, passed_on;
	_Atomic bool request_ended, responding; /* relaxed: a loop looks at them, and answers elsewhere */
	bool quiet, of_process;                 /* CLIENT: no span so far; whose it is: the process's */
	_Atomic bool stuck;      /* SERVER: the kernel did not take all of the last write of the answer */
	_Atomic uint8_t adrift;  /* SERVER: left with nothing seen under way, counted so (later.h) */
	_Atomic uint8_t timer;   /* SERVER: what its timer that is due first does, as later.h numbers that */
	_Atomic uint8_t woken;   /* SERVER: by such a one, and makes calls */
	_Atomic bool deserted;   /* SERVER: its client has gone */
	uint64_t timer_due;      /* SERVER: monotonic ns; of its loop's thread */
	_Atomic bool hung_up;    /* SERVER: its client has gone, while calls were under way */
	_Atomic uint8_t sent;    /* SERVER: a message of it went to another thread (handoff.h) */
	_Atomic bool unsent;     /* SERVER: neither that nor answered yet, and counted as such (handoff.h) */
	_Atomic bool counted;    /* SERVER: nobody is known to have its job (jobs.h) */
	_Atomic uint64_t pushed; /* SERVER: conditions that its reader signalled, bits (jobs.h) */
	uint64_t turn;           /* SERVER: when it was the only one left; 0: never (jobs.h) */
	_Atomic uint16_t calls;  /* SERVER: under way for it, of a loop (loop.h) */
	span_ref asker;          /* CLIENT: whose `calls` it is counted in */
	bool asked;              /* CLIENT: its place among what was asked, see asked.h */
	uint32_t asked_at;
	uint8_t doomed; /* CLIENT, enum span_doom: ends when the write under way has gone */
	uint16_t status;
	uint8_t name_len, error_len;
	span_ref activity;  /* CLIENT: on whose behalf */
	const void *reader; /* the thread that read its head, or (CLIENT) began it, or NULL; compared, never
			       followed */
	uint32_t waits;     /* CLIENT: that thread's, when it began */
	uint64_t start;     /* monotonic ns */
	uint64_t authority, target;   /* CLIENT: hashes of where it went and for what */
	uint64_t statement;           /* CLIENT: hash of the statement it is; 0: none */
	uint8_t repeats;              /* SERVER: used of repeat[] */
	uint8_t correlates;           /* SERVER: used of correlate[] */
	struct correlated correlated; /* CLIENT */
	uint32_t resend;
	uint32_t transfer; /* CLIENT: the call whose mark it is, see transfer.h; 0: none */
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
	char *wide;         /* NULL, or one block for what does not fit `attrs_buf` */
	uint32_t block_used, text_used;
	uint8_t events, events_dropped;
	uint32_t forks;
	struct {
		uint64_t at; /* monotonic ns */
		const char *name;
	} event[SPAN_EVENTS];
	struct attrs attrs;
	_Alignas(8) char text[SPAN_TEXT];
	uint8_t attrs_buf[SPAN_ATTRS];
	char name[SPAN_NAME];
	struct span_repeat repeat[SPAN_REPEATS]; /* untouched until a statement is counted */
	struct span_correlate correlate[SPAN_CORRELATES];
};

bool span_init(uint32_t max_spans);

/* A fresh slot, zeroed but for buffers; NULL (counted) when none is left. */
struct span *span_begin(enum span_kind kind, uint64_t start);

/* Gives it identity: a child of `parent` (may be NULL or invalid: a root) and the sampler's verdict. May be
 * called again as long as nothing was exposed. */
void span_identify(struct span *span, const struct context *parent);

/* The identity of a child of `parent` (NULL or invalid: of a root), but for the span id, which is the
 * caller's. Its tracestate may stand in `text` (CONTEXT_STATE_MAX bytes at least). Returns whether to record.
 */
bool span_derive(const struct context *parent, struct context *own, char *text, size_t cap);
/* Gives it one that was derived before and is on the wire already; `recording` is the caller's to set. */
void span_assume(struct span *span, const struct context *own, const uint8_t *parent_id, bool remote);

span_ref span_reference(const struct span *span);
bool span_alive(span_ref ref);
/* Copies the identity of a span under way; tracestate and baggage into `text`. False: it is gone. */
bool span_look(span_ref ref, struct context *out, char *text, size_t cap);
struct span *span_slot(uint32_t index); /* its owner's way from a link to the slot */
/* The slot itself, only for its owner or for reads that a later span_alive() confirms. NULL: gone. */
struct span *span_of(span_ref ref);

/* It has no parent because of that: told on the span (NULL: there is none yet), and counted. */
void span_ambiguous(struct span *span, enum ambiguity why);

void span_name(struct span *span, struct bytes name);
void span_error(struct span *span, struct bytes type); /* status ERROR + error.type; the first one stays */

/* Something happened at that time (monotonic; may lie outside of the span); the name is a literal. */
void span_event(struct span *span, const char *name, uint64_t at);

/* Ends at `end` (monotonic): encodes it into the queue when it is recording and not aside, frees the slot. */
void span_end(struct span *span, uint64_t end);
/* Frees the slot; nothing is exported. */
void span_discard(struct span *span);

/* In a forked child: spans under way belong to the parent. They stay readable as parents until they end
 * there, and are not exported here. */
void span_forked(void);
bool span_inherited(const struct span *span);
/* The parent's side: it was under way when a child was forked, which may be the one that answers. */
void span_forked_parent(void);
bool span_shared(const struct span *span);
/* It ends here, but goes on in a child. */
void span_left_behind(struct span *span);

/* Room in the span for text that must live as long as it: `text`, then a block. NULL: none. */
char *span_room(struct span *span, size_t size);

#endif
