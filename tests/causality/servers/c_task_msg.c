/* c_task_msg - the same with the task's address in a message of a System V queue
 * rig: calls=3 */
#include "pool.h"

#include <sys/ipc.h>
#include <sys/msg.h>

struct message {
	long type;
	struct task *task;
};
static int queue;

static void put(struct task *task)
{
	struct message message = {1, task};
	while (msgsnd(queue, &message, sizeof(task), 0))
		;
}

static struct task *get(void)
{
	struct message message;
	while (msgrcv(queue, &message, sizeof(message.task), 0, 0) != sizeof(message.task))
		;
	return message.task;
}

static void gone(int number)
{
	msgctl(queue, IPC_RMID, NULL);
	_exit(number);
}

int main(int argc, char **argv)
{
	queue = msgget(IPC_PRIVATE, 0600);
	if (queue < 0)
		return 1;
	signal(SIGTERM, gone);
	pool_run(argc, argv, 64);
}
