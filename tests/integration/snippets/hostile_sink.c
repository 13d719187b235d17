/* hostile_sink CONNECTIONS: takes so many connections, one after the other, and reads all that comes. Prints its port, a line
 * for each, length and hash, and in the end the most memory that it had, in KiB. */
#include <stdint.h>

#include "net.h"

int main(int argc, char **argv)
{
	static unsigned char bytes[65536];
	char line[200];
	int port, listening = net_listen(&port);

	printf("%d\n", port);
	fflush(stdout);
	for (int i = argc > 1 ? atoi(argv[1]) : 0; i > 0; i--) {
		uint64_t hash = 0xcbf29ce484222325u;
		size_t all = 0;
		ssize_t n;
		int fd = accept(listening, NULL, NULL);
		while ((n = read(fd, bytes, sizeof(bytes))) > 0) {
			for (ssize_t k = 0; k < n; k++)
				hash = (hash ^ bytes[k]) * 0x100000001b3u;
			all += (size_t)n;
		}
		close(fd);
		printf("%zu %016llx\n", all, (unsigned long long)hash);
		fflush(stdout);
	}
	FILE *status = fopen("/proc/self/status", "r");
	while (status && fgets(line, sizeof(line), status))
		if (strncmp(line, "VmHWM:", 6) == 0)
			printf("%d\n", atoi(line + 6));
	return 0;
}
