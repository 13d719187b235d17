/* libc_shell.c - system and popen.
 *
 * libc starts their shell by an inner call that takes the global environment, which we must not change
 * (another thread may read or set it), and a prefix to the command would be seen by everybody in the process
 * list. So both are done here, over the posix_spawn that takes an environment: system with POSIX's rules for
 * signals and cancellation, popen with a list of streams that pclose and the next popen need. */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hooks/launch.h"
#include "hooks/nested.h"
#include "hooks/popen.h"
#include "preload/sys.h"

#define SYMBOLS(WRAP, CALL) \
	WRAP(system)        \
	WRAP(popen)         \
	WRAP(pclose)        \
	CALL(posix_spawn)   \
	CALL(pipe2)         \
	CALL(fdopen)        \
	CALL(fclose)

HOOK_LIBRARY(libc_shell, SYMBOLS);

extern char **environ;

#define SHELL "/bin/sh"

static void shell_argv(char *argv[4], const char *command)
{
	argv[0] = (char *)(uintptr_t) "sh";
	argv[1] = (char *)(uintptr_t) "-c";
	argv[2] = (char *)(uintptr_t)command;
	argv[3] = NULL;
}

/* --- system ------------------------------------------------------------------------------------------ */

/* SIGINT and SIGQUIT are ignored while any thread is in system(): the first one in saves, the last one out
 * restores. A lock, but none that traffic ever meets, held for two system calls. */
static struct {
	atomic_flag lock;
	int users;
	struct sigaction interrupt, quit;
} ignoring = {.lock = ATOMIC_FLAG_INIT};

struct shell_run {
	sigset_t mask;  /* the thread's own */
	sigset_t reset; /* signals that the child shall have at their default */
	pid_t pid;
};

static void lock_ignoring(void)
{
	while (atomic_flag_test_and_set_explicit(&ignoring.lock, memory_order_acquire))
		sched_yield();
}

static void unlock_ignoring(void)
{
	atomic_flag_clear_explicit(&ignoring.lock, memory_order_release);
}

static void ignore_signals(struct shell_run *run)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	sigset_t child, all;

	/* A handler that ran with the lock held, and called system, would wait for itself. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &run->mask);
	lock_ignoring();
	if (ignoring.users++ == 0) {
		sigaction(SIGINT, &ignore, &ignoring.interrupt);
		sigaction(SIGQUIT, &ignore, &ignoring.quit);
	}
	sigemptyset(&run->reset);
	if (ignoring.interrupt.sa_handler != SIG_IGN)
		sigaddset(&run->reset, SIGINT);
	if (ignoring.quit.sa_handler != SIG_IGN)
		sigaddset(&run->reset, SIGQUIT);
	unlock_ignoring();
	child = run->mask;
	sigaddset(&child, SIGCHLD);
	pthread_sigmask(SIG_SETMASK, &child, NULL);
}

static void restore_signals(const struct shell_run *run)
{
	sigset_t all;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	lock_ignoring();
	if (--ignoring.users == 0) {
		sigaction(SIGINT, &ignoring.interrupt, NULL);
		sigaction(SIGQUIT, &ignoring.quit, NULL);
	}
	unlock_ignoring();
	pthread_sigmask(SIG_SETMASK, &run->mask, NULL);
}

/* A cancelled system() takes its child along. */
static void cancel_shell(void *arg)
{
	struct shell_run *run = arg;
	int state;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	kill(run->pid, SIGKILL);
	while (waitpid(run->pid, NULL, 0) == -1 && errno == EINTR)
		;
	pthread_setcancelstate(state, NULL);
	restore_signals(run);
}

static int wait_for_shell(struct shell_run *run)
{
	int status = -1;
	pid_t got;

	pthread_cleanup_push(cancel_shell, run);
	do
		got = waitpid(run->pid, &status, 0);
	while (got == -1 && errno == EINTR);
	pthread_cleanup_pop(0);
	return got == run->pid ? status : -1;
}

static int spawn_shell(struct shell_run *run, const char *command)
{
	char *argv[4];
	posix_spawnattr_t attributes;

	shell_argv(argv, command);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setsigmask(&attributes, &run->mask);
	posix_spawnattr_setsigdefault(&attributes, &run->reset);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
	int error = REAL(posix_spawn)(&run->pid, SHELL, NULL, &attributes, argv, LAUNCH_ENVIRON(environ));
	posix_spawnattr_destroy(&attributes);
	return error;
}

int system(const char *command)
{
	struct shell_run run;

	/* Other threads' counts must agree, so it is always ours, or, while we are not live, libc's. */
	if (!hook_live_nested())
		return REAL(system)(command);
	if (!command)
		return system("exit 0") == 0;

	ignore_signals(&run);
	int error = spawn_shell(&run, command);
	/* A shell that cannot be started counts as one that exits with 127. */
	int status = error ? W_EXITCODE(127, 0) : wait_for_shell(&run);
	int saved = errno;
	restore_signals(&run);
	errno = error ? error : saved;
	return status;
}

/* --- popen ------------------------------------------------------------------------------------------- */

/* Streams of popen that are open: a new child must not inherit them. */
#define STREAMS 256

