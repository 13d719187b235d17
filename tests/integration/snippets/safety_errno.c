/* safety_errno: several hundred calls, most of them wrong, and what each answered. The same text bare and preloaded. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *about;

/* The call, its result, errno where it failed (and that errno is left alone where it did not). */
#define T(call)                                                                                        \
	do {                                                                                           \
		errno = 4242;                                                                          \
		long result_ = (long)(call);                                                           \
		int error_ = errno;                                                                    \
		printf("%s: %s = %ld, %s\n", about, #call, result_,                                    \
		       error_ == 4242 ? "errno untouched" : strerrorname_np(error_));                  \
	} while (0)

static char *hole;      /* readable, forbidden, readable: a page each */
static char *edge;      /* 64 readable bytes in front of a page that is not */
static char *forbidden; /* PROT_NONE */
static char good[1 << 16];
static char *volatile nowhere = (char *)8;
static char *volatile kernel = (char *)0xffff800000000000;

static void make_memory(void)
{
	hole = mmap(NULL, 8 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memset(hole, 'c', 8 * 4096);
	memcpy(hole, "POST /hole HTTP/1.1\r\nHost: x\r\nCookie: ", 38);
	mprotect(hole + 4096, 4096, PROT_NONE);
	forbidden = hole + 6 * 4096;
	mprotect(forbidden, 4096, PROT_NONE);
	edge = forbidden - 64;
	memcpy(edge, "GET /edge HTTP/1.1\r\nHost: edge\r\nAccept: 0123456789012345678901234", 64);
}

static void writes(const char *what, int fd)
{
	char *bad[] = {NULL, nowhere, kernel, forbidden};
	struct iovec iov[3] = {{good, 10}, {nowhere, 10}, {good, 5}};
	struct iovec huge[2] = {{good, (size_t)1 << 62}, {good, (size_t)1 << 62}};
	struct msghdr message = {.msg_iov = iov, .msg_iovlen = 3};
	struct msghdr empty = {0};
	struct mmsghdr many[2] = {{.msg_hdr = empty}, {.msg_hdr = message}};
	char control[64] = {0};

	about = what;
	memcpy(good, "no request", 10);
	T(write(fd, good, 0));
	T(write(fd, NULL, 0));
	T(send(fd, NULL, 0, MSG_DONTWAIT));
	for (int i = 0; i < 4; i++) {
		T(write(fd, bad[i], 1));
		T(send(fd, bad[i], 10, MSG_DONTWAIT | MSG_NOSIGNAL));
		T(sendto(fd, bad[i], 10, MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0));
		T(writev(fd, (struct iovec *)bad[i], 1));
		T(writev(fd, (struct iovec *)bad[i], 0));
		T(pwritev2(fd, (struct iovec *)bad[i], 1, -1, 0));
		T(sendmsg(fd, (struct msghdr *)bad[i], MSG_DONTWAIT | MSG_NOSIGNAL));
		T(sendmmsg(fd, (struct mmsghdr *)bad[i], 1, MSG_DONTWAIT | MSG_NOSIGNAL));
		message.msg_iov = (struct iovec *)bad[i];
		T(sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL));
		message.msg_iov = iov;
		message.msg_control = bad[i];
		message.msg_controllen = 32;
		T(sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL));
		message.msg_control = NULL;
		message.msg_controllen = 0;
	}
	T(writev(fd, iov, -1));
	T(writev(fd, iov, 1025));
	T(writev(fd, huge, 2));
	T(writev(fd, iov + 1, 1));
	T(sendmsg(fd, &empty, MSG_DONTWAIT | MSG_NOSIGNAL));
	message.msg_iovlen = 1025;
	T(sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL));
	message.msg_iovlen = 1;
	message.msg_control = control;
	message.msg_controllen = sizeof(control);
	T(sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL));
	T(sendmmsg(fd, many, 0, MSG_DONTWAIT));
	T(sendmmsg(fd, many, 1, MSG_DONTWAIT | MSG_NOSIGNAL));
	T(pwritev2(fd, iov, 1, 0, 0));
	T(pwritev2(fd, iov, 1, -1, 1 << 30));
	T(sendfile(fd, -1, NULL, 10));
	T(sendfile(fd, fd, NULL, 10));
	T(sendfile(fd, 0, (off_t *)nowhere, 10));
	T(splice(-1, NULL, fd, NULL, 10, 0));
	T(splice(0, NULL, fd, NULL, 10, 1 << 30));
	T(send(fd, good, 10, MSG_OOB | MSG_DONTWAIT | MSG_NOSIGNAL));
	T(send(fd, good, 10, MSG_ERRQUEUE | MSG_DONTWAIT | MSG_NOSIGNAL));
	T(sendto(fd, good, 10, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)nowhere, 16));
	T(sendto(fd, good, 10, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)good, 100000));
	T(write(fd, good, 10));
}

