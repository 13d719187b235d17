/* What GLib's pools and queues promise, bare and traced: prints what happened. */
#include <glib.h>
#include <stdio.h>

static int ran, wrong;
static GMutex mutex;

static void count(gpointer data, gpointer user_data, int number)
{
	g_mutex_lock(&mutex);
	ran++;
	if (GPOINTER_TO_INT(data) != 1000 + number || user_data != (gpointer)&mutex)
		wrong++;
	g_mutex_unlock(&mutex);
}

/* More functions than anybody stands in for. */
#define FUNCTIONS(ROW) ROW(0) ROW(1) ROW(2) ROW(3) ROW(4) ROW(5) ROW(6) ROW(7) ROW(8) ROW(9) ROW(10) ROW(11) ROW(12) ROW(13) \
	ROW(14) ROW(15) ROW(16) ROW(17) ROW(18) ROW(19) ROW(20)
#define FUNCTION(number) static void item_##number(gpointer data, gpointer user_data) { count(data, user_data, number); }
FUNCTIONS(FUNCTION)
#define NAME(number) item_##number,
static const GFunc functions[] = {FUNCTIONS(NAME)};

static gint order(gconstpointer a, gconstpointer b, gpointer unused)
{
	(void)unused;
	return GPOINTER_TO_INT(a) - GPOINTER_TO_INT(b);
}

int main(void)
{
	GThreadPool *pools[G_N_ELEMENTS(functions)];
	for (int i = 0; i < (int)G_N_ELEMENTS(functions); i++)
		pools[i] = g_thread_pool_new(functions[i], &mutex, 2, i % 2, NULL);
	for (int i = 0; i < (int)G_N_ELEMENTS(functions); i++)
		for (int k = 0; k < 100; k++)
			if (!g_thread_pool_push(pools[i], GINT_TO_POINTER(1000 + i), NULL))
				puts("not pushed");
	for (int i = 0; i < (int)G_N_ELEMENTS(functions); i++)
		g_thread_pool_free(pools[i], FALSE, TRUE);
	printf("ran %d, wrong %d\n", ran, wrong);

	GAsyncQueue *queue = g_async_queue_new();
	printf("empty %p %p\n", g_async_queue_try_pop(queue), g_async_queue_timeout_pop(queue, 1000));
	g_async_queue_push(queue, GINT_TO_POINTER(2));
	g_async_queue_push(queue, GINT_TO_POINTER(3));
	g_async_queue_push_front(queue, GINT_TO_POINTER(1));
	g_async_queue_lock(queue);
	g_async_queue_push_unlocked(queue, GINT_TO_POINTER(4));
	g_async_queue_push_front_unlocked(queue, GINT_TO_POINTER(0x10));
	printf("%p", g_async_queue_pop_unlocked(queue));
	printf(" %p", g_async_queue_try_pop_unlocked(queue));
	printf(" %p", g_async_queue_timeout_pop_unlocked(queue, 1000000));
	g_async_queue_unlock(queue);
	g_async_queue_sort(queue, order, NULL);
	printf(" %p", g_async_queue_pop(queue));
	printf(" %p", g_async_queue_timeout_pop(queue, 1000000));
	printf(" %p\n", g_async_queue_try_pop(queue));
	g_async_queue_unref(queue);
	return 0;
}
