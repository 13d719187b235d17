/* uring_thread - a thread and a ring for each connection, one operation at a time; calls on new connections.
 * rig: needs=/usr/include/liburing.h
 * rig: libs=-luring
 * rig: calls=3 */
#include <liburing.h>

#include "rig.h"

static __thread struct io_uring ring;

static int finish(void)
{
	struct io_uring_cqe *cqe;
	if (io_uring_submit_and_wait(&ring, 1) < 0 || io_uring_wait_cqe(&ring, &cqe))
		exit(3);
	int result = cqe->res;
	io_uring_cqe_seen(&ring, cqe);
	return result;
}

static int take(int fd, char *at, size_t room)
{
	io_uring_prep_recv(io_uring_get_sqe(&ring), fd, at, room, 0);
	return finish();
}

static bool give(int fd, const char *text, size_t size)
{
	io_uring_prep_send(io_uring_get_sqe(&ring), fd, text, size, MSG_NOSIGNAL);
	return finish() == (int)size;
}

static void call(const struct request *request, int number)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((unsigned short)rig_back)};
	char text[256], buf[2048];
	size_t size = rig_question(text, sizeof(text), request->id, number, false), len = 0;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	io_uring_prep_connect(io_uring_get_sqe(&ring), fd, (struct sockaddr *)&to, sizeof(to));
	bool good = finish() == 0 && give(fd, text, size);
	while (good && !rig_answer(buf, len)) {
		int got = take(fd, buf + len, sizeof(buf) - 1 - len);
		good = got > 0;
		len += good ? (size_t)got : 0;
	}
	close(fd);
}

static void *serve(void *argument)
{
	int fd = (int)(long)argument;
	char buf[4096], text[256];
	size_t len = 0, size;
	struct request request = {0};
	if (io_uring_queue_init(8, &ring, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN))
		exit(77);
	do {
		while (!(size = rig_parse(buf, len, &request))) {
			int got = take(fd, buf + len, sizeof(buf) - 1 - len);
			if (got <= 0)
				goto out;
			len += (size_t)got;
		}
		memmove(buf, buf + size, len -= size);
		for (int i = 1; i <= request.calls; i++)
			call(&request, i);
	} while (give(fd, text, rig_reply(text, sizeof(text), &request)) && !request.closes);
out:
	io_uring_queue_exit(&ring);
	close(fd);
	return NULL;
}

int main(int argc, char **argv)
{
	int fd, listener = rig_listen(argc, argv, 0);
	for (;;)
		if ((fd = accept(listener, NULL, NULL)) >= 0)
			rig_thread(serve, (void *)(long)fd);
}
