/* libc_queue.c - message queues of System V and POSIX, where they lead from one thread of a program to
 * another.
 *
 * A message is taken whole, whatever room there is for it. A POSIX queue has a descriptor for each time that
 * it was opened, so all of them are one channel to us. */
#include <mqueue.h>
#include <stdbool.h>
#include <sys/msg.h>

#include "hooks/message.h"
#include "preload/readable.h"

#define SYMBOLS(WRAP, CALL) \
	WRAP(msgsnd)        \
	WRAP(msgrcv)        \
	WRAP(mq_send)       \
	WRAP(mq_timedsend)  \
	WRAP(mq_receive)    \
	WRAP(mq_timedreceive)

HOOK_LIBRARY(libc_queue, SYMBOLS);

#define CHANNEL_SYSTEM_V ((uint64_t)1 << 62)
#define CHANNEL_POSIX ((uint64_t)1 << 61)

/* True: it is known whose it is. */
static bool sends(uint64_t channel, const void *bytes, size_t len)
{
	if (len > MESSAGE_MAX || !hook_live())
		return false;
	int saved = hook_enter();
	uint64_t key = readable(bytes, len) ? message_key(channel, bytes, len) : 0;
	bool known = key && handoff_sends(key);
	hook_leave(saved);
	return known;
}

static int sent(bool known, int result)
{
	if (known && result != 0)
		message_refused();
	return result;
}

static ssize_t took(uint64_t channel, const void *bytes, ssize_t got)
{
	if (got < 0 || !hook_live())
		return got;
	int saved = hook_enter();
	handoff_took(message_key(channel, bytes, (size_t)got));
	hook_leave(saved);
	return got;
}

static const void *text_of(const void *message)
{
	return (const char *)message + sizeof(long);
}

int msgsnd(int queue, const void *message, size_t len, int flags)
{
	bool known = sends(CHANNEL_SYSTEM_V + (unsigned)queue, text_of(message), len);
	return sent(known, REAL(msgsnd)(queue, message, len, flags));
}

ssize_t msgrcv(int queue, void *message, size_t len, long type, int flags)
{
#ifdef MSG_COPY
	if (flags & MSG_COPY) /* it stays there */
		return REAL(msgrcv)(queue, message, len, type, flags);
#endif
	message_leave();
	return took(CHANNEL_SYSTEM_V + (unsigned)queue, text_of(message),
		    REAL(msgrcv)(queue, message, len, type, flags));
}

int mq_send(mqd_t queue, const char *message, size_t len, unsigned priority)
{
	bool known = sends(CHANNEL_POSIX, message, len);
	return sent(known, REAL(mq_send)(queue, message, len, priority));
}

int mq_timedsend(mqd_t queue, const char *message, size_t len, unsigned priority,
		 const struct timespec *until)
{
	bool known = sends(CHANNEL_POSIX, message, len);
	return sent(known, REAL(mq_timedsend)(queue, message, len, priority, until));
}

ssize_t mq_receive(mqd_t queue, char *message, size_t len, unsigned *priority)
{
	message_leave();
	return took(CHANNEL_POSIX, message, REAL(mq_receive)(queue, message, len, priority));
}

ssize_t mq_timedreceive(mqd_t queue, char *message, size_t len, unsigned *priority,
			const struct timespec *until)
{
	message_leave();
	return took(CHANNEL_POSIX, message, REAL(mq_timedreceive)(queue, message, len, priority, until));
}
