/* safety_rows CASE [ARGUMENT]: one program for the rows of design.md section 7 that need traffic. What it prints is the same bare
 * and preloaded; what it makes visible is judged by the script. */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "net.h"

static void fail(const char *what)
{
	dprintf(2, "failed: %s, %s\n", what, strerror(errno));
	exit(1);
}

/* A connection over loopback: [0] connected, [1] accepted. */
static void connection(int ends[2])
{
	int port, listener = net_listen(&port);
	ends[0] = net_connect(port);
	ends[1] = accept(listener, NULL, NULL);
	close(listener);
}

static void one(int ends[2], const char *path)
{
	char text[2000];
	net_ask(ends[0], path);
	if (!net_read(ends[1], text, sizeof(text)))
		fail("request");
	net_answer(ends[1]);
	if (!net_read(ends[0], text, sizeof(text)))
		fail("answer");
}

static void plain(const char *argument)
{
	int ends[2];
	connection(ends);
	for (int i = 0; i < (argument ? atoi(argument) : 1); i++)
		one(ends, "/plain");
}

/* Every number below N is taken: what comes is at N and above. */
static void high_fd(const char *argument)
{
	struct rlimit limit;
	int want = atoi(argument), ends[2];
	struct rlimit more = {(rlim_t)want + 100, (rlim_t)want + 100};
	if (setrlimit(RLIMIT_NOFILE, &more)) {
		getrlimit(RLIMIT_NOFILE, &limit);
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
		want = (int)limit.rlim_max - 100;
		printf("no more than %d descriptors here: ", (int)limit.rlim_max);
	}
	int fd = open("/dev/null", O_RDWR);
	while (fd < want - 1)
		if ((fd = dup(fd)) < 0)
			fail("dup");
	connection(ends);
	printf("at %s %d\n", ends[0] >= want && ends[1] >= want ? "or above" : "BELOW", want);
	one(ends, "/high");
	one(ends, "/high");
}

static void peek(const char *argument)
{
	char text[2000];
	int ends[2];
	(void)argument;
	connection(ends);
	for (int i = 0; i < 5; i++) {
		net_ask(ends[0], "/peeked");
		for (int n = 0; n < 3; n++)
			if (recv(ends[1], text, sizeof(text), MSG_PEEK) <= 0)
				fail("peek");
		if (!net_read(ends[1], text, sizeof(text)))
			fail("request");
		net_answer(ends[1]);
		recv(ends[0], text, sizeof(text), MSG_PEEK);
		if (!net_read(ends[0], text, sizeof(text)))
			fail("answer");
	}
}

static void take(int fd, size_t count)
{
	char text[4096];
	while (count > 0) {
		ssize_t got = read(fd, text, count < sizeof(text) ? count : sizeof(text));
		if (got <= 0)
			fail("answer");
		count -= (size_t)got;
	}
}

/* Bodies that never pass through the program's memory. */
static void by_sendfile(const char *argument)
{
	static const char head[] = "HTTP/1.1 200 OK\r\nContent-Length: 3000\r\n\r\n";
	char text[2000];
	int ends[2], pipes[2], file = memfd_create("body", 0);
	connection(ends);
	if (ftruncate(file, 3000) || pipe(pipes))
		fail("file");
	for (int i = 0; i < 6; i++) {
		off_t offset = 0;
		net_ask(ends[0], "/file");
		if (!net_read(ends[1], text, sizeof(text)) || send(ends[1], head, sizeof(head) - 1, MSG_MORE) != sizeof(head) - 1)
			fail("head");
		if (argument) {
			loff_t from = 0;
			if (splice(file, &from, pipes[1], NULL, 3000, 0) != 3000 || splice(pipes[0], NULL, ends[1], NULL, 3000, 0) != 3000)
				fail("splice");
		} else if (sendfile(ends[1], file, &offset, 1000) != 1000 || sendfile(ends[1], file, &offset, 2000) != 2000) {
			fail("sendfile");
		}
		take(ends[0], sizeof(head) - 1 + 3000);
	}
}

static void wait_for(int fd, short events)
{
	struct pollfd one_fd = {fd, events, 0};
	poll(&one_fd, 1, 5000);
}

