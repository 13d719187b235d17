/* calls CASE [NAME]: every call of libc that moves bytes, waits, looks a name up or ends a process, used on a connection.
 *
 *   moves         one exchange for each way to write and each way to read, on both sides; the path is the way's name
 *   waits         a request, a call, a wait of each kind, a call; and each kind of wait with a mask that lets a signal in
 *   names NAME    connects to what that look-up found, and asks without a Host
 *   ends NAME     one exchange, then that end
 *   passed        connections that travel to another process in a message
 *
 * What it prints is the same bare and preloaded. */
#include <errno.h>
#include <fcntl.h>
#include <linux/errqueue.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <ucontext.h>

#include "net.h"

/* What -D_FORTIFY_SOURCE makes of the calls without the suffix. */
ssize_t __read_chk(int, void *, size_t, size_t);
ssize_t __recv_chk(int, void *, size_t, size_t, int);
ssize_t __recvfrom_chk(int, void *, size_t, size_t, int, struct sockaddr *, socklen_t *);
int __poll_chk(struct pollfd *, nfds_t, int, size_t);
int __ppoll_chk(struct pollfd *, nfds_t, const struct timespec *, const sigset_t *, size_t);
int __dprintf_chk(int, int, const char *, ...);
ssize_t preadv64v2(int, const struct iovec *, int, off64_t, int);
ssize_t pwritev64v2(int, const struct iovec *, int, off64_t, int);

static void fail(const char *what)
{
	printf("failed: %s, %s\n", what, strerror(errno));
	fflush(stdout);
	_exit(1);
}

static void connection(int ends[2])
{
	int port, listener = net_listen(&port);
	ends[0] = net_connect(port);
	ends[1] = accept(listener, NULL, NULL);
	if (ends[1] < 0)
		fail("accept");
	close(listener);
}

/* --- ways to write: head and body, all of it ----------------------------------------------------------- */

#define BODY 5000

static char body_bytes[BODY];
static int body_file, body_pipe[2], spare_pipe[2];

struct text {
	char head[300];
	size_t head_len;
};

static struct iovec *pieces(const struct text *text, struct iovec iov[3])
{
	iov[0] = (struct iovec){(void *)text->head, 7};
	iov[1] = (struct iovec){(void *)(text->head + 7), text->head_len - 7};
	iov[2] = (struct iovec){body_bytes, BODY};
	return iov;
}

static void whole(ssize_t sent, size_t want, const char *what)
{
	if (sent != (ssize_t)want)
		fail(what);
}

