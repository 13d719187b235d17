/* fault.c - fault.so: preloaded behind the library, it is the kernel that the library talks to. Some calls on the chosen
 * descriptor are refused (EAGAIN, EINTR) or do less than they were asked for, as kernels may.
 *
 * FAULT_EVERY=n and FAULT_KIND=eagain|eintr|short|half in the environment choose for every socket of a program that knows
 * nothing of this: each n-th call. EAGAIN is given for non-blocking descriptors only. */
#include "fault.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

struct fault_plan fault_plan = {.fd = -1};
static unsigned every;

#define NEXT(name)                                  \
	static __typeof__(&name) next;              \
	if (!next)                                  \
		next = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

__attribute__((constructor)) static void from_environment(void)
{
	const char *count = getenv("FAULT_EVERY"), *kind = getenv("FAULT_KIND");
	if (!count || !kind)
		return;
	every = (unsigned)atoi(count);
	fault_plan.fd = -2;
	fault_plan.steps = 1;
	fault_plan.repeat = 1;
	fault_plan.step[0].fault = !strcmp(kind, "eagain")  ? FAULT_EAGAIN
				   : !strcmp(kind, "eintr") ? FAULT_EINTR
				   : !strcmp(kind, "half")  ? FAULT_HALF
							    : FAULT_SHORT;
	fault_plan.step[0].bytes = 1;
}

static int chosen(int fd)
{
	struct stat info;
	if (fault_plan.fd == fd)
		return fd >= 0;
	return fault_plan.fd == -2 && fstat(fd, &info) == 0 && S_ISSOCK(info.st_mode);
}

static int never_waits(int fd, int flags)
{
	return (flags & MSG_DONTWAIT) || (fcntl(fd, F_GETFL) & O_NONBLOCK);
}

/* How many of `count` bytes this call may move; -1 with errno: none. */
static ssize_t allowed(int fd, size_t count, int flags)
{
	if (!chosen(fd) || count == 0)
		return count > SSIZE_MAX ? SSIZE_MAX : (ssize_t)count;
	unsigned call = __atomic_fetch_add(&fault_plan.calls, 1, __ATOMIC_RELAXED);
	if (every ? call % every != 0 : call >= (unsigned)fault_plan.steps && !fault_plan.repeat)
		return (ssize_t)count;
	unsigned last = (unsigned)fault_plan.steps - 1;
	const struct fault_step *step = &fault_plan.step[every || call > last ? last : call];
	size_t most = count;
	switch ((enum fault)step->fault) {
	case FAULT_NONE:
		return (ssize_t)count;
	case FAULT_EAGAIN:
		if (!never_waits(fd, flags))
			return (ssize_t)count;
		fault_plan.hits++;
		errno = EAGAIN;
		return -1;
	case FAULT_EINTR:
		fault_plan.hits++;
		errno = EINTR;
		return -1;
	case FAULT_SHORT:
		most = step->bytes;
		break;
	case FAULT_ALL_BUT_ONE:
		most = count - 1;
		break;
	case FAULT_HALF:
		most = count / 2;
		break;
	}
	if (most == 0)
		most = 1;
	if (most >= count)
		return (ssize_t)count;
	fault_plan.hits++;
	return (ssize_t)most;
}

#define PIECES 1100

/* The first `most` bytes of iov. Returns how many pieces. */
static int cut(const struct iovec *iov, int count, size_t most, struct iovec *out)
{
	int n = 0;
	for (int i = 0; i < count && i < PIECES && most > 0; i++) {
		out[n] = iov[i];
		if (out[n].iov_len > most)
			out[n].iov_len = most;
		most -= out[n++].iov_len;
	}
	return n;
}

static size_t total(const struct iovec *iov, size_t count)
{
	size_t sum = 0;
	for (size_t i = 0; i < count; i++)
		sum += iov[i].iov_len;
	return sum;
}

#define PLAIN(type, name, flags, ...)                                  \
	NEXT(name);                                                    \
	if (!chosen(fd))                                               \
		return next(__VA_ARGS__);                              \
	ssize_t most = allowed(fd, count, flags);                      \
	if (most < 0)                                                  \
		return -1;                                             \
	count = (size_t)most;                                          \
	return next(__VA_ARGS__)

