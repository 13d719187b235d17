/* postgres_comment.h - the trace's context in simple queries. */
#ifndef TAGALONG_POSTGRES_COMMENT_H
#define TAGALONG_POSTGRES_COMMENT_H

#include "hooks/protocols/postgres.h"

void postgres_comment_text(struct postgres_stash *kept, struct bytes piece);
void postgres_comment_judge(struct postgres_stash *kept, const struct sql_text_result *result);
void postgres_comment_offer(struct postgres_run *run, size_t nul); /* where the statement's NUL is */
int postgres_comment_insert(const void *opaque, struct bytes lines, char *room, size_t size,
			    struct protocol_edit edit[PROTOCOL_EDITS]);

#endif
