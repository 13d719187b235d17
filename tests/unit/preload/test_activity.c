/* The rules of design.md section 5, one by one, on made-up connections. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "preload/activity.h"
#include "preload/config.h"

static struct span *serve(uint8_t id)
{
	struct span *span = span_begin(SPAN_SERVER, 1);
	struct context parent = {.valid = true, .remote = true, .flags = FLAG_SAMPLED};
	memset(parent.trace_id, id, sizeof(parent.trace_id));
	memset(parent.span_id, id, sizeof(parent.span_id));
	assert_non_null(span);
	span_identify(span, &parent);
	memcpy(span->received_id, parent.span_id, 8);
	activity_index(span_reference(span), &parent);
	atomic_fetch_add(&activities_live, 1);
	return span;
}

static void finish(struct span *span)
{
	activity_ended(span_reference(span));
	atomic_fetch_sub(&activities_live, 1);
	span_discard(span);
}

static int fresh_thread(void **state)
{
	(void)state;
	memset(&thread, 0, sizeof(thread));
	atomic_store(&process_served, false);
	atomic_store(&activities_wander, false);
	atomic_store(&activities_live, 0);
	memset(&process_context, 0, sizeof(process_context));
	return 0;
}

static struct conn kept_connection(void)
{
	struct conn conn = {.role = ROLE_CLIENT, .requests = 5};
	return conn;
}

static void test_read_request_makes_current(void **state)
{
	(void)state;
	struct conn in = {.role = ROLE_SERVER}, out = kept_connection();
	struct span *a = serve(1);
	activity_read_request(&in, span_reference(a));
	assert_int_equal(activity_current(), span_reference(a));
	assert_int_equal(activity_for_call(&out).activity, span_reference(a));
	finish(a);
	/* Rule 6: after the response it is nobody's, and not even in doubt. */
	struct activity_verdict verdict = activity_for_call(&out);
	assert_int_equal(verdict.activity, SPAN_NOBODY);
	assert_false(verdict.ambiguous);
}

static void test_end_on_another_thread_is_noticed(void **state)
{
	(void)state;
	struct conn in = {.role = ROLE_SERVER};
	struct span *a = serve(1);
	activity_read_request(&in, span_reference(a));
	span_discard(a); /* as another thread would, without telling this one */
	atomic_fetch_sub(&activities_live, 1);
	assert_int_equal(activity_current(), SPAN_NOBODY);
}

static void test_two_requests_without_wait_are_ambiguous(void **state)
{
	(void)state;
	struct conn in = {.role = ROLE_SERVER}, other = {.role = ROLE_SERVER}, out = kept_connection();
	struct span *a = serve(1), *b = serve(2);
	activity_read_request(&in, span_reference(a));
	activity_read_request(&other, span_reference(b));
	assert_int_equal(activity_current(), SPAN_NOBODY);
	assert_true(activity_for_call(&out).ambiguous);
	/* A wait ends the doubt together with the knowledge. */
	activity_wait(false);
	assert_false(activity_for_call(&out).ambiguous);
	assert_int_equal(activity_for_call(&out).activity, SPAN_NOBODY);
	finish(a);
	finish(b);
}

static void test_wait_for_own_descriptors_keeps_it(void **state)
{
	(void)state;
	struct conn in = {.role = ROLE_SERVER};
	struct span *a = serve(1);
	activity_read_request(&in, span_reference(a));
	activity_wait(true);
	assert_int_equal(activity_current(), span_reference(a));
	assert_false(thread.loop);
	activity_wait(false);
	assert_int_equal(activity_current(), SPAN_NOBODY);
	assert_true(thread.loop);
	finish(a);
}

static void test_wait_for_one_foreign_descriptor_makes_no_loop(void **state)
{
	(void)state;
	struct conn in = {.role = ROLE_SERVER};
	struct span *a = serve(1);
	activity_read_request(&in, span_reference(a));
	activity_wait_one(false);
	assert_int_equal(activity_current(), SPAN_NOBODY);
	assert_false(thread.loop);
	finish(a);
}

static void test_answer_brings_activity_back(void **state)
{
	(void)state;
	struct conn up = kept_connection();
	struct span *a = serve(1);
	activity_wait(false);
	activity_read_answer(&up, span_reference(a));
	assert_int_equal(activity_current(), span_reference(a));
	finish(a);
}

