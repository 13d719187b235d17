/* neg_task_drain - a worker reads up to four addresses of tasks from the pipe, then makes the calls of all of them, and then answers
 * rig: calls=3 */
#include "pool.h"

#include <sys/ioctl.h>

static int ends[2];

static void put(struct task *task)
{
	if (write(ends[1], &task, sizeof(task)) != sizeof(task))
		abort();
}

static struct task *get(void)
{
	struct task *task;
	while (read(ends[0], &task, sizeof(task)) != sizeof(task))
		;
	return task;
}

static void *work(void *unused)
{
	int kept = -1;
	(void)unused;
	for (;;) {
		static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
		struct task *tasks[4];
		int count = 0, more = 0;
		pthread_mutex_lock(&one_at_a_time);
		do
			tasks[count++] = get();
		while (count < 4 && ioctl(ends[0], FIONREAD, &more) == 0 && more > 0);
		pthread_mutex_unlock(&one_at_a_time);
		for (int i = 0; i < count; i++) {
			for (int k = 1; k <= tasks[i]->request.calls; k++)
				rig_call(&tasks[i]->request, k, &kept);
			tasks[i]->request.calls = 0;
		}
		for (int i = 0; i < count; i++)
			pool_do(tasks[i], &kept);
	}
	return NULL;
}

static void start(void)
{
	for (int i = 0; i < 2; i++)
		rig_thread(work, NULL);
}

int main(int argc, char **argv)
{
	if (pipe(ends))
		return 1;
	pool_start = start;
	pool_run(argc, argv, 0);
}
