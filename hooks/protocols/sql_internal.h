/* sql_internal.h - between the lexer (sql_text.c, sql_skip.c) and the summary (sql_summary.c).
 *
 * The text goes through verbatim: [from, at) of the piece is still to be copied, and a place in the output is
 * told by where it would be if there were room without end. So everything can be taken back to a mark. */
#ifndef TAGALONG_SQL_INTERNAL_H
#define TAGALONG_SQL_INTERNAL_H

#include "hooks/protocols/sql_scan.h"
#include "hooks/protocols/sql_text.h"
#include "hooks/protocols/sql_words.h"

enum sql_state {
	SQL_NORMAL,
	SQL_WORD, /* cut in the middle */
	SQL_PARAM_NAME,
	SQL_PARAM_NUMBER,
	SQL_SIGN, /* + or -, that may belong to a number; - may begin a comment */
	SQL_DASHES,
	SQL_DOT,
	SQL_COLON,
	SQL_SLASH,
	SQL_STAR,
	SQL_DOLLAR,
	SQL_NAME, /* in quotes */
	SQL_NAME_QUOTE,
	SQL_HINT_OPEN, /* MySQL, behind slash and star: is it a hint? */
	SQL_HINT_M,
	SQL_HINT_VERSION,
	SQL_GAP,  /* behind a comment */
	SQL_MUTE, /* what follows writes nothing */
	SQL_STRING = SQL_MUTE,
	SQL_STRING_ESCAPE,
	SQL_STRING_QUOTE,
	SQL_TAGGED,
	SQL_TAGGED_CLOSE,
	SQL_Q_OPEN,
	SQL_Q,
	SQL_Q_CLOSE,
	SQL_LINE,
	SQL_BLOCK,
	SQL_BLOCK_STAR,
	SQL_BLOCK_SLASH,
	SQL_SILENT,
	SQL_NUMBER,
	SQL_NUMBER_EXP,
	SQL_NUMBER_SIGN,
};

enum sql_prev {
	PREV_NONE,
	PREV_WORD,
	PREV_NAME, /* in quotes */
	PREV_LITERAL,
	PREV_ESCAPED, /* E'...': its continuation escapes too, which begins on another line (sql->newline) */
	PREV_PARAM,
	PREV_OPERATOR,
	PREV_COMMA,
	PREV_OPEN,
	PREV_CLOSE,
	PREV_DOT,
};

enum sql_escape { ESCAPE_NEVER, ESCAPE_ALWAYS, ESCAPE_UNKNOWN };

/* One feed. */
struct sql_run {
	struct sql_text *sql;
	const char *at, *end, *from;
};

static inline bool sql_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* sql_text.c */
static inline size_t sql_here(const struct sql_run *run)
{
	return run->sql->pos + (size_t)(run->at - run->from);
}
void sql_rewind(struct sql_run *run, size_t mark); /* what follows is taken from run->at on */
void sql_put(struct sql_text *sql, char c);
void sql_literal(struct sql_run *run, size_t mark, enum sql_state state);
void sql_doubt(struct sql_run *run);

/* sql_token.c */
void sql_token_step(struct sql_run *run);
void sql_token_end(struct sql_run *run);

/* sql_behind.c */
void sql_hold(struct sql_run *run, enum sql_state state); /* until the next byte is there */
void sql_param(struct sql_run *run, enum sql_state state);
void sql_behind_sign(struct sql_run *run);
void sql_behind_dashes(struct sql_run *run);
void sql_behind_dot(struct sql_run *run);
void sql_behind_dollar(struct sql_run *run);
void sql_behind_colon(struct sql_run *run);
void sql_behind_slash(struct sql_run *run);
void sql_behind_comment(struct sql_run *run);
void sql_in_param(struct sql_run *run);
void sql_in_hint(struct sql_run *run);

/* sql_skip.c: each takes at least one byte or changes the state. */
void sql_skip_string(struct sql_run *run);
void sql_skip_tagged(struct sql_run *run);
void sql_skip_q(struct sql_run *run);
void sql_skip_comment(struct sql_run *run);
void sql_comment_begin(struct sql_run *run, size_t mark, enum sql_state state);
void sql_number(struct sql_run *run);

/* sql_name.c: names in quotes. */
void sql_name_open(struct sql_run *run, char close);
void sql_name(struct sql_run *run);
void sql_name_no(struct sql_run *run, enum sql_state state); /* it is a literal */
void sql_name_quote(struct sql_run *run, char next);         /* next: 0 at the end of the text */

/* sql_summary.c: tokens, in their order. */
bool sql_saw_word(struct sql_text *sql, enum sql_word kind, struct bytes word,
		  bool split); /* true: it is a literal */
void sql_saw_literal(struct sql_text *sql);
void sql_saw_param(struct sql_text *sql);
void sql_saw_operator(struct sql_text *sql);
void sql_saw_dot(struct sql_text *sql);
void sql_saw_name(struct sql_text *sql); /* in quotes; behind sql_target_end */
void sql_saw_open(struct sql_text *sql);
void sql_saw_close(struct sql_text *sql);
void sql_saw_comma(struct sql_text *sql);
void sql_saw_end(struct sql_text *sql); /* of a statement */
/* Must what stands in double quotes here be a value, if it may be one at all? */
bool sql_value_here(const struct sql_text *sql);

void sql_summary_begin(struct sql_text *sql);
struct bytes sql_summary_end(struct sql_text *sql);

enum { DDL_NONE, DDL_TYPE, DDL_NAME };                   /* what CREATE waits for */
enum { ROLE_NONE, ROLE_TARGET, ROLE_PART, ROLE_WITH };   /* of the name under way */
enum { LIST_NONE, LIST_OPEN, LIST_LITERAL, LIST_COMMA }; /* an IN list of literals alone */

/* sql_target.c: the summary's text. A name comes in parts, and is undone if it was none after all. */
void sql_operation(struct sql_text *sql, struct bytes word);
void sql_target_begin(struct sql_text *sql);
void sql_target_part(struct sql_text *sql, struct bytes part);
void sql_target_end(struct sql_text *sql);
void sql_target_undo(struct sql_text *sql);
void sql_target_dot(struct sql_text *sql);
void sql_target_complete(struct sql_text *sql); /* any token but a dot and the name behind it */
void sql_target_forget(struct sql_text *sql);   /* all since the last operation */
void sql_statement_told(struct sql_text *sql);
struct bytes sql_told(struct sql_text *sql);

#endif
