/* neg_cond_batch - a worker takes, late, all that is in the list, and answers what it took last first
 * rig: warm=400
 * rig: calls=3 */
#include "cond_list.h"

static void put(struct task *task)
{
	put_in(&list, task);
}

static struct task *get(void)
{
	return get_from(&list);
}

static void *work(void *unused)
{
	static _Atomic long served;
	int kept = -1;
	(void)unused;
	for (;;) {
		struct task *taken = NULL, *task = get();
		if (++served > 600)
			rig_sleep(200);
		pthread_mutex_lock(&mutex);
		do {
			task->next = taken;
			taken = task;
		} while (served > 500 && (task = first_of(&list)));
		pthread_mutex_unlock(&mutex);
		while ((task = taken)) {
			taken = task->next;
			pool_do(task, &kept);
		}
	}
	return NULL;
}

static void start(void)
{
	for (int i = 0; i < 64; i++)
		rig_thread(work, NULL);
}

int main(int argc, char **argv)
{
	pool_start = start;
	pool_run(argc, argv, 0);
}
