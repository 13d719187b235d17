/* What is sent in an activity and taken elsewhere, step by step; two struct threads take turns on one thread.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "preload/activity.h"
#include "preload/config.h"
#include "preload/counters.h"
#include "preload/handoff.h"
#include "preload/later.h"
#include "preload/loop.h"

static struct conn in = {.role = ROLE_SERVER}, up = {.role = ROLE_CLIENT, .requests = 5};
static struct thread loop, worker;
static struct thread *now;

static void on(struct thread *other)
{
	*now = thread;
	now = other;
	thread = *other;
}

/* A request that was read, by the thread that is on. */
static struct span *serve(void)
{
	struct span *span = span_begin(SPAN_SERVER, 1);
	assert_non_null(span);
	span_identify(span, NULL);
	span->request_ended = true;
	span->reader = now == &loop ? (void *)&loop : (void *)&thread;
	atomic_fetch_add(&activities_live, 1);
	atomic_store(&process_served, true);
	handoff_begun(span);
	activity_read_request(&in, span_reference(span));
	return span;
}

/* It is answered by the thread that is on. */
static void answer(struct span *span)
{
	handoff_answering(span);
	span->responding = true;
	activity_ended(span_reference(span));
	handoff_over(span);
	atomic_fetch_sub(&activities_live, 1);
	span_discard(span);
}

static void turn(int events)
{
	activity_wait(false);
	loop_waited(events, -1, 0);
}

static bool calls_are(const struct span *span)
{
	return activity_for_call(&up).activity == span_reference(span);
}

/* A hand-off that is answered by who took it, four times: the loop's habit counts from now on. */
static void prove(void)
{
	for (uint64_t i = 0; i < 4; i++) {
		on(&loop);
		turn(1);
		struct span *span = serve();
		handoff_sends(900 + i);
		on(&worker);
		handoff_leaves();
		handoff_took(900 + i);
		answer(span);
	}
	on(&loop);
}

static void unwind(struct span **spans, int count)
{
	for (int i = 0; i < count; i++) {
		handoff_over(spans[i]);
		atomic_fetch_sub(&activities_live, 1);
		span_discard(spans[i]);
	}
}

static int fresh(void **state)
{
	(void)state;
	memset(&thread, 0, sizeof(thread));
	memset(&loop, 0, sizeof(loop));
	memset(&worker, 0, sizeof(worker));
	now = &loop;
	atomic_store(&process_served, false);
	atomic_store(&activities_wander, false);
	atomic_store(&activities_live, 0);
	atomic_store(&loop_habits, 0);
	later_restart();
	atomic_store(&loop_reader, 0);
	handoff_restart();
	thread.loop = true;
	return 0;
}

static void test_taken_is_worked_for(void **state)
{
	(void)state;
	turn(1);
	struct span *a = serve();
	assert_true(handoff_sends(11));
	on(&worker);
	handoff_took(11);
	assert_true(calls_are(a));
	/* Done with it: the next wait for a message. */
	handoff_leaves();
	assert_int_equal(activity_current(), SPAN_NOBODY);
	handoff_took(12); /* nobody's that we know of */
	assert_int_equal(activity_current(), SPAN_NOBODY);
	unwind(&a, 1);
}

/* Many under way: each was read and sent in the same turn. */
static void test_proven_habit_counts_beside_others(void **state)
{
	(void)state;
	struct span *spans[3];
	prove();
	turn(3);
	for (uint64_t i = 0; i < 3; i++) {
		spans[i] = serve();
		assert_true(handoff_sends(20 + i));
	}
	on(&worker);
	for (uint64_t i = 0; i < 3; i++) {
		handoff_leaves();
		handoff_took(20 + i);
		assert_true(calls_are(spans[i]));
		spans[i]->responding = true;
	}
	unwind(spans, 3);
}

static void test_unproven_habit_does_not(void **state)
{
	(void)state;
	struct span *spans[2];
	turn(2);
	spans[0] = serve();
	assert_true(handoff_sends(31));
	spans[1] = serve();
	assert_true(handoff_sends(32));
	on(&worker);
	handoff_took(31); /* no habit was broken until the loop turned away from it */
	assert_true(calls_are(spans[0]));
	spans[0]->responding = true;
	handoff_leaves();
	handoff_took(32);
	assert_true(activity_for_call(&up).ambiguous);
	unwind(spans, 2);
}

/* The list behind a wake-up: with a request under way that was not sent, it may be that one that was found.
 */
static void test_unsent_request_puts_all_in_doubt(void **state)
{
	(void)state;
	struct span *spans[2];
	prove();
	turn(2);
	spans[0] = serve();
	handoff_sends(41);
	spans[1] = serve();
	on(&worker);
	handoff_took(41);
	assert_true(activity_for_call(&up).ambiguous);
	/* Until it is sent as well, or answered. */
	on(&loop);
	handoff_sends(42);
	on(&worker);
	assert_true(calls_are(spans[0]));
	unwind(spans, 2);
}

static void test_request_left_unsent_ends_the_habit(void **state)
{
	(void)state;
	struct span *spans[2];
	prove();
	turn(2);
	spans[0] = serve();
	spans[1] = serve(); /* turned away from the first */
	assert_false(handoff_sends(51));
	assert_false(loop_sends());
	on(&worker);
	handoff_took(51);
	assert_int_equal(activity_current(), SPAN_NOBODY);
	unwind(spans, 2);
}

static void test_second_message_of_a_window_is_nobodys(void **state)
{
	(void)state;
	struct span *spans[2];
	prove();
	turn(2);
	spans[0] = serve();
	assert_true(handoff_sends(61));
	spans[1] = serve();
	assert_true(handoff_sends(62));
	assert_false(handoff_sends(63));
	on(&worker);
	handoff_took(63);
	assert_int_equal(activity_current(), SPAN_NOBODY);
	unwind(spans, 2);
}

