/* libc_msg.c - sendmsg, recvmsg and their many-message forms; descriptors that travel with them. */
#include "hooks/io.h"

#include <string.h>

#include "preload/readable.h"

#define SYMBOLS(WRAP, CALL) \
	WRAP(sendmsg)       \
	WRAP(recvmsg)       \
	WRAP(sendmmsg)      \
	WRAP(recvmmsg)

HOOK_LIBRARY(libc_msg, SYMBOLS);

static ssize_t plain_sendmsg(const struct io_write *w)
{
	return REAL(sendmsg)(w->fd, w->message, w->flags);
}

static ssize_t send_message(struct conn *conn, int fd, const struct msghdr *message, int flags)
{
	/* The header itself is read before the kernel has judged it. */
	if (!readable(message, sizeof(*message)) || message->msg_iovlen > 1024)
		return REAL(sendmsg)(fd, message, flags);
	struct io_write call = {.fd = fd,
				.flags = flags,
				.iov = message->msg_iov,
				.iovcnt = (int)message->msg_iovlen,
				.message = message,
				.plain = plain_sendmsg};
	return io_write_through(conn, &call);
}

TRACKED ssize_t tracked_sendmsg(int fd, const struct msghdr *message, int flags)
{
	if ((flags & MSG_FASTOPEN) && readable(message, sizeof(*message)))
		io_connecting(fd, message->msg_name, message->msg_namelen);
	IO_CONN_OUT(fd);
	if (!conn)
		return REAL(sendmsg)(fd, message, flags);
	return send_message(conn, fd, message, flags);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	return IO_PLAIN(sendmsg, fd) && !(flags & MSG_FASTOPEN) ? real.sendmsg(fd, message, flags)
								: tracked_sendmsg(fd, message, flags);
}

/* As the kernel does it: message by message, until one fails or goes only in part. */
int sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
	IO_CONN_OUT(fd);
	if (!conn || !readable(messages, (size_t)count * sizeof(*messages)))
		return REAL(sendmmsg)(fd, messages, count, flags);
	unsigned done = 0;
	while (done < count && done < 1024) {
		size_t length = 0;
		const struct msghdr *message = &messages[done].msg_hdr;
		if (message->msg_iovlen > 1024 ||
		    !readable(message->msg_iov, message->msg_iovlen * sizeof(struct iovec)))
			break;
		for (size_t i = 0; i < message->msg_iovlen; i++)
			length += message->msg_iov[i].iov_len;
		ssize_t sent = send_message(conn, fd, message, flags);
		if (sent < 0)
			return done ? (int)done : -1;
		messages[done++].msg_len = (unsigned)sent;
		if ((size_t)sent < length)
			return (int)done;
	}
	if (done == 0 && count > 0)
		return REAL(sendmmsg)(fd, messages, count, flags);
	return (int)done;
}

/* Sockets that another process handed over. */
static void adopt_passed(const struct msghdr *message)
{
	struct msghdr *copy = (struct msghdr *)(uintptr_t)message;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(copy); c; c = CMSG_NXTHDR(copy, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS || c->cmsg_len < CMSG_LEN(0))
			continue;
		size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			conn_adopted(fd);
		}
	}
}

static void message_received(struct conn *conn, const struct msghdr *message, ssize_t got, int flags)
{
	if (got >= 0 && message->msg_controllen >= sizeof(struct cmsghdr) && hook_live()) {
		int saved = hook_enter();
		adopt_passed(message);
		hook_leave(saved);
	}
	if (conn)
		io_received(conn, message->msg_iov, (int)message->msg_iovlen, got,
			    got == 0 && message->msg_iovlen == 0 ? MSG_PEEK : flags);
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
	IO_CONN(fd);
	ssize_t got = REAL(recvmsg)(fd, message, flags);
	if (got >= 0)
		message_received(conn, message, got, flags);
	else if (conn)
		io_received(conn, NULL, 0, got, flags);
	return got;
}

int recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags, struct timespec *timeout)
{
	IO_CONN(fd);
	int got = REAL(recvmmsg)(fd, messages, count, flags, timeout);
	for (int i = 0; i < got; i++)
		message_received(conn, &messages[i].msg_hdr, (ssize_t)messages[i].msg_len, flags);
	if (got < 0 && conn)
		io_received(conn, NULL, 0, got, flags);
	return got;
}
