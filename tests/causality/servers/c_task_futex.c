/* c_task_futex - the same through a ring with a futex of its own.
 * rig: calls=3 */
#include "pool.h"

#include <linux/futex.h>
#include <stdatomic.h>
#include <sys/syscall.h>

static struct task *_Atomic top;
static _Atomic unsigned turns;

static void put(struct task *task)
{
	struct task *was = atomic_load(&top);
	do
		task->next = was;
	while (!atomic_compare_exchange_weak(&top, &was, task));
	atomic_fetch_add(&turns, 1);
	syscall(SYS_futex, &turns, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static struct task *get(void)
{
	static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER; /* no ABA */
	for (;;) {
		unsigned turn = atomic_load(&turns);
		pthread_mutex_lock(&one_at_a_time);
		struct task *was = atomic_load(&top);
		while (was && !atomic_compare_exchange_weak(&top, &was, was->next))
			;
		pthread_mutex_unlock(&one_at_a_time);
		if (was)
			return was;
		syscall(SYS_futex, &turns, FUTEX_WAIT_PRIVATE, turn, NULL, NULL, 0);
	}
}

int main(int argc, char **argv)
{
	pool_run(argc, argv, 64);
}
