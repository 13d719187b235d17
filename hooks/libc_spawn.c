/* libc_spawn.c - programs that are started: the exec family and posix_spawn.
 *
 * Each gets its environment from launch.h, on the stack: a vfork child may use nothing else. execl and its
 * kin turn their arguments into an array as libc does. */
#include <alloca.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hooks/launch.h"
#include "hooks/nested.h"
#include "preload/config.h"
#include "preload/process.h"
#include "preload/process_span.h"
#include "preload/readable.h"
#include "preload/sys.h"

#define SYMBOLS(WRAP, CALL) \
	WRAP(execve)        \
	WRAP(execv)         \
	WRAP(execvp)        \
	WRAP(execvpe)       \
	WRAP(execl)         \
	WRAP(execle)        \
	WRAP(execlp)        \
	WRAP(fexecve)       \
	WRAP(execveat)      \
	WRAP(posix_spawn)   \
	WRAP(posix_spawnp)

HOOK_LIBRARY(libc_spawn, SYMBOLS);

extern char **environ;

/* This program's image is about to go: what it queued must go out first, the process span included, whose id
 * is the new image's parent. Not when the call is bound to fail, and never in a vfork child, whose parent
 * lives on. */
static void leaving(const char *path)
{
	if (!hook_live_nested() || !hook_same_process())
		return;
	struct nested nested = nested_enter();
	if (!path || (readable(path, 1) && sys_access(path, X_OK) == 0)) {
		process_span_end(-1);
		if (process_flush)
			process_flush((int)config.exit_timeout);
	}
	nested_leave(nested);
}

/* What is relative to a descriptor cannot be judged beforehand. */
static const char *absolute(const char *file)
{
	return readable(file, 1) && file[0] == '/' ? file : NULL;
}

static bool is_program(const char *directory, size_t len, const char *name, size_t name_len)
{
	char path[4096];
	if (len + name_len + 2 > sizeof(path))
		return false;
	memcpy(path, directory, len);
	path[len] = '/';
	memcpy(path + len + (len > 0), name, name_len + 1);
	return sys_access(path, X_OK) == 0;
}

/* As libc looks for it: where there is a slash, there; else along PATH. */
static bool will_be_found(const char *name)
{
	size_t name_len = readable(name, 1) ? strlen(name) : 0;
	const char *list = getenv("PATH");
	if (name_len == 0)
		return false;
	if (memchr(name, '/', name_len))
		return sys_access(name, X_OK) == 0;
	for (list = list ? list : "/bin:/usr/bin"; list; list = *list ? list + 1 : NULL) {
		size_t len = strcspn(list, ":");
		if (is_program(list, len, name, name_len))
			return true;
		list += len;
	}
	return false;
}

/* What we added may be the straw that is too much. */
#define WITH_ENVIRON(envp, call)                              \
	char *const *given = (envp);                          \
	char *const *env = LAUNCH_ENVIRON(given);             \
	int result = (call);                                  \
	if (result == -1 && errno == E2BIG && env != given) { \
		env = given;                                  \
		result = (call);                              \
	}                                                     \
	return result

int execve(const char *path, char *const argv[], char *const envp[])
{
	leaving(path);
	WITH_ENVIRON(envp, REAL(execve)(path, argv, env));
}

int execv(const char *path, char *const argv[])
{
	leaving(path);
	WITH_ENVIRON(environ, REAL(execve)(path, argv, env));
}

int execvpe(const char *file, char *const argv[], char *const envp[])
{
	if (will_be_found(file))
		leaving(NULL);
	WITH_ENVIRON(envp, REAL(execvpe)(file, argv, env));
}

int execvp(const char *file, char *const argv[])
{
	if (will_be_found(file))
		leaving(NULL);
	WITH_ENVIRON(environ, REAL(execvpe)(file, argv, env));
}

int fexecve(int fd, char *const argv[], char *const envp[])
{
	if (fd >= 0)
		leaving(NULL);
	WITH_ENVIRON(envp, REAL(fexecve)(fd, argv, env));
}

int execveat(int fd, const char *path, char *const argv[], char *const envp[], int flags)
{
	leaving(absolute(path));
	WITH_ENVIRON(envp, REAL(execveat)(fd, path, argv, env, flags));
}

/* --- arguments one by one ------------------------------------------------------------------------------ */

/* How many there are up to the NULL, `first` counted. */
static size_t count_arguments(const char *first, va_list arguments)
{
	size_t count = 0;
	va_list copy;
	va_copy(copy, arguments);
	for (const char *at = first; at; at = va_arg(copy, const char *))
		count++;
	va_end(copy);
	return count;
}

/* Leaves `arguments` behind the NULL: there execle has its environment. */
static void fill_arguments(char **argv, const char *first, va_list *arguments)
{
	const char *at = first;
	while ((*argv++ = (char *)(uintptr_t)at))
		at = va_arg(*arguments, const char *);
}

#define ARGV_ON_STACK(argv, first)                                                      \
	va_list arguments;                                                              \
	va_start(arguments, first);                                                     \
	char **argv = alloca((count_arguments(first, arguments) + 1) * sizeof(char *)); \
	fill_arguments(argv, first, &arguments)

int execl(const char *path, const char *first, ...)
{
	ARGV_ON_STACK(argv, first);
	va_end(arguments);
	return execv(path, argv);
}

int execlp(const char *file, const char *first, ...)
{
	ARGV_ON_STACK(argv, first);
	va_end(arguments);
	return execvp(file, argv);
}

int execle(const char *path, const char *first, ...)
{
	ARGV_ON_STACK(argv, first);
	char *const *envp = va_arg(arguments, char *const *);
	va_end(arguments);
	return execve(path, argv, envp);
}

/* --- posix_spawn ---------------------------------------------------------------------------------------- */

int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
		const posix_spawnattr_t *attributes, char *const argv[], char *const envp[])
{
	char *const *env = LAUNCH_ENVIRON(envp);
	return REAL(posix_spawn)(pid, path, actions, attributes, argv, env);
}

int posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
		 const posix_spawnattr_t *attributes, char *const argv[], char *const envp[])
{
	char *const *env = LAUNCH_ENVIRON(envp);
	return REAL(posix_spawnp)(pid, file, actions, attributes, argv, env);
}
