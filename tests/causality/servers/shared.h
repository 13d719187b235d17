/* shared.h - one pool for both kinds of job: its threads read and parse what arrived on a socket, and take parsed requests that
 * another of them put back. Which ones are put back is the including file's: bool passes_on(const struct request *). All of them
 * go through a lock that is made of a condition as a language's own locks are: threads wait for it in the midst of a request. */
#include "rig.h"

struct task {
	struct task *next;
	int fd;
	bool parsed;
	struct request request;
};

static bool passes_on(const struct request *request);

static struct task *first, **end = &first;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t filled = PTHREAD_COND_INITIALIZER;
static int shared_epoll;

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

static pthread_mutex_t lock_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t unlocked = PTHREAD_COND_INITIALIZER;
static bool locked;

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

static void watch(int how, int fd)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT, .data.fd = fd};
	epoll_ctl(shared_epoll, how, fd, &event);
}

static void serve(struct task *task)
{
	for (int i = 1; i <= task->request.calls; i++) {
		lock_and_unlock();
		rig_call(&task->request, i, NULL);
	}
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
		if (!task->parsed && !rig_read(task->fd, &task->request)) {
			close(task->fd);
			free(task);
		} else if (!task->parsed && passes_on(&task->request)) {
			task->parsed = true;
			put(task);
		} else {
			serve(task);
		}
	}
	return NULL;
}

int main(int argc, char **argv)
{
	int listener = rig_listen(argc, argv, SOCK_NONBLOCK);
	struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
	shared_epoll = epoll_create1(0);
	epoll_ctl(shared_epoll, EPOLL_CTL_ADD, listener, &event);
	for (int i = 0; i < 64; i++)
		rig_thread(work, NULL);
	for (;;) {
		struct epoll_event events[64];
		int n = epoll_wait(shared_epoll, events, 64, -1);
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
