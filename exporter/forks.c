#include "exporter/forks.h"

#include <errno.h>
#include <stdatomic.h>

#include "preload/clock.h"
#include "preload/sys.h"

#define FORK_WAITS_NS \
	200000000u /* a resolver without network takes many seconds: no fork may wait for that */

static _Atomic uint32_t forking; /* forks under way */
static _Atomic uint32_t inside;  /* 1: our thread is */
static _Atomic bool stuck;       /* for so long that no fork waits for it any more */

void forks_hold(void)
{
	uint32_t forks;
	for (;;) {
		atomic_store(&inside, 1);
		if ((forks = atomic_load(&forking)) == 0)
			return;
		forks_release();
		sys_futex_wait(&forking, forks, NULL);
	}
}

void forks_release(void)
{
	atomic_store(&stuck, false);
	atomic_store(&inside, 0);
	sys_futex_wake(&inside, INT32_MAX);
}

void forks_prepare(void)
{
	atomic_fetch_add(&forking, 1);
	if (!atomic_load(&inside) || atomic_load(&stuck))
		return;
	uint64_t until = clock_now() + FORK_WAITS_NS;
	struct timespec deadline = {(time_t)(until / 1000000000u), (long)(until % 1000000000u)};
	while (atomic_load(&inside))
		if (sys_futex_wait(&inside, 1, &deadline) == -ETIMEDOUT) {
			atomic_store(&stuck, true);
			return;
		}
}

void forks_parent(void)
{
	atomic_fetch_sub(&forking, 1);
	sys_futex_wake(&forking, INT32_MAX);
}

bool forks_child(void)
{
	atomic_store(&forking, 0);
	atomic_store(&stuck, false);
	return atomic_exchange(&inside, 0) != 0;
}
