/* uring_op.c - one operation of a ring: what it is to do, told before the kernel has it, and what it did. */
#include "hooks/uring.h"

#include <errno.h>
#include <string.h>

#include "preload/activity.h"
#include "preload/counters.h"
#include "preload/readable.h"

#define OPERATIONS 65536
#define MORES 2048

static struct pool operations, mores;

bool uring_op_init(void)
{
	return pool_init(&operations, sizeof(struct uring_op), OPERATIONS) &&
	       pool_init(&mores, sizeof(struct uring_more), MORES);
}

static const struct iovec *pieces_of(const struct uring_op *op)
{
	return op->more ? op->more->iov : &op->iov;
}

static _Atomic uint16_t *under_way(const struct uring_op *op)
{
	return op->kind == URING_READ ? &op->conn->ring_reads : &op->conn->ring_writes;
}

static bool is_transfer(const struct uring_op *op)
{
	return op->kind == URING_READ || op->kind == URING_WRITE;
}

/* Its part in the connection ends. */
static void release(struct uring_op *op)
{
	if (op->more && op->more->sending)
		conn_send_abandoned(&op->more->out);
	if (op->more)
		pool_give(&mores, op->more);
	if (op->conn)
		conn_put(op->conn);
	op->more = NULL;
	op->conn = NULL;
}

/* What becomes of it nobody will know. */
static void lose(struct uring *uring, struct uring_op *op)
{
	if (op->kind == URING_ACCEPT)
		uring->accepts--;
	if (is_transfer(op))
		atomic_fetch_sub(under_way(op), 1);
	if (op->conn)
		atomic_store(&op->conn->lost, true);
	release(op);
	op->kind = URING_OTHER;
}

/* --- given -------------------------------------------------------------------------------------------- */

static void refuse(struct conn *conn)
{
	if (conn->mode == CONN_FOLLOWED && !conn->lost)
		count_one(uring_refused);
	atomic_store(&conn->lost, true);
	activity_hidden();
}

static void refuse_fd(const struct io_uring_sqe *sqe, int fd)
{
	struct conn *conn = sqe->flags & IOSQE_FIXED_FILE ? NULL : conn_get(fd);
	activity_hidden();
	if (!conn)
		return;
	refuse(conn);
	conn_put(conn);
}

static bool is_socket_call(const struct io_uring_sqe *sqe)
{
	return sqe->opcode == IORING_OP_RECV || sqe->opcode == IORING_OP_SEND ||
	       sqe->opcode == IORING_OP_RECVMSG || sqe->opcode == IORING_OP_SENDMSG;
}

static bool is_plain(const struct io_uring_sqe *sqe)
{
	unsigned odd = MSG_OOB | MSG_PEEK | MSG_ERRQUEUE | MSG_ZEROCOPY | MSG_TRUNC;
	if (sqe->flags & IOSQE_BUFFER_SELECT)
		return false;
	return !is_socket_call(sqe) ||
	       (!(sqe->ioprio & ~IORING_RECVSEND_POLL_FIRST) && !(sqe->rw_flags & odd));
}

static const void *address(uint64_t of)
{
	return (const void *)(uintptr_t)of; /* NOLINT(performance-no-int-to-ptr) */
}

/* The kernel takes the array with the operation; the program may use it anew from then on. */
static bool copy_pieces(struct uring_op *op, const struct iovec *iov, size_t count)
{
	if (count == 0 || count > URING_PIECES || !readable(iov, count * sizeof(*iov)))
		return false;
	op->pieces = (uint8_t)count;
	if (count > 1 && !(op->more = pool_take(&mores)))
		return false;
	if (op->more)
		op->more->sending = false;
	memcpy(op->more ? op->more->iov : &op->iov, iov, count * sizeof(*iov));
	return true;
}

