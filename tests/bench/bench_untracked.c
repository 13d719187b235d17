/* bench_untracked - what a hook costs on descriptors that are no sockets of ours.
 *
 * usage: bench_untracked ROUNDS: reads and writes one byte of /dev/zero and /dev/null ROUNDS times each and
 * prints nanoseconds per call. Run it bare and preloaded; under callgrind count instructions instead. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

int main(int argc, char **argv)
{
	long rounds = argc > 1 ? atol(argv[1]) : 1000000;
	int zero = open("/dev/zero", O_RDONLY), null = open("/dev/null", O_WRONLY);
	char byte = 0;
	if (zero < 0 || null < 0)
		return 1;
	double start = now();
	for (long i = 0; i < rounds; i++)
		if (read(zero, &byte, 1) != 1 || write(null, &byte, 1) != 1)
			return 1;
	printf("%.2f\n", (now() - start) / (double)rounds / 2);
	return 0;
}