/* What tells that a request, once sent, may come back: each ends the habit, before another is mistaken for
 * it. */
static void doubt(void (*what)(struct span *first))
{
	struct span *spans[2];
	uint64_t before = count_get(handoffs_doubtful);
	prove();
	turn(2);
	spans[0] = serve();
	handoff_sends(71);
	spans[1] = serve();
	handoff_sends(72);
	on(&worker);
	handoff_took(71);
	assert_true(calls_are(spans[0]));
	what(spans[0]);
	assert_int_equal(count_get(handoffs_doubtful), before + 1);
	handoff_took(72);
	assert_false(calls_are(spans[1]));
	/* Not even where no other is left: what was taken before may still be worked on. */
	unwind(spans, 1);
	assert_false(calls_are(spans[1]));
	unwind(spans + 1, 1);
}

static void leaves_it(struct span *first)
{
	(void)first;
	handoff_leaves();
}

static void wakes_another(struct span *first)
{
	(void)first;
	handoff_posted();
}

static void the_loop_answers(struct span *first)
{
	on(&loop);
	handoff_answering(first);
	on(&worker);
}

static void test_left_unanswered_ends_the_habit(void **state)
{
	(void)state;
	doubt(leaves_it);
}

static void test_wake_up_ends_the_habit(void **state)
{
	(void)state;
	doubt(wakes_another);
}

static void test_answer_of_another_thread_ends_the_habit(void **state)
{
	(void)state;
	doubt(the_loop_answers);
}

static void test_answered_may_be_left(void **state)
{
	(void)state;
	uint64_t before = count_get(handoffs_doubtful);
	turn(1);
	struct span *a = serve();
	handoff_sends(81);
	on(&worker);
	handoff_took(81);
	handoff_answering(a);
	a->responding = true;
	handoff_leaves(); /* the rest of a long answer is somebody else's to write */
	assert_int_equal(count_get(handoffs_doubtful), before);
	assert_false(atomic_load(&activities_wander));
	unwind(&a, 1);
}

/* A thread that is no loop and hands on what it read: what it does then is unknown, as before. */
static void test_sender_that_is_no_loop_wanders(void **state)
{
	(void)state;
	thread.loop = false;
	struct span *a = serve();
	handoff_sends(91);
	on(&worker);
	handoff_took(91);
	assert_true(calls_are(a));
	handoff_answering(a);
	assert_true(atomic_load(&activities_wander));
	unwind(&a, 1);
}

static void test_taken_beside_what_was_read_is_ambiguous(void **state)
{
	(void)state;
	struct span *spans[2];
	turn(1);
	spans[0] = serve();
	handoff_sends(95);
	on(&worker);
	thread.loop = false;
	spans[1] = serve();
	handoff_leaves();
	handoff_took(95);
	assert_true(activity_for_call(&up).ambiguous);
	unwind(spans, 2);
}

static void test_unsent_message_counts_as_none(void **state)
{
	(void)state;
	struct span *spans[2];
	prove();
	turn(2);
	spans[0] = serve();
	handoff_sends(97);
	spans[1] = serve();
	handoff_sends(98);
	handoff_unsent();
	on(&worker);
	handoff_took(97);
	assert_true(activity_for_call(&up).ambiguous);
	unwind(spans, 2);
}

/* A function that was called for it may read from pipes as it likes. */
static void test_calls_work_is_not_over_behind_a_wait(void **state)
{
	(void)state;
	struct span *spans[2];
	spans[0] = serve();
	turn(1);
	spans[1] = serve();
	on(&worker);
	activity_carried(span_reference(spans[0]), EVIDENCE_HANDED);
	handoff_leaves();
	handoff_took(0);
	assert_true(calls_are(spans[0]));
	handoff_posted();
	assert_true(calls_are(spans[0]));
	unwind(spans, 2);
}

/* Its task may be in a list, behind somebody else's wake-up. */
static void test_request_that_ends_unsent_ends_the_trust(void **state)
{
	(void)state;
	struct span *spans[2];
	uint64_t before = count_get(handoffs_doubtful);
	turn(1);
	spans[0] = serve();
	handoff_sends(99);
	turn(1);
	spans[1] = serve();
	on(&worker);
	handoff_took(99);
	unwind(spans + 1, 1);
	assert_int_equal(count_get(handoffs_doubtful), before + 1);
	assert_false(calls_are(spans[0]));
	unwind(spans, 1);
}

static int set_up(void **state)
{
	char *env[] = {NULL};
	(void)state;
	config_load(env, "test");
	return span_init(64) ? 0 : -1;
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup(name, fresh)
	const struct CMUnitTest tests[] = {
		CASE(test_taken_is_worked_for),
		CASE(test_proven_habit_counts_beside_others),
		CASE(test_unproven_habit_does_not),
		CASE(test_unsent_request_puts_all_in_doubt),
		CASE(test_request_left_unsent_ends_the_habit),
		CASE(test_second_message_of_a_window_is_nobodys),
		CASE(test_left_unanswered_ends_the_habit),
		CASE(test_wake_up_ends_the_habit),
		CASE(test_answer_of_another_thread_ends_the_habit),
		CASE(test_answered_may_be_left),
		CASE(test_sender_that_is_no_loop_wanders),
		CASE(test_taken_beside_what_was_read_is_ambiguous),
		CASE(test_unsent_message_counts_as_none),
		CASE(test_calls_work_is_not_over_behind_a_wait),
		CASE(test_request_that_ends_unsent_ends_the_trust),
	};
	return cmocka_run_group_tests(tests, set_up, NULL);
}
