/* What may carry work from thread to thread, with good arguments and bad ones, bare and traced: prints what the kernel said. */
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static void told(const char *what, long result)
{
	printf("%s: %ld %s\n", what, result, result < 0 ? strerrorname_np(errno) : "");
	errno = 0;
}
#define TELL(call) told(#call, (long)(call))

struct message {
	long type;
	void *address;
	char more[100];
};

static void system_v(void)
{
	struct message message = {1, &message, "more"}, got;
	void *bad = (void *)8;
	int queue = msgget(IPC_PRIVATE, 0600);
	TELL(msgrcv(queue, &got, sizeof(got), 0, IPC_NOWAIT));
	TELL(msgsnd(queue, &message, sizeof(void *), 0));
	TELL(msgrcv(queue, &got, sizeof(got.more), 0, 0));
	printf("address %d\n", got.address == &message);
	TELL(msgsnd(queue, &message, sizeof(message.more), 0));
	TELL(msgrcv(queue, &got, 8, 0, 0));
	TELL(msgrcv(queue, &got, 8, 0, MSG_NOERROR));
	TELL(msgsnd(queue, bad, 8, 0));
	TELL(msgsnd(queue, &message, 1 << 24, 0));
	TELL(msgsnd(queue, &message, 0, 0));
	TELL(msgrcv(queue, bad, 8, 0, 0));
	TELL(msgrcv(queue, &got, 8, 0, IPC_NOWAIT));
	TELL(msgsnd(-1, &message, 8, 0));
	TELL(msgctl(queue, IPC_RMID, NULL));
}

static void posix(void)
{
	struct mq_attr attributes = {.mq_maxmsg = 2, .mq_msgsize = 16};
	struct timespec past = {1, 0};
	char text[16], name[64];
	void *address = &text, *bad = (void *)8;
	snprintf(name, sizeof(name), "/tagalong-test-%d", (int)getpid());
	mqd_t queue = mq_open(name, O_CREAT | O_RDWR, 0600, &attributes);
	mq_unlink(name);
	TELL(mq_send(queue, (char *)&address, sizeof(address), 3));
	TELL(mq_receive(queue, text, 8, NULL));
	TELL(mq_receive(queue, text, sizeof(text), NULL));
	printf("address %d\n", memcmp(text, &address, sizeof(address)) == 0);
	TELL(mq_send(queue, bad, 8, 0));
	TELL(mq_send(queue, text, 17, 0));
	TELL(mq_timedreceive(queue, text, sizeof(text), NULL, &past));
	TELL(mq_timedsend(queue, text, 1, 0, &past));
	TELL(mq_timedsend(queue, text, 2, 0, &past));
	TELL(mq_timedsend(queue, text, 3, 0, &past));
	TELL(mq_receive(queue, bad, sizeof(text), NULL));
	TELL(mq_send(-1, text, 8, 0));
	mq_close(queue);
}

static void descriptors(int in, int out)
{
	char text[64];
	void *address = &text, *bad = (void *)8;
	fcntl(in, F_SETFL, O_NONBLOCK);
	fcntl(out, F_SETFL, O_NONBLOCK);
	TELL(read(in, text, sizeof(text)));
	TELL(write(out, &address, sizeof(address)));
	TELL(read(in, text, sizeof(address)));
	printf("address %d\n", memcmp(text, &address, sizeof(address)) == 0);
	TELL(write(out, bad, 8));
	TELL(write(out, text, 0));
	TELL(write(out, &address, sizeof(address)));
	TELL(read(in, bad, 8));
	TELL(read(in, text, 3));
	TELL(read(in, text, sizeof(text)));
	while (write(out, &address, sizeof(address)) > 0)
		;
	printf("full %s\n", strerrorname_np(errno));
	TELL(close(in));
	TELL(write(out, &address, sizeof(address)));
	TELL(close(out));
	TELL(write(out, &address, sizeof(address)));
}

int main(void)
{
	int fds[2];
	signal(SIGPIPE, SIG_IGN);
	system_v();
	posix();
	if (pipe(fds) == 0)
		descriptors(fds[0], fds[1]);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds) == 0)
		descriptors(fds[1], fds[0]);
	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, fds) == 0)
		descriptors(fds[0], fds[1]);
	return 0;
}
