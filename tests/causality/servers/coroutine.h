/* coroutine.h - a stack for each connection, one thread, epoll: a coroutine that would block is left until its fd is ready. The
 * including file says how to switch: co_switch_in(struct co *), co_switch_out(struct co *), co_make(struct co *). */
#include "rig.h"

#include <setjmp.h>
#include <ucontext.h>

#define STACK (64 * 1024)

struct co {
	ucontext_t context;
	jmp_buf jump;
	char *stack;
	int fd, waits_for;
	bool started, ended;
	struct co *next;
};

static UNUSED ucontext_t scheduler;
static UNUSED jmp_buf scheduler_jump;
static struct co *running, *spare;
static int epoll;

static void co_switch_in(struct co *co);
static void co_switch_out(struct co *co);
static void co_make(struct co *co);

static void co_wait(int fd, uint32_t events)
{
	struct epoll_event event = {.events = events | EPOLLONESHOT, .data.ptr = running};
	if (epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event))
		epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
	co_switch_out(running);
}

static ssize_t co_read(int fd, char *buf, size_t room)
{
	ssize_t got;
	while ((got = read(fd, buf, room)) < 0 && errno == EAGAIN)
		co_wait(fd, EPOLLIN);
	return got;
}

static bool co_call(const struct request *request, int number)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((unsigned short)rig_back)};
	char buf[2048];
	size_t len = 0;
	ssize_t got = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) && errno == EINPROGRESS)
		co_wait(fd, EPOLLOUT);
	size_t size = rig_question(buf, sizeof(buf), request->id, number, false);
	bool good = write(fd, buf, size) == (ssize_t)size;
	while (good && got > 0 && !rig_answer(buf, len)) {
		got = co_read(fd, buf + len, sizeof(buf) - 1 - len);
		len += got > 0 ? (size_t)got : 0;
	}
	close(fd);
	return good && got > 0;
}

static void co_serve(void)
{
	struct co *co = running;
	struct request request;
	char buf[4096];
	size_t len = 0;
	ssize_t got;
	while ((got = co_read(co->fd, buf + len, sizeof(buf) - 1 - len)) > 0) {
		len += (size_t)got;
		if (!rig_parse(buf, len, &request))
			continue;
		len = 0;
		for (int i = 1; i <= request.calls; i++)
			co_call(&request, i);
		if (!rig_respond(co->fd, &request))
			break;
	}
	close(co->fd);
	co->ended = true;
	co_switch_out(co);
}

static void co_run(struct co *co)
{
	running = co;
	co_switch_in(co);
	if (co->ended) {
		co->next = spare;
		spare = co;
	}
}

static UNUSED void co_main(int argc, char **argv)
{
	int listener = rig_listen(argc, argv, SOCK_NONBLOCK), fd;
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL}, events[64];
	epoll = epoll_create1(0);
	epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
	for (;;) {
		int n = epoll_wait(epoll, events, 64, -1);
		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr) {
				co_run(events[i].data.ptr);
				continue;
			}
			while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
				struct co *co = spare ? spare : calloc(1, sizeof(*co));
				spare = spare ? spare->next : NULL;
				if (!co->stack)
					co->stack = malloc(STACK);
				co->fd = fd;
				co->ended = co->started = false;
				co_make(co);
				co_run(co);
			}
		}
	}
}
