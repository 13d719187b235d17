/* sqlite.c - statements that programs run in SQLite, which is a library and no server.
 *
 * One span for each execution of a statement: from the first sqlite3_step() to the return of the last one,
 * which is the one that is done or fails, or whichever came before a reset or the end of the statement. One
 * that is busy may be stepped again, and is the same execution.
 *
 * What the library does itself inside a step (virtual tables, VACUUM, reading the schema) belongs to it. What
 * it steps inside sqlite3_exec() is the program's, see sqlite_exec.c. The program's trace callback is left
 * alone. The guard is not held over the real calls: they run the host's callbacks. */
#include "hooks/sqlite.h"

#include <string.h>

#include "hooks/statement.h"
#include "preload/clock.h"
#include "preload/hook.h"

#define SYMBOLS(WRAP, CALL) \
	WRAP(sqlite3_step)  \
	WRAP(sqlite3_reset) \
	WRAP(sqlite3_finalize)

HOOK_LATE_LIBRARY(sqlite, SYMBOLS);

/* Whose call it is when no library was found: the next definition's, as for any other hook. */
#define LIB(name) (lib && lib->name ? lib->name : REAL(name))
#define CALLER __builtin_return_address(0)

/* What a call's own words are for. */
enum { OWN_TEXT, OWN_START, OWN_CODE = CALL_OWN - 1 };

/* One step under way. What it has taken is given back, also when the thread is cancelled in it. */
struct step {
	const struct sqlite *lib;
	sqlite3_stmt *stmt;
	struct call *call;
	struct span *span; /* of its first one */
	uint64_t begun;
	bool running;
	bool itself; /* it is the library's, in sqlite3_exec() */
};

/* --- what is to be told
 * ---------------------------------------------------------------------------------------------- */

/* How the text of a kept description began: an address may be another statement's by now, when the end of the
 * one before went by unseen. */
#define START_LEN (sizeof(uint64_t) * 4)

static bool same_text(struct call *call, const char *text)
{
	char start[START_LEN] = {0};
	memcpy(start, text, strnlen(text, START_LEN));
	bool same = call->own[OWN_TEXT] == (uintptr_t)text &&
		    memcmp(start, &call->own[OWN_START], START_LEN) == 0;
	call->own[OWN_TEXT] = (uintptr_t)text;
	memcpy(&call->own[OWN_START], start, START_LEN);
	return same;
}

static sqlite3 *db_of(const struct sqlite *lib, sqlite3_stmt *stmt)
{
	return lib->sqlite3_db_handle ? lib->sqlite3_db_handle(stmt) : NULL;
}

/* What the library steps itself and has no text is no statement but how it does something else. */
static void begin(struct step *step)
{
	const struct sqlite *lib = step->lib;
	const char *text = lib->sqlite3_sql ? lib->sqlite3_sql(step->stmt) : NULL;
	struct span *span = text || !step->itself ? call_begin(clock_now()) : NULL;

	step->span = span;
	if (!span || !span->recording)
		return;
	if (text && step->call && same_text(step->call, text) && call_recall(step->call, span))
		return;
	struct bytes all = {text, text ? strnlen(text, STATEMENT_MAX) : 0};
	sqlite_tell_statement(lib, span, db_of(lib, step->stmt), all, false);
	if (text && step->call)
		call_keep(step->call, span);
}

/* --- executions
 * -------------------------------------------------------------------------------------------------------- */

/* It is not in the middle of an execution. */
static bool at_rest(const struct step *step)
{
	const struct sqlite *lib = step->lib;
	return !lib->sqlite3_stmt_busy || !lib->sqlite3_stmt_busy(step->stmt);
}

/* May there be more to come of this execution? After a row there is, and after an error if it may be tried
 * again; and how sqlite3_prepare()'s statements failed only their reset tells. What the library steps itself
 * it neither tries again nor resets. */
static bool goes_on(const struct step *step, int code)
{
	if (code == CODE_ROW)
		return true;
	return sqlite_failed(code) && !step->itself &&
	       (code == CODE_ERROR || (step->lib->sqlite3_stmt_busy && !at_rest(step)));
}

static void stepped(struct call *call, int code)
{
	call->last = call_tick();
	call->own[OWN_CODE] = (uint32_t)code;
}

/* The first step has returned. */
static void first_step(struct step *step, int code)
{
	bool more = goes_on(step, code);
	if (more && !step->call && (step->call = call_open(step->stmt)) != NULL)
		step->call->begun = step->begun;
	if (more && step->call && call_hold(step->call, step->span)) {
		stepped(step->call, code);
		return;
	}
	if (sqlite_failed(code))
		sqlite_tell_error(step->lib, step->span, db_of(step->lib, step->stmt), code);
	span_end(step->span, clock_now());
}

