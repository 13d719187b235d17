/* stress - a hostile scheduler, preloaded behind the library: delays and preempts on both sides of the calls
 * that it hooks. RIG_STRESS: of 1000 calls so many. */
#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static long share = -1;
static __thread unsigned long seed;

static void disturb(void)
{
	int saved = errno;
	if (share < 0)
		share = getenv("RIG_STRESS") ? atol(getenv("RIG_STRESS")) : 0;
	if (!seed)
		seed = (unsigned long)&seed ^ (unsigned long)time(NULL) ^ (unsigned long)getpid() << 32;
	seed = seed * 6364136223846793005ul + 1442695040888963407ul;
	long dice = (long)(seed >> 33) % 1000;
	if (dice < share / 4) {
		struct timespec pause = {0, (long)(seed >> 40) % 400000};
		nanosleep(&pause, NULL);
	} else if (dice < share) {
		sched_yield();
	}
	errno = saved;
}

#define DISTURBED(type, name, parameters, arguments)               \
	type name parameters                                       \
	{                                                          \
		static type(*real) parameters;                     \
		if (!real)                                         \
			*(void **)&real = dlsym(RTLD_NEXT, #name); \
		disturb();                                         \
		type result = real arguments;                      \
		disturb();                                         \
		return result;                                     \
	}

DISTURBED(ssize_t, read, (int fd, void *buf, size_t count), (fd, buf, count))
DISTURBED(ssize_t, recv, (int fd, void *buf, size_t count, int flags), (fd, buf, count, flags))
DISTURBED(ssize_t, readv, (int fd, const struct iovec *iov, int count), (fd, iov, count))
DISTURBED(ssize_t, write, (int fd, const void *buf, size_t count), (fd, buf, count))
DISTURBED(ssize_t, send, (int fd, const void *buf, size_t count, int flags), (fd, buf, count, flags))
DISTURBED(ssize_t, writev, (int fd, const struct iovec *iov, int count), (fd, iov, count))
DISTURBED(ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags), (fd, message, flags))
DISTURBED(int, connect, (int fd, __CONST_SOCKADDR_ARG to, socklen_t len), (fd, to, len))
DISTURBED(int, accept4, (int fd, __SOCKADDR_ARG from, socklen_t *len, int flags), (fd, from, len, flags))
DISTURBED(int, accept, (int fd, __SOCKADDR_ARG from, socklen_t *len), (fd, from, len))
DISTURBED(int, close, (int fd), (fd))
DISTURBED(int, epoll_wait, (int epoll, struct epoll_event *events, int most, int timeout),
	  (epoll, events, most, timeout))
DISTURBED(int, poll, (struct pollfd * fds, nfds_t count, int timeout), (fds, count, timeout))
DISTURBED(int, pthread_cond_wait, (pthread_cond_t * condition, pthread_mutex_t *mutex), (condition, mutex))
DISTURBED(int, pthread_cond_signal, (pthread_cond_t * condition), (condition))
DISTURBED(int, pthread_cond_broadcast, (pthread_cond_t * condition), (condition))
DISTURBED(int, pthread_mutex_lock, (pthread_mutex_t * mutex), (mutex))
DISTURBED(int, pthread_mutex_unlock, (pthread_mutex_t * mutex), (mutex))
DISTURBED(int, pthread_create,
	  (pthread_t * made, const pthread_attr_t *attributes, void *(*start)(void *), void *argument),
	  (made, attributes, start, argument))
