/* pq_early.c CONNINFO - a library connects when it is loaded, a program goes on with that connection (MAIN). */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <libpq-fe.h>

PGconn *early_connection(void);

#ifndef MAIN
static PGconn *db;

__attribute__((constructor)) static void connect_early(int argc, char **argv)
{
	if (argc > 1)
		db = PQconnectdb(argv[1]);
}

PGconn *early_connection(void)
{
	return db;
}
#else
static void show(PGresult *result)
{
	printf("%s %d\n", PQresStatus(PQresultStatus(result)), PQntuples(result));
	PQclear(result);
}

/* Under a sanitizer: what some libraries of libpq's do at the end hangs behind its runtime, bare as well. */
static int leave(int code)
{
	fflush(stdout);
	if (getenv("SAN_RUNTIME"))
		_exit(code);
	return code;
}

int main(void)
{
	PGconn *db = early_connection();

	show(PQexec(db, "CREATE TEMP TABLE early(a int PRIMARY KEY)"));
	show(PQexec(db, "INSERT INTO early VALUES (1)"));
	show(PQexec(db, "INSERT INTO early VALUES (1)"));
	show(PQprepare(db, "s", "SELECT a FROM early WHERE a = $1", 0, NULL));
	show(PQexecPrepared(db, "s", 1, (const char *const[]){"1"}, NULL, NULL, 0));
	PQsendQuery(db, "SELECT a FROM early; SELECT 2");
	for (PGresult *result; (result = PQgetResult(db));)
		show(result);
	PQfinish(db);
	return leave(0);
}
#endif
