/* glib.h - which GLib a call is for, and its functions.
 *
 * No header of GLib's is needed: the few prototypes stand here, and tests/lint/vendor.sh compares them with
 * the vendor's where that is installed. */
#ifndef TAGALONG_HOOKS_GLIB_H
#define TAGALONG_HOOKS_GLIB_H

#include "hooks/copies.h"

#ifndef __G_LIB_H__ /* the vendor's: the lint includes that first */
typedef struct _GError GError;
typedef struct _GAsyncQueue GAsyncQueue;
typedef struct _GTimeVal GTimeVal;
typedef void (*GFunc)(void *data, void *user_data);
typedef void (*GDestroyNotify)(void *data);
typedef struct _GThreadPool { /* as it has been since 2.0 */
	GFunc func;
	void *user_data;
	int exclusive;
} GThreadPool;
#endif

GThreadPool *g_thread_pool_new(GFunc func, void *user_data, int max_threads, int exclusive, GError **error);
int g_thread_pool_push(GThreadPool *pool, void *data, GError **error);
void g_async_queue_push(GAsyncQueue *queue, void *data);
void g_async_queue_push_unlocked(GAsyncQueue *queue, void *data);
void g_async_queue_push_front(GAsyncQueue *queue, void *data);
void g_async_queue_push_front_unlocked(GAsyncQueue *queue, void *data);
void *g_async_queue_pop(GAsyncQueue *queue);
void *g_async_queue_pop_unlocked(GAsyncQueue *queue);
void *g_async_queue_try_pop(GAsyncQueue *queue);
void *g_async_queue_try_pop_unlocked(GAsyncQueue *queue);
void *g_async_queue_timeout_pop(GAsyncQueue *queue, uint64_t timeout);
void *g_async_queue_timeout_pop_unlocked(GAsyncQueue *queue, uint64_t timeout);
void *g_async_queue_timed_pop(GAsyncQueue *queue, GTimeVal *until);
void *g_async_queue_timed_pop_unlocked(GAsyncQueue *queue, GTimeVal *until);

/* clang-format off */
#define GLIB_FUNCTIONS(NAME) \
	NAME(g_thread_pool_new) NAME(g_thread_pool_push) \
	NAME(g_async_queue_push) NAME(g_async_queue_push_unlocked) \
	NAME(g_async_queue_push_front) NAME(g_async_queue_push_front_unlocked) \
	NAME(g_async_queue_pop) NAME(g_async_queue_pop_unlocked) \
	NAME(g_async_queue_try_pop) NAME(g_async_queue_try_pop_unlocked) \
	NAME(g_async_queue_timeout_pop) NAME(g_async_queue_timeout_pop_unlocked) \
	NAME(g_async_queue_timed_pop) NAME(g_async_queue_timed_pop_unlocked)
/* clang-format on */

struct glib {
	struct copy copy;
#define GLIB_POINTER(name) __typeof__(&name) name;
	GLIB_FUNCTIONS(GLIB_POINTER)
#undef GLIB_POINTER
};

#endif
