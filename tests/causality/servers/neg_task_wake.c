/* neg_task_wake - a list under a mutex; the list's address, written into a pipe, is but a wake-up: none is written while one is
 * under way, and who reads it takes all that is in the list, the last first
 * rig: calls=3 */
#include "pool.h"

static struct task *first;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int ends[2];
static bool woken;

static void put(struct task *task)
{
	void *list = &first;
	pthread_mutex_lock(&mutex);
	task->next = first;
	first = task;
	bool wakes = !woken;
	woken = true;
	pthread_mutex_unlock(&mutex);
	if (wakes && write(ends[1], &list, sizeof(list)) != sizeof(list))
		abort();
}

static struct task *get(void)
{
	static __thread struct task *taken;
	void *list;
	if (!taken) {
		while (read(ends[0], &list, sizeof(list)) != sizeof(list))
			;
		pthread_mutex_lock(&mutex);
		woken = false;
		taken = first;
		first = NULL;
		pthread_mutex_unlock(&mutex);
	}
	struct task *task = taken;
	if (!task)
		return get();
	taken = task->next;
	return task;
}

int main(int argc, char **argv)
{
	if (pipe(ends))
		return 1;
	pool_run(argc, argv, 64);
}
