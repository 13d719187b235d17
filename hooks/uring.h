/* uring.h - rings that a program made by liburing: what it gave them to do, and what they say became of it.
 *
 * A program gives its operations through a call of liburing's, and there they are seen before the kernel has
 * them. That one is done it may learn without any call, from the ring's memory. So each call of liburing's
 * looks twice: before the real call at all that was completed meanwhile, after it at what was completed in
 * it. Only the latter nobody can have seen before us: its bytes are as the kernel left them, and are read.
 * The others' may have been overwritten, freed, or given back to the kernel: they are counted and not read,
 * which follows a body and gives up a connection whose head was among them.
 *
 * Which operation a completion is of its user_data says, where it is of one only.
 *
 * A ring is used by one thread at a time; one that is not, or that was given something past us, is given up
 * with all that it has under way. Nothing the kernel or the program sees is changed: no header is put in. */
#ifndef TAGALONG_HOOKS_URING_H
#define TAGALONG_HOOKS_URING_H

#include "hooks/liburing.h"
#include "preload/conn.h"

#define URING_PIECES 8
#define URING_BUCKETS 128
#define URING_WIDE 4096 /* buckets of a ring for many operations */

enum uring_kind {
	URING_OTHER, /* of no concern, but for its user_data and for being an event */
	URING_READ,
	URING_WRITE,
	URING_ACCEPT,
	URING_CONNECT,
	URING_CLOSE,
	URING_SHUTDOWN,
	URING_SOCKET,
};

/* Of a write that was looked at ahead, or of several pieces. */
struct uring_more {
	bool sending; /* out is in use */
	struct iovec iov[URING_PIECES];
	struct outgoing out;
};

struct uring_op {
	uint64_t user_data;
	uint32_t next;  /* of its bucket: index + 1 */
	uint32_t count; /* OTHER: so many alike */
	int32_t fd;
	int32_t flags; /* MSG_*; how, of a shutdown */
	uint8_t kind, pieces;
	bool direct;             /* makes no descriptor */
	struct conn *conn;       /* with a reference, or NULL */
	struct uring_more *more; /* or NULL */
	union {
		struct iovec iov; /* without more */
		struct {
			const struct sockaddr *peer;
			const socklen_t *len;
		} from;
	};
};

struct uring {
	_Atomic uint32_t busy; /* a call of its is under way */
	_Atomic bool dead;
	_Atomic bool missed; /* it was used where we could not look, or by two threads at once */
	bool eventful;       /* it brings events of requests: not for files only */
	int pid;
	_Atomic uintptr_t owner; /* its thread; compared, never followed */
	uintptr_t frame;         /* while busy: of the call */
	unsigned taken;          /* operations seen so far: the library's sqe_head */
	unsigned seen;           /* completions */
	bool plain;              /* for files only, so far: its operations are counted and not kept */
	uint32_t given;          /* operations, while it has no event */
	uint32_t flying;         /* operations under way */
	uint32_t accepts;        /* of them, for new connections */
	bool outside;         /* it also waits for what is no operation's own: timers, polls, other rings */
	bool linked;          /* of the last one given: the next one waits for it */
	struct conn *chained; /* its connection, if that was a write in a chain; compared only */
	uint32_t mask;        /* buckets less one */
	uint32_t *bucket;
	uint32_t few[URING_BUCKETS];
};

struct uring_call {
	struct uring *uring;
	unsigned head;
	uint8_t how;
	bool idle;    /* nothing was left to take when it began */
	bool quiet;   /* what it may bring is what the thread is at */
	bool accepts; /* it is for a new connection */
};
enum {
	URING_SUBMITS = 1,
	URING_WAITS = 2,
	URING_TIMED = 4,
	URING_LOOKS = 8, /* without waiting */
	URING_NEXT = 16, /* waits for one: what is there and not taken yet is as good as that */
};

/* Neither needs hook_enter(), and both keep errno where it matters not. After an end of a ring that is gone.
 */
void uring_made(struct io_uring *ring);
void uring_gone(const struct io_uring *ring); /* before the real call */

/* Around the real call. False: not followed, here or at all. */
bool uring_begin(struct uring_call *call, struct io_uring *ring, unsigned how);
void uring_end(struct uring_call *call, struct io_uring *ring);

/* uring_op.c. All expect hook_enter(). */
/* Of what is no socket or wake-up, and brings no event of another request, nothing is known or needed. */
bool uring_op_is_event(const struct io_uring_sqe *sqe);
void uring_op_give(struct uring *uring, const struct io_uring_sqe *sqe);
void uring_op_done(struct uring *uring, const struct io_uring_cqe *cqe, bool fresh);
void uring_op_lose_all(struct uring *uring);  /* nobody knows any more what became of them */
bool uring_op_own(const struct uring *uring); /* all that is under way is the current activity's */
bool uring_op_init(void);

#endif
