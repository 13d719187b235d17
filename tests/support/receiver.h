/* receiver.h - an HTTP server inside a unit test: a thread per connection, answers as scripted by the test.
 */
#ifndef TAGALONG_TESTS_RECEIVER_H
#define TAGALONG_TESTS_RECEIVER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum receiver_end { RECEIVER_KEEP, RECEIVER_CLOSE };

struct receiver {
	int listener;
	unsigned port;
	_Atomic int connections, requests;
	/* Called when a request is complete (with ignore_bodies: as soon as its head is). */
	enum receiver_end (*answer)(struct receiver *receiver, int fd, const char *head, const char *body,
				    size_t len);
	_Atomic bool ignore_bodies;
};

struct receiver_client {
	struct receiver *receiver;
	int fd;
};

static inline void *receiver_serve(void *arg)
{
	struct receiver_client client = *(struct receiver_client *)arg;
	size_t cap = (size_t)8 << 20, len = 0;
	char *data = malloc(cap);
	free(arg);
	for (;;) {
		ssize_t got = read(client.fd, data + len, cap - len - 1);
		if (got <= 0)
			break;
		len += (size_t)got;
		data[len] = '\0';
		char *end = strstr(data, "\r\n\r\n");
		if (!end)
			continue;
		char *length = strcasestr(data, "content-length:");
		size_t head = (size_t)(end - data) + 4, body = length ? strtoul(length + 15, NULL, 10) : 0;
		if (!client.receiver->ignore_bodies && len < head + body)
			continue;
		end[2] = '\0';
		atomic_fetch_add(&client.receiver->requests, 1);
		if (client.receiver->answer(client.receiver, client.fd, data, end + 4, body) ==
		    RECEIVER_CLOSE)
			break;
		len = 0;
	}
	close(client.fd);
	free(data);
	return NULL;
}

static inline void *receiver_accept(void *arg)
{
	struct receiver *receiver = arg;
	int fd;
	while ((fd = accept(receiver->listener, NULL, NULL)) >= 0) {
		struct receiver_client *client = malloc(sizeof(*client));
		pthread_t thread_id;
		*client = (struct receiver_client){receiver, fd};
		atomic_fetch_add(&receiver->connections, 1);
		if (pthread_create(&thread_id, NULL, receiver_serve, client) == 0)
			pthread_detach(thread_id);
	}
	return NULL;
}

/* False: no socket. The receiver lives as long as the process. */
static inline bool receiver_start(struct receiver *receiver)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	pthread_t thread_id;
	receiver->listener = socket(AF_INET, SOCK_STREAM, 0);
	if (receiver->listener < 0 || bind(receiver->listener, (struct sockaddr *)&address, size) ||
	    listen(receiver->listener, 64) ||
	    getsockname(receiver->listener, (struct sockaddr *)&address, &size))
		return false;
	receiver->port = ntohs(address.sin_port);
	return pthread_create(&thread_id, NULL, receiver_accept, receiver) == 0;
}

static inline void receiver_say(int fd, const char *text)
{
	(void)!send(fd, text, strlen(text), MSG_NOSIGNAL);
}

#endif
