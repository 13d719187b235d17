/* odbc_calls CONNECTION: statements in the ways that ODBC has of running them. Prints what the program saw, and last how many
 * calls it made that execute a statement, or fail to prepare one: `calls N`. */
#include <sql.h>
#include <sqlext.h>
#include <sqlucode.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static SQLHENV env;
static SQLHDBC dbc;
static int calls;

/* Twice, for a record that was read stays. */
static void diagnose(SQLSMALLINT type, SQLHANDLE handle, const char *what)
{
	SQLCHAR state[6] = "", message[512] = "";
	SQLINTEGER native = 0;
	SQLSMALLINT len = 0;
	for (int i = 0; i < 2; i++) {
		SQLRETURN done = SQLGetDiagRec(type, handle, 1, state, &native, message, sizeof(message), &len);
		printf("%s: %d %s %d %s\n", what, done, state, (int)native, message);
	}
	printf("%s: a second one: %d\n", what, SQLGetDiagRec(type, handle, 2, state, &native, message, sizeof(message), &len));
}

static void say(SQLRETURN done, SQLHSTMT stmt, const char *what)
{
	printf("%s: %d\n", what, done);
	if (done < 0)
		diagnose(SQL_HANDLE_STMT, stmt, what);
}

static void rows(SQLHSTMT stmt, const char *what)
{
	SQLCHAR text[100];
	SQLLEN len;
	SQLRETURN done;
	while ((done = SQLFetch(stmt)) == SQL_SUCCESS || done == SQL_SUCCESS_WITH_INFO) {
		SQLGetData(stmt, 1, SQL_C_CHAR, text, sizeof(text), &len);
		printf("%s: row %s\n", what, text);
	}
	printf("%s: end %d\n", what, done);
}

static void direct(SQLHSTMT stmt, const char *sql)
{
	calls++;
	say(SQLExecDirect(stmt, (SQLCHAR *)sql, SQL_NTS), stmt, sql);
}

static void again(SQLHSTMT stmt)
{
	SQLINTEGER key = 0;
	char value[40] = "secret";
	SQLLEN len = SQL_NTS;
	say(SQLPrepare(stmt, (SQLCHAR *)"INSERT INTO o VALUES(?, ?)", SQL_NTS), stmt, "prepare");
	SQLBindParameter(stmt, 1, SQL_PARAM_INPUT, SQL_C_LONG, SQL_INTEGER, 0, 0, &key, 0, NULL);
	SQLBindParameter(stmt, 2, SQL_PARAM_INPUT, SQL_C_CHAR, SQL_VARCHAR, 40, 0, value, sizeof(value), &len);
	for (key = 10; key < 15; key++, calls++)
		say(SQLExecute(stmt), stmt, "execute");
	key = 10;
	calls++;
	say(SQLExecute(stmt), stmt, "constraint");
	/* What is longer than a slot keeps; and the program does not. */
	char *sql = malloc(8000);
	strcpy(sql, "SELECT k FROM o WHERE v = ?");
	for (int i = 0; i < 500; i++)
		strcat(sql, " AND k < 12");
	SQLFreeStmt(stmt, SQL_RESET_PARAMS);
	say(SQLPrepare(stmt, (SQLCHAR *)sql, (SQLINTEGER)strlen(sql)), stmt, "prepare long");
	memset(sql, 'x', 8000);
	free(sql);
	SQLBindParameter(stmt, 1, SQL_PARAM_INPUT, SQL_C_CHAR, SQL_VARCHAR, 40, 0, value, sizeof(value), &len);
	for (int i = 0; i < 2; i++, calls++) {
		say(SQLExecute(stmt), stmt, "execute long");
		if (i == 0)
			rows(stmt, "execute long");
		SQLFreeStmt(stmt, SQL_CLOSE);
	}
	SQLFreeStmt(stmt, SQL_RESET_PARAMS);
}

/* A value that is given only when the driver asks for it. */
static void data_at_execution(SQLHSTMT stmt)
{
	SQLLEN len = SQL_LEN_DATA_AT_EXEC(6);
	SQLPOINTER which;
	SQLBindParameter(stmt, 1, SQL_PARAM_INPUT, SQL_C_CHAR, SQL_VARCHAR, 40, 0, (SQLPOINTER)1, 0, &len);
	calls++;
	SQLRETURN done = SQLExecDirect(stmt, (SQLCHAR *)"INSERT INTO o VALUES(30, ?)", SQL_NTS);
	printf("at execution: %d\n", done);
	while (done == SQL_NEED_DATA && (done = SQLParamData(stmt, &which)) == SQL_NEED_DATA)
		SQLPutData(stmt, "secret", 6);
	say(done, stmt, "at execution");
	SQLFreeStmt(stmt, SQL_RESET_PARAMS);
	direct(stmt, "SELECT v FROM o WHERE k = 30");
	rows(stmt, "at execution");
	SQLFreeStmt(stmt, SQL_CLOSE);
}

