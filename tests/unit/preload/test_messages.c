#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "preload/config.h"
#include "preload/counters.h"
#include "preload/messages.c" /* a thread is stopped in the midst of a message */

static span_ref begin(void)
{
	struct span *span = span_begin(SPAN_SERVER, 1);
	assert_non_null(span);
	return span_reference(span);
}

static void end(span_ref ref)
{
	span_discard(span_of(ref));
}

static int set_up(void **state)
{
	char *env[] = {NULL};
	(void)state;
	config_load(env, "test");
	return span_init(16384) ? 0 : -1;
}

static uint64_t key_of(uint64_t channel, uint64_t word)
{
	return message_key(channel, &word, sizeof(word));
}

static void test_key_wants_an_address(void **state)
{
	(void)state;
	static int variable[2] __attribute__((aligned(8)));
	void *heap = malloc(64), *mapped = malloc(1 << 20);
	uint64_t on_stack __attribute__((aligned(8))) = 0;
	assert_int_not_equal(message_key_of(1, variable), 0);
#if !defined(__SANITIZE_ADDRESS__) && \
	!defined(__SANITIZE_THREAD__) /* whose heaps lie where nobody else's do */
	assert_int_not_equal(message_key_of(1, heap), 0);
	assert_int_not_equal(message_key_of(1, mapped), 0);
#endif
	assert_int_not_equal(message_key_of(1, &on_stack), 0);
	/* Counts, times, text, an address that nothing of the size of a task can have. */
	assert_int_equal(key_of(1, 0), 0);
	assert_int_equal(key_of(1, 1), 0);
	assert_int_equal(key_of(1, 1000000), 0);
	assert_int_equal(key_of(1, 1700000000000), 0);
	assert_int_equal(key_of(1, 1700000000000000000), 0);
	assert_int_equal(message_key(1, "xello!\0", 8), 0);
	assert_int_equal(message_key(1, "wake up!", 8), 0);
	assert_int_equal(message_key_of(1, (char *)heap + 1), 0);
	/* Not the size of one, and too much for a name. */
	uint64_t words[9] = {(uint64_t)(uintptr_t)variable};
	assert_int_equal(message_key(1, words, 7), 0);
	assert_int_equal(message_key(1, words, 12), 0);
	assert_int_equal(message_key(1, words, sizeof(words)), 0);
	assert_int_not_equal(message_key(1, words, MESSAGE_MAX), 0);
	free(heap);
	free(mapped);
}

static void test_key_is_of_channel_and_bytes(void **state)
{
	(void)state;
	uint64_t words[2] = {(uint64_t)(uintptr_t)&state, 1}, other[2] = {words[0], 2};
	uint64_t key = message_key(1, words, sizeof(words));
	assert_int_equal(key, message_key(1, words, sizeof(words)));
	assert_int_not_equal(key, message_key(2, words, sizeof(words)));
	assert_int_not_equal(key, message_key(1, other, sizeof(other)));
	assert_int_not_equal(key, message_key(1, words, sizeof(words[0])));
}

static void test_taken_is_the_senders(void **state)
{
	(void)state;
	span_ref a = begin(), b = begin();
	message_place at;
	bool sure;
	message_sent(101, a, true);
	message_sent(102, b, false);
	assert_int_equal(message_taken(102, &at), b);
	assert_true(message_holds(at, 102, b, &sure));
	assert_false(sure);
	assert_false(message_holds(at, 102, a, &sure));
	assert_int_equal(message_taken(101, &at), a);
	assert_true(message_holds(at, 101, a, &sure));
	assert_true(sure);
	assert_int_equal(message_taken(103, &at), SPAN_NOBODY);
	assert_int_equal(at, 0);
	assert_false(message_holds(at, 103, a, &sure));
	end(a);
	assert_int_equal(message_taken(101, &at), SPAN_NOBODY);
	end(b);
}

/* A wake-up, or memory given back early: neither's, also for who has taken it already, and for good. */
static void test_same_for_two_at_once_is_neithers(void **state)
{
	(void)state;
	span_ref a = begin(), b = begin();
	message_place at;
	bool sure;
	message_sent(201, a, true);
	assert_int_equal(message_taken(201, &at), a);
	message_sent(201, a, true); /* its own, once more */
	assert_true(message_holds(at, 201, a, &sure));
	message_sent(201, b, true);
	assert_false(message_holds(at, 201, a, &sure));
	assert_int_equal(message_taken(201, &at), SPAN_NOBODY);
	end(a);
	end(b);
	span_ref c = begin();
	message_sent(201, c, true);
	assert_int_equal(message_taken(201, &at), SPAN_NOBODY);
	end(c);
}

