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
typedef struct _GMainContext GMainContext;
typedef struct _GSource GSource;
typedef struct _GSourceFuncs GSourceFuncs;
typedef int (*GSourceFunc)(void *data);
struct _GSourceFuncs { /* as they have been since 2.0 */
	int (*prepare)(GSource *source, int *timeout);
	int (*check)(GSource *source);
	int (*dispatch)(GSource *source, GSourceFunc callback, void *data);
	void (*finalize)(GSource *source);
};
struct _GSource {
	void *callback_data, *callback_funcs;
	GSourceFuncs *source_funcs;
};
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
unsigned g_timeout_add(unsigned interval, GSourceFunc function, void *data);
unsigned g_timeout_add_full(int priority, unsigned interval, GSourceFunc function, void *data,
			    GDestroyNotify notify);
unsigned g_timeout_add_seconds(unsigned interval, GSourceFunc function, void *data);
unsigned g_timeout_add_seconds_full(int priority, unsigned interval, GSourceFunc function, void *data,
				    GDestroyNotify notify);
unsigned g_idle_add(GSourceFunc function, void *data);
unsigned g_idle_add_full(int priority, GSourceFunc function, void *data, GDestroyNotify notify);
GSource *g_timeout_source_new(unsigned interval);
GSource *g_timeout_source_new_seconds(unsigned interval);
GSource *g_idle_source_new(void);
void g_source_set_callback(GSource *source, GSourceFunc function, void *data, GDestroyNotify notify);
void g_source_set_ready_time(GSource *source, int64_t ready_time);
unsigned g_source_attach(GSource *source, GMainContext *context);
GSource *g_main_context_find_source_by_id(GMainContext *context, unsigned id);
int g_main_context_is_owner(GMainContext *context);

/* clang-format off */
#define GLIB_FUNCTIONS(NAME) \
	NAME(g_thread_pool_new) NAME(g_thread_pool_push) \
	NAME(g_async_queue_push) NAME(g_async_queue_push_unlocked) \
	NAME(g_async_queue_push_front) NAME(g_async_queue_push_front_unlocked) \
	NAME(g_async_queue_pop) NAME(g_async_queue_pop_unlocked) \
	NAME(g_async_queue_try_pop) NAME(g_async_queue_try_pop_unlocked) \
	NAME(g_async_queue_timeout_pop) NAME(g_async_queue_timeout_pop_unlocked) \
	NAME(g_async_queue_timed_pop) NAME(g_async_queue_timed_pop_unlocked) \
	NAME(g_timeout_add) NAME(g_timeout_add_full) \
	NAME(g_timeout_add_seconds) NAME(g_timeout_add_seconds_full) \
	NAME(g_idle_add) NAME(g_idle_add_full) \
	NAME(g_timeout_source_new) NAME(g_timeout_source_new_seconds) NAME(g_idle_source_new) \
	NAME(g_source_set_callback) NAME(g_source_set_ready_time) NAME(g_source_attach) \
	NAME(g_main_context_find_source_by_id) NAME(g_main_context_is_owner)
/* clang-format on */

struct glib {
	struct copy copy;
#define GLIB_POINTER(name) __typeof__(&name) name;
	GLIB_FUNCTIONS(GLIB_POINTER)
#undef GLIB_POINTER
};

/* The caller's, where it can have none that is new; or NULL. */
const struct glib *glib_any(const void *caller);

#endif
