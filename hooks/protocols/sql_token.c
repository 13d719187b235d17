/* sql_token.c - where the tokens of SQL text begin and end, and which of them are literals. */
#include "hooks/protocols/sql_internal.h"

#define O CLASS_OTHER
#define L (CLASS_LETTER | CLASS_IN_WORD)
#define D (CLASS_DIGIT | CLASS_IN_WORD)
#define B CLASS_BLANK
#define Q CLASS_QUOTE
#define S CLASS_SIGN
#define P CLASS_DOT
#define G CLASS_GROUP
#define X CLASS_SPECIAL
#define Y (CLASS_SPECIAL | CLASS_IN_WORD)
const uint8_t sql_class[256] = {
	O, O, O, O, O, O, O, O, O, B, B, B, B, B, O, O, /* controls */
	O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, /* */
	B, O, Q, X, Y, O, O, Q, G, G, X, S, G, S, P, X, /*  !"#$%&'()*+,-./ */
	D, D, D, D, D, D, D, D, D, D, X, G, O, O, O, X, /* 0123456789:;<=>? */
	X, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, /* @A */
	L, L, L, L, L, L, L, L, L, L, L, Q, O, O, O, L, /* Z[\]^_ */
	Q, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, /* `a */
	L, L, L, L, L, L, L, L, L, L, L, O, O, O, O, O, /* z{|}~ */
	L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L,
	L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L,
	L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L,
	L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L,
};
#undef O
#undef L
#undef D
#undef B
#undef Q
#undef S
#undef P
#undef G
#undef X
#undef Y

/* --- words ------------------------------------------------------------------------------------------ */

/* Is the word before this quote part of a string? Then the string has begun. */
static bool prefix(struct sql_run *run, struct bytes word)
{
	struct sql_text *sql = run->sql;
	bool postgresql = sql->dialect == SQL_POSTGRESQL, generic = sql->dialect == SQL_GENERIC;
	char c = bytes_lower(word.ptr[word.len - 1]);
	bool national = word.len == 2 && bytes_lower(word.ptr[0]) == 'n';

	if (generic && c == 'q' && (word.len == 1 || national)) {
		sql_literal(run, sql->mark, SQL_Q_OPEN);
		run->at++;
		return true;
	}
	if (word.len != 1 || !(c == 'n' || c == 'x' || c == 'b' || (c == 'e' && (postgresql || generic))))
		return false;
	sql_literal(run, sql->mark, SQL_STRING);
	sql->quote = '\'';
	sql->escape = ESCAPE_NEVER;
	if (c == 'e') {
		sql->escape = postgresql || sql->flags & SQL_BACKSLASH ? ESCAPE_ALWAYS : ESCAPE_UNKNOWN;
		sql->prev = PREV_ESCAPED;
		sql->newline = false;
	} else if (c == 'n') {
		sql->escape = sql->plain; /* as every string */
	}
	run->at++;
	return true;
}

/* The word ends before run->at, at the end of the text or before another byte. */
static void word_end(struct sql_run *run, struct bytes word, bool split)
{
	struct sql_text *sql = run->sql;

	sql->state = SQL_NORMAL;
	if (word.len <= 2 && run->at < run->end && *run->at == '\'' && prefix(run, word)) {
		if (split)
			sql_target_undo(sql);
	} else if (sql_saw_word(sql, sql_word_of(word), word, split)) {
		sql_literal(run, sql->mark, SQL_NORMAL);
	}
}

/* Most words are names of columns and the like, and nothing is expected of them. */
static inline bool dull(struct sql_text *sql, struct bytes word, char next)
{
	if (sql->alert || next == '\'' || (sql->prev != PREV_DOT && sql_word_of(word) != WORD_NONE))
		return false;
	sql->prev = PREV_WORD;
	sql->prev_word = WORD_NONE;
	sql->list_state = LIST_NONE;
	sql->blank = false;
	return true;
}

static inline bool dull_comma(struct sql_text *sql)
{
	if (sql->alert || (sql->with | sql->from) & sql->level || sql->list_state != LIST_NONE)
		return false;
	sql->prev = PREV_COMMA;
	sql->prev_word = WORD_NONE;
	sql->blank = false;
	return true;
}

/* From a $ or # that may belong to it. */
static __attribute__((noinline)) const char *word_odd(const struct sql_text *sql, const char *at,
						      const char *end)
{
	while (at < end && (sql_in_word(*at) || (*at == '#' && sql->dialect == SQL_GENERIC)))
		at++;
	return at;
}