/* Non-blocking from the first call on: refusals are no errors. */
static void again(const char *argument)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	static char body[20000000];
	char text[2000];
	int port, error = 1, refused = 0, listener = net_listen(&port);
	socklen_t size = sizeof(error);
	(void)argument;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	at.sin_port = htons((uint16_t)port);
	if (connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0 || errno != EINPROGRESS)
		fail("EINPROGRESS expected");
	wait_for(fd, POLLOUT);
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) || error)
		fail("SO_ERROR");
	int peer = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
	int length = snprintf(text, sizeof(text), "POST /again HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n", sizeof(body));
	if (read(peer, text + 1000, 1) != -1 || errno != EAGAIN || write(fd, text, (size_t)length) != length)
		fail("head");
	static char sink[65536];
	for (size_t sent = 0, got = 0; got < sizeof(body) + (size_t)length;) {
		ssize_t n = sent < sizeof(body) ? write(fd, body + sent, sizeof(body) - sent) : -1;
		refused += n < 0;
		sent += n > 0 ? (size_t)n : 0;
		if (read(fd, sink, 1) != -1 || errno != EAGAIN)
			fail("EAGAIN expected");
		while (n <= 0 && (n = read(peer, sink, sizeof(sink))) > 0) {
			char *end = got == 0 ? memmem(sink, (size_t)n, "\r\n\r\n", 4) : NULL;
			if (end)
				length = (int)(end + 4 - sink);
			got += (size_t)n;
			n = 0;
		}
	}
	net_answer(peer);
	wait_for(fd, POLLIN);
	printf("refused: %s\n", refused > 2 ? "often" : "never");
	take(fd, 38);
	read(fd, sink, 1);
}

static void forks(const char *argument)
{
	int ends[2];
	(void)argument;
	connection(ends);
	for (int i = 0; i < 3; i++) {
		one(ends, "/before-fork");
		pid_t pid = fork();
		if (pid == 0) {
			int own[2];
			connection(own);
			one(own, "/in-child");
			exit(0);
		}
		waitpid(pid, NULL, 0);
	}
}

/* --- what belongs to the process and is nobody's to change ---------------------------------------------- */

static void print_file(const char *path, const char *prefixes[])
{
	char line[400];
	FILE *file = fopen(path, "r");
	while (file && fgets(line, sizeof(line), file))
		for (int i = 0; prefixes[i]; i++)
			if (!strncmp(line, prefixes[i], strlen(prefixes[i]))) {
				unsigned long long ignored;
				/* Signals 32 and 33 are libc's own: its first thread, whoever's, makes them what they are. */
				if (sscanf(line, "SigIgn: %llx", &ignored) == 1)
					printf("SigIgn: %llx\n", ignored & ~0x180000000ULL);
				else
					fputs(line, stdout);
			}
	if (file)
		fclose(file);
}

static void print_state(void)
{
	const char *lines[] = {"SigPnd", "SigBlk", "SigIgn", "ShdPnd", "Cap", "NoNewPrivs", "Seccomp", "Umask", NULL};
	for (int number = 1; number < 65; number++) {
		struct sigaction action = {0};
		if (sigaction(number, NULL, &action) == 0)
			printf("signal %d: %p %x\n", number, (void *)action.sa_handler, (unsigned)action.sa_flags);
	}
	for (int i = 0; i < RLIM_NLIMITS; i++) {
		struct rlimit limit;
		getrlimit((__rlimit_resource_t)i, &limit);
		printf("limit %d: %ld %ld\n", i, (long)limit.rlim_cur, (long)limit.rlim_max);
	}
	struct itimerval timer;
	getitimer(ITIMER_REAL, &timer);
	char cwd[1000];
	printf("timer %ld, cwd %s, dumpable %d, priority %d, dlerror %p\n", (long)timer.it_value.tv_sec, getcwd(cwd, sizeof(cwd)),
	       prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), getpriority(PRIO_PROCESS, 0), (void *)dlerror());
	print_file("/proc/self/status", lines);
	for (int fd = 0; fd < 1000; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			printf("fd %d: %d %d\n", fd, fcntl(fd, F_GETFD), fcntl(fd, F_GETFL));
}

static void state(const char *argument)
{
	int ends[2];
	(void)argument;
	print_state();
	connection(ends);
	for (int i = 0; i < 5; i++)
		one(ends, "/state");
	usleep(300000);
	print_state();
}

/* --- the exporter's thread ------------------------------------------------------------------------------ */

