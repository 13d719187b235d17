/* net.h - a few lines of loopback HTTP for the snippets. */
#ifndef SNIPPET_NET_H
#define SNIPPET_NET_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static inline int net_listen(int *port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) || listen(fd, 64) ||
	    getsockname(fd, (struct sockaddr *)&at, &size))
		exit(90);
	*port = ntohs(at.sin_port);
	return fd;
}

static inline int net_connect(int port)
{
	struct sockaddr_in at = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(fd, (struct sockaddr *)&at, sizeof(at)))
		exit(91);
	return fd;
}

static inline void net_ask(int fd, const char *path)
{
	char text[200];
	int length = snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: here\r\n\r\n", path);
	if (write(fd, text, (size_t)length) != length)
		exit(92);
}

/* A whole head; bodies are empty here. */
static inline int net_read(int fd, char *text, size_t size)
{
	size_t got = 0;
	while (got < size - 1) {
		ssize_t n = read(fd, text + got, size - 1 - got);
		if (n <= 0)
			return 0;
		got += (size_t)n;
		text[got] = '\0';
		if (strstr(text, "\r\n\r\n"))
			return 1;
	}
	return 0;
}

static inline void net_answer(int fd)
{
	static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
	if (write(fd, text, sizeof(text) - 1) != (ssize_t)sizeof(text) - 1)
		exit(93);
}

/* One call, there and back, on a connection of its own. */
static inline void net_call(int port, const char *path)
{
	char text[1000];
	int fd = net_connect(port);
	net_ask(fd, path);
	if (!net_read(fd, text, sizeof(text)))
		exit(94);
	close(fd);
}

/* A backend in a process of its own, that answers everything until it is killed. */
static inline pid_t net_backend(int *port)
{
	int listener = net_listen(port);
	pid_t pid = fork();
	if (pid != 0) {
		close(listener);
		return pid;
	}
	for (;;) {
		char text[2000];
		int fd = accept(listener, NULL, NULL);
		while (net_read(fd, text, sizeof(text)))
			net_answer(fd);
		close(fd);
	}
}

#endif