static void test_same_after_its_end_is_the_next_ones(void **state)
{
	(void)state;
	span_ref a = begin();
	message_place at;
	message_sent(301, a, true);
	end(a);
	span_ref b = begin();
	message_sent(301, b, true);
	assert_int_equal(message_taken(301, &at), b);
	/* And what nobody in particular sends is not its. */
	message_sent(301, SPAN_NOBODY, false);
	assert_int_equal(message_taken(301, &at), SPAN_NOBODY);
	end(b);
}

static void test_nobodys_is_not_kept(void **state)
{
	(void)state;
	message_place at;
	message_sent(401, SPAN_NOBODY, false);
	span_ref a = begin();
	message_sent(401, a, true);
	assert_int_equal(message_taken(401, &at), a);
	end(a);
	message_sent(401, SPAN_NOBODY, false); /* of one that is over: no doubt is left behind */
	span_ref b = begin();
	message_sent(401, b, true);
	assert_int_equal(message_taken(401, &at), b);
	end(b);
}

static void test_full_table_counts(void **state)
{
	(void)state;
	span_ref a = begin();
	uint64_t before = count_get(messages_unkept);
	message_place at;
	for (uint64_t i = 0; i < 20; i++)
		message_sent((77ull << 40) + i, a, true);
	assert_true(count_get(messages_unkept) > before);
	assert_int_equal(message_taken((77ull << 40) + 19, &at), SPAN_NOBODY);
	end(a);
	/* What is over makes room. */
	span_ref b = begin();
	message_sent((77ull << 40) + 19, b, true);
	assert_int_equal(message_taken((77ull << 40) + 19, &at), b);
	end(b);
}

#define TURNS 20000
static pthread_barrier_t both, done;
static span_ref of[2];

static void *sender(void *arg)
{
	long me = (long)(intptr_t)arg;
	for (uint64_t i = 0; i < TURNS; i++) {
		pthread_barrier_wait(&both);
		message_sent((i << 40) + 5, of[me], true);
		pthread_barrier_wait(&done);
	}
	return NULL;
}

/* Both send the same at the same moment: whoever takes it then gets neither. */
static void test_two_at_the_same_moment(void **state)
{
	(void)state;
	pthread_t threads[2];
	span_ref a = begin(), b = begin();
	of[0] = a, of[1] = b;
	pthread_barrier_init(&both, NULL, 3);
	pthread_barrier_init(&done, NULL, 3);
	for (long i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, sender, (void *)(intptr_t)i);
	for (uint64_t i = 0; i < TURNS; i++) {
		message_place at;
		pthread_barrier_wait(&both);
		pthread_barrier_wait(&done);
		assert_int_equal(message_taken((i << 40) + 5, &at), SPAN_NOBODY);
	}
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	end(a);
	end(b);
}

/* The one is held up in the only place that is left, the other finds none meanwhile. */
static void test_two_at_the_same_moment_and_room_for_one(void **state)
{
	const uint64_t key = ((uint64_t)4000 << 40) + 5;
	message_place at;
	(void)state;
	memset(places, 0, sizeof(places));
	span_ref a = begin(), b = begin(), other = begin();
	for (uint64_t i = 1; i < PROBES; i++)
		message_sent(key + i, other, true);
	uint64_t before = atomic_load(&missed);
	struct place *last = probe(key, PROBES - 1);
	assert_true(claim(last));
	message_sent(key, b, true);
	settle(last, key, a | SURE, before);
	assert_int_equal(message_taken(key, &at), SPAN_NOBODY);
	end(a), end(b), end(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_key_wants_an_address),
		cmocka_unit_test(test_key_is_of_channel_and_bytes),
		cmocka_unit_test(test_taken_is_the_senders),
		cmocka_unit_test(test_same_for_two_at_once_is_neithers),
		cmocka_unit_test(test_same_after_its_end_is_the_next_ones),
		cmocka_unit_test(test_nobodys_is_not_kept),
		cmocka_unit_test(test_full_table_counts),
		cmocka_unit_test(test_two_at_the_same_moment),
		cmocka_unit_test(test_two_at_the_same_moment_and_room_for_one),
	};
	return cmocka_run_group_tests(tests, set_up, NULL);
}
