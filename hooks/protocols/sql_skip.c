/* sql_skip.c - what is not written: strings, numbers, comments.
 *
 * A string whose end we do not see where the server sees it would turn the quotes that follow inside out, so
 * whatever can be read in two ways is given up. */
#include "hooks/protocols/sql_internal.h"

static void literal_end(struct sql_run *run)
{
	run->sql->state = SQL_NORMAL;
	run->from = run->at;
}

/* A server that does not execute this hint looks for its end in strings too; one that does, does not. */
static bool hint_broken(struct sql_text *sql, char c)
{
	bool broken = sql->hint_star && c == '/';
	sql->hint_star = c == '*';
	return broken;
}

/* In GBK, SJIS, Big5 a character may end in 5C, which is no backslash then. Where the text is UTF-8 that
 * cannot be. */
static void track_character(struct sql_text *sql, uint8_t c)
{
	if ((c & 0xc0) == 0x80 && sql->need) {
		sql->need--;
	} else {
		sql->strange |= (c & 0xc0) == 0x80 || sql->need;
		sql->need = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : c >= 0xc0 ? 1 : 0;
	}
	sql->strange |= (sql->flags & SQL_MULTIBYTE) != 0;
}

/* True: the string goes on in another state. */
static bool string_byte(struct sql_run *run, char c)
{
	struct sql_text *sql = run->sql;

	if ((uint8_t)c >= 0x80) {
		track_character(sql, (uint8_t)c);
		return false;
	}
	if (sql->need) {
		sql->strange = true;
		sql->need = 0;
	}
	if (sql->hint && hint_broken(sql, c)) {
		sql_doubt(run);
		return true;
	}
	if (c == (char)sql->quote) {
		sql->state = SQL_STRING_QUOTE;
		return true;
	}
	if (c != '\\' || sql->escape == ESCAPE_NEVER)
		return false;
	if (sql->strange)
		sql_doubt(run);
	else
		sql->state = SQL_STRING_ESCAPE;
	return true;
}

static void string_body(struct sql_run *run)
{
	struct sql_text *sql = run->sql;

	if (sql->escape == ESCAPE_NEVER && !sql->hint) {
		const char *end = memchr(run->at, sql->quote, (size_t)(run->end - run->at));
		if (end)
			sql->state = SQL_STRING_QUOTE;
		run->at = end ? end + 1 : run->end;
		return;
	}
	while (run->at < run->end)
		if (string_byte(run, *run->at++))
			return;
}

void sql_skip_string(struct sql_run *run)
{
	struct sql_text *sql = run->sql;

	if (sql->state == SQL_STRING) {
		string_body(run);
	} else if (sql->state == SQL_STRING_QUOTE) {
		if (*run->at == (char)sql->quote) {
			sql->state = SQL_STRING;
			run->at++;
		} else {
			literal_end(run);
		}
	} else if (*run->at == (char)sql->quote && sql->escape == ESCAPE_UNKNOWN) {
		sql_doubt(run);
	} else {
		sql->state = SQL_STRING;
		if (sql->hint && hint_broken(sql, *run->at))
			sql_doubt(run);
		else
			run->at += (uint8_t)*run->at < 0x80;
	}
}

/* --- $tag$ ... $tag$ --------------------------------------------------------------------------------------
 */

void sql_skip_tagged(struct sql_run *run)
{
	struct sql_text *sql = run->sql;

	if (sql->state == SQL_TAGGED) {
		const char *end = memchr(run->at, '$', (size_t)(run->end - run->at));
		run->at = end ? end + 1 : run->end;
		sql->matched = 0;
		if (end)
			sql->state = SQL_TAGGED_CLOSE;
		return;
	}
	char c = *run->at++;
	if (sql->matched < sql->word_len && c == sql->word[sql->matched]) {
		sql->matched++;
	} else if (c == '$') {
		if (sql->matched == sql->word_len)
			literal_end(run);
		sql->matched = 0; /* or it opens another try */
	} else {
		sql->state = SQL_TAGGED;
	}
}

/* --- q'[ ... ]' -------------------------------------------------------------------------------------------
 */