static void next_step(const struct step *step, int code)
{
	stepped(step->call, code);
	if (goes_on(step, code))
		return;
	if (sqlite_failed(code))
		sqlite_tell_error(step->lib, step->call->span, db_of(step->lib, step->stmt), code);
	call_done(step->call, true);
}

/* No more of an execution: how it failed is told when the library has said so. */
struct ending {
	const struct sqlite *lib;
	struct span *span;
	uint64_t end;
	sqlite3 *db;
	int code;
};

static void stop(struct ending *ending, const struct sqlite *lib, sqlite3_stmt *stmt, struct call *call)
{
	ending->lib = lib;
	ending->code = (int)call->own[OWN_CODE];
	ending->span = call_take(call, &ending->end);
	if (ending->span && sqlite_failed(ending->code))
		ending->db = db_of(lib, stmt);
}

static void stopped(const struct ending *ending, int code)
{
	if (!ending->span)
		return;
	if (sqlite_failed(ending->code))
		sqlite_tell_error(ending->lib, ending->span, ending->db,
				  sqlite_failed(code) ? code : ending->code);
	span_end(ending->span, ending->end);
}

static void leave_step(struct step *step)
{
	if (!step->call && !step->span)
		return;
	int saved = hook_enter();
	if (step->span) { /* nobody will know how it went on */
		if (step->span->recording)
			attrs_string(&step->span->attrs, BYTES("tagalong.incomplete"), BYTES("cancelled"));
		span_end(step->span, clock_now());
	}
	if (step->call)
		call_release(step->call);
	hook_leave(saved);
}

static void enter_step(struct step *step)
{
	int saved = hook_enter();
	step->call = call_find(step->stmt);
	step->running = step->call && step->call->span;
	/* After an error that ended it, it is run anew. */
	if (step->running && sqlite_failed((int)step->call->own[OWN_CODE]) && at_rest(step)) {
		struct ending ending = {.span = NULL};
		stop(&ending, step->lib, step->stmt, step->call);
		stopped(&ending, CODE_OK);
		step->running = false;
	}
	if (!step->running && at_rest(step)) {
		if (!step->call && !step->itself)
			step->call = call_open(step->stmt);
		begin(step);
		step->begun = call_tick();
		if (step->call)
			step->call->begun = step->begun;
	}
	hook_leave(saved);
}

static void after_step(struct step *step, int code)
{
	int saved = hook_enter();
	if (step->running)
		next_step(step, code);
	else if (step->span)
		first_step(step, code);
	step->span = NULL;
	if (step->itself && step->call) {
		thread.call_handle = step->call->span ? step->stmt : NULL;
		if (!step->call->span)
			call_close(step->stmt, true);
	}
	hook_leave(saved);
}

static int really_step(const struct sqlite *lib, sqlite3_stmt *stmt)
{
	CALL_WHILE(CALL_EMBEDDED, NULL);
	return LIB(sqlite3_step)(stmt);
}

int sqlite3_step(sqlite3_stmt *stmt)
{
	const void *caller = CALLER;
	const struct sqlite *lib = sqlite_of(caller, false);
	if (!lib || !stmt || !hook_live() || sqlite_nested(lib, caller))
		return LIB(sqlite3_step)(stmt);

	__attribute__((cleanup(leave_step))) struct step step = {
		.lib = lib,
		.stmt = stmt,
		.itself = copies_itself(&lib->copy, caller),
	};
	enter_step(&step);
	int code = really_step(lib, stmt);
	after_step(&step, code);
	return code;
}

/* Before a reset, or (last) the end of the statement: another thread may be given the same address as soon as
 * it is free. */
static void stop_now(struct ending *ending, const struct sqlite *lib, sqlite3_stmt *stmt, bool last)
{
	int saved = hook_enter();
	struct call *call = call_find(stmt);
	if (call) {
		stop(ending, lib, stmt, call);
		call_release(call);
	}
	if (last)
		call_close(stmt, true);
	hook_leave(saved);
}

static void stopped_now(const struct ending *ending, int code)
{
	if (!ending->span)
		return;
	int saved = hook_enter();
	stopped(ending, code);
	hook_leave(saved);
}

int sqlite3_reset(sqlite3_stmt *stmt)
{
	const struct sqlite *lib = sqlite_of(CALLER, false);
	struct ending ending = {.span = NULL};
	if (lib && stmt && hook_live())
		stop_now(&ending, lib, stmt, false);
	int code = LIB(sqlite3_reset)(stmt);
	stopped_now(&ending, code);
	return code;
}

int sqlite3_finalize(sqlite3_stmt *stmt)
{
	const struct sqlite *lib = sqlite_of(CALLER, false);
	struct ending ending = {.span = NULL};
	if (lib && stmt && hook_live())
		stop_now(&ending, lib, stmt, true);
	else if (stmt && hooks_live)
		call_close(stmt, false);
	int code = LIB(sqlite3_finalize)(stmt);
	stopped_now(&ending, code);
	return code;
}
