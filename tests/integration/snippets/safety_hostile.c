/* safety_hostile CASE: a program that is interrupted, cancelled and torn out of calls in every way that C allows, and at the end
 * makes one more exchange, GET /after, which must work, and be seen by whoever watches. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "net.h"

static volatile sig_atomic_t handled, armed;
static sigjmp_buf back;
static int side[2]; /* a followed connection that the handlers use */

static void fail(const char *what)
{
	dprintf(2, "failed: %s, %s\n", what, strerror(errno));
	_exit(1);
}

static void *serve_one(void *arg)
{
	char text[4000];
	int fd = (int)(long)arg;
	while (net_read(fd, text, sizeof(text)))
		net_answer(fd);
	close(fd);
	return NULL;
}

/* A thread for each: a connection that a jump left behind must not hold up the others. */
static void *serve(void *arg)
{
	int fd, listener = *(int *)arg;
	while ((fd = accept(listener, NULL, NULL)) >= 0) {
		pthread_t thread;
		if (pthread_create(&thread, NULL, serve_one, (void *)(long)fd))
			fail("pthread_create");
		pthread_detach(thread);
	}
	return NULL;
}

static int server(void)
{
	static int listener;
	static pthread_t thread;
	sigset_t all, before;
	int port;
	listener = net_listen(&port);
	/* Blocked from its first instruction: a handler that jumps must not run on its stack. */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	pthread_create(&thread, NULL, serve, &listener);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return port;
}

static void make_side(void)
{
	int port, listener = net_listen(&port);
	side[0] = net_connect(port);
	side[1] = accept(listener, NULL, NULL);
	fcntl(side[1], F_SETFL, O_NONBLOCK);
	close(listener);
}

/* --- signal handlers ---------------------------------------------------------------------------------- */

static void on_alarm(int number)
{
	char byte;
	int saved = errno;
	(void)number;
	if (write(side[0], "x", 1) != 1 || send(side[0], "y", 1, MSG_DONTWAIT) != 1)
		fail("write in a handler");
	while (read(side[1], &byte, 1) == 1)
		;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	if (fd < 0 || close(fd))
		fail("socket in a handler");
	handled++;
	errno = saved;
}

static void storm_on(void (*handler)(int), int flags, int us)
{
	struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
	struct itimerval every = {{0, us}, {0, us}};
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &every, NULL);
}

static void storm_off(void)
{
	struct itimerval never = {{0, 0}, {0, 0}};
	setitimer(ITIMER_REAL, &never, NULL);
}

/* write and read that go on after a signal. */
static void exchange(int fd, int number)
{
	char text[300];
	int length = snprintf(text, sizeof(text), "GET /%d HTTP/1.1\r\nHost: here\r\n\r\n", number);
	for (int done = 0; done < length;) {
		ssize_t n = write(fd, text + done, (size_t)(length - done));
		if (n < 0 && errno != EINTR)
			fail("write");
		done += n > 0 ? (int)n : 0;
	}
	for (size_t got = 0; got < 38;) {
		ssize_t n = read(fd, text + got, 38 - got);
		if (n == 0 || (n < 0 && errno != EINTR))
			fail("read");
		got += n > 0 ? (size_t)n : 0;
	}
	if (memcmp(text, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 38) != 0)
		fail("another answer");
}

static void storm(int port, int flags)
{
	int fd = net_connect(port);
	make_side();
	storm_on(on_alarm, flags, 150);
	for (int i = 0; i < 3000 || handled < 300; i++)
		exchange(fd, i);
	storm_off();
	close(fd);
}

static void storm_on_another_stack(int port)
{
	static char stack[65536];
	stack_t alternate = {.ss_sp = stack, .ss_size = sizeof(stack)};
	sigaltstack(&alternate, NULL);
	storm(port, SA_ONSTACK | SA_RESTART);
}

/* --- longjmp ------------------------------------------------------------------------------------------ */

static void jump(int number)
{
	(void)number;
	if (armed) {
		armed = 0;
		siglongjmp(back, 1);
	}
}

/* Out of whatever is going on: a system call, a hook, our own code. */
static void jump_anywhere(int port)
{
	static volatile int jumps, round;
	static volatile int fd;
	storm_on(jump, 0, 300);
	while (jumps < 500) {
		fd = -1;
		if (sigsetjmp(back, 1)) {
			jumps++;
		} else {
			armed = 1;
			fd = net_connect(port);
			for (int i = 0; i < 20; i++)
				exchange(fd, round++);
			armed = 0;
		}
		armed = 0;
		if (fd >= 0)
			close(fd);
	}
	storm_off();
}

static void jump_out_of_recv(int port)
{
	char byte;
	for (volatile int i = 0; i < 40; i++) {
		volatile int fd = net_connect(port);
		struct itimerval once = {{0, 0}, {0, 3000}};
		signal(SIGALRM, jump);
		if (!sigsetjmp(back, 1)) {
			armed = 1;
			setitimer(ITIMER_REAL, &once, NULL);
			for (;;)
				recv(fd, &byte, 1, 0);
		}
		exchange(fd, i); /* the same connection is as good as before */
		close(fd);
	}
}

