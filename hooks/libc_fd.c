/* libc_fd.c - descriptors that are closed, copied and made.
 *
 * Kept up to date also inside other hooks' real calls and in threads without any activity: a number that was
 * closed unseen and came back as something else would have its bytes taken for the old connection's. A vfork
 * child has a table of its own but our memory, so it must not tell. ioctl is not here: FIONBIO and FIOASYNC
 * change what the kernel does, which we ask anew each time, and nothing else of it concerns the table. */
#include <fcntl.h>
#include <stdarg.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "hooks/nested.h"
#include "preload/activity.h"
#include "preload/conn.h"
#include "preload/ownfd.h"
#include "preload/sys.h"

#define SYMBOLS(WRAP, CALL)  \
	WRAP(close)          \
	WRAP(close_range)    \
	WRAP(closefrom)      \
	WRAP(dup)            \
	WRAP(dup2)           \
	WRAP(dup3)           \
	WRAP(fcntl)          \
	WRAP(fcntl64)        \
	WRAP(pipe)           \
	WRAP(pipe2)          \
	WRAP(eventfd)        \
	WRAP(epoll_create)   \
	WRAP(epoll_create1)  \
	WRAP(timerfd_create) \
	WRAP(signalfd)       \
	WRAP(inotify_init)   \
	WRAP(inotify_init1)  \
	WRAP(open)           \
	WRAP(open64)         \
	WRAP(openat)         \
	WRAP(openat64)       \
	WRAP(creat)          \
	WRAP(creat64)

HOOK_LIBRARY(libc_fd, SYMBOLS);

/* Our own descriptors do not exist for the host (nor for a handler that interrupted us); they do for us. */
static bool hidden(int fd)
{
	return hooks_live && !thread.own && fd > 2 && ownfd_is(fd);
}

static int no_such_fd(void)
{
	errno = EBADF;
	return -1;
}

/* --- closing ----------------------------------------------------------------------------------------- */

/* A handler that interrupted our own code cannot go through the table; at least the connection must not be
 * followed any further. */
static void closing_while_busy(int fd)
{
	struct conn *conn = thread.own ? NULL : conn_get(fd);
	if (conn) {
		atomic_store(&conn->lost, true);
		conn_put(conn);
	}
}

int close(int fd)
{
	if (hooks_live) {
		if (hidden(fd))
			return no_such_fd();
		if (fdtable_get(fd)) {
			if (!hook_live_nested()) {
				closing_while_busy(fd);
			} else if (hook_same_process()) {
				struct nested nested = nested_enter();
				conn_closing(fd);
				nested_leave(nested);
			}
		}
	}
	return REAL(close)(fd);
}

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif

/* In pieces around our own descriptors. Ours close on exec anyway. */
static int close_pieces(unsigned first, unsigned last, int flags)
{
	/* A vfork child is about to exec: they go with its table. */
	bool spare = !(flags & CLOSE_RANGE_CLOEXEC) && hook_same_process();
	while (spare) {
		int own = ownfd_next(first, last);
		if (own < 0)
			break;
		if ((unsigned)own > first) {
			int result = REAL(close_range)(first, (unsigned)own - 1, flags);
			if (result != 0)
				return result;
		}
		if ((unsigned)own == last)
			return 0;
		first = (unsigned)own + 1;
	}
	return REAL(close_range)(first, last, flags);
}

static void tell_closing_range(unsigned first, unsigned last)
{
	if (!hook_live_nested() || !hook_same_process())
		return;
	struct nested nested = nested_enter();
	conn_closing_range(first, last);
	nested_leave(nested);
}

int close_range(unsigned first, unsigned last, int flags)
{
	if (!hooks_live || thread.own || first > last)
		return REAL(close_range)(first, last, flags);
	/* Old kernels and bad flags: nothing is closed, so nothing may be forgotten. Asked with an empty
	 * range beyond all descriptors. */
	if (!(flags & CLOSE_RANGE_CLOEXEC) && REAL(close_range)(~0u, ~0u, flags) == 0)
		tell_closing_range(first, last);
	return close_pieces(first, last, flags);
}

/* Kernels without close_range(2): one by one, as glibc does from a list that we cannot ask for. */
static void close_singly(unsigned first)
{
	long most = sysconf(_SC_OPEN_MAX);
	for (long fd = (long)first; fd < most; fd++)
		if (!hidden((int)fd))
			sys_close((int)fd);
}

void closefrom(int low)
{
	unsigned first = low > 0 ? (unsigned)low : 0;

	if (!hooks_live || thread.own || !hook_same_process() || ownfd_next(first, ~0u) < 0) {
		if (hooks_live)
			tell_closing_range(first, ~0u);
		REAL(closefrom)(low);
		return;
	}
	tell_closing_range(first, ~0u);
	int saved = errno;
	if (!HAVE(close_range) || close_pieces(first, ~0u, 0) != 0)
		close_singly(first);
	errno = saved;
}

/* --- copying ----------------------------------------------------------------------------------------- */

/* After the real call made `copy` of fd. */
static int copied(int fd, int copy)
{
	if (copy < 0 || (!fdtable_get(fd) && !fdtable_get(copy)))
		return copy;
	if (hook_live_nested() && hook_same_process()) {
		struct nested nested = nested_enter();
		conn_duplicated(fd, copy);
		nested_leave(nested);
	}
	return copy;
}

