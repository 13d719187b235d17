/* io.c - reads and writes on tracked sockets: tell the connection, edit what goes out. */
#include "hooks/io.h"

#include <fcntl.h>
#include <limits.h>

#include "preload/activity.h"
#include "preload/handoff.h"
#include "preload/readable.h"
#include "preload/sys.h"

#define SYMBOLS(WRAP, CALL) CALL(sendmsg)
HOOK_LIBRARY(io, SYMBOLS);

static void plain(uintptr_t entry, bool reads)
{
	if (!thread.current || !hook_live())
		return;
	if (fd_channel_of(entry)) {
		if (reads)
			handoff_leaves();
		return;
	}
	if (!reads)
		handoff_posted();
	else if (entry & FD_WAKES)
		activity_woken();
}

/* --- pipes that lead from one thread to another ------------------------------------------------------- */

static bool is_channel(int fd)
{
	return hooks_live && fd_channel_of(fdtable_get(fd)) && hook_live();
}

bool io_message_sends(int fd, const void *bytes, size_t len)
{
	if (!is_channel(fd))
		return false;
	int saved = hook_enter();
	uint64_t key = 0;
	if (len <= MESSAGE_MAX && readable(bytes, len))
		key = message_key(fd_channel_of(fdtable_get(fd)), bytes, len);
	bool known = key && handoff_sends(key);
	if (!key)
		handoff_posted();
	hook_leave(saved);
	return known;
}

void io_message_unsent(void)
{
	int saved = hook_enter();
	handoff_unsent();
	hook_leave(saved);
}

void io_message_took(int fd, const void *bytes, size_t asked, ssize_t got)
{
	if (!is_channel(fd))
		return;
	int saved = hook_enter();
	bool whole = got > 0 && (size_t)got == asked;
	handoff_took(whole ? message_key(fd_channel_of(fdtable_get(fd)), bytes, asked) : 0);
	hook_leave(saved);
}

struct conn *io_conn_slow(int fd, uintptr_t entry, bool reads)
{
	if (entry & FD_PLAIN) {
		plain(entry, reads);
		return NULL;
	}
	/* A vfork child closed and reused numbers of a table of its own: this one is not the parent's. */
	if (__builtin_expect(thread.vforked, 0) && !hook_same_process())
		return NULL;
	if (hook_live()) {
		struct conn *conn = conn_get_known(fd, entry);
		thread.fd = fd;
		/* One half in two places at once: in which order its bytes went nobody knows. */
		if (conn && atomic_load_explicit(reads ? &conn->ring_reads : &conn->ring_writes,
						 memory_order_relaxed))
			atomic_store(&conn->lost, true);
		return conn;
	}
	/* A signal handler in the middle of our own work: these bytes go by unseen, so what comes after them
	 * cannot be followed. */
	if (thread.busy && !thread.own)
		conn_bypassed(fd);
	return NULL;
}

void io_gone(struct conn *conn)
{
	int saved = hook_enter();
	conn_gone(conn);
	hook_leave(saved);
}

void io_connecting(int fd, const struct sockaddr *to, socklen_t len)
{
	/* A connection that we know is there already, and the kernel will say so. */
	if (!to || !hook_live() || fdtable_get(fd) || !hook_same_process())
		return;
	int saved = hook_enter();
	if (readable(to, len))
		conn_connecting(fd, to, len);
	hook_leave(saved);
}

void io_received(struct conn *conn, const struct iovec *iov, int iovcnt, ssize_t got, int flags)
{
	if (flags & (MSG_PEEK | MSG_ERRQUEUE | MSG_OOB))
		return;
	if (conn_only_carries(conn) && !conn->expired)
		return;
	int saved = hook_enter();
	if ((flags & MSG_TRUNC) && got > 0 && conn->peer.any.sa_family != AF_UNIX)
		conn_received_unseen(conn, (uint64_t)got); /* TCP threw them away unread */
	else
		conn_received(conn, iov, iovcnt, got, saved);
	hook_leave(saved);
}

