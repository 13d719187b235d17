#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "preload/counters.h"
#include "preload/queue.h"

static int fresh(void **state)
{
	(void)state;
	queue_set_waker(NULL);
	assert_true(queue_open(65536, 0));
	queue_forked(); /* empty and open again */
	return 0;
}

static bool put(const char *text)
{
	struct bytes parts[] = {{text, strlen(text) / 2},
				{text + strlen(text) / 2, strlen(text) - strlen(text) / 2}};
	return queue_put(RECORD_SPAN, parts, 2);
}

static void test_put_peek_release_in_order(void **state)
{
	(void)state;
	struct queue_record records[4];
	put("one");
	put("");
	put("three");
	assert_int_equal(queue_records(), 3);
	assert_int_equal(queue_peek(records, 4, SIZE_MAX), 3);
	assert_true(bytes_equal(records[0].payload, BYTES("one")));
	assert_int_equal(records[1].payload.len, 0);
	assert_true(bytes_equal(records[2].payload, BYTES("three")));
	queue_release(2);
	assert_int_equal(queue_peek(records, 4, SIZE_MAX), 1);
	assert_true(bytes_equal(records[0].payload, BYTES("three")));
	queue_release(1);
	assert_int_equal(queue_peek(records, 4, SIZE_MAX), 0);
	assert_int_equal(queue_used(), 0);
}

static void test_amend_shortens_what_is_peeked_and_nothing_else(void **state)
{
	(void)state;
	struct queue_record records[4];
	char *place = queue_begin(1000);
	assert_non_null(place);
	memset(place, 'x', 1000);
	queue_commit(place, RECORD_STACK, 1000);
	put("next");
	assert_int_equal(queue_peek(records, 4, SIZE_MAX), 2);
	assert_int_equal(records[0].kind, RECORD_STACK);
	queue_amend(&records[0], RECORD_SPAN, 1001); /* longer than it is */
	assert_int_equal(records[0].kind, RECORD_STACK);
	queue_amend(&records[0], RECORD_SPAN, 3);
	assert_int_equal(records[0].kind, RECORD_SPAN);
	for (int i = 0; i < 2; i++) { /* it stays so */
		assert_int_equal(queue_peek(records, 4, SIZE_MAX), 2);
		assert_true(records[0].kind == RECORD_SPAN && bytes_equal(records[0].payload, BYTES("xxx")));
		assert_true(bytes_equal(records[1].payload, BYTES("next")));
		queue_amend(&records[0], RECORD_SPAN, 3);
	}
	queue_release(1);
	assert_int_equal(queue_peek(records, 4, SIZE_MAX), 1);
	assert_true(bytes_equal(records[0].payload, BYTES("next")));
	queue_release(1);
	assert_int_equal(queue_used(), 0);
}

static void test_peek_honours_bytes_but_gives_one(void **state)
{
	(void)state;
	struct queue_record records[4];
	put("0123456789");
	put("0123456789");
	assert_int_equal(queue_peek(records, 4, 15), 1);
	assert_int_equal(queue_peek(records, 4, 1), 1);
	assert_int_equal(queue_peek(records, 4, 20), 2);
}

static void test_full_drops_and_counts(void **state)
{
	(void)state;
	char big[1000];
	uint64_t before = count_get(spans_queue_full);
	struct bytes part = {big, sizeof(big)};
	int taken = 0;
	memset(big, 'x', sizeof(big));
	while (queue_put(RECORD_SPAN, &part, 1))
		taken++;
	assert_in_range(taken, 60, 65);
	assert_int_equal(count_get(spans_queue_full), before + 1);
	struct queue_record record;
	assert_int_equal(queue_peek(&record, 1, SIZE_MAX), 1);
	queue_release(1);
	assert_true(queue_put(RECORD_SPAN, &part, 1) || queue_put(RECORD_SPAN, &(struct bytes){big, 400}, 1));
}

static void test_count_bound(void **state)
{
	(void)state;
	assert_true(queue_open(65536, 3));
	queue_forked();
	assert_true(put("a") && put("b") && put("c"));
	assert_false(put("d"));
}

static void test_closed_counts_as_shutdown(void **state)
{
	(void)state;
	uint64_t before = count_get(spans_after_shutdown);
	queue_close();
	assert_false(put("late"));
	assert_int_equal(count_get(spans_after_shutdown), before + 1);
}

