#include "preload/readable.h"

#include <errno.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "preload/sys.h"
#include "preload/thread.h"

#define PAGE 4096u
#define USER_END ((uintptr_t)1 << 47)

/* rt_sigprocmask copies the set in before it finds that there is no such `how`: EFAULT or EINVAL, and nothing
 * changed. No filter forbids it, as one may process_vm_readv. */
static bool ask_kernel(uintptr_t address)
{
	uintptr_t word = address & ~(uintptr_t)7;
	return sys_call(SYS_rt_sigprocmask, -1L, (long)word, NULL, 8L) != -EFAULT;
}

static bool page_readable(uintptr_t address)
{
	uintptr_t page = address / PAGE;
	uintptr_t *known = thread.readable;
	for (unsigned i = 0; i < THREAD_READABLE; i++)
		if (known[i] == page)
			return true;
	if (!ask_kernel(address))
		return false;
	known[thread.readable_next++ % THREAD_READABLE] = page;
	return true;
}

/* The pages behind first and in front of last: a hole may be in the middle too. */
static bool pages_between(uintptr_t first, uintptr_t last)
{
	while (++first < last)
		if (!ask_kernel(first * PAGE))
			return false;
	return true;
}

bool readable(const void *ptr, size_t len)
{
	uintptr_t from = (uintptr_t)ptr;
	if (len == 0)
		return true;
	if (from < PAGE || from >= USER_END || len > USER_END - from)
		return false;

	uintptr_t frame = (uintptr_t)__builtin_frame_address(0);
	if (from >= frame && from + len <= frame + PAGE)
		return true;
	uintptr_t first = from / PAGE, last = (from + len - 1) / PAGE;
	return page_readable(from) && (last == first || page_readable(from + len - 1)) &&
	       pages_between(first, last);
}

bool readable_iov(const struct iovec *iov, int iovcnt)
{
	if (iovcnt < 0 || iovcnt > 1024 || !readable(iov, (size_t)iovcnt * sizeof(*iov)))
		return false;
	for (int i = 0; i < iovcnt; i++)
		if (!readable(iov[i].iov_base, iov[i].iov_len))
			return false;
	return true;
}
