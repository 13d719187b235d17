/* safety_seccomp CASE: what sandboxed programs do.
 *   strict         SECCOMP_MODE_STRICT after traffic
 *   filter, tsync  a filter that kills for all but read, write, futexless sleep and exit; by prctl and by seccomp(2) on all threads
 *   under PROGRAM  runs it under a filter that refuses (EPERM) what only the library would call */
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <errno.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>

#include "net.h"

#define LOAD BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))
#define ON(number, action) \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (number), 0, 1), BPF_STMT(BPF_RET | BPF_K, (action))

static void exchanges(int ends[2])
{
	char text[2000];
	int port, listener = net_listen(&port);
	ends[0] = net_connect(port);
	ends[1] = accept(listener, NULL, NULL);
	for (int i = 0; i < 20; i++) {
		net_ask(ends[0], "/sandbox");
		net_read(ends[1], text, sizeof(text));
		net_answer(ends[1]);
		net_read(ends[0], text, sizeof(text));
	}
}

/* All that the sandboxed part does: read, write, clock_nanosleep, exit_group. */
static void inside(int ends[2], int exits)
{
	static const char text[] = "GET /inside HTTP/1.1\r\nHost: x\r\n\r\n";
	struct timespec pause = {0, 20000000};
	char byte[200];
	for (int i = 0; i < 5; i++) {
		if (write(ends[0], text, sizeof(text) - 1) != sizeof(text) - 1 || read(ends[1], byte, sizeof(byte)) <= 0)
			syscall(exits, 3);
		if (exits == SYS_exit_group)
			nanosleep(&pause, NULL);
	}
	write(1, "inside\n", 7);
	syscall(exits, 0);
}

int main(int argc, char **argv)
{
	struct sock_filter allow[] = {
		LOAD, ON(SYS_read, SECCOMP_RET_ALLOW), ON(SYS_write, SECCOMP_RET_ALLOW), ON(SYS_nanosleep, SECCOMP_RET_ALLOW),
		ON(SYS_clock_nanosleep, SECCOMP_RET_ALLOW), ON(SYS_exit_group, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)};
	struct sock_filter refuse[] = {
		LOAD, ON(SYS_process_vm_readv, SECCOMP_RET_ERRNO | EPERM), ON(SYS_madvise, SECCOMP_RET_ERRNO | EPERM),
		ON(SYS_getrandom, SECCOMP_RET_ERRNO | EPERM), ON(SYS_clone, SECCOMP_RET_ERRNO | EPERM),
		ON(SYS_clone3, SECCOMP_RET_ERRNO | EPERM), ON(SYS_readlink, SECCOMP_RET_ERRNO | EPERM),
		ON(SYS_readlinkat, SECCOMP_RET_ERRNO | EPERM), ON(SYS_futex, SECCOMP_RET_ERRNO | EPERM),
		ON(SYS_getsockopt, SECCOMP_RET_ERRNO | EPERM), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
	struct sock_fprog allowed = {sizeof(allow) / sizeof(allow[0]), allow}, refused = {sizeof(refuse) / sizeof(refuse[0]), refuse};
	int ends[2];

	if (argc < 2 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return 2;
	if (!strcmp(argv[1], "under")) {
		if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &refused))
			return 2;
		execv(argv[2], argv + 2);
		return 2;
	}
	exchanges(ends);
	if (argc > 2)
		usleep((unsigned)atoi(argv[2])); /* another moment of the exporter's */
	if (!strcmp(argv[1], "strict")) {
		if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT))
			return 2;
		inside(ends, SYS_exit);
	}
	if (!strcmp(argv[1], "filter") ? prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &allowed)
				       : syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &allowed))
		return 2;
	inside(ends, SYS_exit_group);
}