#define PIECES 64

static bool is_blocking(const struct io_write *write)
{
	if (write->flags & MSG_DONTWAIT)
		return false;
	long flags = sys_fcntl(write->fd, F_GETFL, 0);
	return flags >= 0 && !(flags & O_NONBLOCK);
}

/* The edited bytes, as one sendmsg or (more pieces than fit, or a blocking write cut off inside our own
 * bytes) several. Returns the edited bytes that went, or -1 if none did. */
static ssize_t write_edited(const struct io_write *write, const struct outgoing *out)
{
	struct iovec pieces[PIECES];
	size_t total = outgoing_length(out), done = 0;
	int before = errno;

	while (done < total) {
		struct msghdr message = {0};
		if (write->message && done == 0)
			message = *write->message;
		if (write->to && done == 0) {
			message.msg_name = (void *)(uintptr_t)write->to;
			message.msg_namelen = write->to_len;
		}
		message.msg_iov = pieces;
		message.msg_iovlen = (size_t)outgoing_iov(out, done, pieces, PIECES);
		size_t asked = 0;
		for (size_t i = 0; i < message.msg_iovlen; i++)
			asked += pieces[i].iov_len;
		ssize_t sent = REAL(sendmsg)(write->fd, &message,
					     done ? write->flags & ~MSG_FASTOPEN : write->flags);
		if (sent <= 0 && done == 0)
			return sent;
		if (sent <= 0)
			break;
		done += (size_t)sent;
		errno = EAGAIN;
		if ((size_t)sent < asked && (outgoing_callers(out, done) > 0 || !is_blocking(write)))
			break;
	}
	/* Of a success errno says nothing; what went of ours only is the failure that stopped it. */
	if (outgoing_callers(out, done) > 0)
		errno = before;
	return (ssize_t)done;
}

/* If the thread is cancelled in the real call nobody knows what went out. */
static void write_abandoned(struct outgoing *out)
{
	if (!out->conn)
		return;
	int saved = hook_enter();
	conn_send_abandoned(out);
	hook_leave(saved);
}

/* A kernel that may not do so, or an address that is none: nothing was begun, and the host goes on by
 * connect(). */
static void not_connected(int fd, int error)
{
	if (error != EINPROGRESS && error != EALREADY && error != EAGAIN && error != EINTR &&
	    error != EISCONN)
		conn_forget(fd);
}

ssize_t io_write_through(struct conn *conn, const struct io_write *write)
{
	if (conn_only_carries(conn))
		return write->plain(write);
	__attribute__((cleanup(write_abandoned))) struct outgoing out;
	int saved = hook_enter();
	const struct iovec *iov = write->iov;
	int iovcnt = write->iovcnt;

	/* A client's bytes are looked at before the kernel has seen them. */
	if (conn->role != ROLE_SERVER && conn->mode == CONN_FOLLOWED && !readable_iov(iov, iovcnt))
		iovcnt = 0;
	out.frozen = (write->flags & (MSG_ZEROCOPY | MSG_OOB)) != 0;
	bool edited = conn_sending(&out, conn, iov, iovcnt);
	hook_leave(saved);

	ssize_t sent = edited ? write_edited(write, &out) : write->plain(write);
	if (edited && sent < 0 &&
	    errno == ENOTSOCK) { /* closed where we could not see it, and given to a file */
		errno = saved;
		(void)hook_enter();
		conn_send_misled(&out);
		out.conn = NULL;
		conn_forget(write->fd);
		hook_leave(saved);
		return write->plain(write);
	}

	int error = errno;
	(void)hook_enter();
	if ((write->flags & MSG_OOB) && sent > 0)
		atomic_store(&conn->lost, true);
	ssize_t result = conn_sent(&out, sent, &error);
	out.conn = NULL;
	if ((write->flags & MSG_FASTOPEN) && result < 0)
		not_connected(write->fd, error);
	hook_leave(error);
	return result;
}
