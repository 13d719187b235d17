/* neg_after - a thread for each connection, which makes a call when it has answered: nobody's.
 * rig: calls=2 */
#include "rig.h"

static void *serve(void *argument)
{
	int fd = (int)(long)argument, kept = -1;
	struct request request;
	while (rig_read(fd, &request)) {
		for (int i = 1; i <= request.calls; i++)
			rig_call(&request, i, &kept);
		if (!rig_respond(fd, &request))
			break;
		rig_ask("/n/after", &kept);
	}
	close(fd);
	close(kept);
	return NULL;
}

int main(int argc, char **argv)
{
	int listener = rig_listen(argc, argv, 0);
	for (;;) {
		int fd = accept(listener, NULL, NULL);
		if (fd >= 0)
			rig_thread(serve, (void *)(long)fd);
	}
}
