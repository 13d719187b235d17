/* exporter.h - the one background thread that takes spans out of the queue and gets them out.
 *
 * The thread is started by the first span (exporter_wake), named "tagalong", with every signal blocked, a
 * small stack and high, close-on-exec fds. It sleeps on a futex; an idle process has no wake-ups. */
#ifndef TAGALONG_EXPORTER_H
#define TAGALONG_EXPORTER_H

#include <stdbool.h>

/* Once, from the constructor, after config_load(); starts nothing. */
void exporter_init(void);

/* The queue's waker: cheap, called after every put on the host's thread. Starts the thread when there is
 * none, wakes it when a batch is due, else does nothing (no system call). errno is kept. */
void exporter_wake(void);

/* Exports what is queued now; waits at most timeout_ms. Returns at once when nothing is queued or in
 * flight. True: all that was there is out (or was counted as lost). Async-signal-safe towards the caller:
 * only atomics and futex. A call on the exporter's own thread returns false at once. */
bool exporter_flush(int timeout_ms);

/* Stacks that are queued are to be read now; waits at most so long until none is left. */
void exporter_settle(int timeout_ms);

/* Flush, then stop taking spans. Once; later calls return. */
void exporter_shutdown(int timeout_ms);

/* The same, and waits (bounded) until the thread has ended: after this no system call of ours is made. For a
 * host that is about to lock itself in: a thread that is left behind would be killed with the host, or
 * outlive it. */
void exporter_retire(int timeout_ms);

/* The same for a while, and only if the host has no thread but the caller: flushes, ends the thread, closes
 * its descriptors; the next span starts a new one. */
void exporter_leave(int timeout_ms);

/* pthread_atfork: the child has no thread and an empty queue; fds of the parent's exporter are closed. */
void exporter_fork_prepare(void);
void exporter_fork_parent(void);
void exporter_fork_child(void);

/* Is this one of the exporter's own descriptors? Cheap, any thread, async-signal-safe. The hooks on close,
 * dup2, close_range, fcntl ask, so that the host cannot take them away. */
bool exporter_owns_fd(int fd);
int exporter_next_fd(unsigned first, unsigned last); /* the lowest of them in that range, or -1 */
/* The host is about to take number `fd` by dup2/dup3: if it is ours, moves ours elsewhere. */
void exporter_move_fd(int fd);

#endif
