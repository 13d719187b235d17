/* neg_pool_cold - a pool starts under load; its threads read requests, put them back, take what is first
 * rig: calls=3 */
#include "rig.h"

struct task {
	struct task *next;
	int fd;
	bool parsed;
	struct request request;
};

static struct task *first;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t filled = PTHREAD_COND_INITIALIZER;
static int cold_epoll;

/* What was put in last comes out first. */
static void put(struct task *task)
{
	pthread_mutex_lock(&mutex);
	task->next = first;
	first = task;
	pthread_cond_signal(&filled);
	pthread_mutex_unlock(&mutex);
}

static struct task *get(void)
{
	pthread_mutex_lock(&mutex);
	while (!first)
		pthread_cond_wait(&filled, &mutex);
	struct task *task = first;
	first = task->next;
	pthread_mutex_unlock(&mutex);
	return task;
}

static void watch(int how, int fd)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT, .data.fd = fd};
	epoll_ctl(cold_epoll, how, fd, &event);
}

static void serve(struct task *task)
{
	for (int i = 1; i <= task->request.calls; i++)
		rig_call(&task->request, i, NULL);
	if (rig_respond(task->fd, &task->request))
		watch(EPOLL_CTL_MOD, task->fd);
	else
		close(task->fd);
	free(task);
}

static void *work(void *unused)
{
	(void)unused;
	for (;;) {
		struct task *task = get();
		if (task->parsed) {
			serve(task);
		} else if (!rig_read(task->fd, &task->request)) {
			close(task->fd);
			free(task);
		} else {
			task->parsed = true;
			put(task);
			sched_yield();
		}
	}
	return NULL;
}

/* The first requests are kept until there are several of them. */
static void collect(int listener)
{
	struct task *tasks[8];
	int found = 0, fd;
	struct epoll_event event;
	while (found < 8 && epoll_wait(cold_epoll, &event, 1, 300) == 1) {
		if (event.data.fd == listener) {
			while ((fd = accept4(listener, NULL, NULL, 0)) >= 0)
				watch(EPOLL_CTL_ADD, fd);
			continue;
		}
		tasks[found] = calloc(1, sizeof(**tasks));
		tasks[found++]->fd = event.data.fd;
	}
	while (found)
		put(tasks[--found]);
}

int main(int argc, char **argv)
{
	int listener = rig_listen(argc, argv, SOCK_NONBLOCK);
	struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
	cold_epoll = epoll_create1(0);
	epoll_ctl(cold_epoll, EPOLL_CTL_ADD, listener, &event);
	collect(listener);
	for (int i = 0; i < 8; i++)
		rig_thread(work, NULL);
	for (;;) {
		struct epoll_event events[64];
		int n = epoll_wait(cold_epoll, events, 64, -1);
		for (int i = 0; i < n; i++) {
			int fd = events[i].data.fd;
			if (fd == listener) {
				while ((fd = accept4(listener, NULL, NULL, 0)) >= 0)
					watch(EPOLL_CTL_ADD, fd);
				continue;
			}
			struct task *task = calloc(1, sizeof(*task));
			task->fd = fd;
			put(task);
		}
	}
}
