/* foreign.c - built for musl: the calls that we interpose, as a libc other than glibc has them. Prints what
 * they answer. */
#include <stdio.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>
#include <string.h>
#include <poll.h>
#include <errno.h>
#include <spawn.h>
#include <sys/wait.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <sys/sendfile.h>
#include <fcntl.h>
#include <dlfcn.h>
static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t c = PTHREAD_COND_INITIALIZER;
static int go;
static void *t(void *p)
{
	pthread_mutex_lock(&m);
	go = 1;
	pthread_cond_signal(&c);
	pthread_mutex_unlock(&m);
	return p;
}
static void bye(void)
{
	write(1, "atexit\n", 7);
}
int main(int n, char **v)
{
	atexit(bye);
	setvbuf(stdout, 0, _IONBF, 0);
	pthread_t th;
	pthread_create(&th, 0, t, 0);
	pthread_mutex_lock(&m);
	while (!go)
		pthread_cond_wait(&c, &m);
	pthread_mutex_unlock(&m);
	pthread_join(th, 0);
	int s[2];
	socketpair(AF_UNIX, SOCK_STREAM, 0, s);
	struct iovec io = {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27};
	printf("%zd\n", writev(s[0], &io, 1));
	char b[100];
	printf("%zd\n", recv(s[1], b, 100, MSG_DONTWAIT));
	ssize_t none = recv(s[1], b, 100, MSG_DONTWAIT);
	printf("%zd %d\n", none, errno == EAGAIN);
	struct pollfd p = {s[1], POLLIN, 0};
	printf("%d\n", poll(&p, 1, 1));
	int e = epoll_create1(0);
	struct epoll_event ev = {EPOLLIN};
	epoll_ctl(e, EPOLL_CTL_ADD, s[1], &ev);
	write(s[0], "x", 1);
	printf("%d\n", epoll_wait(e, &ev, 1, 10));
	printf("%d\n", system("exit 3") >> 8);
	FILE *f = popen("echo p", "r");
	fgets(b, 100, f);
	printf("%s", b);
	pclose(f);
	pid_t k = fork();
	if (!k)
		_exit(4);
	int st;
	waitpid(k, &st, 0);
	printf("%d\n", st >> 8);
	char *a[] = {"sh", "-c", "exit 5", 0};
	posix_spawn(&k, "/bin/sh", 0, 0, a, environ);
	waitpid(k, &st, 0);
	printf("%d\n", st >> 8);
	k = fork();
	if (!k) {
		execvp("sh", a);
		_exit(1);
	}
	waitpid(k, &st, 0);
	printf("%d\n", st >> 8);
	int copy = dup2(s[0], 50);
	printf("%d %d\n", copy, close(50));
	dprintf(1, "dp %d\n", 1);
	printf("%d\n", accept(s[0], 0, 0));
	int q = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in in = {
		.sin_family = AF_INET, .sin_port = htons(1), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int refused = connect(q, (void *)&in, sizeof in);
	printf("%d %d\n", refused, errno == ECONNREFUSED);
	printf("%d\n", open("/nonexist", O_RDONLY));
	shutdown(s[0], SHUT_WR);
	printf("%zd\n", sendfile(1, open("/etc/hostname", O_RDONLY), 0, 100));
	printf("%d\n", dlopen("nolib.so", RTLD_NOW) == 0);
	return 6;
}