static void wide(SQLHSTMT stmt)
{
	static const char sql[] = "SELECT k FROM o WHERE v <> '\xe9' AND k < 12";
	SQLWCHAR text[100];
	for (size_t i = 0; i < sizeof(sql); i++)
		text[i] = (unsigned char)sql[i];
	calls += 2;
	say(SQLExecDirectW(stmt, text, SQL_NTS), stmt, "wide");
	rows(stmt, "wide");
	SQLFreeStmt(stmt, SQL_CLOSE);
	say(SQLPrepareW(stmt, text, (SQLINTEGER)sizeof(sql) - 1), stmt, "wide");
	say(SQLExecute(stmt), stmt, "wide");
	SQLFreeStmt(stmt, SQL_CLOSE);
}

static void errors(SQLHSTMT stmt)
{
	direct(stmt, "SELECT * FROM nowhere");
	direct(stmt, "SELEC 1");
	SQLRETURN done = SQLPrepare(stmt, (SQLCHAR *)"SELECT nothing FROM nowhere", SQL_NTS);
	printf("prepare: %d\n", done);
	calls++; /* it is refused here, or when it is executed */
	if (done == SQL_SUCCESS)
		say(SQLExecute(stmt), stmt, "what cannot be prepared");
	printf("no handle: %d\n", SQLExecDirect(NULL, (SQLCHAR *)"SELECT 1", SQL_NTS));
	calls += 2;
	printf("no text: %d\n", SQLExecDirect(stmt, NULL, SQL_NTS));
	printf("no length: %d\n", SQLExecDirect(stmt, (SQLCHAR *)"SELECT 1", -7));
}

static void many_results(SQLHSTMT stmt)
{
	SQLRETURN done;
	direct(stmt, "SELECT k FROM o WHERE k = 10; SELECT v FROM o WHERE k = 11");
	do {
		rows(stmt, "batch");
		done = SQLMoreResults(stmt);
		printf("more: %d\n", done);
	} while (done == SQL_SUCCESS || done == SQL_SUCCESS_WITH_INFO);
}

static void connect_to(const char *connection)
{
	SQLCHAR out[1024];
	SQLSMALLINT len;
	SQLRETURN done = SQLDriverConnect(dbc, NULL, (SQLCHAR *)connection, SQL_NTS, out, sizeof(out), &len, SQL_DRIVER_NOPROMPT);
	printf("connect: %d\n", done);
	if (done != SQL_SUCCESS)
		diagnose(SQL_HANDLE_DBC, dbc, "connect");
	if (done < 0)
		exit(1);
}

int main(int argc, char **argv)
{
	SQLHSTMT stmt, other;
	SQLAllocHandle(SQL_HANDLE_ENV, NULL, &env);
	SQLSetEnvAttr(env, SQL_ATTR_ODBC_VERSION, (SQLPOINTER)SQL_OV_ODBC3, 0);
	SQLAllocHandle(SQL_HANDLE_DBC, env, &dbc);
	connect_to(argv[1]);
	SQLAllocHandle(SQL_HANDLE_STMT, dbc, &stmt);
	SQLAllocHandle(SQL_HANDLE_STMT, dbc, &other);
	direct(stmt, "CREATE TABLE o(k INTEGER PRIMARY KEY, v VARCHAR(40))");
	again(stmt);
	data_at_execution(stmt);
	wide(stmt);
	errors(stmt);
	if (argc > 2)
		many_results(other);
	SQLFreeHandle(SQL_HANDLE_STMT, stmt); /* the other goes with the connection */
	printf("disconnect: %d\n", SQLDisconnect(dbc));
	connect_to(argv[1]);
	SQLAllocStmt(dbc, &stmt);
	direct(stmt, "DROP TABLE o");
	SQLFreeStmt(stmt, SQL_DROP);
	SQLDisconnect(dbc);
	SQLFreeHandle(SQL_HANDLE_DBC, dbc);
	SQLFreeHandle(SQL_HANDLE_ENV, env);
	printf("calls %d\n", calls);
	return 0;
}
