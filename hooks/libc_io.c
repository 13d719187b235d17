/* libc_io.c - libc calls that move bytes over a descriptor.
 *
 * tee and vmsplice move bytes between pipes only, copy_file_range between files: no socket, no hook. glibc's
 * own stdio does its reads and writes inside libc, unseen: libc_fd.c marks a tracked socket that stdio takes
 * over. */
#include "hooks/io.h"

#include <sys/sendfile.h>
#include <unistd.h>
#include <fcntl.h>

ssize_t __read_chk(int fd, void *buf, size_t count, size_t room);
ssize_t __recv_chk(int fd, void *buf, size_t count, size_t room, int flags);
ssize_t __recvfrom_chk(int fd, void *buf, size_t count, size_t room, int flags, struct sockaddr *from,
		       socklen_t *len);

#define SYMBOLS(WRAP, CALL)  \
	WRAP(read)           \
	WRAP(__read_chk)     \
	WRAP(readv)          \
	WRAP(preadv2)        \
	WRAP(preadv64v2)     \
	WRAP(recv)           \
	WRAP(__recv_chk)     \
	WRAP(recvfrom)       \
	WRAP(__recvfrom_chk) \
	WRAP(write)          \
	WRAP(writev)         \
	WRAP(pwritev2)       \
	WRAP(pwritev64v2)    \
	WRAP(send)           \
	WRAP(sendto)         \
	WRAP(sendfile)       \
	WRAP(sendfile64)     \
	WRAP(splice)

HOOK_LIBRARY(libc_io, SYMBOLS);

static void received_one(struct conn *conn, void *buf, size_t count, ssize_t got, int flags)
{
	struct iovec iov = {buf, count};
	io_received(conn, &iov, 1, got, flags);
}

TRACKED ssize_t tracked_read(int fd, void *buf, size_t count)
{
	IO_CONN(fd);
	ssize_t got = REAL(read)(fd, buf, count);
	if (conn)
		received_one(conn, buf, count, count ? got : -1, count ? 0 : MSG_PEEK);
	else
		io_message_took(fd, buf, count, got);
	return got;
}

ssize_t read(int fd, void *buf, size_t count)
{
	return IO_PLAIN(read, fd) ? real.read(fd, buf, count) : tracked_read(fd, buf, count);
}

TRACKED ssize_t tracked_read_chk(int fd, void *buf, size_t count, size_t room)
{
	IO_CONN(fd);
	ssize_t got = REAL(__read_chk)(fd, buf, count, room);
	if (conn)
		received_one(conn, buf, count, got, count ? 0 : MSG_PEEK);
	else
		io_message_took(fd, buf, count, got);
	return got;
}

ssize_t __read_chk(int fd, void *buf, size_t count, size_t room)
{
	return IO_PLAIN(__read_chk, fd) ? real.__read_chk(fd, buf, count, room)
					: tracked_read_chk(fd, buf, count, room);
}

static bool asks_for_bytes(const struct iovec *iov, int iovcnt, ssize_t got)
{
	if (got != 0)
		return true;
	for (int i = 0; i < iovcnt; i++)
		if (iov[i].iov_len)
			return true;
	return false;
}

TRACKED ssize_t tracked_readv(int fd, const struct iovec *iov, int iovcnt)
{
	IO_CONN(fd);
	ssize_t got = REAL(readv)(fd, iov, iovcnt);
	if (conn && (got < 0 || asks_for_bytes(iov, iovcnt, got)))
		io_received(conn, iov, iovcnt, got, 0);
	return got;
}

ssize_t readv(int fd, const struct iovec *iov, int iovcnt)
{
	return IO_PLAIN(readv, fd) ? real.readv(fd, iov, iovcnt) : tracked_readv(fd, iov, iovcnt);
}

ssize_t preadv2(int fd, const struct iovec *iov, int iovcnt, off_t offset, int flags)
{
	IO_CONN(fd);
	ssize_t got = REAL(preadv2)(fd, iov, iovcnt, offset, flags);
	if (conn && (got < 0 || asks_for_bytes(iov, iovcnt, got)))
		io_received(conn, iov, iovcnt, got, 0);
	return got;
}

ssize_t preadv64v2(int fd, const struct iovec *iov, int iovcnt, off64_t offset, int flags)
{
	IO_CONN(fd);
	ssize_t got = REAL(preadv64v2)(fd, iov, iovcnt, offset, flags);
	if (conn && (got < 0 || asks_for_bytes(iov, iovcnt, got)))
		io_received(conn, iov, iovcnt, got, 0);
	return got;
}

