/* sql_name.c - names in quotes, which go through unless they prove to be values.
 *
 * SQLite takes "x" for a string where no column has that name, and what is behind ODBC may do so always. So
 * where a value is expected, and nothing follows that only a name can have, it is one. */
#include "hooks/protocols/sql_internal.h"

void sql_name_open(struct sql_run *run, char close)
{
	struct sql_text *sql = run->sql;
	bool either = sql->dialect == SQL_SQLITE || sql->dialect == SQL_GENERIC;

	sql->mark = sql_here(run);
	sql->quote = (uint8_t)close;
	sql->valued = close == '"' && either && sql_value_here(sql);
	sql->matched = sql->hint_star = 0;
	sql->state = SQL_NAME;
	sql_target_begin(sql);
	sql_target_part(sql, (struct bytes){run->at, 1});
	run->at++;
}

void sql_name_no(struct sql_run *run, enum sql_state state)
{
	sql_target_undo(run->sql);
	sql_literal(run, run->sql->mark, state);
}

/* May another server read this differently? */
static bool doubtful(struct sql_text *sql, char c)
{
	bool star = sql->hint_star, backslash = sql->matched;

	sql->hint_star = c == '*';
	sql->matched = c == '\\' && !backslash;
	if (sql->hint && star && c == '/')
		return true;
	if (sql->dialect != SQL_GENERIC)
		return false;
	return sql->quote == ']' ? c == '\'' : sql->quote == '"' && backslash && c == '"';
}

void sql_name(struct sql_run *run)
{
	struct sql_text *sql = run->sql;
	const char *begin = run->at;

	if (!sql->hint && sql->dialect != SQL_GENERIC) /* not doubtful */
		while (run->at < run->end && *run->at != (char)sql->quote)
			run->at++;
	while (run->at < run->end) {
		char c = *run->at;
		if (doubtful(sql, c)) {
			sql_name_no(run, SQL_SILENT);
			sql_doubt(run);
			return;
		}
		run->at++;
		if (c == (char)sql->quote) {
			sql->state = SQL_NAME_QUOTE;
			break;
		}
	}
	sql_target_part(sql, (struct bytes){begin, (size_t)(run->at - begin)});
}

void sql_name_quote(struct sql_run *run, char next)
{
	struct sql_text *sql = run->sql;

	if (next == (char)sql->quote && next && !(next == ']' && sql->dialect == SQL_SQLITE)) {
		sql_target_part(sql, (struct bytes){&next, 1});
		sql->state = SQL_NAME;
		run->at++;
		return;
	}
	if (sql->valued && next != '.') {
		sql_name_no(run, SQL_NORMAL);
		return;
	}
	sql_target_end(sql);
	sql_saw_name(sql);
	sql->state = SQL_NORMAL;
}
