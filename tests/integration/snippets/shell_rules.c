/* What POSIX and libc promise of system and popen, printed as facts: bare and preloaded must say the same. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t children, interrupts;
static void on_child(int number) { (void)number; children++; }
static void on_interrupt(int number) { (void)number; interrupts++; }

static void fact(const char *what, long value)
{
	printf("%s: %ld\n", what, value);
	fflush(stdout);
}

static void handlers(const char *when)
{
	struct sigaction now;
	sigset_t mask;
	sigaction(SIGINT, NULL, &now);
	fact(when, now.sa_handler == on_interrupt);
	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	fact("child blocked", sigismember(&mask, SIGCHLD));
}

static void *cancelled(void *arg)
{
	(void)arg;
	system("sleep 5");
	return NULL;
}

static void *in_thread(void *arg)
{
	(void)arg;
	for (int i = 0; i < 10; i++)
		system("true");
	return NULL;
}

static void test_system(void)
{
	pthread_t threads[3];
	void *result;

	signal(SIGCHLD, on_child);
	signal(SIGINT, on_interrupt);
	fact("null", system(NULL));
	errno = 77;
	fact("exit code", WEXITSTATUS(system("exit 9")));
	fact("errno", errno);
	fact("not found", WEXITSTATUS(system("/no/such/program 2>/dev/null")));
	fact("signal", WTERMSIG(system("kill -9 $$")));
	fact("empty", system(""));
	handlers("handler back");
	/* The parent ignores SIGINT meanwhile; the child has it at its default. */
	fact("interrupted child", WTERMSIG(system("kill -INT $PPID; kill -INT $$")));
	fact("interrupts seen", interrupts);
	fact("children seen", children);
	for (int i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, in_thread, NULL);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	handlers("handler back after threads");
	pthread_create(&threads[0], NULL, cancelled, NULL);
	usleep(100000);
	time_t from = time(NULL);
	pthread_cancel(threads[0]);
	pthread_join(threads[0], &result);
	fact("at once", time(NULL) - from < 3);
	fact("cancelled", result == PTHREAD_CANCELED);
	handlers("handler back after cancel");
	fact("no child left", waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
	signal(SIGINT, SIG_IGN);
	fact("ignored stays ignored", WEXITSTATUS(system("kill -INT $$; exit 3")));
}

static void test_popen(void)
{
	char text[64] = "";

	FILE *first = popen("cat >/dev/null; exit 5", "w"), *second = popen("read x; exit 6", "w");
	fact("close-on-exec", fcntl(fileno(first), F_GETFD));
	/* Would wait for ever if the second child had inherited the first one's pipe and never ended. */
	alarm(10);
	fputs("x", first);
	fact("first", WEXITSTATUS(pclose(first)));
	fact("second", WEXITSTATUS(pclose(second)));
	alarm(0);
	FILE *exec = popen("echo a b", "re");
	fact("close-on-exec with e", fcntl(fileno(exec), F_GETFD));
	fact("read", fgets(text, sizeof(text), exec) && !strcmp(text, "a b\n"));
	fact("fclose waits", fclose(exec) == 0 && waitpid(-1, NULL, WNOHANG) == -1);
	errno = 0;
	fact("bad mode", popen("true", "x") == NULL);
	fact("bad mode errno", errno);
	fact("both modes", popen("true", "rw") == NULL);
	fact("not found", WEXITSTATUS(pclose(popen("/no/such/program 2>/dev/null", "r"))));
	close(0);
	close(1);
	FILE *closed = popen("echo low", "r");
	int good = closed && fgets(text, sizeof(text), closed) && !strcmp(text, "low\n");
	dprintf(2, "with low descriptors closed: %d %d\n", good, closed ? WEXITSTATUS(pclose(closed)) : -1);
}

int main(void)
{
	test_system();
	test_popen();
	return 0;
}
