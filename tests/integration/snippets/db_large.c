/* db_large WHAT: one of a result of 1 GB, a statement of 20 MB, 10 000 prepared statements that are used, over PostgreSQL
 * (pg_*, libpq, PG* of the environment) or MariaDB (my_*, port in MYPORT). Prints what came, and on stderr the most memory
 * that the process had, in KB. */
#include <libpq-fe.h>
#include <mysql.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STATEMENTS 10000
#define LONG (20u << 20)

static void die(const char *what, const char *why)
{
	fprintf(stderr, "%s: %s\n", what, why);
	exit(1);
}

static char *long_statement(void)
{
	char *sql = malloc(LONG + 64);
	size_t used = (size_t)sprintf(sql, "select length('");
	memset(sql + used, 'y', LONG);
	strcpy(sql + used + LONG, "')");
	return sql;
}

static void pg_result(PGconn *db)
{
	size_t bytes = 0;
	PGresult *row;
	PQsendQuery(db, "select repeat('x', 1000000) from generate_series(1, 1074)");
	PQsetSingleRowMode(db);
	while ((row = PQgetResult(db))) {
		if (PQntuples(row))
			bytes += (size_t)PQgetlength(row, 0, 0);
		PQclear(row);
	}
	printf("%zu\n", bytes);
}

static void pg_statements(PGconn *db)
{
	char name[32], sql[64];
	const char *value = "1";
	long sum = 0;
	for (int i = 0; i < STATEMENTS; i++) {
		snprintf(name, sizeof(name), "s%d", i);
		snprintf(sql, sizeof(sql), "select $1::int + %d as c%d", i, i);
		PQclear(PQprepare(db, name, sql, 0, NULL));
	}
	for (int i = 0; i < STATEMENTS; i++) {
		snprintf(name, sizeof(name), "s%d", i);
		PGresult *result = PQexecPrepared(db, name, 1, &value, NULL, NULL, 0);
		sum += atol(PQgetvalue(result, 0, 0));
		PQclear(result);
	}
	printf("%ld\n", sum);
}

static void with_postgres(const char *what)
{
	PGconn *db = PQconnectdb("");
	if (PQstatus(db) != CONNECTION_OK)
		die("postgresql", PQerrorMessage(db));
	if (!strcmp(what, "result")) {
		pg_result(db);
	} else if (!strcmp(what, "statement")) {
		char *sql = long_statement();
		PGresult *result = PQexec(db, sql);
		printf("%s\n", PQresultStatus(result) == PGRES_TUPLES_OK ? PQgetvalue(result, 0, 0) : PQerrorMessage(db));
		PQclear(result);
		free(sql);
	} else {
		pg_statements(db);
	}
	PQfinish(db);
}

static void my_result(MYSQL *db)
{
	size_t bytes = 0;
	MYSQL_ROW row;
	if (mysql_query(db, "select repeat('x', 1000000) from seq_1_to_1074"))
		die("mariadb", mysql_error(db));
	MYSQL_RES *result = mysql_use_result(db);
	while ((row = mysql_fetch_row(result)))
		bytes += mysql_fetch_lengths(result)[0];
	mysql_free_result(result);
	printf("%zu\n", bytes);
}

static void my_statements(MYSQL *db)
{
	static MYSQL_STMT *statement[STATEMENTS];
	char sql[64];
	long sum = 0;
	for (int i = 0; i < STATEMENTS; i++) {
		snprintf(sql, sizeof(sql), "select ? + %d as c%d", i, i);
		statement[i] = mysql_stmt_init(db);
		if (mysql_stmt_prepare(statement[i], sql, strlen(sql)))
			die("prepare", mysql_stmt_error(statement[i]));
	}
	for (int i = 0; i < STATEMENTS; i++) {
		int one = 1;
		long long got = 0;
		MYSQL_BIND in = {.buffer_type = MYSQL_TYPE_LONG, .buffer = &one},
			   out = {.buffer_type = MYSQL_TYPE_LONGLONG, .buffer = &got};
		mysql_stmt_bind_param(statement[i], &in);
		mysql_stmt_bind_result(statement[i], &out);
		if (mysql_stmt_execute(statement[i]) || mysql_stmt_fetch(statement[i]))
			die("execute", mysql_stmt_error(statement[i]));
		sum += (long)got;
		mysql_stmt_free_result(statement[i]);
	}
	printf("%ld\n", sum);
	for (int i = 0; i < STATEMENTS; i++)
		mysql_stmt_close(statement[i]);
}

static void with_mariadb(const char *what)
{
	MYSQL *db = mysql_init(NULL);
	if (!mysql_real_connect(db, "127.0.0.1", "root", "", "mysql", (unsigned)atoi(getenv("MYPORT")), NULL, 0))
		die("mariadb", mysql_error(db));
	if (!strcmp(what, "result")) {
		my_result(db);
	} else if (!strcmp(what, "statement")) {
		char *sql = long_statement();
		if (mysql_real_query(db, sql, strlen(sql)))
			die("mariadb", mysql_error(db));
		MYSQL_RES *result = mysql_store_result(db);
		printf("%s\n", mysql_fetch_row(result)[0]);
		mysql_free_result(result);
		free(sql);
	} else {
		my_statements(db);
	}
	mysql_close(db);
}

static void tell_memory(void)
{
	char line[128];
	FILE *file = fopen("/proc/self/status", "r");
	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, "VmHWM:", 6))
			fprintf(stderr, "%ld\n", atol(line + 6));
	if (file)
		fclose(file);
}

int main(int argc, char **argv)
{
	if (argc < 2 || (strncmp(argv[1], "pg_", 3) != 0 && strncmp(argv[1], "my_", 3) != 0))
		return 2;
	(argv[1][0] == 'p' ? with_postgres : with_mariadb)(argv[1] + 3);
	tell_memory();
	return 0;
}
