/* mysql.c - calls that programs make through MariaDB's client library.
 *
 * Who has the spans? The wire, wherever it is followed: it counts what the server logs, by whatever driver,
 * and knows how each call ended. Whose a call is it knows as well as the handle would: unlike others this
 * library has one statement under way at a time, keeps none back, and writes it in the very function that is
 * given it, mysql_send_query() and the _start forms too. So there is nothing to be told of it, and these
 * hooks do no more than to look whether the connection is followed. Where it is not (TLS in a library that is
 * not seen, a connection older than us, a compression or a proxy's header that the parser does not know) the
 * span is made here, for who gave the statement, until its result is there, in whatever function and turn.
 *
 * The _start and _cont forms run the other functions on a stack of their own, so that frames say nothing
 * there of what is inside of what; that something is under way on the connection does. libmysqlclient does
 * not tell its descriptors: it is left to the wire. */
#include "hooks/mysql.h"

#include <limits.h>

#include "preload/call.h"
#include "preload/hook.h"

#define SYMBOLS(WRAP, CALL)                 \
	WRAP(mysql_init)                    \
	WRAP(mysql_close)                   \
	WRAP(mysql_close_start)             \
	WRAP(mysql_query)                   \
	WRAP(mysql_query_start)             \
	WRAP(mysql_query_cont)              \
	WRAP(mysql_real_query)              \
	WRAP(mysql_real_query_start)        \
	WRAP(mysql_real_query_cont)         \
	WRAP(mysql_send_query)              \
	WRAP(mysql_send_query_start)        \
	WRAP(mysql_send_query_cont)         \
	WRAP(mysql_read_query_result)       \
	WRAP(mysql_read_query_result_start) \
	WRAP(mysql_read_query_result_cont)  \
	WRAP(mysql_next_result)             \
	WRAP(mysql_next_result_start)       \
	WRAP(mysql_next_result_cont)        \
	WRAP(mariadb_stmt_execute_direct)   \
	WRAP(mysql_stmt_init)               \
	WRAP(mysql_stmt_close)              \
	WRAP(mysql_stmt_close_start)        \
	WRAP(mysql_stmt_prepare)            \
	WRAP(mysql_stmt_prepare_start)      \
	WRAP(mysql_stmt_prepare_cont)       \
	WRAP(mysql_stmt_execute)            \
	WRAP(mysql_stmt_execute_start)      \
	WRAP(mysql_stmt_execute_cont)

HOOK_LATE_LIBRARY(mysql, SYMBOLS);

#define LIB(name) (lib && lib->name ? lib->name : REAL(name))
#define CALLER __builtin_return_address(0)

static inline __attribute__((always_inline)) bool seen(const struct mysql *lib, const void *handle)
{
	return lib && handle && lib->mysql_get_socket && lib->mysql_errno && hook_live() &&
	       call_within() == CALL_NONE;
}

/* `asks` says what is asked before the real call, `goes_on` whether it may not be over when that returns. */
#define ASKED(real, handle, statement, arguments, asks, goes_on, result)         \
	{                                                                        \
		const struct mysql *lib = mysql_of(CALLER, false);               \
		MYSQL *asked = (handle);                                         \
		if (!seen(lib, asked))                                           \
			return LIB(real) arguments;                              \
		__attribute__((cleanup(mysql_leave))) struct mysql_ask ask = {   \
			.lib = lib, .mysql = asked, .stmt = (statement)};        \
		asks;                                                            \
		CALL_WHILE(CALL_WIRED, NULL);                                    \
		__typeof__(real arguments) done = LIB(real) arguments;           \
		if (ask.held && !(goes_on))                                      \
			mysql_answered(&ask, (result) < 0 ? -1 : (result) != 0); \
		return done;                                                     \
	}

#define BEGINS(...) mysql_ask(&ask, CALLER, &(struct mysql_text){__VA_ARGS__})
#define GOES_ON mysql_ask_on(&ask, CALLER)
#define OF(stmt) mysql_statement_of(stmt)

/* --- queries ------------------------------------------------------------------------------------------- */

/* clang-format off */
int mysql_query(MYSQL *mysql, const char *text)
ASKED(mysql_query, mysql, NULL, (mysql, text), BEGINS(.text = text, .length = ULONG_MAX), false, done)

int mysql_query_start(int *ret, MYSQL *mysql, const char *text)
ASKED(mysql_query_start, mysql, NULL, (ret, mysql, text), BEGINS(.text = text, .length = ULONG_MAX), done != 0, *ret)

int mysql_query_cont(int *ret, MYSQL *mysql, int status)
ASKED(mysql_query_cont, mysql, NULL, (ret, mysql, status), GOES_ON, done != 0, *ret)

int mysql_real_query(MYSQL *mysql, const char *text, unsigned long length)
ASKED(mysql_real_query, mysql, NULL, (mysql, text, length), BEGINS(.text = text, .length = length), false, done)

int mysql_real_query_start(int *ret, MYSQL *mysql, const char *text, unsigned long length)
ASKED(mysql_real_query_start, mysql, NULL, (ret, mysql, text, length), BEGINS(.text = text, .length = length), done != 0, *ret)

int mysql_real_query_cont(int *ret, MYSQL *mysql, int status)
ASKED(mysql_real_query_cont, mysql, NULL, (ret, mysql, status), GOES_ON, done != 0, *ret)

