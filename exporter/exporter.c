/* exporter.c - the thread: sleeps until there is work, takes batches out, hands them to the transports.
 *
 * `state` is the one word that writers look at and the thread sleeps on:
 *
 *	NONE     no thread: the first span starts it
 *	IDLE     nothing queued: sleeps without a time-out; a span makes it GATHER
 *	GATHER   something is queued: sleeps until the batch delay is over
 *	OPEN     the same, and long enough since the last export that a full batch may end the wait
 *	WORK     exporting
 *	HOLD     a destination is out of reach: sleeps until the next attempt, whatever is queued meanwhile
 *	STOPPED  shut down */
#include "exporter/exporter.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>

#include "exporter/callstack.h"
#include "exporter/forks.h"
#include "exporter/metrics.h"
#include "exporter/ownfds.h"
#include "exporter/stats.h"
#include "exporter/transport.h"
#include "preload/clock.h"
#include "preload/counters.h"
#include "preload/hook.h"
#include "preload/overdue.h"
#include "preload/stack.h"
#include "preload/sys.h"
#include "preload/thread.h"

enum { NONE, IDLE, GATHER, OPEN, WORK, HOLD, STOPPED };

#define STACK_SIZE ((size_t)256 << 10)
#define MOST_RECORDS 1024
#define MOST_BYTES ((size_t)4 << 20)
#define REST_NS 200000000u        /* between exports under load: a handful of wake-ups a second */
#define HOLD_FIRST_NS 1000000000u /* between attempts to reach a destination; doubles each time */
#define HOLD_MOST_NS 30000000000u

static _Atomic uint32_t state;
static _Atomic uint32_t flush_wanted, flush_done; /* tickets; futex words */
static _Atomic bool ending;
static _Atomic bool leaving; /* the thread is asked to end, and may be started again */
static _Atomic uint64_t end_deadline = UINT64_MAX;
static const struct transport *transports[5];
static size_t transport_count;
static uint32_t batch_size, half_records;
static size_t half_bytes;
static _Atomic bool uncounted; /* libc does not count our thread */
static _Atomic int thread_id;  /* the kernel's; 0: none */
static uint64_t metrics_due;
static bool metrics_wanted;

static char file_path[4096], metrics_path[4096];

/* A path as it was meant at the start: the host may go elsewhere before the file is opened. */
static const char *absolute(const char *path, char out[4096])
{
	if (!path || path[0] == '/' ||
	    !(config.traces_exporters & EXPORTER_FILE || config.metrics_exporters & EXPORTER_FILE))
		return path;
	long len = sys_getcwd(out, 4096);
	size_t rest = strlen(path);
	if (len <= 0 || (size_t)len + rest + 1 > 4096)
		return path;
	out[len - 1] = '/'; /* where the kernel put a NUL */
	memcpy(out + len, path, rest + 1);
	return out;
}

/* Looked up at start: later a thread in dlopen() might hold what that needs, and wait for us. */
static void *create;
/* A private symbol, of glibc 2.34 and later: where it is missing nothing is done. */
static void *thread_count;

void exporter_init(void)
{
	static const struct transport *const all[] = {&transport_otlp, &transport_file, &transport_stdout,
						      &transport_console};
	hook_resolve(&create, "pthread_create");
	hook_resolve(&thread_count, "__nptl_nthreads");
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if ((config.traces_exporters | config.metrics_exporters) & all[i]->kind)
			transports[transport_count++] = all[i];
	metrics_wanted = config.metrics_exporters != 0;
	config.file = absolute(config.file, file_path);
	config.metrics_file = absolute(config.metrics_file, metrics_path);
	batch_size = config.bsp_max_export_batch_size;
	if (batch_size > MOST_RECORDS)
		batch_size = MOST_RECORDS;
	half_bytes = queue_capacity() / 2;
	half_records = config.bsp_max_queue_size == UINT32_MAX || config.bsp_max_queue_size == 0
			       ? UINT32_MAX
			       : (config.bsp_max_queue_size + 1) / 2;
}

/* --- the host's side
 * ----------------------------------------------------------------------------------------- */

static void *run(void *arg);

/* libc ends the process when the last thread it counts ends (main() may leave by pthread_exit). Ours must not
 * be the one that keeps a program alive for ever, so it is taken out of the count while it lives. */
static void stand_aside(void)
{
	unsigned *count = thread_count;
	if (count && __atomic_load_n(count, __ATOMIC_ACQUIRE) >= 2)
		atomic_store(&uncounted, __atomic_sub_fetch(count, 1, __ATOMIC_ACQ_REL) > 0);
}

static void count_again(void)
{
	if (atomic_exchange(&uncounted, false))
		__atomic_add_fetch((unsigned *)thread_count, 1, __ATOMIC_ACQ_REL);
}