TRACKED ssize_t tracked_recv(int fd, void *buf, size_t count, int flags)
{
	IO_CONN(fd);
	ssize_t got = REAL(recv)(fd, buf, count, flags);
	if (conn)
		received_one(conn, buf, count, got, count ? flags : MSG_PEEK);
	else if (!(flags & MSG_PEEK))
		io_message_took(fd, buf, count, got);
	return got;
}

ssize_t recv(int fd, void *buf, size_t count, int flags)
{
	return IO_PLAIN(recv, fd) ? real.recv(fd, buf, count, flags) : tracked_recv(fd, buf, count, flags);
}

TRACKED ssize_t tracked_recv_chk(int fd, void *buf, size_t count, size_t room, int flags)
{
	IO_CONN(fd);
	ssize_t got = REAL(__recv_chk)(fd, buf, count, room, flags);
	if (conn)
		received_one(conn, buf, count, got, count ? flags : MSG_PEEK);
	return got;
}

ssize_t __recv_chk(int fd, void *buf, size_t count, size_t room, int flags)
{
	return IO_PLAIN(__recv_chk, fd) ? real.__recv_chk(fd, buf, count, room, flags)
					: tracked_recv_chk(fd, buf, count, room, flags);
}

TRACKED ssize_t tracked_recvfrom(int fd, void *buf, size_t count, int flags, __SOCKADDR_ARG from,
				 socklen_t *len)
{
	IO_CONN(fd);
	ssize_t got = REAL(recvfrom)(fd, buf, count, flags, from, len);
	if (conn)
		received_one(conn, buf, count, got, count ? flags : MSG_PEEK);
	return got;
}

ssize_t recvfrom(int fd, void *buf, size_t count, int flags, __SOCKADDR_ARG from, socklen_t *len)
{
	return IO_PLAIN(recvfrom, fd) ? real.recvfrom(fd, buf, count, flags, from, len)
				      : tracked_recvfrom(fd, buf, count, flags, from, len);
}

TRACKED ssize_t tracked_recvfrom_chk(int fd, void *buf, size_t count, size_t room, int flags,
				     struct sockaddr *from, socklen_t *len)
{
	IO_CONN(fd);
	ssize_t got = REAL(__recvfrom_chk)(fd, buf, count, room, flags, from, len);
	if (conn)
		received_one(conn, buf, count, got, count ? flags : MSG_PEEK);
	return got;
}

ssize_t __recvfrom_chk(int fd, void *buf, size_t count, size_t room, int flags, struct sockaddr *from,
		       socklen_t *len)
{
	return IO_PLAIN(__recvfrom_chk, fd) ? real.__recvfrom_chk(fd, buf, count, room, flags, from, len)
					    : tracked_recvfrom_chk(fd, buf, count, room, flags, from, len);
}

/* --- writes: `plain` is the call as the host made it ------------------------------------------------------
 */

static ssize_t plain_write(const struct io_write *w)
{
	return REAL(write)(w->fd, w->iov->iov_base, w->iov->iov_len);
}

TRACKED ssize_t tracked_write(int fd, const void *buf, size_t count)
{
	IO_CONN_OUT(fd);
	if (!conn) {
		bool message = io_message_sends(fd, buf, count);
		ssize_t sent = REAL(write)(fd, buf, count);
		if (message && sent != (ssize_t)count)
			io_message_unsent();
		return sent;
	}
	struct iovec iov = {(void *)(uintptr_t)buf, count};
	struct io_write call = {.fd = fd, .iov = &iov, .iovcnt = 1, .plain = plain_write};
	return io_write_through(conn, &call);
}

ssize_t write(int fd, const void *buf, size_t count)
{
	return IO_PLAIN(write, fd) ? real.write(fd, buf, count) : tracked_write(fd, buf, count);
}

static ssize_t plain_writev(const struct io_write *w)
{
	return REAL(writev)(w->fd, w->iov, w->iovcnt);
}

TRACKED ssize_t tracked_writev(int fd, const struct iovec *iov, int iovcnt)
{
	IO_CONN_OUT(fd);
	if (!conn)
		return REAL(writev)(fd, iov, iovcnt);
	struct io_write call = {.fd = fd, .iov = iov, .iovcnt = iovcnt, .plain = plain_writev};
	return io_write_through(conn, &call);
}

ssize_t writev(int fd, const struct iovec *iov, int iovcnt)
{
	return IO_PLAIN(writev, fd) ? real.writev(fd, iov, iovcnt) : tracked_writev(fd, iov, iovcnt);
}

