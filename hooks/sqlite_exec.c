/* sqlite_exec.c - what becomes a statement in SQLite, or is one whole: preparing, sqlite3_exec().
 *
 * What a program never gets to execute because it cannot be prepared is a statement that failed.
 * sqlite3_exec() and sqlite3_get_table() come by our hooks again for each of their statements, where the
 * library calls itself by name, as distributions build it; where it does not (bound to itself, or as PHP
 * loads it), such a call has one span. How the library ends those statements it does not tell: they are over
 * when the call is. */
#include "hooks/sqlite.h"

#include <string.h>

#include "hooks/statement.h"
#include "preload/clock.h"
#include "preload/hook.h"

#define SYMBOLS(WRAP, CALL)        \
	WRAP(sqlite3_open)         \
	WRAP(sqlite3_open16)       \
	WRAP(sqlite3_open_v2)      \
	WRAP(sqlite3_prepare)      \
	WRAP(sqlite3_prepare_v2)   \
	WRAP(sqlite3_prepare_v3)   \
	WRAP(sqlite3_prepare16)    \
	WRAP(sqlite3_prepare16_v2) \
	WRAP(sqlite3_prepare16_v3) \
	WRAP(sqlite3_exec)         \
	WRAP(sqlite3_get_table)

HOOK_LATE_LIBRARY(sqlite_exec, SYMBOLS);

#define LIB(name) (lib && lib->name ? lib->name : REAL(name))
#define CALLER __builtin_return_address(0)

/* --- calls that are a statement, or several
 * ------------------------------------------------------------------------------ */

/* Why is it told only now that it failed? Nobody can tell before whether the library will get to know it. */
static void refused(const struct sqlite *lib, sqlite3 *db, struct bytes text, uint64_t start, int code)
{
	int saved = hook_enter();
	struct span *span = call_begin(start);
	if (span) {
		sqlite_tell_statement(lib, span, db, text, true);
		sqlite_tell_error(lib, span, db, code);
		span_end(span, clock_now());
	}
	hook_leave(saved);
}

/* A statement that stands where another one stood, whose end went by unseen. */
static void prepared(sqlite3_stmt *const *stmt)
{
	if (stmt && *stmt && hooks_live)
		call_close(*stmt, false);
}

static struct bytes given(const char *sql, int bytes)
{
	size_t most = bytes >= 0 && bytes < STATEMENT_MAX ? (size_t)bytes : STATEMENT_MAX;
	return (struct bytes){sql, sql ? strnlen(sql, most) : 0};
}

/* `text` is read when the library has read it. That of the UTF-16 forms is left out. */
#define PREPARE(arguments, real, text)                                                 \
	{                                                                              \
		const void *caller = CALLER;                                           \
		const struct sqlite *lib = sqlite_of(caller, false);                   \
		if (lib && copies_itself(&lib->copy, caller))                          \
			thread.call_seen = true;                                       \
		if (!lib || !db || !sql || !hook_live() || sqlite_nested(lib, caller)) \
			return LIB(real) arguments;                                    \
		uint64_t start = clock_now();                                          \
		CALL_WHILE(CALL_EMBEDDED, NULL);                                       \
		int code = LIB(real) arguments;                                        \
		if (code == CODE_OK)                                                   \
			prepared(stmt);                                                \
		else if (code != CODE_MISUSE)                                          \
			refused(lib, db, text, start, code);                           \
		return code;                                                           \
	}

int sqlite3_prepare(sqlite3 *db, const char *sql, int bytes, sqlite3_stmt **stmt,
		    const char **tail) PREPARE((db, sql, bytes, stmt, tail), sqlite3_prepare,
					       given(sql, bytes))

	int sqlite3_prepare_v2(sqlite3 *db, const char *sql, int bytes, sqlite3_stmt **stmt,
			       const char **tail) PREPARE((db, sql, bytes, stmt, tail), sqlite3_prepare_v2,
							  given(sql, bytes))

		int sqlite3_prepare_v3(sqlite3 *db, const char *sql, int bytes, unsigned int flags,
				       sqlite3_stmt **stmt,
				       const char **tail) PREPARE((db, sql, bytes, flags, stmt, tail),
								  sqlite3_prepare_v3, given(sql, bytes))

			int sqlite3_prepare16(sqlite3 *db, const void *sql, int bytes, sqlite3_stmt **stmt,
					      const void **tail) PREPARE((db, sql, bytes, stmt, tail),
									 sqlite3_prepare16, BYTES_NONE)

				int sqlite3_prepare16_v2(sqlite3 *db, const void *sql, int bytes,
							 sqlite3_stmt **stmt, const void **tail)
					PREPARE((db, sql, bytes, stmt, tail), sqlite3_prepare16_v2,
						BYTES_NONE)

						int sqlite3_prepare16_v3(sqlite3 *db, const void *sql,
									 int bytes, unsigned int flags,
									 sqlite3_stmt **stmt,
									 const void **tail)
							PREPARE((db, sql, bytes, flags, stmt, tail),
								sqlite3_prepare16_v3, BYTES_NONE)

	/* A call of several statements. What a host's function runs so inside a step is the host's: not the
	 * library's own for being run by it. */
	struct whole {
	const struct sqlite *lib;
	struct span *span; /* unless it is known that each of its statements comes by here */
	struct call_outer outer;
	const void *handle;
	bool seen;
};

