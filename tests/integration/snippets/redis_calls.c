/* redis_calls.c HOST PORT [PATH]: hiredis, answered at once, in a pipeline, and in an event loop (poll). Prints what it got. */
#include <hiredis/async.h>
#include <hiredis/hiredis.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void show(redisReply *reply)
{
	if (!reply)
		puts("(none)");
	else if (reply->type == REDIS_REPLY_INTEGER)
		printf("%lld\n", reply->integer);
	else
		printf("%.*s (%zu)\n", (int)reply->len, reply->str ? reply->str : "", reply->elements);
	if (reply)
		freeReplyObject(reply);
}

static void pipelined(redisContext *context)
{
	redisReply *reply;

	for (int i = 0; i < 8; i++)
		redisAppendCommand(context, "INCRBY counter %d", i);
	for (int i = 0; i < 8; i++)
		if (redisGetReply(context, (void **)&reply) == REDIS_OK)
			show(reply);
	/* A pipeline that no socket takes in one write. */
	char *big = malloc(300000);
	memset(big, 'x', 300000);
	for (int i = 0; i < 40; i++)
		redisAppendCommand(context, "SET big:%d %b", i, big, (size_t)300000);
	for (int i = 0; i < 40; i++)
		if (redisGetReply(context, (void **)&reply) == REDIS_OK && i == 39)
			show(reply);
		else
			freeReplyObject(reply);
	free(big);
}

static struct pollfd wanted;
static int waiting;

static void add_read(void *data) { (void)data; wanted.events |= POLLIN; }
static void del_read(void *data) { (void)data; wanted.events &= ~POLLIN; }
static void add_write(void *data) { (void)data; wanted.events |= POLLOUT; }
static void del_write(void *data) { (void)data; wanted.events &= ~POLLOUT; }

static void answered(redisAsyncContext *context, void *reply, void *data)
{
	(void)context;
	redisReply *one = reply;
	printf("async %s: %s\n", (char *)data, one && one->str ? one->str : "-");
	waiting--;
}

static void loop(const char *host, int port, const char *path)
{
	redisAsyncContext *context = path ? redisAsyncConnectUnix(path) : redisAsyncConnect(host, port);

	if (context->err)
		exit(3);
	wanted.fd = context->c.fd;
	context->ev.addRead = add_read;
	context->ev.delRead = del_read;
	context->ev.addWrite = add_write;
	context->ev.delWrite = del_write;
	wanted.events = POLLIN | POLLOUT;
	redisAsyncCommand(context, answered, "set", "SET async %s", "secret");
	redisAsyncCommand(context, answered, "get", "GET async");
	redisAsyncCommand(context, answered, "bad", "INCR async");
	waiting = 3;
	while (waiting > 0 && poll(&wanted, 1, 5000) > 0) {
		if (wanted.revents & POLLIN)
			redisAsyncHandleRead(context);
		else if (wanted.revents & POLLOUT)
			redisAsyncHandleWrite(context);
	}
	redisAsyncFree(context);
}

int main(int argc, char **argv)
{
	const char *path = argc > 3 ? argv[3] : NULL;
	redisContext *context = path ? redisConnectUnix(path) : redisConnect(argv[1], atoi(argv[2]));

	if (!context || context->err)
		return 2;
	show(redisCommand(context, "DEL counter list h"));
	show(redisCommand(context, "SET text %s", "secret"));
	show(redisCommand(context, "GET text"));
	show(redisCommand(context, "LPUSH text secret"));
	show(redisCommand(context, "SELECT 1"));
	show(redisCommand(context, "GET text"));
	show(redisCommand(context, "SELECT 0"));
	show(redisCommand(context, "HMSET h f1 secret f2 secret"));
	show(redisCommand(context, "EVAL %s 1 k", "return redis.error_reply('MYERR secret')"));
	show(redisCommand(context, "HGETALL h"));
	pipelined(context);
	redisFree(context);
	loop(argv[1], atoi(argv[2]), path);
	return 0;
}