static inline const char *word_rest(const struct sql_text *sql, const char *at, const char *end)
{
	at = sql_word_rest(at, end);
	if (at < end && (*at == '$' || *at == '#'))
		at = word_odd(sql, at, end);
	return at;
}

/* The piece ends in it, or with it. */
static __attribute__((noinline)) void word_cut(struct sql_run *run, struct bytes text)
{
	struct sql_text *sql = run->sql;

	sql->word_len = (uint32_t)(text.len < sizeof(sql->word) ? text.len : sizeof(sql->word));
	memcpy(sql->word, text.ptr, sql->word_len);
	sql_target_begin(sql);
	sql_target_part(sql, text);
	sql->state = SQL_WORD;
}

/* From run->at to `end`. */
static void word_found(struct sql_run *run, const char *end)
{
	struct bytes text = {run->at, (size_t)(end - run->at)};

	run->sql->mark = sql_here(run);
	run->at = end;
	if (end < run->end)
		word_end(run, text, false);
	else
		word_cut(run, text);
}

/* Takes the first byte whatever it is. */
static void word(struct sql_run *run)
{
	word_found(run, word_rest(run->sql, run->at + 1, run->end));
}

static void word_goes_on(struct sql_run *run)
{
	struct sql_text *sql = run->sql;
	const char *begin = run->at;

	run->at = word_rest(sql, begin, run->end);
	size_t len = (size_t)(run->at - begin), room = sizeof(sql->word) - sql->word_len;
	sql_target_part(sql, (struct bytes){begin, len});
	memcpy(sql->word + sql->word_len, begin, len < room ? len : room);
	sql->word_len += (uint32_t)(len < room ? len : room);
	if (run->at < run->end)
		word_end(run, (struct bytes){sql->word, sql->word_len}, true);
}

/* --- everything else -------------------------------------------------------------------------------- */

static void operator(struct sql_run *run)
{
	sql_saw_operator(run->sql);
	if (*run->at == ']')
		run->sql->prev = PREV_CLOSE;
	run->at++;
}

static void string(struct sql_run *run)
{
	struct sql_text *sql = run->sql;
	bool goes_on = sql->prev == PREV_ESCAPED && sql->newline;
	uint8_t escape = !goes_on || sql->dialect == SQL_GENERIC ? sql->plain : ESCAPE_ALWAYS;

	sql_literal(run, sql_here(run), SQL_STRING);
	sql->quote = (uint8_t)*run->at++;
	sql->escape = escape;
	if (goes_on)
		sql->prev = PREV_ESCAPED;
	sql->newline = false;
}

static void quote(struct sql_run *run)
{
	struct sql_text *sql = run->sql;
	uint8_t dialect = sql->dialect;
	bool adjacent = !sql->blank &&
			((sql->prev >= PREV_WORD && sql->prev <= PREV_PARAM) || sql->prev == PREV_CLOSE);

	switch (*run->at) {
	case '"':
		if ((dialect == SQL_MYSQL && !(sql->flags & SQL_ANSI_QUOTES)) ||
		    sql->flags & SQL_DOUBLE_STRING)
			string(run);
		else
			sql_name_open(run, '"');
		break;
	case '`':
		if (dialect == SQL_POSTGRESQL)
			operator(run);
		else
			sql_name_open(run, '`');
		break;
	case '[':
		if (dialect == SQL_SQLITE || (dialect == SQL_GENERIC && !adjacent))
			sql_name_open(run, ']');
		else
			operator(run); /* a subscript */
		break;
	default:
		string(run);
	}
}

static void special(struct sql_run *run)
{
	struct sql_text *sql = run->sql;
	uint8_t dialect = sql->dialect;
	bool named = dialect == SQL_GENERIC || dialect == SQL_SQLITE;

	switch (*run->at) {
	case '/':
		sql_hold(run, SQL_SLASH);
		return;
	case '*':
		if (!sql->hint)
			break;
		sql_hold(run, SQL_STAR);
		return;
	case '$':
		if (dialect == SQL_MYSQL || dialect == SQL_SQLITE) {
			word(run);
			return;
		}
		sql->word_len = 0;
		sql_hold(run, SQL_DOLLAR);
		return;
	case '#':
		if (dialect == SQL_GENERIC)
			word(run);
		else if (dialect == SQL_MYSQL)
			sql_comment_begin(run, sql_here(run), SQL_LINE);
		else
			break;
		return;
	case ':':
		if (!named)
			break;
		sql_hold(run, SQL_COLON);
		return;
	case '@':
		if (dialect == SQL_POSTGRESQL)
			break;
		sql_param(run, SQL_PARAM_NAME);
		run->at++;
		return;
	default: /* ? */
		sql_param(run, named ? SQL_PARAM_NUMBER : SQL_NORMAL);
		run->at++;
		return;
	}
	operator(run);
}