/* The trap of the capped pool: what a loop writes after an answer may be what waited behind it. */
static void test_call_after_answer_in_busy_loop_is_ambiguous(void **state)
{
	(void)state;
	struct conn up = kept_connection();
	struct span *a = serve(1), *b = serve(2);
	activity_wait(false);
	activity_read_answer(&up, span_reference(a));
	assert_true(activity_for_call(&up).ambiguous);
	assert_int_equal(activity_for_opening(), SPAN_NOBODY);
	/* With nobody else under way there is nobody else it could be. */
	finish(b);
	assert_int_equal(activity_for_call(&up).activity, span_reference(a));
	finish(a);
}

/* nginx with limit_req: a request was read, and then another one's timer goes off. */
static void test_call_after_request_in_busy_loop_is_ambiguous(void **state)
{
	(void)state;
	struct conn in = {.role = ROLE_SERVER}, up = kept_connection();
	struct span *a = serve(1), *b = serve(2);
	activity_wait(false);
	activity_read_request(&in, span_reference(b));
	assert_true(activity_for_call(&up).ambiguous);
	assert_int_equal(activity_for_opening(), SPAN_NOBODY);
	finish(a);
	assert_int_equal(activity_for_call(&up).activity, span_reference(b));
	finish(b);
}

/* A handler that gives back its thread unanswered: the thread's next job is another one's. */
static void test_pool_whose_requests_wander(void **state)
{
	(void)state;
	struct conn in = {.role = ROLE_SERVER}, other = {.role = ROLE_SERVER}, up = kept_connection();
	struct span *a = serve(1), *b = serve(2), *c = serve(3);
	activity_read_request(&in, span_reference(a));
	assert_int_equal(activity_for_call(&up).activity, span_reference(a));
	activity_wandered(); /* somebody else answered what was read here */
	assert_true(activity_for_call(&up).ambiguous);
	/* Reading another request while the first is open tells it as well. */
	atomic_store(&activities_wander, false);
	memset(&thread, 0, sizeof(thread));
	activity_read_request(&in, span_reference(a));
	activity_read_request(&other, span_reference(b));
	assert_true(atomic_load(&activities_wander));
	finish(a);
	finish(b);
	finish(c);
}

static void test_wait_for_a_job_spends_what_was_read(void **state)
{
	(void)state;
	struct conn in = {.role = ROLE_SERVER}, other = {.role = ROLE_SERVER}, up = kept_connection();
	struct span *a = serve(1), *b = serve(2);
	activity_read_request(&in, span_reference(a));
	activity_blocked();
	assert_true(activity_for_call(&up).ambiguous);
	assert_int_equal(activity_current(), SPAN_NOBODY);
	/* A request read now is new evidence, and exact. */
	activity_read_request(&other, span_reference(b));
	assert_int_equal(activity_for_call(&up).activity, span_reference(b));
	finish(a);
	finish(b);
}

static void test_call_after_answer_in_blocking_thread_is_exact(void **state)
{
	(void)state;
	struct conn in = {.role = ROLE_SERVER}, up = kept_connection();
	struct span *a = serve(1), *b = serve(2);
	activity_read_request(&in, span_reference(a));
	activity_read_answer(&up, span_reference(a));
	assert_int_equal(activity_for_call(&up).activity, span_reference(a));
	finish(a);
	finish(b);
}

static void test_foreign_answer_in_loop_is_ambiguous(void **state)
{
	(void)state;
	struct conn in = {.role = ROLE_SERVER}, up = kept_connection(), out = kept_connection();
	struct span *a = serve(1);
	activity_wait(false);
	activity_read_request(&in, span_reference(a));
	activity_read_answer(&up, SPAN_NOBODY);
	assert_true(activity_for_call(&out).ambiguous);
	finish(a);
}

static void test_wake_up_in_loop_is_no_evidence(void **state)
{
	(void)state;
	struct conn in = {.role = ROLE_SERVER}, out = kept_connection();
	struct span *a = serve(1);
	activity_wait(false);
	activity_read_request(&in, span_reference(a));
	activity_woken();
	assert_true(activity_for_call(&out).ambiguous);
	finish(a);
}

