/* sqlite.h - which libsqlite3 a call is for, and its functions.
 *
 * No header of SQLite's is needed: the few prototypes and numbers stand here, and tests/lint/vendor.sh
 * compares them with the vendor's where that is installed. What a copy of the library is too old to have is
 * not asked. */
#ifndef TAGALONG_HOOKS_SQLITE_H
#define TAGALONG_HOOKS_SQLITE_H

#include "hooks/copies.h"
#include "preload/call.h"

/* Its result codes, as far as they mean anything to us. */
enum { CODE_OK = 0, CODE_ERROR = 1, CODE_MISUSE = 21, CODE_ROW = 100, CODE_DONE = 101 };

#ifndef SQLITE_OK /* the vendor's: the lint includes that first */
typedef struct sqlite3 sqlite3;
typedef struct sqlite3_stmt sqlite3_stmt;
#else
_Static_assert(CODE_OK == SQLITE_OK && CODE_ERROR == SQLITE_ERROR && CODE_MISUSE == SQLITE_MISUSE &&
		       CODE_ROW == SQLITE_ROW && CODE_DONE == SQLITE_DONE,
	       "sqlite3");
#endif

int sqlite3_open(const char *filename, sqlite3 **db);
int sqlite3_open16(const void *filename, sqlite3 **db);
int sqlite3_open_v2(const char *filename, sqlite3 **db, int flags, const char *vfs);
int sqlite3_prepare(sqlite3 *db, const char *sql, int bytes, sqlite3_stmt **stmt, const char **tail);
int sqlite3_prepare_v2(sqlite3 *db, const char *sql, int bytes, sqlite3_stmt **stmt, const char **tail);
int sqlite3_prepare_v3(sqlite3 *db, const char *sql, int bytes, unsigned int flags, sqlite3_stmt **stmt,
		       const char **tail);
int sqlite3_prepare16(sqlite3 *db, const void *sql, int bytes, sqlite3_stmt **stmt, const void **tail);
int sqlite3_prepare16_v2(sqlite3 *db, const void *sql, int bytes, sqlite3_stmt **stmt, const void **tail);
int sqlite3_prepare16_v3(sqlite3 *db, const void *sql, int bytes, unsigned int flags, sqlite3_stmt **stmt,
			 const void **tail);
int sqlite3_step(sqlite3_stmt *stmt);
int sqlite3_reset(sqlite3_stmt *stmt);
int sqlite3_finalize(sqlite3_stmt *stmt);
int sqlite3_exec(sqlite3 *db, const char *sql, int (*row)(void *, int, char **, char **), void *arg,
		 char **message);
int sqlite3_get_table(sqlite3 *db, const char *sql, char ***result, int *rows, int *columns, char **message);

/* Called only. */
const char *sqlite3_sql(sqlite3_stmt *stmt);
sqlite3 *sqlite3_db_handle(sqlite3_stmt *stmt);
const char *sqlite3_db_filename(sqlite3 *db, const char *name);
int sqlite3_extended_errcode(sqlite3 *db);
int sqlite3_stmt_busy(sqlite3_stmt *stmt);

/* clang-format off */
#define SQLITE_FUNCTIONS(NAME) \
	NAME(sqlite3_step) NAME(sqlite3_open) NAME(sqlite3_open16) NAME(sqlite3_open_v2) \
	NAME(sqlite3_prepare) NAME(sqlite3_prepare_v2) NAME(sqlite3_prepare_v3) NAME(sqlite3_prepare16) \
	NAME(sqlite3_prepare16_v2) NAME(sqlite3_prepare16_v3) NAME(sqlite3_reset) NAME(sqlite3_finalize) \
	NAME(sqlite3_exec) NAME(sqlite3_get_table) NAME(sqlite3_sql) NAME(sqlite3_db_handle) \
	NAME(sqlite3_db_filename) NAME(sqlite3_extended_errcode) NAME(sqlite3_stmt_busy)
/* clang-format on */

struct sqlite {
	struct copy copy;
#define SQLITE_POINTER(name) __typeof__(&name) name;
	SQLITE_FUNCTIONS(SQLITE_POINTER)
#undef SQLITE_POINTER
};

/* The copy that the caller is bound to; NULL: none was found. `look`: one may have come since. */
const struct sqlite *sqlite_of(const void *caller, bool look);

/* Another call's business: a driver's that uses this library, or the library's own. */
static inline __attribute__((always_inline)) bool sqlite_nested(const struct sqlite *lib, const void *caller)
{
	enum call_kind within = call_within();
	return within == CALL_CLIENT || (within == CALL_EMBEDDED && copies_itself(&lib->copy, caller));
}

static inline bool sqlite_failed(int code)
{
	return code != CODE_OK && code != CODE_ROW && code != CODE_DONE;
}

/* sqlite_tell.c; `db` may be NULL. Expect hook_enter(). How many statements, as statement_describe(). */
uint32_t sqlite_tell_statement(const struct sqlite *lib, struct span *span, sqlite3 *db, struct bytes text,
			       bool first);
/* The result code, the extended one where the connection still has it. */
void sqlite_tell_error(const struct sqlite *lib, struct span *span, sqlite3 *db, int code);

#endif
