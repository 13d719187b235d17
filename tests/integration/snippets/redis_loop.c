/* redis_loop.c PORT REDIS_PORT [late]: an HTTP server with one thread and epoll, whose requests (GET /r/ID/CALLS) all ask Redis over one
 * connection of hiredis' asynchronous interface, one GET d:ID:N after the other. late: and after the answer another one that nobody waits
 * for is handed over before it and sent behind it. */
#include "../../causality/servers/rig.h"

#include <hiredis/async.h>
#include <hiredis/hiredis.h>

struct client {
	int fd;
	struct request request;
	int answered;
	size_t len;
	char buf[4096];
};

static int epoll, late;
static redisAsyncContext *redis;
static uint32_t wanted;

static void want(uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = NULL};
	if (events != wanted)
		epoll_ctl(epoll, EPOLL_CTL_MOD, redis->c.fd, &event);
	wanted = events;
}

static void add_read(void *data) { (void)data; want(wanted | EPOLLIN); }
static void del_read(void *data) { (void)data; want(wanted & ~EPOLLIN); }
static void add_write(void *data) { (void)data; want(wanted | EPOLLOUT); }
static void del_write(void *data) { (void)data; want(wanted & ~EPOLLOUT); }

static void ask(struct client *client);

static void forgotten(redisAsyncContext *context, void *reply, void *data)
{
	(void)context, (void)reply, (void)data;
}

static void drop(struct client *client)
{
	close(client->fd);
	free(client);
}

static void answered(redisAsyncContext *context, void *reply, void *data)
{
	struct client *client = data;
	char text[256];

	(void)context;
	if (!reply)
		exit(3);
	if (++client->answered < client->request.calls) {
		ask(client);
		return;
	}
	if (late)
		redisAsyncCommand(redis, forgotten, NULL, "SET l:%ld secret", client->request.id);
	size_t len = rig_reply(text, sizeof(text), &client->request);
	client->answered = 0;
	if (send(client->fd, text, len, MSG_NOSIGNAL) != (ssize_t)len || client->request.closes)
		drop(client);
}

static void ask(struct client *client)
{
	redisAsyncCommand(redis, answered, client, "GET d:%ld:%d", client->request.id, client->answered + 1);
}

static void readable(struct client *client)
{
	ssize_t got = recv(client->fd, client->buf + client->len, sizeof(client->buf) - 1 - client->len, 0);
	if (got < 0 && errno == EAGAIN)
		return;
	if (got <= 0) {
		drop(client);
		return;
	}
	client->len += (size_t)got;
	if (!rig_parse(client->buf, client->len, &client->request))
		return;
	client->len = 0;
	ask(client);
}

int main(int argc, char **argv)
{
	int listener = rig_listen(argc, argv, SOCK_NONBLOCK), fd;
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = &listener}, events[64];

	late = argc > 3;
	epoll = epoll_create1(0);
	epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
	redis = redisAsyncConnect("127.0.0.1", rig_back);
	if (redis->err)
		return 3;
	wanted = EPOLLIN | EPOLLOUT;
	event = (struct epoll_event){.events = wanted, .data.ptr = NULL};
	epoll_ctl(epoll, EPOLL_CTL_ADD, redis->c.fd, &event);
	redis->ev.addRead = add_read;
	redis->ev.delRead = del_read;
	redis->ev.addWrite = add_write;
	redis->ev.delWrite = del_write;
	for (;;) {
		int n = epoll_wait(epoll, events, 64, -1);
		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr == &listener) {
				while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
					struct client *client = calloc(1, sizeof(*client));
					client->fd = fd;
					event = (struct epoll_event){.events = EPOLLIN, .data.ptr = client};
					epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
				}
			} else if (events[i].data.ptr) {
				readable(events[i].data.ptr);
			} else {
				if (events[i].events & EPOLLIN)
					redisAsyncHandleRead(redis);
				if (events[i].events & EPOLLOUT)
					redisAsyncHandleWrite(redis);
			}
		}
	}
}