void sql_skip_q(struct sql_run *run)
{
	static const char opening[] = "([{<", closing[] = ")]}>";
	struct sql_text *sql = run->sql;
	char c = *run->at++;

	if (sql->state == SQL_Q_OPEN) {
		const char *pair = c ? strchr(opening, c) : NULL;
		sql->quote = (uint8_t)(pair ? closing[pair - opening] : c);
		sql->state = SQL_Q;
		if ((uint8_t)c <= ' ' || (uint8_t)c >= 0x7f || c == '\'')
			sql_doubt(run);
	} else if (c == (char)sql->quote) {
		sql->state = SQL_Q_CLOSE;
	} else if (sql->state == SQL_Q_CLOSE && c == '\'') {
		literal_end(run);
	} else {
		sql->state = SQL_Q;
	}
}

/* --- comments ---------------------------------------------------------------------------------------------
 */

void sql_comment_begin(struct sql_run *run, size_t mark, enum sql_state state)
{
	struct sql_text *sql = run->sql;

	sql_rewind(run, mark);
	sql->commented = true;
	sql->gap = !sql->blank && sql->prev != PREV_NONE;
	sql->nest = 1;
	sql->state = (uint8_t)state;
	if (sql->prev == PREV_ESCAPED && state == SQL_BLOCK) /* no string goes on behind it */
		sql->prev = PREV_LITERAL;
	if (sql->hint) /* where does it end, then? */
		sql_doubt(run);
}

static void comment_end(struct sql_run *run)
{
	run->sql->state = SQL_GAP;
	run->from = run->at;
}

static void line(struct sql_run *run)
{
	bool returns = run->sql->dialect == SQL_POSTGRESQL; /* end a line too */

	while (run->at < run->end) {
		if (*run->at == '\n' || (returns && *run->at == '\r')) {
			comment_end(run);
			return;
		}
		run->at++;
	}
}

static void block_nested(struct sql_run *run)
{
	struct sql_text *sql = run->sql;

	sql->state = SQL_BLOCK;
	if (sql->dialect == SQL_GENERIC || sql->nest == UINT16_MAX)
		sql_doubt(run); /* SQL Server nests, Oracle does not */
	else if (sql->dialect == SQL_POSTGRESQL)
		sql->nest++;
}

void sql_skip_comment(struct sql_run *run)
{
	struct sql_text *sql = run->sql;

	if (sql->state == SQL_LINE) {
		line(run);
		return;
	}
	while (run->at < run->end) {
		char c = *run->at++;
		if (c == '/' && sql->state == SQL_BLOCK_STAR) {
			sql->state = SQL_BLOCK;
			if (--sql->nest == 0) {
				comment_end(run);
				return;
			}
		} else if (c == '*' && sql->state == SQL_BLOCK_SLASH) {
			block_nested(run);
			if (sql->state == SQL_SILENT)
				return;
			if (sql->dialect != SQL_POSTGRESQL)
				sql->state = SQL_BLOCK_STAR;
		} else {
			sql->state = c == '*' ? SQL_BLOCK_STAR : c == '/' ? SQL_BLOCK_SLASH : SQL_BLOCK;
		}
	}
}

/* --- numbers ----------------------------------------------------------------------------------------------
 */

/* Everything that sticks to it is taken too: a server may know suffixes that we do not. */
static void digits(struct sql_run *run)
{
	struct sql_text *sql = run->sql;

	for (; run->at < run->end; run->at++) {
		char c = *run->at;
		if (c != '.' && (!sql_in_word(c) || c == '$')) {
			literal_end(run);
			return;
		}
		if (sql_is_digit(c) || c == '.' || c == '_')
			continue;
		if ((c | 0x20) == 'e' && sql->number == 0) {
			sql->state = SQL_NUMBER_EXP;
			run->at++;
			return;
		}
		sql->number = 1; /* not decimal: e is just another letter */
	}
}

void sql_number(struct sql_run *run)
{
	struct sql_text *sql = run->sql;
	char c = *run->at;

	if (sql->state == SQL_NUMBER) {
		digits(run);
	} else if (sql->state == SQL_NUMBER_EXP && (c == '+' || c == '-')) {
		sql->quote = (uint8_t)c;
		sql->state = SQL_NUMBER_SIGN;
		run->at++;
	} else if (sql->state == SQL_NUMBER_EXP || sql_is_digit(c)) {
		sql->number = 1;
		sql->state = SQL_NUMBER;
	} else { /* the sign was an operator, or half a comment */
		literal_end(run);
		sql->mark = sql->pos;
		sql->swallow = true;
		sql_put(sql, (char)sql->quote);
		sql->state = SQL_SIGN;
	}
}
