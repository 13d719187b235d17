/* libpq.c - calls that programs make through PostgreSQL's client library.
 *
 * Who has the spans? The wire, wherever it is followed: it counts what the server runs, by whatever driver,
 * and ends each call with the server's own word, so that the same statement is told alike through libpq, JDBC
 * or asyncpg. What it cannot see is whose a call is that was asked for in one activity and is written in
 * another (a pipeline that is flushed later), and whose turn it is when one read brings the answers to
 * several: the program learns of them one by one, from PQgetResult(). So each function that asks tells of it,
 * and each that answers (preload/asked.h). Only where the wire is not followed, because of GSS encryption, or
 * TLS in a library that is not seen, the span is made here (libpq_own.c).
 *
 * What a function does inside of the library by way of others is its own business. Those that wait for the
 * answer themselves do away with whatever the connection had under way. Neither COPY's data nor PQflush(),
 * PQconsumeInput() and pipeline syncs ask for anything; connecting is the wire's to tell, and PQcancel() has
 * a connection of its own, on which nothing is asked. The guard is not held over real calls. */
#include "hooks/libpq.h"

#include <errno.h>

#include "preload/call.h"
#include "preload/hook.h"

#define SYMBOLS(WRAP, CALL)          \
	WRAP(PQconnectdb)            \
	WRAP(PQconnectdbParams)      \
	WRAP(PQconnectStart)         \
	WRAP(PQconnectStartParams)   \
	WRAP(PQsetdbLogin)           \
	WRAP(PQfinish)               \
	WRAP(PQexec)                 \
	WRAP(PQexecParams)           \
	WRAP(PQprepare)              \
	WRAP(PQexecPrepared)         \
	WRAP(PQdescribePrepared)     \
	WRAP(PQdescribePortal)       \
	WRAP(PQclosePrepared)        \
	WRAP(PQclosePortal)          \
	WRAP(PQfn)                   \
	WRAP(PQsendQuery)            \
	WRAP(PQsendQueryParams)      \
	WRAP(PQsendPrepare)          \
	WRAP(PQsendQueryPrepared)    \
	WRAP(PQsendDescribePrepared) \
	WRAP(PQsendDescribePortal)   \
	WRAP(PQsendClosePrepared)    \
	WRAP(PQsendClosePortal)      \
	WRAP(PQgetResult)            \
	WRAP(PQendcopy)              \
	WRAP(lo_read)

HOOK_LATE_LIBRARY(libpq, SYMBOLS);

#define LIB(name) (lib && lib->name ? lib->name : REAL(name))
#define CALLER __builtin_return_address(0)

static inline __attribute__((always_inline)) bool seen(const struct libpq *lib)
{
	return lib && lib->PQtransactionStatus && hook_live() && call_within() == CALL_NONE;
}

/* --- asking -------------------------------------------------------------------------------------------- */

struct ask {
	bool known;
	struct asked_own own;
	struct conn *held; /* with a reference, where the span is the library's */
	char *commented;   /* the query instead of the program's */
};

/* Also when the thread is cancelled in the real call. */
static void leave_ask(struct ask *ask)
{
	if (!ask->held && !ask->commented)
		return;
	int saved = hook_enter();
	if (ask->held)
		asked_put(ask->held);
	block_give(ask->commented);
	hook_leave(saved);
}

static void own_ask(struct ask *ask, const struct libpq *lib, PGconn *conn, const struct libpq_call *call)
{
	libpq_describe(lib, conn, call, &ask->own);
	ask->held = asked_get(lib->PQsocket(conn));
	if (ask->held)
		asked_hold(ask->held);
	if (call->kind == KIND_QUERY)
		ask->commented = libpq_commented(lib, conn, call->text, ask->own.span);
}

static void begin(struct ask *ask, const struct libpq *lib, PGconn *conn, const struct libpq_call *call,
		  unsigned flags)
{
	/* What waits is refused in a pipeline, and does away with nothing. */
	if (flags & ASKED_ALONE && lib->PQpipelineStatus && lib->PQpipelineStatus(conn) != PIPELINE_OFF)
		return;
	int saved = hook_enter();
	if (lib->PQtransactionStatus(conn) != TRANSACTION_ACTIVE)
		flags |= ASKED_ALONE;
	ask->known = asked_push(lib->PQsocket(conn), flags, &ask->own);
	if (ask->own.span)
		own_ask(ask, lib, conn, call);
	hook_leave(saved);
}

