/* timers_glib PORT BACK: GLib. As timers_uv.c /alive/..., /ended/... and /batch/...; /once/...: as /alive, by
 * a source of its own, and by idle work behind that. /api: sources are found by what they were given, and
 * that is destroyed once. */
#include "timers_call.h"

#include <glib-unix.h>

struct wait {
	int fd, fired;
	char path[64];
};

static struct wait *batch[2];
static int batched, destroyed;

static void respond(int fd, int status)
{
	char text[64];
	int len = snprintf(text, sizeof(text), "HTTP/1.1 %d OK\r\nContent-Length: 0\r\n\r\n", status);
	if (write(fd, text, (size_t)len) != len)
		exit(4);
}

static gboolean late(gpointer data)
{
	struct wait *wait = data;
	call(wait->path);
	if (strncmp(wait->path, "/once/", 6) == 0 && wait->fired++ == 0) {
		g_idle_add(late, wait);
		return G_SOURCE_REMOVE;
	}
	if (wait->fd >= 0)
		respond(wait->fd, 200);
	free(wait);
	return G_SOURCE_REMOVE;
}

static gboolean batch_late(gpointer unused)
{
	(void)unused;
	if (batched < 2)
		return G_SOURCE_CONTINUE;
	while (batched > 0)
		late(batch[--batched]);
	return G_SOURCE_REMOVE;
}

static void destroy(gpointer data)
{
	destroyed += data == &destroyed;
}

static int api(void)
{
	guint id = g_timeout_add_full(G_PRIORITY_DEFAULT, 100000, late, &destroyed, destroy);
	GSource *source = g_main_context_find_source_by_user_data(NULL, &destroyed);
	if (!source || g_source_get_id(source) != id || g_main_context_find_source_by_id(NULL, id) != source)
		return 500;
	if (!g_source_remove_by_user_data(&destroyed) || destroyed != 1)
		return 501;
	id = g_idle_add_full(G_PRIORITY_LOW, late, &destroyed, destroy);
	if (!g_idle_remove_by_data(&destroyed) || destroyed != 2 ||
	    g_main_context_find_source_by_id(NULL, id))
		return 502;
	destroyed = 0;
	return 200;
}

static gboolean readable(gint fd, GIOCondition what, gpointer unused)
{
	struct wait *wait = calloc(1, sizeof(*wait));
	char buf[4096] = "";
	(void)what;
	(void)unused;
	if (read(fd, buf, sizeof(buf) - 1) <= 0 || sscanf(buf, "GET %63s", wait->path) != 1) {
		close(fd);
		free(wait);
		return G_SOURCE_REMOVE;
	}
	wait->fd = fd;
	if (strcmp(wait->path, "/api") == 0) {
		respond(fd, api());
		free(wait);
	} else if (strncmp(wait->path, "/batch/", 7) == 0) {
		batch[batched++] = wait;
		if (batched == 1)
			g_timeout_add(60, batch_late, NULL);
	} else if (strncmp(wait->path, "/once/", 6) == 0) {
		GSource *source = g_timeout_source_new(60);
		g_source_set_callback(source, late, wait, NULL);
		g_source_attach(source, NULL);
		g_source_unref(source);
	} else {
		g_timeout_add(60, late, wait);
		if (strncmp(wait->path, "/ended/", 7) == 0) {
			wait->fd = -1;
			respond(fd, 200);
		}
	}
	return G_SOURCE_CONTINUE;
}

static gboolean incoming(gint listener, GIOCondition what, gpointer unused)
{
	int fd = accept(listener, NULL, NULL);
	(void)what;
	(void)unused;
	if (fd >= 0)
		g_unix_fd_add(fd, G_IO_IN, readable, NULL);
	return G_SOURCE_CONTINUE;
}

int main(int argc, char **argv)
{
	struct sockaddr_in here = {.sin_family = AF_INET};
	int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
	if (argc < 3)
		return 1;
	back = atoi(argv[2]);
	here.sin_port = htons((unsigned short)atoi(argv[1]));
	here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&here, sizeof(here)) || listen(fd, 64))
		return 1;
	g_unix_fd_add(fd, G_IO_IN, incoming, NULL);
	g_main_loop_run(g_main_loop_new(NULL, FALSE));
	return 0;
}
