/* launch METHOD ENVIRONMENT: starts itself as "launch show" by that method and prints what it finds there, once.
 * Knows nothing of tracing: run bare and preloaded it must exit alike and print the same, but for what is ours. */
#include <alloca.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static const char *self;

static int show(void)
{
	int traceparents = 0, preloads = 0, settings = 0;
	const char *parent = "-", *extra = "-";
	for (char **at = environ; *at; at++) {
		if (strncmp(*at, "TRACEPARENT=", 12) == 0) {
			traceparents++;
			parent = *at + 12;
		}
		preloads += strncmp(*at, "LD_PRELOAD=", 11) == 0;
		settings += strncmp(*at, "OTEL_SERVICE_NAME=", 18) == 0;
		if (strncmp(*at, "EXTRA=", 6) == 0)
			extra = *at + 6;
	}
	printf("%d %d %d %.35s %s\n", traceparents, preloads, settings, parent, extra);
	return 42;
}

static char **environment(const char *kind)
{
	static char *cleared[] = {NULL};
	static char *rebuilt[] = {"PATH=/usr/bin:/bin", "EXTRA=x", NULL};
	if (strcmp(kind, "cleared") == 0)
		return cleared;
	return strcmp(kind, "rebuilt") == 0 ? rebuilt : environ;
}

static int leave(int status)
{
	fflush(stdout);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int replace(const char *method, char **env)
{
	char *argv[] = {(char *)self, "show", NULL};
	if (!strcmp(method, "execve"))
		execve(self, argv, env);
	else if (!strcmp(method, "execle"))
		execle(self, self, "show", (char *)NULL, env);
	else if (!strcmp(method, "execvpe"))
		execvpe(self, argv, env);
	else if (!strcmp(method, "fexecve"))
		fexecve(open(self, O_RDONLY | O_CLOEXEC), argv, env);
	else if (!strcmp(method, "execveat"))
		execveat(AT_FDCWD, self, argv, env, 0);
	environ = env;
	if (!strcmp(method, "execv"))
		execv(self, argv);
	else if (!strcmp(method, "execvp"))
		execvp(self, argv);
	else if (!strcmp(method, "execl"))
		execl(self, self, "show", (char *)NULL);
	else if (!strcmp(method, "execlp"))
		execlp(self, self, "show", (char *)NULL);
	return 1;
}

static int in_child(pid_t (*make)(void), char **env)
{
	char *argv[] = {(char *)self, "show", NULL};
	int status;
	pid_t pid = make();
	if (pid == 0) {
		execve(self, argv, env);
		_exit(1);
	}
	waitpid(pid, &status, 0);
	return leave(status);
}

static int in_vfork(char **env)
{
	char *argv[] = {(char *)self, "show", NULL};
	int status;
	pid_t pid = vfork();
	if (pid == 0) {
		close(100);
		execve("/no/such/program", argv, env);
		execve(self, argv, env);
		_exit(1);
	}
	waitpid(pid, &status, 0);
	return leave(status);
}

static int spawn(int by_path, char **env)
{
	char *argv[] = {(char *)self, "show", NULL};
	int status;
	pid_t pid;
	if ((by_path ? posix_spawnp : posix_spawn)(&pid, self, NULL, NULL, argv, env) != 0)
		return 1;
	waitpid(pid, &status, 0);
	return leave(status);
}

static int by_popen(char **env)
{
	char command[600], line[200];
	environ = env;
	snprintf(command, sizeof(command), "%s show", self);
	FILE *stream = popen(command, "r");
	if (!stream)
		return 1;
	while (fgets(line, sizeof(line), stream))
		fputs(line, stdout);
	return leave(pclose(stream));
}

static int by_system(char **env)
{
	char command[600];
	environ = env;
	snprintf(command, sizeof(command), "%s show", self);
	return leave(system(command));
}

int main(int argc, char **argv)
{
	static char path[500];
	if (!realpath("/proc/self/exe", path))
		return 2;
	self = path;
	if (argc < 3)
		return show();
	char **env = environment(argv[2]);
	if (!strcmp(argv[1], "fork"))
		return in_child(fork, env);
	if (!strcmp(argv[1], "_Fork"))
		return in_child(_Fork, env);
	if (!strcmp(argv[1], "vfork"))
		return in_vfork(env);
	if (!strncmp(argv[1], "posix_spawn", 11))
		return spawn(argv[1][11] == 'p', env);
	if (!strcmp(argv[1], "system"))
		return by_system(env);
	if (!strcmp(argv[1], "popen"))
		return by_popen(env);
	return replace(argv[1], env);
}