static void by_write(int fd, const struct text *text)
{
	whole(write(fd, text->head, text->head_len), text->head_len, "write");
	whole(write(fd, body_bytes, BODY), BODY, "write");
}
static void by_writev(int fd, const struct text *text)
{
	struct iovec iov[3];
	whole(writev(fd, pieces(text, iov), 3), text->head_len + BODY, "writev");
}
static void by_pwritev2(int fd, const struct text *text)
{
	struct iovec iov[3];
	whole(pwritev2(fd, pieces(text, iov), 3, -1, 0), text->head_len + BODY, "pwritev2");
}
static void by_pwritev64v2(int fd, const struct text *text)
{
	struct iovec iov[3];
	whole(pwritev64v2(fd, pieces(text, iov), 3, -1, 0), text->head_len + BODY, "pwritev64v2");
}
static void by_send(int fd, const struct text *text)
{
	whole(send(fd, text->head, text->head_len, MSG_NOSIGNAL | MSG_DONTWAIT), text->head_len, "send");
	whole(send(fd, body_bytes, BODY, 0), BODY, "send");
}
static void by_send_more(int fd, const struct text *text)
{
	whole(send(fd, text->head, 20, MSG_MORE), 20, "send");
	whole(send(fd, text->head + 20, text->head_len - 20, MSG_MORE), text->head_len - 20, "send");
	whole(send(fd, body_bytes, BODY, 0), BODY, "send");
}
static void by_sendto(int fd, const struct text *text)
{
	whole(sendto(fd, text->head, text->head_len, 0, NULL, 0), text->head_len, "sendto");
	whole(sendto(fd, body_bytes, BODY, 0, NULL, 0), BODY, "sendto");
}
static void by_sendmsg(int fd, const struct text *text)
{
	struct iovec iov[3];
	struct msghdr message = {.msg_iov = pieces(text, iov), .msg_iovlen = 3};
	whole(sendmsg(fd, &message, 0), text->head_len + BODY, "sendmsg");
}
static void by_sendmmsg(int fd, const struct text *text)
{
	struct iovec iov[3];
	pieces(text, iov);
	struct mmsghdr messages[2] = {{.msg_hdr = {.msg_iov = iov, .msg_iovlen = 2}},
				      {.msg_hdr = {.msg_iov = iov + 2, .msg_iovlen = 1}}};
	whole(sendmmsg(fd, messages, 2, 0), 2, "sendmmsg");
	whole(messages[0].msg_len, text->head_len, "sendmmsg, first");
	whole(messages[1].msg_len, BODY, "sendmmsg, second");
}
/* The kernel tells of each send on the error queue: one for each call of the host's, and no others. */
static void by_zerocopy(int fd, const struct text *text)
{
	int on = 1, told = 0;
	if (setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &on, sizeof(on)))
		fail("SO_ZEROCOPY");
	whole(send(fd, text->head, text->head_len, MSG_ZEROCOPY), text->head_len, "zerocopy");
	whole(send(fd, body_bytes, BODY, MSG_ZEROCOPY), BODY, "zerocopy");
	while (told < 2) {
		char control[200];
		struct msghdr message = {.msg_control = control, .msg_controllen = sizeof(control)};
		struct pollfd event = {.fd = fd};
		if (poll(&event, 1, 5000) != 1 || recvmsg(fd, &message, MSG_ERRQUEUE) < 0)
			fail("error queue");
		struct cmsghdr *c = CMSG_FIRSTHDR(&message);
		const struct sock_extended_err *e = (const void *)CMSG_DATA(c);
		told += (int)(e->ee_data - e->ee_info + 1);
	}
	if (told != 2)
		fail("notices of zerocopy");
}
static void by_dprintf(int fd, const struct text *text)
{
	whole(dprintf(fd, "%.*s", (int)text->head_len, text->head), text->head_len, "dprintf");
	whole(write(fd, body_bytes, BODY), BODY, "write");
}
static void by_dprintf_chk(int fd, const struct text *text)
{
	whole(__dprintf_chk(fd, 1, "%.*s", (int)text->head_len, text->head), text->head_len, "__dprintf_chk");
	whole(write(fd, body_bytes, BODY), BODY, "write");
}
static void by_sendfile(int fd, const struct text *text)
{
	off_t at = 0;
	whole(send(fd, text->head, text->head_len, MSG_MORE), text->head_len, "send");
	whole(sendfile(fd, body_file, &at, BODY), BODY, "sendfile");
}
static void by_sendfile64(int fd, const struct text *text)
{
	off64_t at = 0;
	whole(write(fd, text->head, text->head_len), text->head_len, "write");
	whole(sendfile64(fd, body_file, &at, BODY), BODY, "sendfile64");
}
static void by_splice(int fd, const struct text *text)
{
	whole(write(fd, text->head, text->head_len), text->head_len, "write");
	whole(write(body_pipe[1], body_bytes, BODY), BODY, "pipe");
	whole(splice(body_pipe[0], NULL, fd, NULL, BODY, 0), BODY, "splice");
}
static void by_vmsplice(int fd, const struct text *text)
{
	struct iovec iov = {body_bytes, BODY};
	whole(write(fd, text->head, text->head_len), text->head_len, "write");
	whole(vmsplice(body_pipe[1], &iov, 1, 0), BODY, "vmsplice");
	whole(splice(body_pipe[0], NULL, fd, NULL, BODY, SPLICE_F_MOVE), BODY, "splice");
}
/* The copy goes, and the original too, to somebody else. */
static void by_tee(int fd, const struct text *text)
{
	static char back[BODY];
	whole(write(fd, text->head, text->head_len), text->head_len, "write");
	whole(write(body_pipe[1], body_bytes, BODY), BODY, "pipe");
	whole(tee(body_pipe[0], spare_pipe[1], BODY, 0), BODY, "tee");
	whole(splice(spare_pipe[0], NULL, fd, NULL, BODY, 0), BODY, "splice");
	whole(read(body_pipe[0], back, BODY), BODY, "the original");
}
static void by_copy(int fd, const struct text *text)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 200);
	whole(write(copy, text->head, text->head_len), text->head_len, "write");
	close(copy);
	whole(write(fd, body_bytes, BODY), BODY, "write");
}
static void by_stdio(int fd, const struct text *text)
{
	FILE *stream = fdopen(dup(fd), "w");
	if (!stream || fprintf(stream, "%.*s", (int)text->head_len, text->head) < 0 ||
	    fwrite(body_bytes, 1, BODY, stream) != BODY || fclose(stream))
		fail("stdio");
}

