/* What a pool's habits say of a wait in the midst of a request: where jobs are waited for, and by whom
 * requests are answered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "preload/activity.h"
#include "preload/counters.h"
#include "preload/worker.h"

#define JOBS 11   /* where this process's threads wait for jobs */
#define A_LOCK 21 /* somewhere in a handler */

static struct conn in = {.role = ROLE_SERVER};
static struct span *bystander; /* another request, under way elsewhere */

static struct span *serve(void)
{
	struct span *span = span_begin(SPAN_SERVER, 1);
	assert_non_null(span);
	span_identify(span, NULL);
	span->request_ended = true;
	span->reader = &thread;
	atomic_fetch_add(&activities_live, 1);
	atomic_store(&process_served, true);
	return span;
}

static void finish(struct span *span)
{
	activity_ended(span_reference(span));
	atomic_fetch_sub(&activities_live, 1);
	span_discard(span);
}

/* A request that this thread comes to from `place`, reads, and answers. */
static void serve_one(uint32_t place)
{
	struct span *span = serve();
	activity_blocked(place);
	activity_read_request(&in, span_reference(span));
	activity_answered();
	finish(span);
}

static struct span *read_one(uint32_t place)
{
	struct span *span = serve();
	activity_blocked(place);
	activity_read_request(&in, span_reference(span));
	return span;
}

static void prove(void)
{
	for (int i = 0; i < WORKER_PROVEN; i++)
		serve_one(JOBS);
}

static bool is_its_call(const struct span *span)
{
	struct conn up = {.role = ROLE_CLIENT, .requests = 5};
	return activity_for_call(&up).activity == span_reference(span);
}

static int fresh(void **state)
{
	(void)state;
	memset(&thread, 0, sizeof(thread));
	memset(&worker_habits, 0, sizeof(worker_habits));
	atomic_store(&activities_wander, false);
	atomic_store(&activities_live, 0);
	memset(&process_context, 0, sizeof(process_context));
	bystander = serve();
	return 0;
}

static int tidy(void **state)
{
	(void)state;
	finish(bystander);
	return 0;
}

static int set_up(void **state)
{
	(void)state;
	return span_init(64) ? 0 : -1;
}

static void test_wait_elsewhere_is_no_job(void **state)
{
	(void)state;
	prove();
	struct span *a = read_one(JOBS);
	activity_blocked(A_LOCK);
	assert_true(is_its_call(a));
	activity_blocked(A_LOCK); /* as often as it likes */
	assert_true(is_its_call(a));
	finish(a);
}

static void test_wait_for_jobs_is_one_whatever_was_read(void **state)
{
	(void)state;
	prove();
	struct span *a = read_one(JOBS);
	activity_blocked(JOBS);
	assert_false(is_its_call(a));
	finish(a);
}

static void test_unproven_process_is_in_doubt(void **state)
{
	(void)state;
	for (int i = 0; i < WORKER_PROVEN - 1; i++)
		serve_one(JOBS);
	struct span *a = read_one(JOBS);
	activity_blocked(A_LOCK);
	assert_false(is_its_call(a));
	activity_answered();
	finish(a);
	/* That was the last one needed. */
	a = read_one(JOBS);
	activity_blocked(A_LOCK);
	assert_true(is_its_call(a));
	finish(a);
}

static void test_requests_that_come_alone_prove_nothing(void **state)
{
	(void)state;
	atomic_store(&activities_live, 0);
	prove();
	atomic_store(&activities_live, 1);
	struct span *a = read_one(JOBS);
	activity_blocked(A_LOCK);
	assert_false(is_its_call(a));
	finish(a);
}

static void test_pool_whose_place_is_unknown_is_in_doubt(void **state)
{
	(void)state;
	for (int i = 0; i < WORKER_PROVEN; i++)
		serve_one(0); /* read behind no wait that was seen */
	struct span *a = read_one(0);
	activity_blocked(A_LOCK);
	assert_false(is_its_call(a));
	finish(a);
}

/* A thread for each connection: none ever comes to a request from a wait. */
static void test_place_where_requests_were_gone_on_with_is_no_job(void **state)
{
	(void)state;
	for (int i = 0; i < WORKER_PROVEN; i++) {
		struct span *span = serve();
		activity_read_request(&in, span_reference(span));
		activity_blocked(A_LOCK);
		assert_false(is_its_call(span));
		activity_answered();
		finish(span);
	}
	struct span *a = serve();
	activity_read_request(&in, span_reference(a));
	activity_blocked(A_LOCK);
	assert_true(is_its_call(a));
	activity_blocked(A_LOCK + 1);
	assert_false(is_its_call(a));
	finish(a);
}

