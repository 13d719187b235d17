/* Whose a call is in an event loop, on made-up connections. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "preload/clock.h"
#include "preload/fdtable.h"
#include "tests/support/activity.h"

/* The trap of the capped pool: what a loop writes after an answer may be what waited behind it. B was read,
 * and left with nothing under way: it waits. */
static void test_call_after_answer_in_busy_loop_is_ambiguous(void **state)
{
	(void)state;
	struct conn in = {.role = ROLE_SERVER}, up = kept_connection();
	struct span *a = serve(1), *b = serve(2);
	span_ref asker;
	turn(1);
	activity_read_request(&in, span_reference(a));
	call(&up, &asker);
	turn(1);
	activity_read_request(&in, span_reference(b));
	turn(1);
	assert_false(loop_is_clean());
	activity_read_answer(&up, span_reference(a));
	loop_uncount(&asker);
	assert_int_equal(activity_for_call(&up).ambiguous, AMBIGUOUS_LOOP);
	assert_int_equal(activity_for_opening(), SPAN_NOBODY);
	/* With nobody else under way there is nobody else it could be. */
	finish(b);
	assert_int_equal(activity_for_call(&up).activity, span_reference(a));
	finish(a);
}

/* nginx with limit_req: a request was read and left to a timer, and that goes off behind another one's. */
static void test_call_after_request_in_busy_loop_is_ambiguous(void **state)
{
	(void)state;
	struct conn in = {.role = ROLE_SERVER}, up = kept_connection();
	struct span *a = serve(1), *b = serve(2);
	turn(1);
	activity_read_request(&in, span_reference(a));
	turn(2);
	activity_read_request(&in, span_reference(b));
	assert_int_equal(activity_for_call(&up).ambiguous, AMBIGUOUS_LOOP);
	assert_int_equal(activity_for_opening(), SPAN_NOBODY);
	finish(a);
	assert_int_equal(activity_for_call(&up).activity, span_reference(b));
	finish(b);
}

/* A loop that acts before it turns to the next: what it read last is whose call it is. */
static void test_loop_that_leaves_nobody_waiting_is_exact(void **state)
{
	(void)state;
	struct conn in = {.role = ROLE_SERVER}, up = kept_connection(), other = kept_connection();
	struct span *a = serve(1), *b = serve(2);
	span_ref asker_a, asker_b;
	turn(2);
	activity_read_request(&in, span_reference(a));
	assert_int_equal(call(&up, &asker_a).activity, span_reference(a));
	activity_read_request(&in, span_reference(b));
	assert_int_equal(call(&other, &asker_b).activity, span_reference(b));
	turn(1);
	activity_read_answer(&up, span_reference(a));
	loop_uncount(&asker_a);
	assert_int_equal(call(&up, &asker_a).activity, span_reference(a));
	assert_true(loop_is_direct());
	/* A connection made in a window and written to in another turn is its maker's, whoever was read
	 * since. */
	struct span *c = serve(3);
	turn(1);
	activity_read_request(&in, span_reference(c));
	struct conn fresh = new_connection();
	turn(2);
	activity_read_answer(&other, span_reference(b));
	loop_uncount(&asker_b);
	assert_int_equal(call(&other, &asker_b).activity, span_reference(b));
	assert_int_equal(call(&fresh, &asker_a).activity, span_reference(c));
	assert_true(loop_is_direct());
	finish(a);
	finish(b);
	finish(c);
}

/* A connection that was made for a request which is gone is nobody's, and not that of whom was read last. */
static void test_connection_of_another_turn_is_not_the_windows(void **state)
{
	(void)state;
	struct conn in = {.role = ROLE_SERVER}, up = kept_connection();
	struct span *a = serve(1), *b = serve(2), *c = serve(3);
	span_ref asker;
	turn(1);
	activity_read_request(&in, span_reference(a));
	struct conn fresh = new_connection();
	finish(a);
	turn(2);
	activity_read_request(&in, span_reference(b));
	assert_int_equal(call(&fresh, &asker).activity, SPAN_NOBODY);
	assert_int_equal(asker, SPAN_NOBODY);
	assert_int_equal(call(&up, &asker).activity, span_reference(b));
	finish(b);
	finish(c);
}

