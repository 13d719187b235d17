/* The rules of design.md section 5, one by one, on made-up connections. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "preload/clock.h"
#include "preload/fdtable.h"
#include "tests/support/activity.h"

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

/* What decided is told as it was, and not by the look of it. */
static void test_verdict_tells_its_evidence(void **state)
{
	(void)state;
	struct conn in = {.role = ROLE_SERVER}, up = kept_connection();
	struct span *a = serve(1);
	activity_read_request(&in, span_reference(a));
	assert_int_equal(activity_for_call(&up).evidence, PARENT_THREAD);
	activity_wait_one(false);
	assert_int_equal(activity_for_call(&up).evidence, PARENT_NONE);
	activity_read_answer(&up, span_reference(a));
	assert_int_equal(activity_for_call(&up).evidence, PARENT_CONNECTION);
	activity_wait_one(false);
	struct conn fresh = {.role = ROLE_CLIENT, .requests = 1, .opener = span_reference(a)};
	assert_int_equal(activity_for_call(&fresh).evidence, PARENT_CONNECTION);
	static const enum evidence carried[] = {EVIDENCE_INHERITED, EVIDENCE_FORKED, EVIDENCE_STACK,
						EVIDENCE_HANDED};
	for (size_t i = 0; i < sizeof(carried) / sizeof(carried[0]); i++) {
		activity_carried(span_reference(a), carried[i]);
		assert_int_equal(activity_for_transfer().evidence,
				 carried[i] == EVIDENCE_HANDED ? PARENT_HANDOFF : PARENT_LINEAGE);
	}
	finish(a);
	assert_int_equal(activity_for_transfer().evidence, PARENT_NONE);
	atomic_store(&process_served, false);
	process_context.valid = true;
	assert_int_equal(activity_for_transfer().evidence, PARENT_PROCESS);
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
	assert_int_equal(activity_for_call(&out).ambiguous, AMBIGUOUS_READ);
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

/* HTTP::Tiny, mod_proxy: before a kept connection is used it is asked whether it is still there. */
static void test_wait_for_an_idle_client_connection_keeps_it(void **state)
{
	(void)state;
	struct conn in = {.role = ROLE_SERVER}, up = kept_connection();
	struct span *a = serve(1), *b = serve(2);
	const int fd = 900;
	atomic_store(&up.refs, 1);
	up.opener = span_reference(b);
	fdtable_set(fd, (uintptr_t)&up);
	activity_read_request(&in, span_reference(a));
	assert_true(activity_owns_one(fd));
	/* A loop waits for it because others may do something; and what it awaits is somebody's. */
	thread.loop = true;
	assert_false(activity_owns_one(fd));
	thread.loop = false;
	struct span *call = span_begin(SPAN_CLIENT, 1);
	call->activity = span_reference(b);
	up.first = up.last = call->index + 1;
	assert_false(activity_owns_one(fd));
	up.first = up.last = 0;
	/* A socket under TLS is opaque: idle only once its session is over. */
	up.mode = CONN_OPAQUE;
	assert_false(activity_owns_one(fd));
	up.carries = true;
	assert_true(activity_owns_one(fd));
	up.mode = CONN_FOLLOWED;
	/* A client's connection to us brings requests. */
	up.role = ROLE_SERVER;
	assert_false(activity_owns_one(fd));
	fdtable_set(fd, 0);
	span_discard(call);
	finish(a);
	finish(b);
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

/* Work may come from a thread that read its request elsewhere, with nothing to be seen of it here. */
static void test_requests_read_by_two_threads_are_ambiguous(void **state)
{
	(void)state;
	struct conn in = {.role = ROLE_SERVER}, up = kept_connection();
	struct span *a = serve(1), *b = serve(2);
	atomic_store(&loop_reader, 1);
	turn(1);
	activity_read_request(&in, span_reference(b));
	assert_int_equal(activity_for_call(&up).ambiguous, AMBIGUOUS_LOOP);
	finish(a);
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
	assert_int_equal(activity_for_call(&up).ambiguous, AMBIGUOUS_POOL);
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
	activity_blocked(1);
	assert_int_equal(activity_for_call(&up).ambiguous, AMBIGUOUS_WAIT);
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

static void test_fresh_connection_remembers_its_opener(void **state)
{
	(void)state;
	struct span *a = serve(1), *b = serve(2);
	struct conn in = {.role = ROLE_SERVER};
	struct conn up = {.role = ROLE_CLIENT, .requests = 1, .opener = span_reference(a)};
	activity_wait(false);
	assert_int_equal(activity_for_call(&up).activity, span_reference(a));
	/* Where requests wait, one may be given the connection that was made for another. */
	atomic_store(&loop_habits, LOOP_LEFT_WAITING);
	assert_int_equal(activity_for_call(&up).ambiguous, AMBIGUOUS_CONNECTION);
	/* In the middle of somebody else's request: one of the two is wrong, so neither. */
	activity_read_request(&in, span_reference(b));
	assert_int_equal(activity_for_call(&up).ambiguous, AMBIGUOUS_CONNECTION);
	/* A kept connection is nobody's in particular. */
	up.requests = 2;
	assert_int_equal(activity_for_call(&up).ambiguous, AMBIGUOUS_LOOP);
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
	activity_blocked(1);
	assert_int_equal(activity_current(), SPAN_NOBODY);
	activity_read_request(&in, span_reference(a));
	activity_blocked(1); /* what was read here stays: no other is under way that a job could be of */
	assert_int_equal(activity_current(), span_reference(a));
	finish(a);
}

/* A pool's thread, born in a request, may take another one's job without a wait that could be seen. */
static void test_inherited_beside_others_is_ambiguous(void **state)
{
	(void)state;
	struct conn out = kept_connection();
	struct span *a = serve(1), *b = serve(2);
	activity_carried(span_reference(a), EVIDENCE_INHERITED);
	assert_int_equal(activity_for_call(&out).ambiguous, AMBIGUOUS_POOL);
	assert_int_equal(activity_for_opening(), SPAN_NOBODY);
	finish(b);
	assert_int_equal(activity_for_call(&out).activity, span_reference(a));
	finish(a);
}

/* What a child carries on dies when the request ends in its parent. */
static void test_forked_dies_with_the_parents_request(void **state)
{
	(void)state;
	struct conn out = kept_connection();
	struct span *a = serve(1);
	int answer[2], go[2], status;
	char byte = 0;
	assert_int_equal(pipe(answer) | pipe(go), 0);
	activity_carried(span_reference(a), EVIDENCE_FORKED);
	pid_t child = fork();
	if (child == 0) {
		span_forked();
		atomic_store(&activities_live, 0);
		bool before = activity_for_call(&out).activity == span_reference(a);
		struct span *own = serve(2); /* its own spans are no sign of life of the parent's */
		(void)!write(answer[1], &byte, 1);
		(void)!read(go[0], &byte, 1);
		bool after = activity_for_call(&out).activity == SPAN_NOBODY;
		_exit(before && after && span_alive(span_reference(own)) ? 0 : 1 + before);
	}
	assert_int_equal(read(answer[0], &byte, 1), 1);
	finish(a);
	assert_int_equal(write(go[1], &byte, 1), 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
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

/* As some tracers make it: a root's span id is the lower half of its trace's. */
static void test_contexts_with_equal_ids_are_all_found(void **state)
{
	(void)state;
	struct span *spans[64];
	struct context received[64];
	bool process;
	for (size_t i = 0; i < 64; i++) {
		uint64_t id = 0x123456789abcdefull * (i + 1);
		received[i] = (struct context){.valid = true, .remote = true, .flags = FLAG_SAMPLED};
		memcpy(received[i].trace_id + 8, &id, 8);
		memcpy(received[i].span_id, &id, 8);
		spans[i] = span_begin(SPAN_SERVER, 1);
		assert_non_null(spans[i]);
		span_identify(spans[i], &received[i]);
		memcpy(spans[i]->received_id, received[i].span_id, 8);
		activity_index(span_reference(spans[i]), &received[i]);
	}
	for (size_t i = 0; i < 64; i++)
		assert_int_equal(activity_find(&received[i], &process), span_reference(spans[i]));
	for (size_t i = 0; i < 64; i++) {
		activity_unindex(span_reference(spans[i]), &received[i]);
		span_discard(spans[i]);
	}
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup(name, fresh_thread)
	const struct CMUnitTest tests[] = {
		CASE(test_read_request_makes_current),
		CASE(test_verdict_tells_its_evidence),
		CASE(test_end_on_another_thread_is_noticed),
		CASE(test_two_requests_without_wait_are_ambiguous),
		CASE(test_wait_for_own_descriptors_keeps_it),
		CASE(test_wait_for_one_foreign_descriptor_makes_no_loop),
		CASE(test_wait_for_an_idle_client_connection_keeps_it),
		CASE(test_answer_brings_activity_back),
		CASE(test_requests_read_by_two_threads_are_ambiguous),
		CASE(test_pool_whose_requests_wander),
		CASE(test_wait_for_a_job_spends_what_was_read),
		CASE(test_call_after_answer_in_blocking_thread_is_exact),
		CASE(test_fresh_connection_remembers_its_opener),
		CASE(test_inherited_dies_with_its_request),
		CASE(test_inherited_is_spent_by_blocking),
		CASE(test_inherited_beside_others_is_ambiguous),
		CASE(test_forked_dies_with_the_parents_request),
		CASE(test_find_by_received_context),
		CASE(test_contexts_with_equal_ids_are_all_found),
		CASE(test_process_context_only_until_it_serves),
	};
	return cmocka_run_group_tests(tests, set_up, NULL);
}