/* --- ways to read: how much of what is there ------------------------------------------------------------ */

static ssize_t in_read(int fd, char *to, size_t room)
{
	return read(fd, to, room);
}
static ssize_t in_read_chk(int fd, char *to, size_t room)
{
	return __read_chk(fd, to, room, room);
}
static ssize_t in_readv(int fd, char *to, size_t room)
{
	struct iovec iov[2] = {{to, 5}, {to + 5, room - 5}};
	return readv(fd, iov, 2);
}
static ssize_t in_preadv2(int fd, char *to, size_t room)
{
	struct iovec iov[2] = {{to, 5}, {to + 5, room - 5}};
	return preadv2(fd, iov, 2, -1, 0);
}
static ssize_t in_preadv64v2(int fd, char *to, size_t room)
{
	struct iovec iov = {to, room};
	return preadv64v2(fd, &iov, 1, -1, 0);
}
static ssize_t in_recv(int fd, char *to, size_t room)
{
	return recv(fd, to, room, 0);
}
static ssize_t in_recv_chk(int fd, char *to, size_t room)
{
	return __recv_chk(fd, to, room, room, 0);
}
static ssize_t in_recv_peek(int fd, char *to, size_t room)
{
	ssize_t there = recv(fd, to, room, MSG_PEEK);
	return there <= 0 ? there : recv(fd, to, (size_t)there, MSG_WAITALL);
}
static ssize_t in_recv_dontwait(int fd, char *to, size_t room)
{
	struct pollfd event = {.fd = fd, .events = POLLIN};
	ssize_t got;
	while ((got = recv(fd, to, room, MSG_DONTWAIT)) < 0 && errno == EAGAIN)
		poll(&event, 1, 1000);
	return got;
}
static ssize_t in_recvfrom(int fd, char *to, size_t room)
{
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	return recvfrom(fd, to, room, 0, (struct sockaddr *)&from, &len);
}
static ssize_t in_recvfrom_chk(int fd, char *to, size_t room)
{
	return __recvfrom_chk(fd, to, room, room, 0, NULL, NULL);
}
static ssize_t in_recvmsg(int fd, char *to, size_t room)
{
	struct iovec iov[2] = {{to, 5}, {to + 5, room - 5}};
	struct msghdr message = {.msg_iov = iov, .msg_iovlen = 2};
	return recvmsg(fd, &message, 0);
}
static ssize_t in_recvmmsg(int fd, char *to, size_t room)
{
	struct iovec iov = {to, room};
	struct mmsghdr message = {.msg_hdr = {.msg_iov = &iov, .msg_iovlen = 1}};
	int count = recvmmsg(fd, &message, 1, MSG_WAITFORONE, NULL);
	return count == 1 ? (ssize_t)message.msg_len : count;
}
/* Through a pipe, never through memory of ours before. */
static ssize_t in_splice(int fd, char *to, size_t room)
{
	ssize_t got = splice(fd, NULL, body_pipe[1], NULL, room < 4096 ? room : 4096, 0);
	return got <= 0 ? got : read(body_pipe[0], to, (size_t)got);
}
/* On TCP: thrown away by the kernel, so there is nothing to compare. */
static ssize_t in_recv_trunc(int fd, char *to, size_t room)
{
	ssize_t got = recv(fd, NULL, room, MSG_TRUNC);
	memcpy(to, body_bytes, got > 0 ? (size_t)got : 0);
	return got;
}

