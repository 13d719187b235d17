/* A driver for ODBC that can connect, and say that it has executed a statement; nothing else. */
#include <sql.h>
#include <sqlext.h>
#include <string.h>

static int made;

SQLRETURN SQLAllocHandle(SQLSMALLINT type, SQLHANDLE input, SQLHANDLE *output)
{
	static int handles[100];
	(void)type, (void)input;
	*output = &handles[made++ % 100];
	return SQL_SUCCESS;
}

SQLRETURN SQLFreeHandle(SQLSMALLINT type, SQLHANDLE handle)
{
	(void)type, (void)handle;
	return SQL_SUCCESS;
}

SQLRETURN SQLDriverConnect(SQLHDBC dbc, SQLHWND window, SQLCHAR *in, SQLSMALLINT in_len, SQLCHAR *out, SQLSMALLINT room,
			   SQLSMALLINT *out_len, SQLUSMALLINT completion)
{
	(void)dbc, (void)window, (void)in, (void)in_len, (void)completion;
	if (out && room > 0)
		out[0] = 0;
	if (out_len)
		*out_len = 0;
	return SQL_SUCCESS;
}

SQLRETURN SQLDisconnect(SQLHDBC dbc)
{
	(void)dbc;
	return SQL_SUCCESS;
}

SQLRETURN SQLExecDirect(SQLHSTMT stmt, SQLCHAR *text, SQLINTEGER len)
{
	(void)stmt, (void)text, (void)len;
	return SQL_SUCCESS;
}