static bool find_pieces(struct uring_op *op, const struct io_uring_sqe *sqe)
{
	if (sqe->opcode == IORING_OP_RECVMSG || sqe->opcode == IORING_OP_SENDMSG) {
		const struct msghdr *message = address(sqe->addr);
		return readable(message, sizeof(*message)) &&
		       copy_pieces(op, message->msg_iov, message->msg_iovlen);
	}
	if (sqe->opcode == IORING_OP_READV || sqe->opcode == IORING_OP_WRITEV)
		return copy_pieces(op, address(sqe->addr), sqe->len);
	op->iov = (struct iovec){(void *)address(sqe->addr), sqe->len};
	op->pieces = 1;
	return sqe->len > 0;
}

/* A client's bytes are looked at before the kernel has them, for that is when it is known whose call it is.
 * They go out as they are: how many of them went the program may read where nothing can be corrected. */
static void look_ahead(struct uring_op *op)
{
	struct uring_more *more = op->more ? op->more : pool_take(&mores);
	if (!more) {
		atomic_store(&op->conn->lost, true);
		return;
	}
	if (!op->more)
		more->iov[0] = op->iov;
	op->more = more;
	more->sending = false;
	if (!readable_iov(more->iov, op->pieces)) {
		atomic_store(&op->conn->lost, true);
		return;
	}
	more->out.frozen = true;
	more->sending = true;
	if (conn_sending(&more->out, op->conn, more->iov, op->pieces)) {
		more->sending = false; /* the rest of an edit is owed, and cannot be put in here */
		conn_send_abandoned(&more->out);
	}
}

static void give_transfer(struct uring *uring, struct uring_op *op, const struct io_uring_sqe *sqe,
			  enum uring_kind kind)
{
	uintptr_t entry = sqe->flags & IOSQE_FIXED_FILE ? 0 : fdtable_get(sqe->fd);

	if (entry & FD_PLAIN)
		activity_unseen(); /* it may be what one thread hands to another */
	struct conn *conn = entry && !(entry & FD_PLAIN) ? conn_get(sqe->fd) : NULL;
	if (!conn && (is_socket_call(sqe) || (sqe->flags & IOSQE_FIXED_FILE)))
		activity_hidden();
	if (!conn)
		return;
	op->conn = conn;
	if (conn->mode == CONN_OPAQUE || !is_plain(sqe) || !find_pieces(op, sqe)) {
		refuse(conn);
		release(op);
		return;
	}
	op->kind = (uint8_t)kind;
	/* In a chain each waits for the one before. */
	bool behind = kind == URING_WRITE && uring->linked && uring->chained == conn;
	if (atomic_fetch_add(under_way(op), 1) && !behind) {
		count_one(uring_unordered);
		lose(uring, op);
	} else if (kind == URING_WRITE && conn->role != ROLE_SERVER) {
		look_ahead(op);
	}
}

static void give_connect(struct uring_op *op, const struct io_uring_sqe *sqe)
{
	const struct sockaddr *to = address(sqe->addr);
	if ((sqe->flags & IOSQE_FIXED_FILE) || sqe->off > sizeof(union conn_address) ||
	    !readable(to, sqe->off))
		return;
	conn_connecting(sqe->fd, to, (socklen_t)sqe->off);
	op->conn = conn_get(sqe->fd);
	op->kind = URING_CONNECT;
}

static void give_close(struct uring_op *op, const struct io_uring_sqe *sqe)
{
	uintptr_t entry = sqe->splice_fd_in ? 0 : fdtable_get(sqe->fd);
	if (entry & FD_PLAIN) {
		conn_closing(sqe->fd);
	} else if (entry) {
		op->conn = conn_get(sqe->fd);
		op->kind = URING_CLOSE;
	}
}

static void give_accept(struct uring_op *op, const struct io_uring_sqe *sqe)
{
	op->kind = URING_ACCEPT;
	op->direct = sqe->splice_fd_in != 0;
	if (op->direct)
		activity_hidden();
	op->from.peer = sqe->ioprio ? NULL : address(sqe->addr); /* several share one address */
	op->from.len = address(sqe->off);
}

