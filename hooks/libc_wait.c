/* libc_wait.c - waiting for events: rule 3 of causality.
 *
 * poll's array is looked at after the real call took it (a bad pointer is the kernel's to refuse, and nothing
 * of ours happens in between); select's sets are overwritten by the call and must be asked about before.
 * Not here: sigwait and its kin, because clients eat their own SIGPIPE with them in the middle of a request
 * (libpq), and pause, sleep: they bring no event of another activity. */
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>

#include "preload/activity.h"
#include "preload/hook.h"
#include "preload/readable.h"

/* Exported by glibc for callers built with _FORTIFY_SOURCE; declared nowhere that we may include. */
int __poll_chk(struct pollfd *fds, nfds_t count, int timeout, size_t size);
int __ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask,
		size_t size);

#define SYMBOLS(WRAP, CALL) \
	WRAP(epoll_wait)    \
	WRAP(epoll_pwait)   \
	WRAP(epoll_pwait2)  \
	WRAP(poll)          \
	WRAP(ppoll)         \
	WRAP(__poll_chk)    \
	WRAP(__ppoll_chk)   \
	WRAP(select)        \
	WRAP(pselect)

HOOK_LIBRARY(libc_wait, SYMBOLS);

static inline __attribute__((always_inline)) void waits_for_epoll(int epoll)
{
	if (!hook_live())
		return;
	int saved = hook_enter();
	activity_wait(thread.current != SPAN_NOBODY && activity_owns_fd(epoll));
	hook_leave(saved);
}

int epoll_wait(int epoll, struct epoll_event *events, int most, int timeout)
{
	waits_for_epoll(epoll);
	return REAL(epoll_wait)(epoll, events, most, timeout);
}

int epoll_pwait(int epoll, struct epoll_event *events, int most, int timeout, const sigset_t *mask)
{
	waits_for_epoll(epoll);
	return REAL(epoll_pwait)(epoll, events, most, timeout, mask);
}

int epoll_pwait2(int epoll, struct epoll_event *events, int most, const struct timespec *timeout,
		 const sigset_t *mask)
{
	waits_for_epoll(epoll);
	return REAL(epoll_pwait2)(epoll, events, most, timeout, mask);
}

/* The kernel read the array, so we may: also when a signal cut the wait short. */
static int polled(const struct pollfd *fds, nfds_t count, int result)
{
	if ((result < 0 && errno != EINTR) || !hook_live())
		return result;
	int saved = hook_enter();
	bool own = count == 0 || (thread.current != SPAN_NOBODY && activity_owns_poll(fds, count));
	if (count == 1)
		activity_wait_one(own);
	else
		activity_wait(own);
	hook_leave(saved);
	return result;
}

int poll(struct pollfd *fds, nfds_t count, int timeout)
{
	return polled(fds, count, REAL(poll)(fds, count, timeout));
}

int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask)
{
	return polled(fds, count, REAL(ppoll)(fds, count, timeout, mask));
}

int __poll_chk(struct pollfd *fds, nfds_t count, int timeout, size_t size)
{
	return polled(fds, count, REAL(__poll_chk)(fds, count, timeout, size));
}

int __ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask,
		size_t size)
{
	return polled(fds, count, REAL(__ppoll_chk)(fds, count, timeout, mask, size));
}

static bool set_readable(const fd_set *set, int count)
{
	return !set || readable(set, ((size_t)count + 63) / 64 * 8);
}

/* How many descriptors the sets name, up to two: one is no loop. */
static int members(int count, const fd_set *const sets[3])
{
	int found = 0;
	for (int fd = 0; fd < count && found < 2; fd++)
		found += (sets[0] && FD_ISSET(fd, sets[0])) || (sets[1] && FD_ISSET(fd, sets[1])) ||
			 (sets[2] && FD_ISSET(fd, sets[2]));
	return found;
}

static void selecting(int count, const fd_set *read, const fd_set *write, const fd_set *except)
{
	if (!hook_live())
		return;
	int saved = hook_enter();
	const fd_set *const sets[3] = {read, write, except};
	bool seen = count >= 0 && count <= FD_SETSIZE && set_readable(read, count) &&
		    set_readable(write, count) && set_readable(except, count);
	int named = seen ? members(count, sets) : 2;
	bool own = named == 0 || (seen && thread.current != SPAN_NOBODY &&
				  activity_owns_select(count, read, write, except));
	if (named == 1)
		activity_wait_one(own);
	else
		activity_wait(own);
	hook_leave(saved);
}

int select(int count, fd_set *read, fd_set *write, fd_set *except, struct timeval *timeout)
{
	selecting(count, read, write, except);
	return REAL(select)(count, read, write, except, timeout);
}

int pselect(int count, fd_set *read, fd_set *write, fd_set *except, const struct timespec *timeout,
	    const sigset_t *mask)
{
	selecting(count, read, write, except);
	return REAL(pselect)(count, read, write, except, timeout, mask);
}
