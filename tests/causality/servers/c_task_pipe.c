/* c_task_pipe - the same with the task's address written into a pipe.
 * rig: calls=3 */
#include "pool.h"

static int ends[2];

static void put(struct task *task)
{
	if (write(ends[1], &task, sizeof(task)) != sizeof(task))
		abort();
}

static struct task *get(void)
{
	struct task *task;
	while (read(ends[0], &task, sizeof(task)) != sizeof(task))
		;
	return task;
}

int main(int argc, char **argv)
{
	if (pipe(ends))
		return 1;
	pool_run(argc, argv, 64);
}