/* A second call of one request may have waited behind another's. It is noticed before it is judged. */
static void test_two_calls_at_once_make_answers_ambiguous(void **state)
{
	(void)state;
	struct conn in = {.role = ROLE_SERVER}, up = kept_connection(), other = kept_connection();
	struct span *a = serve(1), *b = serve(2);
	span_ref asker, second;
	turn(2);
	activity_read_request(&in, span_reference(a));
	call(&up, &asker);
	activity_read_request(&in, span_reference(b));
	assert_int_equal(call(&other, &second).activity, span_reference(b));
	assert_int_equal(call(&other, &second).ambiguous, AMBIGUOUS_LOOP);
	/* The turn of a single event is exact all the same, if that was a request and no timer is due. */
	struct span *c = serve(3);
	turn(1);
	activity_read_request(&in, span_reference(c));
	assert_int_equal(call(&up, &asker).activity, span_reference(c));
	thread.due = clock_now();
	assert_int_equal(activity_for_call(&up).ambiguous, AMBIGUOUS_TIMER);
	thread.due = 0;
	turn(1);
	activity_read_answer(&up, span_reference(c));
	assert_int_equal(activity_for_call(&up).ambiguous, AMBIGUOUS_LOOP);
	finish(a);
	finish(b);
	finish(c);
}

/* libuv: a loop whose callbacks take their time waits for longer than until its next timer, for it reckons
 * from a clock that it read before them. */
static void test_timer_of_a_loop_that_is_late(void **state)
{
	(void)state;
	struct conn in = {.role = ROLE_SERVER}, up = kept_connection();
	atomic_store(&loop_habits, LOOP_LEFT_WAITING);
	for (int late = 0; late < 2; late++) {
		struct span *a = serve(1);
		activity_wait(false);
		thread.waited = clock_now() - (late ? 300000000u : 0);
		loop_waited(1, 200, clock_now());
		activity_read_request(&in, span_reference(a));
		assert_int_equal(activity_for_call(&up).ambiguous, late ? AMBIGUOUS_TIMER : AMBIGUOUS_NOT);
		finish(a);
	}
}

/* Who waits for its client's body, or whose answer the kernel does not take, or whose client has gone while
 * it waited for its call, waits for nothing hidden. */
static void test_waiting_for_the_client_is_no_habit(void **state)
{
	(void)state;
	struct conn in = {.role = ROLE_SERVER};
	struct span *a = serve(1), *b = serve(2), *c = serve(3), *d = serve(4);
	a->request_ended = false;
	b->responding = b->stuck = true;
	c->hung_up = true;
	d->responding = true;
	turn(3);
	activity_read_request(&in, span_reference(a));
	activity_read_request(&in, span_reference(b));
	activity_read_request(&in, span_reference(c));
	activity_read_request(&in, span_reference(d));
	assert_true(loop_is_clean());
	turn(1); /* d began to answer, and could go on */
	assert_false(loop_is_clean());
	finish(a);
	finish(b);
	finish(c);
	finish(d);
}

/* A look for events that finds none goes on with what the loop was about; one that finds some does not. */
static void test_an_empty_look_keeps_the_turn(void **state)
{
	(void)state;
	struct conn in = {.role = ROLE_SERVER}, up = kept_connection();
	struct span *a = serve(1), *b = serve(2);
	atomic_store(&loop_habits, LOOP_LEFT_WAITING);
	turn(1);
	activity_read_request(&in, span_reference(b));
	loop_waited(0, 0, 0);
	assert_int_equal(activity_for_call(&up).activity, span_reference(b));
	loop_waited(1, 0, 0);
	assert_int_equal(activity_for_call(&up).ambiguous, AMBIGUOUS_LOOP);
	finish(a);
	finish(b);
}

/* The answer to a call in doubt keeps the window in doubt, but the habits know whose it was. */
static void test_answer_to_a_doubtful_call(void **state)
{
	(void)state;
	struct conn up = kept_connection();
	struct span *a = serve(1);
	turn(1);
	activity_read_doubtful(&up, span_reference(a));
	assert_int_equal(activity_for_call(&up).ambiguous, AMBIGUOUS_READ);
	assert_int_equal(activity_window(), span_reference(a));
	turn(1);
	assert_false(loop_is_clean());
	finish(a);
}

static void test_foreign_answer_in_loop_is_ambiguous(void **state)
{
	(void)state;
	struct conn in = {.role = ROLE_SERVER}, up = kept_connection(), out = kept_connection();
	struct span *a = serve(1);
	activity_wait(false);
	activity_read_request(&in, span_reference(a));
	activity_read_answer(&up, SPAN_NOBODY);
	assert_int_equal(activity_for_call(&out).ambiguous, AMBIGUOUS_READ);
	finish(a);
}

/* asyncio: a request was given up, and what was begun for it goes on behind the answer to its call, in turns
 * that no sleep parts from the next request's. */