static void reads(const char *what, int fd)
{
	char *bad[] = {NULL, nowhere, kernel, forbidden};
	struct iovec iov[2] = {{good, 1}, {nowhere, 10}};
	struct msghdr message = {.msg_iov = iov, .msg_iovlen = 2};
	struct mmsghdr many = {.msg_hdr = message};
	socklen_t length = 8;

	about = what;
	T(read(fd, good, 0));
	T(read(fd, NULL, 0));
	T(recv(fd, NULL, 0, MSG_DONTWAIT));
	for (int i = 0; i < 4; i++) {
		T(read(fd, bad[i], 1));
		T(recv(fd, bad[i], 1, MSG_DONTWAIT));
		T(recv(fd, bad[i], 1, MSG_DONTWAIT | MSG_PEEK));
		T(recvfrom(fd, bad[i], 1, MSG_DONTWAIT, NULL, NULL));
		T(readv(fd, (struct iovec *)bad[i], 1));
		T(preadv2(fd, (struct iovec *)bad[i], 1, -1, 0));
		T(recvmsg(fd, (struct msghdr *)bad[i], MSG_DONTWAIT));
		T(recvmmsg(fd, (struct mmsghdr *)bad[i], 1, MSG_DONTWAIT, NULL));
		message.msg_iov = (struct iovec *)bad[i];
		T(recvmsg(fd, &message, MSG_DONTWAIT));
		message.msg_iov = iov;
	}
	T(readv(fd, iov, -1));
	T(readv(fd, iov, 1025));
	T(readv(fd, iov + 1, 1));
	T(recv(fd, good, (size_t)-1, MSG_DONTWAIT | MSG_PEEK));
	T(recvmsg(fd, &message, MSG_DONTWAIT | MSG_ERRQUEUE));
	T(recvmmsg(fd, &many, 0, MSG_DONTWAIT, NULL));
	T(recvmmsg(fd, &many, 1, MSG_DONTWAIT, (struct timespec *)nowhere));
	T(recv(fd, good, 10, MSG_OOB));
	T(preadv2(fd, iov, 1, 0, 0));
	T(recvfrom(fd, good, 1, MSG_DONTWAIT, (struct sockaddr *)nowhere, &length));
	T(recvfrom(fd, good, 1, MSG_DONTWAIT, (struct sockaddr *)good, (socklen_t *)nowhere));
	length = (socklen_t)-1;
	T(recvfrom(fd, good, 1, MSG_DONTWAIT, (struct sockaddr *)good, &length));
	T(recv(fd, good, 10, MSG_DONTWAIT | MSG_TRUNC));
	T(recv(fd, good, sizeof(good), MSG_DONTWAIT));
	T(recv(fd, good, sizeof(good), MSG_DONTWAIT));
}

static void sockets(const char *what, int fd)
{
	struct sockaddr_un path = {.sun_family = AF_UNIX, .sun_path = "/no/such/socket"};
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(1)};
	struct sockaddr odd = {.sa_family = 200};
	socklen_t length = sizeof(in);
	int value;

	about = what;
	T(connect(fd, (struct sockaddr *)nowhere, 16));
	T(connect(fd, (struct sockaddr *)kernel, 16));
	T(connect(fd, NULL, 16));
	T(connect(fd, (struct sockaddr *)&in, 1));
	T(connect(fd, (struct sockaddr *)&in, 100000));
	T(connect(fd, (struct sockaddr *)&in, (socklen_t)-1));
	T(connect(fd, &odd, sizeof(odd)));
	T(connect(fd, (struct sockaddr *)&path, sizeof(path)));
	T(accept(fd, NULL, NULL));
	T(accept(fd, (struct sockaddr *)nowhere, (socklen_t *)nowhere));
	T(accept4(fd, NULL, NULL, 1 << 30));
	T(getsockopt(fd, SOL_SOCKET, SO_ERROR, nowhere, &length));
	T(getsockopt(fd, SOL_SOCKET, SO_ERROR, &value, (socklen_t *)nowhere));
	T(getsockopt(fd, SOL_SOCKET, 31337, &value, &length));
	length = 1;
	T(getsockopt(fd, SOL_SOCKET, SO_ERROR, &value, &length));
	T(shutdown(fd, 77));
	T(ioctl(fd, FIONBIO, nowhere));
	T(fcntl(fd, F_GETFD));
	T(fcntl(fd, 31337, 0));
	T(fcntl(fd, F_SETFL, -1) * 0);
	T(fcntl(fd, F_DUPFD, -1));
	T(fcntl(fd, F_DUPFD, 1 << 30));
	T(fcntl(fd, F_GETLK, nowhere));
	T(dup2(fd, -1));
	T(dup2(fd, 1 << 30));
	T(dup3(fd, 400, 1 << 30));
	T(dup3(fd, -1, 0));
}

