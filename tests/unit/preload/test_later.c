/* Timers: whose callback runs, and when nobody can tell. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "preload/activity.h"
#include "preload/config.h"
#include "preload/conn_internal.h"
#include "preload/later.h"
#include "preload/loop.h"

static struct conn in = {.role = ROLE_SERVER}, other = {.role = ROLE_SERVER},
		   up = {.role = ROLE_CLIENT, .requests = 5};

static struct span *serve_on(struct conn *conn)
{
	struct span *span = span_begin(SPAN_SERVER, 1);
	assert_non_null(span);
	span_identify(span, NULL);
	span->request_ended = true;
	span->reader = (void *)&thread;
	atomic_fetch_add(&activities_live, 1);
	atomic_store(&process_served, true);
	activity_read_request(conn, span_reference(span));
	return span;
}

static struct span *serve(void)
{
	return serve_on(&in);
}

static void answer(struct span *span)
{
	activity_ended(span_reference(span));
	later_over(span);
	atomic_fetch_sub(&activities_live, 1);
	span_discard(span);
}

static void turn(void)
{
	activity_wait(false);
	loop_waited(1, -1, 0);
}

/* What is found of a function stays, over all of these tests. */
static bool set_as(struct later *later, uintptr_t function)
{
	return later_set(later, function, 1000000, 0);
}

static bool set(struct later *later)
{
	return set_as(later, 1);
}

static bool calls_are(const struct span *span)
{
	return activity_for_call(&up).activity == span_reference(span);
}

static int fresh(void **state)
{
	(void)state;
	memset(&thread, 0, sizeof(thread));
	atomic_store(&process_served, false);
	atomic_store(&activities_wander, false);
	atomic_store(&activities_live, 0);
	atomic_store(&loop_habits, 0);
	atomic_store(&loop_reader, 0);
	later_restart();
	thread.loop = true;
	return 0;
}

static void test_callback_is_its_makers(void **state)
{
	(void)state;
	struct later later;
	turn();
	struct span *a = serve();
	assert_true(later_made(&later));
	assert_true(set(&later));
	turn();
	struct span *b = serve(); /* one that is read, and has a call under way */
	atomic_store(&b->calls, 1);
	turn();
	later_begins(&later);
	assert_true(calls_are(a));
	activity_read_answer(&up, span_reference(a)); /* that changes nothing while the callback runs */
	assert_int_equal(thread.evidence, EVIDENCE_CALLBACK);
	assert_true(calls_are(a));
	later_ends();
	assert_int_equal(activity_for_call(&up).activity, SPAN_NOBODY);
	answer(b);
	answer(a);
}

static void test_behind_its_end_there_is_a_link(void **state)
{
	(void)state;
	struct later later;
	turn();
	struct span *a = serve();
	uint8_t trace[16];
	memcpy(trace, a->context.trace_id, sizeof(trace));
	assert_true(later_made(&later) && set(&later));
	answer(a);
	turn();
	later_begins(&later);
	struct activity_verdict verdict = activity_for_call(&up);
	assert_int_equal(verdict.activity, SPAN_NOBODY);
	assert_int_equal(verdict.ambiguous, AMBIGUOUS_NOT);
	struct span *call = span_begin(SPAN_CLIENT, 1);
	exchange_adopt(call, &verdict);
	assert_true(call->link.set);
	assert_memory_equal(call->link.trace_id, trace, sizeof(trace));
	span_discard(call);
	later_ends();
	call = span_begin(SPAN_CLIENT, 1);
	verdict = activity_for_call(&up);
	exchange_adopt(call, &verdict);
	assert_false(call->link.set);
	span_discard(call);
}

/* It may be for that one that the callback does something. */
static void test_doubtful_while_another_waits_for_nothing_seen(void **state)
{
	(void)state;
	struct later of_a, of_c;
	turn();
	struct span *a = serve();
	assert_true(later_made(&of_a) && set(&of_a));
	turn();
	struct span *c = serve();
	assert_true(later_made(&of_c) && set(&of_c));
	answer(c);
	turn();
	struct span *b = serve();
	turn(); /* b joins in */
	later_begins(&of_a);
	struct activity_verdict verdict = activity_for_call(&up);
	assert_int_equal(verdict.activity, SPAN_NOBODY);
	assert_int_equal(verdict.ambiguous, AMBIGUOUS_TIMER);
	later_ends();
	later_begins(&of_c);
	assert_false(thread.link.set);
	later_ends();
	answer(b);
	later_begins(&of_a);
	assert_true(calls_are(a));
	later_ends();
	/* It waits itself; that is no doubt. With a timer of its own another one waits as well. */
	struct span *d = serve();
	later_made(&of_c);
	turn();
	later_begins(&of_a);
	assert_false(calls_are(a));
	answer(d);
	answer(a);
}

