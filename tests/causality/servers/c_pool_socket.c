/* c_pool_socket - workers take the accepted socket from a queue, and keep a connection downstream each.
 * rig: calls=3 */
#include "rig.h"

#define QUEUE 4096
static int queue[QUEUE];
static unsigned head, tail;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t filled = PTHREAD_COND_INITIALIZER;

static void *work(void *unused)
{
	int kept = -1;
	(void)unused;
	for (;;) {
		pthread_mutex_lock(&mutex);
		while (head == tail)
			pthread_cond_wait(&filled, &mutex);
		int fd = queue[head++ % QUEUE];
		pthread_mutex_unlock(&mutex);
		rig_serve(fd, &kept);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	int listener = rig_listen(argc, argv, 0);
	for (int i = 0; i < 1100; i++)
		rig_thread(work, NULL);
	for (;;) {
		int fd = accept(listener, NULL, NULL);
		pthread_mutex_lock(&mutex);
		queue[tail++ % QUEUE] = fd;
		pthread_cond_signal(&filled);
		pthread_mutex_unlock(&mutex);
	}
}
