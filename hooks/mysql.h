/* mysql.h - which libmariadb a call is for, and its functions.
 *
 * No header of MariaDB's is needed: the few prototypes and numbers stand here, and tests/lint/vendor.sh
 * compares them with the vendor's where that is installed. */
#ifndef TAGALONG_HOOKS_MYSQL_H
#define TAGALONG_HOOKS_MYSQL_H

#include "hooks/copies.h"
#include "hooks/statement.h"
#include "preload/asked.h"

enum { CONNECTION_SCHEMA = 15, CONNECTION_SERVER_TYPE = 16 };

#ifndef _mysql_h /* the vendor's: the lint includes that first */
typedef struct st_mysql MYSQL;
typedef struct st_mysql_stmt MYSQL_STMT;
typedef char my_bool;
typedef int my_socket;
typedef int mysql_value; /* an enum there */
#else
typedef enum mariadb_value mysql_value;
_Static_assert(CONNECTION_SCHEMA == (int)MARIADB_CONNECTION_SCHEMA, "mysql");
_Static_assert(CONNECTION_SERVER_TYPE == (int)MARIADB_CONNECTION_SERVER_TYPE, "mysql");
#endif

MYSQL *mysql_init(MYSQL *mysql);
void mysql_close(MYSQL *mysql);
int mysql_close_start(MYSQL *mysql);
int mysql_query(MYSQL *mysql, const char *text);
int mysql_query_start(int *ret, MYSQL *mysql, const char *text);
int mysql_query_cont(int *ret, MYSQL *mysql, int status);
int mysql_real_query(MYSQL *mysql, const char *text, unsigned long length);
int mysql_real_query_start(int *ret, MYSQL *mysql, const char *text, unsigned long length);
int mysql_real_query_cont(int *ret, MYSQL *mysql, int status);
int mysql_send_query(MYSQL *mysql, const char *text, unsigned long length);
int mysql_send_query_start(int *ret, MYSQL *mysql, const char *text, unsigned long length);
int mysql_send_query_cont(int *ret, MYSQL *mysql, int status);
my_bool mysql_read_query_result(MYSQL *mysql);
int mysql_read_query_result_start(my_bool *ret, MYSQL *mysql);
int mysql_read_query_result_cont(my_bool *ret, MYSQL *mysql, int status);
int mysql_next_result(MYSQL *mysql);
int mysql_next_result_start(int *ret, MYSQL *mysql);
int mysql_next_result_cont(int *ret, MYSQL *mysql, int status);
MYSQL_STMT *mysql_stmt_init(MYSQL *mysql);
my_bool mysql_stmt_close(MYSQL_STMT *stmt);
int mysql_stmt_close_start(my_bool *ret, MYSQL_STMT *stmt);
int mysql_stmt_prepare(MYSQL_STMT *stmt, const char *text, unsigned long length);
int mysql_stmt_prepare_start(int *ret, MYSQL_STMT *stmt, const char *text, unsigned long length);
int mysql_stmt_prepare_cont(int *ret, MYSQL_STMT *stmt, int status);
int mysql_stmt_execute(MYSQL_STMT *stmt);
int mysql_stmt_execute_start(int *ret, MYSQL_STMT *stmt);
int mysql_stmt_execute_cont(int *ret, MYSQL_STMT *stmt, int status);
int mariadb_stmt_execute_direct(MYSQL_STMT *stmt, const char *text, size_t length);

/* Called only. They look at the handle, and do nothing. */
my_socket mysql_get_socket(MYSQL *mysql);
my_bool mysql_more_results(MYSQL *mysql);
unsigned int mysql_errno(MYSQL *mysql);
unsigned int mysql_stmt_errno(MYSQL_STMT *stmt);
my_bool mariadb_get_infov(MYSQL *mysql, mysql_value value, void *arg, ...);

/* clang-format off */
#define MYSQL_FUNCTIONS(NAME) \
	NAME(mysql_get_socket) NAME(mysql_errno) NAME(mysql_more_results) NAME(mysql_stmt_errno) NAME(mariadb_get_infov) \
	NAME(mysql_init) NAME(mysql_close) NAME(mysql_close_start) \
	NAME(mysql_query) NAME(mysql_query_start) NAME(mysql_query_cont) \
	NAME(mysql_real_query) NAME(mysql_real_query_start) NAME(mysql_real_query_cont) \
	NAME(mysql_send_query) NAME(mysql_send_query_start) NAME(mysql_send_query_cont) \
	NAME(mysql_read_query_result) NAME(mysql_read_query_result_start) NAME(mysql_read_query_result_cont) \
	NAME(mysql_next_result) NAME(mysql_next_result_start) NAME(mysql_next_result_cont) \
	NAME(mariadb_stmt_execute_direct) NAME(mysql_stmt_init) NAME(mysql_stmt_close) NAME(mysql_stmt_close_start) \
	NAME(mysql_stmt_prepare) NAME(mysql_stmt_prepare_start) NAME(mysql_stmt_prepare_cont) \
	NAME(mysql_stmt_execute) NAME(mysql_stmt_execute_start) NAME(mysql_stmt_execute_cont)
/* clang-format on */

struct mysql {
	struct copy copy;
#define MYSQL_POINTER(name) __typeof__(&name) name;
	MYSQL_FUNCTIONS(MYSQL_POINTER)
#undef MYSQL_POINTER
};

/* The copy that the caller is bound to; NULL: none was found. `look`: one may have come since. */
const struct mysql *mysql_of(const void *caller, bool look);

/* --- mysql_own.c: calls whose spans are the library's, because the wire is not followed --------------- */

/* One function's part of such a call. */
struct mysql_ask {
	const struct mysql *lib;
	MYSQL *mysql;
	MYSQL_STMT *stmt;  /* NULL: a query of its own */
	struct conn *held; /* with a reference; NULL: the call is none of ours */
};

struct mysql_text {
	const char *text;     /* NULL: what was prepared */
	unsigned long length; /* ULONG_MAX: to its NUL */
	bool prepares;
};

/* A statement's connection; NULL: nobody asks. */
MYSQL *mysql_statement_of(MYSQL_STMT *stmt);
void mysql_statement_made(const struct mysql *lib, MYSQL *mysql, MYSQL_STMT *stmt);
void mysql_statement_gone(MYSQL_STMT *stmt);
void mysql_connection_gone(MYSQL *mysql);

/* Before the real call: it asks. */
void mysql_ask(struct mysql_ask *ask, const void *caller, const struct mysql_text *text);
void mysql_ask_on(struct mysql_ask *ask, const void *caller); /* goes on with what is under way */
void mysql_answered(struct mysql_ask *ask, int failed);       /* and after it; < 0: there was no more */
void mysql_leave(struct mysql_ask *ask);                      /* at last; it may go on */

#endif
