/* mysql_statement.h - texts of the MySQL parser: of the statement that is being sent, in the stash; of those
 * that were prepared, in the arena. Without either a call has none. */
#ifndef TAGALONG_MYSQL_STATEMENT_H
#define TAGALONG_MYSQL_STATEMENT_H

#include "hooks/protocols/mysql.h"

/* A statement begins, goes on, is complete: then the run has its text and summary until the next one begins.
 * A stash block may have been put back elsewhere: return() comes first in each feed. */
void mysql_statement_return(struct mysql_run *run);
void mysql_statement_begin(struct mysql_run *run);
void mysql_statement_add(struct mysql_run *run, struct bytes piece);
void mysql_statement_end(struct mysql_run *run, uint32_t exchange);
void mysql_statement_drop(struct mysql_run *run); /* what is still to come of it is passed over */

/* mysql_comment.c: the context as a comment in a COM_QUERY that is complete in this feed. */
void mysql_comment_offer(struct mysql_run *run);
int mysql_comment_insert(const void *state, struct bytes lines, char *room, size_t size,
			 struct protocol_edit edit[PROTOCOL_EDITS]);

/* A query's attributes stand before its text, which ends them. */
void mysql_attributes_byte(struct mysql_run *run, uint8_t byte);

/* Prepared by this exchange: kept; what the server calls it; looked up. */
void mysql_prepared_keep(struct mysql_run *run, uint32_t exchange);
void mysql_prepared_named(struct mysql_run *run, uint32_t exchange, uint32_t id);
void mysql_prepared_find(struct mysql_run *run, uint32_t id);
void mysql_prepared_close(struct mysql_run *run, uint32_t id);

#endif
