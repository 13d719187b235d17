/* load - a driver for the tests: HTTP/1.1 requests over kept connections, answers checked.
 *
 * usage: load PORT PATH REQUESTS [CONNECTIONS [PIPELINE]]
 * Prints the number of 200 answers. Answers must carry Content-Length. Exits 1 when a connection breaks. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct client {
	int fd;
	long sent, answered;
	char buf[65536];
	size_t len;
};

static long total, good;
static int pipeline;
static char request[1024];

static int connect_to(int port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return connect(fd, (struct sockaddr *)&address, sizeof(address)) ? -1 : fd;
}

static int send_some(struct client *client, long share)
{
	char burst[32768];
	size_t len = strlen(request), n = 0;
	while (client->sent < share && client->sent - client->answered < pipeline && n + len < sizeof(burst)) {
		memcpy(burst + n, request, len);
		n += len;
		client->sent++;
	}
	for (size_t done = 0; done < n;) {
		ssize_t wrote = write(client->fd, burst + done, n - done);
		if (wrote <= 0)
			return -1;
		done += (size_t)wrote;
	}
	return 0;
}

static int read_some(struct client *client)
{
	ssize_t got = read(client->fd, client->buf + client->len, sizeof(client->buf) - 1 - client->len);
	if (got <= 0)
		return -1;
	client->len += (size_t)got;
	for (;;) {
		client->buf[client->len] = '\0';
		char *end = strstr(client->buf, "\r\n\r\n");
		char *length = end ? strcasestr(client->buf, "\r\ncontent-length:") : NULL;
		if (!end)
			return 0;
		size_t whole = (size_t)(end + 4 - client->buf) + (length && length < end ? strtoul(length + 17, NULL, 10) : 0);
		if (client->len < whole)
			return 0;
		if (strncmp(client->buf + 9, "200", 3) == 0)
			good++;
		client->answered++;
		client->len -= whole;
		memmove(client->buf, client->buf + whole, client->len);
	}
}

int main(int argc, char **argv)
{
	if (argc < 4)
		return 2;
	int port = atoi(argv[1]), connections = argc > 4 ? atoi(argv[4]) : 1;
	total = atol(argv[3]);
	pipeline = argc > 5 ? atoi(argv[5]) : 1;
	snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: load\r\n%s\r\n", argv[2],
		 getenv("LOAD_HEADER") ? getenv("LOAD_HEADER") : "");
	struct client *clients = calloc((size_t)connections, sizeof(*clients));
	struct pollfd *fds = calloc((size_t)connections, sizeof(*fds));
	for (int i = 0; i < connections; i++)
		if ((clients[i].fd = connect_to(port)) < 0)
			return 1;
	long share = total / connections, answered = 0;
	total = share * connections;
	while (answered < total) {
		for (int i = 0; i < connections; i++) {
			if (send_some(&clients[i], share))
				return 1;
			fds[i] = (struct pollfd){clients[i].answered < share ? clients[i].fd : -1, POLLIN, 0};
		}
		if (poll(fds, (nfds_t)connections, 10000) <= 0)
			return 1;
		answered = 0;
		for (int i = 0; i < connections; i++) {
			if (fds[i].revents && read_some(&clients[i]))
				return 1;
			answered += clients[i].answered;
		}
	}
	printf("%ld\n", good);
	return 0;
}
