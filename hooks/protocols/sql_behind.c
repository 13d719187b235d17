/* sql_behind.c - what a byte that was held back is, now that the one behind it is known. */
#include "hooks/protocols/sql_internal.h"

void sql_hold(struct sql_run *run, enum sql_state state)
{
	run->sql->mark = sql_here(run);
	run->sql->state = (uint8_t)state;
	run->at++;
}

void sql_param(struct sql_run *run, enum sql_state state)
{
	sql_saw_param(run->sql);
	run->sql->state = (uint8_t)state;
}

void sql_behind_sign(struct sql_run *run)
{
	struct sql_text *sql = run->sql;
	char c = *run->at;

	if (c == '-' && sql->quote == '-') {
		if (sql->dialect == SQL_MYSQL) {
			sql->state = SQL_DASHES;
			run->at++;
		} else {
			sql_comment_begin(run, sql->mark, SQL_LINE);
		}
		return;
	}
	sql->mark += !sql->swallow;
	if (sql_is_digit(c)) {
		sql->number = 0;
		sql_literal(run, sql->mark, SQL_NUMBER);
	} else if (c == '.') {
		if (!sql->swallow)
			sql_saw_operator(sql);
		sql->state = SQL_DOT;
		run->at++;
	} else {
		sql_saw_operator(sql);
		sql->state = SQL_NORMAL;
	}
}

/* MySQL: two dashes are a comment only before a blank or a control character. */
void sql_behind_dashes(struct sql_run *run)
{
	struct sql_text *sql = run->sql;
	uint8_t c = (uint8_t)*run->at;

	if (c <= ' ' || c == 0x7f) {
		sql_comment_begin(run, sql->mark, SQL_LINE);
		return;
	}
	sql_saw_operator(sql);
	sql->mark++; /* the second one */
	sql->swallow = true;
	sql->state = SQL_SIGN;
}

void sql_behind_dot(struct sql_run *run)
{
	struct sql_text *sql = run->sql;

	if (sql_is_digit(*run->at)) {
		sql->number = 0;
		sql_literal(run, sql->mark, SQL_NUMBER);
	} else {
		sql_saw_dot(sql);
		sql->state = SQL_NORMAL;
	}
}

void sql_behind_dollar(struct sql_run *run)
{
	struct sql_text *sql = run->sql;
	char c = *run->at;

	if (c == '$') {
		sql_literal(run, sql->mark, SQL_TAGGED);
		run->at++;
	} else if (sql_is_digit(c) && sql->word_len == 0) {
		if (sql->dialect == SQL_POSTGRESQL) {
			sql_param(run, SQL_PARAM_NUMBER);
		} else { /* money */
			sql->number = 0;
			sql_literal(run, sql->mark, SQL_NUMBER);
		}
	} else if (sql_in_word(c)) {
		if (sql->word_len == sizeof(sql->word)) {
			sql_literal(run, sql->mark, SQL_SILENT);
			sql_doubt(run);
			return;
		}
		sql->word[sql->word_len++] = c;
		run->at++;
	} else {
		sql_saw_param(sql);
		sql->state = SQL_NORMAL;
	}
}

void sql_behind_colon(struct sql_run *run)
{
	struct sql_text *sql = run->sql;

	if (sql_in_word(*run->at)) {
		sql_param(run, SQL_PARAM_NAME);
		return;
	}
	sql_saw_operator(sql);
	sql->state = SQL_NORMAL;
	if (*run->at == ':')
		run->at++;
}

void sql_in_param(struct sql_run *run)
{
	bool name = run->sql->state == SQL_PARAM_NAME;

	while (run->at < run->end &&
	       (name ? sql_in_word(*run->at) || *run->at == '@' || *run->at == '#' : sql_is_digit(*run->at)))
		run->at++;
	if (run->at < run->end)
		run->sql->state = SQL_NORMAL;
}

/* Of slash and star, and of MySQL's executed comments. */
void sql_behind_slash(struct sql_run *run)
{
	struct sql_text *sql = run->sql;
	char c = *run->at;
	bool opens = c == '!' && sql->state != SQL_SLASH;

	if (opens && sql->hint) {
		sql_rewind(run, sql->mark);
		sql_doubt(run);
	} else if (opens) {
		sql->number = 0;
		sql->commented = true;
		sql->state = SQL_HINT_VERSION;
		run->at++;
	} else if (sql->state == SQL_SLASH && c != '*') {
		sql_saw_operator(sql);
		sql->state = SQL_NORMAL;
	} else if (sql->state == SQL_SLASH && sql->dialect == SQL_MYSQL) {
		sql->state = SQL_HINT_OPEN;
		run->at++;
	} else if (sql->state == SQL_HINT_OPEN && c == 'M') {
		sql->state = SQL_HINT_M;
		run->at++;
	} else {
		run->at += sql->state == SQL_SLASH;
		sql_comment_begin(run, sql->mark, SQL_BLOCK);
	}
}

void sql_in_hint(struct sql_run *run)
{
	struct sql_text *sql = run->sql;

	if (sql->state == SQL_STAR) {
		if (*run->at == '/') {
			sql->hint = false;
			sql->blank = true;
			run->at++;
		} else {
			sql_saw_operator(sql);
		}
		sql->state = SQL_NORMAL;
	} else if (sql_is_digit(*run->at) && sql->number < 6) {
		sql->number++;
		run->at++;
	} else {
		sql->hint = sql->blank = true;
		sql->state = SQL_NORMAL;
	}
}

void sql_behind_comment(struct sql_run *run)
{
	struct sql_text *sql = run->sql;

	if (sql->gap && sql_class[(uint8_t)*run->at] != CLASS_BLANK) {
		sql_put(sql, ' ');
		sql->blank = true;
	}
	sql->state = SQL_NORMAL;
}