/* Only offset -1 acts on a socket at all, as a writev; flags are RWF_* and no MSG_*. */
ssize_t pwritev2(int fd, const struct iovec *iov, int iovcnt, off_t offset, int flags)
{
	if (offset == -1 && flags == 0)
		return writev(fd, iov, iovcnt);
	IO_CONN_OUT(fd);
	ssize_t sent = REAL(pwritev2)(fd, iov, iovcnt, offset, flags);
	if (conn && sent > 0)
		conn->lost = true;
	return sent;
}

ssize_t pwritev64v2(int fd, const struct iovec *iov, int iovcnt, off64_t offset, int flags)
{
	return pwritev2(fd, iov, iovcnt, offset, flags);
}

static ssize_t plain_send(const struct io_write *w)
{
	return REAL(send)(w->fd, w->iov->iov_base, w->iov->iov_len, w->flags);
}

TRACKED ssize_t tracked_send(int fd, const void *buf, size_t count, int flags)
{
	IO_CONN_OUT(fd);
	if (!conn) {
		bool message = io_message_sends(fd, buf, count);
		ssize_t sent = REAL(send)(fd, buf, count, flags);
		if (message && sent != (ssize_t)count)
			io_message_unsent();
		return sent;
	}
	struct iovec iov = {(void *)(uintptr_t)buf, count};
	struct io_write call = {.fd = fd, .flags = flags, .iov = &iov, .iovcnt = 1, .plain = plain_send};
	return io_write_through(conn, &call);
}

ssize_t send(int fd, const void *buf, size_t count, int flags)
{
	return IO_PLAIN(send, fd) ? real.send(fd, buf, count, flags) : tracked_send(fd, buf, count, flags);
}

static ssize_t plain_sendto(const struct io_write *w)
{
	return REAL(sendto)(w->fd, w->iov->iov_base, w->iov->iov_len, w->flags, w->to, w->to_len);
}

TRACKED ssize_t tracked_sendto(int fd, const void *buf, size_t count, int flags, __CONST_SOCKADDR_ARG to,
			       socklen_t len)
{
	if (flags & MSG_FASTOPEN)
		io_connecting(fd, to.__sockaddr__, len);
	IO_CONN_OUT(fd);
	if (!conn)
		return REAL(sendto)(fd, buf, count, flags, to, len);
	struct iovec iov = {(void *)(uintptr_t)buf, count};
	struct io_write call = {.fd = fd,
				.flags = flags,
				.iov = &iov,
				.iovcnt = 1,
				.to = to.__sockaddr__,
				.to_len = len,
				.plain = plain_sendto};
	return io_write_through(conn, &call);
}

ssize_t sendto(int fd, const void *buf, size_t count, int flags, __CONST_SOCKADDR_ARG to, socklen_t len)
{
	return IO_PLAIN(sendto, fd) && !(flags & MSG_FASTOPEN)
		       ? real.sendto(fd, buf, count, flags, to, len)
		       : tracked_sendto(fd, buf, count, flags, to, len);
}

/* --- bytes that never come through memory of the host's ---------------------------------------------------
 */

static void sent_unseen(struct conn *conn, ssize_t sent)
{
	if (!conn || sent <= 0)
		return;
	int saved = hook_enter();
	conn_sent_unseen(conn, (uint64_t)sent);
	hook_leave(saved);
}

ssize_t sendfile(int out, int in, off_t *offset, size_t count)
{
	IO_CONN_OUT(out);
	ssize_t sent = REAL(sendfile)(out, in, offset, count);
	sent_unseen(conn, sent);
	return sent;
}

ssize_t sendfile64(int out, int in, off64_t *offset, size_t count)
{
	IO_CONN_OUT(out);
	ssize_t sent = REAL(sendfile64)(out, in, offset, count);
	sent_unseen(conn, sent);
	return sent;
}

static void received_unseen(int fd, ssize_t got)
{
	IO_CONN_OUT(fd);
	if (!conn || got <= 0)
		return;
	int saved = hook_enter();
	conn_received_unseen(conn, (uint64_t)got);
	hook_leave(saved);
}

ssize_t splice(int in, off64_t *in_offset, int out, off64_t *out_offset, size_t count, unsigned flags)
{
	IO_CONN_OUT(out);
	ssize_t moved = REAL(splice)(in, in_offset, out, out_offset, count, flags);
	sent_unseen(conn, moved);
	received_unseen(in, moved);
	return moved;
}