/* --- cancellation ------------------------------------------------------------------------------------- */

static sem_t never;
static int call_number, quiet_fd, quiet_listener;

static void *blocked(void *arg)
{
	char byte;
	struct iovec iov = {&byte, 1};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
	struct pollfd one = {quiet_fd, POLLIN, 0};
	fd_set set;
	(void)arg;
	FD_ZERO(&set);
	FD_SET(quiet_fd, &set);
	switch (call_number) {
	case 0: recv(quiet_fd, &byte, 1, 0); break;
	case 1: read(quiet_fd, &byte, 1); break;
	case 2: recvmsg(quiet_fd, &message, 0); break;
	case 3: readv(quiet_fd, &iov, 1); break;
	case 4: accept(quiet_listener, NULL, NULL); break;
	case 5: poll(&one, 1, -1); break;
	case 6: select(quiet_fd + 1, &set, NULL, NULL, NULL); break;
	case 7: sem_wait(&never); break;
	case 8: recvfrom(quiet_fd, &byte, 1, 0, NULL, NULL); break;
	case 9:
		for (;;) /* until the buffers are full */
			write(quiet_fd, "0123456789012345678901234567890123456789", 40);
	}
	return NULL;
}

static void cancel(int port)
{
	int quiet_port;
	(void)port;
	sem_init(&never, 0, 0);
	quiet_listener = net_listen(&quiet_port);
	for (int round = 0; round < 3; round++)
		for (call_number = 0; call_number < 10; call_number++) {
			pthread_t thread;
			void *result;
			quiet_fd = net_connect(quiet_port);
			int other = accept(quiet_listener, NULL, NULL);
			pthread_create(&thread, NULL, blocked, NULL);
			usleep(10000);
			pthread_cancel(thread);
			pthread_join(thread, &result);
			if (result != PTHREAD_CANCELED)
				fail("not cancelled");
			close(quiet_fd);
			close(other);
		}
	close(quiet_listener);
}

static volatile int looping_fd;

static void *loop(void *arg)
{
	(void)arg;
	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
	for (int i = 0;; i++)
		exchange(looping_fd, i);
}

static void cancel_anywhere(int port)
{
	for (int i = 0; i < 300; i++) {
		pthread_t thread;
		looping_fd = net_connect(port);
		pthread_create(&thread, NULL, loop, NULL);
		usleep(100 + (unsigned)(i * 37) % 900);
		pthread_cancel(thread);
		pthread_join(thread, NULL);
		close(looping_fd);
	}
}

/* --- vfork -------------------------------------------------------------------------------------------- */

static void in_vfork(int port)
{
	char *argv[] = {"true", NULL}, *envp[] = {NULL};
	int fd = net_connect(port), status, second;
	exchange(fd, 1);
	for (volatile int i = 0; i < 6; i++) {
		pid_t pid = vfork();
		if (pid == 0) {
			dup2(1, fd);
			close(fd);
			second = socket(AF_INET, SOCK_STREAM, 0);
			close_range(3, ~0u, 0);
			write(second, "nowhere", 7);
			if (i % 3 == 0)
				_exit(9);
			if (i % 3 == 1)
				execve("/bin/true", argv, envp);
			execve("/no/such/program", argv, envp);
			_exit(9);
		}
		waitpid(pid, &status, 0);
		if (!WIFEXITED(status) || WEXITSTATUS(status) != (i % 3 == 1 ? 0 : 9))
			fail("the child's end");
		exchange(fd, 2);
	}
	close(fd);
}

/* --- the ends of the process -------------------------------------------------------------------------- */

static int late_port;

static void late(void)
{
	if (!late_port)
		return;
	int fd = net_connect(late_port);
	for (int i = 0; i < 50; i++)
		exchange(fd, i);
	close(fd);
	dprintf(1, "late\n");
}

__attribute__((destructor)) static void later(void)
{
	late();
}

static void at_the_end(int port)
{
	late_port = port;
	atexit(late);
}

int main(int argc, char **argv)
{
	static const struct { const char *name; void (*run)(int); } cases[] = {
		{"storm-alternate", storm_on_another_stack}, {"jump-anywhere", jump_anywhere}, {"jump-recv", jump_out_of_recv},
		{"cancel", cancel}, {"cancel-anywhere", cancel_anywhere}, {"vfork", in_vfork}, {"end", at_the_end}};
	int port = server();
	if (argc < 2)
		return 2;
	signal(SIGPIPE, SIG_IGN);
	if (!strcmp(argv[1], "storm"))
		storm(port, SA_RESTART);
	else if (!strcmp(argv[1], "storm-eintr"))
		storm(port, 0);
	else
		for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
			if (!strcmp(argv[1], cases[i].name))
				cases[i].run(port);
	net_call(port, "/after");
	usleep(50000); /* the server's thread comes back from its write */
	dprintf(1, "%s: done\n", argv[1]);
	return 0;
}
