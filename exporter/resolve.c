#include "exporter/resolve.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>

#include "preload/clock.h"
#include "preload/hook.h"
#include "preload/sys.h"

#define FORK_WAITS_NS \
	200000000u /* a resolver without network takes many seconds: no fork may wait for that */

static _Atomic uint32_t forking; /* forks under way */
static _Atomic uint32_t looking; /* 1: a look-up is */

static void enter(void)
{
	uint32_t forks;
	for (;;) {
		atomic_store(&looking, 1);
		if ((forks = atomic_load(&forking)) == 0)
			return;
		atomic_store(&looking, 0);
		sys_futex_wake(&looking, INT32_MAX);
		sys_futex_wait(&forking, forks, NULL);
	}
}

static void leave(void)
{
	atomic_store(&looking, 0);
	sys_futex_wake(&looking, INT32_MAX);
}

/* Its public function is one of ours: the one behind it is asked. */
struct addrinfo *resolve_name(const char *host, uint16_t port)
{
	static void *resolve;
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
	char service[8];

	if (!resolve && !hook_resolve(&resolve, "getaddrinfo"))
		return NULL;
	snprintf(service, sizeof(service), "%u", port);
	enter();
	int result = ((__typeof__(&getaddrinfo))resolve)(host, service, &hints, &list);
	leave();
	return result == 0 ? list : NULL;
}

void resolve_release(struct addrinfo *list)
{
	static void *release;
	if (list && (release || hook_resolve(&release, "freeaddrinfo")))
		((__typeof__(&freeaddrinfo))release)(list);
}

void resolve_fork_prepare(void)
{
	atomic_fetch_add(&forking, 1);
	if (!atomic_load(&looking))
		return;
	uint64_t until = clock_now() + FORK_WAITS_NS;
	struct timespec deadline = {(time_t)(until / 1000000000u), (long)(until % 1000000000u)};
	while (atomic_load(&looking))
		if (sys_futex_wait(&looking, 1, &deadline) == -ETIMEDOUT)
			return;
}

void resolve_fork_parent(void)
{
	atomic_fetch_sub(&forking, 1);
	sys_futex_wake(&forking, INT32_MAX);
}

void resolve_fork_child(void)
{
	atomic_store(&forking, 0);
	atomic_store(&looking, 0);
}
