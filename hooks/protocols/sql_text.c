/* sql_text.c - the text without its literals, and how a piece of it goes through. */
#include "hooks/protocols/sql_internal.h"

/* --- output ----------------------------------------------------------------------------------------- */

static void put(struct sql_text *sql, const char *from, size_t len)
{
	if (sql->pos < sql->text.cap && !(sql->flags & SQL_RAW)) {
		size_t room = sql->text.cap - sql->pos;
		memcpy(sql->text.ptr + sql->pos, from, len < room ? len : room);
	}
	sql->pos += len;
}

void sql_put(struct sql_text *sql, char c)
{
	put(sql, &c, 1);
}

void sql_rewind(struct sql_run *run, size_t mark)
{
	struct sql_text *sql = run->sql;
	if (mark > sql->pos)
		put(sql, run->from, mark - sql->pos);
	else
		sql->pos = mark;
	run->from = run->at;
}

void sql_literal(struct sql_run *run, size_t mark, enum sql_state state)
{
	struct sql_text *sql = run->sql;
	sql_rewind(run, mark);
	sql_put(sql, '?');
	sql_saw_literal(sql);
	sql->state = (uint8_t)state;
	sql->strange = false;
	sql->hint_star = false;
	sql->need = 0;
}

void sql_doubt(struct sql_run *run)
{
	run->sql->doubtful = true;
	run->sql->state = SQL_SILENT;
}

/* --- from beginning to end ---------------------------------------------------------------------------- */

void sql_text_begin(struct sql_text *sql, enum sql_dialect dialect, unsigned flags, struct sql_room text,
		    struct sql_room summary)
{
	bool escapes = dialect == SQL_MYSQL ? !(flags & SQL_NO_BACKSLASH) : (flags & SQL_BACKSLASH) != 0;

	memset(sql, 0, sizeof(*sql));
	sql->text = text;
	sql->summary = summary;
	if (sql->summary.cap > SQL_SUMMARY_MAX)
		sql->summary.cap = SQL_SUMMARY_MAX;
	sql->dialect = (uint8_t)dialect;
	sql->flags = (uint8_t)flags;
	sql->plain = escapes ? ESCAPE_ALWAYS : ESCAPE_NEVER;
	if (dialect == SQL_GENERIC && !(flags & (SQL_BACKSLASH | SQL_NO_BACKSLASH)))
		sql->plain = ESCAPE_UNKNOWN;
	sql_summary_begin(sql);
}

static void step(struct sql_run *run)
{
	switch (run->sql->state) {
	case SQL_NUMBER:
	case SQL_NUMBER_EXP:
	case SQL_NUMBER_SIGN:
		sql_number(run);
		break;
	case SQL_NAME:
		sql_name(run);
		break;
	case SQL_NAME_QUOTE:
		sql_name_quote(run, *run->at);
		break;
	case SQL_STRING:
	case SQL_STRING_ESCAPE:
	case SQL_STRING_QUOTE:
		sql_skip_string(run);
		break;
	case SQL_TAGGED:
	case SQL_TAGGED_CLOSE:
		sql_skip_tagged(run);
		break;
	case SQL_Q_OPEN:
	case SQL_Q:
	case SQL_Q_CLOSE:
		sql_skip_q(run);
		break;
	case SQL_LINE:
	case SQL_BLOCK:
	case SQL_BLOCK_STAR:
	case SQL_BLOCK_SLASH:
		sql_skip_comment(run);
		break;
	case SQL_SILENT:
		run->at = run->end;
		break;
	default:
		sql_token_step(run);
	}
}

void sql_text_feed(struct sql_text *sql, struct bytes piece)
{
	struct sql_run run = {sql, piece.ptr, piece.ptr + piece.len, piece.ptr};

	if (piece.len == 0)
		return;
	if (sql->flags & SQL_RAW && sql->raw < sql->text.cap) {
		size_t room = sql->text.cap - sql->raw;
		memcpy(sql->text.ptr + sql->raw, piece.ptr, piece.len < room ? piece.len : room);
	}
	sql->raw += piece.len;
	while (run.at < run.end)
		step(&run);
	if (sql->state < SQL_MUTE)
		put(sql, run.from, (size_t)(run.at - run.from));
}

/* Without the beginning of a character that the end of the room has cut. */
static size_t whole_characters(const char *text, size_t len)
{
	size_t back = 0;

	while (back < len && back < 4 && ((uint8_t)text[len - 1 - back] & 0xc0) == 0x80)
		back++;
	if (back == len || back == 4)
		return len;
	uint8_t lead = (uint8_t)text[len - 1 - back];
	size_t more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : lead >= 0xc0 ? 1 : 0;
	return more > back ? len - 1 - back : len;
}

/* What is open now was not a name, as far as we know. */
static bool still_open(struct sql_run *run)
{
	struct sql_text *sql = run->sql;

	switch (sql->state) {
	case SQL_NAME:
		sql_name_no(run, SQL_SILENT);
		return true;
	case SQL_HINT_OPEN:
	case SQL_HINT_M:
		sql_comment_begin(run, sql->mark, SQL_BLOCK);
		return true;
	case SQL_HINT_VERSION:
		return true;
	default:
		return (sql->state >= SQL_MUTE && sql->state != SQL_STRING_QUOTE &&
			sql->state < SQL_NUMBER) ||
		       sql->hint;
	}
}

void sql_text_end(struct sql_text *sql, struct sql_text_result *result)
{
	static const char nothing[1];
	struct sql_run run = {sql, nothing, nothing, nothing};
	bool raw = sql->flags & SQL_RAW;

	sql_token_end(&run);
	result->open = still_open(&run);
	size_t len = raw ? sql->raw : sql->pos;
	result->cut = len > sql->text.cap || (sql->doubtful && !raw);
	if (len > sql->text.cap)
		len = whole_characters(sql->text.ptr, sql->text.cap);
	result->text = (struct bytes){sql->text.ptr, len};
	result->summary = sql_summary_end(sql);
	result->statements = sql->statements;
	result->doubtful = sql->doubtful;
	result->commented = sql->commented;
}

static bool in_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
	       c == '$' || (uint8_t)c >= 0x80;
}

bool sql_has_parameters(struct bytes text)
{
	bool quoted = false;

	for (size_t i = 0; i + 1 < text.len; i++) {
		char c = text.ptr[i], next = text.ptr[i + 1];
		if (c == '"')
			quoted = !quoted;
		else if (c == '$' && !quoted && next >= '1' && next <= '9' &&
			 (i == 0 || !in_name(text.ptr[i - 1])))
			return true;
	}
	return false;
}
