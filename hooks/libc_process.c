/* libc_process.c - forks, ends, and the door that closes behind a process (seccomp).
 *
 * fork is init.c's (pthread_atfork), which the thread's activity survives. vfork and clone are left alone:
 * who uses them gets what the kernel gives. exit() is not hooked either: our exit handler sees its code, and
 * that of a return from main too. */
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "hooks/nested.h"
#include "preload/activity.h"
#include "preload/config.h"
#include "preload/conn.h"
#include "preload/process.h"
#include "preload/process_span.h"
#include "preload/worker.h"

pid_t _Fork(void); /* glibc 2.34 */

#define SYMBOLS(WRAP, CALL) \
	WRAP(_Fork)         \
	WRAP(_exit)         \
	WRAP(_Exit)         \
	WRAP(quick_exit)    \
	WRAP(abort)         \
	WRAP(prctl)         \
	WRAP(unshare)       \
	WRAP(setns)         \
	WRAP(syscall)

HOOK_LIBRARY(libc_process, SYMBOLS);

/* --- forks ------------------------------------------------------------------------------------------- */

/* Runs no fork handlers: ours are called by hand, whatever it interrupted. */
static void silently(bool child)
{
	if (!hooks_live || !process_forked)
		return;
	int saved = errno;
	process_forked(child);
	errno = saved;
}

pid_t _Fork(void)
{
	if (!HAVE(_Fork))
		return fork();
	pid_t pid = REAL(_Fork)();
	if (pid >= 0)
		silently(pid == 0);
	return pid;
}

/* --- ends -------------------------------------------------------------------------------------------- */

/* A handler that ends the process in the middle of our own work waits for itself: not for long (ms). */
#define BUSY_TIMEOUT 100

static void flush_all(void)
{
	int timeout = (int)config.exit_timeout;
	if (process_flush)
		process_flush(thread.busy > 1 && timeout > BUSY_TIMEOUT ? BUSY_TIMEOUT : timeout);
}

/* Does nothing in a vfork child: its parent lives on, with our memory. */
static void ending(int code)
{
	if (!hooks_live || thread.own || !hook_same_process())
		return;
	bool interrupted = thread.busy != 0;
	struct nested nested = nested_enter();
	if (interrupted)
		thread.busy = 2;
	if (code >= 0)
		process_span_end(code & 0xff);
	flush_all();
	nested_leave(nested);
	if (interrupted)
		thread.busy = 1;
}

void _exit(int status)
{
	ending(status & 0xff);
	REAL(_exit)(status);
	__builtin_unreachable();
}

void _Exit(int status)
{
	ending(status & 0xff);
	REAL(_exit)(status);
	__builtin_unreachable();
}

/* Its handlers run after this; what they do is flushed by a handler of ours, which is the last. */
void quick_exit(int status)
{
	ending(status & 0xff);
	REAL(quick_exit)(status);
	__builtin_unreachable();
}

/* The process span is not ended: a handler may still jump out of it. */
void abort(void)
{
	ending(-1);
	REAL(abort)();
	__builtin_unreachable();
}

/* --- seccomp ----------------------------------------------------------------------------------------- */

/* What comes may forbid all that the exporter needs, on pain of death: out with what there is, and silence.
 */
static void door_closes(void)
{
	if (!hook_live_nested() || !hook_same_process())
		return;
	struct nested nested = nested_enter();
	if (process_retire)
		process_retire((int)config.exit_timeout);
	else
		flush_all();
	hook_go_inert("seccomp");
	nested_leave(nested);
}

int prctl(int option, ...)
{
	va_list arguments;
	va_start(arguments, option);
	unsigned long a = va_arg(arguments, unsigned long), b = va_arg(arguments, unsigned long);
	unsigned long c = va_arg(arguments, unsigned long), d = va_arg(arguments, unsigned long);
	va_end(arguments);

	/* Without a filter it is a question whether the kernel could. */
	if (option == PR_SET_SECCOMP && hooks_live && (a == SECCOMP_MODE_STRICT || b != 0))
		door_closes();
	return REAL(prctl)(option, a, b, c, d);
}

/* --- what the kernel grants to processes of one thread only ------------------------------------------------
 */

static void be_one_thread(void)
{
	if (!hook_live_nested() || !hook_same_process() || !process_leave)
		return;
	struct nested nested = nested_enter();
	process_leave((int)config.exit_timeout);
	nested_leave(nested);
}

int unshare(int flags)
{
	if (hooks_live && (flags & (CLONE_NEWUSER | CLONE_THREAD | CLONE_SIGHAND | CLONE_VM)))
		be_one_thread();
	return REAL(unshare)(flags);
}

int setns(int fd, int kind)
{
	if (hooks_live && (kind == 0 || kind & (CLONE_NEWUSER | CLONE_NEWNS)))
		be_one_thread();
	return REAL(setns)(fd, kind);
}

/* --- bare system calls
 * -------------------------------------------------------------------------------------- */

static bool waits_on_futex(int operation)
{
	operation &= FUTEX_CMD_MASK;
	return operation == FUTEX_WAIT || operation == FUTEX_WAIT_BITSET;
}

/* Programs that bring their own locks (Rust) wait here for work from other threads. */
static void blocked(uint32_t place)
{
	if (!hook_live_nested())
		return;
	struct nested nested = nested_enter();
	activity_blocked(place);
	nested_leave(nested);
}

static bool moves_bytes(long number)
{
	switch (number) {
	case SYS_read:
	case SYS_readv:
	case SYS_recvfrom:
	case SYS_recvmsg:
	case SYS_write:
	case SYS_writev:
	case SYS_sendto:
	case SYS_sendmsg:
	case SYS_sendfile:
		return true;
	default:
		return false;
	}
}

static void unseen(int fd)
{
	int saved = hook_enter();
	conn_bypassed(fd);
	hook_leave(saved);
}

long syscall(long number, ...)
{
	va_list arguments;
	va_start(arguments, number);
	long a = va_arg(arguments, long), b = va_arg(arguments, long), c = va_arg(arguments, long);
	long d = va_arg(arguments, long), e = va_arg(arguments, long), f = va_arg(arguments, long);
	va_end(arguments);

	if (hooks_live && moves_bytes(number)) {
		if (fdtable_get((int)a) && hook_live())
			unseen((int)a);
	} else if (hooks_live) {
		/* What our own hooks know how to do: libuv closes so. */
		if (number == SYS_close)
			return close((int)a);
		if (number == SYS_close_range)
			return close_range((unsigned)a, (unsigned)b, (int)c);
		if (number == SYS_unshare)
			return unshare((int)a);
		if (number == SYS_setns)
			return setns((int)a, (int)b);
		if (number == SYS_dup)
			return dup((int)a);
		if (number == SYS_dup3)
			return dup3((int)a, (int)b, (int)c);
		if (number == SYS_seccomp &&
		    (a == SECCOMP_SET_MODE_STRICT || (a == SECCOMP_SET_MODE_FILTER && c != 0)))
			door_closes();
		else if (number == SYS_exit_group)
			ending((int)a & 0xff);
		else if (number == SYS_futex && (thread.current != SPAN_NOBODY || thread.reads) &&
			 waits_on_futex((int)b))
			blocked(worker_place(__builtin_frame_address(0), __builtin_return_address(0)));
	}
	return REAL(syscall)(number, a, b, c, d, e, f);
}
