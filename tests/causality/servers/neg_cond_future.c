/* neg_cond_future - a thread for each connection gives every second call to a pool, and waits for it
 * rig: warm=400
 * rig: calls=3 */
#include "cond_list.h"

struct promise {
	struct task task;
	int number;
	bool done;
	pthread_mutex_t mutex;
	pthread_cond_t kept;
};

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
	int kept = -1;
	(void)unused;
	for (;;) {
		struct promise *promise = (struct promise *)get();
		rig_call(&promise->task.request, promise->number, &kept);
		pthread_mutex_lock(&promise->mutex);
		promise->done = true;
		pthread_cond_signal(&promise->kept);
		pthread_mutex_unlock(&promise->mutex);
	}
	return NULL;
}

static void call_elsewhere(const struct request *request, int number)
{
	struct promise promise = {.task.request = *request, .number = number};
	pthread_mutex_init(&promise.mutex, NULL);
	pthread_cond_init(&promise.kept, NULL);
	put(&promise.task);
	pthread_mutex_lock(&promise.mutex);
	while (!promise.done)
		pthread_cond_wait(&promise.kept, &promise.mutex);
	pthread_mutex_unlock(&promise.mutex);
	pthread_cond_destroy(&promise.kept);
}

static void *serve(void *argument)
{
	int fd = (int)(long)argument, kept = -1;
	struct request request;
	while (rig_read(fd, &request)) {
		for (int i = 1; i <= request.calls; i++) {
			if (i % 2 == 0)
				call_elsewhere(&request, i);
			else
				rig_call(&request, i, &kept);
		}
		if (!rig_respond(fd, &request))
			break;
	}
	close(fd);
	close(kept);
	(void)pool_run;
	return NULL;
}

int main(int argc, char **argv)
{
	int listener = rig_listen(argc, argv, 0);
	for (int i = 0; i < 16; i++)
		rig_thread(work, NULL);
	for (;;) {
		int fd = accept(listener, NULL, NULL);
		if (fd >= 0)
			rig_thread(serve, (void *)(long)fd);
	}
}
