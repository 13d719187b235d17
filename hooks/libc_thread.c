/* libc_thread.c - threads and contexts: an activity goes along with what it starts. */
#include <pthread.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <time.h>
#include <ucontext.h>

#include "hooks/interpreters.h"
#include "hooks/nested.h"
#include "preload/activity.h"
#include "preload/contexts.h"
#include "preload/jobs.h"
#include "preload/pool.h"
#include "preload/stack.h"
#include "preload/worker.h"

#define SYMBOLS(WRAP, CALL)          \
	WRAP(pthread_create)         \
	WRAP(pthread_cond_wait)      \
	WRAP(pthread_cond_timedwait) \
	WRAP(pthread_cond_clockwait) \
	WRAP(pthread_cond_signal)    \
	WRAP(pthread_cond_broadcast) \
	WRAP(sem_wait)               \
	WRAP(sem_timedwait)          \
	WRAP(sem_clockwait)          \
	WRAP(makecontext)            \
	WRAP(swapcontext)            \
	WRAP(setcontext)

HOOK_LIBRARY(libc_thread, SYMBOLS);

/* --- threads ----------------------------------------------------------------------------------------- */

/* What a new thread finds before its own start routine. A place is taken between pthread_create and the
 * thread's first instruction only, so a few hundred serve any program; without one nothing is carried. */
struct handoff {
	void *(*start)(void *);
	void *argument;
	span_ref activity;
};

#define HANDOFFS 512

static struct pool handoffs;
static _Atomic int handoffs_state; /* 0: not mapped, 1: being mapped, 2: ready, 3: no memory */

static struct handoff *take_handoff(void)
{
	int state = atomic_load_explicit(&handoffs_state, memory_order_acquire);
	if (state == 0 && atomic_compare_exchange_strong(&handoffs_state, &state, 1)) {
		state = pool_init(&handoffs, 64, HANDOFFS) ? 2 : 3;
		atomic_store_explicit(&handoffs_state, state, memory_order_release);
	}
	return state == 2 ? pool_take(&handoffs) : NULL;
}

static __attribute__((noinline)) void receive(struct handoff *handoff, struct handoff *out)
{
	*out = *handoff;
	pool_give(&handoffs, handoff);
	int saved = hook_enter();
	activity_carried(out->activity, EVIDENCE_INHERITED);
	hook_leave(saved);
}

static void *carried_start(void *argument)
{
	struct handoff handoff;
	receive(argument, &handoff);
	return handoff.start(handoff.argument);
}

static __attribute__((noinline)) struct handoff *prepare(void *(*start)(void *), void *argument)
{
	struct nested nested = nested_enter();
	struct handoff *handoff = NULL;
	span_ref activity = activity_to_carry();
	if (activity != SPAN_NOBODY && (handoff = take_handoff()))
		*handoff = (struct handoff){start, argument, activity};
	nested_leave(nested);
	return handoff;
}

int pthread_create(pthread_t *made, const pthread_attr_t *attributes, void *(*start)(void *), void *argument)
{
	struct handoff *handoff = NULL;
	if (thread.current != SPAN_NOBODY && hook_live_nested())
		handoff = prepare(start, argument);
	if (hooks_live)
		stack_thread_made(attributes);
	if (thread.evidence == EVIDENCE_FORKED)
		thread.evidence = EVIDENCE_INHERITED;
	if (!handoff)
		return REAL(pthread_create)(made, attributes, start, argument);

	int result = REAL(pthread_create)(made, attributes, carried_start, handoff);
	if (result != 0)
		pool_give(&handoffs, handoff);
	return result;
}

/* --- waiting for another thread: what came with the thread's birth is spent ---------------------------- */

static __attribute__((noinline)) void blocked_slow(uint32_t place, const void *condition)
{
	if (!hook_live_nested())
		return;
	struct nested nested = nested_enter();
	activity_blocked(place);
	if (condition)
		worker_waits(condition, place);
	nested_leave(nested);
}

/* Does a wait of this thread say anything? */
static inline __attribute__((always_inline)) bool tells(void)
{
	return __builtin_expect(thread.current != SPAN_NOBODY || thread.reads, 0);
}
/* In a wrapper. */
#define blocked(condition) \
	blocked_slow(worker_place(__builtin_frame_address(0), __builtin_return_address(0)), condition)

/* CPython waits for its global lock in such steps, in the midst of a request; a worker's wait for a job is
 * longer. */
#define LOCK_STEP_NS 20000000

