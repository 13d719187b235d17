/* odbc_poor CONNECTION: what a driver manager says of functions that the driver does not have. */
#include <sql.h>
#include <sqlext.h>
#include <sqlucode.h>
#include <stdio.h>

static void say(const char *what, SQLRETURN done, SQLSMALLINT type, SQLHANDLE handle)
{
	SQLCHAR state[6] = "", message[256] = "";
	SQLINTEGER native = 0;
	SQLSMALLINT len;
	if (done < 0)
		SQLGetDiagRec(type, handle, 1, state, &native, message, sizeof(message), &len);
	printf("%s: %d %s %s\n", what, done, state, message);
}

int main(int argc, char **argv)
{
	SQLHENV env;
	SQLHDBC dbc;
	SQLHSTMT stmt;
	SQLPOINTER value;
	SQLUSMALLINT supported[SQL_API_ODBC3_ALL_FUNCTIONS_SIZE];
	(void)argc;
	SQLAllocHandle(SQL_HANDLE_ENV, NULL, &env);
	SQLSetEnvAttr(env, SQL_ATTR_ODBC_VERSION, (SQLPOINTER)SQL_OV_ODBC3, 0);
	SQLAllocHandle(SQL_HANDLE_DBC, env, &dbc);
	say("connect", SQLDriverConnect(dbc, NULL, (SQLCHAR *)argv[1], SQL_NTS, NULL, 0, NULL, SQL_DRIVER_NOPROMPT), SQL_HANDLE_DBC, dbc);
	say("functions", SQLGetFunctions(dbc, SQL_API_ODBC3_ALL_FUNCTIONS, supported), SQL_HANDLE_DBC, dbc);
	for (int i = 0; i < 1100; i++)
		if (SQL_FUNC_EXISTS(supported, i))
			printf("%d ", i);
	printf("\n");
	say("statement", SQLAllocHandle(SQL_HANDLE_STMT, dbc, &stmt), SQL_HANDLE_DBC, dbc);
	say("execute", SQLExecDirect(stmt, (SQLCHAR *)"SELECT x FROM t WHERE y = 'secret'", SQL_NTS), SQL_HANDLE_STMT, stmt);
	say("more results", SQLMoreResults(stmt), SQL_HANDLE_STMT, stmt);
	say("parameter", SQLParamData(stmt, &value), SQL_HANDLE_STMT, stmt);
	say("close", SQLCloseCursor(stmt), SQL_HANDLE_STMT, stmt);
	say("free", SQLFreeStmt(stmt, SQL_CLOSE), SQL_HANDLE_STMT, stmt);
	say("free", SQLFreeHandle(SQL_HANDLE_STMT, stmt), SQL_HANDLE_STMT, stmt);
	say("disconnect", SQLDisconnect(dbc), SQL_HANDLE_DBC, dbc);
	return 0;
}
