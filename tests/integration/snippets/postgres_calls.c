/* postgres_calls.c CONNINFO [many] - every way in which libpq asks, each result told on a line. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libpq-fe.h>

static PGconn *db;

static void show(const char *what, PGresult *result)
{
	const char *state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
	printf("%s: %s %d %s %s\n", what, PQresStatus(PQresultStatus(result)), PQntuples(result), PQcmdStatus(result),
	       state ? state : "");
	PQclear(result);
}

static void quiet(void *arg, const char *message)
{
	(void)arg;
	(void)message;
}

static PGconn *open_it(const char *conninfo)
{
	PGconn *conn = PQconnectStart(conninfo);
	PostgresPollingStatusType how = PGRES_POLLING_WRITING;
	while (how != PGRES_POLLING_OK && how != PGRES_POLLING_FAILED) {
		struct pollfd one = {PQsocket(conn), how == PGRES_POLLING_READING ? POLLIN : POLLOUT, 0};
		poll(&one, 1, -1);
		how = PQconnectPoll(conn);
	}
	PQsetNoticeProcessor(conn, quiet, NULL);
	return conn;
}

/* Waits as a program does that must not block. */
static void flush_it(void)
{
	int left;
	while ((left = PQflush(db)) > 0) {
		struct pollfd one = {PQsocket(db), POLLIN | POLLOUT, 0};
		poll(&one, 1, -1);
		if (one.revents & POLLIN)
			PQconsumeInput(db);
	}
}

static PGresult *next(void)
{
	while (PQisBusy(db)) {
		struct pollfd one = {PQsocket(db), POLLIN, 0};
		poll(&one, 1, -1);
		if (!PQconsumeInput(db))
			break;
	}
	return PQgetResult(db);
}

static void drain(const char *what)
{
	PGresult *result;
	int rows = 0;
	while ((result = next()) != NULL) {
		if (PQresultStatus(result) == PGRES_SINGLE_TUPLE) {
			rows++;
			PQclear(result);
			continue;
		}
		if (rows)
			printf("%d single rows\n", rows);
		rows = 0;
		show(what, result);
	}
}

static void plain(void)
{
	const char *values[] = {"7", "secret"};
	show("create", PQexec(db, "CREATE TEMP TABLE t(a int PRIMARY KEY, b text)"));
	show("insert", PQexec(db, "INSERT INTO t VALUES (1, 'secret'), (2, 'two')"));
	show("batch", PQexec(db, "SELECT 1; SELECT a FROM t; SELECT 'secret'"));
	show("broken batch", PQexec(db, "SELECT 1; SELECT 1/0; SELECT 2"));
	show("empty", PQexec(db, ""));
	show("params", PQexecParams(db, "INSERT INTO t VALUES ($1, $2)", 2, NULL, values, NULL, NULL, 0));
	show("again", PQexecParams(db, "INSERT INTO t VALUES ($1, $2)", 2, NULL, values, NULL, NULL, 0));
	show("prepare", PQprepare(db, "s1", "SELECT b FROM t WHERE a > $1", 0, NULL));
	show("describe", PQdescribePrepared(db, "s1"));
	show("execute", PQexecPrepared(db, "s1", 1, values, NULL, NULL, 1));
	show("bad prepare", PQprepare(db, "s2", "SELECT nope FROM t", 0, NULL));
	show("bad execute", PQexecPrepared(db, "s3", 1, values, NULL, NULL, 0));
	show("notice", PQexec(db, "DO $$ BEGIN RAISE WARNING 'x'; END $$"));
	show("function", PQfn(db, 957, (int[1]){0}, (int[1]){0}, 1, &(PQArgBlock){.isint = 1, .len = 4, .u.integer = -1}, 1));
}

static void copies(void)
{
	show("copy in", PQexec(db, "COPY t FROM STDIN"));
	PQputCopyData(db, "10\tx\n11\ty\n", 10);
	PQputCopyEnd(db, NULL);
	show("copied in", PQgetResult(db));
	PQgetResult(db);
	char *row;
	show("copy out", PQexecParams(db, "COPY t TO STDOUT", 0, NULL, NULL, NULL, NULL, 0));
	while (PQgetCopyData(db, &row, 0) > 0)
		PQfreemem(row);
	show("copied out", PQgetResult(db));
	PQgetResult(db);
	show("copy in", PQexecParams(db, "COPY t FROM STDIN", 0, NULL, NULL, NULL, NULL, 0));
	PQputCopyData(db, "12\tx\n", 5);
	PQputCopyEnd(db, "changed my mind");
	show("not copied", PQgetResult(db));
	PQgetResult(db);
	show("copy in", PQexecParams(db, "COPY t FROM STDIN", 0, NULL, NULL, NULL, NULL, 0));
	PQputCopyData(db, "10\ttwice\n", 9);
	PQputCopyEnd(db, NULL);
	show("violated", PQgetResult(db));
	PQgetResult(db);
	show("copy in", PQexecParams(db, "COPY t FROM STDIN", 0, NULL, NULL, NULL, NULL, 0));
	PQputCopyData(db, "13\tx\n", 5);
	PQputCopyEnd(db, NULL);
	show("copied in", PQgetResult(db));
	PQgetResult(db);
}

