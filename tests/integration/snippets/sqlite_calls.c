/* Statements in every way that SQLite has of running them; counts with SQLite's own trace what it ran. Prints what the
 * program saw, and last how many statements were run, how many could not be prepared, and in how many calls of the program's:
 * `statements N refused M calls K`. */
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static _Atomic int statements, refused, calls;
static __thread int in_exec;

static int trace(unsigned what, void *arg, void *stmt, void *text)
{
	(void)what, (void)arg, (void)stmt;
	if (strncmp(text, "--", 2) == 0) /* what the library or a trigger runs inside a statement */
		return 0;
	statements++;
	if (!in_exec)
		calls++;
	return 0;
}

static sqlite3 *connect_to(const char *path, int timeout)
{
	sqlite3 *db;
	int rc = sqlite3_open(path, &db);
	if (rc != SQLITE_OK)
		printf("open %s: %d\n", path, rc);
	sqlite3_busy_timeout(db, timeout);
	sqlite3_trace_v2(db, SQLITE_TRACE_STMT, trace, NULL);
	calls++;
	in_exec++;
	sqlite3_exec(db, "PRAGMA synchronous = off", NULL, NULL, NULL);
	in_exec--;
	return db;
}

static int row(void *arg, int columns, char **values, char **names)
{
	(void)names;
	printf("%s row of %d: %s\n", (char *)arg, columns, values[0] ? values[0] : "NULL");
	return strcmp(arg, "aborted") == 0;
}

static void run(sqlite3 *db, const char *sql, const char *what)
{
	char *message = NULL;
	calls++;
	in_exec++;
	int rc = sqlite3_exec(db, sql, row, (void *)(size_t)what, &message);
	in_exec--;
	printf("%s: %d %s\n", what, rc, message ? message : "");
	if (rc == SQLITE_ERROR && message && (strstr(message, "no such") || strstr(message, "syntax")))
		refused++;
	sqlite3_free(message);
}

/* When the last step of a statement had returned, before its end. */
static void stamp(void)
{
	const char *path = getenv("STAMP");
	FILE *file = path ? fopen(path, "w") : NULL;
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	if (file) {
		fprintf(file, "%lld%09ld\n", (long long)now.tv_sec, now.tv_nsec);
		fclose(file);
	}
}

static void again(sqlite3 *db)
{
	sqlite3_stmt *insert, *select;
	int rows = 0, rc;
	sqlite3_prepare_v2(db, "INSERT INTO t(k, v) VALUES(?, 'secret')", -1, &insert, NULL);
	for (int i = 10; i < 20; i++) {
		sqlite3_bind_int(insert, 1, i);
		printf("insert: %d\n", sqlite3_step(insert));
		if (i % 2)
			sqlite3_reset(insert); /* or it resets itself */
		sqlite3_clear_bindings(insert);
	}
	sqlite3_finalize(insert);
	sqlite3_prepare_v3(db, "SELECT k FROM t WHERE k >= ?1", -1, SQLITE_PREPARE_PERSISTENT, &select, NULL);
	sqlite3_bind_int(select, 1, 12);
	while ((rc = sqlite3_step(select)) == SQLITE_ROW)
		rows++;
	printf("select: %d rows, %d\n", rows, rc);
	sqlite3_reset(select);
	printf("one row, then reset: %d\n", sqlite3_step(select));
	sqlite3_reset(select);
	printf("one row, then none: %d\n", sqlite3_step(select));
	stamp();
	usleep(300000);
	sqlite3_finalize(select); /* without a reset */
}

static void wide(sqlite3 *db)
{
	sqlite3_stmt *stmt = NULL;
	static char sql[] = {'S', 0, 'E', 0, 'L', 0, 'E', 0, 'C', 0, 'T', 0, ' ', 0, '7', 0, 0, 0};
	printf("prepare16: %d\n", sqlite3_prepare16_v2(db, sql, -1, &stmt, NULL));
	printf("step: %d %d\n", sqlite3_step(stmt), sqlite3_column_int(stmt, 0));
	sqlite3_finalize(stmt);
}

static void old_fashioned(sqlite3 *db)
{
	sqlite3_stmt *stmt;
	char **table = NULL;
	int rows, columns, rc;
	sqlite3_prepare(db, "INSERT INTO t VALUES(10, 'twice')", -1, &stmt, NULL);
	printf("legacy step: %d\n", sqlite3_step(stmt) != SQLITE_DONE);
	printf("legacy reset: %d\n", sqlite3_reset(stmt));
	sqlite3_finalize(stmt);
	calls++;
	in_exec++;
	rc = sqlite3_get_table(db, "SELECT k, v FROM t LIMIT 3", &table, &rows, &columns, NULL);
	in_exec--;
	printf("get_table: %d, %d x %d\n", rc, rows, columns);
	sqlite3_free_table(table);
}

static void call_out(sqlite3_context *context, int count, sqlite3_value **values)
{
	(void)count, (void)values;
	sqlite3 *other = sqlite3_user_data(context);
	calls++;
	in_exec++;
	sqlite3_exec(other, "SELECT count(*) FROM other", NULL, NULL, NULL);
	in_exec--;
	sqlite3_result_int(context, 1);
}

