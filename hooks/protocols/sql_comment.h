/* sql_comment.h - the trace's context as a comment at the end of a statement (otel.md 5.5, sqlcommenter).
 *
 * Pure functions. The statement must be whole; whether one may be touched at all (not a prepared one, only
 * when asked for) is the caller's to know. */
#ifndef TAGALONG_SQL_COMMENT_H
#define TAGALONG_SQL_COMMENT_H

#include "hooks/protocols/sql_text.h"

#define SQL_COMMENT_MAX 1700 /* holds a traceparent and the longest tracestate, encoded */

/* Where the comment goes: behind the statement, before the semicolon and the blanks at its end. False:
 * nowhere, because it is empty, has a comment already, is several statements, ends inside a string, or cannot
 * be read for sure. */
bool sql_comment_place(enum sql_dialect dialect, unsigned flags, struct bytes statement, size_t *offset);

/* By its summary: does it read or change rows? What defines something would keep the comment. */
bool sql_comment_wanted(struct bytes summary);

/* The comment, beginning with a blank; its length, 0 without a traceparent or without room for it. A
 * tracestate for which there is no room is left out. */
size_t sql_comment_text(struct bytes traceparent, struct bytes tracestate, char *out, size_t cap);
/* The same from header lines, as an INSERT is given them. */
size_t sql_comment_lines(struct bytes lines, char *out, size_t cap);

#endif
