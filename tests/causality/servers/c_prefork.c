/* c_prefork - processes that accept; one connection at a time each.
 * rig: calls=3 */
#include "rig.h"

int main(int argc, char **argv)
{
	int listener = rig_listen(argc, argv, 0);
	int children = 64;
	pid_t child[64];
	for (int i = 0; i < children; i++)
		if ((child[i] = fork()) == 0) {
			int kept = -1;
			for (;;) {
				struct timeval limit = {0, 20000};
				int fd = accept(listener, NULL, NULL);
				/* Others wait for this process: an idle connection is given back. */
				setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
				rig_serve(fd, &kept);
			}
		}
	sigset_t set;
	int got;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigwait(&set, &got);
	for (int i = 0; i < children; i++)
		kill(child[i], SIGTERM);
	return 0;
}
