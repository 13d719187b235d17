/* conn_internal.h - what the files of the connection share with each other and nobody else. */
#ifndef TAGALONG_CONN_INTERNAL_H
#define TAGALONG_CONN_INTERNAL_H

#include "preload/activity.h"
#include "preload/clock.h"
#include "preload/conn.h"
#include "preload/counters.h"

/* The sink that turns a protocol's events into spans. One per feed, on the stack. */
struct exchange_sink {
	struct protocol_sink base; /* first: the protocol knows only this */
	struct conn *conn;
	const void *state;    /* for describe() */
	struct given *given;  /* the handle that writes or reads, see given.h; NULL: none that is known */
	uint64_t at;          /* in this write: behind what is told */
	struct outgoing *out; /* an outgoing request is being looked at ahead of its write */
	bool headed;          /* the head of an answer was told */
	bool replay;          /* a shorter write is fed again: all that it tells was done already */
	uint32_t replayed;    /* the last exchange that it began */
	struct span *recent;  /* of the event before, if it is under way still */
	uint64_t now;         /* 0: not read yet */
	const struct protocol *next; /* SWITCH was told: this one's turn is from next_at of the piece on */
	size_t next_at;
	uint32_t next_exchange;
	uint8_t hello_len;
	char hello[PROTOCOL_HELLO_MAX];
	size_t base_offset; /* of this piece of an iovec in the whole write */
	struct {            /* carrier fields of a head in this feed that may need overwriting */
		uint32_t field;
		size_t offset;
		uint64_t framed; /* not 0: in a frame, and `offset` means nothing */
		struct bytes value;
	} spot[8];
	uint32_t spots;
	struct extraction fields;
};

struct conn *conn_slot(uint32_t index);
uint32_t conn_slots(void); /* so many were used so far, from 0 on */
uint32_t conn_index(const struct conn *conn);
bool conn_hold(struct conn *conn);          /* a reference, unless the slot is free */
struct conn *conn_new(enum conn_role role); /* NULL: none left; one reference, which a table is to hold */
void conn_closed(struct conn *conn);        /* gives that one back, after the end of what was under way */
void conn_end_exchanges(struct conn *conn);
void conn_disown(struct conn *conn); /* in a forked child */
/* Never waits long: false means that the connection was given up. */
bool conn_lock(struct conn *conn);
void conn_unlock(struct conn *conn);

/* conn_arena.c. Its lock is held, or nobody else knows it. */
void conn_arenas_init(uint32_t max_connections);
char *conn_take_arena(struct protocol_arena *arena); /* a connection's */
void conn_give_arena(struct conn *conn);

void conn_feed(struct conn *conn, enum protocol_half half, const struct iovec *iov, int iovcnt, size_t count,
	       struct exchange_sink *sink);
void conn_sink(struct exchange_sink *sink, struct conn *conn);
void conn_open_protocol(struct conn *conn);
/* Which protocol these are the first bytes of. */
void conn_choose(struct conn *conn, enum protocol_half half, struct bytes first);
void conn_opaque(struct conn *conn, enum protocol_opaque why, uint64_t now);
/* What its protocol is told of its ends; whoever changes what it is made of clears conn->endpoint_known. */
const struct protocol_endpoint *conn_endpoint(struct conn *conn);
/* The half that this side writes, and the one it reads. */
static inline enum protocol_half conn_half_out(const struct conn *conn)
{
	return conn->role == ROLE_CLIENT ? HALF_REQUESTS : HALF_RESPONSES;
}
static inline enum protocol_half conn_half_in(const struct conn *conn)
{
	return conn->role == ROLE_CLIENT ? HALF_RESPONSES : HALF_REQUESTS;
}
/* conn_sniff.c: before the first bytes of the requests are fed: which protocol are they? Then those of them
 * that were really read or written. */
void conn_sniff(struct conn *conn, const struct iovec *iov, int iovcnt, size_t count);
/* SWITCH was told: the other protocol takes over, and has the rest of the piece. */
void conn_switch(struct conn *conn, enum protocol_half half, struct bytes piece, struct exchange_sink *sink);
void conn_sniffed(struct conn *conn, const struct iovec *iov, int iovcnt, size_t count);
const struct protocol *const *conn_protocols(void);
/* Drops the stash block when no head needs it any more. */
void conn_tidy(struct conn *conn);

/* conn_edit.c. The edited stream is a sequence of runs: caller's bytes, text, caller's bytes, ... */
struct outgoing_run {
	const struct outgoing_edit *edit; /* NULL: the caller's own */
	size_t from, len;                 /* in the caller's bytes, or 0 and the text's length */
};
struct outgoing_runs { /* start with {.out = out} */
	const struct outgoing *out;
	size_t at; /* of the caller's bytes */
	int next;  /* edit */
};
bool outgoing_next(struct outgoing_runs *runs, struct outgoing_run *run);

