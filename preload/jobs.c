/* jobs.c - whose job a thread has that came from a wait, by exclusion. */
#include "preload/jobs.h"

#include <pthread.h>
#include <string.h>

#include "preload/activity.h"
#include "preload/counters.h"
#include "preload/log.h"
#include "preload/readable.h"
#include "preload/sys.h"

/* A condition, its index a bit of span->pushed. */
static struct queue {
	_Atomic uintptr_t condition; /* 0: free */
	_Atomic uintptr_t mutex;     /* what is held where it is waited for; 0: nobody has yet */
	_Atomic uint32_t place;      /* from where */
	_Atomic uint32_t proven;     /* up to JOB_PROVEN */
	_Atomic bool broken;
	_Atomic span_ref pushed; /* last */
} queues[JOB_QUEUES];

_Atomic uint64_t job_queues;
static _Atomic bool broken; /* a condition that was trusted did wrong */

/* The units that are left, whether they are of requests that were read beside each other, and how many times
 * the first one was read: one word, so that whoever takes the last one knows whose it was. */
static _Atomic uint64_t units;
#define COUNT(word) ((word)&0xffffff)
#define MIXED ((uint64_t)1 << 24)
#define TURN(word) ((word) >> 25)
#define NEXT_TURN ((uint64_t)1 << 25)

static void break_all(const char *why)
{
	if (atomic_load(&job_queues) == 0 || atomic_exchange(&broken, true))
		return;
	atomic_store(&job_queues, 0);
	count_one(jobs_doubtful);
	log_debug("jobs", "%s: whose job a thread takes under a mutex is not known any more", why);
}

static bool is_over(void)
{
	return atomic_load_explicit(&broken, memory_order_relaxed);
}

static bool trusted(const struct queue *queue)
{
	return atomic_load(&queue->proven) >= JOB_PROVEN && !atomic_load(&queue->broken) &&
	       !atomic_load(&broken);
}

static uint64_t bit_of(const struct queue *queue)
{
	return (uint64_t)1 << (uint32_t)(queue - queues) % JOB_QUEUES;
}

static void breaks(struct queue *queue, const char *why)
{
	bool was_trusted = trusted(queue);
	if (atomic_exchange(&queue->broken, true))
		return;
	if (was_trusted)
		break_all(why);
	else
		log_debug("jobs", "condition %p: %s", (void *)atomic_load(&queue->condition), why);
	atomic_fetch_and(&job_queues, ~bit_of(queue));
}

static void break_each(uint64_t pushed, const char *why)
{
	for (; pushed; pushed &= pushed - 1)
		breaks(&queues[__builtin_ctzll(pushed)], why);
}

/* --- units -------------------------------------------------------------------------------------------- */

void job_begun(struct span *span)
{
	if (is_over())
		return;
	uint64_t was = atomic_load(&units), now;
	do
		now = COUNT(was) ? (was + 1) | MIXED : ((was & ~MIXED) + NEXT_TURN) | 1;
	while (!atomic_compare_exchange_weak(&units, &was, now));
	span->turn = COUNT(was) ? 0 : TURN(now);
	atomic_store(&span->counted, true);
}

static void drop_unit(void)
{
	uint64_t was = atomic_load(&units);
	do {
		if (COUNT(was) == 0) {
			break_all("more threads have a job than there are requests");
			return;
		}
	} while (!atomic_compare_exchange_weak(&units, &was, was - 1));
}

static bool came_from(const struct span *span)
{
	return thread.post && atomic_load(&span->pushed) & (uint64_t)1 << (thread.post - 1);
}

static void done(void)
{
	thread.came = false;
	thread.job = JOB_NONE;
	thread.holds = SPAN_NOBODY;
}

/* It has the job of this request, which was read elsewhere: so it is said, or one of those not yet told. */
static void tell_habit(const struct span *span)
{
	if (!came_from(span)) {
		break_each(atomic_load(&span->pushed),
			   "a request is answered by a thread that did not wait for it");
		if (thread.came)
			breaks(&queues[thread.post - 1],
			       "who came from it answers a request that was not signalled");
		return;
	}
	struct queue *queue = &queues[thread.post - 1];
	if (thread.came && atomic_load(&queue->proven) < JOB_PROVEN)
		atomic_fetch_add(&queue->proven, 1);
}

