/* neg_task_stages - a worker gives each task back to the loop, through a list and an eventfd; behind what it reads in the same turn
 * the loop sends it to other workers, which call and answer. Both ways out are pipes with the task's address
 * rig: calls=3 */
#define POOL_TURN
#include "pool.h"

static struct task *back;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int in[2], out[2], wakes;

static void send_task(int end, struct task *task)
{
	if (write(end, &task, sizeof(task)) != sizeof(task))
		abort();
}

static struct task *take_task(int end)
{
	struct task *task;
	while (read(end, &task, sizeof(task)) != sizeof(task))
		;
	return task;
}

static void put(struct task *task)
{
	send_task(in[1], task);
}

static struct task *get(void)
{
	return take_task(out[0]);
}

/* Never read: a new count is a new event (EPOLLET). */
static void pool_turn(void)
{
	pthread_mutex_lock(&mutex);
	struct task *task = back, *next;
	back = NULL;
	pthread_mutex_unlock(&mutex);
	for (; task; task = next) {
		next = task->next;
		send_task(out[1], task);
	}
}

static void *prepare(void *unused)
{
	uint64_t one = 1;
	(void)unused;
	for (;;) {
		struct task *task = take_task(in[0]);
		pthread_mutex_lock(&mutex);
		task->next = back;
		back = task;
		pthread_mutex_unlock(&mutex);
		if (write(wakes, &one, sizeof(one)) != sizeof(one))
			abort();
	}
	return NULL;
}

static void start(void)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.fd = wakes};
	epoll_ctl(pool_epoll, EPOLL_CTL_ADD, wakes, &event);
	for (int i = 0; i < 4; i++)
		rig_thread(prepare, NULL);
}

int main(int argc, char **argv)
{
	wakes = eventfd(0, EFD_NONBLOCK);
	pool_wakes = wakes;
	pool_start = start;
	if (pipe(in) || pipe(out))
		return 1;
	pool_run(argc, argv, 64);
}
