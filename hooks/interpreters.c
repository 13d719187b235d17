/* interpreters.c - which of a process's waits are for CPython's and Ruby's global locks. */
#include "hooks/interpreters.h"

#include <stdatomic.h>
#include <stdint.h>

#include "preload/object.h"

/* From, behind: an interpreter's memory or code. */
struct range {
	_Atomic uintptr_t from, to;
};

static bool within(const struct range *range, const void *at)
{
	return (uintptr_t)at >= atomic_load(&range->from) && (uintptr_t)at < atomic_load(&range->to);
}

static void set_range(struct range *range, uintptr_t from, size_t size)
{
	atomic_store(&range->to, 0);
	atomic_store(&range->from, from);
	atomic_store(&range->to, from + size);
}

/* CPython's lock is in the interpreter's own memory. */
static struct range python_runtime;
/* Ruby waits on conditions here, and this is all of its code. */
static struct range ruby_wait, ruby;
static _Atomic uint32_t asked;

#define RUBY_WAIT_SIZE 64 /* its wait is a call and a look at the result */

/* From 3.3 on a thread that sleeps waits with the global lock, too. */
static bool ruby_is_known(const int *version)
{
	return (version[0] == 2 && version[1] >= 6) || (version[0] == 3 && version[1] <= 2);
}

static int find_one(struct dl_phdr_info *info, size_t info_size, void *found)
{
	struct object object;
	size_t size = 0;
	(void)info_size;
	if (!object_read(&object, info))
		return 0;
	const void *runtime = object_variable(&object, "_PyRuntime", &size);
	if (runtime) {
		set_range(&python_runtime, (uintptr_t)runtime, size);
		((bool *)found)[0] = true;
	}
	const int *version = object_variable(&object, "ruby_api_version", &size);
	const void *wait = version ? object_function(&object, "rb_native_cond_wait") : NULL;
	if (wait && size >= 3 * sizeof(int) && ruby_is_known(version)) {
		set_range(&ruby_wait, (uintptr_t)wait, RUBY_WAIT_SIZE);
		set_range(&ruby, object.low, object.high - object.low);
		((bool *)found)[1] = true;
	}
	return 0;
}

/* The loader's lock is taken as seldom as can be: soon after the start, and then now and again, for what was
 * loaded since. A count that two threads take at once counts once: no locked instruction for each wait. */
#define AGAIN 4096

static void find_interpreters(void)
{
	bool found[2] = {false, false};
	uint32_t n = atomic_load_explicit(&asked, memory_order_relaxed);
	atomic_store_explicit(&asked, n + 1, memory_order_relaxed);
	if ((n & (n - 1)) != 0 && n % AGAIN != 0)
		return;
	dl_iterate_phdr(find_one, found);
	if (!found[0])
		atomic_store(&python_runtime.to, 0);
	if (!found[1]) {
		atomic_store(&ruby_wait.to, 0);
		atomic_store(&ruby.to, 0);
	}
}

/* --- Ruby ----------------------------------------------------------------------------------------------
 *
 * Its global lock has no name. A thread that sleeps, for a job or anything else, waits on its own condition
 * with its own mutex, a Ractor as well: one condition for one mutex. For the global lock each thread waits on
 * a condition of its own, but with one mutex: seen with so many conditions, it is that. */

#define MUTEXES 64
#define CONDITIONS 4

static struct {
	uintptr_t mutex, condition;
	int changes;
} waited[MUTEXES]; /* what Ruby waited with lately */
static _Atomic uintptr_t ruby_lock;
static atomic_flag learning = ATOMIC_FLAG_INIT;

static void learn(uintptr_t mutex, uintptr_t condition)
{
	uint32_t at = (uint32_t)((mutex * 0x9e3779b97f4a7c15ull) >> 40) % MUTEXES;
	if (waited[at].mutex != mutex) {
		waited[at].mutex = mutex;
		waited[at].condition = condition;
		waited[at].changes = 0;
	} else if (waited[at].condition != condition) {
		waited[at].condition = condition;
		if (++waited[at].changes + 1 >= CONDITIONS)
			atomic_store(&ruby_lock, mutex);
	}
}

static bool ruby_waits(const void *condition, const void *mutex, const void *caller)
{
	bool known = (uintptr_t)mutex == atomic_load(&ruby_lock);
	if (!known && within(&ruby_wait, caller) && !atomic_flag_test_and_set(&learning)) {
		learn((uintptr_t)mutex, (uintptr_t)condition);
		atomic_flag_clear(&learning);
	}
	return atomic_load(&ruby_wait.to) && (uintptr_t)mutex == atomic_load(&ruby_lock);
}

bool interpreter_lock(const void *condition, const void *mutex, const void *caller)
{
	find_interpreters();
	return within(&python_runtime, condition) || ruby_waits(condition, mutex, caller);
}

/* A thread of Ruby's that waits for one descriptor also looks after the pipe by which signals come. */
bool interpreter_signals(const void *caller)
{
	find_interpreters();
	return within(&ruby, caller);
}
