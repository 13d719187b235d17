/* odbc.c - statements that programs run through an ODBC driver manager, whatever the driver.
 *
 * One span for each SQLExecDirect() and SQLExecute(), until its first result is there; until the last result
 * that the program asks for where it is a batch. A statement that cannot be prepared is one that failed. What
 * the driver does meanwhile, on the wire or in SQLite, is this call's: it stands aside, and tells it the
 * server. What drivers do to connect, to end a transaction or to list tables has no statement of the
 * program's, and is the wire's to tell.
 *
 * Diagnostic records are read where there is one, and stay. What the database is called is asked when the
 * first statement of a connection has been made: that has done away with the connection's records anyway. The
 * guard is not held over real calls. */
#include "hooks/odbc.h"

#include <errno.h>
#include <string.h>

#include "preload/clock.h"
#include "preload/counters.h"
#include "preload/hook.h"
#include "preload/readable.h"

#define SYMBOLS(WRAP, CALL)  \
	WRAP(SQLExecDirect)  \
	WRAP(SQLExecDirectW) \
	WRAP(SQLPrepare)     \
	WRAP(SQLPrepareW)    \
	WRAP(SQLExecute)     \
	WRAP(SQLParamData)   \
	WRAP(SQLMoreResults) \
	WRAP(SQLCloseCursor) \
	WRAP(SQLAllocHandle) \
	WRAP(SQLAllocEnv)    \
	WRAP(SQLAllocStmt)   \
	WRAP(SQLFreeHandle)  \
	WRAP(SQLFreeStmt)    \
	WRAP(SQLFreeConnect) \
	WRAP(SQLDisconnect)

HOOK_LATE_LIBRARY(odbc, SYMBOLS);

#define LIB(name) (lib && lib->name ? lib->name : REAL(name))
#define CALLER __builtin_return_address(0)

/* What a slot's own words are for; a connection's has the same, and no connection. */
enum { OWN_DBC, OWN_SYSTEM, OWN_SPACE, OWN_STATE = CALL_OWN - 1 };
_Static_assert(sizeof(((struct odbc_facts *)0)->space) == (OWN_STATE - OWN_SPACE) * sizeof(uint64_t), "fits");

/* Why a span is under way between two functions. */
enum { STATE_REST, STATE_EXECUTING, STATE_NEEDS_DATA, STATE_MORE };

/* A driver manager calls itself here and there, and some drivers call it. */
static bool seen(const struct odbc *lib)
{
	return lib && hook_live() && call_within() != CALL_CLIENT;
}

/* --- one function under way
 * ------------------------------------------------------------------------------------------ */

struct text {
	const void *ptr;
	SQLINTEGER length;
	bool wide;
};

struct run {
	const struct odbc *lib;
	SQLHSTMT stmt;
	struct call *call;
	struct span *span; /* not the slot's yet */
	uint64_t begun;
	bool going_on;
};

static struct span *span_of_run(const struct run *run)
{
	return run->going_on ? run->call->span : run->span;
}

static void leave_run(struct run *run)
{
	if (!run->call && !run->span)
		return;
	int saved = hook_enter();
	if (run->span)
		span_discard(run->span);
	if (run->call)
		call_release(run->call);
	hook_leave(saved);
}

#define RUN(name, library, statement) \
	__attribute__((cleanup(leave_run))) struct run name = {.lib = (library), .stmt = (statement)}

/* Goes on with what the slot has under way in this state, or begins. */
static void enter_run(struct run *run, unsigned goes_on)
{
	int saved = hook_enter();
	run->call = call_find(run->stmt);
	if (run->call && run->call->span && run->call->own[OWN_STATE] == goes_on)
		run->going_on = true;
	else if (run->call)
		call_done(run->call, false);
	if (!run->going_on) {
		run->span = call_begin(clock_now());
		run->begun = call_tick();
	}
	hook_leave(saved);
}

static const struct odbc_system *system_of(const struct call *call)
{
	const struct odbc_system *system = NULL;
	if (call)
		memcpy(&system, &call->own[OWN_SYSTEM], sizeof(system));
	return system ? system : odbc_unknown();
}

