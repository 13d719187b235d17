/* send.c - the host's ways of sending, and what a caller may be told by a kernel. */
#include "rig.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

const char *const method_name[METHODS] = {"write", "writev", "send", "sendto", "sendmsg", "sendmmsg", "MSG_MORE",
					  "MSG_DONTWAIT", "pwritev2", "sendfile", "splice"};

void store_take(struct store *store, int peer, bool to_the_end)
{
	for (;;) {
		if (store->room - store->len < 65536)
			store->bytes = realloc(store->bytes, store->room = 2 * store->room + 131072);
		ssize_t got = raw.recv(peer, store->bytes + store->len, store->room - store->len, to_the_end ? 0 : MSG_DONTWAIT);
		if (got <= 0)
			return;
		store->len += (size_t)got;
		if (!to_the_end && store->len < 60000)
			return;
	}
}

/* In pieces of uneven sizes, an empty one among them. */
static int pieces(const char *bytes, size_t len, struct iovec *iov)
{
	size_t first = len / 3, second = len / 2;
	iov[0] = (struct iovec){(void *)(size_t)bytes, first};
	iov[1] = (struct iovec){(void *)(size_t)bytes, 0};
	iov[2] = (struct iovec){(void *)(size_t)(bytes + first), second - first};
	iov[3] = (struct iovec){(void *)(size_t)(bytes + second), len - second};
	return 4;
}

static size_t message_end(size_t len)
{
	return len > 2 ? len / 2 + 1 : len;
}

static ssize_t by_sendmmsg(int fd, const char *bytes, size_t len, int flags)
{
	struct iovec iov[2][4];
	struct mmsghdr message[2] = {0};
	size_t end = message_end(len);

	message[0].msg_hdr.msg_iov = iov[0];
	message[0].msg_hdr.msg_iovlen = (size_t)pieces(bytes, end, iov[0]);
	message[1].msg_hdr.msg_iov = iov[1];
	message[1].msg_hdr.msg_iovlen = (size_t)pieces(bytes + end, len - end, iov[1]);
	int sent = sendmmsg(fd, message, end < len ? 2 : 1, flags);
	if (sent <= 0)
		return sent;
	if (sent > 2 || (sent == 2 && message[0].msg_len != end))
		return (ssize_t)len + 1; /* no kernel goes on behind a message that went in part */
	return (ssize_t)message[0].msg_len + (sent == 2 ? (ssize_t)message[1].msg_len : 0);
}

static ssize_t by_file(int fd, const char *bytes, size_t len)
{
	static int file = -1;
	off_t offset = 0;
	if (file < 0)
		file = memfd_create("body", MFD_CLOEXEC);
	if (ftruncate(file, 0) || pwrite(file, bytes, len, 0) != (ssize_t)len)
		abort();
	return sendfile(fd, file, &offset, len);
}

static ssize_t by_splice(int fd, const char *bytes, size_t len)
{
	static int ends[2] = {-1, -1};
	static size_t inside;
	if (ends[0] < 0 && (pipe(ends) || fcntl(ends[1], F_SETPIPE_SZ, 1 << 20) < 0))
		abort();
	if (!inside && len) { /* else an earlier call was refused and they are still there */
		ssize_t put = write(ends[1], bytes, len);
		inside = put > 0 ? (size_t)put : 0;
	}
	ssize_t moved = splice(ends[0], NULL, fd, NULL, inside, 0);
	if (moved > 0)
		inside -= (size_t)moved;
	return moved;
}

static ssize_t one_call(const struct sender *sender, const char *bytes, size_t len, bool more)
{
	struct iovec iov[4];
	struct msghdr message = {.msg_iov = iov};
	int fd = sender->host;

	switch (sender->way->method) {
	case BY_WRITE:
		return write(fd, bytes, len);
	case BY_WRITEV:
		return writev(fd, iov, pieces(bytes, len, iov));
	case BY_SEND:
		return send(fd, bytes, len, MSG_NOSIGNAL);
	case BY_SENDTO:
		return sendto(fd, bytes, len, MSG_NOSIGNAL, NULL, 0);
	case BY_SENDMSG:
		message.msg_iovlen = (size_t)pieces(bytes, len, iov);
		return sendmsg(fd, &message, MSG_NOSIGNAL);
	case BY_SENDMMSG:
		return by_sendmmsg(fd, bytes, len, MSG_NOSIGNAL);
	case BY_MORE:
		return send(fd, bytes, len, more ? MSG_MORE : 0);
	case BY_DONTWAIT:
		return send(fd, bytes, len, MSG_DONTWAIT);
	case BY_PWRITEV2:
		return pwritev2(fd, iov, pieces(bytes, len, iov), -1, 0);
	case BY_SENDFILE:
		return by_file(fd, bytes, len);
	case BY_SPLICE:
		return by_splice(fd, bytes, len);
	default:
		abort();
	}
}

/* The plan has a step of this kind. */
static bool plan_has(const struct way *way, enum fault fault)
{
	for (int i = 0; i < way->steps; i++)
		if (way->step[i].fault == (int)fault)
			return true;
	return false;
}

/* NULL: such an answer could have come from a kernel that was asked for `len` bytes. */
static const char *implausible(const struct way *way, ssize_t sent, size_t len, bool faulty)
{
	bool waits = !way->nonblocking && way->method != BY_DONTWAIT;
	if (sent > (ssize_t)len)
		return "more than was asked for";
	if (sent == 0)
		return "0 for a write that was not empty";
	if (sent > 0)
		return waits && (size_t)sent < len && !faulty ? "a blocking write came back short" : NULL;
	if (errno == EINTR)
		return plan_has(way, FAULT_EINTR) ? NULL : "EINTR without a signal";
	if (errno == EAGAIN)
		return waits ? "EAGAIN from a blocking descriptor" : NULL;
	return strerror(errno);
}

bool sender_send(struct sender *sender, const char *bytes, size_t len, bool more)
{
	for (int tries = 0; len > 0; tries++) {
		unsigned hits = faults ? faults->hits : 0;
		errno = 0;
		ssize_t sent = one_call(sender, bytes, len, more);
		const char *why = implausible(sender->way, sent, len, faults && faults->hits != hits);
		if (!why && tries > 400000)
			why = "never done";
		if (why) {
			snprintf(sender->why, sizeof(sender->why), "%s returned %zd of %zu: %s", method_name[sender->way->method],
				 sent, len, why);
			return false;
		}
		if (sender->store)
			store_take(sender->store, sender->peer, false);
		if (sent < 0 && errno == EAGAIN && (!faults || faults->hits == hits)) {
			struct pollfd ready = {sender->host, POLLOUT, 0};
			poll(&ready, 1, 100);
		}
		if (sent > 0) {
			bytes += sent;
			len -= (size_t)sent;
		}
	}
	return true;
}
