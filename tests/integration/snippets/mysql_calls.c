/* mysql_calls.c HOST PORT SOCKET FLAGS: what a C program does with libmariadb; FLAGS: z compressed, s TLS, f file, p behind a proxy's header,
 * n the functions that do not block. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <mysql.h>

static void complain(unsigned number, const char *text)
{
	if (number)
		printf("  %u %.60s\n", number, text);
}

static int patient; /* n */

static int ready(MYSQL *db, int status)
{
	struct pollfd fd = {.fd = mysql_get_socket(db)};
	fd.events = (short)((status & MYSQL_WAIT_READ ? POLLIN : 0) | (status & MYSQL_WAIT_WRITE ? POLLOUT : 0));
	poll(&fd, 1, 10000);
	return (fd.revents & (POLLIN | POLLHUP | POLLERR) ? MYSQL_WAIT_READ : 0) | (fd.revents & POLLOUT ? MYSQL_WAIT_WRITE : 0);
}

/* start and cont until it is done; `else` the function that waits. */
#define DO(ret, db, start, cont, waits)                   \
	do {                                              \
		if (!patient) {                           \
			ret = waits;                      \
			break;                            \
		}                                         \
		int status = start;                       \
		while (status) {                          \
			int events = ready(db, status);   \
			status = cont;                    \
		}                                         \
	} while (0)

static int ask(MYSQL *db, const char *text)
{
	static int turn;
	int ret = 0;
	my_bool failed = 0;

	switch (turn++ % 3) {
	case 0:
		DO(ret, db, mysql_query_start(&ret, db, text), mysql_query_cont(&ret, db, events), mysql_query(db, text));
		return ret;
	case 1:
		DO(ret, db, mysql_real_query_start(&ret, db, text, strlen(text)), mysql_real_query_cont(&ret, db, events),
		   mysql_real_query(db, text, strlen(text)));
		return ret;
	default:
		DO(ret, db, mysql_send_query_start(&ret, db, text, strlen(text)), mysql_send_query_cont(&ret, db, events),
		   mysql_send_query(db, text, strlen(text)));
		if (ret)
			return ret;
		DO(failed, db, mysql_read_query_result_start(&failed, db), mysql_read_query_result_cont(&failed, db, events),
		   mysql_read_query_result(db));
		return failed;
	}
}

static void query(MYSQL *db, const char *text)
{
	int more = 0;
	printf("%.40s\n", text);
	if (ask(db, text))
		return complain(mysql_errno(db), mysql_error(db));
	do {
		MYSQL_RES *result;
		DO(result, db, mysql_store_result_start(&result, db), mysql_store_result_cont(&result, db, events), mysql_store_result(db));
		if (result)
			printf("  %llu rows\n", (unsigned long long)mysql_num_rows(result));
		mysql_free_result(result);
		DO(more, db, mysql_next_result_start(&more, db), mysql_next_result_cont(&more, db, events), mysql_next_result(db));
	} while (more == 0);
	complain(mysql_errno(db), mysql_error(db));
}

static MYSQL_STMT *prepare(MYSQL *db, const char *text, unsigned long cursor)
{
	MYSQL_STMT *stmt = mysql_stmt_init(db);
	mysql_stmt_attr_set(stmt, STMT_ATTR_CURSOR_TYPE, &cursor);
	printf("%.40s\n", text);
	int failed = 0;
	DO(failed, db, mysql_stmt_prepare_start(&failed, stmt, text, strlen(text)), mysql_stmt_prepare_cont(&failed, stmt, events),
	   mysql_stmt_prepare(stmt, text, strlen(text)));
	if (failed)
		complain(mysql_stmt_errno(stmt), mysql_stmt_error(stmt));
	return stmt;
}