/* The library has read it by now, unless it refused to look at it. */
static struct bytes bytes_of_text(const struct run *run, const struct text *text)
{
	if (!text || !text->ptr || (text->length < 0 && text->length != ODBC_NTS) ||
	    (text->wide && !run->lib->uodbc_get_stats) || !readable(text->ptr, 1))
		return BYTES_NONE;
	size_t unit = text->wide ? sizeof(SQLWCHAR) : 1, most = STATEMENT_MAX / unit, len = 0;
	if (text->length >= 0) {
		len = (size_t)text->length < most ? (size_t)text->length : most;
	} else if (!text->wide) {
		len = strnlen(text->ptr, most);
	} else {
		const SQLWCHAR *wide = text->ptr;
		while (len < most && wide[len])
			len++;
	}
	return (struct bytes){text->ptr, len * unit};
}

/* Returns how many statements it is. */
static uint32_t describe(const struct run *run, struct span *span, const struct text *text, size_t most)
{
	const struct odbc_system *system = system_of(run->call);
	struct statement statement = {
		.system = system->name,
		.text = bytes_of_text(run, text),
		.wide = text && text->wide,
		.dialect = system->dialect,
		.flags = system->flags,
		.most = most,
	};
	if (run->call && !attrs_has(&span->attrs, BYTES("db.namespace"))) /* the wire may have told it */
		statement.space = bytes_of((const char *)&run->call->own[OWN_SPACE]);
	return span->recording ? statement_describe(span, &statement) : 1;
}

/* It stays under way between this function and another. False: it cannot. */
static bool hold(struct run *run, uint64_t state)
{
	if (!run->going_on) {
		if (!run->call || !call_hold(run->call, run->span))
			return false;
		run->call->begun = run->begun;
		run->span = NULL;
	}
	run->call->last = call_tick();
	run->call->own[OWN_STATE] = state;
	return true;
}

static void end(struct run *run)
{
	struct span *span = run->span;
	run->span = NULL;
	if (run->going_on)
		call_done(run->call, true);
	else
		span_end(span, clock_now());
}

/* The function has returned. text: NULL where it had none. */
static void finish(struct run *run, SQLRETURN done, const struct text *text)
{
	struct odbc_diagnosis diagnosis = {.there = false};
	struct span *span = span_of_run(run);
	bool failed = done < 0, pending = done == ODBC_STILL_EXECUTING || done == ODBC_NEED_DATA;

	if (!span || (done == ODBC_INVALID_HANDLE && !run->going_on))
		return; /* leave_run() throws it away */
	if (failed || done == ODBC_WITH_INFO)
		odbc_diagnose(run->lib, run->stmt, &diagnosis);
	int saved = hook_enter();
	uint32_t statements = span->described ? 1 : describe(run, span, text, 0);
	if (failed || (diagnosis.there && strcmp((const char *)diagnosis.state, "00000") != 0))
		odbc_tell_code(system_of(run->call), span, &diagnosis, failed);
	bool held = false;
	if (pending)
		held = hold(run, done == ODBC_NEED_DATA ? STATE_NEEDS_DATA : STATE_EXECUTING);
	else if (!failed && done != ODBC_NO_DATA && (statements > 1 || run->going_on) && text)
		held = hold(run, STATE_MORE);
	if (!held)
		end(run);
	hook_leave(saved);
}

/* --- statements
 * ---------------------------------------------------------------------------------------------------------
 */

static void forget_prepared(const struct run *run)
{
	if (run->call)
		run->call->kept.len = 0;
}

#define EXECUTE_DIRECT(name, character, is_wide)                         \
	SQLRETURN name(SQLHSTMT stmt, character *sql, SQLINTEGER length) \
	{                                                                \
		const struct odbc *lib = odbc_of(CALLER, false);         \
		if (!seen(lib))                                          \
			return LIB(name)(stmt, sql, length);             \
		const struct text text = {sql, length, is_wide};         \
		RUN(run, lib, stmt);                                     \
		enter_run(&run, STATE_EXECUTING);                        \
		forget_prepared(&run);                                   \
		CALL_WHILE(CALL_CLIENT, span_of_run(&run));              \
		SQLRETURN done = LIB(name)(stmt, sql, length);           \
		finish(&run, done, &text);                               \
		return done;                                             \
	}
EXECUTE_DIRECT(SQLExecDirect, SQLCHAR, false)
EXECUTE_DIRECT(SQLExecDirectW, SQLWCHAR, true)

/* What its executions are to say is kept with the statement; a long text's beginning, for the program need
 * not keep it. */
