/* neg_cond_steal - a list and a condition for each worker; who has nothing takes from the others'
 * rig: warm=400
 * rig: calls=3 */
#include "cond_list.h"

#define WORKERS 8

static pthread_cond_t conditions[WORKERS];
static struct list lists[WORKERS];

static void put(struct task *task)
{
	static long served;
	put_in(&lists[++served % WORKERS], task);
}

static struct task *get(void)
{
	return NULL;
}

static void *work(void *argument)
{
	long own = (long)argument;
	int kept = -1;
	(void)get;
	for (;;) {
		struct task *task = NULL;
		pthread_mutex_lock(&mutex);
		while (!task) {
			for (int i = 0; i < WORKERS && !task; i++)
				task = first_of(&lists[(own + i) % WORKERS]);
			if (!task)
				pthread_cond_wait(&conditions[own], &mutex);
		}
		pthread_mutex_unlock(&mutex);
		pool_do(task, &kept);
	}
	return NULL;
}

static void start(void)
{
	for (long i = 0; i < WORKERS; i++) {
		pthread_cond_init(&conditions[i], NULL);
		lists[i] = (struct list){.mutex = &mutex, .filled = &conditions[i]};
		rig_thread(work, (void *)i);
	}
}

int main(int argc, char **argv)
{
	pool_start = start;
	pool_run(argc, argv, 0);
}
