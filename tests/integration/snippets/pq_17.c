/* pq_17.c CONNINFO - what libpq has since 17: results in chunks, closing of statements and portals. EARLY: a
 * library that connects when it is loaded, for the program (MAIN) to go on with. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libpq-fe.h>

#ifndef LIBPQ_HAS_CHUNK_MODE /* older headers will do */
int PQsetChunkedRowsMode(PGconn *conn, int rows);
PGresult *PQclosePrepared(PGconn *conn, const char *name);
PGresult *PQclosePortal(PGconn *conn, const char *name);
int PQsendClosePrepared(PGconn *conn, const char *name);
int PQsendClosePortal(PGconn *conn, const char *name);
int PQsendPipelineSync(PGconn *conn);
#endif

PGconn *early_connection(void);

#ifdef EARLY
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
static PGconn *db;
static const char *const one[] = {"1"};

static void show(const char *what, PGresult *result)
{
	const char *state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
	printf("%s: %d %d %s\n", what, result ? (int)PQresultStatus(result) : -1, PQntuples(result),
	       state ? state : "");
	PQclear(result);
}

static void rest(const char *what)
{
	for (PGresult *result; (result = PQgetResult(db));)
		show(what, result);
}

static void chunks(void)
{
	PQsendQuery(db, "SELECT generate_series(1, 10) AS c1");
	PQsetChunkedRowsMode(db, 4);
	rest("chunks");
	PQsendQueryParams(db, "SELECT generate_series($1::int, 8) AS c2", 1, NULL, one, NULL, NULL, 0);
	PQsetChunkedRowsMode(db, 4);
	rest("as many as two chunks");
	PQsendQueryParams(db, "SELECT 1 / (6 - g) AS c3 FROM generate_series(1, 9) g", 0, NULL, NULL, NULL,
			  NULL, 0);
	PQsetChunkedRowsMode(db, 2);
	rest("fails in the third");
	PQsendQuery(db, "SELECT generate_series(1, 3) AS c4; SELECT 'secret' AS c5; SELECT 1 WHERE false");
	PQsetChunkedRowsMode(db, 2);
	rest("several statements");
#ifndef MAIN /* told as incomplete: the library gave no more of it */
	PQsendQuery(db, "SELECT generate_series(1, 9000) AS c6");
	PQsetChunkedRowsMode(db, 7);
	show("dropped", PQgetResult(db));
#endif
	show("the rest is thrown away", PQexec(db, "SELECT 'secret' AS c7"));
}

static void closing(void)
{
	show("prepare", PQprepare(db, "s", "SELECT $1::int AS s1", 0, NULL));
	show("execute", PQexecPrepared(db, "s", 1, one, NULL, NULL, 0));
	show("close", PQclosePrepared(db, "s"));
	show("it is gone", PQexecPrepared(db, "s", 1, one, NULL, NULL, 0));
	show("close what is not there", PQclosePrepared(db, "nothing"));
	show("prepare anew", PQprepare(db, "s", "SELECT $1::int AS s2", 0, NULL));
	show("execute anew", PQexecPrepared(db, "s", 1, one, NULL, NULL, 0));
	PQsendClosePrepared(db, "s");
	rest("close, not waiting");
	show("begin", PQexec(db, "BEGIN"));
	show("declare", PQexec(db, "DECLARE c CURSOR FOR SELECT generate_series(1, 5)"));
	show("fetch", PQexec(db, "FETCH 2 FROM c"));
	show("close the portal", PQclosePortal(db, "c"));
	show("it is gone", PQexec(db, "FETCH 2 FROM c"));
	show("close in a transaction that failed", PQclosePrepared(db, "s"));
	PQsendClosePortal(db, "c");
	rest("close, not waiting");
	show("rollback", PQexec(db, "ROLLBACK"));
}

static void piped(void)
{
	PQenterPipelineMode(db);
	PQsendPrepare(db, "p", "SELECT generate_series(1, 5 + $1::int) AS p1", 0, NULL);
	PQsendQueryPrepared(db, "p", 1, one, NULL, NULL, 0);
	PQsendClosePrepared(db, "p");
	PQsendPrepare(db, "p", "SELECT $1::int AS p2", 0, NULL);
	PQsendQueryPrepared(db, "p", 1, one, NULL, NULL, 0);
	PQsendPipelineSync(db);
	PQsendQueryPrepared(db, "p", 1, one, NULL, NULL, 0);
	PQsendQueryParams(db, "SELECT 1 / 0 AS p3", 0, NULL, NULL, NULL, NULL, 0);
	PQsendClosePrepared(db, "p");
	PQsendQueryPrepared(db, "p", 1, one, NULL, NULL, 0);
	PQpipelineSync(db);
	printf("refused in a pipeline: %d\n", PQclosePrepared(db, "p") == NULL);
	for (int syncs = 0, nothing = 0; syncs < 2 && nothing < 100;) {
		PQsetChunkedRowsMode(db, 4); /* of what comes next */
		PGresult *result = PQgetResult(db);
		syncs += result && PQresultStatus(result) == PGRES_PIPELINE_SYNC;
		nothing = result ? 0 : nothing + 1;
		if (result)
			show("in the pipeline", result);
	}
	PQgetResult(db);
	printf("left the pipeline: %d\n", PQexitPipelineMode(db));
	show("it was not closed", PQexecPrepared(db, "p", 1, one, NULL, NULL, 0));
}

/* Under a sanitizer: what some libraries of libpq's do at the end hangs behind its runtime, bare as well. */
static int leave(int code)
{
	fflush(stdout);
	if (getenv("SAN_RUNTIME"))
		_exit(code);
	return code;
}

int main(int argc, char **argv)
{
	(void)argc;
#ifdef MAIN
	db = early_connection();
#else
	db = PQconnectdb(argv[1]);
#endif
	if (PQstatus(db) != CONNECTION_OK) {
		fputs(PQerrorMessage(db), stderr);
		return 1;
	}
	printf("%d\n", PQlibVersion() / 10000 >= 17);
	chunks();
	closing();
	piped();
	PQsendQuery(db, "SELECT pg_sleep(0.05), pg_terminate_backend(pg_backend_pid())");
	PQsetChunkedRowsMode(db, 4);
	rest("it ends");
	show("close on what was lost", PQclosePrepared(db, "p"));
	PQfinish(db);
	return leave(0);
}
#endif
