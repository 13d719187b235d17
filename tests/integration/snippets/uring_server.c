/* uring_server - an HTTP server whose bytes go through libc and through io_uring, in turns.
 *
 * usage: uring_server PORT PATTERN [BACK]: PATTERN is four letters for each request of a connection, separated by commas and
 * begun anew behind the last: how the request is read, how it is answered, how the call to BACK is sent and how its answer
 * is read: l is libc, u is io_uring. "/s/204" is answered with that status, after a call for "/d/204" on a kept connection.
 * With "log" in BACK's place: makes no calls, and prints each head as it came. */
#include <arpa/inet.h>
#include <liburing.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct io_uring ring;
static volatile sig_atomic_t ended;

static void end(int number)
{
	ended = number;
}

static ssize_t finish(void)
{
	struct io_uring_cqe *done;
	if (io_uring_submit(&ring) < 0 || io_uring_wait_cqe(&ring, &done))
		exit(3);
	int result = done->res;
	io_uring_cqe_seen(&ring, done);
	return result;
}

static ssize_t take(char how, int fd, char *at, size_t room)
{
	if (how == 'l')
		return recv(fd, at, room, 0);
	io_uring_prep_recv(io_uring_get_sqe(&ring), fd, at, room, 0);
	return finish();
}

static void give(char how, int fd, const char *text)
{
	size_t size = strlen(text);
	if (how == 'u')
		io_uring_prep_send(io_uring_get_sqe(&ring), fd, text, size, MSG_NOSIGNAL);
	ssize_t sent = how == 'u' ? finish() : send(fd, text, size, MSG_NOSIGNAL);
	if (sent != (ssize_t)size)
		fprintf(stderr, "sent %zd of %zu\n", sent, size);
}

static bool head(char how, int fd, char *text, size_t room)
{
	size_t got = 0;
	do {
		ssize_t n = take(how, fd, text + got, room - 1 - got);
		if (n <= 0)
			return false;
		got += (size_t)n;
		text[got] = '\0';
	} while (!strstr(text, "\r\n\r\n"));
	return true;
}

static struct sockaddr_in address(const char *port)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				    .sin_port = htons((uint16_t)atoi(port))};
}

static void serve(int fd, const char *pattern, const char *back)
{
	bool logs = back && strcmp(back, "log") == 0;
	const char *at = pattern;
	char text[4096], answer[256];
	int called = -1;
	for (;; at = at[4] == ',' ? at + 5 : pattern) {
		if (!head(at[0], fd, text, sizeof(text)))
			break;
		int status = atoi(text + strlen("GET /s/"));
		if (logs) {
			fputs(text, stdout);
			fflush(stdout);
		} else if (back) {
			struct sockaddr_in to = address(back);
			if (called < 0 && ((called = socket(AF_INET, SOCK_STREAM, 0)) < 0 ||
					   connect(called, (struct sockaddr *)&to, sizeof(to))))
				exit(4);
			snprintf(answer, sizeof(answer), "GET /d/%d HTTP/1.1\r\nHost: back\r\n\r\n", status);
			give(at[2], called, answer);
			if (!head(at[3], called, text, sizeof(text)))
				exit(5);
			if (atoi(text + strlen("HTTP/1.1 ")) != status)
				fprintf(stderr, "asked for %d, got %s", status, text);
		}
		snprintf(answer, sizeof(answer), "HTTP/1.1 %d Fine\r\nContent-Length: 5\r\n\r\n<%03d>", status, status);
		give(at[1], fd, answer);
	}
	if (called >= 0)
		close(called);
	close(fd);
}

int main(int argc, char **argv)
{
	int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in own = address(argv[1]);
	if (argc < 3 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    bind(listener, (struct sockaddr *)&own, sizeof(own)) || listen(listener, 8))
		return 2;
	if (io_uring_queue_init(8, &ring, 0))
		return 77;
	sigaction(SIGTERM, &(struct sigaction){.sa_handler = end}, NULL);
	while (!ended) {
		int fd = accept(listener, NULL, NULL);
		if (fd >= 0)
			serve(fd, argv[2], argc > 3 ? argv[3] : NULL);
	}
	return 0;
}
