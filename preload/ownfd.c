#include "preload/ownfd.h"

#include <sys/resource.h>

static bool none_is(int fd)
{
	(void)fd;
	return false;
}

static void none_moves(int fd)
{
	(void)fd;
}

bool (*ownfd_is)(int fd) = none_is;
void (*ownfd_move)(int fd) = none_moves;

/* Asked one by one: sys_fd_high() never goes beyond this number. */
#define HIGHEST 1048576u

int ownfd_next(unsigned first, unsigned last)
{
	struct rlimit limit;

	if (ownfd_is == none_is)
		return -1;
	/* The hard limit: the soft one may have been lowered since. */
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_max <= last)
		last = limit.rlim_max ? (unsigned)limit.rlim_max - 1 : 0;
	if (last > HIGHEST)
		last = HIGHEST;
	for (unsigned fd = first < 3 ? 3 : first; fd <= last; fd++)
		if (ownfd_is((int)fd))
			return (int)fd;
	return -1;
}
