/* c_thread - a thread for each connection; a connection of its own for each call.
 * rig: calls=3 */
#include "rig.h"

static void *serve(void *fd)
{
	rig_serve((int)(long)fd, NULL);
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
