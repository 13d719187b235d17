#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <cmocka.h>

#include "preload/counters.h"
#include "preload/hook.h"
#include "preload/queue.h"
#include "preload/stack.h"
#include "preload/thread.h"

static char records_room[65536];

static int fresh(void **state)
{
	(void)state;
	queue_set_waker(NULL);
	assert_true(queue_open(1 << 20, 0));
	queue_forked();
	config.stack_after = 1000;
	thread.waits = 0;
	stack_init();
	return 0;
}

static struct span asked(bool failed)
{
	return (struct span){.kind = SPAN_CLIENT,
			     .failed = failed,
			     .start = 100,
			     .reader = &thread,
			     .attrs = {.count = 3}};
}

static void test_wanted_of_slow_or_failed_calls(void **state)
{
	(void)state;
	struct span span = asked(false);
	assert_false(stack_wanted(&span, 100 + 999));
	assert_true(stack_wanted(&span, 100 + 1000));
	span.failed = true;
	assert_true(stack_wanted(&span, 100));
	span.kind = SPAN_SERVER;
	assert_false(stack_wanted(&span, 5000));
}

static enum record_kind put(const struct span *span, uint64_t end, struct queue_record *record)
{
	struct bytes parts[] = {BYTES("encoded"), BYTES(" span")};
	assert_true(stack_put(span, end, parts, 2));
	assert_int_equal(queue_peek(record, 1, SIZE_MAX), 1);
	assert_memory_equal(record->payload.ptr, "encoded span", 12);
	return record->kind;
}

static void test_put_lays_the_stack_behind_the_span(void **state)
{
	(void)state;
	struct span span = asked(true);
	struct queue_record record;
	struct stack_sample sample;
	uint64_t length, mark = 0x1234567890abcdef;
	assert_int_equal(put(&span, 200, &record), RECORD_STACK);
	memcpy(&length, record.payload.ptr + record.payload.len - 8, 8);
	assert_int_equal(length, 12);
	memcpy(&sample, record.payload.ptr + 16, sizeof(sample));
	assert_int_equal(sample.attributes, 3);
	assert_true(sample.sp < (uintptr_t)&mark && (uintptr_t)&mark + 8 <= sample.sp + sample.bytes);
	assert_memory_equal(record.payload.ptr + 16 + sizeof(sample) + ((uintptr_t)&mark - sample.sp), &mark,
			    8);
	assert_true(record.payload.len >= 16 + STACK_ROOM);
	queue_release(1);
}

static void test_put_goes_without_where_it_is_not_the_calls(void **state)
{
	(void)state;
	struct queue_record record;
	struct span span = asked(true);
	uint64_t before = count_get(stacks_elsewhere);
	thread.waits++;
	assert_int_equal(put(&span, 200, &record), RECORD_SPAN);
	assert_int_equal(record.payload.len, 12);
	queue_release(1);
	thread.waits--;
	span.reader = &span;
	assert_int_equal(put(&span, 200, &record), RECORD_SPAN);
	queue_release(1);
	assert_int_equal(count_get(stacks_elsewhere), before + 2);
	stack_never(&span);
	assert_int_equal(put(&span, 200, &record), RECORD_SPAN);
	queue_release(1);
	assert_int_equal(count_get(stacks_elsewhere), before + 2);
}

static void test_put_goes_without_when_off_or_at_a_clock_that_ran_back(void **state)
{
	(void)state;
	struct queue_record record;
	struct span span = asked(false);
	assert_int_equal(put(&span, 50, &record), RECORD_SPAN);
	queue_release(1);
	config.stack_after = UINT64_MAX;
	span.failed = true;
	assert_int_equal(put(&span, 200, &record), RECORD_SPAN);
	queue_release(1);
}

static void test_put_leaves_half_of_the_queue_to_spans(void **state)
{
	(void)state;
	struct span span = asked(true);
	struct bytes part = {records_room, sizeof(records_room)};
	struct queue_record record[32];
	uint64_t before = count_get(stacks_no_room);
	for (int i = 0; i < 8; i++)
		assert_true(queue_put(RECORD_SPAN, &part, 1));
	assert_true(stack_put(&span, 200, &part, 1));
	assert_int_equal(count_get(stacks_no_room), before + 1);
	assert_int_equal(queue_peek(record, 32, SIZE_MAX), 9);
	assert_int_equal(record[8].kind, RECORD_SPAN);
	queue_release(9);
}

