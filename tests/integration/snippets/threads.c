/* threads THREADS ROUNDS: servers and clients in one process, a pair of threads each on connections of its own that are
 * opened, kept for some requests, closed and, as numbers, used again by others at once. A last thread duplicates and
 * drops descriptors of all. Prints how many exchanges were whole. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int rounds, listener;
static struct sockaddr_in address;
static _Atomic long whole;
static _Atomic int open_now, done;

static int until_blank(int fd, char *buf, size_t room)
{
	size_t len = 0;
	while (len < room - 1) {
		ssize_t got = recv(fd, buf + len, room - 1 - len, 0);
		if (got <= 0)
			return -1;
		len += (size_t)got;
		buf[len] = '\0';
		if (strstr(buf, "\r\n\r\n"))
			return (int)len;
	}
	return -1;
}

static void *serve(void *arg)
{
	static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
	char buf[2048];
	int fd = (int)(long)arg;
	while (until_blank(fd, buf, sizeof(buf)) > 0)
		if (send(fd, answer, sizeof(answer) - 1, 0) < 0)
			break;
	close(fd);
	return NULL;
}

static void *accepts(void *arg)
{
	int fd;
	(void)arg;
	while ((fd = accept(listener, NULL, NULL)) >= 0) {
		pthread_t thread;
		pthread_create(&thread, NULL, serve, (void *)(long)fd);
		pthread_detach(thread);
	}
	return NULL;
}

static void *calls(void *arg)
{
	char buf[2048], request[200];
	for (int i = 0; i < rounds; i++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);
		if (connect(fd, (struct sockaddr *)&address, sizeof(address)))
			break;
		atomic_store(&open_now, fd);
		for (int j = 0; j < 3; j++) {
			int len = snprintf(request, sizeof(request), "GET /%ld/%d/%d HTTP/1.1\r\nHost: a\r\n\r\n", (long)arg, i, j);
			if (send(fd, request, (size_t)len, 0) == len && until_blank(fd, buf, sizeof(buf)) > 0)
				atomic_fetch_add(&whole, 1);
		}
		close(fd);
	}
	return NULL;
}

static void *meddles(void *arg)
{
	(void)arg;
	while (!atomic_load(&done)) {
		int copy = dup(atomic_load(&open_now));
		if (copy >= 0)
			close(copy);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	int count = argc > 1 ? atoi(argv[1]) : 8;
	pthread_t server, meddler, clients[64];
	socklen_t len = sizeof(address);
	rounds = argc > 2 ? atoi(argv[2]) : 100;
	address.sin_family = AF_INET;
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(listener, (struct sockaddr *)&address, len) || listen(listener, 100) ||
	    getsockname(listener, (struct sockaddr *)&address, &len))
		return 1;
	pthread_create(&server, NULL, accepts, NULL);
	pthread_create(&meddler, NULL, meddles, NULL);
	for (int i = 0; i < count; i++)
		pthread_create(&clients[i], NULL, calls, (void *)(long)i);
	for (int i = 0; i < count; i++)
		pthread_join(clients[i], NULL);
	atomic_store(&done, 1);
	pthread_join(meddler, NULL);
	usleep(200000);
	printf("%ld whole\n", atomic_load(&whole));
	return 0;
}
