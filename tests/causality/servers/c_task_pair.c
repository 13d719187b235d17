/* c_task_pair - the same with the task's address sent through a pair of sockets that keep messages whole
 * rig: calls=3 */
#include "pool.h"

static int ends[2];

static void put(struct task *task)
{
	if (send(ends[1], &task, sizeof(task), 0) != sizeof(task))
		abort();
}

static struct task *get(void)
{
	struct task *task;
	while (recv(ends[0], &task, sizeof(task), 0) != sizeof(task))
		;
	return task;
}

int main(int argc, char **argv)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends))
		return 1;
	pool_run(argc, argv, 64);
}
