/* postgres.h - what the files of the PostgreSQL parser share with each other and nobody else.
 *
 * postgres.c          the protocol: framing of both halves, the connection's beginning
 * postgres_request.c  what the client asks: messages made into calls
 * postgres_response.c what the server answers to them
 * postgres_queue.c    what was asked and is not answered yet
 * postgres_text.c     statements: text, summary, names; what a call says about itself
 *
 * Protocol 3.0 and later (PostgreSQL's documentation, "Frontend/Backend Protocol"). What is a call:
 *
 * - A simple query, with all its statements: ends with ReadyForQuery. A function call likewise.
 *
 * - Each Execute, with the Parse, Bind and Describe that come before it and belong to nothing else. It ends
 *   with ReadyForQuery where only a Sync stands between, because an error of the transaction's end is then
 *   its own; otherwise with its CommandComplete, EmptyQueryResponse or PortalSuspended. An error ends it.
 *
 * - Parse, Bind or Describe without Execute (PQprepare): only when that fails. So does the connection's
 *   beginning. Until then their exchange is one that may be void.
 *
 * - What the server passes over after an error, up to the Sync, never ran: void, too.
 *
 * The state is plain, so the connection may put the requests' part back. What is in the stash goes back with
 * it. In the arena, which does not, are statements by name, put there again harmlessly, and the queue where
 * it is long: the same messages stand at the same places. */
#ifndef TAGALONG_POSTGRES_H
#define TAGALONG_POSTGRES_H

#include "hooks/protocols/db_describe.h"
#include "hooks/protocols/postgres_memory.h"

/* What waits for its answer. */
enum postgres_item {
	ITEM_NONE,
	ITEM_STARTUP,
	ITEM_QUERY,
	ITEM_FUNCTION,
	ITEM_CLOSE,
	ITEM_SYNC,
	ITEM_COPY_END, /* CopyDone, CopyFail: no answer of its own */
	/* One call of the extended protocol, with a bit for each of its messages. */
	ITEM_PARSE = 1 << 3,
	ITEM_BIND = 1 << 4,
	ITEM_DESCRIBE = 1 << 5,
	ITEM_DESCRIBE_TOO = 1 << 6, /* the statement and the portal */
	ITEM_EXECUTE = 1 << 7,
	ITEM_GROUP = ITEM_PARSE | ITEM_BIND | ITEM_DESCRIBE | ITEM_DESCRIBE_TOO | ITEM_EXECUTE,
};

enum postgres_phase {
	PHASE_FIRST,  /* requests: length and code without a type. Responses: one byte, yes or no to TLS */
	PHASE_PARAMS, /* requests: the names and values of a startup message */
	PHASE_HEADER,
	PHASE_BODY,
	PHASE_OVER, /* nothing that belongs to us comes any more */
};

/* What a field of a message is to us. */
enum postgres_step { STEP_PASS, STEP_KIND, STEP_OID, STEP_PORTAL, STEP_STATEMENT, STEP_TEXT };

/* Where the statement's text of the call under way is. */
enum postgres_source { SOURCE_NONE, SOURCE_STASH, SOURCE_TABLE };

enum postgres_copy { COPY_NONE, COPY_IN, COPY_OUT, COPY_BOTH };

struct postgres_frame {
	uint32_t left; /* of the body */
	uint8_t phase, type, got;
	uint8_t head[8];
};

struct postgres_requests {
	struct postgres_frame frame;
	uint32_t asked;    /* items put into the queue */
	uint32_t exchange; /* the last one begun */
	uint32_t scanned;  /* of the text of this message */
	uint8_t step, kind, param;
	uint8_t upgrades; /* asked for */
	uint8_t group;    /* of the last one, while more may come to it: what the queue has may be ahead */
	uint8_t source;
	uint8_t db_len;
	bool stashed;     /* the stash has what was kept of this message so far */
	bool parsed;      /* and the text of a Parse */
	bool is_long;     /* the queue is in the arena */
	bool named;       /* the database is told, not only the user */
	uint32_t changes; /* to the table */
	db_prepared_ref ref;
	char db[POSTGRES_NAME];
	uint8_t queue[POSTGRES_QUEUE];
};