static bool start_thread(void)
{
	pthread_attr_t attributes;
	pthread_t id;
	sigset_t all, before;
	bool done = false;
	int error = 0;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	create = (void *)
		pthread_create; /* the sanitizer stands in front of us, and must know of every thread */
#endif
	if (!create && !hook_resolve(&create, "pthread_create"))
		return false;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	/* A host with much thread-local data may leave no room in a small stack. */
	for (size_t size = STACK_SIZE; !done && size <= 16 * STACK_SIZE; size *= 16) {
		if (pthread_attr_init(&attributes) != 0)
			break;
		pthread_attr_setstacksize(&attributes, size);
		pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
		error = ((__typeof__(&pthread_create))create)(&id, &attributes, run, NULL);
		done = error == 0;
		pthread_attr_destroy(&attributes);
	}
	if (done)
		stand_aside();
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	/* Under a filter that refuses it we are silent. */
	if (error == EAGAIN)
		log_warn("export", "no thread can be made here (RLIMIT_NPROC?): nothing is exported");
	return done;
}

static bool queue_is_due(void)
{
	return queue_used() >= half_bytes || queue_records() >= half_records;
}

__attribute__((noinline)) static void wake_slowly(uint32_t seen)
{
	int saved = errno;
	if (seen == NONE) {
		if (transport_count && atomic_compare_exchange_strong(&state, &seen, GATHER) &&
		    !start_thread())
			atomic_store(&state, STOPPED);
	} else if (seen == IDLE) {
		if (atomic_compare_exchange_strong(&state, &seen, GATHER))
			sys_futex_wake(&state, 1);
	} else if (atomic_compare_exchange_strong(&state, &seen, WORK)) {
		sys_futex_wake(&state, 1);
	}
	errno = saved;
}

void exporter_wake(void)
{
	uint32_t seen = atomic_load(&state);
	if (seen == WORK || seen == HOLD || seen == STOPPED)
		return;
	if (seen == GATHER && !queue_is_due())
		return;
	if (seen == OPEN && queue_records() < batch_size && !queue_is_due())
		return;
	wake_slowly(seen);
}

static struct timespec time_of(uint64_t monotonic)
{
	return (struct timespec){(time_t)(monotonic / 1000000000u), (long)(monotonic % 1000000000u)};
}

static bool wait_for_ticket(uint32_t ticket, uint64_t deadline)
{
	struct timespec until = time_of(deadline);
	for (;;) {
		uint32_t done = atomic_load(&flush_done);
		if ((int32_t)(done - ticket) >= 0)
			return true;
		if (sys_futex_wait(&flush_done, done, &until) == -ETIMEDOUT)
			return (int32_t)(atomic_load(&flush_done) - ticket) >= 0;
	}
}

/* Unless it is STOPPED; answers what it was. */
static uint32_t set_working(void)
{
	uint32_t seen = atomic_load(&state);
	while (seen != STOPPED && !atomic_compare_exchange_weak(&state, &seen, WORK))
		;
	return seen;
}

static bool ask_for_export(uint32_t *ticket)
{
	*ticket = atomic_fetch_add(&flush_wanted, 1) + 1;
	sys_futex_wake(&flush_wanted, INT32_MAX);
	/* The ticket first, the state second; the thread does it the other way round before it sleeps. */
	uint32_t seen = set_working();
	if (seen != STOPPED && seen != WORK)
		sys_futex_wake(&state, 1);
	return seen != STOPPED;
}

void exporter_settle(int timeout_ms)
{
	uint32_t seen = atomic_load(&state), ticket, left;
	if (thread.own || seen == NONE || seen == STOPPED || !ask_for_export(&ticket))
		return;
	struct timespec until = time_of(clock_now() + (uint64_t)timeout_ms * 1000000u);
	while ((left = atomic_load(&stacks_waiting)) != 0)
		if (sys_futex_wait(&stacks_waiting, left, &until) == -ETIMEDOUT)
			return;
}

bool exporter_flush(int timeout_ms)
{
	uint32_t seen = atomic_load(&state);
	if (thread.own || seen == NONE || seen == STOPPED)
		return !thread.own && queue_records() == 0;
	if (queue_records() == 0 && seen != WORK && !atomic_load(&ending))
		return true;
	uint32_t ticket;
	if (!ask_for_export(&ticket))
		return false;
	return wait_for_ticket(ticket, clock_now() + (uint64_t)timeout_ms * 1000000u);
}

