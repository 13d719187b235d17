/* sqlite_tell.c - what a span says of SQLite's statements, and the copies of that library. */
#include <string.h>

#include "hooks/sqlite.h"
#include "hooks/statement.h"

#define SQLITE_NAME(name) #name,
static const char *const names[] = {SQLITE_FUNCTIONS(SQLITE_NAME)};
static struct sqlite room[COPIES_MOST];
static struct copies libraries = {
	.names = names,
	.count = sizeof(names) / sizeof(names[0]),
	.room = room,
	.size = sizeof(room[0]),
};
_Static_assert(sizeof(struct sqlite) == sizeof(struct copy) + sizeof(names), "in the order of the names");

const struct sqlite *sqlite_of(const void *caller, bool look)
{
	return (const struct sqlite *)(const void *)copies_of(&libraries, caller, look);
}

static struct bytes file_of(const struct sqlite *lib, sqlite3 *db)
{
	if (!lib->sqlite3_db_filename || !db)
		return BYTES_NONE;
	const char *path = lib->sqlite3_db_filename(db, "main");
	if (!path || !path[0])
		return BYTES(":memory:");
	const char *slash = strrchr(path, '/');
	return bytes_of(slash ? slash + 1 : path);
}

uint32_t sqlite_tell_statement(const struct sqlite *lib, struct span *span, sqlite3 *db, struct bytes text,
			       bool first)
{
	struct statement statement = {
		.system = BYTES("sqlite"),
		.space = file_of(lib, db),
		.text = text,
		.dialect = SQL_SQLITE,
		.first = first,
	};
	return span->recording ? statement_describe(span, &statement) : 1;
}

void sqlite_tell_error(const struct sqlite *lib, struct span *span, sqlite3 *db, int code)
{
	char digits[12];
	size_t at = sizeof(digits);
	int extended = db && lib->sqlite3_extended_errcode ? lib->sqlite3_extended_errcode(db) : code;
	unsigned number = (unsigned)((extended & 0xff) == (code & 0xff) ? extended : code);

	do {
		digits[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	struct db_answer answer = {.code = {digits + at, sizeof(digits) - at}, .failed = true};
	struct protocol_facts facts = {.attrs = &span->attrs};
	db_describe_answer(&answer, &facts);
	call_told(span, &facts);
}
