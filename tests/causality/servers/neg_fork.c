/* neg_fork - a child made in a request makes the call for it; a grandchild outlives the request, and is nobody's then.
 * rig: most=256
 * rig: calls=1 */
#include "rig.h"

static void *serve(void *argument)
{
	int fd = (int)(long)argument, gate[2];
	struct request request;
	while (rig_read(fd, &request)) {
		if (pipe2(gate, O_CLOEXEC))
			break;
		pid_t child = fork();
		if (child == 0) {
			char byte;
			close(gate[1]);
			rig_call(&request, 1, NULL);
			if (fork() == 0) {
				close(fd);
				while (read(gate[0], &byte, 1) > 0)
					;
				rig_ask("/n/grandchild", NULL);
			}
			_exit(0);
		}
		close(gate[0]);
		waitpid(child, NULL, 0);
		bool kept = rig_respond(fd, &request);
		close(gate[1]);
		if (!kept)
			break;
	}
	close(fd);
	return NULL;
}

int main(int argc, char **argv)
{
	int listener = rig_listen(argc, argv, 0);
	signal(SIGCHLD, SIG_DFL);
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0)
			rig_thread(serve, (void *)(long)fd);
	}
}