struct writer {
	const char *name;
	void (*write)(int, const struct text *);
};
struct reader {
	const char *name;
	ssize_t (*read)(int, char *, size_t), (*body)(int, char *, size_t);
};
#define W(name) {#name, by_##name}
#define R(name) {#name, in_##name, in_##name}
static const struct writer writers[] = {
	W(write), W(writev), W(pwritev2), W(pwritev64v2), W(send), W(send_more), W(sendto), W(sendmsg), W(sendmmsg), W(dprintf),
	W(dprintf_chk), W(sendfile), W(sendfile64), W(splice), W(vmsplice), W(tee), W(copy)};
static const struct writer frozen[] = {W(zerocopy), W(stdio)};
static const struct reader readers[] = {R(read), R(read_chk), R(readv), R(preadv2), R(preadv64v2), R(recv), R(recv_chk), R(recv_peek),
	R(recv_dontwait), R(recvfrom), R(recvfrom_chk), R(recvmsg), R(recvmmsg),
	{"splice_body", in_read, in_splice}, {"recv_trunc_body", in_read, in_recv_trunc}};
#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

/* Reads a head, byte by byte at its end so that the body is left alone, and the body. True: as it was written, but for
 * at most one line of context. */
static int take(int fd, const struct text *want, const struct reader *by)
{
	static char head[1000], body[BODY];
	size_t got = 0, at = 0;
	struct pollfd event = {.fd = fd, .events = POLLIN};
	memset(head, 0, sizeof(head));
	memset(body, 0, sizeof(body));
	while (!strstr(head, "\r\n\r\n")) {
		/* Never a byte of the body: its way in may be another. */
		char peeked[1000] = "";
		poll(&event, 1, 5000);
		ssize_t there = recv(fd, peeked, sizeof(peeked) - 1, MSG_PEEK);
		if (there <= 0)
			fail("peek");
		char *all = memmem(peeked, (size_t)there, "\r\n\r\n", 4);
		ssize_t n = by->read(fd, head + got, all && got == 0 ? (size_t)(all + 4 - peeked) : 6);
		if (n <= 0)
			fail(by->name);
		got += (size_t)n;
	}
	while (at < BODY) {
		ssize_t n = by->body(fd, body + at, BODY - at);
		if (n <= 0)
			fail(by->name);
		at += (size_t)n;
	}
	char *ours = strstr(head, "traceparent: ");
	if (ours) {
		char *end = strstr(ours, "\r\n") + 2;
		memmove(ours, end, strlen(end) + 1);
	}
	return strlen(head) == want->head_len && memcmp(head, want->head, want->head_len) == 0 &&
	       memcmp(body, body_bytes, BODY) == 0;
}

static void exchange(const char *path, const struct writer *out, const struct reader *in)
{
	int ends[2];
	struct text request, answer;
	request.head_len = (size_t)snprintf(request.head, sizeof(request.head),
		"POST %s HTTP/1.1\r\nHost: here\r\nContent-Length: %d\r\n\r\n", path, BODY);
	answer.head_len = (size_t)snprintf(answer.head, sizeof(answer.head), "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", BODY);
	connection(ends);
	/* Twice: what is miscounted of the first is seen in the second. */
	for (int i = 0; i < 2; i++) {
		out->write(ends[0], &request);
		int asked = take(ends[1], &request, in);
		out->write(ends[1], &answer);
		int answered = take(ends[0], &answer, in);
		printf("%s: request %s, answer %s\n", path, asked ? "whole" : "BROKEN", answered ? "whole" : "BROKEN");
	}
	close(ends[0]);
	close(ends[1]);
}

static void moves(void)
{
	char path[64], name[] = "/tmp/calls.XXXXXX";
	for (int i = 0; i < BODY; i++)
		body_bytes[i] = (char)('a' + i % 23);
	body_file = mkstemp(name);
	unlink(name);
	if (write(body_file, body_bytes, BODY) != BODY || pipe(body_pipe) || pipe(spare_pipe))
		fail("set-up");
	for (size_t i = 0; i < COUNT(writers); i++) {
		snprintf(path, sizeof(path), "/by/%s", writers[i].name);
		exchange(path, &writers[i], &readers[0]);
	}
	for (size_t i = 0; i < COUNT(readers); i++) {
		snprintf(path, sizeof(path), "/in/%s", readers[i].name);
		exchange(path, &writers[0], &readers[i]);
	}
	for (size_t i = 0; i < COUNT(frozen); i++) {
		snprintf(path, sizeof(path), "/frozen/%s", frozen[i].name);
		exchange(path, &frozen[i], &readers[0]);
	}
}