static void classify(struct uring *uring, struct uring_op *op, const struct io_uring_sqe *sqe)
{
	switch (sqe->opcode) {
	case IORING_OP_RECV:
	case IORING_OP_RECVMSG:
	case IORING_OP_READ:
	case IORING_OP_READV:
	case IORING_OP_READ_FIXED:
		give_transfer(uring, op, sqe, URING_READ);
		break;
	case IORING_OP_SEND:
	case IORING_OP_SENDMSG:
	case IORING_OP_WRITE:
	case IORING_OP_WRITEV:
	case IORING_OP_WRITE_FIXED:
		give_transfer(uring, op, sqe, URING_WRITE);
		break;
	case IORING_OP_CONNECT:
		give_connect(op, sqe);
		break;
	case IORING_OP_CLOSE:
		give_close(op, sqe);
		break;
	case IORING_OP_ACCEPT:
		give_accept(op, sqe);
		break;
	case IORING_OP_SHUTDOWN:
		op->kind = URING_SHUTDOWN;
		op->flags = (int32_t)sqe->len;
		op->conn = sqe->flags & IOSQE_FIXED_FILE ? NULL : conn_get(sqe->fd);
		break;
	case IORING_OP_SOCKET:
		op->kind = URING_SOCKET;
		op->direct = sqe->splice_fd_in != 0;
		break;
	case IORING_OP_SPLICE:
	case IORING_OP_TEE:
		if (fdtable_get(sqe->splice_fd_in))
			refuse_fd(sqe, sqe->splice_fd_in);
		if (fdtable_get(sqe->fd))
			refuse_fd(sqe, sqe->fd);
		break;
	default:
		if (sqe->opcode >= IORING_OP_SEND_ZC)
			refuse_fd(sqe, sqe->fd);
		break;
	}
}

bool uring_op_is_event(const struct io_uring_sqe *sqe)
{
	switch (sqe->opcode) {
	case IORING_OP_POLL_ADD:
	case IORING_OP_SENDMSG:
	case IORING_OP_RECVMSG:
	case IORING_OP_ACCEPT:
	case IORING_OP_CONNECT:
	case IORING_OP_TIMEOUT:
	case IORING_OP_SEND:
	case IORING_OP_RECV:
	case IORING_OP_EPOLL_CTL:
		return true;
	case IORING_OP_PROVIDE_BUFFERS: /* its fd is a number */
		return false;
	default:
		return sqe->opcode > IORING_OP_TEE || (sqe->flags & IOSQE_FIXED_FILE) ||
		       (sqe->fd >= 0 && fdtable_get(sqe->fd));
	}
}

static uint32_t *bucket_of(struct uring *uring, uint64_t user_data)
{
	return &uring->bucket[((user_data * 0x9e3779b97f4a7c15ull) >> 40) & uring->mask];
}

static struct uring_op *at(uint32_t link)
{
	return link ? pool_slot(&operations, link - 1) : NULL;
}

/* The link to the next of these, from this link on. */
static uint32_t *find(uint32_t *link, uint64_t user_data)
{
	while (*link && at(*link)->user_data != user_data)
		link = &at(*link)->next;
	return link;
}

#define PLAIN_BEHIND 1024

/* A ring that has been for files only stays so, as a rule: then what completes is of no concern. */
static bool give_plainly(struct uring *uring, bool event)
{
	if (!event && !uring->plain && uring->flying == 0 && uring->given >= PLAIN_BEHIND)
		uring->plain = true;
	if (uring->plain && event) {
		if (uring->flying) /* any of these may have its user_data */
			atomic_store(&uring->missed, true);
		uring->plain = false;
	}
	uring->given = event ? 0 : uring->given + 1;
	uring->flying += uring->plain;
	return uring->plain;
}

