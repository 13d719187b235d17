/* glib.c - GLib's queues between threads, and its thread pools: the address that is pushed is the item's
 * name.
 *
 * GLib's own calls of its queues are bound inside it, so a pool is followed by its function: one of ours
 * stands in its place and calls it with the same two arguments. Which function that is must be known without
 * any of them, so there is one of ours for each of the host's, up to a number; pools with more different
 * functions than that are left alone. */
#include "hooks/glib.h"

#include "hooks/message.h"

#define SYMBOLS(WRAP, CALL)                      \
	WRAP(g_thread_pool_new)                  \
	WRAP(g_thread_pool_push)                 \
	WRAP(g_async_queue_push)                 \
	WRAP(g_async_queue_push_unlocked)        \
	WRAP(g_async_queue_push_front)           \
	WRAP(g_async_queue_push_front_unlocked)  \
	WRAP(g_async_queue_pop)                  \
	WRAP(g_async_queue_pop_unlocked)         \
	WRAP(g_async_queue_try_pop)              \
	WRAP(g_async_queue_try_pop_unlocked)     \
	WRAP(g_async_queue_timeout_pop)          \
	WRAP(g_async_queue_timeout_pop_unlocked) \
	WRAP(g_async_queue_timed_pop)            \
	WRAP(g_async_queue_timed_pop_unlocked)

HOOK_LATE_LIBRARY(glib, SYMBOLS);

#define NAME_ROW(name) #name,
static const char *const names[] = {GLIB_FUNCTIONS(NAME_ROW)};
static struct glib room[COPIES_MOST];
static struct copies libraries = {
	.names = names,
	.count = sizeof(names) / sizeof(names[0]),
	.room = room,
	.size = sizeof(room[0]),
};
_Static_assert(sizeof(struct glib) == sizeof(struct copy) + sizeof(names), "in the order of the names");

#define CALLER __builtin_return_address(0)
#define LIB(name) (lib && lib->name ? lib->name : REAL(name))

/* With a queue or pool that is not known the library may be new as well. */
static const struct glib *glib_of(const void *caller, const void *handle)
{
	static _Atomic uintptr_t handles[64];
	_Atomic uintptr_t *seen = &handles[((uintptr_t)handle >> 4) % 64];
	bool known = handle && atomic_load_explicit(seen, memory_order_relaxed) == (uintptr_t)handle;
	const struct copy *copy = copies_of(&libraries, caller, !known);
	atomic_store_explicit(seen, (uintptr_t)handle, memory_order_relaxed);
	return (const struct glib *)(const void *)copy;
}

const struct glib *glib_any(const void *caller)
{
	return (const struct glib *)(const void *)copies_known(&libraries, caller);
}

/* --- what is pushed and popped ------------------------------------------------------------------------ */

static void *took(const GAsyncQueue *queue, void *data)
{
	message_pop((uintptr_t)queue, data);
	return data;
}

/* The variants with and without the queue's lock, which is the host's business. All ways to take something
 * out are here: what went by unseen would be taken for what was taken before. */
#define PUSH(name)                                               \
	void name(GAsyncQueue *queue, void *data)                \
	{                                                        \
		const struct glib *lib = glib_of(CALLER, queue); \
		(void)message_push((uintptr_t)queue, data);      \
		LIB(name)(queue, data);                          \
	}
PUSH(g_async_queue_push)
PUSH(g_async_queue_push_unlocked)
PUSH(g_async_queue_push_front)
PUSH(g_async_queue_push_front_unlocked)

#define POP(name)                                                \
	void *name(GAsyncQueue *queue)                           \
	{                                                        \
		const struct glib *lib = glib_of(CALLER, queue); \
		message_leave();                                 \
		return took(queue, LIB(name)(queue));            \
	}
POP(g_async_queue_pop)
POP(g_async_queue_pop_unlocked)

/* A queue that was empty was but looked at. */
#define TRY_POP(name)                                            \
	void *name(GAsyncQueue *queue)                           \
	{                                                        \
		const struct glib *lib = glib_of(CALLER, queue); \
		void *data = LIB(name)(queue);                   \
		if (!data)                                       \
			return data;                             \
		message_leave();                                 \
		return took(queue, data);                        \
	}
TRY_POP(g_async_queue_try_pop)
TRY_POP(g_async_queue_try_pop_unlocked)

#define TIMED_POP(name, type)                                    \
	void *name(GAsyncQueue *queue, type until)               \
	{                                                        \
		const struct glib *lib = glib_of(CALLER, queue); \
		message_leave();                                 \
		return took(queue, LIB(name)(queue, until));     \
	}
TIMED_POP(g_async_queue_timeout_pop, uint64_t)
TIMED_POP(g_async_queue_timeout_pop_unlocked, uint64_t)
TIMED_POP(g_async_queue_timed_pop, GTimeVal *)
TIMED_POP(g_async_queue_timed_pop_unlocked, GTimeVal *)

/* --- pools -------------------------------------------------------------------------------------------- */

#define FUNCTIONS 16

static _Atomic(GFunc) functions[FUNCTIONS];

/* The host's item, by the number of its pool's function. */
static void run(unsigned number, void *data, void *user_data)
{
	GFunc function = atomic_load_explicit(&functions[number], memory_order_relaxed);
	message_leave();
	message_pop((uintptr_t)function, data);
	function(data, user_data);
	message_leave();
}

#define STAND_INS(ROW) \
	ROW(0)         \
	ROW(1)         \
	ROW(2)         \
	ROW(3) ROW(4) ROW(5) ROW(6) ROW(7) ROW(8) ROW(9) ROW(10) ROW(11) ROW(12) ROW(13) ROW(14) ROW(15)
#define STAND_IN(number)                                           \
	static void stand_in_##number(void *data, void *user_data) \
	{                                                          \
		run(number, data, user_data);                      \
	}
STAND_INS(STAND_IN)
#define STAND_IN_NAME(number) stand_in_##number,
static const GFunc stand_ins[FUNCTIONS] = {STAND_INS(STAND_IN_NAME)};

static GFunc stand_in_for(GFunc function)
{
	for (unsigned i = 0; i < FUNCTIONS; i++) {
		GFunc was = NULL;
		if (atomic_compare_exchange_strong(&functions[i], &was, function) || was == function)
			return stand_ins[i];
	}
	return function;
}

static GFunc stands_for(GFunc stand_in)
{
	for (unsigned i = 0; i < FUNCTIONS; i++)
		if (stand_ins[i] == stand_in)
			return atomic_load_explicit(&functions[i], memory_order_relaxed);
	return NULL;
}

GThreadPool *g_thread_pool_new(GFunc func, void *user_data, int max_threads, int exclusive, GError **error)
{
	const struct glib *lib = glib_of(CALLER, NULL);
	GFunc stand_in = func && hook_live() ? stand_in_for(func) : func;
	return LIB(g_thread_pool_new)(stand_in, user_data, max_threads, exclusive, error);
}

int g_thread_pool_push(GThreadPool *pool, void *data, GError **error)
{
	const struct glib *lib = glib_of(CALLER, pool);
	GFunc function = pool ? stands_for(pool->func) : NULL;
	if (function)
		(void)message_push((uintptr_t)function, data);
	return LIB(g_thread_pool_push)(pool, data, error);
}
