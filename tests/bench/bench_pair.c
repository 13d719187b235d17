/* bench_pair - one HTTP/1 request and response through the hooked calls of a server.
 *
 * usage: bench_pair ROUNDS [pause]: a server on loopback reads a request with recv and answers with send; the
 * client's half goes through bare system calls in the same process, so that only the server's half is seen.
 * Prints nanoseconds of this thread's CPU time per pair, then (with "pause": after a second of rest) the CPU time of
 * the exporter's thread per pair in nanoseconds, or 0. */
#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const char request[] =
	"GET /static/page.html?user=42 HTTP/1.1\r\nHost: www.example.org:8080\r\nUser-Agent: Mozilla/5.0 (X11; Linux "
	"x86_64; rv:109.0)\r\nAccept: text/html,application/xhtml+xml;q=0.9,*/*;q=0.8\r\nAccept-Language: "
	"en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate\r\nConnection: keep-alive\r\ntraceparent: "
	"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n\r\n";
static const char response[] = "HTTP/1.1 200 OK\r\nServer: bench\r\nContent-Type: text/html\r\nContent-Length: "
			       "20\r\nConnection: keep-alive\r\n\r\n01234567890123456789";

static double cpu_now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double exporter_cpu(void)
{
	char path[600], name[32] = "";
	double total = 0;
	DIR *tasks = opendir("/proc/self/task");
	for (struct dirent *task; tasks && (task = readdir(tasks));) {
		snprintf(path, sizeof(path), "/proc/self/task/%s/comm", task->d_name);
		FILE *file = fopen(path, "r");
		if (file && fgets(name, sizeof(name), file) && strcmp(name, "tagalong\n") == 0) {
			double ns = 0;
			snprintf(path, sizeof(path), "/proc/self/task/%s/schedstat", task->d_name);
			FILE *stat = fopen(path, "r");
			if (stat && fscanf(stat, "%lf", &ns) == 1)
				total += ns;
			if (stat)
				fclose(stat);
		}
		if (file)
			fclose(file);
	}
	if (tasks)
		closedir(tasks);
	return total;
}

static int connected(int *server)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) || listen(listener, 1) ||
	    getsockname(listener, (struct sockaddr *)&address, &len))
		return -1;
	int client = (int)syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);
	if (syscall(SYS_connect, client, &address, sizeof(address)))
		return -1;
	*server = accept(listener, NULL, NULL);
	return client;
}

int main(int argc, char **argv)
{
	long rounds = argc > 1 ? atol(argv[1]) : 100000;
	char buf[4096];
	int server, client = connected(&server);
	if (client < 0 || server < 0)
		return 1;
	double start = 0;
	for (long i = -rounds / 10; i < rounds; i++) {
		if (i == 0)
			start = cpu_now();
		if (syscall(SYS_write, client, request, sizeof(request) - 1) != sizeof(request) - 1 ||
		    recv(server, buf, sizeof(buf), 0) != sizeof(request) - 1 ||
		    send(server, response, sizeof(response) - 1, 0) != sizeof(response) - 1 ||
		    syscall(SYS_read, client, buf, sizeof(buf)) != sizeof(response) - 1)
			return 1;
	}
	double spent = cpu_now() - start;
	if (argc > 2)
		sleep(1);
	printf("%.1f %.1f\n", spent / (double)rounds, exporter_cpu() / ((double)rounds * 1.1));
	return 0;
}