static void waits(void)
{
	struct pollfd one = {-1, POLLIN, 0}, closed = {987, POLLIN, 0};
	struct timespec odd = {-1, 0}, zero = {0, 0};
	struct timeval odd_time = {-1, 0}, zero_time = {0, 0};
	struct epoll_event event;
	fd_set set;
	int epoll = epoll_create1(0);

	about = "waiting";
	T(poll(NULL, 0, 0));
	T(poll((struct pollfd *)nowhere, 1, 0));
	T(poll((struct pollfd *)kernel, 1, 0));
	T(poll((struct pollfd *)forbidden, 1, 0));
	T(poll(&one, (nfds_t)-1, 0));
	T(poll(&one, 1, 0));
	T(poll(&closed, 1, 0));
	T(ppoll(&one, 1, &odd, NULL));
	T(ppoll(&one, 1, &zero, (sigset_t *)nowhere));
	T(select(-1, NULL, NULL, NULL, &zero_time));
	T(select(0, NULL, NULL, NULL, &odd_time));
	T(select(10, (fd_set *)nowhere, NULL, NULL, &zero_time));
	T(select(10, NULL, (fd_set *)forbidden, NULL, &zero_time));
	FD_ZERO(&set);
	FD_SET(987, &set);
	T(select(988, &set, NULL, NULL, &zero_time));
	T(select(1 << 20, &set, NULL, NULL, &zero_time));
	T(pselect(10, (fd_set *)nowhere, NULL, NULL, &zero, NULL));
	T(pselect(0, NULL, NULL, NULL, &odd, NULL));
	T(epoll_wait(-1, &event, 1, 0));
	T(epoll_wait(epoll, &event, 0, 0));
	T(epoll_wait(epoll, (struct epoll_event *)nowhere, 1, 0));
	T(epoll_wait(0, &event, 1, 0));
	T(epoll_pwait(epoll, &event, 1, 0, (sigset_t *)nowhere));
	T(epoll_pwait2(epoll, &event, 1, &odd, NULL));
	close(epoll);
}

static void makers(void)
{
	int *bad = (int *)nowhere;

	about = "making";
	T(socket(-1, SOCK_STREAM, 0));
	T(socket(AF_INET, 31337, 0));
	T(socket(AF_INET, SOCK_STREAM, 31337));
	T(socketpair(AF_INET, SOCK_STREAM, 0, (int *)good));
	T(socketpair(AF_UNIX, SOCK_STREAM, 0, bad));
	T(pipe(bad));
	T(pipe2(bad, 0));
	T(pipe2((int *)good, 1 << 30));
	T(eventfd(0, 1 << 30));
	T(epoll_create(0));
	T(epoll_create1(1 << 30));
	T(timerfd_create(31337, 0));
	T(timerfd_create(CLOCK_MONOTONIC, 1 << 30));
	T(signalfd(-1, (sigset_t *)nowhere, 0));
	T(signalfd(7777, (sigset_t *)good, 0));
	T(inotify_init1(1 << 30));
	T(close(-1));
	T(close(987));
	T(close_range(9, 3, 0));
	T(close_range(990, 995, 1 << 30));
	T(dup(-1));
	T(dup(987));
	T(fdopen(-1, "r"));
	T(fdopen(987, "r"));
	T(fdopen(0, "bad mode"));
	T(dprintf(-1, "%s", "x"));
	T(dprintf(987, "%s", "x"));
	T(prctl(-1, 0, 0, 0, 0));
	T(prctl(PR_SET_SECCOMP, 77, 0, 0, 0));
	T(prctl(PR_GET_SECCOMP, 0, 0, 0, 0));
	T(syscall(-1));
	T(syscall(31337, 1, 2, 3, 4, 5, 6));
	T(syscall(SYS_seccomp, 77, 0, nowhere));
	T(syscall(SYS_getppid) > 0);
}