static void test_set_by_another_it_is_nobodys(void **state)
{
	(void)state;
	struct later later;
	turn();
	assert_false(later_made(&later)); /* by nobody */
	assert_int_equal(later.activity, SPAN_NOBODY);
	struct span *a = serve();
	assert_true(later_made(&later) && set(&later));
	turn();
	struct span *b = serve();
	assert_false(set(&later));
	turn();
	later_begins(&later);
	assert_int_equal(activity_for_call(&up).activity, SPAN_NOBODY);
	assert_false(thread.link.set);
	later_ends();
	answer(a);
	answer(b);
}

/* A request that is left with a timer, wakes, calls in its callback, and is answered behind that call. */
static void sleeps_and_calls(struct conn *from, uintptr_t function)
{
	struct later later;
	struct span *span = serve_on(from);
	(void)later_made(&later);
	assert_true(later_set(&later, function, 1000000, 0));
	turn();
	later_begins(&later);
	span_ref asker = loop_count(activity_window());
	assert_int_equal(asker, span_reference(span));
	later_ends();
	turn();
	activity_read_answer(&up, span_reference(span));
	loop_uncount(&asker);
	later_answering(span);
	answer(span);
	turn();
}

static void test_sleepers_of_a_proven_function_are_no_doubt(void **state)
{
	(void)state;
	struct later of_a, of_b;
	for (int i = 0; i < 16; i++) {
		turn();
		struct span *a = serve();
		assert_true(later_made(&of_a) && set_as(&of_a, 7));
		turn();
		struct span *b = serve_on(&other);
		thread.events = 2;
		assert_true(later_made(&of_b) && set_as(&of_b, 7)); /* if a sleeps, that is */
		assert_true(of_b.conditional);
		turn();
		later_begins(&of_a);
		assert_false(calls_are(a));
		answer(a);
		later_ends();
		answer(b);
		sleeps_and_calls(&in, 7);
	}
	assert_true(loop_is_clean());
	turn();
	struct span *a = serve();
	assert_true(later_made(&of_a) && set_as(&of_a, 7));
	turn();
	struct span *b = serve_on(&other);
	assert_true(calls_are(b)); /* who sleeps does nothing else */
	assert_true(later_made(&of_b) && set_as(&of_b, 7));
	assert_false(of_b.conditional);
	turn();
	later_begins(&of_a);
	assert_true(calls_are(a));
	answer(a);
	later_ends();
	later_begins(&of_b);
	assert_true(calls_are(b));
	answer(b);
	later_ends();
}

static void prove(uintptr_t function)
{
	for (int i = 0; i < 16; i++)
		sleeps_and_calls(&in, function);
	assert_true(loop_is_clean());
}

static void test_limit_that_is_stopped_breaks_the_habit(void **state)
{
	(void)state;
	struct later later;
	prove(2);
	struct span *a = serve();
	assert_true(later_made(&later) && set_as(&later, 2));
	turn();
	later_stopped(&later); /* in nobody's turn: what it waited for came */
	assert_false(loop_is_clean());
	answer(a);
}

static void test_timer_of_who_has_gone_may_be_stopped(void **state)
{
	(void)state;
	struct later later;
	prove(3);
	struct span *a = serve();
	assert_true(later_made(&later) && set_as(&later, 3));
	turn();
	atomic_store(&a->deserted, true);
	later_stopped(&later);
	assert_true(later_others_wait(SPAN_NOBODY)); /* until it ends */
	answer(a);
	assert_false(later_others_wait(SPAN_NOBODY));
	assert_true(loop_is_clean());
}

static void test_answer_beside_the_timer_breaks_the_habit(void **state)
{
	(void)state;
	struct later of_a, of_b;
	prove(4);
	struct span *a = serve();
	assert_true(later_made(&of_a) && set_as(&of_a, 4));
	turn();
	struct span *b = serve_on(&other);
	assert_true(later_made(&of_b) && set_as(&of_b, 5));
	turn();
	later_begins(&of_a);
	later_answering(b); /* in a's callback: 5 was but a limit */
	assert_false(loop_is_clean());
	later_ends();
	answer(a);
	answer(b);
}

/* One function, and a thousand times as long: another kind. */
static void test_limit_by_the_same_function(void **state)
{
	(void)state;
	struct later of_a, of_b;
	prove(6);
	struct span *a = serve();
	assert_true(later_made(&of_a) && set_as(&of_a, 6));
	turn();
	struct span *b = serve_on(&other);
	assert_true(later_made(&of_b) && later_set(&of_b, 6, 30000000000, 0));
	turn();
	later_begins(&of_a);
	assert_false(calls_are(a));
	later_ends();
	answer(a);
	answer(b);
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
		CASE(test_callback_is_its_makers),
		CASE(test_behind_its_end_there_is_a_link),
		CASE(test_doubtful_while_another_waits_for_nothing_seen),
		CASE(test_set_by_another_it_is_nobodys),
		CASE(test_sleepers_of_a_proven_function_are_no_doubt),
		CASE(test_limit_that_is_stopped_breaks_the_habit),
		CASE(test_timer_of_who_has_gone_may_be_stopped),
		CASE(test_answer_beside_the_timer_breaks_the_habit),
		CASE(test_limit_by_the_same_function),
	};
	return cmocka_run_group_tests(tests, set_up, NULL);
}