static void prepared(struct run *run, SQLRETURN done, const struct text *text)
{
	if (done != ODBC_SUCCESS && done != ODBC_WITH_INFO) {
		if (done == -1)
			finish(run, done, text);
		return;
	}
	if (!run->span || !run->call)
		return;
	int saved = hook_enter();
	struct attrs *attrs = &run->span->attrs;
	attrs->len = attrs->count = 0; /* which server it is the next one may tell */
	describe(run, run->span, text, 0);
	if (!call_keep(run->call, run->span)) {
		attrs->len = attrs->count = attrs->cut = attrs->dropped = 0;
		describe(run, run->span, text, SPAN_ATTRS / 2);
		if (call_keep(run->call, run->span))
			count_one(attributes_cut);
	}
	hook_leave(saved);
}

#define PREPARE(name, character, is_wide)                                \
	SQLRETURN name(SQLHSTMT stmt, character *sql, SQLINTEGER length) \
	{                                                                \
		const struct odbc *lib = odbc_of(CALLER, false);         \
		if (!seen(lib))                                          \
			return LIB(name)(stmt, sql, length);             \
		const struct text text = {sql, length, is_wide};         \
		RUN(run, lib, stmt);                                     \
		enter_run(&run, STATE_REST);                             \
		forget_prepared(&run);                                   \
		CALL_WHILE(CALL_CLIENT, run.span);                       \
		SQLRETURN done = LIB(name)(stmt, sql, length);           \
		prepared(&run, done, &text);                             \
		return done;                                             \
	}
PREPARE(SQLPrepare, SQLCHAR, false)
PREPARE(SQLPrepareW, SQLWCHAR, true)

SQLRETURN SQLExecute(SQLHSTMT stmt)
{
	const struct odbc *lib = odbc_of(CALLER, false);
	if (!seen(lib))
		return LIB(SQLExecute)(stmt);
	RUN(run, lib, stmt);
	enter_run(&run, STATE_EXECUTING);
	if (run.span && run.span->recording && run.call)
		call_recall(run.call, run.span);
	CALL_WHILE(CALL_CLIENT, span_of_run(&run));
	SQLRETURN done = LIB(SQLExecute)(stmt);
	finish(&run, done, NULL);
	return done;
}

/* Goes on with what is under way in this state; false: nothing is. */
static bool resume(struct run *run, unsigned state)
{
	int saved = hook_enter();
	run->call = call_find(run->stmt);
	run->going_on = run->call && run->call->span && run->call->own[OWN_STATE] == state;
	hook_leave(saved);
	return run->going_on;
}

SQLRETURN SQLParamData(SQLHSTMT stmt, SQLPOINTER *value)
{
	const struct odbc *lib = odbc_of(CALLER, false);
	if (!seen(lib))
		return LIB(SQLParamData)(stmt, value);
	RUN(run, lib, stmt);
	if (!resume(&run, STATE_NEEDS_DATA))
		return LIB(SQLParamData)(stmt, value);
	CALL_WHILE(CALL_CLIENT, span_of_run(&run));
	SQLRETURN done = LIB(SQLParamData)(stmt, value);
	finish(&run, done, NULL);
	return done;
}

SQLRETURN SQLMoreResults(SQLHSTMT stmt)
{
	static const struct text nothing;
	const struct odbc *lib = odbc_of(CALLER, false);
	if (!seen(lib))
		return LIB(SQLMoreResults)(stmt);
	RUN(run, lib, stmt);
	if (!resume(&run, STATE_MORE))
		return LIB(SQLMoreResults)(stmt);
	CALL_WHILE(CALL_CLIENT, span_of_run(&run));
	SQLRETURN done = LIB(SQLMoreResults)(stmt);
	finish(&run, done, &nothing);
	return done;
}

/* --- handles come and go
 * ----------------------------------------------------------------------------------------------- */

/* No more results are wanted; or (gone) the statement is about to be freed. */
static void over(SQLHSTMT stmt, bool gone)
{
	if (!hook_live()) {
		if (gone && hooks_live)
			call_close(stmt, false);
		return;
	}
	int saved = hook_enter();
	struct call *call = call_find(stmt);
	if (call) {
		call_done(call, false);
		call_release(call);
	}
	if (gone)
		call_close(stmt, true);
	hook_leave(saved);
}

