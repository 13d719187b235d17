/* Calls of client libraries: found by their handles while those live, by one thread at a time; what was kept of one is what
 * the next one says; no more is under way than may be; and who is inside whose call. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "preload/activity.h"
#include "preload/call.h"
#include "preload/clock.h"
#include "preload/config.h"
#include "preload/counters.h"
#include "preload/protocol.h"
#include "preload/queue.h"
#include "tests/support/attrs_text.h"

#define MOST 64
static char handles[MOST * 8];

static uint32_t exported(void)
{
	struct queue_record records[MOST];
	uint32_t count = 0;
	size_t n;
	while ((n = queue_peek(records, MOST, SIZE_MAX)) > 0) {
		queue_release(n);
		count += (uint32_t)n;
	}
	return count;
}

static void test_handles_come_and_go(void **state)
{
	(void)state;
	assert_null(call_find(&handles[0]));
	assert_null(call_find(NULL));
	assert_null(call_open(NULL));
	struct call *call = call_open(&handles[0]);
	assert_non_null(call);
	assert_null(call_find(&handles[0])); /* taken */
	call->own[0] = 7;
	call_release(call);
	assert_ptr_equal(call_find(&handles[0]), call);
	call_release(call);
	call_close(&handles[0], true);
	assert_null(call_find(&handles[0]));
	call_close(&handles[0], true); /* twice does no harm */

	/* An address that is used again, without its end having been seen. */
	call = call_open(&handles[0]);
	call->own[0] = 7;
	call_release(call);
	struct call *second = call_open(&handles[0]);
	assert_int_equal(second->own[0], 0);
	call_release(second);
	call_close(&handles[0], true);

	/* Closed while a thread is at it. */
	call = call_open(&handles[1]);
	call_close(&handles[1], true);
	assert_null(call_find(&handles[1]));
	second = call_open(&handles[1]);
	assert_ptr_not_equal(call, second);
	call_release(call);
	call_release(second);
	assert_ptr_equal(call_find(&handles[1]), second);
	call_release(second);
	call_close(&handles[1], true);
}

static void test_owned(void **state)
{
	(void)state;
	for (size_t i = 0; i < 10; i++) {
		struct call *call = call_open(&handles[i]);
		call->own[0] = 7 + i % 2;
		call_release(call);
	}
	call_close_owned(8);
	for (size_t i = 0; i < 10; i++) {
		struct call *call = call_find(&handles[i]);
		assert_int_equal(call != NULL, i % 2 == 0);
		if (call)
			call_release(call);
	}
	call_close_owned(7);
	assert_null(call_find(&handles[0]));
}

static void test_there_are_so_many(void **state)
{
	(void)state;
	uint64_t refused = count_get(calls_no_slot);
	for (int round = 0; round < 3; round++) {
		int open = 0;
		for (size_t i = 0; i < sizeof(handles); i++) {
			struct call *call = call_open(&handles[i]);
			if (call) {
				call_release(call);
				open++;
			}
		}
		assert_int_equal(open, MOST);
		refused += sizeof(handles) - MOST;
		assert_int_equal(count_get(calls_no_slot), refused);
		for (size_t i = 0; i < sizeof(handles); i++)
			call_close(&handles[i], true);
	}
}

static struct span *begun(void)
{
	struct span *span = call_begin(clock_now());
	assert_non_null(span);
	assert_true(span->identified && span->recording);
	return span;
}

static void test_what_is_kept(void **state)
{
	(void)state;
	struct call *call = call_open(&handles[0]);
	struct span *first = begun(), *second = begun();
	struct protocol_facts facts = {.attrs = &first->attrs, .name = BYTES("SELECT t")};
	static char text[4000];

	assert_false(call_recall(call, second));
	assert_false(call_keep(call, first)); /* nothing */
	attrs_string(&first->attrs, BYTES("db.system.name"), BYTES("sqlite"));
	attrs_string(&first->attrs, BYTES("db.query.text"), BYTES("SELECT x FROM t"));
	call_told(first, &facts);
	assert_true(call_keep(call, first));
	assert_true(call_recall(call, second));
	assert_int_equal(second->attrs.len, first->attrs.len);
	assert_int_equal(second->attrs.count, 2);
	assert_memory_equal(second->attrs.buf, first->attrs.buf, first->attrs.len);
	assert_int_equal(second->name_len, 8);
	assert_memory_equal(second->name, "SELECT t", 8);

	/* What does not fit is not kept by halves. */
	memset(text, 'x', sizeof(text));
	attrs_string(&first->attrs, BYTES("long"), (struct bytes){text, sizeof(text)});
	call_release(call);
	call = call_open(&handles[0]);
	assert_false(call_keep(call, first));
	struct span *third = begun();
	assert_false(call_recall(call, third));
	call_release(call);
	call_close(&handles[0], true);
	span_discard(first);
	span_discard(second);
	span_discard(third);
}

static void test_what_is_under_way(void **state)
{
	(void)state;
	uint64_t refused = count_get(calls_not_held);
	int held = 0;
	exported();
	for (int i = 0; i < MOST; i++) {
		struct call *call = call_open(&handles[i]);
		struct span *span = begun();
		call->begun = call->last = call_tick();
		if (call_hold(call, span))
			held++;
		else
			span_discard(span);
		call_release(call);
	}
	assert_int_equal(held, MOST / 2);
	assert_int_equal(count_get(calls_not_held), refused + MOST / 2);

	call_close(&handles[0], true); /* ends it */
	assert_int_equal(exported(), 1);
	call_close(&handles[1], false); /* forgets it */
	assert_int_equal(exported(), 0);
	struct call *call = call_find(&handles[2]);
	call_done(call, true);
	call_done(call, true);
	assert_int_equal(exported(), 1);
	assert_true(call_hold(call, begun()));
	call_release(call);
	call_flush();
	assert_int_equal(exported(), MOST / 2 - 2);
	call_flush();
	assert_int_equal(exported(), 0);
	for (int i = 0; i < MOST; i++)
		call_close(&handles[i], true);
	assert_int_equal(exported(), 0);
}