/* A function of the program's that asks another database; and work of the library's own. */
static void inside(sqlite3 *db)
{
	sqlite3 *other = connect_to(":memory:", 0);
	run(other, "CREATE TABLE other(x)", "other");
	sqlite3_create_function(db, "ask", 0, SQLITE_UTF8, other, call_out, NULL, NULL);
	run(db, "SELECT ask()", "function");
	run(db, "CREATE VIRTUAL TABLE f USING fts5(x)", "fts5");
	run(db, "INSERT INTO f VALUES('some words')", "fts5");
	run(db, "SELECT x FROM f WHERE f MATCH 'words'", "fts5");
	run(db, "CREATE TRIGGER tr AFTER INSERT ON t BEGIN DELETE FROM t WHERE k = 12; END", "trigger");
	run(db, "INSERT INTO t VALUES(99, 'x')", "trigger");
	run(db, "VACUUM", "vacuum");
	sqlite3_close(other);
}

static void errors(sqlite3 *db, const char *path)
{
	sqlite3 *second = connect_to(path, 0);
	sqlite3_stmt *stmt, *copy;
	run(db, "INSERT INTO t VALUES(10, 'again')", "constraint");
	run(db, "SELECT * FROM nowhere", "no table");
	run(db, "SELEC 1", "syntax");
	run(db, "SELECT k FROM t; SELECT 2; SELECT * FROM nowhere", "aborted");
	run(db, "SELECT 1; SELECT 2; ; -- no more\n SELECT * FROM nowhere; SELECT 3", "several");
	run(second, "BEGIN IMMEDIATE", "lock");
	run(db, "INSERT INTO t VALUES(1000, 'busy')", "busy");
	sqlite3_prepare_v2(db, "INSERT INTO t VALUES(1001, 'busy')", -1, &stmt, NULL);
	printf("busy: %d\n", sqlite3_step(stmt));
	run(second, "COMMIT", "unlock");
	printf("tried again: %d\n", sqlite3_step(stmt)); /* the same execution */
	sqlite3_finalize(stmt);
	run(second, "BEGIN IMMEDIATE", "lock");
	sqlite3_prepare_v2(db, "INSERT INTO t VALUES(1002, 'busy')", -1, &stmt, NULL);
	printf("busy: %d\n", sqlite3_step(stmt));
	printf("given up: %d\n", sqlite3_finalize(stmt));
	run(second, "COMMIT", "unlock");
	/* A statement that outlives its connection. */
	sqlite3_prepare_v2(second, "SELECT count(*) FROM t", -1, &stmt, NULL);
	printf("early close: %d\n", sqlite3_close(second));
	printf("close: %d\n", sqlite3_close_v2(second));
	printf("after close: %d\n", sqlite3_step(stmt));
	copy = stmt;
	printf("and done: %d\n", sqlite3_step(copy));
	sqlite3_finalize(stmt);
	printf("nothing: %d %d %d\n", sqlite3_step(NULL), sqlite3_reset(NULL), sqlite3_finalize(NULL));
	printf("no text: %d\n", sqlite3_prepare_v2(db, NULL, -1, &stmt, NULL));
}

static void wait_for_ever(sqlite3_context *context, int count, sqlite3_value **values)
{
	(void)count, (void)values;
	atomic_store((_Atomic int *)sqlite3_user_data(context), 1);
	for (;;)
		pause();
}

/* Its thread is cancelled in the middle of a step; the connection is left as it is. */
static void *step_for_ever(void *arg)
{
	sqlite3 *db;
	sqlite3_stmt *stmt;
	sqlite3_open_v2(":memory:", &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	sqlite3_trace_v2(db, SQLITE_TRACE_STMT, trace, NULL);
	sqlite3_create_function(db, "wait", 0, SQLITE_UTF8, arg, wait_for_ever, NULL, NULL);
	sqlite3_prepare_v2(db, "SELECT wait()", -1, &stmt, NULL);
	sqlite3_step(stmt);
	return NULL;
}

static void cancelled(void)
{
	_Atomic int waits = 0;
	pthread_t thread;
	void *how;
	pthread_create(&thread, NULL, step_for_ever, &waits);
	while (!atomic_load(&waits))
		usleep(1000);
	pthread_cancel(thread);
	pthread_join(thread, &how);
	printf("cancelled: %d\n", how == PTHREAD_CANCELED);
}

struct work {
	const char *path;
	int done;
};

static void *worker(void *arg)
{
	struct work *work = arg;
	sqlite3 *db = connect_to(work->path, 60000);
	sqlite3_stmt *stmt;
	sqlite3_prepare_v2(db, "INSERT INTO w VALUES(?)", -1, &stmt, NULL);
	for (int i = 0; i < 50; i++) {
		sqlite3_bind_int(stmt, 1, i);
		work->done += sqlite3_step(stmt) == SQLITE_DONE;
		sqlite3_reset(stmt);
	}
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	return NULL;
}


int main(int argc, char **argv)
{
	const char *path = argv[1];
	sqlite3 *db = connect_to(path, 0);
	sqlite3_stmt *left;
	pthread_t thread[2];
	struct work work[2] = {{path, 0}, {path, 0}};
	(void)argc;

	run(db, "CREATE TABLE t(k INTEGER PRIMARY KEY, v); CREATE TABLE w(x);", "create");
	again(db);
	wide(db);
	old_fashioned(db);
	inside(db);
	errors(db, path);
	cancelled();
	for (int i = 0; i < 2; i++)
		pthread_create(&thread[i], NULL, worker, &work[i]);
	for (int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	printf("threads: %d %d\n", work[0].done, work[1].done);
	/* One that is still being read when the program ends. */
	sqlite3_prepare_v2(db, "SELECT k FROM t", -1, &left, NULL);
	printf("left: %d\n", sqlite3_step(left));
	printf("statements %d refused %d calls %d\n", statements, refused, calls);
	return 0;
}
