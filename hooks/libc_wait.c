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

#include "hooks/interpreters.h"
#include "preload/activity.h"
#include "preload/clock.h"
#include "preload/hook.h"
#include "preload/loop.h"
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

static inline __attribute__((always_inline)) uint64_t starts(int timeout)
{
	return timeout > 0 && !thread.waited ? clock_roughly() : 0;
}

/* All is told behind the real call, so that a look which finds nothing is none. */
static inline __attribute__((always_inline)) void told(int events, int timeout, uint64_t from)
{
	if (timeout != 0 || events != 0 || !thread.loop)
		activity_wait(false);
	/* libcurl waits for its own connection and its own wake-ups inside of a call that blocks. */
	if ((timeout != 0 || events != 0) && thread.within <= (uintptr_t)__builtin_frame_address(0))
		thread.waits++;
	loop_waited(events, timeout, from);
}

static void waited(bool own, int events, int timeout, uint64_t from)
{
	if (!own)
		told(events, timeout, from);
}

static inline __attribute__((always_inline)) int waited_for_epoll(int epoll, int events, int timeout,
								  uint64_t from)
{
	if (!hook_live())
		return events;
	int saved = hook_enter();
	if (thread.current == SPAN_NOBODY || !activity_owns_fd(epoll))
		told(events, timeout, from);
	hook_leave(saved);
	return events;
}

int epoll_wait(int epoll, struct epoll_event *events, int most, int timeout)
{
	uint64_t from = starts(timeout);
	return waited_for_epoll(epoll, REAL(epoll_wait)(epoll, events, most, timeout), timeout, from);
}

int epoll_pwait(int epoll, struct epoll_event *events, int most, int timeout, const sigset_t *mask)
{
	uint64_t from = starts(timeout);
	return waited_for_epoll(epoll, REAL(epoll_pwait)(epoll, events, most, timeout, mask), timeout, from);
}

/* In ms, rounded down; the host's pointer may be bad, so it is asked about first. */
static int in_ms(const struct timespec *timeout)
{
	if (!timeout || !readable(timeout, sizeof(*timeout)) || timeout->tv_sec > INT32_MAX / 2000)
		return -1;
	if (timeout->tv_sec == 0 && timeout->tv_nsec == 0)
		return 0;
	int ms = (int)(timeout->tv_sec * 1000 + timeout->tv_nsec / 1000000);
	return ms > 0 ? ms : 1;
}

int epoll_pwait2(int epoll, struct epoll_event *events, int most, const struct timespec *timeout,
		 const sigset_t *mask)
{
	int ms = in_ms(timeout);
	uint64_t from = starts(ms);
	return waited_for_epoll(epoll, REAL(epoll_pwait2)(epoll, events, most, timeout, mask), ms, from);
}

/* The kernel read the array, so we may: also when a signal cut the wait short. */
static int polled(const struct pollfd *fds, nfds_t count, int result, int timeout, uint64_t from)
{
	if ((result < 0 && errno != EINTR) || !hook_live())
		return result;
	int saved = hook_enter();
	bool own =
		count == 0 || (thread.current != SPAN_NOBODY &&
			       (count == 1 ? activity_owns_one(fds[0].fd) : activity_owns_poll(fds, count)));
	if (count == 1)
		activity_wait_one(own);
	else
		waited(own, result, timeout, from);
	if (count == 1 && result == 0 && timeout > 0)
		conn_wait_expired(fds[0].fd);
	hook_leave(saved);
	return result;
}

/* In a wrapper: how many of them are waited for by the program. */
#define WAITED_FOR(count) ((count) == 2 && interpreter_signals(__builtin_return_address(0)) ? 1 : (count))

int poll(struct pollfd *fds, nfds_t count, int timeout)
{
	uint64_t from = starts(timeout);
	return polled(fds, WAITED_FOR(count), REAL(poll)(fds, count, timeout), timeout, from);
}

int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask)
{
	int ms = in_ms(timeout);
	uint64_t from = starts(ms);
	return polled(fds, WAITED_FOR(count), REAL(ppoll)(fds, count, timeout, mask), ms, from);
}

int __poll_chk(struct pollfd *fds, nfds_t count, int timeout, size_t size)
{
	uint64_t from = starts(timeout);
	return polled(fds, WAITED_FOR(count), REAL(__poll_chk)(fds, count, timeout, size), timeout, from);
}

int __ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask,
		size_t size)
{
	int ms = in_ms(timeout);
	uint64_t from = starts(ms);
	return polled(fds, WAITED_FOR(count), REAL(__ppoll_chk)(fds, count, timeout, mask, size), ms, from);
}

static bool set_readable(const fd_set *set, int count)
{
	return !set || readable(set, ((size_t)count + 63) / 64 * 8);
}

/* How many descriptors the sets name, up to two: one is no loop. */
static int members(int count, const fd_set *const sets[3], int *first)
{
	int found = 0;
	for (int fd = 0; fd < count && found < 2; fd++) {
		bool in = (sets[0] && FD_ISSET(fd, sets[0])) || (sets[1] && FD_ISSET(fd, sets[1])) ||
			  (sets[2] && FD_ISSET(fd, sets[2]));
		if (in && found++ == 0)
			*first = fd;
	}
	return found;
}

enum selected { SELECTED_OWN, SELECTED_ONE, SELECTED_MANY };

/* What the sets name, before the call overwrites them. */
static enum selected selecting(int count, const fd_set *read, const fd_set *write, const fd_set *except)
{
	if (!hook_live())
		return SELECTED_OWN;
	int saved = hook_enter();
	const fd_set *const sets[3] = {read, write, except};
	bool seen = count >= 0 && count <= FD_SETSIZE && set_readable(read, count) &&
		    set_readable(write, count) && set_readable(except, count);
	int first = -1, named = seen ? members(count, sets, &first) : 2;
	bool own =
		named == 0 ||
		(seen && thread.current != SPAN_NOBODY &&
		 (named == 1 ? activity_owns_one(first) : activity_owns_select(count, read, write, except)));
	hook_leave(saved);
	return own ? SELECTED_OWN : named == 1 ? SELECTED_ONE : SELECTED_MANY;
}

static int selected(enum selected what, int result, int timeout, uint64_t from)
{
	if (what == SELECTED_OWN || !hook_live())
		return result;
	int saved = hook_enter();
	if (what == SELECTED_ONE)
		activity_wait_one(false);
	else
		waited(false, result, timeout, from);
	hook_leave(saved);
	return result;
}

int select(int count, fd_set *read, fd_set *write, fd_set *except, struct timeval *timeout)
{
	struct timespec limit = {0, 0};
	enum selected what = selecting(count, read, write, except);
	bool known = timeout && readable(timeout, sizeof(*timeout));
	if (known)
		limit = (struct timespec){timeout->tv_sec, timeout->tv_usec * 1000};
	int ms = in_ms(known ? &limit : NULL);
	uint64_t from = starts(ms);
	return selected(what, REAL(select)(count, read, write, except, timeout), ms, from);
}

int pselect(int count, fd_set *read, fd_set *write, fd_set *except, const struct timespec *timeout,
	    const sigset_t *mask)
{
	enum selected what = selecting(count, read, write, except);
	int ms = in_ms(timeout);
	uint64_t from = starts(ms);
	return selected(what, REAL(pselect)(count, read, write, except, timeout, mask), ms, from);
}