static void test_ends_when_the_last_function_returned(void **state)
{
	(void)state;
	struct call *call = call_open(&handles[0]);
	uint64_t start = clock_now(), until;
	call->begun = call_tick();
	assert_true(call_hold(call, call_begin(start)));
	while (clock_now() < start + 5000000)
		;
	call->last = call_tick();
	until = clock_now();
	while (clock_now() < until + 50000000)
		;
	uint64_t end;
	struct span *span = call_take(call, &end);
	assert_in_range(end, start, until + 1000000); /* not when it was asked */
	span_discard(span);
	call_release(call);
	call_close(&handles[0], true);
}

/* --- whose call is it? */

static __attribute__((noinline)) enum call_kind deeper(int levels)
{
	volatile char room[200];
	room[0] = (char)levels;
	return levels ? deeper(levels - 1) + (room[0] - (char)levels) : call_within();
}

static void (*volatile jump)(jmp_buf *where); /* nobody knows that it does not return */

static __attribute__((noinline)) void left_by_a_jump(jmp_buf *where)
{
	CALL_WHILE(CALL_CLIENT, NULL);
	longjmp(*where, 1);
}

static __attribute__((noinline)) void far_down(jmp_buf *where)
{
	volatile char room[4000];
	room[0] = 0;
	jump(where);
	assert_int_equal(room[0], 0);
}

static void test_within(void **state)
{
	(void)state;
	assert_int_equal(deeper(3), CALL_NONE);
	{
		CALL_WHILE(CALL_CLIENT, NULL);
		assert_int_equal(deeper(0), CALL_CLIENT);
		assert_int_equal(deeper(20), CALL_CLIENT);
		struct call_outer before = call_enter(CALL_EMBEDDED, NULL);
		assert_int_equal(deeper(3), CALL_EMBEDDED);
		call_leave(&before);
		assert_int_equal(deeper(3), CALL_CLIENT);
	}
	assert_int_equal(deeper(3), CALL_NONE);

	jmp_buf where;
	jump = left_by_a_jump;
	if (setjmp(where) == 0)
		far_down(&where);
	assert_int_equal(thread.call, CALL_CLIENT); /* nobody has put it back */
	assert_int_equal(call_within(), CALL_NONE);
	assert_int_equal(deeper(1), CALL_NONE);
	thread.call = CALL_NONE;
}

static __attribute__((noinline)) bool owns(const struct span *span)
{
	return call_owns(span);
}

static void test_the_wire_tells_what_it_knows(void **state)
{
	(void)state;
	struct span *outer = begun(), *wire = begun();
	attrs_string(&wire->attrs, BYTES("db.system.name"), BYTES("postgresql"));
	attrs_string(&wire->attrs, BYTES("server.address"), BYTES("db.example"));
	attrs_int(&wire->attrs, BYTES("server.port"), 5433);
	attrs_string(&wire->attrs, BYTES("db.namespace"), BYTES("shop"));
	attrs_string(&outer->attrs, BYTES("db.namespace"), BYTES("own"));
	assert_false(owns(wire));
	assert_int_equal(outer->attrs.count, 1);
	{
		CALL_WHILE(CALL_EMBEDDED, outer);
		assert_false(owns(wire));
	}
	for (int i = 0; i < 2; i++) {
		CALL_WHILE(CALL_CLIENT, outer);
		assert_true(owns(wire));
		assert_true(owns(begun())); /* one that knows nothing */
	}
	{
		CALL_WHILE(CALL_CLIENT, NULL);
		assert_true(owns(wire));
	}
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	attrs_text(&outer->attrs, "", out);
	fclose(out);
	assert_string_equal(text, "db.namespace=\"own\"\nserver.address=\"db.example\"\nserver.port=5433\n");
	free(text);
}

/* --- many threads on few handles */

static void *hammer(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;
	for (int i = 0; i < 20000; i++) {
		const char *handle = &handles[rand_r(&seed) % 8];
		struct call *call = rand_r(&seed) % 4 ? call_find(handle) : call_open(handle);
		if (call) {
			assert_int_equal(call->handle, (uintptr_t)handle);
			call->own[1]++; /* nobody else does */
			call_release(call);
		}
		if (rand_r(&seed) % 8 == 0)
			call_close(handle, true);
	}
	return NULL;
}

static void test_threads(void **state)
{
	(void)state;
	pthread_t threads[4];
	for (uintptr_t i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, hammer, (void *)(i + 1)); // NOLINT
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	for (size_t i = 0; i < 8; i++)
		call_close(&handles[i], true);
	test_there_are_so_many(state); /* none was lost */
}

static int set_up(void **state)
{
	char *env[] = {"OTEL_TRACES_EXPORTER=none", NULL};
	(void)state;
	config_load(env, "test");
	clock_adjust();
	return span_init(1024) && blocks_init(64) && queue_open(1 << 20, 0) && call_init(MOST) ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_handles_come_and_go),
		cmocka_unit_test(test_owned),
		cmocka_unit_test(test_there_are_so_many),
		cmocka_unit_test(test_what_is_kept),
		cmocka_unit_test(test_what_is_under_way),
		cmocka_unit_test(test_ends_when_the_last_function_returned),
		cmocka_unit_test(test_within),
		cmocka_unit_test(test_the_wire_tells_what_it_knows),
		cmocka_unit_test(test_threads),
	};
	return cmocka_run_group_tests(tests, set_up, NULL);
}
