/* pq_many.c - CONNINFO COUNT ROUNDS: so many connections at once, each with a prepared statement of its own,
 * which all of them execute at the same time, and again. Prints how many answers were right. */
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

/* In KiB, to the error output. */
static void tell_peak(void)
{
	struct rusage usage;
	getrusage(RUSAGE_SELF, &usage);
	fprintf(stderr, "%ld\n", usage.ru_maxrss);
}

int main(int argc, char **argv)
{
	int count = atoi(argv[2]), rounds = atoi(argv[3]), right = 0;
	PGconn **all = calloc((size_t)count, sizeof(*all));
	char text[64], number[16];
	const char *values[] = {number};

	for (int i = 0; i < count; i++) {
		all[i] = PQconnectdb(argv[1]);
		if (PQstatus(all[i]) != CONNECTION_OK)
			return fprintf(stderr, "%s", PQerrorMessage(all[i])), 1;
		snprintf(text, sizeof(text), "SELECT $1::int AS q%d", i);
		PQclear(PQprepare(all[i], "own", text, 0, NULL));
	}
	for (int round = 0; round < rounds; round++) {
		for (int i = 0; i < count; i++) {
			snprintf(number, sizeof(number), "%d", i);
			PQsendQueryPrepared(all[i], "own", 1, values, NULL, NULL, 0);
		}
		for (int i = 0; i < count; i++) {
			PGresult *result;
			while ((result = PQgetResult(all[i])) != NULL) {
				right += PQntuples(result) == 1 && atoi(PQgetvalue(result, 0, 0)) == i;
				PQclear(result);
			}
		}
	}
	printf("%d\n", right);
	tell_peak();
	for (int i = 0; i < count; i++)
		PQfinish(all[i]);
	return 0;
}