/* It waits for a connection, loses its request over a call that was not certain, and waits there again. */
static void test_place_in_the_midst_of_what_was_lost_is_no_job(void **state)
{
	(void)state;
	struct span *a = serve();
	activity_read_request(&in, span_reference(a));
	activity_blocked(A_LOCK);
	activity_wait_one(false);
	activity_blocked(A_LOCK);
	finish(a);
	struct span *b = serve();
	activity_read_request(&in, span_reference(b));
	assert_int_equal(atomic_load(&worker_habits.known), 0);
	finish(b);
	finish(read_one(JOBS));
	assert_int_equal(atomic_load(&worker_habits.known), 1);
}

static void test_reader_with_another_job_ends_it(void **state)
{
	(void)state;
	prove();
	uint64_t before = count_get(workers_doubtful);
	/* From its wait with something that it did not read. */
	activity_blocked(JOBS);
	activity_for_transfer();
	assert_int_equal(count_get(workers_doubtful), before + 1);
	struct span *a = read_one(JOBS);
	activity_blocked(A_LOCK);
	assert_false(is_its_call(a));
	finish(a);
}

static void test_other_threads_jobs_do_not(void **state)
{
	(void)state;
	prove();
	/* One that never read a request: a push of metrics. */
	thread.reads = false;
	activity_blocked(JOBS);
	activity_for_transfer();
	/* After its answer, and of a request that ended elsewhere. */
	serve_one(JOBS);
	activity_for_transfer();
	struct span *a = read_one(JOBS);
	atomic_fetch_sub(&activities_live, 1);
	span_discard(a);
	activity_blocked(A_LOCK);
	activity_for_transfer();
	assert_false(atomic_load(&worker_habits.broken));
}

/* In doubt, it waits for a connection that it does not know to be its request's: its call is no other job. */
/* An answer was read here, the request elsewhere: a job that was handed over. */
static void test_what_others_read_is_not_kept(void **state)
{
	(void)state;
	struct conn up = {.role = ROLE_CLIENT};
	prove();
	struct span *a = serve();
	a->reader = &in;
	activity_read_answer(&up, span_reference(a));
	assert_true(is_its_call(a));
	activity_blocked(A_LOCK);
	assert_false(is_its_call(a));
	finish(a);
}

static void test_what_was_left_undone_is_no_other_job(void **state)
{
	(void)state;
	prove();
	struct span *a = read_one(JOBS);
	activity_wait_one(false);
	activity_blocked(A_LOCK);
	activity_for_transfer();
	assert_false(atomic_load(&worker_habits.broken));
	finish(a);
}

static void test_wandering_requests_end_it(void **state)
{
	(void)state;
	prove();
	struct span *a = read_one(JOBS);
	activity_wandered();
	activity_blocked(A_LOCK);
	assert_false(worker_keeps(A_LOCK));
	finish(a);
}

static int a_list, a_lock, unknown;

/* As the hook does. */
static void signals(const void *condition)
{
	enum worker_signal says = activity_can_give() ? worker_signals(condition) : SIGNAL_IS_NONE;
	if (says != SIGNAL_IS_NONE)
		activity_gives(says == SIGNAL_GIVES);
}

static void waits(const void *condition, uint32_t place)
{
	activity_blocked(place);
	worker_waits(condition, place);
}

static struct span *read_behind(const void *condition, uint32_t place)
{
	struct span *span = serve();
	waits(condition, place);
	activity_read_request(&in, span_reference(span));
	return span;
}

static void test_signal_where_jobs_are_waited_for_gives_away(void **state)
{
	(void)state;
	prove();
	struct span *a = read_behind(&a_list, JOBS);
	waits(&a_lock, A_LOCK);
	signals(&a_lock);
	signals(&unknown);
	assert_true(is_its_call(a));
	signals(&a_list);
	assert_false(is_its_call(a));
	struct conn up = {.role = ROLE_CLIENT, .requests = 5};
	assert_int_equal(activity_for_call(&up).ambiguous, AMBIGUOUS_POOL);
	finish(a);
	/* The next one is another matter. */
	a = read_one(JOBS);
	assert_true(is_its_call(a));
	finish(a);
}

