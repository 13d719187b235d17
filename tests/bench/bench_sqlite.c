/* bench_sqlite COUNT [unprepared]: inserts so many rows, then reads each by its key; prints ns of CPU of an insert and of a
 * select, in the calling thread.
 * bench_sqlite COUNT failing: so many inserts that fail; ns of CPU of one in the calling thread, and in all of the process. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double cpu_of(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double cpu_ns(void)
{
	return cpu_of(CLOCK_THREAD_CPUTIME_ID);
}

static void check(int rc, int wanted)
{
	if (rc == wanted)
		return;
	fprintf(stderr, "sqlite: %d instead of %d\n", rc, wanted);
	exit(1);
}

static sqlite3 *db;

static sqlite3_stmt *prepare(const char *sql)
{
	sqlite3_stmt *stmt;
	check(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
	return stmt;
}

static double loop(const char *sql, long count, int anew, int rows)
{
	double from = cpu_ns();
	sqlite3_stmt *stmt = NULL;
	for (long i = 0; i < count; i++) {
		if (!stmt)
			stmt = prepare(sql);
		sqlite3_bind_int64(stmt, 1, i);
		for (int row = 0; row < rows; row++)
			check(sqlite3_step(stmt), SQLITE_ROW);
		check(sqlite3_step(stmt), SQLITE_DONE);
		sqlite3_reset(stmt);
		if (anew) {
			sqlite3_finalize(stmt);
			stmt = NULL;
		}
	}
	double took = cpu_ns() - from;
	sqlite3_finalize(stmt);
	return count ? took / (double)count : 0;
}

/* In rounds, so that the exporter keeps up. */
static void failing(long count)
{
	sqlite3_stmt *stmt = prepare("INSERT INTO item(id) VALUES(1)");
	double whole = cpu_of(CLOCK_PROCESS_CPUTIME_ID), own = cpu_ns();
	sqlite3_step(stmt);
	for (long i = 0; i < count; i++) {
		sqlite3_reset(stmt);
		check(sqlite3_step(stmt), SQLITE_CONSTRAINT);
		if (i % 100 == 99)
			nanosleep(&(struct timespec){0, 20000000}, NULL);
	}
	sqlite3_finalize(stmt);
	nanosleep(&(struct timespec){0, 500000000}, NULL);
	printf("%.0f %.0f\n", (cpu_ns() - own) / (double)count, (cpu_of(CLOCK_PROCESS_CPUTIME_ID) - whole) / (double)count);
}

int main(int argc, char **argv)
{
	long count = argc > 1 ? atol(argv[1]) : 100000;
	int anew = argc > 2 && strcmp(argv[2], "unprepared") == 0;
	check(sqlite3_open(":memory:", &db), SQLITE_OK);
	check(sqlite3_exec(db, "CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT, price REAL)", NULL, NULL, NULL), SQLITE_OK);
	if (argc > 2 && strcmp(argv[2], "failing") == 0) {
		failing(count);
		return 0;
	}
	check(sqlite3_exec(db, "BEGIN", NULL, NULL, NULL), SQLITE_OK);
	double insert = loop("INSERT INTO item(id, name, price) VALUES(?, 'a name of some length', 12.50)", count, anew, 0);
	check(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
	double select = loop("SELECT id, name, price FROM item WHERE id = ? AND price > 10", count, anew, 1);
	sqlite3_close(db);
	printf("%.0f %.0f\n", insert, select);
	return 0;
}