static void programs(void)
{
	char *none[] = {NULL}, *false_argv[] = {"false", NULL};
	char *bad_env[] = {nowhere, NULL};
	pid_t pid;
	int status;

	about = "programs";
	T(execve("/no/such/program", false_argv, none));
	T(execve(nowhere, false_argv, none));
	T(execve("/bin/false", (char **)nowhere, none));
	T(execve("/bin/false", false_argv, (char **)nowhere));
	T(execve("/bin/false", false_argv, bad_env));
	T(execve("/", false_argv, none));
	T(execve("/etc/passwd", false_argv, none));
	T(execv("/no/such/program", false_argv));
	T(execvp("no-such-program-anywhere", false_argv));
	T(execvp("", false_argv));
	T(execl("/no/such/program", "x", (char *)NULL));
	T(fexecve(-1, false_argv, none));
	T(posix_spawn(&pid, "/no/such/program", NULL, NULL, false_argv, none));
	T(posix_spawnp(&pid, "no-such-program-anywhere", NULL, NULL, false_argv, none));
	T(posix_spawn(&pid, "/bin/false", NULL, NULL, false_argv, none));
	T(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 1);
	T(system(NULL) != 0);
	T(system("exit 3"));
	T(system("kill -9 $$"));
	T(popen("true", "bad"));
	T(wait(NULL));
}

static void names(void)
{
	struct addrinfo *found = NULL, odd = {.ai_family = 200};
	struct addrinfo numeric = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM};

	about = "names";
	T(getaddrinfo(NULL, NULL, NULL, &found));
	T(getaddrinfo("127.0.0.1", "no-such-service", &numeric, &found));
	T(getaddrinfo("not numeric", "80", &numeric, &found));
	T(getaddrinfo("127.0.0.1", "80", &odd, &found));
	int result = getaddrinfo("127.0.0.1", "80", &numeric, &found);
	printf("names: numeric %d\n", result);
	if (result == 0)
		freeaddrinfo(found);
}

/* A connection over loopback: [0] connected, [1] accepted. */
static void connection(int ends[2])
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(at);
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	bind(listener, (struct sockaddr *)&at, sizeof(at));
	listen(listener, 4);
	getsockname(listener, (struct sockaddr *)&at, &size);
	ends[0] = socket(AF_INET, SOCK_STREAM, 0);
	connect(ends[0], (struct sockaddr *)&at, sizeof(at));
	ends[1] = accept(listener, NULL, NULL);
	close(listener);
}

/* Memory that ends, or has a hole, in the middle of a request. */
static void holes(void)
{
	int ends[2];
	struct iovec iov[2] = {{edge, 40}, {hole, 3 * 4096}};

	about = "holes";
	connection(ends);
	T(write(ends[0], edge, 200));
	T(recv(ends[1], good, sizeof(good), MSG_DONTWAIT));
	connection(ends);
	T(write(ends[0], hole, 3 * 4096));
	T(recv(ends[1], good, sizeof(good), MSG_DONTWAIT));
	connection(ends);
	T(writev(ends[0], iov, 2));
	T(recv(ends[1], good, sizeof(good), MSG_DONTWAIT));
	connection(ends);
	T(write(ends[0], hole, 2 * 4096));
	T(recv(ends[1], good, sizeof(good), MSG_DONTWAIT));
	connection(ends);
	T(write(ends[0], "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27) == 27);
	T(recv(ends[1], forbidden - 20, 4096, 0));
	T(recv(ends[1], good, sizeof(good), MSG_DONTWAIT) > 0);
	T(write(ends[1], edge, 200));
	T(write(ends[1], hole, 3 * 4096));
	T(recv(ends[0], good, sizeof(good), MSG_DONTWAIT));
}

static void quiet(int fd)
{
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

int main(void)
{
	int pair[2], tcp[2], pipes[2], udp = socket(AF_INET, SOCK_DGRAM, 0);
	int file = open("/etc/passwd", O_RDONLY), fresh = socket(AF_INET, SOCK_STREAM, 0);

	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdout, NULL, _IOLBF, 0);
	make_memory();
	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	connection(tcp);
	if (pipe(pipes) || dup2(open("/dev/null", O_RDONLY), 0))
		return 1;
	struct { const char *name; int fd; } all[] = {
		{"fd -1", -1}, {"closed fd", 987}, {"pipe out", pipes[1]}, {"pipe in", pipes[0]}, {"file", file}, {"udp", udp},
		{"fresh socket", fresh}, {"unix a", pair[0]}, {"unix b", pair[1]}, {"connected", tcp[0]}, {"accepted", tcp[1]}};
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		quiet(all[i].fd);
		writes(all[i].name, all[i].fd);
		reads(all[i].name, all[i].fd);
		sockets(all[i].name, all[i].fd);
	}
	close(tcp[1]);
	writes("peer is gone", tcp[0]);
	writes("peer is long gone", tcp[0]);
	reads("peer is gone", tcp[0]);
	shutdown(pair[0], SHUT_RDWR);
	writes("after shutdown", pair[0]);
	reads("after shutdown", pair[0]);
	holes();
	waits();
	makers();
	programs();
	names();
	return 0;
}
