/* c_task_mq - the same with the task's address in a message of a POSIX queue
 * rig: calls=3 */
#include "pool.h"

#include <mqueue.h>

static mqd_t in, out;

static void put(struct task *task)
{
	while (mq_send(in, (const char *)&task, sizeof(task), 0))
		;
}

static struct task *get(void)
{
	struct task *task;
	while (mq_receive(out, (char *)&task, sizeof(task), NULL) != sizeof(task))
		;
	return task;
}

int main(int argc, char **argv)
{
	struct mq_attr attributes = {.mq_maxmsg = 10, .mq_msgsize = sizeof(struct task *)};
	char name[64];
	snprintf(name, sizeof(name), "/tagalong-rig-%d", (int)getpid());
	in = mq_open(name, O_CREAT | O_EXCL | O_WRONLY, 0600, &attributes);
	out = mq_open(name, O_RDONLY);
	mq_unlink(name);
	if (in == (mqd_t)-1 || out == (mqd_t)-1)
		return 1;
	pool_run(argc, argv, 64);
}