static void test_unproven_any_signal_may(void **state)
{
	(void)state;
	struct span *a = read_one(JOBS);
	waits(&a_lock, A_LOCK);
	finish(a);
	a = read_one(JOBS);
	signals(&a_lock);
	assert_true(is_its_call(a));
	signals(&unknown);
	assert_false(is_its_call(a));
	/* Nobody else's can it be while there is no other. */
	atomic_fetch_sub(&activities_live, 1);
	assert_true(is_its_call(a));
	atomic_fetch_add(&activities_live, 1);
	finish(a);
}

/* A log's, say: signalled in each request. */
static void test_signals_that_gave_nothing_away_prove_that(void **state)
{
	(void)state;
	for (int i = 0; i < WORKER_UNSIGNALLED * WORKER_PROVEN; i++) {
		struct span *a = read_one(JOBS);
		signals(&unknown);
		assert_false(is_its_call(a));
		activity_answered();
		finish(a);
	}
	struct span *a = read_one(JOBS);
	signals(&unknown);
	assert_true(is_its_call(a));
	finish(a);
}

static void test_signals_to_who_waits_for_jobs_prove_nothing(void **state)
{
	(void)state;
	for (int i = 0; i < 2 * WORKER_UNSIGNALLED * WORKER_PROVEN; i++) {
		struct span *a = read_behind(&a_list, JOBS);
		signals(&unknown);
		signals(&a_list);
		assert_false(is_its_call(a));
		activity_answered();
		finish(a);
	}
	assert_int_equal(atomic_load(&worker_habits.answered), 0);
}

/* It gave its request away, and waits for the next one, or has lost it: that makes no lock of the list. */
static void test_wait_behind_a_signal_makes_no_lock(void **state)
{
	static int list, other;
	(void)state;
	struct span *a = read_one(0);
	signals(&list);
	waits(&list, JOBS);
	assert_int_equal(thread.paused, 0);
	struct span *b = read_one(0);
	signals(&list);
	assert_false(is_its_call(b));
	activity_wait_one(false);
	waits(&other, JOBS);
	finish(b);
	finish(a);
	a = read_one(0);
	signals(&other);
	assert_false(is_its_call(a));
	finish(a);
}

static void test_too_many_places_end_it(void **state)
{
	(void)state;
	prove();
	for (uint32_t place = 1; place < WORKER_PLACES; place++)
		serve_one(1000 + place);
	assert_true(atomic_load(&worker_habits.broken));
	assert_false(worker_keeps(A_LOCK));
}

static void test_loops_are_not_concerned(void **state)
{
	(void)state;
	prove();
	struct span *a = read_one(JOBS);
	thread.loop = true;
	activity_blocked(A_LOCK);
	assert_true(thread.ambiguous);
	finish(a);
}

static void test_place_tells_caller_and_depth(void **state)
{
	(void)state;
	char stack[64], *frame = stack + 32;
	assert_int_equal(worker_place(frame, frame), worker_place(frame, frame));
	assert_int_not_equal(worker_place(frame, frame), worker_place(frame - 16, frame));
	assert_int_not_equal(worker_place(frame, frame), worker_place(frame, frame + 5));
	assert_int_not_equal(worker_place(frame, frame), 0);
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, fresh, tidy)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_wait_elsewhere_is_no_job),
		CASE(test_wait_for_jobs_is_one_whatever_was_read),
		CASE(test_unproven_process_is_in_doubt),
		CASE(test_requests_that_come_alone_prove_nothing),
		CASE(test_pool_whose_place_is_unknown_is_in_doubt),
		CASE(test_place_where_requests_were_gone_on_with_is_no_job),
		CASE(test_place_in_the_midst_of_what_was_lost_is_no_job),
		CASE(test_reader_with_another_job_ends_it),
		CASE(test_other_threads_jobs_do_not),
		CASE(test_what_others_read_is_not_kept),
		CASE(test_what_was_left_undone_is_no_other_job),
		CASE(test_wandering_requests_end_it),
		CASE(test_signal_where_jobs_are_waited_for_gives_away),
		CASE(test_unproven_any_signal_may),
		CASE(test_signals_that_gave_nothing_away_prove_that),
		CASE(test_signals_to_who_waits_for_jobs_prove_nothing),
		CASE(test_wait_behind_a_signal_makes_no_lock),
		CASE(test_too_many_places_end_it),
		CASE(test_loops_are_not_concerned),
		CASE(test_place_tells_caller_and_depth),
	};
	return cmocka_run_group_tests(tests, set_up, NULL);
}
