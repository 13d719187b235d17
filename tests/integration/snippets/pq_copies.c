/* pq_copies.c PLUGIN CONNINFO - a plug-in with a libpq of its own, opened as interpreters open theirs; BESIDE: the program
 * has one as well. Each goes to the server with its own. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <libpq-fe.h>

#if defined(PLUGIN) || defined(BESIDE)
#ifdef PLUGIN
#define NAME "a_plugin"
int run_plugin(const char *conninfo)
#else
#define NAME "a_program"
static int run_program(const char *conninfo)
#endif
{
	PGconn *db = PQconnectdb(conninfo);
	PGresult *result = PQexec(db, "CREATE TEMP TABLE " NAME "(a int)");
	printf(NAME ": %d\n", PQresultStatus(result));
	PQclear(result);
	for (int i = 0; i < 2; i++) {
		result = PQexecParams(db, "SELECT a + $1::int FROM " NAME, 1, NULL, (const char *const[]){"1"}, NULL, NULL, 0);
		printf(NAME ": %d\n", PQresultStatus(result));
		PQclear(result);
	}
	PQsendQuery(db, "SELECT 'secret' FROM " NAME);
	while ((result = PQgetResult(db))) {
		printf(NAME ": %d\n", PQresultStatus(result));
		PQclear(result);
	}
	PQfinish(db);
	return 0;
}
#endif

#ifndef PLUGIN
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
	void *plugin = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
	int (*run)(const char *) = plugin ? (int (*)(const char *))dlsym(plugin, "run_plugin") : NULL;

	(void)argc;
	if (!run) {
		puts(dlerror());
		return 1;
	}
#ifdef BESIDE
	run_program(argv[2]);
#endif
	return leave(run(argv[2]));
}
#endif