/* conn_owed.c: the rest of an edit when the connection is given up in the middle of it. */
void owed_by_span(struct conn *conn);                  /* between two writes, before its spans are gone */
void owed_by_write(struct outgoing *out, size_t sent); /* after a short one */
bool owed_plan(struct outgoing *out);              /* before the next: true, there is something to put in */
void owed_sent(struct outgoing *out, size_t sent); /* and after it */
void owed_drop(struct conn *conn);

/* exchange.c */
void exchange_event(struct protocol_sink *sink, const struct protocol_event *event);
/* exchange_request.c: who listens; exchange_event(), unless requests are looked at as a whole. */
extern void (*exchange_listener)(struct protocol_sink *sink, const struct protocol_event *event);
bool exchange_parts(struct protocol_sink *sink, size_t offset); /* only where a handle is known */
void exchange_feed_done(struct exchange_sink *sink); /* saves what must outlive the feed, plans overwrites */
void exchange_answer_read(struct conn *conn, const struct span *span); /* bytes of the answer to it */
struct span *exchange_first(const struct conn *conn);
struct span *exchange_last(const struct conn *conn);
struct span *exchange_find(const struct conn *conn, uint32_t number);
void exchange_remove(struct conn *conn, struct span *span);
void exchange_finish(struct conn *conn, struct span *span, uint64_t now); /* regular end */
/* Ends all that is under way: with `error`, or (NONE) marked as incomplete for `reason`. */
void exchange_abandon(struct conn *conn, struct bytes error, struct bytes reason, uint64_t now);
void exchange_drop_after(struct conn *conn, uint32_t number); /* never begun on the wire after all */
/* Ends what is under way for longer than the settings allow; not with a head, which spares most answers the
 * look. Asked when bytes have passed, by the holder of the lock, whose own real writes are `sending`. now: 0
 * where the clock was not read yet. */
void exchange_end_overdue(struct conn *conn, uint8_t sending, uint64_t now);
/* What is reset while a write is under way ends only when that has gone: its edits stand in the span. */
void exchange_spare_doomed(struct conn *conn);
void exchange_end_doomed(struct conn *conn, uint64_t now);
/* It is followed no longer: requests may go on, or come, that nobody sees. */
void exchange_unseen(struct conn *conn, enum protocol_opaque why);
/* exchange_call.c: calls of procedures. */
void exchange_call_begin(struct span *span, const struct protocol_facts *facts);
void exchange_call_ended(struct span *span, const struct protocol_event *event, uint64_t now);
bool exchange_call_lost(const struct conn *conn, struct span *span); /* false: no call, or nobody knows */
void exchange_call_conclude(struct span *span);                      /* when its end is certain */
void exchange_describe(struct exchange_sink *sink, struct span *span, enum protocol_moment moment);
void exchange_tell_tls(const struct conn *session, struct span *span); /* session_facts.c */
/* A request that never was: the connection could not be made. */
void exchange_connect_failed(struct conn *conn, struct bytes error_type);

/* exchange_client.c */
void exchange_client_field(struct exchange_sink *sink, struct span *span, const struct protocol_event *event);
void exchange_client_insert(struct exchange_sink *sink, struct span *span, size_t offset);
void exchange_client_head(struct exchange_sink *sink, struct span *span, bool part);
/* Whose is the nth call on a connection, by what this thread does now? And for whom it is counted. */
struct activity_verdict exchange_judge(struct conn *conn, uint32_t number, span_ref *counted);
void exchange_client_quiet(struct exchange_sink *sink, struct span *span); /* its head, so far no span's */
void exchange_client_overwrite(struct exchange_sink *sink, struct span *span);
void exchange_client_response(struct span *span, const struct protocol_facts *facts);

/* exchange_fields.c: what a head said about context, also when it is cut between feeds. */
void exchange_save_fields(struct exchange_sink *sink, struct span *span);
/* Reads saved and new fields together. The texts live in *block (or `small`), which the caller gives back. */
#define FIELDS_SMALL CONTEXT_STATE_MAX
bool exchange_context(struct exchange_sink *sink, struct span *span, struct context *out, char *small,
		      char **block);
bool exchange_has_fields(const struct exchange_sink *sink, const struct span *span);
/* Gives `span` the identity of a child of `activity` (or of the process, or a root). */
struct activity_verdict;
void exchange_adopt(struct span *span, const struct activity_verdict *verdict);
struct bytes exchange_error_name(int error); /* NONE: not an error of the connection */

#endif
