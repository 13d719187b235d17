/* The sampler against the reference values of otel.md 3.4. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "preload/sampler.h"

static char text[CONTEXT_STATE_MAX];

static void use(enum sampler_root root, bool parent_based, double ratio)
{
	sampler_configure(&(struct sampler){.root = root, .parent_based = parent_based, .ratio = ratio});
}

/* A context whose low 56 bits are `r`. */
static struct context with_randomness(uint64_t r)
{
	struct context context = {.valid = true, .flags = FLAG_RANDOM};
	context.trace_id[0] = context.span_id[0] = 1;
	for (int i = 15; i >= 9; i--, r >>= 8)
		context.trace_id[i] = (uint8_t)r;
	return context;
}

#define assert_state(context, expected)                                                    \
	do {                                                                               \
		assert_int_equal((context).tracestate.len, strlen(expected));              \
		assert_memory_equal((context).tracestate.ptr, expected, strlen(expected)); \
	} while (0)

static void test_decide_writes_reference_thresholds(void **state)
{
	static const struct {
		double p;
		const char *state;
	} rows[] = {
		{1, "ot=th:0"},        {0.5, "ot=th:8"},        {1.0 / 3, "ot=th:aaab"},
		{0.3, "ot=th:b333"},   {0.25, "ot=th:c"},       {0.2, "ot=th:cccd"},
		{0.125, "ot=th:e"},    {0.1, "ot=th:e666"},     {0.05, "ot=th:f3333"},
		{0.01, "ot=th:fd70a"}, {0.001, "ot=th:ffbe77"}, {0.0001, "ot=th:fff9724"},
		{0.9, "ot=th:199a"},   {0.999, "ot=th:0042"},   {1e-6, "ot=th:ffffef39"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct context child = with_randomness(0xffffffffffffff);
		use(SAMPLER_RATIO, true, rows[i].p);
		assert_true(sampler_decide(NULL, &child, text, sizeof(text)));
		assert_state(child, rows[i].state);
		assert_int_equal(child.flags, FLAG_RANDOM | FLAG_SAMPLED);
	}
}

static void test_decide_keeps_from_the_threshold_on(void **state)
{
	struct context below = with_randomness(0xbfffffffffffff), at = with_randomness(0xc0000000000000);
	(void)state;
	use(SAMPLER_RATIO, false, 0.25);
	assert_false(sampler_decide(NULL, &below, text, sizeof(text)));
	assert_int_equal(below.tracestate.len, 0);
	assert_int_equal(below.flags, FLAG_RANDOM);
	assert_true(sampler_decide(NULL, &at, text, sizeof(text)));
}

static void test_decide_ratio_zero_keeps_nothing(void **state)
{
	struct context child = with_randomness(0xffffffffffffff);
	(void)state;
	use(SAMPLER_RATIO, false, 0);
	assert_false(sampler_decide(NULL, &child, text, sizeof(text)));
}

/* What a span of `flags` in a trace of randomness 0x80.. makes of its parent's tracestate. */
static struct context follow(const char *tracestate, uint8_t flags)
{
	struct context parent = with_randomness(0x80000000000000), child = parent;
	parent.tracestate = bytes_of(tracestate);
	parent.flags = flags;
	sampler_decide(&parent, &child, text, sizeof(text));
	assert_int_equal(child.flags & FLAG_SAMPLED, flags & FLAG_SAMPLED);
	return child;
}

static void test_decide_parent_based_keeps_only_consistent_thresholds(void **state)
{
	(void)state;
	use(SAMPLER_ALWAYS_OFF, true, 0);
	assert_state(follow("a=1,ot=th:8;x:y", FLAG_SAMPLED), "a=1,ot=th:8;x:y");
	assert_state(follow("a=1,ot=th:9;x:y", FLAG_SAMPLED), "ot=x:y,a=1"); /* R < T */
	assert_state(follow("a=1,ot=th:8;x:y", 0), "ot=x:y,a=1");            /* unsampled */
	assert_state(follow("a=1,ot=th:8,b=2", 0), "a=1,b=2");
	assert_state(follow("a=1,ot=th:XX,b=2", FLAG_SAMPLED), "a=1,b=2");
	assert_state(follow("ot=rv:a0000000000000;th:9", FLAG_SAMPLED), "ot=rv:a0000000000000;th:9");
	assert_state(follow("ot=rv:10000000000000;th:8", FLAG_SAMPLED), "ot=rv:10000000000000");
	assert_state(follow("a=1,b=2", FLAG_SAMPLED), "a=1,b=2");
}

static void test_decide_ratio_rewrites_a_parents_entry_in_front(void **state)
{
	(void)state;
	struct context parent = with_randomness(0x80000000000000), child = parent;
	use(SAMPLER_RATIO, false, 0.5);
	parent.tracestate = BYTES("a=1,ot=th:1;x:y,b=2");
	assert_true(sampler_decide(&parent, &child, text, sizeof(text)));
	assert_state(child, "ot=th:8;x:y,a=1,b=2");
	parent.tracestate = BYTES("ot=rv:7fffffffffffff,b=2");
	assert_false(sampler_decide(&parent, &child, text, sizeof(text)));
	assert_state(child, "ot=rv:7fffffffffffff,b=2");
}

static void test_decide_abandons_an_entry_beyond_256(void **state)
{
	char list[300];
	(void)state;
	struct context parent = with_randomness(0x80000000000000), child = parent;
	memset(list, 'v', sizeof(list));
	memcpy(list, "ot=x:", 5);
	list[3 + 254] = '\0';
	use(SAMPLER_RATIO, false, 0.5);
	parent.tracestate = bytes_of(list);
	assert_true(sampler_decide(&parent, &child, text, sizeof(text)));
	assert_state(child, list);
}

static void test_decide_drops_the_right_most_of_a_full_list(void **state)
{
	char list[200] = "", *at = list;
	(void)state;
	struct context parent = with_randomness(0x80000000000000), child = parent;
	for (int i = 0; i < 32; i++, at += 4)
		memcpy(at, (char[]){(char)('a' + i % 26), '=', (char)('0' + i / 10), i < 31 ? ',' : '\0'}, 4);
	use(SAMPLER_RATIO, false, 0.5);
	parent.tracestate = bytes_of(list);
	assert_true(sampler_decide(&parent, &child, text, sizeof(text)));
	list[31 * 4 - 1] = '\0';
	assert_int_equal(child.tracestate.len, strlen(list) + strlen("ot=th:8,"));
	assert_memory_equal(child.tracestate.ptr, "ot=th:8,a=0", 11);
	assert_memory_equal(child.tracestate.ptr + 8, list, strlen(list));
}

static void test_decide_honours_deny_at_the_root(void **state)
{
	struct context parent = {.deny = true}, child = with_randomness(0);
	(void)state;
	use(SAMPLER_ALWAYS_ON, true, 0);
	assert_false(sampler_decide(&parent, &child, text, sizeof(text)));
	assert_true(sampler_decide(NULL, &child, text, sizeof(text)));
}

static void test_describe_names_the_sampler(void **state)
{
	char out[256];
	(void)state;
	use(SAMPLER_RATIO, false, 0.25);
	sampler_describe(out, sizeof(out));
	assert_string_equal(out, "TraceIdRatioBased{0.250000}");
	use(SAMPLER_ALWAYS_ON, true, 0);
	assert_true(sampler_describe(out, sizeof(out)) < sizeof(out));
	assert_memory_equal(out, "ParentBased{root=AlwaysOnSampler", 32);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decide_writes_reference_thresholds),
		cmocka_unit_test(test_decide_keeps_from_the_threshold_on),
		cmocka_unit_test(test_decide_ratio_zero_keeps_nothing),
		cmocka_unit_test(test_decide_parent_based_keeps_only_consistent_thresholds),
		cmocka_unit_test(test_decide_ratio_rewrites_a_parents_entry_in_front),
		cmocka_unit_test(test_decide_abandons_an_entry_beyond_256),
		cmocka_unit_test(test_decide_drops_the_right_most_of_a_full_list),
		cmocka_unit_test(test_decide_honours_deny_at_the_root),
		cmocka_unit_test(test_describe_names_the_sampler),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