int mysql_send_query(MYSQL *mysql, const char *text, unsigned long length)
ASKED(mysql_send_query, mysql, NULL, (mysql, text, length), BEGINS(.text = text, .length = length), done == 0, done)

int mysql_send_query_start(int *ret, MYSQL *mysql, const char *text, unsigned long length)
ASKED(mysql_send_query_start, mysql, NULL, (ret, mysql, text, length), BEGINS(.text = text, .length = length),
      done != 0 || *ret == 0, *ret)

int mysql_send_query_cont(int *ret, MYSQL *mysql, int status)
ASKED(mysql_send_query_cont, mysql, NULL, (ret, mysql, status), GOES_ON, done != 0 || *ret == 0, *ret)

my_bool mysql_read_query_result(MYSQL *mysql)
ASKED(mysql_read_query_result, mysql, NULL, (mysql), GOES_ON, false, done)

int mysql_read_query_result_start(my_bool *ret, MYSQL *mysql)
ASKED(mysql_read_query_result_start, mysql, NULL, (ret, mysql), GOES_ON, done != 0, *ret)

int mysql_read_query_result_cont(my_bool *ret, MYSQL *mysql, int status)
ASKED(mysql_read_query_result_cont, mysql, NULL, (ret, mysql, status), GOES_ON, done != 0, *ret)

int mysql_next_result(MYSQL *mysql)
ASKED(mysql_next_result, mysql, NULL, (mysql), GOES_ON, false, done)

int mysql_next_result_start(int *ret, MYSQL *mysql)
ASKED(mysql_next_result_start, mysql, NULL, (ret, mysql), GOES_ON, done != 0, *ret)

int mysql_next_result_cont(int *ret, MYSQL *mysql, int status)
ASKED(mysql_next_result_cont, mysql, NULL, (ret, mysql, status), GOES_ON, done != 0, *ret)

/* --- statements that are prepared ----------------------------------------------------------------------- */

int mysql_stmt_prepare(MYSQL_STMT *stmt, const char *text, unsigned long length)
ASKED(mysql_stmt_prepare, OF(stmt), stmt, (stmt, text, length), BEGINS(.text = text, .length = length, .prepares = true), false, done)

int mysql_stmt_prepare_start(int *ret, MYSQL_STMT *stmt, const char *text, unsigned long length)
ASKED(mysql_stmt_prepare_start, OF(stmt), stmt, (ret, stmt, text, length), BEGINS(.text = text, .length = length, .prepares = true), done != 0, *ret)

int mysql_stmt_prepare_cont(int *ret, MYSQL_STMT *stmt, int status)
ASKED(mysql_stmt_prepare_cont, OF(stmt), stmt, (ret, stmt, status), GOES_ON, done != 0, *ret)

int mysql_stmt_execute(MYSQL_STMT *stmt)
ASKED(mysql_stmt_execute, OF(stmt), stmt, (stmt), BEGINS(.text = NULL), false, done)

int mariadb_stmt_execute_direct(MYSQL_STMT *stmt, const char *text, size_t length)
ASKED(mariadb_stmt_execute_direct, OF(stmt), stmt, (stmt, text, length), BEGINS(.text = text, .length = length), false, done)

int mysql_stmt_execute_start(int *ret, MYSQL_STMT *stmt)
ASKED(mysql_stmt_execute_start, OF(stmt), stmt, (ret, stmt), BEGINS(.text = NULL), done != 0, *ret)

int mysql_stmt_execute_cont(int *ret, MYSQL_STMT *stmt, int status)
ASKED(mysql_stmt_execute_cont, OF(stmt), stmt, (ret, stmt, status), GOES_ON, done != 0, *ret)
	/* clang-format on */

	/* --- handles come and go
	   ------------------------------------------------------------------------------- */

	/* The library may just have been loaded. */
	MYSQL *mysql_init(MYSQL *mysql)
{
	const struct mysql *lib = mysql_of(CALLER, true);
	return LIB(mysql_init)(mysql);
}

MYSQL_STMT *mysql_stmt_init(MYSQL *mysql)
{
	const struct mysql *lib = mysql_of(CALLER, false);
	MYSQL_STMT *stmt = LIB(mysql_stmt_init)(mysql);
	if (stmt && seen(lib, mysql))
		mysql_statement_made(lib, mysql, stmt);
	return stmt;
}

my_bool mysql_stmt_close(MYSQL_STMT *stmt)
{
	const struct mysql *lib = mysql_of(CALLER, false);
	mysql_statement_gone(stmt);
	return LIB(mysql_stmt_close)(stmt);
}

int mysql_stmt_close_start(my_bool *ret, MYSQL_STMT *stmt)
{
	const struct mysql *lib = mysql_of(CALLER, false);
	mysql_statement_gone(stmt);
	return LIB(mysql_stmt_close_start)(ret, stmt);
}

void mysql_close(MYSQL *mysql)
{
	const struct mysql *lib = mysql_of(CALLER, false);
	mysql_connection_gone(mysql);
	LIB(mysql_close)(mysql);
}

int mysql_close_start(MYSQL *mysql)
{
	const struct mysql *lib = mysql_of(CALLER, false);
	mysql_connection_gone(mysql);
	return LIB(mysql_close_start)(mysql);
}
