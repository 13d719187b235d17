/* odbc_tell.c - which database is behind an ODBC driver, and what its errors are called. */
#include <errno.h>
#include <string.h>

#include "hooks/odbc.h"

#define ODBC_NAME(name) #name,
static const char *const names[] = {ODBC_FUNCTIONS(ODBC_NAME) "uodbc_get_stats"};
static struct odbc room[COPIES_MOST];
static struct copies libraries = {
	.names = names,
	.count = sizeof(names) / sizeof(names[0]),
	.room = room,
	.size = sizeof(room[0]),
	.compares = true, /* with what a driver's handle leads to, which may be its own */
};
_Static_assert(sizeof(struct odbc) == sizeof(struct copy) + sizeof(names), "in the order of the names");

const struct odbc *odbc_of(const void *caller, bool look)
{
	return (const struct odbc *)(const void *)copies_of(&libraries, caller, look);
}

/* SQL_DBMS_NAME, as far as it goes. */
static const struct odbc_system systems[] = {
	{"PostgreSQL", {"postgresql", 10}, SQL_POSTGRESQL, 0, CODE_STATE, true},
	{"MySQL", {"mysql", 5}, SQL_MYSQL, 0, CODE_NATIVE, false},
	{"MariaDB", {"mariadb", 7}, SQL_MYSQL, 0, CODE_NATIVE, false},
	{"SQLite", {"sqlite", 6}, SQL_SQLITE, 0, CODE_NATIVE, true},
	{"Microsoft SQL Server",
	 {"microsoft.sql_server", 20},
	 SQL_GENERIC,
	 SQL_NO_BACKSLASH,
	 CODE_NATIVE,
	 true},
	{"Oracle", {"oracle.db", 9}, SQL_GENERIC, SQL_NO_BACKSLASH, CODE_ORACLE, false},
	{"DB2", {"ibm.db2", 7}, SQL_GENERIC, SQL_NO_BACKSLASH, CODE_BOTH, false},
	{"Informix", {"ibm.informix", 12}, SQL_GENERIC, 0, CODE_BOTH, false},
	{"Firebird", {"firebirdsql", 11}, SQL_GENERIC, SQL_NO_BACKSLASH, CODE_BOTH, false},
	{"HDB", {"sap.hana", 8}, SQL_GENERIC, SQL_NO_BACKSLASH, CODE_BOTH, false},
	{"Teradata", {"teradata", 8}, SQL_GENERIC, SQL_NO_BACKSLASH, CODE_BOTH, false},
	{"ClickHouse", {"clickhouse", 10}, SQL_GENERIC, SQL_BACKSLASH, CODE_BOTH, false},
	{"Apache Hive", {"hive", 4}, SQL_GENERIC, SQL_BACKSLASH, CODE_BOTH, false},
	{"Trino", {"trino", 5}, SQL_GENERIC, SQL_NO_BACKSLASH, CODE_BOTH, false},
	{"Amazon Redshift", {"aws.redshift", 12}, SQL_POSTGRESQL, 0, CODE_STATE, false},
};
static const struct odbc_system unknown = {"", {"other_sql", 9}, SQL_GENERIC, 0, CODE_BOTH, false};

const struct odbc_system *odbc_unknown(void)
{
	return &unknown;
}

static const struct odbc_system *system_called(struct bytes product)
{
	for (size_t i = 0; i < sizeof(systems) / sizeof(systems[0]); i++) {
		struct bytes known = bytes_of(systems[i].product);
		if (product.len >= known.len && bytes_equal_nocase(bytes_until(product, known.len), known))
			return &systems[i];
	}
	return &unknown;
}

static struct bytes ask(const struct odbc *lib, SQLHDBC dbc, SQLUSMALLINT what, char *text, size_t size)
{
	SQLSMALLINT length = 0;
	text[0] = '\0';
	SQLRETURN done = lib->SQLGetInfo(dbc, what, text, (SQLSMALLINT)size, &length);
	text[size - 1] = '\0';
	return done == ODBC_SUCCESS || done == ODBC_WITH_INFO ? bytes_of(text) : BYTES_NONE;
}

void odbc_ask(const struct odbc *lib, SQLHDBC dbc, struct odbc_facts *facts)
{
	char text[256];
	int saved = errno;

	facts->system = &unknown;
	facts->space[0] = '\0';
	if (!lib->SQLGetInfo)
		return;
	facts->system = system_called(ask(lib, dbc, ODBC_DBMS_NAME, text, sizeof(text)));
	if (facts->system->space) {
		struct bytes space = ask(lib, dbc, ODBC_DATABASE_NAME, text, sizeof(text));
		const char *slash =
			facts->system->dialect == SQL_SQLITE && space.len ? strrchr(text, '/') : NULL;
		if (slash)
			space = bytes_of(slash + 1);
		if (space.len && space.len < sizeof(facts->space))
			memcpy(facts->space, space.ptr, space.len + 1);
	}
	errno = saved;
}

void odbc_diagnose(const struct odbc *lib, SQLHSTMT stmt, struct odbc_diagnosis *diagnosis)
{
	SQLCHAR message[16];
	SQLSMALLINT length = 0;
	int saved = errno;

	diagnosis->there = false;
	if (!lib->SQLGetDiagRec)
		return;
	SQLRETURN done = lib->SQLGetDiagRec(ODBC_HANDLE_STMT, stmt, 1, diagnosis->state, &diagnosis->native,
					    message, sizeof(message), &length);
	diagnosis->there = done == ODBC_SUCCESS || done == ODBC_WITH_INFO;
	diagnosis->state[5] = '\0';
	errno = saved;
}

static size_t number(char *text, long value, int digits)
{
	char digit_room[24];
	size_t at = sizeof(digit_room), len;
	unsigned long rest = value < 0 ? 0 - (unsigned long)value : (unsigned long)value;
	do {
		digit_room[--at] = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest || sizeof(digit_room) - at < (size_t)digits);
	if (value < 0)
		digit_room[--at] = '-';
	len = sizeof(digit_room) - at;
	memcpy(text, digit_room + at, len);
	return len;
}

/* The vendor's number where that is how the system names its errors, else the SQLSTATE; of a system that
 * nobody knows both. */
void odbc_tell_code(const struct odbc_system *system, struct span *span,
		    const struct odbc_diagnosis *diagnosis, bool failed)
{
	char text[40];
	size_t len = 0;
	enum odbc_code code = diagnosis->native ? system->code : CODE_STATE;
	/* The driver's own errors have no number of the server's. */
	if (diagnosis->there && (code == CODE_BOTH || code == CODE_STATE)) {
		len = strlen((const char *)diagnosis->state);
		memcpy(text, diagnosis->state, len);
	}
	if (diagnosis->there && code == CODE_BOTH)
		text[len++] = '/';
	if (diagnosis->there && code == CODE_ORACLE) {
		memcpy(text, "ORA-", 4);
		len = 4;
	}
	if (diagnosis->there && code != CODE_STATE)
		len += number(text + len, diagnosis->native, code == CODE_ORACLE ? 5 : 1);
	struct db_answer answer = {
		.code = {text, len},
		.error = failed && !len ? BYTES("_OTHER") : BYTES_NONE,
		.failed = failed,
	};
	struct protocol_facts facts = {.attrs = &span->attrs};
	db_describe_answer(&answer, &facts);
	call_told(span, &facts);
}
