/* duplex PAD: a pipelining client that writes in one thread and reads answers in another. The server reads nothing until a
 * write was cut off by its time-out, and answers meanwhile; then it takes all. What arrived must be what was written, our
 * lines aside. Prints how it was; exits 1 when it was not. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

enum { COUNT = 3000, LINE = 70 /* "traceparent: ..." and its end */ };
static char arrived[1 << 24], plain[1 << 24], sent[1 << 23];
static size_t total;
static int listener, client;
static _Atomic int reads_now;

/* By bare system calls, so that only the client's half is seen. */
static void *serve(void *arg)
{
	static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
	int fd = (int)syscall(SYS_accept4, listener, 0, 0, 0);
	ssize_t got;
	while (!atomic_load(&reads_now)) {
		usleep(20000);
		syscall(SYS_write, fd, answer, sizeof(answer) - 1);
	}
	/* So little room was for the cut; with it the kernel's own retransmissions would take their time. */
	int room = 1 << 20;
	syscall(SYS_setsockopt, fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	while ((got = syscall(SYS_read, fd, arrived + total, 65536)) > 0)
		total += (size_t)got;
	syscall(SYS_shutdown, fd, SHUT_WR);
	return arg;
}

static void *reads(void *arg)
{
	char buf[200];
	while (recv(client, buf, sizeof(buf), 0) > 0)
		;
	return arg;
}

static int write_all(size_t length)
{
	int cuts = 0;
	for (size_t at = 0; at < length;) {
		size_t piece = length / COUNT * 6;
		if (piece > length - at)
			piece = length - at;
		ssize_t wrote = send(client, sent + at, piece, MSG_NOSIGNAL);
		if (wrote < 0 && errno != EAGAIN)
			return -1;
		if (wrote < (ssize_t)piece) {
			cuts++;
			atomic_store(&reads_now, 1);
		}
		at += wrote > 0 ? (size_t)wrote : 0;
	}
	return cuts;
}

static size_t without_ours(void)
{
	size_t out = 0;
	for (size_t i = 0; i < total;) {
		if (total - i >= LINE && !memcmp(arrived + i, "traceparent: 00-", 16) && arrived[i + LINE - 1] == '\n')
			i += LINE;
		else
			plain[out++] = arrived[i++];
	}
	return out;
}

int main(int argc, char **argv)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	int pad = argc > 1 ? atoi(argv[1]) : 0, small = 1024;
	struct timeval limit = {0, 100000};
	pthread_t server, reader;
	size_t length = 0;

	listener = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	if (bind(listener, (struct sockaddr *)&address, len) || listen(listener, 1) ||
	    getsockname(listener, (struct sockaddr *)&address, &len))
		return 2;
	pthread_create(&server, NULL, serve, NULL);
	client = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(client, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(client, (struct sockaddr *)&address, len))
		return 2;
	pthread_create(&reader, NULL, reads, NULL);
	for (int i = 0; i < COUNT; i++)
		length += (size_t)sprintf(sent + length, "GET /p/%0*d HTTP/1.1\r\nHost: h\r\n\r\n", pad + 4, i);
	int cuts = write_all(length);
	atomic_store(&reads_now, 1);
	shutdown(client, SHUT_WR);
	pthread_join(server, NULL);
	pthread_join(reader, NULL);
	size_t left = without_ours();
	int exact = left == length && !memcmp(plain, sent, length);
	printf("pad %d: %s, %zu bytes of ours, cut %s\n", pad, exact ? "exact" : "CORRUPT", total - left, cuts > 0 ? "off" : "never");
	return !exact;
}