static void test_wraps_many_times(void **state)
{
	(void)state;
	char text[600];
	struct queue_record record;
	for (int i = 0; i < 20000; i++) {
		size_t len = (size_t)(i * 37) % sizeof(text);
		memset(text, 'a' + i % 26, len);
		assert_true(queue_put(RECORD_SPAN, &(struct bytes){text, len}, 1));
		assert_int_equal(queue_peek(&record, 1, SIZE_MAX), 1);
		assert_int_equal(record.payload.len, len);
		if (len)
			assert_memory_equal(record.payload.ptr, text, len);
		queue_release(1);
	}
}

/* What is given back in one go is zero again, also where it lies on both sides of the ring's end: a place
 * that a writer has taken and not filled yet holds nothing to read. */
static void test_released_together_leaves_zeroes(void **state)
{
	(void)state;
	static const char zeroes[3000];
	char text[3000];
	struct queue_record records[32];
	memset(text, 0xff, sizeof(text));
	for (int i = 0; i < 3000; i++) {
		size_t count = 1 + (size_t)i % 19, len = (size_t)(i * 37) % sizeof(text);
		for (size_t k = 0; k < count; k++)
			assert_true(queue_put(RECORD_SPAN, &(struct bytes){text, len}, 1));
		assert_int_equal(queue_peek(records, 32, SIZE_MAX), count);
		queue_release(count);
		assert_int_equal(queue_records(), 0);
		assert_int_equal(queue_used(), 0);
		char *place = queue_begin(len);
		assert_int_equal(queue_peek(records, 32, SIZE_MAX), 0);
		assert_memory_equal(place, zeroes, len);
		memset(place, 0xff, len);
		queue_commit(place, RECORD_SPAN, len);
		assert_int_equal(queue_peek(records, 32, SIZE_MAX), 1);
		queue_release(5); /* more than there are */
		assert_int_equal(queue_records(), 0);
	}
}

/* Writers race, the reader checks that each record is whole and that nobody's order is broken. */
#define WRITERS 3
#define EACH 60000

static void *write_many(void *arg)
{
	uint32_t who = (uint32_t)(uintptr_t)arg;
	for (uint32_t i = 0; i < EACH; i++) {
		uint32_t body[40];
		size_t n = 2 + i % 38;
		for (size_t k = 0; k < n; k++)
			body[k] = who << 24 | i;
		struct bytes part = {(char *)body, n * sizeof(body[0])};
		while (!queue_put(RECORD_SPAN, &part, 1))
			sched_yield();
	}
	return NULL;
}

static void test_many_writers_one_reader(void **state)
{
	(void)state;
	pthread_t threads[WRITERS];
	uint32_t next[WRITERS] = {0}, seen = 0;
	for (uintptr_t i = 0; i < WRITERS; i++)
		pthread_create(&threads[i], NULL, write_many, (void *)i);
	while (seen < WRITERS * EACH) {
		struct queue_record records[16];
		size_t n = queue_peek(records, 16, SIZE_MAX);
		for (size_t i = 0; i < n; i++) {
			uint32_t first, word;
			memcpy(&first, records[i].payload.ptr, 4);
			for (size_t k = 0; k < records[i].payload.len; k += 4) {
				memcpy(&word, records[i].payload.ptr + k, 4);
				assert_int_equal(word, first);
			}
			assert_int_equal(first & 0xffffff, next[first >> 24]++);
		}
		queue_release(n);
		seen += (uint32_t)n;
		if (!n)
			sched_yield();
	}
	for (int i = 0; i < WRITERS; i++)
		pthread_join(threads[i], NULL);
}

static void test_child_starts_empty(void **state)
{
	(void)state;
	put("the parent's");
	pid_t pid = fork();
	if (pid == 0) {
		queue_forked();
		struct queue_record record;
		_exit(queue_records() == 0 && queue_peek(&record, 1, SIZE_MAX) == 0 && put("own") &&
				      queue_peek(&record, 1, SIZE_MAX) == 1
			      ? 0
			      : 1);
	}
	int status;
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	assert_int_equal(queue_records(), 1);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup(name, fresh)
	const struct CMUnitTest tests[] = {
		CASE(test_put_peek_release_in_order),
		CASE(test_amend_shortens_what_is_peeked_and_nothing_else),
		CASE(test_peek_honours_bytes_but_gives_one),
		CASE(test_full_drops_and_counts),
		CASE(test_wraps_many_times),
		CASE(test_released_together_leaves_zeroes),
		CASE(test_many_writers_one_reader),
		CASE(test_child_starts_empty),
		CASE(test_closed_counts_as_shutdown),
		CASE(test_count_bound),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