struct postgres_responses {
	struct postgres_frame frame;
	uint32_t answered; /* items taken out of the queue */
	uint32_t exchange; /* the last one ended */
	uint64_t rows, number;
	uint8_t parts;    /* messages of the group in front that have their answer */
	uint8_t upgrades; /* answered */
	uint8_t copy, surplus;
	uint8_t field, at; /* of an error, a notice, a parameter, a tag */
	uint8_t code_len, schema_len, flags;
	bool begun, told, held, failed, skipping, has_rows, is_copy, is_select, in_copy;
	char code[5], word[28];
	char schema[POSTGRES_NAME];
};

struct postgres_run;

struct postgres_state {
	struct postgres_run *run; /* only during a feed */
	struct postgres_heap *heap;
	bool opaque, started;
	bool missed; /* a change to the table, which is folded */
	struct postgres_requests requests;
	struct postgres_responses responses;
};

/* One feed, on the stack. */
struct postgres_run {
	struct postgres_state *state;
	struct postgres_frame *frame;
	struct protocol_sink *sink;
	struct bytes in;
	size_t at;
	/* For describe(). */
	struct db_call call;
	struct db_answer answer;
	char space[2 * POSTGRES_NAME + 1], digits[10];
};

static inline struct postgres_requests *postgres_asks(struct postgres_run *run)
{
	return &run->state->requests;
}

static inline struct postgres_responses *postgres_answers(struct postgres_run *run)
{
	return &run->state->responses;
}

/* postgres.c */
void postgres_tell(struct postgres_run *run, enum protocol_event_type type, uint32_t exchange);
void postgres_opaque(struct postgres_run *run, enum protocol_opaque why);

/* postgres_request.c */
void postgres_request_begin(struct postgres_run *run); /* type and length are known */
void postgres_request_body(struct postgres_run *run, struct bytes piece);
void postgres_request_end(struct postgres_run *run);
void postgres_startup_param(struct postgres_run *run, struct bytes piece);

/* postgres_response.c */
void postgres_response_begin(struct postgres_run *run);
void postgres_response_body(struct postgres_run *run, struct bytes piece);
void postgres_response_end(struct postgres_run *run);

/* postgres_queue.c */
uint8_t *postgres_item(struct postgres_run *run, uint32_t number);
void postgres_push(struct postgres_run *run, enum postgres_item item);
uint8_t postgres_front(struct postgres_run *run); /* ITEM_NONE: nothing is asked */

/* postgres_text.c */
void postgres_text_feed(struct postgres_run *run);  /* at the beginning of each */
void postgres_text_fed(struct postgres_run *run);   /* and at its end */
void postgres_text_begin(struct postgres_run *run); /* of a message that has names or a text */
void postgres_text_name(struct postgres_run *run, struct postgres_name *name, struct bytes piece);
void postgres_text_add(struct postgres_run *run, struct bytes piece);
void postgres_text_end(struct postgres_run *run);
struct postgres_stash *postgres_stash(struct postgres_run *run); /* NULL: none, or its content is gone */
bool postgres_name_equal(const struct postgres_name *a, const struct postgres_name *b);
void postgres_text_parsed(struct postgres_run *run);
void postgres_text_of_statement(struct postgres_run *run); /* of that name: what the call is about */
void postgres_text_bound(struct postgres_run *run);
void postgres_text_of_portal(struct postgres_run *run);
void postgres_text_closed(struct postgres_run *run);
void postgres_text_keep_unnamed(struct postgres_run *run);
void postgres_text_failed(struct postgres_run *run, uint32_t exchange);
/* Tells REQUEST_HEAD and REQUEST_END. */
void postgres_text_tell(struct postgres_run *run, uint32_t exchange, uint8_t item);

#endif
