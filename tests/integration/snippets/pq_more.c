/* pq_more.c CONNINFO - what postgres_calls.c leaves out: COPY in the old way, cancelling, large objects, describing and
 * preparing in a pipeline, a reset that does not block, calls that are refused, a result that is not taken to its end. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libpq-fe.h>
#include <libpq/libpq-fs.h>

static PGconn *db;

static void show(const char *what, PGresult *result)
{
	const char *state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
	printf("%s: %s %d %s %s\n", what, PQresStatus(PQresultStatus(result)), PQntuples(result), PQcmdStatus(result),
	       state ? state : "");
	PQclear(result);
}

static void old_copies(void)
{
	char line[64];
	show("create", PQexec(db, "CREATE TEMP TABLE old(a int, b text)"));
	show("copy in", PQexec(db, "COPY old FROM STDIN"));
	PQputline(db, "1\tx\n");
	PQputnbytes(db, "2\ty\n", 4);
	PQputline(db, "\\.\n");
	printf("ended: %d\n", PQendcopy(db));
	show("copy out", PQexec(db, "COPY old TO STDOUT"));
	while (PQgetline(db, line, sizeof(line)) == 0 && strcmp(line, "\\.") != 0)
		puts(line);
	printf("ended: %d\n", PQendcopy(db));
	show("copy that fails", PQexec(db, "COPY old FROM STDIN"));
	PQputline(db, "no number\n\\.\n");
	printf("ended: %d\n", PQendcopy(db));
	show("copied", PQexec(db, "SELECT count(*) FROM old"));
}

static void cancelled(void)
{
	char error[256];
	PGcancel *cancel = PQgetCancel(db);
	PQsendQuery(db, "SELECT pg_sleep(60)");
	printf("refused while busy: %d\n", PQsendQuery(db, "SELECT 'never'"));
	do { /* one that comes before the server has begun is lost */
		PQcancel(cancel, error, sizeof(error));
		poll(&(struct pollfd){PQsocket(db), POLLIN, 0}, 1, 500);
		PQconsumeInput(db);
	} while (PQisBusy(db));
	PQfreeCancel(cancel);
	for (PGresult *result; (result = PQgetResult(db));)
		show("cancelled", result);
}

static void large_objects(void)
{
	char bytes[8] = {0};
	show("begin", PQexec(db, "BEGIN"));
	Oid oid = lo_creat(db, INV_READ | INV_WRITE);
	int fd = lo_open(db, oid, INV_READ | INV_WRITE);
	lo_write(db, fd, "1234", 4);
	lo_lseek(db, fd, 0, SEEK_SET);
	printf("large object: %d %s\n", lo_read(db, fd, bytes, 4), bytes);
	lo_close(db, fd);
	show("rollback", PQexec(db, "ROLLBACK"));
}

static void piped(void)
{
	const char *one[] = {"1"};
	PQenterPipelineMode(db);
	PQsendPrepare(db, "p1", "SELECT $1::int AS p1", 0, NULL);
	PQsendDescribePrepared(db, "p1");
	PQsendQueryPrepared(db, "p1", 1, one, NULL, NULL, 0);
	PQsendPrepare(db, "p2", "SELECT $1::int AS p2", 0, NULL);
	PQsendQueryPrepared(db, "p2", 1, one, NULL, NULL, 0);
	PQpipelineSync(db);
	PQsendDescribePortal(db, "nowhere");
	PQsendQueryPrepared(db, "p1", 1, one, NULL, NULL, 0);
	PQpipelineSync(db);
	PQsendQueryPrepared(db, "p2", 1, one, NULL, NULL, 0);
	printf("refused in a pipeline: %d\n", PQsetSingleRowMode(db) && PQexec(db, "SELECT 'never'") == NULL);
	PQpipelineSync(db);
	for (int syncs = 0, nothing = 0; syncs < 3 && nothing < 100;) {
		PGresult *result = PQgetResult(db);
		if (!result) {
			nothing++;
			continue;
		}
		syncs += PQresultStatus(result) == PGRES_PIPELINE_SYNC;
		printf("%s %s\n", PQresStatus(PQresultStatus(result)), PQnfields(result) ? PQfname(result, 0) : "");
		PQclear(result);
	}
	PQgetResult(db);
	printf("left the pipeline: %d\n", PQexitPipelineMode(db));
}

static void reset(void)
{
	PostgresPollingStatusType how = PGRES_POLLING_WRITING;
	PQresetStart(db);
	while (how != PGRES_POLLING_OK && how != PGRES_POLLING_FAILED) {
		struct pollfd one = {PQsocket(db), how == PGRES_POLLING_READING ? POLLIN : POLLOUT, 0};
		poll(&one, 1, -1);
		how = PQresetPoll(db);
	}
	show("after the reset", PQexec(db, "SELECT 1 AS again"));
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
	db = PQconnectdb(argv[1]);
	if (PQstatus(db) != CONNECTION_OK) {
		fputs(PQerrorMessage(db), stderr);
		return 1;
	}
	show("to be sure", PQexec(db, "SELECT 1"));
	old_copies();
	cancelled();
	large_objects();
	piped();
	PQsendQuery(db, "SELECT 'dropped'; SELECT 2");
	PQclear(PQgetResult(db));
	show("the rest is thrown away", PQexec(db, "SELECT 3"));
	show("violation", PQexec(db, "SELECT 1/0"));
	printf("bad: %d %d %d\n", PQexec(NULL, "SELECT 1") == NULL, PQsendQuery(db, NULL), PQgetResult(NULL) == NULL);
	reset();
	show("time", PQexec(db, "SET statement_timeout = 50"));
	show("too late", PQexec(db, "SELECT pg_sleep(20)"));
	PQfinish(db);
	return leave(0);
}
