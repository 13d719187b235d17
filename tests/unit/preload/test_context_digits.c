/* test_context_digits.c - sixteen digits at once, as one by one, and never a byte beside them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "preload/context_digits.h"
#include "preload/context_internal.h"

/* A page with one at either side that cannot be touched. */
static char *page(void)
{
	char *room = mmap(NULL, 3 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(room != MAP_FAILED && mprotect(room + 4096, 4096, PROT_READ | PROT_WRITE) == 0);
	return room + 4096;
}

static int value(unsigned c)
{
	return c >= '0' && c <= '9' ? (int)c - '0' : c >= 'a' && c <= 'f' ? (int)c - 'a' + 10 : -1;
}

/* Each byte at each place, among digits: at both ends of what can be read and written. */
static void test_eight_bytes_of_sixteen_digits(void **unused)
{
	(void)unused;
	static const char around[] = "0123456789abcdef";
	char *text = page(), *room = page();

	for (int end = 0; end < 2; end++) {
		char *digits = text + (end ? 4096 - 16 : 0);
		uint8_t *out = (uint8_t *)room + (end ? 4096 - 8 : 0), slow[8];
		for (unsigned at = 0; at < 16; at++)
			for (unsigned c = 0; c < 256; c++) {
				memcpy(digits, around, 16);
				digits[at] = (char)c;
				memset(out, 0x5a, 8);
				bool good = digits_eight(out, digits);
				if (good != (value(c) >= 0) || good != hex_decode_each(slow, digits, 8))
					fail_msg("0x%02x at %u", c, at);
				for (unsigned i = 0; good && i < 8; i++) {
					int high = value((uint8_t)digits[2 * i]),
					    low = value((uint8_t)digits[2 * i + 1]);
					if (out[i] != high * 16 + low || out[i] != slow[i])
						fail_msg("0x%02x at %u: byte %u is %02x", c, at, i, out[i]);
				}
			}
	}
	munmap(text - 4096, 3 * 4096);
	munmap(room - 4096, 3 * 4096);
}

static void test_any_bit_of_an_id(void **unused)
{
	(void)unused;
	char *room = page();

	for (size_t size = 8; size <= 16; size += 8)
		for (int end = 0; end < 2; end++) {
			uint8_t *id = (uint8_t *)room + (end ? 4096 - size : 0);
			memset(room, 0xff, 4096); /* beside it there is no id */
			memset(id, 0, size);
			assert_false(digits_any_bit(id, size));
			for (size_t bit = 0; bit < 8 * size; bit++) {
				id[bit / 8] = (uint8_t)(1u << bit % 8);
				assert_true(digits_any_bit(id, size));
				id[bit / 8] = 0;
			}
		}
	munmap(room - 4096, 3 * 4096);
}

/* The reader of what is sent most, which takes all of it by these. */
static void test_traceparent_flush_against_the_end(void **unused)
{
	(void)unused;
	static const char good[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
	static const uint8_t trace[] = {0x0a, 0xf7, 0x65, 0x19, 0x16, 0xcd, 0x43, 0xdd,
					0x84, 0x48, 0xeb, 0x21, 0x1c, 0x80, 0x31, 0x9c};
	const size_t len = sizeof(good) - 1;
	char *room = page();

	for (int end = 0; end < 2; end++) {
		char *text = room + (end ? 4096 - len : 0);
		struct context found = {.flags = 0};
		memcpy(text, good, len);
		assert_true(traceparent_decode((struct bytes){text, len}, &found));
		assert_memory_equal(found.trace_id, trace, sizeof(trace));
		assert_int_equal(found.span_id[7], 0x31);
		assert_int_equal(found.flags, 1);
		for (size_t at = 0; at < len; at++) {
			struct context untouched = found;
			text[at] = 'G';
			assert_false(traceparent_decode((struct bytes){text, len}, &untouched));
			assert_memory_equal(&untouched, &found, sizeof(found));
			text[at] = good[at];
		}
		for (unsigned first = 0; first < 256; first++)
			for (unsigned second = 0; second < 256; second++) {
				int flags = value(first) < 0 || value(second) < 0
						    ? -1
						    : value(first) * 16 + value(second);
				text[53] = (char)first;
				text[54] = (char)second;
				bool valid = traceparent_decode((struct bytes){text, len}, &found);
				if (valid != (flags >= 0) ||
				    (valid && found.flags != (flags & (FLAG_SAMPLED | FLAG_RANDOM))))
					fail_msg("flags 0x%02x%02x: %d %u", first, second, valid,
						 found.flags);
			}
		for (size_t cut = 0; cut < len; cut++) {
			memcpy(room + 4096 - cut, good, cut);
			assert_false(traceparent_decode((struct bytes){room + 4096 - cut, cut}, &found));
		}
	}
	munmap(room - 4096, 3 * 4096);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_eight_bytes_of_sixteen_digits),
		cmocka_unit_test(test_any_bit_of_an_id),
		cmocka_unit_test(test_traceparent_flush_against_the_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
