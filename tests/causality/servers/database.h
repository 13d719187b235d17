/* database.h - a thread for each connection; its calls are statements on connections of a pool, for which
 * threads wait. */
#ifndef DATABASE_H
#define DATABASE_H

#include "rig.h"

static void *database_open(void);
static bool database_ask(void *connection, long id, int number);

#define POOL 8
static void *pool[POOL];
static int pooled;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t freed = PTHREAD_COND_INITIALIZER;

static bool ask(long id, int number)
{
	pthread_mutex_lock(&mutex);
	while (pooled == 0)
		pthread_cond_wait(&freed, &mutex);
	void *connection = pool[--pooled];
	pthread_mutex_unlock(&mutex);
	bool good = database_ask(connection, id, number);
	pthread_mutex_lock(&mutex);
	pool[pooled++] = connection;
	pthread_cond_signal(&freed);
	pthread_mutex_unlock(&mutex);
	return good;
}

static void *serve(void *argument)
{
	int fd = (int)(long)argument;
	struct request request;
	while (rig_read(fd, &request)) {
		for (int i = 1; i <= request.calls; i++)
			if (!ask(request.id, i))
				exit(1);
		if (!rig_respond(fd, &request))
			break;
	}
	close(fd);
	return NULL;
}

int main(int argc, char **argv)
{
	int listener = rig_listen(argc, argv, 0);
	for (; pooled < POOL; pooled++)
		if (!(pool[pooled] = database_open()))
			exit(1);
	for (;;) {
		long fd = accept(listener, NULL, NULL);
		if (fd >= 0)
			rig_thread(serve, (void *)fd);
	}
}

#endif
