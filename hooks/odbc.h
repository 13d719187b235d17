/* odbc.h - which driver manager a call is for, and its functions.
 *
 * No header of ODBC's is needed: the few prototypes and numbers stand here, and tests/lint/vendor.sh compares
 * them with unixODBC's where those are installed. */
#ifndef TAGALONG_HOOKS_ODBC_H
#define TAGALONG_HOOKS_ODBC_H

#include "hooks/copies.h"
#include "hooks/statement.h"
#include "preload/call.h"

enum {
	ODBC_SUCCESS = 0,
	ODBC_WITH_INFO = 1,
	ODBC_STILL_EXECUTING = 2,
	ODBC_NEED_DATA = 99,
	ODBC_NO_DATA = 100,
	ODBC_INVALID_HANDLE = -2,
	ODBC_NTS = -3,
	ODBC_HANDLE_DBC = 2,
	ODBC_HANDLE_STMT = 3,
	ODBC_CLOSE = 0,
	ODBC_DROP = 1,
	ODBC_DATABASE_NAME = 16,
	ODBC_DBMS_NAME = 17,
};

#ifndef __SQLTYPES_H /* the vendor's: the lint includes that first */
typedef unsigned char SQLCHAR;
typedef unsigned short SQLWCHAR;
typedef short SQLSMALLINT;
typedef unsigned short SQLUSMALLINT;
typedef int SQLINTEGER;
typedef short SQLRETURN;
typedef void *SQLPOINTER;
typedef void *SQLHANDLE;
typedef SQLHANDLE SQLHDBC;
typedef SQLHANDLE SQLHSTMT;
#endif

SQLRETURN SQLExecDirect(SQLHSTMT stmt, SQLCHAR *text, SQLINTEGER length);
SQLRETURN SQLExecDirectW(SQLHSTMT stmt, SQLWCHAR *text, SQLINTEGER length);
SQLRETURN SQLPrepare(SQLHSTMT stmt, SQLCHAR *text, SQLINTEGER length);
SQLRETURN SQLPrepareW(SQLHSTMT stmt, SQLWCHAR *text, SQLINTEGER length);
SQLRETURN SQLExecute(SQLHSTMT stmt);
SQLRETURN SQLParamData(SQLHSTMT stmt, SQLPOINTER *value);
SQLRETURN SQLMoreResults(SQLHSTMT stmt);
SQLRETURN SQLCloseCursor(SQLHSTMT stmt);
SQLRETURN SQLAllocHandle(SQLSMALLINT type, SQLHANDLE input, SQLHANDLE *output);
SQLRETURN SQLAllocEnv(SQLHANDLE *env);
SQLRETURN SQLAllocStmt(SQLHDBC dbc, SQLHSTMT *stmt);
SQLRETURN SQLFreeHandle(SQLSMALLINT type, SQLHANDLE handle);
SQLRETURN SQLFreeStmt(SQLHSTMT stmt, SQLUSMALLINT option);
SQLRETURN SQLFreeConnect(SQLHDBC dbc);
SQLRETURN SQLDisconnect(SQLHDBC dbc);

/* Called only. */
SQLRETURN SQLGetInfo(SQLHDBC dbc, SQLUSMALLINT type, SQLPOINTER value, SQLSMALLINT size, SQLSMALLINT *length);
SQLRETURN SQLGetDiagRec(SQLSMALLINT type, SQLHANDLE handle, SQLSMALLINT record, SQLCHAR *state,
			SQLINTEGER *native, SQLCHAR *message, SQLSMALLINT size, SQLSMALLINT *length);

/* clang-format off */
#define ODBC_FUNCTIONS(NAME) \
	NAME(SQLExecDirect) NAME(SQLExecDirectW) NAME(SQLPrepare) NAME(SQLPrepareW) NAME(SQLExecute) \
	NAME(SQLParamData) NAME(SQLMoreResults) NAME(SQLCloseCursor) NAME(SQLAllocHandle) NAME(SQLAllocEnv) \
	NAME(SQLAllocStmt) \
	NAME(SQLFreeHandle) NAME(SQLFreeStmt) NAME(SQLFreeConnect) NAME(SQLDisconnect) \
	NAME(SQLGetInfo) NAME(SQLGetDiagRec)
/* clang-format on */

struct odbc {
	struct copy copy;
#define ODBC_POINTER(name) __typeof__(&name) name;
	ODBC_FUNCTIONS(ODBC_POINTER)
#undef ODBC_POINTER
	void *uodbc_get_stats; /* unixODBC has it: there a wide character has two bytes */
};

/* The copy that the caller is bound to; NULL: none was found. */
const struct odbc *odbc_of(const void *caller, bool look);

/* --- odbc_tell.c -------------------------------------------------------------------------------------- */

struct odbc_system { /* what the name of the product means */
	const char *product;
	struct bytes name; /* db.system.name */
	enum sql_dialect dialect;
	unsigned flags;
	enum odbc_code { CODE_BOTH, CODE_NATIVE, CODE_STATE, CODE_ORACLE } code;
	bool space; /* its driver knows the database without asking the server */
};

/* What the connection says of itself: asked once. Not in hook_enter(): the driver may do anything. */
struct odbc_facts {
	const struct odbc_system *system;
	char space[40];
};
void odbc_ask(const struct odbc *lib, SQLHDBC dbc, struct odbc_facts *facts);
const struct odbc_system *odbc_unknown(void);

/* The first diagnostic record of a statement, which stays there. Not in hook_enter(). */
struct odbc_diagnosis {
	bool there;
	SQLCHAR state[8];
	SQLINTEGER native;
};
void odbc_diagnose(const struct odbc *lib, SQLHSTMT stmt, struct odbc_diagnosis *diagnosis);
/* In hook_enter(). */
void odbc_tell_code(const struct odbc_system *system, struct span *span,
		    const struct odbc_diagnosis *diagnosis, bool failed);

#endif