void job_answering(struct span *span)
{
	if (is_over() || span_inherited(span) ||
	    atomic_load_explicit(&span->responding, memory_order_relaxed))
		return;
	bool left = atomic_exchange(&span->counted, false);
	bool held = thread.holds == span_reference(span);

	if (span->reader == &thread)
		break_each(atomic_load(&span->pushed), "a request is answered by who read it");
	else
		tell_habit(span);
	if (thread.job == JOB_COUNTED ? !held && (!left || thread.holds != SPAN_NOBODY) : !left)
		break_all("a request is answered by another thread than took it");
	if (thread.job != JOB_COUNTED && left)
		drop_unit();
	done();
}

void job_over(struct span *span)
{
	/* Without a reader nobody can have its job: it was read to be thrown away. */
	if (is_over() || !span->reader || span_inherited(span) ||
	    atomic_load_explicit(&span->responding, memory_order_relaxed))
		return;
	bool left = atomic_exchange(&span->counted, false);
	bool held = thread.holds == span_reference(span);
	bool own = span->reader == &thread && !thread.loop && !atomic_load(&span->pushed);

	if (!own && !(came_from(span) && (held || (left && thread.holds == SPAN_NOBODY))))
		break_all("a request ends unanswered, and its job may be somewhere");
	if (left && thread.job != JOB_COUNTED)
		drop_unit();
	if (!own)
		done();
}

void job_unseen(const char *what)
{
	if (is_over()) /* told at each such event: nothing is written then */
		return;
	break_all(what);
	atomic_store(&broken, true); /* also where nothing is followed yet */
}

void job_restart(void)
{
	memset((void *)queues, 0, sizeof(queues));
	atomic_store(&job_queues, 0);
	atomic_store(&broken, false);
	atomic_store(&units, 0);
	thread.tid = 0;
	thread.post = 0;
	done();
}

/* --- conditions --------------------------------------------------------------------------------------- */

static uint32_t first_of(uintptr_t condition)
{
	return (uint32_t)((condition * 0x9e3779b97f4a7c15ull) >> 40) % JOB_QUEUES;
}

#define PROBES 8

static struct queue *find(const void *condition)
{
	uint32_t first = first_of((uintptr_t)condition);
	for (uint32_t i = 0; i < PROBES; i++) {
		struct queue *queue = &queues[(first + i) % JOB_QUEUES];
		uintptr_t there = atomic_load_explicit(&queue->condition, memory_order_acquire);
		if (there == (uintptr_t)condition)
			return queue;
		if (there == 0)
			return NULL;
	}
	return NULL;
}

static struct queue *find_or_make(const void *condition)
{
	uint32_t first = first_of((uintptr_t)condition);
	for (uint32_t i = 0; i < PROBES; i++) {
		struct queue *queue = &queues[(first + i) % JOB_QUEUES];
		uintptr_t there = 0;
		if (atomic_compare_exchange_strong(&queue->condition, &there, (uintptr_t)condition)) {
			atomic_fetch_or(&job_queues, bit_of(queue));
			return queue;
		}
		if (there == (uintptr_t)condition)
			return queue;
	}
	count_one(jobs_unkept);
	return NULL;
}

/* Its memory is the host's, and as good as the condition's in the same page; elsewhere it is asked about. */
static bool holds_mutex(const struct queue *queue, const void *condition)
{
	uintptr_t mutex = atomic_load(&queue->mutex), page = (uintptr_t)condition / 4096;
	int owner;

	if (mutex == 0)
		return true;
	uintptr_t field = mutex + offsetof(pthread_mutex_t, __data.__owner);
	if (field / 4096 != page && !readable((const void *)field, sizeof(owner)))
		return false;
	if (thread.tid == 0)
		thread.tid = (uint32_t)sys_gettid();
	memcpy(&owner, (const void *)field, sizeof(owner));
	return (uint32_t)owner == thread.tid;
}

/* The request that this thread has read, and for which nobody else was seen to do anything yet. */
static struct span *own_request(void)
{
	struct span *span = thread.evidence == EVIDENCE_REQUEST ? span_of(thread.current) : NULL;
	bool own = span && span->kind == SPAN_SERVER && span->reader == &thread && !span_inherited(span) &&
		   atomic_load(&span->counted);
	return own ? span : NULL;
}

