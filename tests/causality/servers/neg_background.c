/* neg_background - a request starts a thread: what that does while the request is under way is the request's, what it does after
 * the answer is nobody's.
 * rig: calls=1 */
#include "rig.h"

#include <stdatomic.h>

struct shared {
	struct request request;
	_Atomic int refs;
	_Atomic bool called, answered;
};

static void done_with(struct shared *shared)
{
	if (atomic_fetch_sub(&shared->refs, 1) == 1)
		free(shared);
}

static void *background(void *argument)
{
	struct shared *shared = argument;
	rig_call(&shared->request, 2, NULL);
	atomic_store(&shared->called, true);
	while (!atomic_load(&shared->answered))
		rig_sleep(500);
	rig_ask("/n/background", NULL);
	done_with(shared);
	return NULL;
}

static void *serve(void *argument)
{
	int fd = (int)(long)argument;
	struct request request;
	bool kept = true;
	while (kept && rig_read(fd, &request)) {
		struct shared *shared = calloc(1, sizeof(*shared));
		shared->request = request;
		shared->refs = 2;
		rig_thread(background, shared);
		rig_call(&request, 1, NULL);
		while (!atomic_load(&shared->called))
			rig_sleep(500);
		kept = rig_respond(fd, &request);
		if (!kept)
			close(fd);
		atomic_store(&shared->answered, true);
		done_with(shared);
	}
	if (kept)
		close(fd);
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
