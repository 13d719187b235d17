/* statement.h - what the hooks of a database's client library tell of a statement: its text made safe, its
 * summary, as the wire's parsers do. Expects hook_enter() to be in force; no allocation, no system call. */
#ifndef TAGALONG_HOOKS_STATEMENT_H
#define TAGALONG_HOOKS_STATEMENT_H

#include "hooks/protocols/db_describe.h"
#include "hooks/protocols/sql_text.h"
#include "preload/span.h"

/* What is longer than this is not looked at: a span keeps less. */
#define STATEMENT_MAX (64 * 1024)

struct statement {
	struct bytes system, space; /* db.system.name, db.namespace */
	struct bytes text;          /* as the program gave it */
	enum sql_dialect dialect;
	unsigned flags; /* enum sql_flags that are known */
	bool wide;      /* the text is UTF-16, in the machine's order */
	size_t most;    /* bytes of the text that may be told; 0: as fits */
	bool prepared;  /* sent apart from its parameters: if it has any, its text is told as it is */
	const struct protocol_endpoint *endpoint; /* of the server; NULL: nothing is known */
	uint16_t usual_port;                      /* its system's */
	bool first;                               /* only its first statement is meant, wherever that ends */
};

/* Returns how many statements it holds, as far as can be told. */
uint32_t statement_describe(struct span *span, const struct statement *statement);

#endif
