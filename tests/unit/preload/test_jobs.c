/* Requests that go through memory, step by step; struct threads take turns on one thread. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "preload/activity.h"
#include "preload/counters.h"
#include "preload/handoff.h"
#include "preload/jobs.h"

#define HERE 11 /* where this process's workers wait */
#define THERE 13

static struct conn in = {.role = ROLE_SERVER}, up = {.role = ROLE_CLIENT, .requests = 5};
static struct thread loop, worker, other;
static struct thread *now;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t filled, another;

static void on(struct thread *to)
{
	*now = thread;
	now = to;
	thread = *to;
}

static struct span *serve_on(struct thread *reader)
{
	on(reader);
	struct span *span = span_begin(SPAN_SERVER, 1);
	assert_non_null(span);
	span_identify(span, NULL);
	span->request_ended = true;
	span->reader = reader == &loop ? (void *)&loop : (void *)&thread;
	atomic_fetch_add(&activities_live, 1);
	atomic_store(&process_served, true);
	if (thread.loop)
		activity_wait(false);
	handoff_begun(span);
	activity_read_request(&in, span_reference(span));
	return span;
}

static struct span *serve(void)
{
	return serve_on(&loop);
}

/* reader is compared with the one thread that there is. */
static void signals(struct span *span, const void *condition)
{
	span->reader = &thread;
	pthread_mutex_lock(&mutex);
	if (job_signals(condition))
		job_follows(condition);
	pthread_mutex_unlock(&mutex);
	span->reader = &loop;
}

static void waits(struct thread *who)
{
	on(who);
	job_came(job_waits(&filled, &mutex, HERE));
}

static void end(struct span *span)
{
	activity_ended(span_reference(span));
	handoff_over(span);
	atomic_fetch_sub(&activities_live, 1);
	span_discard(span);
}

static void answer(struct span *span)
{
	handoff_answering(span);
	span->responding = true;
	end(span);
}

static bool calls_are(const struct span *span)
{
	return activity_for_call(&up).activity == span_reference(span);
}

static void prove(void)
{
	for (int i = 0; i < JOB_PROVEN; i++) {
		struct span *span = serve();
		signals(span, &filled);
		waits(i % 2 ? &worker : &other);
		assert_false(calls_are(span));
		assert_int_equal(activity_for_call(&up).ambiguous, AMBIGUOUS_HANDOFF);
		answer(span);
	}
}

static int fresh(void **state)
{
	(void)state;
	memset(&thread, 0, sizeof(thread));
	memset(&loop, 0, sizeof(loop));
	memset(&worker, 0, sizeof(worker));
	memset(&other, 0, sizeof(other));
	now = &loop;
	atomic_store(&activities_wander, false);
	atomic_store(&activities_live, 0);
	memset(&process_context, 0, sizeof(process_context));
	handoff_restart();
	thread.loop = true;
	return 0;
}

static int proven(void **state)
{
	fresh(state);
	prove();
	return 0;
}

static int set_up(void **state)
{
	(void)state;
	return span_init(64) ? 0 : -1;
}

/* The only one is whose it is, with its second call too. */
static bool is_trusted(void)
{
	struct span *span = serve();
	signals(span, &filled);
	waits(&worker);
	bool is = calls_are(span);
	assert_true(is == calls_are(span));
	if (is)
		assert_int_equal(thread.evidence, EVIDENCE_HANDED);
	answer(span);
	return is;
}

static void test_only_one_that_is_left(void **state)
{
	(void)state;
	assert_true(is_trusted());
	/* Done with it: what is called now is nobody's. */
	assert_false(activity_for_call(&up).activity);
	assert_false(activity_for_call(&up).ambiguous);
}

static void test_others_that_are_known_are_not_in_the_way(void **state)
{
	(void)state;
	struct span *a = serve();
	signals(a, &filled);
	waits(&worker);
	assert_true(calls_are(a));
	struct span *b = serve();
	signals(b, &filled);
	/* It could have taken that as well. */
	on(&worker);
	assert_int_equal(activity_for_call(&up).ambiguous, AMBIGUOUS_HANDOFF);
	waits(&other);
	assert_true(calls_are(b));
	on(&worker);
	assert_true(calls_are(a));
	answer(a);
	on(&other);
	answer(b);
	assert_true(is_trusted());
}