static void begin_whole(struct whole *whole)
{
	whole->outer = call_enter(CALL_NONE, NULL);
	whole->handle = thread.call_handle;
	whole->seen = thread.call_seen;
	thread.call_handle = NULL;
	thread.call_seen = false;
	if (atomic_load_explicit(&whole->lib->copy.calls_itself, memory_order_relaxed) == CALLS_BY_NAME)
		return;
	int saved = hook_enter();
	whole->span = call_begin(clock_now());
	hook_leave(saved);
}

static void learn(const struct sqlite *lib, enum copy_calls calls)
{
	struct sqlite *copy = (struct sqlite *)(uintptr_t)lib;
	atomic_store_explicit(&copy->copy.calls_itself, calls, memory_order_relaxed);
}

/* A connection that is none is found out by the library, and not asked for its name before. */
static void end_whole(struct whole *whole, sqlite3 *db, const char *sql, int code)
{
	struct span *span = whole->span;
	whole->span = NULL;
	if (!span)
		return;
	int saved = hook_enter();
	bool told = !thread.call_seen && sql && code != CODE_MISUSE &&
		    sqlite_tell_statement(whole->lib, span, db, given(sql, -1), false) > 0;
	if (told && sqlite_failed(code))
		sqlite_tell_error(whole->lib, span, db, code);
	if (told)
		span_end(span, clock_now());
	else
		span_discard(span);
	if (told || thread.call_seen)
		learn(whole->lib, told ? CALLS_DIRECTLY : CALLS_BY_NAME);
	hook_leave(saved);
}

static void leave_whole(struct whole *whole)
{
	if (whole->span) /* cancelled */
		end_whole(whole, NULL, NULL, CODE_MISUSE);
	if (thread.call_handle) { /* the host's function wanted no more rows of it */
		int saved = hook_enter();
		call_close(thread.call_handle, true);
		hook_leave(saved);
	}
	thread.call_handle = whole->handle;
	thread.call_seen = whole->seen;
	call_leave(&whole->outer);
}

#define WHOLE(real, arguments)                                                           \
	{                                                                                \
		const void *caller = CALLER;                                             \
		const struct sqlite *lib = sqlite_of(caller, false);                     \
		if (!lib || !hook_live() || sqlite_nested(lib, caller))                  \
			return LIB(real) arguments;                                      \
		__attribute__((cleanup(leave_whole))) struct whole whole = {.lib = lib}; \
		begin_whole(&whole);                                                     \
		int code = LIB(real) arguments;                                          \
		end_whole(&whole, db, sql, code);                                        \
		return code;                                                             \
	}

int sqlite3_exec(sqlite3 *db, const char *sql, int (*row)(void *, int, char **, char **), void *arg,
		 char **message) WHOLE(sqlite3_exec, (db, sql, row, arg, message))

	int sqlite3_get_table(sqlite3 *db, const char *sql, char ***result, int *rows, int *columns,
			      char **message)
		WHOLE(sqlite3_get_table, (db, sql, result, rows, columns, message))

	/* --- where new copies of the library are noticed
	 * ----------------------------------------------------------------------- */

	int sqlite3_open(const char *filename, sqlite3 **db)
{
	const struct sqlite *lib = sqlite_of(CALLER, true);
	return LIB(sqlite3_open)(filename, db);
}

int sqlite3_open16(const void *filename, sqlite3 **db)
{
	const struct sqlite *lib = sqlite_of(CALLER, true);
	return LIB(sqlite3_open16)(filename, db);
}

int sqlite3_open_v2(const char *filename, sqlite3 **db, int flags, const char *vfs)
{
	const struct sqlite *lib = sqlite_of(CALLER, true);
	return LIB(sqlite3_open_v2)(filename, db, flags, vfs);
}
