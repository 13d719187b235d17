#include "exporter/ownfds.h"

#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>

#include "preload/counters.h"
#include "preload/sys.h"

struct own {
	_Atomic int fd; /* fd + 1; 0: empty */
	unsigned filling;
	dev_t device;
	ino_t inode;
};

static struct own own[OWNFDS_MAX];
static _Atomic int lowest = INT_MAX; /* they all were this or above: nearly no number of the host's is */

static void place(struct own *slot, int fd)
{
	int was = atomic_load(&lowest);
	while (fd < was && !atomic_compare_exchange_weak(&lowest, &was, fd))
		;
	atomic_store(&slot->fd, fd + 1);
}

static bool identity(int fd, dev_t *device, ino_t *inode)
{
	struct stat info;
	memset(&info, 0, sizeof(info));
	long result = sys_fstat(fd, &info);
	*device = info.st_dev;
	*inode = info.st_ino;
	return result == 0;
}

#define FILLINGS (1u << 24)

int ownfds_add(int fd)
{
	if (fd < 0)
		return -1;
	fd = sys_fd_high(fd);
	sys_fcntl(fd, F_SETFD, FD_CLOEXEC);
	for (int slot = 0; slot < OWNFDS_MAX; slot++) {
		if (atomic_load(&own[slot].fd))
			continue;
		own[slot].filling = (own[slot].filling + 1) % FILLINGS;
		identity(fd, &own[slot].device, &own[slot].inode);
		place(&own[slot], fd);
		return (int)(own[slot].filling * OWNFDS_MAX) + slot;
	}
	sys_close(fd);
	return -1;
}

/* What the ticket was given for, or NULL: never what has the slot now. */
static struct own *find(int ticket)
{
	struct own *found = ticket < 0 ? NULL : &own[ticket % OWNFDS_MAX];
	return found && found->filling == (unsigned)ticket / OWNFDS_MAX ? found : NULL;
}

int ownfds_fd(int ticket)
{
	const struct own *found = find(ticket);
	return found ? atomic_load_explicit(&found->fd, memory_order_relaxed) - 1 : -1;
}

bool ownfds_intact(int ticket)
{
	dev_t device;
	ino_t inode;
	int fd = ownfds_fd(ticket);
	if (fd < 0)
		return false;
	struct own *found = find(ticket);
	if (identity(fd, &device, &inode) && device == found->device && inode == found->inode)
		return true;
	/* The number is the host's now, or nobody's: not ours to close. */
	atomic_store(&found->fd, 0);
	count_one(fds_rescued);
	return false;
}

void ownfds_drop(int ticket)
{
	if (!ownfds_intact(ticket))
		return;
	int fd = atomic_exchange(&find(ticket)->fd, 0) - 1;
	if (fd >= 0)
		sys_close(fd);
}

bool ownfds_is(int fd)
{
	if (fd < atomic_load_explicit(&lowest, memory_order_relaxed))
		return false;
	for (int slot = 0; slot < OWNFDS_MAX; slot++)
		if (atomic_load_explicit(&own[slot].fd, memory_order_relaxed) == fd + 1)
			return fd >= 0;
	return false;
}

int ownfds_next(unsigned first, unsigned last)
{
	int next = -1;
	for (int slot = 0; slot < OWNFDS_MAX; slot++) {
		int fd = atomic_load_explicit(&own[slot].fd, memory_order_relaxed) - 1;
		if (fd >= 0 && (unsigned)fd >= first && (unsigned)fd <= last && (next < 0 || fd < next))
			next = fd;
	}
	return next;
}

void ownfds_move(int fd)
{
	for (int slot = 0; slot < OWNFDS_MAX; slot++) {
		if (atomic_load(&own[slot].fd) != fd + 1)
			continue;
		long copy = sys_fcntl(fd, F_DUPFD_CLOEXEC, fd > 64 ? fd - 32 : fd + 1);
		if (copy == fd || copy < 0)
			copy = sys_fcntl(fd, F_DUPFD_CLOEXEC, 3);
		if (copy < 0)
			atomic_store(&own[slot].fd, 0);
		else
			place(&own[slot], (int)copy);
		sys_close(fd);
	}
}

void ownfds_close_all(void)
{
	for (int slot = 0; slot < OWNFDS_MAX; slot++)
		ownfds_drop((int)(own[slot].filling * OWNFDS_MAX) + slot);
}
