/* descriptors PATTERN: a program that does to descriptors all that programs do, while another one that it knows
 * nothing of is open: the file whose name ends in PATTERN. Facts on stdout. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "net.h"

#define HIGH 15000

static const char *pattern;

static int hidden_fd(void)
{
	for (int fd = 3; fd < (HIGH + 1000); fd++) {
		char link[64], target[PATH_MAX];
		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		ssize_t n = readlink(link, target, sizeof(target) - 1);
		if (n <= 0)
			continue;
		target[n] = '\0';
		if ((size_t)n > strlen(pattern) && !strcmp(target + n - strlen(pattern), pattern))
			return fd;
	}
	return -1;
}

static void fact(const char *what, int good)
{
	printf("%s: %s\n", what, good ? "yes" : "no");
	fflush(stdout);
}

static int refused(int result)
{
	return result == -1 && errno == EBADF;
}

static void *answer(void *arg)
{
	char text[2000];
	int fd = accept(*(int *)arg, NULL, NULL);
	if (net_read(fd, text, sizeof(text)))
		net_answer(fd);
	close(fd);
	return NULL;
}

/* A request there and back: work for whoever watches. */
static void request(const char *path)
{
	int port, listener = net_listen(&port);
	pthread_t thread;
	pthread_create(&thread, NULL, answer, &listener);
	net_call(port, path);
	pthread_join(thread, NULL);
	close(listener);
	usleep(300000);
}

static void *read_for_ever(void *arg)
{
	char byte;
	return read(*(int *)arg, &byte, 1) < 0 ? NULL : arg;
}

/* Cancelled in the middle of a read, on a connection that is followed; the connection is usable after it. */
static void cancel_in_read(void)
{
	int port, listener = net_listen(&port), client = net_connect(port), server = accept(listener, NULL, NULL);
	char byte;
	void *result;
	pthread_t thread;
	pthread_create(&thread, NULL, read_for_ever, &server);
	usleep(50000);
	pthread_cancel(thread);
	pthread_join(thread, &result);
	fact("cancelled in read", result == PTHREAD_CANCELED);
	fact("and usable", write(client, "x", 1) == 1 && read(server, &byte, 1) == 1);
	close(client);
	close(server);
	close(listener);
}

static void ordinary(void)
{
	int *volatile nowhere = (int *)8;
	int high = fcntl(0, F_DUPFD, HIGH), ends[2];
	fact("F_DUPFD at a high number", high >= HIGH);
	fact("close there", close(high) == 0);
	fact("close again", refused(close(high)));
	fact("close -1", refused(close(-1)));
	fact("close 100000", refused(close(100000)));
	fact("dup2 to itself", dup2(0, 0) == 0);
	fact("dup2 of a closed one", refused(dup2(HIGH - 2, HIGH - 1)));
	fact("dup3 to itself", dup3(0, 0, 0) == -1 && errno == EINVAL);
	fact("bad pipe", pipe(nowhere) == -1 && errno == EFAULT);
	fact("pipe2", pipe2(ends, O_CLOEXEC) == 0 && fcntl(ends[0], F_GETFD) == FD_CLOEXEC);
	fact("close_range", close_range((unsigned)ends[0], (unsigned)ends[1], 0) == 0 && refused(close(ends[1])));
	fact("close_range backwards", close_range(9, 3, 0) == -1 && errno == EINVAL);
	fact("close_range, bad flags", close_range(3, 9, 1 << 30) == -1 && errno == EINVAL);
	errno = 5;
	closefrom(HIGH + 100);
	fact("closefrom keeps errno", errno == 5);
}

int main(int argc, char **argv)
{
	struct rlimit limit = {HIGH + 1000, HIGH + 1000};
	int hidden;

	if (argc < 2 || setrlimit(RLIMIT_NOFILE, &limit))
		return 1;
	pattern = argv[1];
	ordinary();
	cancel_in_read();
	request("/before");
	hidden = hidden_fd();
	if (argc > 2) { /* bare: there is none */
		fact("nothing hidden", hidden < 0);
		return 0;
	}
	fact("there is one", hidden > 2);
	fact("close", refused(close(hidden)));
	fact("dup", refused(dup(hidden)));
	fact("fcntl", refused(fcntl(hidden, F_GETFD)));
	fact("still there", hidden_fd() == hidden);
	fact("a failed dup2 leaves it", refused(dup2(HIGH - 3, hidden)) && hidden_fd() == hidden);
	fact("dup2 takes its number", dup2(0, hidden) == hidden);
	int moved = hidden_fd();
	fact("it moved", moved > 2 && moved != hidden);
	fact("the number is the program's", close(hidden) == 0);
	request("/moved");
	fact("close_range", close_range(3, ~0u, 0) == 0);
	fact("it is spared", hidden_fd() == moved);
	closefrom(3);
	fact("closefrom spares it", hidden_fd() == moved);
	pid_t pid = fork();
	if (pid == 0)
		_exit(hidden_fd() < 0 ? 0 : 1);
	int status;
	waitpid(pid, &status, 0);
	fact("a child has it not", WIFEXITED(status) && WEXITSTATUS(status) == 0);
	request("/after");
	return 0;
}