static void signalled(struct queue *queue, struct span *span, const void *condition)
{
	uint64_t bit = bit_of(queue);
	if (!span)
		breaks(queue, "a signal is for no request");
	else if (!holds_mutex(queue, condition))
		breaks(queue, "a signal comes without the mutex");
	else if (atomic_fetch_or(&span->pushed, bit) & bit)
		breaks(queue, "a second signal for one request");
	else
		atomic_store(&queue->pushed, span_reference(span));
}

bool job_signals(const void *condition)
{
	if (is_over())
		return false;
	struct queue *queue = find(condition);
	if (!queue)
		return own_request() != NULL;
	if (!atomic_load_explicit(&queue->broken, memory_order_relaxed))
		signalled(queue, own_request(), condition);
	return false;
}

void job_follows(const void *condition)
{
	struct queue *queue = find_or_make(condition);
	struct span *span = own_request();
	if (queue && span)
		signalled(queue, span, condition);
}

/* The same as before, or the first ever. */
static bool fits(_Atomic uintptr_t *was, uintptr_t now)
{
	uintptr_t none = 0;
	return atomic_load_explicit(was, memory_order_relaxed) == now ||
	       atomic_compare_exchange_strong(was, &none, now);
}

static bool fits_place(struct queue *queue, uint32_t place)
{
	uint32_t none = 0;
	return atomic_load_explicit(&queue->place, memory_order_relaxed) == place ||
	       atomic_compare_exchange_strong(&queue->place, &none, place);
}

uint32_t job_waits(const void *condition, const void *mutex, uint32_t place)
{
	struct queue *queue = find(condition);
	if (!queue)
		return 0;
	uint32_t post = (uint32_t)(queue - queues) + 1;
	if (thread.job != JOB_NONE)
		breaks(&queues[thread.post - 1], "who came from it makes calls and goes without an answer");
	if (thread.reads || thread.loop || span_alive(thread.current))
		breaks(queue, "a thread waits that reads requests, or in the midst of one");
	else if (!fits(&queue->mutex, (uintptr_t)mutex) || !fits_place(queue, place))
		breaks(queue, "it is waited for from several places");
	if (thread.came && thread.post != post)
		breaks(queue, "a thread waits in the midst of a job");
	/* Of readers the habits of worker.h tell. */
	thread.post = thread.reads ? 0 : (uint8_t)post;
	done();
	return post;
}

void job_came(uint32_t waited)
{
	thread.came = thread.post != 0 && thread.post == waited;
}

void job_read(void)
{
	if (thread.post)
		breaks(&queues[thread.post - 1], "who came from it reads requests");
	thread.post = 0;
	done();
}

/* --- the first call ----------------------------------------------------------------------------------- */

/* Takes a unit for this thread, whoever's it is. Returns what was left before. */
static uint64_t take_unit(void)
{
	uint64_t was = atomic_load(&units);
	while (COUNT(was) && !atomic_compare_exchange_weak(&units, &was, was - 1))
		;
	return was;
}

static bool was_last(uint64_t left, span_ref activity)
{
	struct span *span = span_of(activity);
	return span && COUNT(left) == 1 && !(left & MIXED) && span->turn == TURN(left) &&
	       atomic_exchange(&span->counted, false) && span_alive(activity);
}

span_ref job_taken(bool *doubt)
{
	struct queue *queue = &queues[thread.post - 1];

	*doubt = thread.job != JOB_NONE || COUNT(atomic_load(&units)) != 0;
	if (!thread.came || thread.job != JOB_NONE)
		return SPAN_NOBODY;
	thread.job = JOB_CALLED;
	if (!trusted(queue))
		return SPAN_NOBODY;
	span_ref activity = atomic_load(&queue->pushed);
	uint64_t left = take_unit();
	if (COUNT(left) == 0) {
		breaks(queue, "who came from it has a job of no request");
		return SPAN_NOBODY;
	}
	thread.job = JOB_COUNTED;
	if (!was_last(left, activity))
		return SPAN_NOBODY;
	thread.holds = activity;
	return activity;
}

bool job_is_exact(void)
{
	return thread.post && trusted(&queues[thread.post - 1]) && thread.holds == thread.current &&
	       COUNT(atomic_load(&units)) == 0;
}