/* --- waits ------------------------------------------------------------------------------------------------ */

static int foreign[2], loop_epoll;
static volatile sig_atomic_t signalled;

static void on_signal(int number)
{
	signalled = number;
}

/* Waits on two descriptors that no request made, for at most `ms`, with that mask. */
static int wait_by(const char *how, int ms, const sigset_t *mask)
{
	struct pollfd fds[2] = {{.fd = foreign[0], .events = POLLIN}, {.fd = foreign[1], .events = POLLIN}};
	struct timespec time = {ms / 1000, ms % 1000 * 1000000};
	struct timeval small = {ms / 1000, ms % 1000 * 1000};
	struct epoll_event events[2];
	int most = foreign[0] > foreign[1] ? foreign[0] : foreign[1];
	fd_set set;
	FD_ZERO(&set);
	FD_SET(foreign[0], &set);
	FD_SET(foreign[1], &set);
	if (!strcmp(how, "poll"))
		return poll(fds, 2, ms);
	if (!strcmp(how, "poll_chk"))
		return __poll_chk(fds, 2, ms, sizeof(fds));
	if (!strcmp(how, "ppoll"))
		return ppoll(fds, 2, &time, mask);
	if (!strcmp(how, "ppoll_chk"))
		return __ppoll_chk(fds, 2, &time, mask, sizeof(fds));
	if (!strcmp(how, "select"))
		return select(most + 1, &set, NULL, NULL, &small);
	if (!strcmp(how, "pselect"))
		return pselect(most + 1, &set, NULL, NULL, &time, mask);
	if (!strcmp(how, "epoll_wait"))
		return epoll_wait(loop_epoll, events, 2, ms);
	if (!strcmp(how, "epoll_pwait"))
		return epoll_pwait(loop_epoll, events, 2, ms, mask);
	return epoll_pwait2(loop_epoll, events, 2, &time, mask);
}

static const char *const wait_names[] = {"poll", "poll_chk", "ppoll", "ppoll_chk", "select", "pselect",
					 "epoll_wait", "epoll_pwait", "epoll_pwait2"};

static void *clients(void *port)
{
	for (size_t i = 0; i < COUNT(wait_names); i++) {
		char path[64];
		snprintf(path, sizeof(path), "/wait/%s", wait_names[i]);
		net_call(*(int *)port, path);
	}
	return NULL;
}

static void waits(void)
{
	int backend, port;
	pid_t pid = net_backend(&backend);
	struct epoll_event event = {.events = EPOLLIN};
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, foreign) || (loop_epoll = epoll_create1(0)) < 0 ||
	    epoll_ctl(loop_epoll, EPOLL_CTL_ADD, foreign[0], &event) || epoll_ctl(loop_epoll, EPOLL_CTL_ADD, foreign[1], &event))
		fail("set-up");
	int listener = net_listen(&port);
	pthread_t thread;
	pthread_create(&thread, NULL, clients, &port);
	char byte = 'x'; /* there for all of them, and taken by none */
	if (write(foreign[1], &byte, 1) != 1)
		fail("a byte");
	for (size_t i = 0; i < COUNT(wait_names); i++) {
		char text[2000], path[64];
		int fd = accept(listener, NULL, NULL);
		if (!net_read(fd, text, sizeof(text)))
			fail("request");
		snprintf(path, sizeof(path), "/before/%s", wait_names[i]);
		net_call(backend, path);
		int result = wait_by(wait_names[i], 20000, NULL); /* a mere look, in a loop, ends nothing */
		snprintf(path, sizeof(path), "/after/%s", wait_names[i]);
		net_call(backend, path);
		net_answer(fd);
		close(fd);
		printf("%s: %d\n", wait_names[i], result);
	}
	pthread_join(thread, NULL);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	if (read(foreign[0], &byte, 1) != 1)
		fail("the byte");

	/* A signal that is blocked outside and let in by the wait's own mask. */
	sigset_t blocked, none;
	sigemptyset(&none);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR1);
	signal(SIGUSR1, on_signal);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	static const char *const masked[] = {"ppoll", "ppoll_chk", "pselect", "epoll_pwait", "epoll_pwait2"};
	for (size_t i = 0; i < COUNT(masked); i++) {
		signalled = 0;
		raise(SIGUSR1);
		int result = wait_by(masked[i], 20000, &none), error = errno;
		printf("%s with a mask: %d %s, signal %s\n", masked[i], result, strerror(error), signalled ? "in" : "OUT");
	}
}

