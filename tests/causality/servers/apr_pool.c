/* apr_pool - parsed requests go to a thread pool of APR's
 * rig: needs=pkg:apr-util-1
 * rig: libs=$(pkg-config --cflags --libs apr-util-1 apr-1)
 * rig: calls=3 */
#include "pool.h"

#include <apr_general.h>
#include <apr_thread_pool.h>

static apr_thread_pool_t *pool;

static void *APR_THREAD_FUNC run(apr_thread_t *unused, void *task)
{
	static __thread int kept = -1;
	(void)unused;
	pool_do(task, &kept);
	return NULL;
}

static void put(struct task *task)
{
	apr_thread_pool_push(pool, run, task, 0, NULL);
}

/* Not used: APR's threads come by themselves. */
static UNUSED struct task *get(void)
{
	return NULL;
}

int main(int argc, char **argv)
{
	apr_pool_t *memory;
	if (apr_initialize() || apr_pool_create(&memory, NULL) || apr_thread_pool_create(&pool, 64, 64, memory))
		return 1;
	pool_run(argc, argv, 0);
}