static void sign(struct sql_run *run)
{
	struct sql_text *sql = run->sql;
	uint8_t prev = sql->prev;

	/* Behind an operand it is an operator; behind a literal it counts as the next one's (otel.md 5.4). */
	sql->swallow = !((prev == PREV_WORD && !sql->blank) || prev == PREV_NAME || prev == PREV_CLOSE ||
			 prev == PREV_PARAM);
	sql->quote = (uint8_t)*run->at;
	sql_hold(run, SQL_SIGN);
}

static void group(struct sql_run *run)
{
	struct sql_text *sql = run->sql;

	switch (*run->at) {
	case '(':
		sql_saw_open(sql);
		break;
	case ')':
		if (sql->list_state == 2)
			sql_rewind(run, sql->list);
		sql_saw_close(sql);
		break;
	case ',':
		sql_saw_comma(sql);
		break;
	default:
		sql_saw_end(sql);
	}
	run->at++;
}

/* A token that is not dull. */
static __attribute__((noinline)) void token(struct sql_run *run)
{
	struct sql_text *sql = run->sql;

	switch (sql_class[(uint8_t)*run->at] & 15) {
	case CLASS_DIGIT:
		sql->number = 0;
		sql_literal(run, sql_here(run), SQL_NUMBER);
		break;
	case CLASS_QUOTE:
		quote(run);
		break;
	case CLASS_SIGN:
		sign(run);
		break;
	case CLASS_DOT:
		if (run->end - run->at > 1 && !sql_is_digit(run->at[1])) {
			run->at++;
			sql_saw_dot(sql);
			break;
		}
		sql_hold(run, SQL_DOT);
		if (!sql->blank &&
		    (sql->prev == PREV_WORD || sql->prev == PREV_NAME || sql->prev == PREV_CLOSE))
			sql->mark++;
		break;
	case CLASS_GROUP:
		group(run);
		break;
	case CLASS_SPECIAL:
		special(run);
		break;
	default:
		operator(run);
	}
}

static void normal(struct sql_run *run)
{
	struct sql_text *sql = run->sql;
	const char *at = run->at, *const end = run->end;

	while (at < end && sql->state == SQL_NORMAL) {
		uint8_t class = sql_class[(uint8_t)*at];
		if (class == (CLASS_LETTER | CLASS_IN_WORD)) {
			const char *next = word_rest(sql, at + 1, end);
			if (next < end && dull(sql, (struct bytes){at, (size_t)(next - at)}, *next)) {
				at = next;
				continue;
			}
			run->at = at;
			word_found(run, next);
			at = run->at;
		} else if (class == CLASS_BLANK) {
			sql->blank = true;
			sql->newline |= *at == '\n' || *at == '\r';
			at++;
		} else if (*at == ',' && dull_comma(sql)) {
			at++;
		} else {
			run->at = at;
			token(run);
			at = run->at;
		}
	}
	run->at = at;
}

void sql_token_step(struct sql_run *run)
{
	switch (run->sql->state) {
	case SQL_NORMAL:
		normal(run);
		break;
	case SQL_WORD:
		word_goes_on(run);
		break;
	case SQL_PARAM_NAME:
	case SQL_PARAM_NUMBER:
		sql_in_param(run);
		break;
	case SQL_SIGN:
		sql_behind_sign(run);
		break;
	case SQL_DASHES:
		sql_behind_dashes(run);
		break;
	case SQL_DOT:
		sql_behind_dot(run);
		break;
	case SQL_COLON:
		sql_behind_colon(run);
		break;
	case SQL_DOLLAR:
		sql_behind_dollar(run);
		break;
	case SQL_SLASH:
	case SQL_HINT_OPEN:
	case SQL_HINT_M:
		sql_behind_slash(run);
		break;
	case SQL_STAR:
	case SQL_HINT_VERSION:
		sql_in_hint(run);
		break;
	default:
		sql_behind_comment(run);
	}
}

void sql_token_end(struct sql_run *run)
{
	struct sql_text *sql = run->sql;

	switch (sql->state) {
	case SQL_WORD:
		word_end(run, (struct bytes){sql->word, sql->word_len}, true);
		break;
	case SQL_NAME_QUOTE:
		sql_name_quote(run, '\0');
		break;
	case SQL_DASHES: /* followed by the end they are a comment */
		sql_comment_begin(run, sql->mark, SQL_LINE);
		break;
	case SQL_SIGN:
	case SQL_SLASH:
		sql_saw_operator(sql);
		break;
	default:
		break;
	}
}