/* --- names ------------------------------------------------------------------------------------------------ */

static int find(const char *how, const char *host, struct sockaddr_in *to)
{
	char room[4000];
	int error;
	struct hostent host_room, *found = NULL;
	if (!strcmp(how, "getaddrinfo")) {
		struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *list;
		if (getaddrinfo(host, NULL, &hints, &list))
			return 0;
		to->sin_addr = ((struct sockaddr_in *)list->ai_addr)->sin_addr;
		freeaddrinfo(list);
		return 1;
	}
	if (!strcmp(how, "gethostbyname"))
		found = gethostbyname(host);
	else if (!strcmp(how, "gethostbyname2"))
		found = gethostbyname2(host, AF_INET);
	else if (!strcmp(how, "gethostbyname_r"))
		gethostbyname_r(host, &host_room, room, sizeof(room), &found, &error);
	else if (!strcmp(how, "gethostbyname2_r"))
		gethostbyname2_r(host, AF_INET, &host_room, room, sizeof(room), &found, &error);
	if (found)
		memcpy(&to->sin_addr, found->h_addr_list[0], sizeof(to->sin_addr));
	return found != NULL;
}

static void names(const char *how)
{
	int port;
	pid_t pid = net_backend(&port);
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	char text[2000];
	if (!find(how, "localhost", &to))
		fail(how);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)))
		fail("connect");
	int length = snprintf(text, sizeof(text), "GET /named/%s HTTP/1.0\r\n\r\n", how);
	if (write(fd, text, (size_t)length) != length || !net_read(fd, text, sizeof(text)))
		fail("exchange");
	close(fd);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	/* And nobody there: the failed connect bears the name too. */
	fd = socket(AF_INET, SOCK_STREAM, 0);
	int result = connect(fd, (struct sockaddr *)&to, sizeof(to));
	printf("%s: found, then %d %s\n", how, result, strerror(errno));
	close(fd);
}

/* --- ends -------------------------------------------------------------------------------------------------- */

static void one(const char *path)
{
	char text[2000];
	int ends[2];
	connection(ends);
	net_ask(ends[0], path);
	if (!net_read(ends[1], text, sizeof(text)))
		fail("request");
	net_answer(ends[1]);
	if (!net_read(ends[0], text, sizeof(text)))
		fail("answer");
	close(ends[0]);
	close(ends[1]);
}

static void last_words(void)
{
	one("/end/handler");
}

static void on_abort(int number)
{
	(void)number;
	_exit(9);
}

static void *ending_thread(void *how)
{
	if (!strcmp(how, "exit-in-thread"))
		exit(7);
	usleep(100000);
	return NULL;
}

static int ends(const char *how)
{
	pthread_t thread;
	one("/end");
	if (!strcmp(how, "_exit"))
		_exit(7);
	if (!strcmp(how, "_Exit"))
		_Exit(7);
	if (!strcmp(how, "exit")) {
		atexit(last_words);
		exit(7);
	}
	if (!strcmp(how, "quick_exit")) {
		at_quick_exit(last_words);
		quick_exit(7);
	}
	if (!strcmp(how, "abort"))
		abort();
	if (!strcmp(how, "abort-caught")) {
		signal(SIGABRT, on_abort);
		abort();
	}
	if (!strcmp(how, "exec"))
		execl("/bin/false", "false", (char *)0);
	if (!strcmp(how, "pthread_exit") || !strcmp(how, "exit-in-thread")) {
		pthread_create(&thread, NULL, ending_thread, (void *)how);
		pthread_exit(NULL);
	}
	if (!strcmp(how, "fork")) {
		pid_t pid = fork();
		if (pid == 0) {
			one("/end/child");
			_exit(3);
		}
		waitpid(pid, NULL, 0);
	}
	return 7;
}

