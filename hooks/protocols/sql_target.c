/* sql_target.c - the summary's text: the first statement's is written, every other one is compared with it.
 */
#include "hooks/protocols/sql_internal.h"

enum { SAME = UINT16_MAX };

static void compare(struct sql_text *sql, struct bytes text)
{
	for (size_t i = 0; i < text.len && sql->told_differs == SAME; i++)
		if (sql->told + i >= sql->told_first || sql->summary.ptr[sql->told + i] != text.ptr[i])
			sql->told_differs = (uint16_t)(sql->told + i);
}

static void tell(struct sql_text *sql, struct bytes text)
{
	if (sql->full)
		return;
	size_t room = sql->summary.cap - sql->told; /* told is one more than cap when that is passed */
	if (sql->told > sql->summary.cap)
		return;
	if (sql->statements == 0 && room)
		memcpy(sql->summary.ptr + sql->told, text.ptr, text.len < room ? text.len : room);
	else if (room)
		compare(sql, bytes_until(text, room));
	sql->told += (uint16_t)(text.len <= room ? text.len : room + 1);
}

static void untell(struct sql_text *sql, uint16_t mark)
{
	sql->told = mark;
	if (sql->told_differs != SAME && sql->told_differs >= mark)
		sql->told_differs = SAME;
}

static void tell_begin(struct sql_text *sql)
{
	sql->told_mark = sql->told;
	if (sql->told)
		tell(sql, BYTES(" "));
}

/* What does not fit as a whole is left out, with all that follows. */
static void tell_end(struct sql_text *sql)
{
	if (sql->told > sql->summary.cap) {
		untell(sql, sql->told_mark);
		sql->full = true;
	} else if (sql->statements == 0 && (size_t)sql->told + sizeof("BATCH") <= sql->summary.cap) {
		sql->told_edge = sql->told;
	}
}

void sql_operation(struct sql_text *sql, struct bytes word)
{
	tell_begin(sql);
	tell(sql, word);
	tell_end(sql);
	sql->told_verb = sql->told;
}

/* --- names ---------------------------------------------------------------------------------------------- */

static bool with_name(const struct sql_text *sql)
{
	for (unsigned i = 0; i < sql->named; i++)
		if (sql->names[i] == sql->hash)
			return true;
	return false;
}

void sql_target_complete(struct sql_text *sql)
{
	sql->target = false;
	if (sql->prev == PREV_DOT || (sql->parts == 1 && with_name(sql)))
		untell(sql, sql->told_mark);
	else
		tell_end(sql);
}

void sql_target_begin(struct sql_text *sql)
{
	if (sql->prev == PREV_DOT) {
		sql->role = sql->target ? ROLE_PART : ROLE_NONE;
		return;
	}
	if (sql->target)
		sql_target_complete(sql);
	sql->hash = 2166136261u;
	sql->role = sql->quiet                                       ? ROLE_NONE
		    : sql->naming                                    ? ROLE_WITH
		    : sql->want & sql->level && sql->ddl != DDL_TYPE ? ROLE_TARGET
								     : ROLE_NONE;
	if (sql->role == ROLE_TARGET)
		tell_begin(sql);
}

void sql_target_part(struct sql_text *sql, struct bytes part)
{
	if (sql->role == ROLE_NONE)
		return;
	if (sql->role != ROLE_WITH)
		tell(sql, part);
	if (sql->role != ROLE_WITH && !sql->named)
		return;
	for (size_t i = 0; i < part.len; i++) {
		char c = part.ptr[i];
		if (c != '"' && c != '`' && c != '[' && c != ']')
			sql->hash = (sql->hash ^ (uint8_t)bytes_lower(c)) * 16777619u;
	}
}

void sql_target_end(struct sql_text *sql)
{
	if (sql->role == ROLE_WITH) {
		if (sql->named < sizeof(sql->names) / sizeof(sql->names[0]))
			sql->names[sql->named++] = sql->hash;
		sql->naming = false;
	} else if (sql->role == ROLE_TARGET) {
		sql->target = true;
		sql->parts = 1;
		sql->want &= ~sql->level;
		sql->quiet = sql->hush;
	} else if (sql->role == ROLE_PART) {
		sql->parts = 2;
	}
	sql->role = ROLE_NONE;
}

void sql_target_undo(struct sql_text *sql)
{
	if (sql->role == ROLE_TARGET || sql->role == ROLE_PART)
		untell(sql, sql->told_mark);
	if (sql->role == ROLE_PART)
		sql->target = false;
	sql->role = ROLE_NONE;
}

void sql_target_dot(struct sql_text *sql)
{
	if (sql->target)
		tell(sql, BYTES("."));
}

void sql_target_forget(struct sql_text *sql)
{
	untell(sql, sql->told_verb);
}

void sql_statement_told(struct sql_text *sql)
{
	if (sql->statements == 0)
		sql->told_first = sql->told;
	else if (sql->told_differs != SAME || sql->told != sql->told_first)
		sql->differs = true;
	sql->told = sql->told_mark = sql->told_verb = 0;
	sql->told_differs = SAME;
	sql->full = false;
}

struct bytes sql_told(struct sql_text *sql)
{
	static const char batch[] = {'B', 'A', 'T', 'C', 'H', ' '};
	struct bytes all = {sql->summary.ptr, sql->told_first};

	if (sql->statements < 2)
		return all;
	if (sql->summary.cap < sizeof(batch) - 1)
		return BYTES_NONE;
	if (sql->differs)
		all.len = 0;
	else if (all.len + sizeof(batch) > sql->summary.cap)
		all.len = sql->told_edge;
	if (all.len)
		memmove(sql->summary.ptr + sizeof(batch), all.ptr, all.len);
	memcpy(sql->summary.ptr, batch, all.len ? sizeof(batch) : sizeof(batch) - 1);
	all.len += all.len ? sizeof(batch) : sizeof(batch) - 1;
	return all;
}