void exporter_shutdown(int timeout_ms)
{
	static _Atomic bool once;
	if (atomic_exchange(&once, true))
		return;
	atomic_store(&end_deadline, clock_now() + (uint64_t)timeout_ms * 1000000u);
	atomic_store(&ending, true);
	uint32_t seen = atomic_load(&state);
	bool used = seen != NONE && seen != STOPPED;
	if (used && (queue_records() || seen == WORK || metrics_wanted))
		exporter_flush(timeout_ms);
	queue_close();
	atomic_store(&state, STOPPED);
	count_add(spans_export_timeout, queue_records());
	stats_write();
}

#define RETIRE_MS 1000

/* Until the kernel knows it no more. */
static bool wait_for_thread(int id)
{
	for (int ms = 0; ms < RETIRE_MS; ms++) {
		static _Atomic uint32_t nothing;
		if (!id || sys_call(SYS_tgkill, sys_getpid(), (long)id, 0L) < 0)
			return true;
		struct timespec soon = time_of(clock_now() + 1000000u);
		sys_futex_wait(&nothing, 0, &soon);
	}
	return false;
}

void exporter_retire(int timeout_ms)
{
	exporter_shutdown(timeout_ms);
	sys_futex_wake(&state, INT32_MAX);
	sys_futex_wake(&flush_wanted, INT32_MAX);
	wait_for_thread(atomic_load(&thread_id));
}

void exporter_leave(int timeout_ms)
{
	const unsigned *threads = thread_count;
	uint32_t seen = atomic_load(&state);
	if (thread.own || seen == NONE || seen == STOPPED)
		return;
	/* The host has threads of its own: it is not ours that stands in the way. */
	if (threads && __atomic_load_n(threads, __ATOMIC_ACQUIRE) > 1)
		return;
	exporter_flush(timeout_ms);
	atomic_store(&leaving, true);
	atomic_fetch_add(&flush_wanted, 1);
	sys_futex_wake(&flush_wanted, INT32_MAX);
	set_working();
	sys_futex_wake(&state, INT32_MAX);
	if (wait_for_thread(atomic_load(&thread_id))) {
		ownfds_close_all();
		atomic_store(&thread_id, 0);
		atomic_store(&state, NONE);
	}
	atomic_store(&leaving, false);
}

void exporter_fork_prepare(void)
{
	forks_prepare();
}

void exporter_fork_parent(void)
{
	forks_parent();
}

void exporter_fork_child(void)
{
	callstack_forked(forks_child());
	ownfds_close_all();
	atomic_store(&state, NONE);
	atomic_store(&thread_id, 0);
	atomic_store(&uncounted, false); /* libc began to count anew */
	atomic_store(&flush_wanted, 0);
	atomic_store(&flush_done, 0);
	atomic_store(&ending, false);
	atomic_store(&end_deadline, UINT64_MAX);
	stats_forked();
	for (int i = 0; i < COUNTER_COUNT; i++)
		atomic_store(&counters[i], 0);
}

bool exporter_owns_fd(int fd)
{
	return ownfds_is(fd);
}

int exporter_next_fd(unsigned first, unsigned last)
{
	return ownfds_next(first, last);
}

void exporter_move_fd(int fd)
{
	ownfds_move(fd);
}

/* --- the thread
 * ------------------------------------------------------------------------------------------------ */

bool exporter_ending(void)
{
	return atomic_load(&ending);
}

uint64_t exporter_deadline(void)
{
	return atomic_load(&end_deadline);
}

bool exporter_pause(uint64_t ms)
{
	uint64_t until = clock_now() + ms * 1000000u;
	struct timespec deadline = time_of(until);
	uint32_t wanted = atomic_load(&flush_wanted);
	if (atomic_load(&ending))
		return false;
	while (clock_now() < until) {
		if (sys_futex_wait(&flush_wanted, wanted, &deadline) == -ETIMEDOUT)
			return true;
		if (atomic_load(&flush_wanted) != wanted)
			return false;
	}
	return true;
}

/* True: the batch is done with, one way or the other. False: it stays in the queue for the next time. */
static bool hand_over(const struct batch *batch)
{
	bool keep = false;
	unsigned receivers = 0;
	for (size_t i = 0; i < transport_count; i++) {
		if (!(config.traces_exporters & transports[i]->kind))
			continue;
		receivers++;
		enum delivery end = transports[i]->spans(batch);
		log_debug("export", "%zu spans to %s: %s", batch->count, transports[i]->where(),
			  end == DELIVERED ? "delivered"
			  : end == REFUSED ? "refused"
					   : "postponed");
		keep |= end == POSTPONED;
	}
	/* With a second destination that has taken it, keeping it would mean sending it there twice. */
	if (keep && (receivers > 1 || atomic_load(&ending))) {
		count_add(spans_export_failed, batch->count);
		keep = false;
	}
	return !keep;
}

