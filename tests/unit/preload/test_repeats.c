/* test_repeats.c - the same statement again and again in one request: counted, told, collapsed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

#include "preload/activity.h"
#include "preload/config.h"
#include "preload/pool.h"
#include "preload/queue.h"
#include "preload/repeats.h"

static struct span *serve(void)
{
	struct span *span = span_begin(SPAN_SERVER, 1);
	span_identify(span, NULL);
	return span;
}

static struct span *statement(struct span *server, const char *name, uint64_t start)
{
	struct span *span = span_begin(SPAN_CLIENT, start);
	span_identify(span, &server->context);
	span->activity = span_reference(server);
	span_name(span, bytes_of(name));
	span->statement = repeats_hash(bytes_of(name));
	return span;
}

static void ask(struct span *server, const char *name, unsigned times)
{
	for (unsigned i = 0; i < times; i++)
		span_end(statement(server, name, 1000 * i), 1000 * i + 100 + i);
}

static bool holds(struct bytes record, const char *text)
{
	return memmem(record.ptr, record.len, text, strlen(text)) != NULL;
}

/* How many exported spans hold that; empties the queue when `last`. */
static unsigned exported(const char *text, bool last)
{
	static struct queue_record records[512];
	size_t count = queue_peek(records, 512, SIZE_MAX);
	unsigned found = 0;
	for (size_t i = 0; i < count; i++)
		found += holds(records[i].payload, text);
	if (last)
		queue_release(count);
	return found;
}

static int settings(void **state)
{
	(void)state;
	config.repeated_queries = 10;
	config.db_collapse = UINT32_MAX;
	exported("", true);
	return 0;
}

static void test_many_alike_are_told_on_the_request(void **state)
{
	(void)state;
	struct span *server = serve();
	ask(server, "SELECT orders", 41);
	ask(server, "SELECT users", 9);
	span_end(server, 100000);
	assert_int_equal(exported("SELECT orders x 41", false), 1);
	assert_int_equal(exported("SELECT users x", false), 0);
	assert_int_equal(exported("", true), 51);
}

static void test_the_threshold_is_a_setting(void **state)
{
	(void)state;
	config.repeated_queries = 2;
	struct span *server = serve();
	ask(server, "GET", 2);
	span_end(server, 100000);
	assert_int_equal(exported("GET x 2", true), 1);
	config.repeated_queries = 0;
	server = serve();
	ask(server, "GET", 200);
	span_end(server, 100000);
	assert_int_equal(exported("tagalong.repeated", true), 0);
}

static void test_one_stands_for_the_rest(void **state)
{
	(void)state;
	config.db_collapse = 3;
	struct span *server = serve();
	ask(server, "SELECT orders", 40);
	ask(server, "SELECT users", 3);
	assert_int_equal(exported("SELECT orders", false), 3);
	span_end(server, 100000);
	assert_int_equal(exported("tagalong.collapsed.sum", false), 1);
	assert_int_equal(exported("SELECT users", false), 3);
	assert_int_equal(exported("SELECT orders x 40", false), 1);
	assert_int_equal(exported("", true), 3 + 1 + 3 + 1);
}

static void test_what_was_seen_outside_is_exported(void **state)
{
	(void)state;
	config.db_collapse = 1;
	struct span *server = serve();
	ask(server, "GET", 3);
	struct span *seen = statement(server, "GET", 5);
	seen->exposed = true;
	span_end(seen, 6);
	span_end(server, 100000);
	assert_int_equal(exported("", true), 1 + 1 + 1 + 1);
}

static void test_a_request_that_is_not_exported_gives_back_what_it_kept(void **state)
{
	(void)state;
	config.db_collapse = 0;
	for (int i = 0; i < 300; i++) { /* more than there are slots */
		struct span *server = serve();
		ask(server, "GET", 3);
		if (i % 2)
			server->aside = true;
		if (i % 3)
			span_discard(server);
		else
			span_end(server, 100000);
	}
	exported("", true);
	struct span *server = serve();
	assert_non_null(server);
	span_discard(server);
}

static void test_more_kinds_than_fit_are_exported_uncounted(void **state)
{
	(void)state;
	struct span *server = serve();
	for (int kind = 0; kind < SPAN_REPEATS + 4; kind++) {
		char name[] = {'S', (char)('a' + kind), '\0'};
		ask(server, name, 12);
	}
	span_end(server, 100000);
	assert_int_equal(exported("", true), 12 * (SPAN_REPEATS + 4) + 1);
}

static void test_a_request_that_has_ended_is_left_alone(void **state)
{
	(void)state;
	struct span *server = serve();
	struct span *late = statement(server, "GET", 1);
	span_end(server, 2);
	struct span *other = serve(); /* in the same slot */
	assert_ptr_equal(other, server);
	span_end(late, 3);
	assert_int_equal(other->repeats, 0);
	span_discard(other);
	exported("", true);
}

static void *asks(void *server)
{
	ask(server, "GET", 50);
	return NULL;
}

static void test_threads_of_one_request(void **state)
{
	(void)state;
	pthread_t threads[4];
	config.db_collapse = 2;
	struct span *server = serve();
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, asks, server);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	uint32_t count = server->repeat[0].count, collapsed = server->repeat[0].collapsed;
	span_end(server, 100000);
	assert_true(count <= 200);
	/* What could not be counted for a lock was exported: nothing is lost. */
	assert_int_equal(exported("", true), 200 - collapsed + 1 + 1);
}

static int start(void **state)
{
	char *env[] = {NULL};
	(void)state;
	config_load(env, "test");
	return span_init(64) && blocks_init(64) && queue_open(1 << 20, 0) ? 0 : 1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_many_alike_are_told_on_the_request, settings),
		cmocka_unit_test_setup(test_the_threshold_is_a_setting, settings),
		cmocka_unit_test_setup(test_one_stands_for_the_rest, settings),
		cmocka_unit_test_setup(test_what_was_seen_outside_is_exported, settings),
		cmocka_unit_test_setup(test_a_request_that_is_not_exported_gives_back_what_it_kept, settings),
		cmocka_unit_test_setup(test_more_kinds_than_fit_are_exported_uncounted, settings),
		cmocka_unit_test_setup(test_a_request_that_has_ended_is_left_alone, settings),
		cmocka_unit_test_setup(test_threads_of_one_request, settings),
	};
	return cmocka_run_group_tests(tests, start, NULL);
}
