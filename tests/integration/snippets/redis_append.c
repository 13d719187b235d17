/* redis_append.c PORT REDIS_PORT: an HTTP server that serves one connection after the other and keeps one context of hiredis'. A request
 * with an odd id (GET /r/ID/CALLS) leaves a command in its buffer; the next one, with an even id, adds two, and sends and reads them all. */
#include "../../causality/servers/rig.h"

#include <hiredis/hiredis.h>

int main(int argc, char **argv)
{
	int listener = rig_listen(argc, argv, 0), fd;
	redisContext *redis = redisConnect("127.0.0.1", rig_back);
	struct request request;

	while (redis && !redis->err && (fd = accept(listener, NULL, NULL)) >= 0) {
		if (rig_read(fd, &request)) {
			redisAppendCommand(redis, "SET a:%ld %s", request.id, "secret");
			if (request.id % 2 == 0)
				redisAppendCommand(redis, "GET a:%ld", request.id);
			for (int i = 0; request.id % 2 == 0 && i < 3; i++) {
				redisReply *reply;
				if (redisGetReply(redis, (void **)&reply) != REDIS_OK)
					return 3;
				freeReplyObject(reply);
			}
			request.closes = true;
			rig_respond(fd, &request);
		}
		close(fd);
	}
	return 3;
}