/* What the program is given is the answer, or a part of it, to the oldest that it asked. */
static void answered(const struct libpq *lib, const PGconn *conn, struct conn *place, const PGresult *result)
{
	int status = lib->PQresultStatus(result);
	bool copies = status == STATUS_COPY_OUT || status == STATUS_COPY_IN || status == STATUS_COPY_BOTH;
	struct span *span = asked_span(place);

	if (status == STATUS_PIPELINE_SYNC)
		return;
	if (span)
		libpq_tell_result(lib, span, conn, result);
	bool whole = !copies && status != STATUS_SINGLE_TUPLE && status != STATUS_CHUNK;
	asked_answer(place, whole);
	if (span && whole && libpq_has_one(span)) {
		libpq_tell_end(span);
		asked_end_span(place);
	}
}

static void over(struct conn *place)
{
	struct span *span = asked_span(place);
	if (span)
		libpq_tell_end(span);
	asked_over(place);
}

/* A function that has waited for the answer. */
static void waited(struct ask *ask, const struct libpq *lib, const PGconn *conn, const PGresult *result)
{
	if (!ask->known)
		return;
	int saved = hook_enter();
	struct conn *place = ask->held ? ask->held : asked_get(lib->PQsocket(conn));
	if (place && result) {
		int status = lib->PQresultStatus(result);
		answered(lib, conn, place, result);
		if (status != STATUS_COPY_OUT && status != STATUS_COPY_IN && status != STATUS_COPY_BOTH)
			over(place);
	}
	if (place && !ask->held)
		conn_put(place);
	hook_leave(saved);
}

static void sent(const struct ask *ask, const struct libpq *lib, const PGconn *conn, int done)
{
	if (!ask->known || done)
		return;
	int saved = hook_enter();
	asked_pull(lib->PQsocket(conn));
	hook_leave(saved);
}

#define ASK(lib, conn, flags, ...)                                             \
	__attribute__((cleanup(leave_ask))) struct ask ask = {.known = false}; \
	const struct libpq_call call = {__VA_ARGS__};                          \
	begin(&ask, lib, conn, &call, flags);                                  \
	CALL_WHILE(CALL_WIRED, NULL)

/* clang-format off */
/* A function that an old library does not have asks for nothing. */
#define WAITS(name, parameters, arguments, flags, ...)                    \
	PGresult *name parameters                                         \
	{                                                                 \
		const struct libpq *lib = libpq_known(CALLER);        \
		__typeof__(&name) target = LIB(name);                     \
		if (!target)                                              \
			return NULL;                                      \
		if (!seen(lib))                                           \
			return target arguments;                          \
		ASK(lib, conn, (flags) | ASKED_ALONE, __VA_ARGS__);       \
		PGresult *result = target arguments;                      \
		waited(&ask, lib, conn, result);                          \
		return result;                                            \
	}

#define SENDS(name, parameters, arguments, flags, ...)                    \
	int name parameters                                               \
	{                                                                 \
		const struct libpq *lib = libpq_known(CALLER);        \
		__typeof__(&name) target = LIB(name);                     \
		if (!target)                                              \
			return 0;                                         \
		if (!seen(lib))                                           \
			return target arguments;                          \
		ASK(lib, conn, flags, __VA_ARGS__);                       \
		int done = target arguments;                              \
		sent(&ask, lib, conn, done);                              \
		return done;                                              \
	}
/* clang-format on */

#define PARAMS                                                                                     \
	(PGconn * conn, const char *query, int count, const Oid *types, const char *const *values, \
	 const int *lengths, const int *formats, int format)
#define PREPARED                                                                                    \
	(PGconn * conn, const char *name, int count, const char *const *values, const int *lengths, \
	 const int *formats, int format)
#define PREPARES (PGconn * conn, const char *name, const char *query, int count, const Oid *types)
#define NAMED (PGconn * conn, const char *name)

WAITS(PQexecParams, PARAMS, (conn, query, count, types, values, lengths, formats, format), 0,
      .kind = KIND_PARAMS, .text = query)