/* --- descriptors in messages --------------------------------------------------------------------------------- */

static void pass(int channel, const int *fds, int count)
{
	char control[CMSG_SPACE(sizeof(int) * 4)] = "", byte = 'x';
	struct iovec iov = {&byte, 1};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)count)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&message);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)count);
	memcpy(CMSG_DATA(c), fds, sizeof(int) * (size_t)count);
	if (sendmsg(channel, &message, 0) != 1)
		fail("pass");
}

static int passed_on(int channel, int *fds, int many)
{
	char control[CMSG_SPACE(sizeof(int) * 4)] = "", byte;
	struct iovec iov = {&byte, 1};
	struct mmsghdr message = {.msg_hdr = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)}};
	if (many ? recvmmsg(channel, &message, 1, 0, NULL) != 1 : recvmsg(channel, &message.msg_hdr, 0) != 1)
		return 0;
	struct cmsghdr *c = CMSG_FIRSTHDR(&message.msg_hdr);
	if (!c || c->cmsg_type != SCM_RIGHTS)
		return 0;
	int count = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
	memcpy(fds, CMSG_DATA(c), sizeof(int) * (size_t)count);
	return count;
}

/* What arrives is a server's end; of two, the second is a client's that asks first. */
static void worker(int channel)
{
	for (int i = 0;; i++) {
		char text[2000];
		int fds[4], count = passed_on(channel, fds, i % 2);
		if (!count)
			_exit(0);
		if (count == 2) {
			net_ask(fds[1], "/passed/client");
			if (!net_read(fds[1], text, sizeof(text)))
				_exit(1);
			close(fds[1]);
		}
		while (net_read(fds[0], text, sizeof(text)))
			net_answer(fds[0]);
		close(fds[0]);
	}
}

static void passed(void)
{
	int channel[2], backend, port;
	pid_t asked = net_backend(&backend);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, channel))
		fail("socketpair");
	pid_t pid = fork();
	if (pid == 0) {
		close(channel[0]);
		worker(channel[1]);
	}
	close(channel[1]);
	char text[2000];
	int listener = net_listen(&port);
	for (int i = 0; i < 4; i++) {
		char path[64];
		int client = net_connect(port), fds[2] = {accept(listener, NULL, NULL), i == 2 ? net_connect(backend) : -1};
		pass(channel[0], fds, i == 2 ? 2 : 1);
		close(fds[0]);
		if (i == 2)
			close(fds[1]);
		for (int k = 0; k < 2; k++) {
			snprintf(path, sizeof(path), "/passed/%d", i);
			net_ask(client, path);
			printf("%s: %s\n", path, net_read(client, text, sizeof(text)) ? "answered" : "LOST");
		}
		close(client);
	}
	/* In the midst of a head: who gets it has not seen how it began, and must not guess. */
	int client = net_connect(port), fd = accept(listener, NULL, NULL);
	static const char head[] = "GET /passed/half HTTP/1.1\r\nHost: here\r\n";
	if (write(client, head, sizeof(head) - 1) != sizeof(head) - 1 || read(fd, text, sizeof(text)) <= 0)
		fail("half");
	pass(channel[0], &fd, 1);
	close(fd);
	if (write(client, "X: y\r\n\r\n", 8) != 8)
		fail("half");
	printf("/passed/half: %s\n", net_read(client, text, sizeof(text)) ? "answered" : "LOST");
	close(client);
	close(channel[0]);
	int status;
	waitpid(pid, &status, 0);
	printf("worker: %d\n", status);
	kill(asked, SIGKILL);
	waitpid(asked, NULL, 0);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "", *name = argc > 2 ? argv[2] : "";
	alarm(60);
	if (!strcmp(what, "moves"))
		moves();
	else if (!strcmp(what, "waits"))
		waits();
	else if (!strcmp(what, "names"))
		names(name);
	else if (!strcmp(what, "ends"))
		return ends(name);
	else if (!strcmp(what, "passed"))
		passed();
	else
		return 2;
	return 0;
}