/* Its voluntary context switches; -1: there is none. */
static long switches(int *threads)
{
	char path[400], line[200];
	long found = -1;
	struct dirent *entry;
	DIR *tasks = opendir("/proc/self/task");
	*threads = 0;
	while ((entry = readdir(tasks))) {
		if (entry->d_name[0] == '.')
			continue;
		++*threads;
		snprintf(path, sizeof(path), "/proc/self/task/%s/status", entry->d_name);
		FILE *status = fopen(path, "r");
		int ours = 0;
		while (status && fgets(line, sizeof(line), status)) {
			ours |= !strcmp(line, "Name:\ttagalong\n");
			if (ours)
				sscanf(line, "voluntary_ctxt_switches: %ld", &found);
		}
		if (status)
			fclose(status);
	}
	closedir(tasks);
	return found;
}

static void idle(const char *argument)
{
	int ends[2], threads;
	char byte;
	(void)argument;
	connection(ends);
	for (int i = 0; i < 100; i++)
		if (write(ends[0], "x", 1) != 1 || read(ends[1], &byte, 1) != 1)
			fail("bytes");
	long before = switches(&threads);
	printf("threads before the first span: %d, of ours: %s\n", threads, before < 0 ? "none" : "one");
	connection(ends);
	one(ends, "/idle");
	usleep(700000);
	before = switches(&threads);
	sleep(2);
	long after = switches(&threads);
	printf("threads: %d\nwake-ups in 2 s: %ld\n", threads, after - before);
}

static long resident(void)
{
	long pages = 0, total;
	FILE *file = fopen("/proc/self/statm", "r");
	if (!file || fscanf(file, "%ld %ld", &total, &pages) != 2)
		fail("statm");
	fclose(file);
	return pages * 4;
}

static void memory(const char *argument)
{
	int ends[2];
	connection(ends);
	long before = resident();
	for (int i = 0; i < atoi(argument); i++)
		one(ends, "/memory");
	printf("grown by KiB: %ld\n", resident() - before);
}

/* --- symbols: the program's own functions are its own --------------------------------------------------- */

#define OWN(name)                          \
	int name(void);                    \
	int name(void)                     \
	{                                  \
		dprintf(2, "captured\n");  \
		_exit(66);                 \
	}
OWN(conn_get) OWN(conn_received) OWN(span_end) OWN(queue_put) OWN(log_write) OWN(config_load) OWN(exporter_wake) OWN(hook_resolve)
OWN(hook_heal) OWN(deflate) OWN(crc32) OWN(protobuf_c_message_pack) OWN(attrs_string) OWN(id_span) OWN(clock_now) OWN(sys_write)
OWN(fdtable_set) OWN(activity_current) OWN(block_take) OWN(XXH64) OWN(readable)

/* A name that the library exports too: the executable's comes first, for everybody. */
int timerfd_create(int clock, int flags)
{
	(void)clock;
	(void)flags;
	return 12345;
}

static void symbols(const char *argument)
{
	(void)argument;
	plain("20");
	printf("own timerfd_create: %d, by name: %s\n", timerfd_create(0, 0),
	       dlsym(RTLD_DEFAULT, "timerfd_create") == (void *)timerfd_create ? "the same" : "another");
	usleep(200000);
}

static void *ask_once(void *arg)
{
	one(arg, "/last");
	usleep(100000);
	return NULL;
}

/* main() is gone before the others: the last thread ends the process. */
static void leave(const char *argument)
{
	static int ends[2];
	pthread_t thread;
	connection(ends);
	pthread_create(&thread, NULL, ask_once, ends);
	if (argument)
		pthread_join(thread, NULL);
	printf("left\n");
	pthread_exit(NULL);
}

static void from_library(const char *path)
{
	void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	void (*exchange)(void) = handle ? (void (*)(void))dlsym(handle, "exchange_from_library") : NULL;
	if (!exchange)
		fail(dlerror());
	exchange();
}

int main(int argc, char **argv)
{
	static const struct { const char *name; void (*run)(const char *); } cases[] = {
		{"plain", plain}, {"high-fd", high_fd}, {"peek", peek}, {"sendfile", by_sendfile}, {"again", again}, {"forks", forks},
		{"state", state}, {"idle", idle}, {"memory", memory}, {"symbols", symbols}, {"library", from_library}, {"leave", leave}};
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; argc > 1 && i < sizeof(cases) / sizeof(cases[0]); i++)
		if (!strcmp(argv[1], cases[i].name)) {
			cases[i].run(argv[2]);
			printf("done\n");
			return 0;
		}
	return 2;
}