WAITS(PQprepare, PREPARES, (conn, name, query, count, types), ASKED_PART, .kind = KIND_PREPARE, .name = name,
      .text = query)
WAITS(PQexecPrepared, PREPARED, (conn, name, count, values, lengths, formats, format), 0,
      .kind = KIND_PREPARED, .name = name)
WAITS(PQdescribePrepared, NAMED, (conn, name), ASKED_PART, .kind = KIND_PREPARED, .name = name)
WAITS(PQdescribePortal, NAMED, (conn, name), ASKED_PART, .kind = KIND_OTHER)
WAITS(PQclosePrepared, NAMED, (conn, name), ASKED_PART, .kind = KIND_CLOSE, .name = name)
WAITS(PQclosePortal, NAMED, (conn, name), ASKED_PART, .kind = KIND_OTHER)
WAITS(PQfn,
      (PGconn * conn, int function, int *value, int *length, int is_int, const PQArgBlock *args, int count),
      (conn, function, value, length, is_int, args, count), 0, .kind = KIND_FUNCTION, .function = function)
SENDS(PQsendQueryParams, PARAMS, (conn, query, count, types, values, lengths, formats, format), 0,
      .kind = KIND_PARAMS, .text = query)
SENDS(PQsendPrepare, PREPARES, (conn, name, query, count, types), ASKED_PART, .kind = KIND_PREPARE,
      .name = name, .text = query)
SENDS(PQsendQueryPrepared, PREPARED, (conn, name, count, values, lengths, formats, format), 0,
      .kind = KIND_PREPARED, .name = name)
SENDS(PQsendDescribePrepared, NAMED, (conn, name), ASKED_PART, .kind = KIND_PREPARED, .name = name)
SENDS(PQsendDescribePortal, NAMED, (conn, name), ASKED_PART, .kind = KIND_OTHER)
SENDS(PQsendClosePrepared, NAMED, (conn, name), ASKED_PART, .kind = KIND_CLOSE, .name = name)
SENDS(PQsendClosePortal, NAMED, (conn, name), ASKED_PART, .kind = KIND_OTHER)

PGresult *PQexec(PGconn *conn, const char *query)
{
	const struct libpq *lib = libpq_known(CALLER);
	if (!seen(lib))
		return LIB(PQexec)(conn, query);
	ASK(lib, conn, ASKED_ALONE, .kind = KIND_QUERY, .text = query);
	PGresult *result = LIB(PQexec)(conn, ask.commented ? ask.commented : query);
	waited(&ask, lib, conn, result);
	return result;
}

int PQsendQuery(PGconn *conn, const char *query)
{
	const struct libpq *lib = libpq_known(CALLER);
	if (!seen(lib))
		return LIB(PQsendQuery)(conn, query);
	ASK(lib, conn, 0, .kind = KIND_QUERY, .text = query);
	int done = LIB(PQsendQuery)(conn, ask.commented ? ask.commented : query);
	sent(&ask, lib, conn, done);
	return done;
}

/* --- being answered ------------------------------------------------------------------------------------ */

/* Where the library has the span, it must outlive the connection, which may be lost in the real call. */
static struct conn *hold(const struct libpq *lib, const PGconn *conn)
{
	int saved = hook_enter();
	struct conn *place = asked_get(lib->PQsocket(conn));
	bool own = place && asked_span(place);
	if (own)
		asked_hold(place);
	else if (place)
		conn_put(place);
	hook_leave(saved);
	return own ? place : NULL;
}

static void let_go(struct conn **held)
{
	if (!*held)
		return;
	int saved = hook_enter();
	asked_put(*held);
	hook_leave(saved);
}

static void given(const struct libpq *lib, const PGconn *conn, struct conn *held, const PGresult *result)
{
	int saved = hook_enter();
	struct conn *place = held ? held : asked_get(lib->PQsocket(conn));
	if (place && result)
		answered(lib, conn, place, result);
	else if (place)
		over(place);
	if (place && !held)
		conn_put(place);
	hook_leave(saved);
}

/* Outside of a pipeline the next call is asked for when this one is over, and begins anew; and before anybody
 * was served it is nobody's turn. */