static __attribute__((noinline)) void keep(struct uring *uring, const struct io_uring_sqe *sqe, bool event)
{
	struct uring_op op = {.user_data = sqe->user_data, .fd = sqe->fd, .count = 1};
	uint32_t *bucket = bucket_of(uring, sqe->user_data);

	uring->eventful |= event;
	/* Whether that one is done nobody is told; a failure's completion may look like another's. */
	if (sqe->flags & IOSQE_CQE_SKIP_SUCCESS)
		atomic_store(&uring->missed, true);
	classify(uring, &op, sqe);
	uring->chained = op.kind == URING_WRITE ? op.conn : uring->linked ? uring->chained : NULL;
	uring->linked = (sqe->flags & (IOSQE_IO_LINK | IOSQE_IO_HARDLINK)) != 0;
	uring->flying++;
	uring->accepts += op.kind == URING_ACCEPT;
	uring->outside |= op.kind == URING_OTHER && event;
	struct uring_op *alike = op.kind == URING_OTHER ? at(*find(bucket, op.user_data)) : NULL;
	if (alike && alike->kind == URING_OTHER) {
		alike->count++;
		return;
	}
	struct uring_op *kept = pool_take(&operations);
	if (!kept) {
		lose(uring, &op);
		atomic_store(&uring->missed, true);
		return;
	}
	op.next = *bucket;
	*kept = op;
	*bucket = pool_index(&operations, kept) + 1;
}

void uring_op_give(struct uring *uring, const struct io_uring_sqe *sqe)
{
	bool event = uring_op_is_event(sqe);
	if (!uring->eventful && !(sqe->flags & IOSQE_CQE_SKIP_SUCCESS) && give_plainly(uring, event))
		return;
	keep(uring, sqe, event);
}

/* --- done --------------------------------------------------------------------------------------------- */

static bool never_ran(int error)
{
	return error == ECANCELED || error == EAGAIN || error == EINTR;
}

static void unread(const struct conn *conn)
{
	count_one(uring_unseen);
	if (conn->mode == CONN_OPAQUE || conn->lost)
		activity_hidden();
}

static void received(const struct uring_op *op, int result, bool fresh)
{
	struct conn *conn = op->conn;
	if (result > 0 && !fresh) {
		conn_received_unseen(conn, (uint64_t)result);
		unread(conn);
	} else if (result >= 0) {
		conn_received(conn, pieces_of(op), op->pieces, result, 0);
	} else if (!never_ran(-result)) {
		conn_received(conn, NULL, 0, -1, -result);
	}
}

static void answered(const struct uring_op *op, int result, bool fresh)
{
	struct outgoing out;
	int error = result < 0 ? -result : 0;

	if (result > 0 && !fresh) {
		conn_sent_unseen(op->conn, (uint64_t)result);
		unread(op->conn);
		return;
	}
	if (result == 0 || never_ran(error))
		return;
	out.frozen = true;
	if (conn_sending(&out, op->conn, pieces_of(op), op->pieces))
		conn_send_abandoned(&out);
	else
		conn_sent(&out, result < 0 ? -1 : result, &error);
}

static void sent(const struct uring_op *op, int result, bool fresh)
{
	struct outgoing *out = &op->more->out;
	int error = result >= 0 ? 0 : never_ran(-result) ? EAGAIN : -result;
	bool whole = result > 0 && (size_t)result == out->length && op->conn->early_len == EARLY_DONE;

	op->more->sending = false;
	if (fresh || result < 0 || whole) {
		conn_sent(out, result < 0 ? -1 : result, &error);
		return;
	}
	conn_send_abandoned(out);
	unread(op->conn);
}

static void accepted(const struct uring_op *op, int fd, bool fresh)
{
	if (fd < 0 || op->direct)
		return;
	if (!fresh) { /* the program may have used it, and closed it, already */
		if (!fdtable_get(fd))
			conn_adopted(fd);
		return;
	}
	const struct sockaddr *peer = op->from.peer;
	if (!peer || !op->from.len || !readable(op->from.len, sizeof(*op->from.len)) ||
	    !readable(peer, *op->from.len))
		peer = NULL;
	conn_accepted(fd, peer, peer ? *op->from.len : 0);
	struct conn *conn = conn_get(fd);
	if (!conn)
		return;
	conn->opener = SPAN_NOBODY; /* no request's, whatever this thread is at */
	conn_put(conn);
}