static void without_blocking(void)
{
	const size_t size = 20 << 20;
	char *text = malloc(size + 64);
	PQsetnonblocking(db, 1);
	memcpy(text, "SELECT length('", 15);
	memset(text + 15, 'x', size);
	strcpy(text + 15 + size, "') AS n");
	PQsendQuery(db, text);
	flush_it();
	drain("20 MB");
	text[0] = 0;
	memset(text, 'y', size);
	text[size] = 0;
	PQsendQueryParams(db, "SELECT length($1) AS m", 1, NULL, (const char *const[]){text}, NULL, NULL, 0);
	flush_it();
	drain("20 MB parameter");
	free(text);
	PQsendQuery(db, "SELECT g FROM generate_series(1, 2000) g; SELECT 2");
	PQsetSingleRowMode(db);
	flush_it();
	drain("rows");
}

static void pipeline(void)
{
	const char *zero[] = {"0"}, *one[] = {"1"};
	PQenterPipelineMode(db);
	PQsendPrepare(db, "div", "SELECT 1 / $1::int", 0, NULL);
	for (int i = 0; i < 100; i++)
		PQsendQueryPrepared(db, "div", 1, one, NULL, NULL, 0);
	PQpipelineSync(db);
	PQsendQueryPrepared(db, "div", 1, one, NULL, NULL, 0);
	PQsendQueryPrepared(db, "div", 1, zero, NULL, NULL, 0);
	PQsendQueryPrepared(db, "div", 1, one, NULL, NULL, 0);
	PQpipelineSync(db);
	PQsendQueryParams(db, "SELECT b FROM t WHERE a = $1", 1, NULL, one, NULL, NULL, 0);
	PQsendFlushRequest(db);
	flush_it();
	int syncs = 0, ok = 0, failed = 0, aborted = 0, nothing = 0;
	while (syncs < 2 || ok < 103) {
		PGresult *result = next();
		if (!result) {
			if (++nothing > 1000)
				break;
			continue;
		}
		ExecStatusType status = PQresultStatus(result);
		syncs += status == PGRES_PIPELINE_SYNC;
		ok += status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;
		failed += status == PGRES_FATAL_ERROR;
		aborted += status == PGRES_PIPELINE_ABORTED;
		PQclear(result);
	}
	PQpipelineSync(db);
	flush_it();
	for (PGresult *result; (result = next()) == NULL || PQresultStatus(result) != PGRES_PIPELINE_SYNC;)
		PQclear(result);
	printf("pipeline: %d %d %d %d\n", syncs, ok, failed, aborted);
	PQexitPipelineMode(db);
	PQsetnonblocking(db, 0);
}

static void many(void)
{
	char name[32], text[128];
	PQenterPipelineMode(db);
	for (int i = 0; i < 10000; i++) {
		snprintf(name, sizeof(name), "many%d", i);
		snprintf(text, sizeof(text), "SELECT %d FROM t WHERE a = $1 AND b = 'something that is long enough'", i);
		PQsendPrepare(db, name, text, 0, NULL);
		if (i % 1000 == 999) {
			PQpipelineSync(db);
			PGresult *result;
			while ((result = PQgetResult(db)) == NULL || PQresultStatus(result) != PGRES_PIPELINE_SYNC)
				PQclear(result);
		}
	}
	PQexitPipelineMode(db);
	show("the youngest", PQexecPrepared(db, "many9999", 1, (const char *const[]){"1"}, NULL, NULL, 0));
	show("the oldest", PQexecPrepared(db, "many0", 1, (const char *const[]){"1"}, NULL, NULL, 0));
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
	db = open_it(argv[1]);
	if (PQstatus(db) != CONNECTION_OK) {
		fputs(PQerrorMessage(db), stderr);
		return 1;
	}
	plain();
	copies();
	without_blocking();
	pipeline();
	PQreset(db);
	show("after a reset", PQexec(db, "CREATE TEMP TABLE t(a int, b text)"));
	if (argc > 2)
		many();
	PQfinish(db);
	PGconn *refused = PQconnectdb("host=127.0.0.1 dbname=nosuch sslmode=disable");
	printf("refused: %d\n", PQstatus(refused) == CONNECTION_BAD);
	PQfinish(refused);
	return leave(0);
}
