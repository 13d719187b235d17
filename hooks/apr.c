/* apr.c - APR's thread pools: the address of a task's parameter is its name, as in glib.c.
 *
 * A function of ours stands in the place of the host's and calls it with the same two arguments; there is one
 * of ours for each of the host's, up to a number, and tasks of more different functions than that are left
 * alone. */
#include "hooks/apr.h"

#include "hooks/message.h"

#define SYMBOLS(WRAP, CALL)        \
	WRAP(apr_thread_pool_push) \
	WRAP(apr_thread_pool_top)

HOOK_LATE_LIBRARY(apr, SYMBOLS);

#define NAME_ROW(name) #name,
static const char *const names[] = {APR_FUNCTIONS(NAME_ROW)};
static struct apr room[COPIES_MOST];
static struct copies libraries = {
	.names = names,
	.count = sizeof(names) / sizeof(names[0]),
	.room = room,
	.size = sizeof(room[0]),
};
_Static_assert(sizeof(struct apr) == sizeof(struct copy) + sizeof(names), "in the order of the names");

/* With a pool that is not known the library may be new as well. */
static const struct apr *apr_of(const void *caller, const apr_thread_pool_t *pool)
{
	static _Atomic uintptr_t pools[8];
	_Atomic uintptr_t *seen = &pools[((uintptr_t)pool >> 6) % 8];
	bool known = atomic_load_explicit(seen, memory_order_relaxed) == (uintptr_t)pool;
	const struct copy *copy = copies_of(&libraries, caller, !known);
	atomic_store_explicit(seen, (uintptr_t)pool, memory_order_relaxed);
	return (const struct apr *)(const void *)copy;
}

#define FUNCTIONS 16

static _Atomic(apr_thread_start_t) functions[FUNCTIONS];

static void *run(unsigned number, apr_thread_t *thread_of_pool, void *param)
{
	apr_thread_start_t function = atomic_load_explicit(&functions[number], memory_order_relaxed);
	message_leave();
	message_pop((uintptr_t)function, param);
	void *result = function(thread_of_pool, param);
	message_leave();
	return result;
}

#define STAND_INS(ROW) \
	ROW(0)         \
	ROW(1)         \
	ROW(2)         \
	ROW(3) ROW(4) ROW(5) ROW(6) ROW(7) ROW(8) ROW(9) ROW(10) ROW(11) ROW(12) ROW(13) ROW(14) ROW(15)
#define STAND_IN(number)                                                   \
	static void *stand_in_##number(apr_thread_t *of_pool, void *param) \
	{                                                                  \
		return run(number, of_pool, param);                        \
	}
STAND_INS(STAND_IN)
#define STAND_IN_NAME(number) stand_in_##number,
static const apr_thread_start_t stand_ins[FUNCTIONS] = {STAND_INS(STAND_IN_NAME)};

static apr_thread_start_t stand_in_for(apr_thread_start_t function)
{
	for (unsigned i = 0; i < FUNCTIONS; i++) {
		apr_thread_start_t was = NULL;
		if (atomic_compare_exchange_strong(&functions[i], &was, function) || was == function)
			return stand_ins[i];
	}
	return NULL;
}

/* Every task, also nobody's: what ran before it on its thread must not be taken for it. */
#define PUSH(name)                                                                                    \
	int name(apr_thread_pool_t *me, apr_thread_start_t func, void *param, unsigned char priority, \
		 void *owner)                                                                         \
	{                                                                                             \
		const struct apr *lib = apr_of(__builtin_return_address(0), me);                      \
		__typeof__(&name) push = lib && lib->name ? lib->name : REAL(name);                   \
		apr_thread_start_t stand_in = func && hook_live() ? stand_in_for(func) : NULL;        \
		if (!stand_in)                                                                        \
			return push(me, func, param, priority, owner);                                \
		bool known = message_push((uintptr_t)func, param);                                    \
		int result = push(me, stand_in, param, priority, owner);                              \
		if (known && result != 0)                                                             \
			message_refused();                                                            \
		return result;                                                                        \
	}
PUSH(apr_thread_pool_push)
PUSH(apr_thread_pool_top)
