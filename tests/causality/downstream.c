/* downstream - what the services under test call: answers each request with its path, after a random delay, so that answers
 * come in another order than their questions. Writes down what it saw: PATH SPAN (of the traceparent, or -).
 *
 * usage: downstream PORT LOG [DELAY_MS]      ends with SIGTERM, the log is whole then */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define WHEEL 512 /* ms */

struct peer {
	int fd;
	bool closes, waiting, gone;
	size_t len;
	struct peer *next; /* in the wheel */
	char path[256];
	char buf[8192];
};

static struct peer *wheel[WHEEL];
static int epoll, delay = 10;
static FILE *out;
static volatile sig_atomic_t ends;

static void on_term(int number)
{
	(void)number;
	ends = 1;
}

static long now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void drop(struct peer *peer)
{
	if (peer->fd >= 0)
		close(peer->fd);
	peer->fd = -1;
	if (peer->waiting)
		peer->gone = true;
	else
		free(peer);
}

/* One request at a time of each connection. */
static void look(struct peer *peer, long at)
{
	peer->buf[peer->len] = '\0';
	char *end = strstr(peer->buf, "\r\n\r\n"), *field;
	if (peer->waiting || !end)
		return;
	char span[17] = "-";
	if ((field = strcasestr(peer->buf, "\r\ntraceparent:")) && field < end)
		sscanf(field + 14, " 00-%*32[0-9a-f]-%16[0-9a-f]", span);
	peer->closes = ((field = strcasestr(peer->buf, "\r\nconnection: close")) && field < end) || strstr(peer->buf, " HTTP/1.0");
	if (sscanf(peer->buf, "%*s %255s", peer->path) != 1)
		strcpy(peer->path, "?");
	fprintf(out, "%s %s\n", peer->path, span);
	size_t used = (size_t)(end + 4 - peer->buf);
	memmove(peer->buf, peer->buf + used, peer->len - used);
	peer->len -= used;
	peer->waiting = true;
	long slot = (at + 1 + (delay ? lrand48() % (delay + 1) : 0)) % WHEEL;
	peer->next = wheel[slot];
	wheel[slot] = peer;
}

static void answer(struct peer *peer, long at)
{
	char text[512];
	peer->waiting = false;
	if (peer->gone) {
		free(peer);
		return;
	}
	int len = snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n%s\r\n%s\n", strlen(peer->path) + 1,
			   peer->closes ? "Connection: close\r\n" : "", peer->path);
	if (send(peer->fd, text, (size_t)len, MSG_NOSIGNAL) != len || peer->closes)
		drop(peer);
	else
		look(peer, at);
}

static void readable(struct peer *peer, long at)
{
	ssize_t got = recv(peer->fd, peer->buf + peer->len, sizeof(peer->buf) - 1 - peer->len, 0);
	if (got < 0 && errno == EAGAIN)
		return;
	if (got <= 0) {
		drop(peer);
		return;
	}
	peer->len += (size_t)got;
	look(peer, at);
}

static void accept_all(int listener)
{
	int fd, one = 1;
	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
		struct peer *peer = calloc(1, sizeof(*peer));
		struct epoll_event event = {.events = EPOLLIN, .data.ptr = peer};
		peer->fd = fd;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_in here = {.sin_family = AF_INET};
	int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (argc < 3 || !(out = fopen(argv[2], "w")))
		return 2;
	if (argc > 3)
		delay = atoi(argv[3]);
	here.sin_port = htons((unsigned short)atoi(argv[1]));
	here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener, (struct sockaddr *)&here, sizeof(here)) || listen(listener, 4096))
		return 1;
	signal(SIGPIPE, SIG_IGN);
	struct sigaction action = {.sa_handler = on_term};
	sigaction(SIGTERM, &action, NULL);
	epoll = epoll_create1(0);
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
	epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
	for (long tick = now(); !ends;) {
		struct epoll_event events[256];
		int n = epoll_wait(epoll, events, 256, 1);
		long at = now();
		for (int i = 0; i < n; i++)
			if (events[i].data.ptr)
				readable(events[i].data.ptr, at);
			else
				accept_all(listener);
		for (; tick <= at; tick++) {
			struct peer *list = wheel[tick % WHEEL];
			wheel[tick % WHEEL] = NULL;
			while (list) {
				struct peer *next = list->next;
				answer(list, at);
				list = next;
			}
		}
	}
	fclose(out);
	return 0;
}
