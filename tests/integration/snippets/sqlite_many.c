/* sqlite_many COUNT [FILE]: so many prepared statements at a time, each executed twice, half of them with rows to read, all in
 * the middle of their rows at once; one of 900 KB. Prints what SQLite's trace counted, and the peak of memory in KiB to FILE. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int statements;

static int trace(unsigned what, void *arg, void *stmt, void *text)
{
	(void)what, (void)arg, (void)stmt, (void)text;
	statements++;
	return 0;
}

static void peak(const char *path)
{
	char line[200];
	FILE *status = fopen("/proc/self/status", "r"), *out = path ? fopen(path, "w") : NULL;
	while (status && fgets(line, sizeof(line), status))
		if (out && strncmp(line, "VmHWM:", 6) == 0)
			fprintf(out, "%ld\n", atol(line + 6));
	if (out)
		fclose(out);
	if (status)
		fclose(status);
}

int main(int argc, char **argv)
{
	int count = atoi(argv[1]), rows = 0;
	sqlite3 *db;
	sqlite3_stmt **all = calloc((size_t)count, sizeof(*all)), *stmt;
	sqlite3_open(":memory:", &db);
	sqlite3_trace_v2(db, SQLITE_TRACE_STMT, trace, NULL);
	sqlite3_exec(db, "CREATE TABLE t(x); INSERT INTO t VALUES(1), (2), (3)", NULL, NULL, NULL);
	for (int i = 0; i < count; i++) {
		char sql[100];
		snprintf(sql, sizeof(sql), i % 2 ? "SELECT x FROM t WHERE x > -%d" : "UPDATE t SET x = 1 WHERE x = -%d", i);
		sqlite3_prepare_v2(db, sql, -1, &all[i], NULL);
	}
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < count; i++)
			rows += sqlite3_step(all[i]) == SQLITE_ROW;
		for (int i = 0; i < count; i++)
			while (i % 2 && sqlite3_step(all[i]) == SQLITE_ROW)
				rows++;
		for (int i = 0; i < count; i++)
			sqlite3_reset(all[i]);
	}
	for (int i = 0; i < count; i++)
		sqlite3_finalize(all[i]);
	char *sql = malloc(1 << 20);
	strcpy(sql, "SELECT x FROM t WHERE x = 'secret'");
	memset(sql + 34, ' ', 900000);
	strcpy(sql + 900000, " AND x = 'secret'");
	sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
	printf("%d\n", sqlite3_step(stmt));
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	printf("rows %d statements %d\n", rows, statements);
	peak(argc > 2 ? argv[2] : NULL);
	return 0;
}
