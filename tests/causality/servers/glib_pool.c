/* glib_pool - parsed requests go to a GThreadPool of GLib's
 * rig: needs=pkg:glib-2.0
 * rig: libs=$(pkg-config --cflags --libs glib-2.0)
 * rig: calls=3 */
#include "pool.h"

#include <glib.h>

static GThreadPool *pool;

static void put(struct task *task)
{
	g_thread_pool_push(pool, task, NULL);
}

/* Not used: GLib's threads come by themselves. */
static UNUSED struct task *get(void)
{
	return NULL;
}

static void run(gpointer data, gpointer unused)
{
	static __thread int kept = -1;
	(void)unused;
	pool_do(data, &kept);
}

int main(int argc, char **argv)
{
	pool = g_thread_pool_new(run, NULL, 64, TRUE, NULL);
	pool_run(argc, argv, 0);
}
