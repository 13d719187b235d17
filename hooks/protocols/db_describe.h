/* db_describe.h - what a call to a database says about its span, whatever the protocol.
 *
 * A database protocol (struct protocol, `database` set) tells one exchange a logical call: REQUEST_BEGIN at
 * the first byte of the call's first message, REQUEST_HEAD when what it asks is known (describe: the first
 * function here), REQUEST_END, RESPONSE_BEGIN, RESPONSE_HEAD when the outcome is known, at the latest right
 * before the end (describe: the second), RESPONSE_END with the last byte of the answer. Calls that are sent
 * ahead of their answers are exchanges in flight, answered in order; one that is not answered at all has a
 * RESET (CANCELLED) in place of the last three. All text is borrowed for the call. No allocation, no lock, no
 * system call. Semantic conventions: database client spans (otel.md 5.4). */
#ifndef TAGALONG_DB_DESCRIBE_H
#define TAGALONG_DB_DESCRIBE_H

#include "preload/protocol.h"

struct db_call {
	struct bytes system;     /* db.system.name, a literal */
	struct bytes space;      /* db.namespace */
	struct bytes operation;  /* db.operation.name; NONE for SQL: never taken out of its text */
	struct bytes collection; /* db.collection.name, likewise */
	struct bytes procedure;  /* db.stored_procedure.name */
	struct bytes summary;    /* db.query.summary */
	struct bytes text;       /* db.query.text, safe to record: made so by the caller (sql_text.h) */
	uint32_t batch;          /* operations in it; 1: no batch */
	uint16_t usual_port;     /* server.port is told when it is another */
	bool space_in_name;      /* the namespace may stand in the span's name: not for Redis */
	bool bare;               /* the server never stands in the span's name: Redis' page has it so */
	bool peer;               /* this system's page wants network.peer.* */
	bool unknown;            /* its text is not known any more, and counted as that */
};

struct db_answer {
	struct bytes code;  /* db.response.status_code; NONE: nothing to tell */
	struct bytes error; /* error.type; NONE where it is the code */
	bool failed;
	bool has_rows;
	uint64_t rows; /* db.response.returned_rows */
};

/* Name and attributes, from MOMENT_REQUEST's callback. */
void db_describe_call(const struct db_call *call, const struct protocol_endpoint *endpoint,
		      struct protocol_facts *facts);
/* From MOMENT_RESPONSE's. */
void db_describe_answer(const struct db_answer *answer, struct protocol_facts *facts);

#endif
