/* glib_timer - GLib's main loop, each request makes a timeout that makes its call on its own connection
 * rig: needs=pkg:glib-2.0
 * rig: libs=$(pkg-config --cflags --libs glib-2.0)
 * rig: warm=200
 * rig: calls=1 */
struct client;
static void wait_first(struct client *c);

#define WHEN_READ wait_first
#include "glib.c"

static gboolean fired(gpointer data)
{
	struct client *c = data;
	c->timeout = 0;
	if (c->gone)
		free(c);
	else
		make_call(c);
	return G_SOURCE_REMOVE;
}

static void wait_first(struct client *c)
{
	static unsigned turns;
	if (turns++ % 2) {
		c->timeout = g_timeout_add(1 + turns % 10, fired, c);
		return;
	}
	GSource *source = g_timeout_source_new(1 + turns % 10);
	g_source_set_callback(source, fired, c, NULL);
	c->timeout = g_source_attach(source, NULL);
	g_source_unref(source);
}
