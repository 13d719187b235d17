/* neg_cond_others - late also jobs of no request in the list, and nobody's calls of workers behind a lock
 * rig: warm=400
 * rig: calls=3 */
#include "cond_list.h"

static pthread_mutex_t lock_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t unlocked = PTHREAD_COND_INITIALIZER;
static bool locked;
static _Atomic long served;

static __attribute__((noinline)) void lock_and_unlock(void)
{
	pthread_mutex_lock(&lock_mutex);
	while (locked)
		pthread_cond_wait(&unlocked, &lock_mutex);
	locked = true;
	pthread_mutex_unlock(&lock_mutex);
	rig_sleep(50);
	pthread_mutex_lock(&lock_mutex);
	locked = false;
	pthread_cond_signal(&unlocked);
	pthread_mutex_unlock(&lock_mutex);
}

static void put(struct task *task)
{
	if (task->request.id % 8 == 0)
		lock_and_unlock();
	put_in(&list, task);
}

static struct task *get(void)
{
	return get_from(&list);
}

static void *work(void *unused)
{
	int kept = -1;
	(void)unused;
	for (;;) {
		struct task *task = get();
		if (task->fd < 0) {
			rig_ask("/n/job", &kept);
			free(task);
			continue;
		}
		pool_do(task, &kept);
		if (++served % 64 == 0) {
			lock_and_unlock();
			rig_ask("/n/after", &kept);
		}
	}
	return NULL;
}

static void *others(void *unused)
{
	(void)unused;
	while (served < 900)
		rig_sleep(2000);
	for (int i = 0; i < 100; i++) {
		struct task *task = calloc(1, sizeof(*task));
		task->fd = -1;
		put_in(&list, task);
		rig_sleep(2000);
	}
	return NULL;
}

static void start(void)
{
	for (int i = 0; i < 64; i++)
		rig_thread(work, NULL);
	rig_thread(others, NULL);
}

int main(int argc, char **argv)
{
	pool_start = start;
	pool_run(argc, argv, 0);
}
