/* An object whose constructor waits for a thread that uses SQLite for the first time. */
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>

static int found;

static void *ask(void *arg)
{
	sqlite3 *db;
	sqlite3_stmt *stmt;
	sqlite3_open(":memory:", &db);
	sqlite3_prepare_v2(db, "SELECT 7", -1, &stmt, NULL);
	if (sqlite3_step(stmt) == SQLITE_ROW)
		found = sqlite3_column_int(stmt, 0);
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	return arg;
}

__attribute__((constructor)) static void begin(void)
{
	pthread_t thread;
	pthread_create(&thread, NULL, ask, NULL);
	pthread_join(thread, NULL);
}

int plugin_main(int argc, char **argv);
int plugin_main(int argc, char **argv)
{
	(void)argc, (void)argv;
	printf("%d\n", found);
	return 0;
}