static void executes(MYSQL *db, unsigned long cursor)
{
	MYSQL_STMT *stmt = prepare(db, "select v from t where id >= ? and v <> 'secret'", cursor);
	char out[64];
	unsigned long len;
	int id = 1;
	MYSQL_BIND in = {.buffer_type = MYSQL_TYPE_LONG, .buffer = &id};
	MYSQL_BIND row = {.buffer_type = MYSQL_TYPE_STRING, .buffer = out, .buffer_length = sizeof(out), .length = &len};

	mysql_stmt_bind_param(stmt, &in);
	mysql_stmt_bind_result(stmt, &row);
	for (id = 1; id <= 3; id++) {
		int rows = 0, failed = 0;
		DO(failed, db, mysql_stmt_execute_start(&failed, stmt), mysql_stmt_execute_cont(&failed, stmt, events), mysql_stmt_execute(stmt));
		for (;; rows++) {
			int end = 0;
			DO(end, db, mysql_stmt_fetch_start(&end, stmt), mysql_stmt_fetch_cont(&end, stmt, events), mysql_stmt_fetch(stmt));
			if (failed || end)
				break;
		}
		printf("  %d rows\n", rows);
		mysql_stmt_free_result(stmt);
	}
	mysql_stmt_close(stmt);
}

static void long_data(MYSQL *db)
{
	MYSQL_STMT *stmt = prepare(db, "insert into b values (?)", 0);
	MYSQL_BIND in = {.buffer_type = MYSQL_TYPE_BLOB};
	char *piece = calloc(1, 300000);

	mysql_stmt_bind_param(stmt, &in);
	for (int i = 0; i < 3; i++)
		mysql_stmt_send_long_data(stmt, 0, piece, 300000);
	mysql_stmt_execute(stmt);
	complain(mysql_stmt_errno(stmt), mysql_stmt_error(stmt));
	mysql_stmt_close(stmt);
	free(piece);
}

static void large(MYSQL *db)
{
	static const char head[] = "select length('";
	size_t size = 20 << 20;
	char *text = malloc(size + 64);

	memcpy(text, head, sizeof(head));
	memset(text + sizeof(head) - 1, 'x', size);
	strcpy(text + sizeof(head) - 1 + size, "') as n");
	query(db, text);
	free(text);
	query(db, "select repeat('row ', 5000000)");
}

int main(int count, char **args)
{
	const char *flags = count > 4 ? args[4] : "";
	MYSQL *db = mysql_init(NULL);
	my_bool no = 0, yes = 1;
	unsigned on = 1;

	mysql_options(db, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &no);
	mysql_options(db, MYSQL_OPT_LOCAL_INFILE, &on);
	if (strchr(flags, 's'))
		mysql_options(db, MYSQL_OPT_SSL_ENFORCE, &yes);
	if (strchr(flags, 'z'))
		mysql_options(db, MYSQL_OPT_COMPRESS, NULL);
	if ((patient = strchr(flags, 'n') != NULL))
		mysql_options(db, MYSQL_OPT_NONBLOCK, 0);
	static const char header[] = "PROXY TCP4 127.0.0.1 127.0.0.1 1024 1025\r\n";
	if (strchr(flags, 'p'))
		mysql_optionsv(db, MARIADB_OPT_PROXY_HEADER, header, sizeof(header) - 1);
	if (!mysql_real_connect(db, args[1], "t", "pw", "d1", (unsigned)atoi(args[2]), *args[3] ? args[3] : NULL,
				CLIENT_MULTI_STATEMENTS)) {
		complain(mysql_errno(db), mysql_error(db));
		return 1;
	}
	query(db, "select 1, 'a' as b");
	query(db, "insert into t values (1, 'twice')");
	query(db, "select * from nowhere");
	query(db, "select 1; select 2; insert into t values (1, 'twice'); select 3");
	query(db, "call p1(4)");
	query(db, "use mysql");
	query(db, "select 5");
	mysql_select_db(db, "d1");
	query(db, "select id from t");
	mysql_ping(db);
	mysql_stat(db);
	executes(db, CURSOR_TYPE_NO_CURSOR);
	executes(db, CURSOR_TYPE_READ_ONLY);
	long_data(db);
	mysql_stmt_close(prepare(db, "selec nonsense", 0));
	MYSQL_STMT *direct = mysql_stmt_init(db);
	mariadb_stmt_execute_direct(direct, "select 6", 8);
	mysql_stmt_store_result(direct);
	mysql_stmt_close(direct);
	if (strchr(flags, 'f'))
		query(db, args[5]);
	if (strchr(flags, 'l'))
		large(db);
	mysql_change_user(db, "t", "pw", "mysql");
	query(db, "select 7");
	mysql_close(db);
	return 0;
}