static void test_fresh_connection_remembers_its_opener(void **state)
{
	(void)state;
	struct span *a = serve(1), *b = serve(2);
	struct conn in = {.role = ROLE_SERVER};
	struct conn up = {.role = ROLE_CLIENT, .requests = 1, .opener = span_reference(a)};
	activity_wait(false);
	assert_int_equal(activity_for_call(&up).activity, span_reference(a));
	/* In the middle of somebody else's request: one of the two is wrong, so neither. */
	activity_read_request(&in, span_reference(b));
	assert_true(activity_for_call(&up).ambiguous);
	/* A kept connection is nobody's in particular. */
	up.requests = 2;
	assert_true(activity_for_call(&up).ambiguous);
	finish(a);
	assert_int_equal(activity_for_call(&up).activity, span_reference(b));
	finish(b);
	up.requests = 1;
	assert_int_equal(activity_for_call(&up).activity, SPAN_NOBODY);
}

static void test_inherited_dies_with_its_request(void **state)
{
	(void)state;
	struct conn out = kept_connection();
	struct span *a = serve(1);
	activity_carried(span_reference(a), EVIDENCE_INHERITED);
	assert_int_equal(activity_for_call(&out).activity, span_reference(a));
	finish(a);
	assert_int_equal(activity_for_call(&out).activity, SPAN_NOBODY);
}

static void test_inherited_is_spent_by_blocking(void **state)
{
	(void)state;
	struct span *a = serve(1);
	struct conn in = {.role = ROLE_SERVER};
	activity_carried(span_reference(a), EVIDENCE_INHERITED);
	activity_blocked();
	assert_int_equal(activity_current(), SPAN_NOBODY);
	activity_read_request(&in, span_reference(a));
	activity_blocked(); /* what was read here stays: no other is under way that a job could be of */
	assert_int_equal(activity_current(), span_reference(a));
	finish(a);
}

static void test_find_by_received_context(void **state)
{
	(void)state;
	struct span *a = serve(1), *b = serve(2);
	struct context received = {.valid = true};
	bool process;
	memset(received.trace_id, 2, 16);
	memset(received.span_id, 2, 8);
	assert_int_equal(activity_find(&received, &process), span_reference(b));
	/* Two requests with one context: exact only where the thread says which. */
	struct span *c = serve(2);
	assert_int_equal(activity_find(&received, &process), SPAN_NOBODY);
	struct conn in = {.role = ROLE_SERVER};
	activity_read_request(&in, span_reference(c));
	assert_int_equal(activity_find(&received, &process), span_reference(c));
	received.span_id[0] = 9;
	assert_int_equal(activity_find(&received, &process), SPAN_NOBODY);
	assert_false(process);
	process_context = received;
	assert_int_equal(activity_find(&received, &process), SPAN_NOBODY);
	assert_true(process);
	finish(a);
	finish(b);
	finish(c);
}

static void test_process_context_only_until_it_serves(void **state)
{
	(void)state;
	struct conn out = kept_connection();
	process_context.valid = true;
	assert_true(activity_for_call(&out).process);
	atomic_store(&process_served, true);
	assert_false(activity_for_call(&out).process);
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
#define CASE(name) cmocka_unit_test_setup(name, fresh_thread)
	const struct CMUnitTest tests[] = {
		CASE(test_read_request_makes_current),
		CASE(test_end_on_another_thread_is_noticed),
		CASE(test_two_requests_without_wait_are_ambiguous),
		CASE(test_wait_for_own_descriptors_keeps_it),
		CASE(test_wait_for_one_foreign_descriptor_makes_no_loop),
		CASE(test_answer_brings_activity_back),
		CASE(test_call_after_answer_in_busy_loop_is_ambiguous),
		CASE(test_call_after_request_in_busy_loop_is_ambiguous),
		CASE(test_pool_whose_requests_wander),
		CASE(test_wait_for_a_job_spends_what_was_read),
		CASE(test_call_after_answer_in_blocking_thread_is_exact),
		CASE(test_foreign_answer_in_loop_is_ambiguous),
		CASE(test_wake_up_in_loop_is_no_evidence),
		CASE(test_fresh_connection_remembers_its_opener),
		CASE(test_inherited_dies_with_its_request),
		CASE(test_inherited_is_spent_by_blocking),
		CASE(test_find_by_received_context),
		CASE(test_process_context_only_until_it_serves),
	};
	return cmocka_run_group_tests(tests, set_up, NULL);
}