int dup(int fd)
{
	if (hidden(fd))
		return no_such_fd();
	int copy = REAL(dup)(fd);
	return hooks_live ? copied(fd, copy) : copy;
}

/* The host claims number `to`: vacated only when the call is going to succeed, and never in a vfork child,
 * whose descriptors are copies. */
static void vacate(int fd, int to)
{
	if (!hidden(to) || fd == to || sys_fcntl(fd, F_GETFD, 0) < 0 || !hook_same_process())
		return;
	struct nested nested = nested_enter();
	ownfd_move(to);
	nested_leave(nested);
}

int dup2(int fd, int to)
{
	if (hidden(fd))
		return no_such_fd();
	vacate(fd, to);
	int copy = REAL(dup2)(fd, to);
	return hooks_live && fd != to ? copied(fd, copy) : copy;
}

int dup3(int fd, int to, int flags)
{
	if (hidden(fd))
		return no_such_fd();
	vacate(fd, to);
	int copy = REAL(dup3)(fd, to, flags);
	return hooks_live ? copied(fd, copy) : copy;
}

/* Whatever the argument is, it travels in one register: as in glibc's own. */
#define FCNTL_ARGUMENT(last)                        \
	va_list arguments;                          \
	va_start(arguments, last);                  \
	void *argument = va_arg(arguments, void *); \
	va_end(arguments)

static int after_fcntl(int fd, int command, int result)
{
	if (hooks_live && (command == F_DUPFD || command == F_DUPFD_CLOEXEC))
		return copied(fd, result);
	return result;
}

int fcntl(int fd, int command, ...)
{
	FCNTL_ARGUMENT(command);
	if (hidden(fd))
		return no_such_fd();
	return after_fcntl(fd, command, REAL(fcntl)(fd, command, argument));
}

int fcntl64(int fd, int command, ...)
{
	FCNTL_ARGUMENT(command);
	if (hidden(fd))
		return no_such_fd();
	if (!HAVE(fcntl64))
		return after_fcntl(fd, command, REAL(fcntl)(fd, command, argument));
	return after_fcntl(fd, command, REAL(fcntl64)(fd, command, argument));
}

/* --- making ------------------------------------------------------------------------------------------ */

static int made(int fd, bool wakes)
{
	if (fd < 0 || !hook_live_nested() || !hook_same_process())
		return fd;
	struct nested nested = nested_enter();
	activity_made_fd(fd, wakes);
	nested_leave(nested);
	return fd;
}

static void made_pipe(const int fds[2])
{
	if (!hook_live_nested() || !hook_same_process())
		return;
	struct nested nested = nested_enter();
	activity_made_pipe(fds[0], fds[1]);
	nested_leave(nested);
}

int pipe(int fds[2])
{
	int result = REAL(pipe)(fds);
	if (result == 0)
		made_pipe(fds);
	return result;
}

int pipe2(int fds[2], int flags)
{
	int result = REAL(pipe2)(fds, flags);
	if (result == 0)
		made_pipe(fds);
	return result;
}

int eventfd(unsigned count, int flags)
{
	return made(REAL(eventfd)(count, flags), true);
}

int epoll_create(int size)
{
	return made(REAL(epoll_create)(size), false);
}

int epoll_create1(int flags)
{
	return made(REAL(epoll_create1)(flags), false);
}

int timerfd_create(clockid_t clock, int flags)
{
	return made(REAL(timerfd_create)(clock, flags), true);
}

int signalfd(int fd, const sigset_t *mask, int flags)
{
	int result = REAL(signalfd)(fd, mask, flags);
	return fd == -1 ? made(result, true) : result;
}

int inotify_init(void)
{
	return made(REAL(inotify_init)(), true);
}

int inotify_init1(int flags)
{
	return made(REAL(inotify_init1)(flags), true);
}

/* --- numbers that come back ------------------------------------------------------------------------------
 *
 * A descriptor may be closed where we cannot see it (inline assembly); what its number is given to next is no
 * connection. The descriptors of sockets are told by their own hooks. */

static int opened(int fd)
{
	if (fd >= 0 && hooks_live && fdtable_get(fd) && hook_live_nested() && hook_same_process()) {
		struct nested nested = nested_enter();
		conn_forget(fd);
		nested_leave(nested);
	}
	return fd;
}

/* The mode is there only with some flags; reading it where it is not does no harm. */
static mode_t mode_of(va_list arguments)
{
	return va_arg(arguments, mode_t);
}

#define OPEN(name, ...)                   \
	va_list arguments;                \
	va_start(arguments, flags);       \
	mode_t mode = mode_of(arguments); \
	va_end(arguments);                \
	return opened(REAL(name)(__VA_ARGS__, flags, mode))

int open(const char *path, int flags, ...)
{
	OPEN(open, path);
}

int open64(const char *path, int flags, ...)
{
	OPEN(open64, path);
}

int openat(int directory, const char *path, int flags, ...)
{
	OPEN(openat, directory, path);
}

int openat64(int directory, const char *path, int flags, ...)
{
	OPEN(openat64, directory, path);
}

int creat(const char *path, mode_t mode)
{
	return opened(REAL(creat)(path, mode));
}

int creat64(const char *path, mode_t mode)
{
	return opened(REAL(creat64)(path, mode));
}