static bool ends_soon(clockid_t clock, const struct timespec *until)
{
	/* The coarse clocks are a tick late: a step looks longer by it, which there is room for. */
	clockid_t coarse = clock == CLOCK_REALTIME ? CLOCK_REALTIME_COARSE : CLOCK_MONOTONIC_COARSE;
	struct timespec now;
	if (clock_gettime(coarse, &now) != 0 || until->tv_sec > now.tv_sec + 1 ||
	    until->tv_sec < now.tv_sec - 1)
		return false;
	return (until->tv_sec - now.tv_sec) * 1000000000 + (until->tv_nsec - now.tv_nsec) <= LOCK_STEP_NS;
}

/* Which clock the condition goes by is its own secret; the two are years apart, so one of them must fit, and
 * no machine is up for as long as it is since 1970. */
#define NEVER_UP 500000000

static bool ends_soon_by_any(const struct timespec *until)
{
	return (until->tv_sec < NEVER_UP && ends_soon(CLOCK_MONOTONIC, until)) ||
	       ends_soon(CLOCK_REALTIME, until);
}

/* --- a condition that requests may be handed over by: jobs.h -------------------------------------------- */

static inline __attribute__((always_inline)) bool jobs_are_waited_for(void)
{
	return __builtin_expect(atomic_load_explicit(&job_queues, memory_order_relaxed) != 0, 0);
}

static __attribute__((noinline)) uint32_t waits_slow(const void *condition, const void *mutex, uint32_t place)
{
	if (!hook_live_nested())
		return 0;
	struct nested nested = nested_enter();
	uint32_t waited = job_waits(condition, mutex, place);
	nested_leave(nested);
	return waited;
}

/* The condition may be followed since the wait began only. */
static __attribute__((noinline)) void woken_slow(uint32_t waited, const void *condition, const void *mutex,
						 uint32_t place)
{
	if (waited == 0)
		waited = waits_slow(condition, mutex, place);
	if (waited)
		job_came(waited);
}
/* In a wrapper, around the real call. */
#define PLACE worker_place(__builtin_frame_address(0), __builtin_return_address(0))
/* Who waits for the first time has nothing to tell before. */
#define WAITS() ((tells() || thread.post) && jobs_are_waited_for() ? waits_slow(condition, mutex, PLACE) : 0)
#define WOKEN(waited, result)                       \
	if ((result) == 0 && jobs_are_waited_for()) \
	woken_slow(waited, condition, mutex, PLACE)

static __attribute__((noinline)) void signals_slow(const void *condition, const void *caller)
{
	if (!hook_live_nested())
		return;
	struct nested nested = nested_enter();
	enum worker_signal says = activity_can_give() ? worker_signals(condition) : SIGNAL_IS_NONE;
	if (says == SIGNAL_GIVES)
		activity_gives(true);
	else if (says == SIGNAL_MAY_GIVE && !thread.gave && !interpreter_lock(condition, NULL, caller) &&
		 !interpreter_signals(caller))
		activity_gives(false);
	if (job_signals(condition) && !interpreter_lock(condition, NULL, caller))
		job_follows(condition);
	nested_leave(nested);
}

/* In a wrapper. Who works for nobody has something to tell only where a condition is followed. */
static inline __attribute__((always_inline)) void signals(const void *condition, const void *caller)
{
	if (__builtin_expect(thread.current != SPAN_NOBODY, 0) || jobs_are_waited_for())
		signals_slow(condition, caller);
}

int pthread_cond_signal(pthread_cond_t *condition)
{
	signals(condition, __builtin_return_address(0));
	return REAL(pthread_cond_signal)(condition);
}

int pthread_cond_broadcast(pthread_cond_t *condition)
{
	signals(condition, __builtin_return_address(0));
	return REAL(pthread_cond_broadcast)(condition);
}

int pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex)
{
	if (tells() && !interpreter_lock(condition, mutex, __builtin_return_address(0)))
		blocked(condition);
	uint32_t waited = WAITS();
	int result = REAL(pthread_cond_wait)(condition, mutex);
	WOKEN(waited, result);
	return result;
}

int pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex, const struct timespec *until)
{
	if (tells() && !ends_soon_by_any(until) &&
	    !interpreter_lock(condition, mutex, __builtin_return_address(0)))
		blocked(condition);
	uint32_t waited = WAITS();
	int result = REAL(pthread_cond_timedwait)(condition, mutex, until);
	WOKEN(waited, result);
	return result;
}

