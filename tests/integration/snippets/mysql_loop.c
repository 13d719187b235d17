/* mysql_loop.c PORT DB_PORT HANDLES [proxied]: an HTTP server with one thread and epoll, whose requests (GET /r/ID/CALLS) ask MariaDB
 * with the functions that do not block, over so many handles; who finds none free waits. */
#include "../../causality/servers/rig.h"

#include <mysql.h>

struct client {
	int fd;
	struct request request;
	int answered;
	size_t len;
	char buf[4096];
	struct client *next;
};

struct handle {
	MYSQL *db;
	struct client *client; /* NULL: free */
	bool stores;           /* the result is being fetched */
	MYSQL_RES *result;
	int failed;
	char text[128];
};

static int epoll;
static struct handle handles[64];
static int count;
static struct client *queue, **queue_end = &queue;

static void want(struct handle *handle, int status)
{
	struct epoll_event event = {.data.ptr = handle};
	event.events = (status & MYSQL_WAIT_READ ? EPOLLIN : 0) | (status & MYSQL_WAIT_WRITE ? EPOLLOUT : 0);
	epoll_ctl(epoll, EPOLL_CTL_MOD, mysql_get_socket(handle->db), &event);
}

static void ask(struct handle *handle, struct client *client);

static void release(struct handle *handle)
{
	struct client *next = queue;
	handle->client = NULL;
	if (next && !(queue = next->next))
		queue_end = &queue;
	if (next)
		ask(handle, next);
}

static void answered(struct handle *handle)
{
	struct client *client = handle->client;
	char text[256];

	mysql_free_result(handle->result);
	if (++client->answered < client->request.calls) {
		ask(handle, client);
		return;
	}
	client->answered = 0;
	size_t len = rig_reply(text, sizeof(text), &client->request);
	if (send(client->fd, text, len, MSG_NOSIGNAL) != (ssize_t)len || client->request.closes) {
		close(client->fd);
		free(client);
	}
	release(handle);
}

static void go_on(struct handle *handle, int status)
{
	if (status) {
		want(handle, status);
		return;
	}
	if (handle->failed || (handle->stores && !handle->result))
		exit(3);
	if (!handle->stores) {
		handle->stores = true;
		go_on(handle, mysql_store_result_start(&handle->result, handle->db));
		return;
	}
	answered(handle);
}

static void ask(struct handle *handle, struct client *client)
{
	handle->client = client;
	handle->stores = false;
	int len = snprintf(handle->text, sizeof(handle->text), "select 'd:%ld:%d', sleep(%f)", client->request.id, client->answered + 1,
			   (double)(client->request.id % 7) / 1000);
	go_on(handle, mysql_real_query_start(&handle->failed, handle->db, handle->text, (unsigned long)len));
}

static void db_event(struct handle *handle, uint32_t events)
{
	int status = (events & (EPOLLIN | EPOLLHUP | EPOLLERR) ? MYSQL_WAIT_READ : 0) | (events & EPOLLOUT ? MYSQL_WAIT_WRITE : 0);
	if (!handle->client)
		return;
	if (handle->stores)
		go_on(handle, mysql_store_result_cont(&handle->result, handle->db, status));
	else
		go_on(handle, mysql_real_query_cont(&handle->failed, handle->db, status));
}

static void readable(struct client *client)
{
	ssize_t got = recv(client->fd, client->buf + client->len, sizeof(client->buf) - 1 - client->len, 0);
	if (got < 0 && errno == EAGAIN)
		return;
	if (got <= 0) {
		close(client->fd);
		free(client);
		return;
	}
	client->len += (size_t)got;
	if (!rig_parse(client->buf, client->len, &client->request))
		return;
	client->len = 0;
	for (int i = 0; i < count; i++)
		if (!handles[i].client) {
			ask(&handles[i], client);
			return;
		}
	client->next = NULL;
	*queue_end = client;
	queue_end = &client->next;
}

static void open_handles(int number, bool proxied)
{
	static const char header[] = "PROXY TCP4 127.0.0.1 127.0.0.1 1024 1025\r\n";
	for (count = 0; count < number; count++) {
		MYSQL *db = mysql_init(NULL);
		struct epoll_event event = {.data.ptr = &handles[count]};
		mysql_options(db, MYSQL_OPT_NONBLOCK, 0);
		if (proxied)
			mysql_optionsv(db, MARIADB_OPT_PROXY_HEADER, header, sizeof(header) - 1);
		if (!mysql_real_connect(db, "127.0.0.1", "t", "pw", "d1", (unsigned)rig_back, NULL, 0))
			exit(3);
		handles[count].db = db;
		epoll_ctl(epoll, EPOLL_CTL_ADD, mysql_get_socket(db), &event);
	}
}

int main(int argc, char **argv)
{
	int listener = rig_listen(argc, argv, SOCK_NONBLOCK), fd;
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = &listener}, events[64];

	epoll = epoll_create1(0);
	epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
	open_handles(atoi(argv[3]), argc > 4);
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
			} else if ((char *)events[i].data.ptr >= (char *)handles && (char *)events[i].data.ptr < (char *)(handles + 64)) {
				db_event(events[i].data.ptr, events[i].events);
			} else {
				readable(events[i].data.ptr);
			}
		}
	}
}
