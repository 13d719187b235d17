/* run_child.c - the program that `tagalong run` runs; see run.h.
 *
 * The program is to notice nothing: it gets the signal mask and the dispositions that we got, stays in our
 * process group (it may read the terminal), and hears of every signal exactly once. A signal from the
 * terminal goes to the whole group, so the program has it already; one that a process sent to us is for
 * the program. The kernel says which it was (si_code). */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "exporter/cli/cli.h"
#include "exporter/cli/run.h"

static const int forwarded[] = {SIGHUP,  SIGINT,  SIGQUIT,  SIGTERM, SIGUSR1, SIGUSR2,
				SIGALRM, SIGCONT, SIGWINCH, SIGTSTP, SIGURG,  SIGIO};

static void watch_set(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGCHLD);
	for (size_t i = 0; i < sizeof(forwarded) / sizeof(forwarded[0]); i++)
		sigaddset(set, forwarded[i]);
}

static _Noreturn void become(char **argv, int report, const sigset_t *mask, const struct sigaction *sigchld)
{
	sigaction(SIGCHLD, sigchld, NULL);
	sigprocmask(SIG_SETMASK, mask, NULL);
	execvp(argv[0], argv);
	int why = errno;
	/* The pipe is close-on-exec: that it ends without a word means that the program runs. */
	while (write(report, &why, sizeof(why)) < 0 && errno == EINTR)
		;
	_exit(why == ENOENT ? CLI_NOT_FOUND : CLI_NOT_EXECUTABLE);
}

/* A program that the terminal stopped, or that asked for it, takes us along, so that the shell sees its
 * job stop. SIGSTOP was meant for the program alone: whoever sent it will wake it again, not us. */
static void stop_along(int status)
{
	int why = WSTOPSIG(status);

	if (why == SIGTSTP || why == SIGTTIN || why == SIGTTOU)
		raise(SIGSTOP);
}

/* True: the program has ended. */
static bool reap(pid_t child, int *status)
{
	int now;
	pid_t changed;

	while ((changed = waitpid(child, &now, WNOHANG | WUNTRACED)) != 0) {
		if (changed < 0 && errno == EINTR)
			continue;
		if (changed < 0)
			return true; /* cannot be, as SIGCHLD is not ignored; never wait for ever */
		if (!WIFSTOPPED(now)) {
			*status = now;
			return true;
		}
		stop_along(now);
	}
	return false;
}

static int accompany(pid_t child, const sigset_t *watched)
{
	int status = CLI_NOT_EXECUTABLE << 8;

	while (!reap(child, &status)) {
		siginfo_t info;
		int number = sigwaitinfo(watched, &info);
		if (number <= 0 || number == SIGCHLD)
			continue;
		if (info.si_code <= 0 && info.si_pid != child)
			kill(child, number);
	}
	return status;
}

int run_child(char **argv, int *failed)
{
	struct sigaction inherited, usual = {.sa_handler = SIG_DFL}, ignore = {.sa_handler = SIG_IGN};
	sigset_t mask, watched;
	int report[2];

	*failed = 0;
	if (pipe2(report, O_CLOEXEC) < 0) {
		*failed = errno;
		return 0;
	}
	watch_set(&watched);
	sigprocmask(SIG_BLOCK, &watched, &mask);
	/* Where SIGCHLD is ignored the kernel throws the exit status away. */
	sigaction(SIGCHLD, &usual, &inherited);
	pid_t child = fork();
	if (child == 0)
		become(argv, report[1], &mask, &inherited);
	*failed = child < 0 ? errno : 0;
	close(report[1]);
	/* From here on a closed standard error must not replace the program's exit status. */
	sigaction(SIGPIPE, &ignore, NULL);
	if (child > 0 && read(report[0], failed, sizeof(*failed)) != sizeof(*failed))
		*failed = 0;
	close(report[0]);
	return child > 0 ? accompany(child, &watched) : 0;
}

_Noreturn void run_die_of(int signal_number)
{
	struct sigaction usual = {.sa_handler = SIG_DFL};
	struct rlimit none = {0, 0};
	sigset_t set;

	/* Both: a core pattern that is a pipe does not care about the limit. */
	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0);
	sigaction(signal_number, &usual, NULL);
	sigemptyset(&set);
	sigaddset(&set, signal_number);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	kill(getpid(), signal_number);
	_exit(128 + signal_number);
}
