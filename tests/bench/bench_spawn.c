/* bench_spawn - how long a program takes to start and end.
 *
 * usage: bench_spawn RUNS LIBRARY PROGRAM ARGS...: runs PROGRAM bare and with LD_PRELOAD=LIBRARY in turn, RUNS times
 * each, and prints the two medians in microseconds. */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static double run(char **argv, char **env)
{
	struct timespec from, to;
	pid_t pid;
	int status;
	clock_gettime(CLOCK_MONOTONIC, &from);
	if (posix_spawn(&pid, argv[0], NULL, NULL, argv, env) || waitpid(pid, &status, 0) != pid)
		exit(1);
	clock_gettime(CLOCK_MONOTONIC, &to);
	return (double)(to.tv_sec - from.tv_sec) * 1e6 + (double)(to.tv_nsec - from.tv_nsec) / 1e3;
}

int main(int argc, char **argv)
{
	if (argc < 4)
		return 2;
	int runs = atoi(argv[1]), n = 0;
	char preload[4200], *with[4096];
	snprintf(preload, sizeof(preload), "LD_PRELOAD=%s", argv[2]);
	for (char **at = environ; *at && n < 4000; at++)
		if (strncmp(*at, "LD_PRELOAD=", 11) != 0)
			with[n++] = *at;
	char **bare = malloc(((size_t)n + 1) * sizeof(*bare));
	memcpy(bare, with, (size_t)n * sizeof(*bare));
	bare[n] = NULL;
	with[n++] = preload;
	with[n] = NULL;
	double *a = calloc((size_t)runs, sizeof(double)), *b = calloc((size_t)runs, sizeof(double));
	for (int i = 0; i < runs; i++) {
		a[i] = run(argv + 3, bare);
		b[i] = run(argv + 3, with);
	}
	qsort(a, (size_t)runs, sizeof(double), compare);
	qsort(b, (size_t)runs, sizeof(double), compare);
	printf("%.1f %.1f\n", a[runs / 2], b[runs / 2]);
	return 0;
}
