/* neg_pool_born - a pool whose threads are made by the requests that find none free, and then take other requests' tasks.
 * rig: calls=2 */
#include "rig.h"

struct task {
	struct task *next;
	struct request request;
	bool done;
};

static struct task *first, **end = &first;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t filled = PTHREAD_COND_INITIALIZER, emptied = PTHREAD_COND_INITIALIZER;
static int idle, threads;

static void *work(void *unused)
{
	int kept = -1;
	(void)unused;
	pthread_mutex_lock(&mutex);
	for (;;) {
		idle++;
		while (!first)
			pthread_cond_wait(&filled, &mutex);
		idle--;
		struct task *task = first;
		if (!(first = task->next))
			end = &first;
		pthread_mutex_unlock(&mutex);
		for (int i = 1; i <= task->request.calls; i++)
			rig_call(&task->request, i, &kept);
		pthread_mutex_lock(&mutex);
		task->done = true;
		pthread_cond_broadcast(&emptied);
	}
	return NULL;
}

static void *serve(void *argument)
{
	int fd = (int)(long)argument;
	struct task task;
	while (rig_read(fd, &task.request)) {
		task.next = NULL;
		task.done = false;
		pthread_mutex_lock(&mutex);
		*end = &task;
		end = &task.next;
		if (idle == 0 && threads < 32) {
			threads++;
			rig_thread(work, NULL);
		}
		pthread_cond_signal(&filled);
		while (!task.done)
			pthread_cond_wait(&emptied, &mutex);
		pthread_mutex_unlock(&mutex);
		if (!rig_respond(fd, &task.request))
			break;
	}
	close(fd);
	return NULL;
}

int main(int argc, char **argv)
{
	int listener = rig_listen(argc, argv, 0);
	for (;;) {
		int fd = accept(listener, NULL, NULL);
		if (fd >= 0)
			rig_thread(serve, (void *)(long)fd);
	}
}