SQLRETURN SQLCloseCursor(SQLHSTMT stmt)
{
	const struct odbc *lib = odbc_of(CALLER, false);
	if (seen(lib))
		over(stmt, false);
	return LIB(SQLCloseCursor)(stmt);
}

SQLRETURN SQLFreeStmt(SQLHSTMT stmt, SQLUSMALLINT option)
{
	const struct odbc *lib = odbc_of(CALLER, false);
	if (option == ODBC_DROP || (option == ODBC_CLOSE && seen(lib)))
		over(stmt, option == ODBC_DROP);
	return LIB(SQLFreeStmt)(stmt, option);
}

SQLRETURN SQLFreeHandle(SQLSMALLINT type, SQLHANDLE handle)
{
	const struct odbc *lib = odbc_of(CALLER, false);
	if (type == ODBC_HANDLE_STMT || type == ODBC_HANDLE_DBC)
		over(handle, true);
	return LIB(SQLFreeHandle)(type, handle);
}

SQLRETURN SQLFreeConnect(SQLHDBC dbc)
{
	const struct odbc *lib = odbc_of(CALLER, false);
	over(dbc, true);
	return LIB(SQLFreeConnect)(dbc);
}

/* Its statements are gone with it; and it may be connected to another database. */
SQLRETURN SQLDisconnect(SQLHDBC dbc)
{
	const struct odbc *lib = odbc_of(CALLER, false);
	SQLRETURN done = LIB(SQLDisconnect)(dbc);
	if (seen(lib) && (done == ODBC_SUCCESS || done == ODBC_WITH_INFO)) {
		int saved = hook_enter();
		call_close_owned((uintptr_t)dbc);
		call_close(dbc, true);
		hook_leave(saved);
	}
	return done;
}

static void store(struct call *call, const struct odbc_facts *facts)
{
	memcpy(&call->own[OWN_SYSTEM], &facts->system, sizeof(facts->system));
	memcpy(&call->own[OWN_SPACE], facts->space, sizeof(facts->space));
}

/* What the connection's slot knows; false: nothing yet. */
static bool recall(SQLHDBC dbc, struct odbc_facts *facts)
{
	struct call *call = call_find(dbc);
	if (!call)
		return false;
	memcpy(&facts->system, &call->own[OWN_SYSTEM], sizeof(facts->system));
	memcpy(facts->space, &call->own[OWN_SPACE], sizeof(facts->space));
	call_release(call);
	return facts->system != NULL;
}

static void made_statement(const struct odbc *lib, SQLHDBC dbc, SQLHSTMT stmt)
{
	struct odbc_facts facts = {.system = NULL};
	int saved = hook_enter();
	bool known = recall(dbc, &facts);
	hook_leave(saved);
	if (!known) {
		CALL_WHILE(CALL_CLIENT, NULL);
		odbc_ask(lib, dbc, &facts);
	}
	saved = hook_enter();
	struct call *call = known ? NULL : call_open(dbc);
	if (call) {
		store(call, &facts);
		call_release(call);
	}
	call = call_open(stmt);
	if (call) {
		call->own[OWN_DBC] = (uintptr_t)dbc;
		store(call, &facts);
		call_release(call);
	}
	hook_leave(saved);
}

SQLRETURN SQLAllocHandle(SQLSMALLINT type, SQLHANDLE input, SQLHANDLE *output)
{
	/* An environment comes first of all: the library may just have been loaded. */
	const struct odbc *lib = odbc_of(CALLER, type != ODBC_HANDLE_STMT);
	SQLRETURN done = LIB(SQLAllocHandle)(type, input, output);
	if (type == ODBC_HANDLE_STMT && done == ODBC_SUCCESS && seen(lib))
		made_statement(lib, input, *output);
	return done;
}

SQLRETURN SQLAllocEnv(SQLHANDLE *env)
{
	const struct odbc *lib = odbc_of(CALLER, true);
	return LIB(SQLAllocEnv)(env);
}

SQLRETURN SQLAllocStmt(SQLHDBC dbc, SQLHSTMT *stmt)
{
	const struct odbc *lib = odbc_of(CALLER, false);
	SQLRETURN done = LIB(SQLAllocStmt)(dbc, stmt);
	if (done == ODBC_SUCCESS && seen(lib))
		made_statement(lib, dbc, *stmt);
	return done;
}