int pthread_cond_clockwait(pthread_cond_t *condition, pthread_mutex_t *mutex, clockid_t clock,
			   const struct timespec *until)
{
	if (tells() && !ends_soon(clock, until) &&
	    !interpreter_lock(condition, mutex, __builtin_return_address(0)))
		blocked(condition);
	uint32_t waited = WAITS();
	int result = REAL(pthread_cond_clockwait)(condition, mutex, clock, until);
	WOKEN(waited, result);
	return result;
}

/* Alone in a new child nobody hands a job over: a semaphore that is free is somebody's lock. */
static bool is_lock(sem_t *semaphore)
{
	int value;
	return thread.evidence == EVIDENCE_FORKED && sem_getvalue(semaphore, &value) == 0 && value > 0;
}

int sem_wait(sem_t *semaphore)
{
	if (tells() && !is_lock(semaphore))
		blocked(NULL);
	return REAL(sem_wait)(semaphore);
}

int sem_timedwait(sem_t *semaphore, const struct timespec *until)
{
	if (tells() && !is_lock(semaphore))
		blocked(NULL);
	return REAL(sem_timedwait)(semaphore, until);
}

int sem_clockwait(sem_t *semaphore, clockid_t clock, const struct timespec *until)
{
	if (tells() && !is_lock(semaphore))
		blocked(NULL);
	return REAL(sem_clockwait)(semaphore, clock, until);
}

/* --- contexts ------------------------------------------------------------------------------------------
 *
 * All is done before the switch, by the thread that switches: the target finds its activity in the thread
 * struct of whatever thread it goes on on, and nothing of ours runs after a switch with an address of the old
 * thread's. */

static void resume(const void *context)
{
	struct carried carried = contexts_take(context);
	activity_carried(carried.activity, EVIDENCE_STACK);
	thread.layer = carried.layer;
	/* The outer hook's frame is on a stack that we know nothing of: no healing until it is left. */
	thread.frame = carried.layer ? UINTPTR_MAX : 0;
}

/* Not always_inline, and called behind a switch: the thread struct's address is found anew. */
static __attribute__((noinline)) void leave_for(const void *context)
{
	if (!hook_live_nested())
		return;
	int saved = hook_enter();
	resume(context);
	int frame_free = thread.layer == LAYER_NONE;
	hook_leave(saved);
	thread.frame = frame_free ? 0 : UINTPTR_MAX;
}

static __attribute__((noinline)) void switch_from(const void *left, const void *entered)
{
	if (!hook_live_nested())
		return;
	int saved = hook_enter();
	contexts_store(left, (struct carried){activity_current(), thread.layer});
	resume(entered);
	int frame_free = thread.layer == LAYER_NONE;
	hook_leave(saved);
	thread.frame = frame_free ? 0 : UINTPTR_MAX;
}

int swapcontext(ucontext_t *left, const ucontext_t *entered)
{
	if (hooks_live)
		switch_from(left, entered);
	return REAL(swapcontext)(left, entered);
}

int setcontext(const ucontext_t *entered)
{
	if (hooks_live)
		leave_for(entered);
	return REAL(setcontext)(entered);
}

#define REGISTER_ARGUMENTS 6

typedef void (*context_function)(long, long, long, long, long, long);

/* Stands in front of the host's function: when it returns, libc goes on to the linked context by a call of
 * its own that does not come past us. */
static void context_start(context_function function, void *link, long a, long b, long c, long d, long e,
			  long f)
{
	function(a, b, c, d, e, f);
	if (link && hooks_live)
		leave_for(link);
}

static __attribute__((noinline)) void born(const ucontext_t *context)
{
	struct nested nested = nested_enter();
	contexts_store(context, (struct carried){activity_to_carry(), 0});
	stack_context_made(context->uc_stack.ss_sp, context->uc_stack.ss_size);
	nested_leave(nested);
}

void makecontext(ucontext_t *context, void (*function)(void), int count, ...)
{
	long argument[16] = {0};
	va_list arguments;

	va_start(arguments, count);
	for (int i = 0; i < count && i < 16; i++)
		argument[i] = va_arg(arguments, long);
	va_end(arguments);
	if (hook_live_nested())
		born(context);
	if (hooks_live && count <= REGISTER_ARGUMENTS) {
		REAL(makecontext)
		(context, (void (*)(void))context_start, 8, function, context->uc_link, argument[0],
		 argument[1], argument[2], argument[3], argument[4], argument[5]);
		return;
	}
	/* More than the registers hold is rare enough to stay as it is; libc reads `count` of these. */
	REAL(makecontext)
	(context, function, count, argument[0], argument[1], argument[2], argument[3], argument[4],
	 argument[5], argument[6], argument[7], argument[8], argument[9], argument[10], argument[11],
	 argument[12], argument[13], argument[14], argument[15]);
}
