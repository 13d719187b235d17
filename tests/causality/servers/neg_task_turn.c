/* neg_task_turn - a loop keeps what it has read until the end of its turn, and then writes each task's address into a pipe
 * rig: calls=3 */
#define POOL_TURN
#include "pool.h"

static struct task *kept, **end = &kept;
static int ends[2];

static void put(struct task *task)
{
	task->next = NULL;
	*end = task;
	end = &task->next;
}

static void pool_turn(void)
{
	struct task *next;
	for (struct task *task = kept; task; task = next) {
		next = task->next;
		if (write(ends[1], &task, sizeof(task)) != sizeof(task))
			abort();
	}
	kept = NULL;
	end = &kept;
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