static void test_two_are_nobodys(void **state)
{
	(void)state;
	struct span *a = serve();
	signals(a, &filled);
	struct span *b = serve();
	signals(b, &filled);
	for (int i = 0; i < 2; i++) {
		waits(i ? &worker : &other);
		assert_int_equal(activity_for_call(&up).activity, SPAN_NOBODY);
		assert_int_equal(activity_for_call(&up).ambiguous, AMBIGUOUS_HANDOFF);
	}
	/* Both were taken, so the next one is alone. */
	struct span *c = serve();
	signals(c, &filled);
	struct thread third = {0};
	waits(&third);
	assert_true(calls_are(c));
	answer(c);
	on(&worker);
	answer(b);
	on(&other);
	answer(a);
	assert_true(is_trusted());
}

/* Read beside each other, signalled the other way round; one of them is taken, who knows which. */
static void test_last_of_two_is_nobodys(void **state)
{
	(void)state;
	struct thread reader = {0};
	struct span *a = serve_on(&reader);
	struct span *b = serve();
	signals(b, &filled);
	on(&reader);
	signals(a, &filled);
	for (int i = 0; i < 2; i++) {
		waits(i ? &worker : &other);
		assert_int_equal(activity_for_call(&up).activity, SPAN_NOBODY);
		assert_int_equal(activity_for_call(&up).ambiguous, AMBIGUOUS_HANDOFF);
	}
	answer(a);
	on(&other);
	answer(b);
	assert_true(is_trusted());
}

/* Beside one that its reader answers. */
static void test_one_that_is_not_handed_over_is_in_the_way(void **state)
{
	(void)state;
	struct thread reader = {0};
	struct span *a = serve_on(&reader);
	struct span *b = serve();
	signals(b, &filled);
	waits(&worker);
	assert_false(calls_are(b));
	answer(b);
	on(&reader);
	answer(a);
	assert_true(is_trusted());
}

/* Taken without a wait: nobody's until it is answered. */
static void test_without_a_wait(void **state)
{
	(void)state;
	assert_true(is_trusted());
	struct span *a = serve();
	signals(a, &filled);
	on(&worker);
	assert_int_equal(activity_for_call(&up).activity, SPAN_NOBODY);
	assert_int_equal(activity_for_call(&up).ambiguous, AMBIGUOUS_HANDOFF);
	waits(&other); /* woken in vain, and waits again */
	waits(&other);
	on(&worker);
	answer(a);
	assert_true(is_trusted());
}

static void expect_broken(void)
{
	assert_false(is_trusted());
}

static void test_signal_of_nobody(void **state)
{
	(void)state;
	on(&other);
	pthread_mutex_lock(&mutex);
	job_signals(&filled);
	pthread_mutex_unlock(&mutex);
	assert_int_equal(job_queues, 0);
	expect_broken();
}

static void test_signal_without_the_mutex(void **state)
{
	(void)state;
	struct span *a = serve();
	a->reader = &thread;
	job_signals(&filled);
	a->reader = &loop;
	waits(&worker);
	answer(a);
	expect_broken();
}

static void test_two_signals_for_one(void **state)
{
	(void)state;
	struct span *a = serve();
	signals(a, &filled);
	signals(a, &filled);
	waits(&worker);
	answer(a);
	expect_broken();
}

static void test_wait_from_elsewhere(void **state)
{
	(void)state;
	on(&other);
	job_came(job_waits(&filled, &mutex, THERE));
	expect_broken();
}

static void test_wait_with_another_mutex(void **state)
{
	(void)state;
	pthread_mutex_t second = PTHREAD_MUTEX_INITIALIZER;
	on(&other);
	job_came(job_waits(&filled, &second, HERE));
	expect_broken();
}

static void test_wait_in_the_midst(void **state)
{
	(void)state;
	struct span *a = serve();
	signals(a, &filled);
	waits(&worker);
	assert_true(calls_are(a));
	uint64_t before = count_get(jobs_doubtful);
	waits(&worker);
	assert_int_equal(count_get(jobs_doubtful), before + 1);
	answer(a);
	expect_broken();
}

static void test_calls_without_an_answer(void **state)
{
	(void)state;
	struct span *a = serve();
	signals(a, &filled);
	struct span *b = serve();
	signals(b, &filled);
	waits(&worker);
	assert_int_equal(activity_for_call(&up).ambiguous, AMBIGUOUS_HANDOFF);
	waits(&worker);
	answer(a);
	waits(&other);
	answer(b);
	expect_broken();
}

static void test_job_of_no_request(void **state)
{
	(void)state;
	waits(&worker);
	assert_int_equal(activity_for_call(&up).activity, SPAN_NOBODY);
	expect_broken();
}

static void test_answered_by_its_reader(void **state)
{
	(void)state;
	struct span *a = serve();
	signals(a, &filled);
	a->reader = &thread;
	answer(a);
	expect_broken();
}

