/* rig.h - what the rig's small C servers share: they know nothing of tracing. A request is GET /r/ID/CALLS; for it the server
 * asks the downstream server for /d/ID/1, /d/ID/2, ... and answers with the last answer's body. */
#ifndef RIG_H
#define RIG_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define UNUSED __attribute__((unused))

static int rig_back;

struct request {
	long id;
	int calls;
	bool closes;
};

static UNUSED int rig_listen(int argc, char **argv, int flags)
{
	struct sockaddr_in here = {.sin_family = AF_INET};
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | flags, 0);
	if (argc < 3)
		exit(2);
	rig_back = atoi(argv[2]);
	here.sin_port = htons((unsigned short)atoi(argv[1]));
	here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&here, sizeof(here)) || listen(fd, 4096))
		exit(1);
	signal(SIGPIPE, SIG_IGN);
	return fd;
}

/* The head in buf, if it is whole. Returns its length. */
static UNUSED size_t rig_parse(char *buf, size_t len, struct request *request)
{
	buf[len] = '\0';
	char *end = strstr(buf, "\r\n\r\n"), *field;
	if (!end)
		return 0;
	request->id = 0;
	request->calls = 1;
	sscanf(buf, "GET /r/%ld/%d", &request->id, &request->calls);
	request->closes = (field = strcasestr(buf, "\r\nconnection: close")) && field < end;
	return (size_t)(end + 4 - buf);
}

static UNUSED size_t rig_question(char *text, size_t room, long id, int number, bool keep)
{
	return (size_t)snprintf(text, room, "GET /d/%ld/%d HTTP/1.1\r\nHost: back\r\nX-Request-Id: %ld\r\n%s\r\n", id, number, id,
				keep ? "" : "Connection: close\r\n");
}

static UNUSED size_t rig_reply(char *text, size_t room, const struct request *request)
{
	char body[64];
	int len = snprintf(body, sizeof(body), "done %ld\n", request->id);
	return (size_t)snprintf(text, room, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%s\r\n%s", len,
				request->closes ? "Connection: close\r\n" : "", body);
}

/* 0: not whole; else the answer's length. */
static UNUSED size_t rig_answer(char *buf, size_t len)
{
	buf[len] = '\0';
	char *end = strstr(buf, "\r\n\r\n"), *field = strcasestr(buf, "\r\ncontent-length:");
	if (!end || !field)
		return 0;
	size_t whole = (size_t)(end + 4 - buf) + strtoul(field + 17, NULL, 10);
	return len >= whole ? whole : 0;
}

static UNUSED void rig_sleep(long us)
{
	struct timespec pause = {us / 1000000, us % 1000000 * 1000};
	nanosleep(&pause, NULL);
}

/* --- blocking servers ------------------------------------------------------------------------------------------------ */

static UNUSED int rig_connect(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((unsigned short)rig_back)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* One call on *kept (a connection is made if there is none), or on a connection of its own. */
static UNUSED bool rig_send(const char *text, size_t size, int *kept)
{
	char buf[2048];
	size_t len = 0;
	int fd = kept && *kept >= 0 ? *kept : rig_connect();
	bool good = fd >= 0 && write(fd, text, size) == (ssize_t)size;
	while (good && !rig_answer(buf, len)) {
		ssize_t got = read(fd, buf + len, sizeof(buf) - 1 - len);
		good = got > 0;
		len += good ? (size_t)got : 0;
	}
	if (kept)
		*kept = good ? fd : -1;
	if (fd >= 0 && !(kept && good))
		close(fd);
	return good;
}

static UNUSED bool rig_ask(const char *path, int *kept) /* what is nobody's */
{
	char text[128];
	int size = snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: back\r\n%s\r\n", path, kept ? "" : "Connection: close\r\n");
	return rig_send(text, (size_t)size, kept);
}

static UNUSED bool rig_call(const struct request *request, int number, int *kept)
{
	char text[128];
	size_t size = rig_question(text, sizeof(text), request->id, number, kept != NULL);
	return rig_send(text, size, kept);
}

static UNUSED bool rig_respond(int fd, const struct request *request)
{
	char text[256];
	size_t len = rig_reply(text, sizeof(text), request);
	return write(fd, text, len) == (ssize_t)len && !request->closes;
}

static UNUSED bool rig_read(int fd, struct request *request)
{
	char buf[4096];
	size_t len = 0;
	do {
		ssize_t got = read(fd, buf + len, sizeof(buf) - 1 - len);
		if (got <= 0)
			return false;
		len += (size_t)got;
	} while (!rig_parse(buf, len, request));
	return true;
}

/* All of a connection, in this thread. */
static UNUSED void rig_serve(int fd, int *kept)
{
	struct request request;
	while (rig_read(fd, &request)) {
		for (int i = 1; i <= request.calls; i++)
			rig_call(&request, i, kept);
		if (!rig_respond(fd, &request))
			break;
	}
	close(fd);
}

static UNUSED void rig_thread(void *(*start)(void *), void *argument)
{
	pthread_t made;
	pthread_attr_t attributes;
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 256 * 1024);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	while (pthread_create(&made, &attributes, start, argument))
		rig_sleep(1000);
}

#endif