static void test_work_of_one_that_is_gone_is_not_the_next_ones(void **state)
{
	(void)state;
	struct conn in = {.role = ROLE_SERVER}, up = kept_connection(), out = kept_connection();
	struct span *a = serve(1), *b;
	turn(1);
	activity_read_request(&in, span_reference(a));
	turn(1); /* it waits for something unseen */
	span_ref gone = span_reference(a);
	finish(a);
	turn(1);
	activity_read_answer(&up, gone);
	loop_waited(1, 0, 0);
	activity_wait(false);
	b = serve(2);
	activity_read_request(&in, span_reference(b));
	assert_int_equal(activity_for_call(&out).ambiguous, AMBIGUOUS_READ);
	assert_int_equal(activity_for_opening(), SPAN_NOBODY);
	turn(1); /* it slept: nothing was left to do */
	activity_read_answer(&up, span_reference(b));
	assert_int_equal(activity_for_call(&out).activity, span_reference(b));
	finish(b);
}

/* A program without requests of its own calls, and waits in that: what it reads after is the next request's.
 */
static void test_an_answer_that_was_waited_for_leaves_nothing(void **state)
{
	(void)state;
	for (int async = 0; async < 2; async++) {
		struct conn in = {.role = ROLE_SERVER}, up = kept_connection(), out = kept_connection();
		int pair[2];
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | (async ? SOCK_NONBLOCK : 0), 0, pair), 0);
		thread.fd = pair[0];
		fdtable_set(pair[0], (uintptr_t)&up);
		struct span *a = serve(1);
		turn(1);
		activity_read_request(&in, span_reference(a));
		turn(1); /* it leaves its request waiting, as loops do that turn to others */
		finish(a);
		(void)activity_for_call(&up);
		activity_read_answer(&up, SPAN_NOBODY);
		struct span *b = serve(2);
		activity_read_request(&in, span_reference(b));
		struct activity_verdict verdict = activity_for_call(&out);
		assert_int_equal(verdict.ambiguous, async ? AMBIGUOUS_READ : AMBIGUOUS_NOT);
		assert_int_equal(verdict.activity, async ? SPAN_NOBODY : span_reference(b));
		finish(b);
		turn(1);
		/* By that descriptor came something else last. */
		struct conn other = kept_connection();
		fdtable_set(pair[0], (uintptr_t)&other);
		(void)activity_for_call(&up);
		activity_read_answer(&up, SPAN_NOBODY);
		b = serve(3);
		activity_read_request(&in, span_reference(b));
		assert_int_equal(activity_for_call(&out).ambiguous, AMBIGUOUS_READ);
		finish(b);
		turn(1);
		fdtable_set(pair[0], 0);
		close(pair[0]);
		close(pair[1]);
	}
}

/* One request, which waits for something that is not seen; and a call of nobody's. */
static void test_call_while_one_waits_unseen_tells_why(void **state)
{
	(void)state;
	struct conn in = {.role = ROLE_SERVER}, out = kept_connection();
	struct span *a = serve(1);
	turn(1);
	activity_read_request(&in, span_reference(a));
	turn(1);
	assert_int_equal(activity_for_call(&out).ambiguous, AMBIGUOUS_LOOP);
	later_over(a);
	finish(a);
	assert_int_equal(activity_for_call(&out).ambiguous, AMBIGUOUS_NOT);
}

static void test_wake_up_in_loop_is_no_evidence(void **state)
{
	(void)state;
	struct conn in = {.role = ROLE_SERVER}, out = kept_connection();
	struct span *a = serve(1);
	activity_wait(false);
	activity_read_request(&in, span_reference(a));
	activity_woken();
	assert_int_equal(activity_for_call(&out).ambiguous, AMBIGUOUS_READ);
	finish(a);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup(name, fresh_thread)
	const struct CMUnitTest tests[] = {
		CASE(test_call_after_answer_in_busy_loop_is_ambiguous),
		CASE(test_call_after_request_in_busy_loop_is_ambiguous),
		CASE(test_loop_that_leaves_nobody_waiting_is_exact),
		CASE(test_connection_of_another_turn_is_not_the_windows),
		CASE(test_two_calls_at_once_make_answers_ambiguous),
		CASE(test_timer_of_a_loop_that_is_late),
		CASE(test_waiting_for_the_client_is_no_habit),
		CASE(test_an_empty_look_keeps_the_turn),
		CASE(test_answer_to_a_doubtful_call),
		CASE(test_foreign_answer_in_loop_is_ambiguous),
		CASE(test_work_of_one_that_is_gone_is_not_the_next_ones),
		CASE(test_an_answer_that_was_waited_for_leaves_nothing),
		CASE(test_call_while_one_waits_unseen_tells_why),
		CASE(test_wake_up_in_loop_is_no_evidence),
	};
	return cmocka_run_group_tests(tests, set_up, NULL);
}