static struct stream {
	_Atomic(FILE *) file; /* NULL: free; TAKEN: being filled */
	_Atomic int fd;
	_Atomic pid_t pid;
} streams[STREAMS];

#define TAKEN ((FILE *)1)

static _Atomic int streams_open;

static struct stream *take_stream(void)
{
	for (int i = 0; i < STREAMS; i++) {
		FILE *none = NULL;
		if (!atomic_load_explicit(&streams[i].file, memory_order_relaxed) &&
		    atomic_compare_exchange_strong(&streams[i].file, &none, TAKEN)) {
			atomic_fetch_add(&streams_open, 1);
			return &streams[i];
		}
	}
	return NULL;
}

static void drop_stream(struct stream *stream)
{
	atomic_store(&stream->file, NULL);
	atomic_fetch_sub(&streams_open, 1);
}

static void set_stream(struct stream *stream, FILE *file, int fd, pid_t pid)
{
	atomic_store(&stream->fd, fd);
	atomic_store(&stream->pid, pid);
	atomic_store(&stream->file, file);
}

/* As libc's popen reads it: one of r and w, and perhaps e. */
static bool read_mode(const char *mode, bool *reads, bool *cloexec)
{
	bool writes = false;
	*reads = *cloexec = false;
	for (; *mode; mode++) {
		if (*mode == 'r')
			*reads = true;
		else if (*mode == 'w')
			writes = true;
		else if (*mode == 'e')
			*cloexec = true;
		else
			return false;
	}
	return *reads != writes;
}

static int child_actions(posix_spawn_file_actions_t *actions, int theirs, int as)
{
	int error = posix_spawn_file_actions_adddup2(actions, theirs, as);
	for (int i = 0; i < STREAMS && !error; i++) {
		FILE *file = atomic_load(&streams[i].file);
		int fd = atomic_load(&streams[i].fd);
		if (file && file != TAKEN && fd != as)
			error = posix_spawn_file_actions_addclose(actions, fd);
	}
	return error;
}

static pid_t spawn_piped(const char *command, int theirs, int as)
{
	posix_spawn_file_actions_t actions;
	char *argv[4];
	pid_t pid = -1;

	int error = posix_spawn_file_actions_init(&actions);
	if (!error) {
		error = child_actions(&actions, theirs, as);
		shell_argv(argv, command);
		if (!error)
			error = REAL(posix_spawn)(&pid, SHELL, &actions, NULL, argv, LAUNCH_ENVIRON(environ));
		posix_spawn_file_actions_destroy(&actions);
	}
	if (error)
		errno = error;
	return error ? -1 : pid;
}

/* `theirs` must not be the number that the child's end gets: dup2 would leave close-on-exec set. */
static int move_off(int fd, int as)
{
	if (fd != as)
		return fd;
	long moved = sys_fcntl(fd, F_DUPFD_CLOEXEC, 3);
	sys_close(fd);
	return (int)moved;
}

static FILE *open_shell(struct stream *stream, const char *command, bool reads, bool cloexec)
{
	int ends[2];

	if (REAL(pipe2)(ends, O_CLOEXEC) != 0)
		return NULL;
	int as = reads ? STDOUT_FILENO : STDIN_FILENO;
	int ours = reads ? ends[0] : ends[1], theirs = move_off(reads ? ends[1] : ends[0], as);
	FILE *file = theirs >= 0 ? REAL(fdopen)(ours, reads ? "r" : "w") : NULL;
	pid_t pid = file ? spawn_piped(command, theirs, as) : -1;
	int saved = errno;
	if (theirs >= 0)
		sys_close(theirs);
	if (pid < 0) {
		if (file)
			REAL(fclose)(file);
		else
			sys_close(ours);
		errno = saved;
		return NULL;
	}
	if (!cloexec)
		sys_fcntl(ours, F_SETFD, 0);
	set_stream(stream, file, ours, pid);
	errno = saved;
	return file;
}

FILE *popen(const char *command, const char *mode)
{
	bool reads, cloexec;
	struct stream *stream = NULL;

	if (!hook_live_nested() || !read_mode(mode, &reads, &cloexec) || !(stream = take_stream()))
		return REAL(popen)(command, mode);
	FILE *file = open_shell(stream, command, reads, cloexec);
	if (!file)
		drop_stream(stream);
	return file;
}

bool popen_close(FILE *stream, int *status)
{
	int state;

	if (atomic_load_explicit(&streams_open, memory_order_relaxed) == 0)
		return false;
	for (int i = 0; i < STREAMS; i++) {
		if (!stream || atomic_load(&streams[i].file) != stream)
			continue;
		pid_t pid = atomic_load(&streams[i].pid), got;
		drop_stream(&streams[i]);
		REAL(fclose)(stream);
		/* No cancellation point, as in libc: the child would stay a zombie. */
		pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
		do
			got = waitpid(pid, status, 0);
		while (got == -1 && errno == EINTR);
		pthread_setcancelstate(state, NULL);
		if (got == -1)
			*status = -1;
		return true;
	}
	return false;
}

int pclose(FILE *stream)
{
	int status;
	if (popen_close(stream, &status))
		return status;
	return REAL(pclose)(stream);
}
