/* c_task_condvar - parsed requests go to a pool's workers through a list under a mutex, with a condition.
 * rig: warm=400
 * rig: calls=3 */
#include "pool.h"

static struct task *first, **end = &first;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t filled = PTHREAD_COND_INITIALIZER;

static void put(struct task *task)
{
	task->next = NULL;
	pthread_mutex_lock(&mutex);
	*end = task;
	end = &task->next;
	pthread_cond_signal(&filled);
	pthread_mutex_unlock(&mutex);
}

static struct task *get(void)
{
	pthread_mutex_lock(&mutex);
	while (!first)
		pthread_cond_wait(&filled, &mutex);
	struct task *task = first;
	if (!(first = task->next))
		end = &first;
	pthread_mutex_unlock(&mutex);
	return task;
}

int main(int argc, char **argv)
{
	pool_run(argc, argv, 64);
}
