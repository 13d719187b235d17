/* liburing.c - what a program gives to io_uring, and when it looks for what became of it.
 *
 * Where the program made the ring through here, what goes through it is followed as far as it can be seen for
 * sure: uring.h. All else is not seen. A socket that is given to such a ring is opaque from there on, or else
 * the next answer through libc would be taken for the one that has gone by unseen. A ring that carries
 * sockets or events is an event loop's of which the half is hidden: what a thread read last through libc says
 * nothing any more, in the whole process. Rings for files only change nothing. */
#include "hooks/uring.h"

#include "hooks/nested.h"
#include "preload/activity.h"
#include "preload/clock.h"
#include "preload/loop.h"
#include "preload/readable.h"

#define SYMBOLS(WRAP, CALL)                    \
	WRAP(io_uring_queue_init)              \
	WRAP(io_uring_queue_init_params)       \
	WRAP(io_uring_queue_mmap)              \
	WRAP(io_uring_queue_exit)              \
	WRAP(io_uring_get_events)              \
	WRAP(io_uring_peek_batch_cqe)          \
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

static void look(const struct io_uring_sqe *sqe)
{
	if (uring_op_is_event(sqe)) {
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

static __attribute__((noinline)) void begins(struct uring_call *call, struct io_uring *ring, unsigned how)
{
	call->uring = NULL;
	call->how = (uint8_t)how;
	if (!hooks_live || !ring)
		return;
	if (!uring_begin(call, ring, how) && (how & URING_SUBMITS))
		gives(ring);
}

static __attribute__((noinline)) void ends(struct uring_call *call, struct io_uring *ring)
{
	if (call->uring)
		uring_end(call, ring);
	else if (call->how & (URING_WAITS | URING_LOOKS))
		waits();
}

static unsigned waiting_for(unsigned count)
{
	return count == 0 ? URING_LOOKS : count == 1 ? URING_WAITS | URING_NEXT : URING_WAITS;
}

/* Kernels before 5.11 have no timeout of a wait's own: the library submits one, and all else with it. */
static unsigned by_timeout(const struct io_uring *ring)
{
	bool own = hooks_live && ring && (ring->features & IORING_FEAT_EXT_ARG);
	return URING_TIMED | (own ? 0 : URING_SUBMITS);
}

static int made(struct io_uring *ring, int result)
{
	if (result >= 0 && hooks_live)
		uring_made(ring);
	return result;
}

int io_uring_queue_init(unsigned entries, struct io_uring *ring, unsigned flags)
{
	return made(ring, REAL(io_uring_queue_init)(entries, ring, flags));
}

int io_uring_queue_init_params(unsigned entries, struct io_uring *ring, struct io_uring_params *p)
{
	return made(ring, REAL(io_uring_queue_init_params)(entries, ring, p));
}

int io_uring_queue_mmap(int fd, struct io_uring_params *p, struct io_uring *ring)
{
	return made(ring, REAL(io_uring_queue_mmap)(fd, p, ring));
}

void io_uring_queue_exit(struct io_uring *ring)
{
	uring_gone(ring);
	REAL(io_uring_queue_exit)(ring);
}

int io_uring_submit(struct io_uring *ring)
{
	struct uring_call call;
	begins(&call, ring, URING_SUBMITS);
	int result = REAL(io_uring_submit)(ring);
	ends(&call, ring);
	return result;
}

int io_uring_submit_and_wait(struct io_uring *ring, unsigned wait_nr)
{
	struct uring_call call;
	begins(&call, ring, URING_SUBMITS | waiting_for(wait_nr));
	int result = REAL(io_uring_submit_and_wait)(ring, wait_nr);
	ends(&call, ring);
	return result;
}

int io_uring_submit_and_wait_timeout(struct io_uring *ring, struct io_uring_cqe **cqe_ptr, unsigned wait_nr,
				     struct __kernel_timespec *ts, sigset_t *sigmask)
{
	struct uring_call call;
	begins(&call, ring, URING_SUBMITS | waiting_for(wait_nr) | (ts ? URING_TIMED : 0));
	int result = REAL(io_uring_submit_and_wait_timeout)(ring, cqe_ptr, wait_nr, ts, sigmask);
	ends(&call, ring);
	return result;
}

int io_uring_submit_and_get_events(struct io_uring *ring)
{
	struct uring_call call;
	begins(&call, ring, URING_SUBMITS | URING_LOOKS);
	int result = REAL(io_uring_submit_and_get_events)(ring);
	ends(&call, ring);
	return result;
}

int io_uring_get_events(struct io_uring *ring)
{
	struct uring_call call;
	begins(&call, ring, URING_LOOKS);
	int result = REAL(io_uring_get_events)(ring);
	ends(&call, ring);
	return result;
}

unsigned io_uring_peek_batch_cqe(struct io_uring *ring, struct io_uring_cqe **cqes, unsigned count)
{
	struct uring_call call;
	begins(&call, ring, URING_LOOKS);
	unsigned result = REAL(io_uring_peek_batch_cqe)(ring, cqes, count);
	ends(&call, ring);
	return result;
}

int io_uring_wait_cqes(struct io_uring *ring, struct io_uring_cqe **cqe_ptr, unsigned wait_nr,
		       struct __kernel_timespec *ts, sigset_t *sigmask)
{
	struct uring_call call;
	begins(&call, ring, waiting_for(wait_nr) | (ts ? by_timeout(ring) : 0));
	int result = REAL(io_uring_wait_cqes)(ring, cqe_ptr, wait_nr, ts, sigmask);
	ends(&call, ring);
	return result;
}

int io_uring_wait_cqe_timeout(struct io_uring *ring, struct io_uring_cqe **cqe_ptr,
			      struct __kernel_timespec *ts)
{
	struct uring_call call;
	begins(&call, ring, waiting_for(1) | (ts ? by_timeout(ring) : 0));
	int result = REAL(io_uring_wait_cqe_timeout)(ring, cqe_ptr, ts);
	ends(&call, ring);
	return result;
}

/* What liburing's header makes of most waits. */
int __io_uring_get_cqe(struct io_uring *ring, struct io_uring_cqe **cqe_ptr, unsigned submit,
		       unsigned wait_nr, sigset_t *sigmask)
{
	struct uring_call call;
	begins(&call, ring, waiting_for(wait_nr));
	int result = REAL(__io_uring_get_cqe)(ring, cqe_ptr, submit, wait_nr, sigmask);
	ends(&call, ring);
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