/* False: a destination is out of reach, the rest stays. */
static bool export_queue(void)
{
	static struct queue_record records[MOST_RECORDS];
	struct batch batch = {.records = records};
	/* All of them first: the objects that they are in may be about to go. */
	if (atomic_load(&stacks_waiting))
		callstack_tell(records, queue_peek(records, MOST_RECORDS, SIZE_MAX));
	while ((batch.count = queue_peek(records, batch_size, MOST_BYTES)) > 0) {
		callstack_tell(records, batch.count);
		if (!hand_over(&batch))
			return false;
		queue_release(batch.count);
	}
	return true;
}

static void export_metrics(void)
{
	if (!metrics_wanted || !metrics_changed())
		return;
	uint64_t now = clock_now();
	if (!atomic_load(&ending) && now < metrics_due)
		return;
	bool delivered = false;
	metrics_snapshot();
	for (size_t i = 0; i < transport_count; i++)
		if (config.metrics_exporters & transports[i]->kind)
			delivered |= transports[i]->metrics() == DELIVERED;
	metrics_exported(delivered);
	metrics_due = now + (uint64_t)config.metric_export_interval * 1000000u;
}

static void sleep_until(uint32_t expected, uint64_t deadline)
{
	struct timespec until = time_of(deadline);
	while (atomic_load(&state) == expected && atomic_load(&flush_wanted) == atomic_load(&flush_done))
		if (sys_futex_wait(&state, expected, deadline == UINT64_MAX ? NULL : &until) == -ETIMEDOUT)
			return;
}

/* Waits until the next attempt is due, after `failures` of them. */
static void wait_for_destination(unsigned failures)
{
	uint64_t delay = (uint64_t)config.bsp_schedule_delay * 1000000u;
	uint32_t expected = WORK;
	if (delay < HOLD_FIRST_NS)
		delay = HOLD_FIRST_NS;
	while (--failures > 0 && delay < HOLD_MOST_NS)
		delay *= 2;
	atomic_compare_exchange_strong(&state, &expected, HOLD);
	sleep_until(HOLD, clock_now() + (delay < HOLD_MOST_NS ? delay : HOLD_MOST_NS));
}

/* Waits until an export is due. */
static void wait_for_work(uint64_t last_export)
{
	uint32_t expected = WORK;
	uint64_t delay = (uint64_t)config.bsp_schedule_delay * 1000000u;

	if (queue_records() == 0) {
		/* What is queued between the look and the change is seen by its writer as IDLE, or by us. */
		atomic_compare_exchange_strong(&state, &expected, IDLE);
		if (queue_records() == 0) {
			bool quiet = !metrics_wanted || !metrics_changed();
			sleep_until(IDLE, quiet ? UINT64_MAX : metrics_due);
		}
		expected = IDLE;
		if (atomic_compare_exchange_strong(&state, &expected, GATHER) && queue_records() == 0)
			return; /* the counters' time has come */
	} else {
		atomic_compare_exchange_strong(&state, &expected, GATHER);
	}
	uint64_t now = clock_now(), due = now + delay;
	if (now < last_export + REST_NS && last_export + REST_NS < due)
		sleep_until(GATHER, last_export + REST_NS);
	expected = GATHER;
	if (!atomic_compare_exchange_strong(&state, &expected, OPEN))
		return;
	if (!queue_is_due())
		sleep_until(OPEN, due);
}

static void answer_flushes(uint32_t ticket)
{
	atomic_store(&flush_done, ticket);
	sys_futex_wake(&flush_done, INT32_MAX);
}

static void *run(void *arg)
{
	uint64_t last_export = 0;
	unsigned failures = 0; /* in a row */

	(void)arg;
	/* Neither a policy nor a niceness of its own: services are run under filters that kill for asking. */
	thread_mark_own();
	atomic_store(&thread_id, (int)sys_gettid());
	sys_thread_name("tagalong");
	otlp_start();
	metrics_start();
	metrics_due = clock_now() + (uint64_t)config.metric_export_interval * 1000000u;
	for (size_t i = 0; i < transport_count; i++)
		transports[i]->start();
	while (atomic_load(&state) != STOPPED && !atomic_load(&leaving)) {
		if (failures)
			wait_for_destination(failures);
		else
			wait_for_work(last_export);
		if (set_working() == STOPPED)
			break;
		uint32_t ticket = atomic_load(&flush_wanted);
		clock_adjust();
		overdue_look(clock_now());
		failures = export_queue() ? 0 : failures + 1;
		export_metrics();
		last_export = clock_now();
		stats_write();
		answer_flushes(ticket);
	}
	answer_flushes(atomic_load(&flush_wanted)); /* nobody shall wait for a thread that is gone */
	count_again();
	return NULL;
}
