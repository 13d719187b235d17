/* behind PORT CASE [ARGUMENT...]: a process does what we cannot see, or what only a process of one thread
 * may. Prints what it finds, the same bare and preloaded.
 *
 * closed    a connection's descriptor is closed by a bare system call, its number becomes a file's
 * assembly  the same by an instruction, which nobody can see
 * forked    a child by bare clone calls, and ends by exit()
 * alone     unshare(CLONE_NEWUSER) after a call
 * killed    (no call) a filter kills for process_vm_readv; the rest of the arguments is run behind it */
#include <fcntl.h>
#include <errno.h>
#include <netinet/in.h>
#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int port;

static int request(const char *path)
{
	char buf[4096];
	int len = snprintf(buf, sizeof(buf), "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path);
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) || write(fd, buf, (size_t)len) != len ||
	    read(fd, buf, sizeof(buf)) <= 0)
		printf("no answer\n");
	return fd;
}

static void close_unseen(int fd)
{
	long result = SYS_close;
	__asm__ volatile("syscall" : "+a"(result) : "D"((long)fd) : "rcx", "r11", "memory");
}

static void reused(int assembly)
{
	static const char text[] = "GET /in-a-file HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n";
	char name[] = "/tmp/behind.XXXXXX", back[200] = "";
	int fd = request("/kept"), made = mkstemp(name);
	close(made);
	usleep(300000); /* another thread that opens a file at this moment would have the number */
	if (assembly)
		close_unseen(fd);
	else
		syscall(SYS_close, fd);
	int file = open(name, O_RDWR | O_TRUNC);
	printf("the same number: %d\n", file == fd);
	printf("write: %zd of %zu\n", write(file, text, sizeof(text) - 1), sizeof(text) - 1);
	printf("read back: %zd, equal: %d\n", pread(file, back, sizeof(back), 0), !strcmp(back, text));
	FILE *stream = NULL; /* opened inside libc: its number is told to nobody */
	close_unseen(file);
	fd = request("/again");
	close_unseen(fd);
	stream = fopen(name, "w");
	printf("write by number: %zd\n", write(fileno(stream), text, sizeof(text) - 1));
	fclose(stream);
	unlink(name);
}

static void forked(void)
{
	struct timespec before, after;
	close(request("/parent"));
	clock_gettime(CLOCK_MONOTONIC, &before);
	int status, pid = (int)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (pid == 0) {
		close(request("/child"));
		exit(3);
	}
	waitpid(pid, &status, 0);
	clock_gettime(CLOCK_MONOTONIC, &after);
	printf("status %d, at once: %d\n", status, after.tv_sec - before.tv_sec <= 1);
}

static void alone(void)
{
	close(request("/before"));
	int result = unshare(CLONE_NEWUSER), error = errno;
	printf("unshare: %s\n", result == 0 ? "ok" : strerror(error));
	close(request("/after"));
}

static void killed(char **argv)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_process_vm_readv, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {4, code};
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0)
		execvp(argv[0], argv);
	perror(argv[0]);
	exit(1);
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	port = atoi(argv[1]);
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!strcmp(argv[2], "closed"))
		reused(0);
	else if (!strcmp(argv[2], "assembly"))
		reused(1);
	else if (!strcmp(argv[2], "forked"))
		forked();
	else if (!strcmp(argv[2], "alone"))
		alone();
	else
		killed(argv + 3);
	return 0;
}
