/* c_task_eventfd - the same through a list under a mutex, with an eventfd that counts.
 * rig: calls=3 */
#include "pool.h"

static struct task *first, **end = &first;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int filled;

static void put(struct task *task)
{
	uint64_t one = 1;
	task->next = NULL;
	pthread_mutex_lock(&mutex);
	*end = task;
	end = &task->next;
	pthread_mutex_unlock(&mutex);
	if (write(filled, &one, sizeof(one)) != sizeof(one))
		abort();
}

static struct task *get(void)
{
	uint64_t one;
	while (read(filled, &one, sizeof(one)) != sizeof(one))
		;
	pthread_mutex_lock(&mutex);
	struct task *task = first;
	if (!(first = task->next))
		end = &first;
	pthread_mutex_unlock(&mutex);
	return task;
}

int main(int argc, char **argv)
{
	filled = eventfd(0, EFD_SEMAPHORE);
	pool_run(argc, argv, 64);
}
