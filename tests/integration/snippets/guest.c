/* guest - what a guest must leave alone: prints it, bare and traced must be equal.
 *
 * usage: guest state       signal dispositions, masks, limits, threads
 *        guest seccomp PORT  one request, then a filter that kills whoever makes a socket, a thread or a futex call */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static void print_state(void)
{
	struct sigaction action;
	struct rlimit limit;
	sigset_t mask;
	int threads = 0;

	sigprocmask(SIG_SETMASK, NULL, &mask);
	for (int i = 1; i < 65; i++)
		if (sigaction(i, NULL, &action) == 0)
			printf("signal %d: %s%s\n", i, action.sa_handler == SIG_DFL ? "default" : action.sa_handler == SIG_IGN ? "ignored" : "handled",
			       sigismember(&mask, i) ? ", blocked" : "");
	for (int i = 0; i < RLIM_NLIMITS; i++)
		if (getrlimit(i, &limit) == 0)
			printf("limit %d: %lld %lld\n", i, (long long)limit.rlim_cur, (long long)limit.rlim_max);
	DIR *tasks = opendir("/proc/self/task");
	while (tasks && readdir(tasks))
		threads++;
	printf("threads: %d\n", threads - 2);
	printf("dumpable: %d, no new privileges: %d\n", prctl(PR_GET_DUMPABLE), prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
}

static int ask(int port)
{
	static const char request[] = "GET /1k HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
	char buf[4096];
	int fd = socket(AF_INET, SOCK_STREAM, 0), got = 0;
	ssize_t n;
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) ||
	    send(fd, request, sizeof(request) - 1, 0) != sizeof(request) - 1)
		return -1;
	while ((n = recv(fd, buf, sizeof(buf), 0)) > 0)
		got += (int)n;
	close(fd);
	return got;
}

#define KILL(number) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (number), 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL)

static int confine(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		KILL(SYS_socket), KILL(SYS_connect), KILL(SYS_clone), KILL(SYS_clone3), KILL(SYS_futex), KILL(SYS_getrandom),
		KILL(SYS_mmap), KILL(SYS_openat), KILL(SYS_getpid), KILL(SYS_gettid), KILL(SYS_sendto), KILL(SYS_process_vm_readv),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "state") == 0) {
		print_state();
		return 0;
	}
	if (argc < 3)
		return 2;
	static char buffer[4096];
	setvbuf(stdout, buffer, _IOFBF, sizeof(buffer));
	printf("answer: %s\n", ask(atoi(argv[2])) > 1024 ? "whole" : "cut");
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) || confine()) {
		perror("confine");
		return 1;
	}
	char c = 'x';
	if (write(pair[0], &c, 1) != 1 || read(pair[1], &c, 1) != 1 || close(pair[0]) || close(pair[1]))
		return 1;
	printf("alive\n");
	fflush(stdout);
	exit(7);
}
