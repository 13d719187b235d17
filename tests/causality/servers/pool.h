/* pool.h - one thread reads and parses the requests and hands each, parsed, to a pool's worker, which calls and answers. How it
 * is handed over is the including file's: void put(struct task *), struct task *get(void); with POOL_TURN also void
 * pool_turn(void), at the end of each turn of the loop. */
#include "rig.h"

struct task {
	struct task *next;
	int fd;
	struct request request;
};

static void put(struct task *task);
static struct task *get(void);
static int pool_epoll;
#ifdef POOL_TURN
static void pool_turn(void);
#else
static void pool_turn(void) {}
#endif
static void (*pool_start)(void);
static int pool_wakes = -1; /* of no concern here */

struct reader {
	int fd;
	size_t len;
	char buf[4096];
};
static struct reader *readers[65536];

static void pool_do(struct task *task, int *kept)
{
	for (int i = 1; i <= task->request.calls; i++)
		rig_call(&task->request, i, kept);
	if (rig_respond(task->fd, &task->request)) {
		struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT, .data.fd = task->fd};
		epoll_ctl(pool_epoll, EPOLL_CTL_MOD, task->fd, &event);
	} else {
		close(task->fd);
	}
	free(task);
}

static void *pool_work(void *unused)
{
	int kept = -1;
	(void)unused;
	for (;;)
		pool_do(get(), &kept);
	return NULL;
}

static void pool_read(int fd)
{
	struct reader *reader = readers[fd];
	ssize_t got = recv(fd, reader->buf + reader->len, sizeof(reader->buf) - 1 - reader->len, MSG_DONTWAIT);
	struct task task = {.fd = fd};
	if (got <= 0) {
		close(fd);
		return;
	}
	reader->len += (size_t)got;
	if (rig_parse(reader->buf, reader->len, &task.request)) {
		struct task *copy = malloc(sizeof(task));
		*copy = task;
		reader->len = 0;
		put(copy);
		return;
	}
	struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT, .data.fd = fd};
	epoll_ctl(pool_epoll, EPOLL_CTL_MOD, fd, &event);
}

static UNUSED void pool_run(int argc, char **argv, int workers)
{
	int listener = rig_listen(argc, argv, SOCK_NONBLOCK);
	struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
	pool_epoll = epoll_create1(0);
	epoll_ctl(pool_epoll, EPOLL_CTL_ADD, listener, &event);
	for (int i = 0; i < workers; i++)
		rig_thread(pool_work, NULL);
	if (pool_start)
		pool_start();
	for (;;) {
		struct epoll_event events[64];
		int n = epoll_wait(pool_epoll, events, 64, -1);
		for (int i = 0; i < n; i++) {
			int fd = events[i].data.fd;
			if (fd == pool_wakes)
				continue;
			if (fd != listener) {
				pool_read(fd);
				continue;
			}
			while ((fd = accept4(listener, NULL, NULL, 0)) >= 0) {
				if (!readers[fd])
					readers[fd] = malloc(sizeof(struct reader));
				readers[fd]->len = 0;
				event = (struct epoll_event){.events = EPOLLIN | EPOLLONESHOT, .data.fd = fd};
				epoll_ctl(pool_epoll, EPOLL_CTL_ADD, fd, &event);
			}
		}
		pool_turn();
	}
}
