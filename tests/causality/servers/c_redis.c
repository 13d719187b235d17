/* c_redis - a thread for each connection, and a connection to Redis for each thread; the id is in the key.
 * rig: needs=redis-server redis-cli
 * rig: back=redis
 * rig: calls=3 */
#include "rig.h"

static bool look_up(int redis, const struct request *request, int number)
{
	char key[64], text[128], answer[128];
	int size = snprintf(key, sizeof(key), "/d/%ld/%d", request->id, number);
	int len = snprintf(text, sizeof(text), "*2\r\n$3\r\nGET\r\n$%d\r\n%s\r\n", size, key);
	return write(redis, text, (size_t)len) == len && read(redis, answer, sizeof(answer)) > 0;
}

static void *serve(void *argument)
{
	int fd = (int)(long)argument, redis = rig_connect();
	struct request request;
	while (redis >= 0 && rig_read(fd, &request)) {
		for (int i = 1; i <= request.calls; i++)
			if (!look_up(redis, &request, i))
				exit(1);
		if (!rig_respond(fd, &request))
			break;
	}
	close(redis);
	close(fd);
	return NULL;
}

int main(int argc, char **argv)
{
	int listener = rig_listen(argc, argv, 0);
	for (;;) {
		long fd = accept(listener, NULL, NULL);
		if (fd >= 0)
			rig_thread(serve, (void *)fd);
	}
}