/* What the sanitizer keeps for each thread lies between its stack and libc's part, and is no little. */
#ifdef __SANITIZE_THREAD__
#define THREAD_STACK (4 << 20)
#else
#define THREAD_STACK (256 << 10)
#endif

static void *end_in_thread(void *arg)
{
	*(uintptr_t *)arg = stack_end((uintptr_t)__builtin_frame_address(0));
	return NULL;
}

static void test_end_of_a_threads_stack(void **state)
{
	(void)state;
	pthread_t made;
	pthread_attr_t attributes;
	uintptr_t end = 0, self = (uintptr_t)__builtin_frame_address(0);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, THREAD_STACK);
	stack_thread_made(&attributes);
	assert_int_equal(pthread_create(&made, &attributes, end_in_thread, &end), 0);
	pthread_join(made, NULL);
	assert_true(end != 0 && end != stack_end(self));
	assert_true(stack_end(self) > self && stack_end(self) - self < 64 << 20);
}

/* A mapping that the kernel lays right below them may be a context's stack. */
static void test_below_the_first_threads_own_data_is_no_stack(void **state)
{
	(void)state;
	assert_int_equal(stack_end((uintptr_t)pthread_self() - 64), 0);
}

static uintptr_t context_end;
static ucontext_t here, there;

static void in_context(void)
{
	context_end = stack_end((uintptr_t)__builtin_frame_address(0));
}

static uintptr_t switch_to(char *stack, size_t size)
{
	getcontext(&there);
	there.uc_stack.ss_sp = stack;
	there.uc_stack.ss_size = size;
	there.uc_link = &here;
	makecontext(&there, in_context, 0);
	swapcontext(&here, &there);
	return context_end;
}

static void test_end_of_a_contexts_stack_and_of_one_that_nobody_knows(void **state)
{
	(void)state;
	char *stack = mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(stack, MAP_FAILED);
	assert_int_equal(switch_to(stack, 1 << 15), 0);
	stack_context_made(stack, 1 << 15);
	assert_int_equal(switch_to(stack, 1 << 15), (uintptr_t)stack + (1 << 15));
	stack_context_made(stack, 1 << 16);
	assert_int_equal(switch_to(stack, 1 << 16), (uintptr_t)stack + (1 << 16));
	munmap(stack, 1 << 16);
}

static void test_copy_reads_no_further_than_it_was_told(void **state)
{
	(void)state;
	char to[64] = "";
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memcpy(page + 4096 - 16, "0123456789abcdef", 16);
	munmap(page + 4096, 4096);
	stack_copy(to, page + 4096 - 16, 16);
	assert_string_equal(to, "0123456789abcdef");
	stack_copy(to, page, 0);
	assert_string_equal(to, "0123456789abcdef");
	munmap(page, 4096);
}

static int settled;

static void settler(int timeout_ms)
{
	assert_true(timeout_ms > 0);
	settled++;
}

static void test_settle_waits_not_again_in_vain(void **state)
{
	(void)state;
	stack_settler = settler;
	stack_forked();
	atomic_store(&stacks_waiting, 2);
	stack_settle();
	stack_settle();
	assert_int_equal(settled, 1);
	stack_read();
	stack_settle();
	assert_int_equal(settled, 1);
	stack_read();
	atomic_store(&stacks_waiting, 1);
	stack_settle();
	assert_int_equal(settled, 2);
	stack_forked();
	assert_int_equal(stacks_waiting, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_wanted_of_slow_or_failed_calls, fresh),
		cmocka_unit_test_setup(test_put_lays_the_stack_behind_the_span, fresh),
		cmocka_unit_test_setup(test_put_goes_without_where_it_is_not_the_calls, fresh),
		cmocka_unit_test_setup(test_put_goes_without_when_off_or_at_a_clock_that_ran_back, fresh),
		cmocka_unit_test_setup(test_put_leaves_half_of_the_queue_to_spans, fresh),
		cmocka_unit_test_setup(test_end_of_a_threads_stack, fresh),
		cmocka_unit_test_setup(test_end_of_a_contexts_stack_and_of_one_that_nobody_knows, fresh),
		cmocka_unit_test(test_below_the_first_threads_own_data_is_no_stack),
		cmocka_unit_test_setup(test_settle_waits_not_again_in_vain, fresh),
		cmocka_unit_test_setup(test_copy_reads_no_further_than_it_was_told, fresh),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
