/* liburing.c - what goes through io_uring is not seen: here is seen that it does.
 *
 * The bytes come and go when the kernel likes, in buffers of the host's, so nothing of them is followed. A
 * socket that is given to io_uring is opaque from there on, or else the next answer through libc would be
 * taken for the one that has gone by unseen. A ring that carries sockets or events is an event loop's of
 * which the half is hidden: what a thread read last through libc says nothing any more, in the whole process.
 * Rings for files only change nothing. */
#include "hooks/liburing.h"

#include "hooks/nested.h"
#include "preload/activity.h"
#include "preload/clock.h"
#include "preload/loop.h"
#include "preload/readable.h"

#define SYMBOLS(WRAP, CALL)                    \
	WRAP(io_uring_submit)                  \
	WRAP(io_uring_submit_and_wait)         \
	WRAP(io_uring_submit_and_wait_timeout) \
	WRAP(io_uring_submit_and_get_events)   \
	WRAP(io_uring_wait_cqes)               \
	WRAP(io_uring_wait_cqe_timeout)        \
	WRAP(__io_uring_get_cqe)               \
	WRAP(io_uring_register_files)          \
	WRAP(io_uring_register_files_update)

HOOK_LATE_LIBRARY(liburing, SYMBOLS);

static _Atomic bool carries_events;

static void carries(int fd)
{
	uintptr_t entry = fd >= 0 ? fdtable_get(fd) : 0;
	if (entry && !(entry & FD_PLAIN))
		conn_bypassed(fd);
}

/* Of what is no socket or wake-up, and brings no event of another request, nothing is known or needed. */
static bool is_event(const struct io_uring_sqe *sqe)
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
	default:
		return sqe->opcode > IORING_OP_TEE || (sqe->flags & IOSQE_FIXED_FILE) ||
		       (sqe->fd >= 0 && fdtable_get(sqe->fd));
	}
}

static void look(const struct io_uring_sqe *sqe)
{
	if (is_event(sqe)) {
		atomic_store_explicit(&carries_events, true, memory_order_relaxed);
		activity_unseen();
	}
	/* To be told that there is something to read is not to read it. */
	if ((sqe->flags & IOSQE_FIXED_FILE) || sqe->opcode == IORING_OP_POLL_ADD)
		return;
	carries(sqe->fd);
	if (sqe->opcode == IORING_OP_SPLICE || sqe->opcode == IORING_OP_TEE)
		carries(sqe->splice_fd_in);
}

/* Before the kernel has it: from then on bytes may go by. */
static __attribute__((noinline)) void gives(const struct io_uring *ring)
{
	if (!hook_live_nested() || !ring)
		return;
	const struct io_uring_sq *sq = &ring->sq;
	unsigned mask = *sq->kring_mask, wide = (ring->flags & IORING_SETUP_SQE128) ? 1 : 0;
	struct nested nested = nested_enter();
	for (unsigned i = sq->sqe_head; i != sq->sqe_tail && i - sq->sqe_head <= mask; i++)
		look(&sq->sqes[(size_t)(i & mask) << wide]);
	nested_leave(nested);
}

/* How many events came, and whether a timer was among them, nobody knows: it is due, and they are several. */
static __attribute__((noinline)) void waits(void)
{
	if (!atomic_load_explicit(&carries_events, memory_order_relaxed) || !hook_live())
		return;
	int saved = hook_enter();
	activity_wait(false);
	loop_waited(2, 1, clock_roughly());
	hook_leave(saved);
}

static __attribute__((noinline)) void registers(const int *files, unsigned count)
{
	if (!hook_live_nested() || !files || !readable(files, count * sizeof(*files)))
		return;
	struct nested nested = nested_enter();
	for (unsigned i = 0; i < count; i++)
		carries(files[i]);
	nested_leave(nested);
}

int io_uring_submit(struct io_uring *ring)
{
	if (hooks_live)
		gives(ring);
	return REAL(io_uring_submit)(ring);
}

int io_uring_submit_and_wait(struct io_uring *ring, unsigned wait_nr)
{
	if (hooks_live)
		gives(ring);
	int result = REAL(io_uring_submit_and_wait)(ring, wait_nr);
	waits();
	return result;
}

int io_uring_submit_and_wait_timeout(struct io_uring *ring, struct io_uring_cqe **cqe_ptr, unsigned wait_nr,
				     struct __kernel_timespec *ts, sigset_t *sigmask)
{
	if (hooks_live)
		gives(ring);
	int result = REAL(io_uring_submit_and_wait_timeout)(ring, cqe_ptr, wait_nr, ts, sigmask);
	waits();
	return result;
}

int io_uring_submit_and_get_events(struct io_uring *ring)
{
	if (hooks_live)
		gives(ring);
	int result = REAL(io_uring_submit_and_get_events)(ring);
	waits();
	return result;
}

/* On kernels before 5.11 this submits, too. */
int io_uring_wait_cqes(struct io_uring *ring, struct io_uring_cqe **cqe_ptr, unsigned wait_nr,
		       struct __kernel_timespec *ts, sigset_t *sigmask)
{
	if (hooks_live)
		gives(ring);
	int result = REAL(io_uring_wait_cqes)(ring, cqe_ptr, wait_nr, ts, sigmask);
	waits();
	return result;
}

int io_uring_wait_cqe_timeout(struct io_uring *ring, struct io_uring_cqe **cqe_ptr,
			      struct __kernel_timespec *ts)
{
	if (hooks_live)
		gives(ring);
	int result = REAL(io_uring_wait_cqe_timeout)(ring, cqe_ptr, ts);
	waits();
	return result;
}

/* What liburing's header makes of most waits. */
int __io_uring_get_cqe(struct io_uring *ring, struct io_uring_cqe **cqe_ptr, unsigned submit,
		       unsigned wait_nr, sigset_t *sigmask)
{
	int result = REAL(__io_uring_get_cqe)(ring, cqe_ptr, submit, wait_nr, sigmask);
	waits();
	return result;
}

int io_uring_register_files(struct io_uring *ring, const int *files, unsigned nr_files)
{
	if (hooks_live)
		registers(files, nr_files);
	return REAL(io_uring_register_files)(ring, files, nr_files);
}

int io_uring_register_files_update(struct io_uring *ring, unsigned off, const int *files, unsigned nr_files)
{
	if (hooks_live)
		registers(files, nr_files);
	return REAL(io_uring_register_files_update)(ring, off, files, nr_files);
}