static bool matters(const struct libpq *lib, const PGconn *conn, const PGresult *result)
{
	return asked_owns() || (lib->PQpipelineStatus && lib->PQpipelineStatus(conn) != PIPELINE_OFF) ||
	       (result && atomic_load_explicit(&process_served, memory_order_relaxed));
}

PGresult *PQgetResult(PGconn *conn)
{
	const struct libpq *lib = libpq_known(CALLER);
	if (!seen(lib) || copies_itself(&lib->copy, CALLER)) {
		PGresult *inner = LIB(PQgetResult)(conn);
		if (inner && thread.call_span && lib && hook_live() && call_within() == CALL_WIRED) {
			int saved = hook_enter();
			libpq_tell_result(lib, thread.call_span, conn, inner);
			hook_leave(saved);
		}
		return inner;
	}
	__attribute__((cleanup(let_go))) struct conn *held = asked_owns() ? hold(lib, conn) : NULL;
	PGresult *result = LIB(PQgetResult)(conn);
	if (matters(lib, conn, result))
		given(lib, conn, held, result);
	return result;
}

/* The end of a COPY in the old way: how that was is only seen inside. */
int PQendcopy(PGconn *conn)
{
	const struct libpq *lib = libpq_known(CALLER);
	if (!seen(lib))
		return LIB(PQendcopy)(conn);
	__attribute__((cleanup(let_go))) struct conn *held = asked_owns() ? hold(lib, conn) : NULL;
	CALL_WHILE(CALL_WIRED, held ? asked_span(held) : NULL);
	int done = LIB(PQendcopy)(conn);
	/* Without blocking it may have to be asked again. */
	if (done == 0 || (lib->PQisnonblocking && !lib->PQisnonblocking(conn)))
		given(lib, conn, held, NULL);
	return done;
}

/* Of the functions for large objects only this one, in newer libraries, does not go by way of PQfn(). */
int lo_read(PGconn *conn, int fd, char *bytes, size_t count)
{
	const struct libpq *lib = libpq_known(CALLER);
	if (!seen(lib))
		return LIB(lo_read)(conn, fd, bytes, count);
	ASK(lib, conn, ASKED_ALONE, .kind = KIND_FUNCTION, .function = FUNCTION_LOREAD);
	int done = LIB(lo_read)(conn, fd, bytes, count);
	int saved = hook_enter();
	struct conn *place = !ask.known ? NULL : ask.held ? ask.held : asked_get(lib->PQsocket(conn));
	if (place) {
		if (done < 0 && asked_span(place))
			libpq_tell_failure(asked_span(place));
		asked_answer(place, true);
		over(place);
	}
	if (place && !ask.held)
		conn_put(place);
	hook_leave(saved);
	return done;
}

/* --- connections --------------------------------------------------------------------------------------- */

/* The library may just have been loaded. */
PGconn *PQconnectdb(const char *info)
{
	const struct libpq *lib = libpq_of(CALLER, true);
	return LIB(PQconnectdb)(info);
}

PGconn *PQconnectdbParams(const char *const *keywords, const char *const *values, int expand)
{
	const struct libpq *lib = libpq_of(CALLER, true);
	return LIB(PQconnectdbParams)(keywords, values, expand);
}

PGconn *PQconnectStart(const char *info)
{
	const struct libpq *lib = libpq_of(CALLER, true);
	return LIB(PQconnectStart)(info);
}

PGconn *PQconnectStartParams(const char *const *keywords, const char *const *values, int expand)
{
	const struct libpq *lib = libpq_of(CALLER, true);
	return LIB(PQconnectStartParams)(keywords, values, expand);
}

PGconn *PQsetdbLogin(const char *host, const char *port, const char *options, const char *tty,
		     const char *database, const char *login, const char *password)
{
	const struct libpq *lib = libpq_of(CALLER, true);
	return LIB(PQsetdbLogin)(host, port, options, tty, database, login, password);
}

void PQfinish(PGconn *conn)
{
	const struct libpq *lib = libpq_known(CALLER);
	if (seen(lib) && asked_owns()) {
		int saved = hook_enter();
		libpq_forget(conn);
		hook_leave(saved);
	}
	LIB(PQfinish)(conn);
}
