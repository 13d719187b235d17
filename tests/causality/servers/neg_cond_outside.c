/* neg_cond_outside - the same, and the condition is signalled when the mutex is free again
 * rig: warm=400
 * rig: calls=3 */
#include "cond_list.h"

static void put(struct task *task)
{
	pthread_mutex_lock(&mutex);
	append(&list, task);
	pthread_mutex_unlock(&mutex);
	pthread_cond_signal(&filled);
}

static struct task *get(void)
{
	return get_from(&list);
}

int main(int argc, char **argv)
{
	pool_run(argc, argv, 64);
}