ssize_t write(int fd, const void *buf, size_t count) { PLAIN(ssize_t, write, 0, fd, buf, count); }
ssize_t read(int fd, void *buf, size_t count) { PLAIN(ssize_t, read, 0, fd, buf, count); }
ssize_t send(int fd, const void *buf, size_t count, int flags) { PLAIN(ssize_t, send, flags, fd, buf, count, flags); }
ssize_t recv(int fd, void *buf, size_t count, int flags) { PLAIN(ssize_t, recv, flags, fd, buf, count, flags); }
ssize_t sendto(int fd, const void *buf, size_t count, int flags, __CONST_SOCKADDR_ARG to, socklen_t len)
{
	PLAIN(ssize_t, sendto, flags, fd, buf, count, flags, to, len);
}
ssize_t recvfrom(int fd, void *buf, size_t count, int flags, __SOCKADDR_ARG from, socklen_t *len)
{
	PLAIN(ssize_t, recvfrom, flags, fd, buf, count, flags, from, len);
}
ssize_t sendfile(int fd, int in, off_t *offset, size_t count) { PLAIN(ssize_t, sendfile, 0, fd, in, offset, count); }
ssize_t splice(int in, off64_t *in_offset, int fd, off64_t *out_offset, size_t count, unsigned flags)
{
	PLAIN(ssize_t, splice, 0, in, in_offset, fd, out_offset, count, flags);
}

#define VECTOR(name, ...)                                                  \
	NEXT(name);                                                        \
	struct iovec piece[PIECES];                                        \
	if (!chosen(fd) || count <= 0)                                     \
		return next(__VA_ARGS__);                                  \
	ssize_t most = allowed(fd, total(iov, (size_t)count), 0);          \
	if (most < 0)                                                      \
		return -1;                                                 \
	count = cut(iov, count, (size_t)most, piece);                      \
	iov = piece;                                                       \
	return next(__VA_ARGS__)

ssize_t writev(int fd, const struct iovec *iov, int count) { VECTOR(writev, fd, iov, count); }
ssize_t readv(int fd, const struct iovec *iov, int count) { VECTOR(readv, fd, iov, count); }
ssize_t pwritev2(int fd, const struct iovec *iov, int count, off_t offset, int flags)
{
	VECTOR(pwritev2, fd, iov, count, offset, flags);
}
ssize_t preadv2(int fd, const struct iovec *iov, int count, off_t offset, int flags)
{
	VECTOR(preadv2, fd, iov, count, offset, flags);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	NEXT(sendmsg);
	struct iovec piece[PIECES];
	if (!chosen(fd))
		return next(fd, message, flags);
	ssize_t most = allowed(fd, total(message->msg_iov, message->msg_iovlen), flags);
	if (most < 0)
		return -1;
	struct msghdr copy = *message;
	copy.msg_iovlen = (size_t)cut(message->msg_iov, (int)message->msg_iovlen, (size_t)most, piece);
	copy.msg_iov = piece;
	return next(fd, &copy, flags);
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
	NEXT(recvmsg);
	struct iovec piece[PIECES];
	if (!chosen(fd))
		return next(fd, message, flags);
	ssize_t most = allowed(fd, total(message->msg_iov, message->msg_iovlen), flags);
	if (most < 0)
		return -1;
	struct iovec *iov = message->msg_iov;
	size_t count = message->msg_iovlen;
	message->msg_iovlen = (size_t)cut(iov, (int)count, (size_t)most, piece);
	message->msg_iov = piece;
	ssize_t got = next(fd, message, flags);
	message->msg_iov = iov;
	message->msg_iovlen = count;
	return got;
}

/* As many whole messages as are allowed, or a part of the first. */
int sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
	NEXT(sendmmsg);
	if (!chosen(fd))
		return next(fd, messages, count, flags);
	for (unsigned i = 0; i < count; i++) {
		size_t length = total(messages[i].msg_hdr.msg_iov, messages[i].msg_hdr.msg_iovlen);
		ssize_t sent = sendmsg(fd, &messages[i].msg_hdr, flags);
		if (sent < 0)
			return i ? (int)i : -1;
		messages[i].msg_len = (unsigned)sent;
		if ((size_t)sent < length)
			return (int)i + 1;
	}
	return (int)count;
}

int recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags, struct timespec *timeout)
{
	NEXT(recvmmsg);
	if (!chosen(fd) || count == 0)
		return next(fd, messages, count, flags, timeout);
	ssize_t got = recvmsg(fd, &messages[0].msg_hdr, flags);
	if (got < 0)
		return -1;
	messages[0].msg_len = (unsigned)got;
	return 1;
}
