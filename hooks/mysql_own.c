/* mysql_own.c - calls of libmariadb's whose spans are its own; and the copies of that library. */
#include "hooks/mysql.h"

#include <limits.h>
#include <string.h>

#include "preload/call.h"
#include "preload/hook.h"
#include "preload/readable.h"

#define MYSQL_NAME(name) #name,
static const char *const names[] = {MYSQL_FUNCTIONS(MYSQL_NAME)};
static struct mysql room[COPIES_MOST];
static struct copies libraries = {
	.names = names,
	.count = sizeof(names) / sizeof(names[0]),
	.room = room,
	.size = sizeof(room[0]),
};
_Static_assert(sizeof(struct mysql) == sizeof(struct copy) + sizeof(names), "in the order of the names");

const struct mysql *mysql_of(const void *caller, bool look)
{
	return (const struct mysql *)(const void *)copies_of(&libraries, caller, look);
}

/* --- statements ---------------------------------------------------------------------------------------- */

/* Kept only on connections that are not followed; most programs have none. */
static _Atomic bool kept;

static bool is_kept(void)
{
	return atomic_load_explicit(&kept, memory_order_relaxed);
}

MYSQL *mysql_statement_of(MYSQL_STMT *stmt)
{
	if (!is_kept() || !hook_live())
		return NULL;
	int saved = hook_enter();
	struct call *call = call_find(stmt);
	MYSQL *mysql = call ? (MYSQL *)(uintptr_t)call->own[0] : NULL; /* NOLINT(performance-no-int-to-ptr) */
	if (call)
		call_release(call);
	hook_leave(saved);
	return mysql;
}

static bool is_followed(int fd)
{
	return asked_followed(fd, "mysql");
}

void mysql_statement_made(const struct mysql *lib, MYSQL *mysql, MYSQL_STMT *stmt)
{
	int saved = hook_enter();
	struct call *call = is_followed(lib->mysql_get_socket(mysql)) ? NULL : call_open(stmt);
	if (call) {
		call->own[0] = (uintptr_t)mysql;
		call_release(call);
		atomic_store_explicit(&kept, true, memory_order_relaxed);
	}
	hook_leave(saved);
}

/* Also where no hook is live: the library may be asked again about what stands at that address. */
void mysql_statement_gone(MYSQL_STMT *stmt)
{
	if (stmt && hooks_live && is_kept())
		call_close(stmt, false);
}

void mysql_connection_gone(MYSQL *mysql)
{
	if (mysql && hooks_live && is_kept())
		call_close_owned((uintptr_t)mysql);
}

/* --- what is told --------------------------------------------------------------------------------------- */

static struct bytes info(const struct mysql_ask *ask, mysql_value value)
{
	const char *text = NULL;
	if (!ask->lib->mariadb_get_infov || ask->lib->mariadb_get_infov(ask->mysql, value, &text) != 0 ||
	    !text)
		return BYTES_NONE;
	return bytes_of(text);
}

static void describe(const struct mysql_ask *ask, const struct asked_own *own, const struct mysql_text *what)
{
	struct call *call = ask->stmt ? call_find(ask->stmt) : NULL;
	struct span *span = own->span;

	if (!span->recording || (call && !what->text && call_recall(call, span))) {
		if (call)
			call_release(call);
		return;
	}
	size_t most = what->length < STATEMENT_MAX ? what->length : STATEMENT_MAX;
	bool readable_text = what->text && readable(what->text, what->length == ULONG_MAX ? 1 : most);
	bool maria = bytes_equal_nocase(info(ask, (mysql_value)CONNECTION_SERVER_TYPE), BYTES("mariadb"));
	struct statement statement = {
		.system = maria ? BYTES("mariadb") : BYTES("mysql"),
		.space = info(ask, (mysql_value)CONNECTION_SCHEMA),
		.text = {what->text, !readable_text              ? 0
				     : what->length == ULONG_MAX ? strnlen(what->text, most)
								 : most},
		.dialect = SQL_MYSQL,
		.prepared = what->prepares,
		.endpoint = own->endpoint,
		.usual_port = 3306,
	};
	statement_describe(span, &statement);
	if (call && what->prepares)
		call_keep(call, span);
	if (call)
		call_release(call);
}

#define FIRST_OF_CLIENT 2000 /* errors that the library found itself, up to 2999 */

static void tell_error(const struct mysql_ask *ask, struct span *span)
{
	char digits[10];
	size_t at = sizeof(digits);
	unsigned code = ask->stmt && ask->lib->mysql_stmt_errno ? ask->lib->mysql_stmt_errno(ask->stmt)
								: ask->lib->mysql_errno(ask->mysql);
	bool servers = code && code / 1000 != FIRST_OF_CLIENT / 1000;
	struct db_answer answer = {.failed = true};
	struct protocol_facts facts = {.attrs = &span->attrs};

	for (unsigned rest = code; rest; rest /= 10)
		digits[--at] = (char)('0' + rest % 10);
	if (servers)
		answer.code = (struct bytes){digits + at, sizeof(digits) - at};
	else
		answer.error = code == 2006 || code == 2013 ? BYTES("response_truncated") : BYTES("_OTHER");
	db_describe_answer(&answer, &facts);
	call_told(span, &facts);
}

/* --- calls ---------------------------------------------------------------------------------------------- */

static void hold(struct mysql_ask *ask, int fd)
{
	ask->held = asked_get(fd);
	if (ask->held)
		asked_hold(ask->held);
}

static bool is_under_way(int fd)
{
	struct conn *conn = asked_get(fd);
	if (conn)
		conn_put(conn);
	return conn != NULL;
}

void mysql_ask(struct mysql_ask *ask, const void *caller, const struct mysql_text *what)
{
	int saved = hook_enter();
	int fd = ask->lib->mysql_get_socket(ask->mysql);
	struct asked_own own;

	/* What the library asks itself is its own business, unless it does so for nobody: mysql_commit(). */
	if (!is_followed(fd) && !(copies_itself(&ask->lib->copy, caller) && is_under_way(fd)) &&
	    asked_push(fd, ASKED_ALONE | ASKED_BLIND | (what->prepares ? ASKED_PART : 0), &own)) {
		if (own.span)
			describe(ask, &own, what);
		hold(ask, fd);
	}
	hook_leave(saved);
}

void mysql_ask_on(struct mysql_ask *ask, const void *caller)
{
	if (!asked_owns() || copies_itself(&ask->lib->copy, caller))
		return;
	int saved = hook_enter();
	hold(ask, ask->lib->mysql_get_socket(ask->mysql));
	hook_leave(saved);
}

/* Several statements that were sent as one, and procedures, have several results. */
static bool is_last(const struct mysql_ask *ask, int failed)
{
	const struct mysql *lib = ask->lib;
	return failed || ask->stmt || !lib->mysql_more_results || !lib->mysql_more_results(ask->mysql);
}

void mysql_answered(struct mysql_ask *ask, int failed)
{
	int saved = hook_enter();
	struct span *span = asked_span(ask->held);
	bool last = is_last(ask, failed);
	if (failed > 0 && span)
		tell_error(ask, span);
	asked_answer(ask->held, last);
	if (last)
		asked_over(ask->held);
	hook_leave(saved);
}

void mysql_leave(struct mysql_ask *ask)
{
	if (!ask->held)
		return;
	int saved = hook_enter();
	asked_put(ask->held);
	hook_leave(saved);
}
