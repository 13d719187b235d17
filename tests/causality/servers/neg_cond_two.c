/* neg_cond_two - two lists with workers of their own on one condition, the second comes into use late
 * rig: warm=400
 * rig: calls=3 */
#include "cond_list.h"

static struct list second = {.mutex = &mutex, .filled = &filled};

static void put(struct task *task)
{
	static long served;
	pthread_mutex_lock(&mutex);
	append(++served > 600 && task->request.id % 2 ? &second : &list, task);
	pthread_cond_broadcast(&filled);
	pthread_mutex_unlock(&mutex);
}

static struct task *get(void)
{
	return get_from(&list);
}

static void *work(void *from)
{
	int kept = -1;
	for (;;)
		pool_do(get_from(from), &kept);
	return NULL;
}

static void start(void)
{
	for (int i = 0; i < 64; i++)
		rig_thread(work, i % 2 ? &list : &second);
	(void)get;
}

int main(int argc, char **argv)
{
	pool_start = start;
	pool_run(argc, argv, 0);
}
