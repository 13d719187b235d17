/* test_http1_scan.c - sixteen bytes at a time, as byte by byte, and never one outside of the text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "hooks/protocols/http1_scan.h"

static bool is_control(uint8_t c)
{
	return c == '\0' || c == '\r' || c == '\n';
}

static bool is_low(uint8_t c)
{
	return c <= '\r';
}

static bool ends_target(uint8_t c)
{
	return c <= ' ' || c == 0x7f;
}

static bool ends_query(uint8_t c)
{
	return c == '&' || c == '=' || c == '#';
}

static bool ends_token(uint8_t c)
{
	return !http1_token[c];
}

static const struct {
	const char *name;
	size_t (*scan)(struct bytes in, size_t at);
	bool (*ends)(uint8_t c);
	char filler;
} scans[] = {
	{"scan_low", scan_low, is_low, ' '},
	{"scan_control", scan_control, is_control, '\t'},
	{"scan_target", scan_target, ends_target, '/'},
	{"scan_query", scan_query, ends_query, 'k'},
	{"scan_token", scan_token, ends_token, 'x'},
};

#define LONGEST 50

static void check(size_t which, struct bytes in, size_t at)
{
	size_t got = scans[which].scan(in, at), expected = at;

	while (expected < in.len && !scans[which].ends((uint8_t)in.ptr[expected]))
		expected++;
	if (got != expected)
		fail_msg("%s from %zu of %zu: %zu and not %zu", scans[which].name, at, in.len, got, expected);
}

/* Texts of all lengths at either end of what can be read, from each place on, with a byte of each kind in
 * each place and the next one behind it. */
static void test_scans_find_the_first_and_stay_inside(void **unused)
{
	(void)unused;
	char *room = mmap(NULL, 3 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(room != MAP_FAILED && mprotect(room + 4096, 4096, PROT_READ | PROT_WRITE) == 0);
	static const uint8_t bytes[] = {0,   '\t', '\n', '\r', 14,   ' ',  '#',
					'&', '=',  ':',  0x7f, 0x80, 0xff, 'z'};

	for (size_t which = 0; which < sizeof(scans) / sizeof(scans[0]); which++)
		for (size_t len = 0; len <= LONGEST; len++)
			for (int end = 0; end < 2; end++) {
				char *text = room + 4096 + (end ? 4096 - len : 0);
				struct bytes in = {text, len};
				memset(text, scans[which].filler, len);
				for (size_t at = 0; at <= len; at++)
					check(which, in, at);
				for (size_t place = 0; place < len; place++)
					for (size_t i = 0; i < sizeof(bytes); i++) {
						text[place] = (char)bytes[i];
						if (place + 1 < len)
							text[place + 1] =
								(char)bytes[(i + 1) % sizeof(bytes)];
						for (size_t at = place > 17 ? place - 17 : 0; at <= place + 1;
						     at++)
							check(which, in, at);
						memset(text + place, scans[which].filler,
						       place + 1 < len ? 2 : 1);
					}
			}
	munmap(room, 3 * 4096);
}

static void test_scans_judge_each_byte(void **unused)
{
	(void)unused;
	char text[48];

	for (size_t which = 0; which < sizeof(scans) / sizeof(scans[0]); which++)
		for (unsigned c = 0; c < 256; c++)
			for (size_t place = 0; place < sizeof(text); place += 5) {
				memset(text, scans[which].filler, sizeof(text));
				text[place] = (char)c;
				check(which, (struct bytes){text, sizeof(text)}, 0);
				check(which, (struct bytes){text, sizeof(text)}, place);
			}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scans_find_the_first_and_stay_inside),
		cmocka_unit_test(test_scans_judge_each_byte),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
