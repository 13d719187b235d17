#include "http.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct client {
	int fd;
	handler handle;
};

static const char *reason(int status)
{
	return status == 200 ? "OK" : status == 404 ? "Not Found" : status == 503 ? "Service Unavailable" : "Error";
}

static int answer(int fd, int status, const char *body)
{
	char head[256];
	int len = snprintf(head, sizeof(head),
			   "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n", status,
			   reason(status), strlen(body));
	return send(fd, head, (size_t)len, MSG_MORE) == len && send(fd, body, strlen(body), 0) == (ssize_t)strlen(body);
}

static void *serve_client(void *arg)
{
	struct client client = *(struct client *)arg;
	char request[16384], body[4096], path[1024];
	size_t len = 0;

	free(arg);
	for (;;) {
		ssize_t got = recv(client.fd, request + len, sizeof(request) - 1 - len, 0);
		if (got <= 0)
			break;
		len += (size_t)got;
		request[len] = '\0';
		char *end = strstr(request, "\r\n\r\n");
		if (!end)
			continue;
		if (sscanf(request, "%*15s %1023s", path) != 1)
			break;
		int status = client.handle(path, body, sizeof(body));
		if (!answer(client.fd, status, body))
			break;
		len -= (size_t)(end + 4 - request);
		memmove(request, end + 4, len);
	}
	close(client.fd);
	return NULL;
}

int serve(int port, handler handle)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
	int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	signal(SIGPIPE, SIG_IGN);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, 64)) {
		perror("listen");
		return 1;
	}
	for (;;) {
		struct client *client = malloc(sizeof(*client));
		pthread_t thread;
		*client = (struct client){accept(fd, NULL, NULL), handle};
		if (client->fd < 0 || pthread_create(&thread, NULL, serve_client, client)) {
			close(client->fd);
			free(client);
			continue;
		}
		pthread_detach(thread);
	}
}