static void test_answered_by_another_than_took_it(void **state)
{
	(void)state;
	struct span *a = serve();
	signals(a, &filled);
	waits(&worker);
	assert_true(calls_are(a));
	waits(&other);
	answer(a);
	expect_broken();
}

static void test_ended_unanswered(void **state)
{
	(void)state;
	/* By who took it: its client has gone. */
	struct span *a = serve();
	signals(a, &filled);
	waits(&worker);
	assert_true(calls_are(a));
	end(a);
	assert_true(is_trusted());
	/* By who did not. */
	a = serve();
	signals(a, &filled);
	end(a);
	expect_broken();
}

static void test_reader_among_them(void **state)
{
	(void)state;
	waits(&other);
	struct span *a = serve_on(&other);
	answer(a);
	expect_broken();
}

/* A log's thread: it never answers, so it is never anybody's, and takes nothing away from others. */
static void test_condition_of_another_kind(void **state)
{
	(void)state;
	struct thread writer = {0};
	for (int i = 0; i < 3 * JOB_PROVEN; i++) {
		struct span *a = serve();
		signals(a, &another);
		signals(a, &filled);
		on(&writer);
		job_came(job_waits(&another, &mutex, THERE));
		assert_int_equal(activity_for_call(&up).activity, SPAN_NOBODY);
		waits(&worker);
		assert_true(calls_are(a));
		answer(a);
	}
}

/* For what it has taken, or for another one behind that. */
static void test_wait_elsewhere_in_the_midst(void **state)
{
	(void)state;
	struct span *a = serve();
	signals(a, &another);
	signals(a, &filled);
	assert_int_equal(__builtin_popcountll(job_queues), 2);
	waits(&worker);
	job_came(job_waits(&another, &mutex, THERE));
	assert_int_equal(__builtin_popcountll(job_queues), 1);
	answer(a);
}

static void test_only_who_waited_proves(void **state)
{
	(void)state;
	waits(&worker);
	for (int i = 0; i < 2 * JOB_PROVEN; i++) {
		struct span *a = serve();
		signals(a, &filled);
		if (i == 0)
			waits(&worker);
		on(&worker);
		answer(a);
	}
	assert_int_equal(__builtin_popcountll(job_queues), 1);
	assert_false(is_trusted());
}

/* Read to be thrown away, behind the end of what is written. */
static void test_request_of_nobody_is_in_nobodys_way(void **state)
{
	(void)state;
	struct span *span = serve();
	handoff_over(span);
	fresh(state);
	prove();
	span->reader = NULL;
	handoff_over(span);
	atomic_fetch_sub(&activities_live, 1);
	span_discard(span);
	assert_true(is_trusted());
}

static void test_too_many_conditions(void **state)
{
	(void)state;
	static char conditions[4 * JOB_QUEUES];
	uint64_t before = count_get(jobs_unkept);
	struct span *a = serve();
	for (int i = 0; i < 4 * JOB_QUEUES; i++)
		signals(a, &conditions[i]);
	assert_true(count_get(jobs_unkept) > before);
	waits(&worker);
	answer(a);
}

static void test_first_calls_are_in_doubt(void **state)
{
	(void)state;
	prove(); /* and says so of each */
	assert_true(is_trusted());
}

#define CASE(function) cmocka_unit_test_setup(function, proven)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_first_calls_are_in_doubt, fresh),
		CASE(test_only_one_that_is_left),
		CASE(test_others_that_are_known_are_not_in_the_way),
		CASE(test_two_are_nobodys),
		CASE(test_last_of_two_is_nobodys),
		CASE(test_one_that_is_not_handed_over_is_in_the_way),
		CASE(test_without_a_wait),
		CASE(test_signal_of_nobody),
		CASE(test_signal_without_the_mutex),
		CASE(test_two_signals_for_one),
		CASE(test_wait_from_elsewhere),
		CASE(test_wait_with_another_mutex),
		CASE(test_wait_in_the_midst),
		CASE(test_calls_without_an_answer),
		CASE(test_job_of_no_request),
		CASE(test_answered_by_its_reader),
		CASE(test_answered_by_another_than_took_it),
		CASE(test_ended_unanswered),
		CASE(test_reader_among_them),
		CASE(test_condition_of_another_kind),
		CASE(test_wait_elsewhere_in_the_midst),
		cmocka_unit_test_setup(test_only_who_waited_proves, fresh),
		CASE(test_request_of_nobody_is_in_nobodys_way),
		CASE(test_too_many_conditions),
	};
	return cmocka_run_group_tests(tests, set_up, NULL);
}
