/* glib_queue - parsed requests go to a pool's workers through a GAsyncQueue of GLib's
 * rig: needs=pkg:glib-2.0
 * rig: libs=$(pkg-config --cflags --libs glib-2.0)
 * rig: calls=3 */
#include "pool.h"

#include <glib.h>

static GAsyncQueue *queue;

static void put(struct task *task)
{
	g_async_queue_push(queue, task);
}

static struct task *get(void)
{
	return g_async_queue_pop(queue);
}

int main(int argc, char **argv)
{
	queue = g_async_queue_new();
	pool_run(argc, argv, 64);
}
