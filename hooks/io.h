/* io.h - what the wrappers of reads and writes have in common. */
#ifndef TAGALONG_HOOKS_IO_H
#define TAGALONG_HOOKS_IO_H

#include <sys/socket.h>
#include <sys/uio.h>

#include "preload/conn.h"
#include "preload/hook.h"

/* The connection behind fd with a reference taken, if this call is to be told about it. NULL, after two loads
 * and a test, for everything else. io_release() gives it back, also when the thread is cancelled in the real
 * call (declare it with IO_CONN, and where bytes go out with IO_CONN_OUT). */
struct conn *io_conn_slow(int fd, uintptr_t entry, bool reads);

/* Nothing to know of fd, and the real function known: a tail call of real.symbol is all that is to do. */
#define IO_PLAIN(symbol, fd) __builtin_expect(real.symbol && (!hooks_live || !fdtable_get(fd)), 1)
#define TRACKED static __attribute__((noinline))

static inline struct conn *io_conn(int fd, bool reads)
{
	if (__builtin_expect(!hooks_live, 0))
		return NULL;
	uintptr_t entry = fdtable_get(fd);
	if (__builtin_expect(entry == 0, 1))
		return NULL;
	return io_conn_slow(fd, entry, reads);
}

/* The last reference. All before it are given back without the guard: that is one addition. */
void io_gone(struct conn *conn);
static inline void io_release(struct conn **conn)
{
	if (*conn && __builtin_expect(conn_put_was_last(*conn), 0))
		io_gone(*conn);
}
#define IO_CONN(fd) __attribute__((cleanup(io_release))) struct conn *conn = io_conn(fd, true)
#define IO_CONN_OUT(fd) __attribute__((cleanup(io_release))) struct conn *conn = io_conn(fd, false)

/* Before a write with MSG_FASTOPEN, which is a connect() too. */
void io_connecting(int fd, const struct sockaddr *to, socklen_t len);

/* After a read that consumed `got` bytes into iov, or failed with errno. Keeps errno. */
void io_received(struct conn *conn, const struct iovec *iov, int iovcnt, ssize_t got, int flags);

/* A read or write that is no connection's: does a message go to another thread (handoff.h)? Sends is asked
 * before the real call; true: unsent is to be told where that takes less. Took is told after it. */
bool io_message_sends(int fd, const void *bytes, size_t len);
void io_message_unsent(void);
void io_message_took(int fd, const void *bytes, size_t asked, ssize_t got);

/* One write: how to do it as the host asked (`plain`), and what an edited one must carry along. */
struct io_write {
	int fd;
	int flags; /* MSG_* */
	const struct iovec *iov;
	int iovcnt;
	const struct msghdr *message; /* sendmsg's, or NULL */
	const struct sockaddr *to;    /* sendto's, or NULL */
	socklen_t to_len;
	ssize_t (*plain)(const struct io_write *write);
};
/* Performs it, edited where context is to be put in; returns what the host is to see, errno included. */
ssize_t io_write_through(struct conn *conn, const struct io_write *write);

#endif