/* Its descriptor is still what it was when it was given. */
static bool still_there(const struct uring_op *op)
{
	return op->conn && fdtable_get(op->fd) == (uintptr_t)op->conn;
}

static void tell(const struct uring_op *op, int result, bool fresh)
{
	switch ((enum uring_kind)op->kind) {
	case URING_READ:
		atomic_fetch_sub(under_way(op), 1);
		if (atomic_load(&op->conn->fds))
			received(op, result, fresh);
		break;
	case URING_WRITE:
		atomic_fetch_sub(under_way(op), 1);
		if (op->more && op->more->sending)
			sent(op, result, fresh);
		else if (op->conn->role == ROLE_SERVER && op->conn->mode == CONN_FOLLOWED)
			answered(op, result, fresh);
		break;
	case URING_ACCEPT:
		accepted(op, result, fresh);
		break;
	case URING_CONNECT:
		if (still_there(op))
			conn_connected(op->fd, result < 0 ? -1 : 0, result < 0 ? -result : 0);
		break;
	case URING_CLOSE:
		if (still_there(op) && result != -ECANCELED && result != -EBADF)
			conn_closing(op->fd);
		break;
	case URING_SHUTDOWN:
		if (still_there(op) && result == 0)
			conn_shutdown(op->fd, op->flags);
		break;
	case URING_SOCKET: /* a number that was closed behind our back */
		if (result >= 0 && fresh && !op->direct)
			conn_forget(result);
		break;
	case URING_OTHER:
		break;
	}
}

static void drop(struct uring *uring, uint32_t *link)
{
	struct uring_op *op = at(*link);
	if (op->kind == URING_ACCEPT)
		uring->accepts--;
	*link = op->next;
	release(op);
	pool_give(&operations, op);
}

/* Of several operations: all of them may be the one. From now on they only count. */
static void confuse(struct uring *uring, uint32_t *first)
{
	struct uring_op *kept = at(*first);
	lose(uring, kept);
	for (uint32_t *link; *(link = find(&kept->next, kept->user_data));) {
		kept->count += at(*link)->count;
		lose(uring, at(*link));
		drop(uring, link);
	}
	uring->chained = NULL;
	count_one(uring_alike);
	activity_hidden();
}

static __attribute__((noinline)) void done(struct uring *uring, const struct io_uring_cqe *cqe, bool fresh)
{
	uint32_t *link = find(bucket_of(uring, cqe->user_data), cqe->user_data);
	struct uring_op *op = at(*link);
	if (!op)
		return;
	if (*find(&op->next, op->user_data))
		confuse(uring, link);
	tell(op, cqe->res, fresh);
	if (cqe->flags & IORING_CQE_F_MORE)
		return;
	uring->flying--;
	if (--op->count == 0)
		drop(uring, link);
}

void uring_op_done(struct uring *uring, const struct io_uring_cqe *cqe, bool fresh)
{
	if (!uring->plain)
		done(uring, cqe, fresh);
	else if (uring->flying && !(cqe->flags & IORING_CQE_F_MORE))
		uring->flying--;
}

void uring_op_lose_all(struct uring *uring)
{
	for (uint32_t i = 0; i <= uring->mask; i++)
		while (uring->bucket[i]) {
			lose(uring, at(uring->bucket[i]));
			drop(uring, &uring->bucket[i]);
		}
	uring->flying = 0;
}

#define OWN_MOST 4

bool uring_op_own(const struct uring *uring)
{
	if (uring->flying == 0 || uring->flying > OWN_MOST || uring->bucket != uring->few ||
	    thread.current == SPAN_NOBODY)
		return false;
	for (uint32_t i = 0; i <= uring->mask; i++)
		for (const struct uring_op *op = at(uring->bucket[i]); op; op = at(op->next))
			if (!op->conn || !is_transfer(op) || !activity_owns_fd(op->fd))
				return false;
	return true;
}
