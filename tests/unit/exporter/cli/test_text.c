/* Text from outside must not reach a terminal as it is. */
#include <locale.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "exporter/cli/text.h"

static void shows(const char *text, size_t len, const char *expected)
{
	char out[64];

	assert_int_equal(text_escape(out, sizeof(out), text, len), strlen(expected));
	assert_string_equal(out, expected);
}

static void test_escape_makes_controls_visible(void **state)
{
	(void)state;
	shows("a\033[31mb", 7, "a\\x1b[31mb");
	shows("\n\t\r\0\x7f", 5, "\\n\\t\\r\\x00\\x7f");
	shows("\xc2\x9b", 2, "\\x9b");            /* CSI in one character */
	shows("\xe2\x80\xae", 3, "\\u202e");      /* right-to-left override */
	shows("\xf3\xa0\x80\x81", 4, "\\ue0001"); /* a tag, invisible */
	shows("gr\xc3\xbc\xc3\x9f", 6, "gr\xc3\xbc\xc3\x9f");
}

static void test_escape_shows_broken_utf8_as_bytes(void **state)
{
	(void)state;
	shows("\xff", 1, "\\xff");
	shows("\xc3", 1, "\\xc3");
	shows("\xc0\xaf", 2, "\\xc0\\xaf");          /* overlong */
	shows("\xed\xa0\x80", 3, "\\xed\\xa0\\x80"); /* a surrogate */
	shows("\xf5\x80\x80\x80", 4, "\\xf5\\x80\\x80\\x80");
}

static void test_escape_cuts_at_a_character(void **state)
{
	char out[16];

	(void)state;
	for (size_t len = 0; len < 40; len++) {
		char text[40] = "";
		for (size_t i = 0; i < len; i++)
			text[i] = i % 2 ? '\xbc' : '\xc3';
		memset(out, 'Z', sizeof(out));
		size_t used = text_escape(out, sizeof(out), text, len & ~(size_t)1);
		assert_true(used < sizeof(out));
		assert_int_equal(strlen(out), used);
		if (len >= 16)
			assert_string_equal(out + used - 3, "...");
		assert_int_equal((used - (len >= 16 ? 3 : 0)) % 2, 0);
	}
}

static void fits(const char *text, size_t width, const char *expected)
{
	char *out;
	size_t len;
	FILE *file = open_memstream(&out, &len);

	text_fit(file, text, width, "…");
	fclose(file);
	assert_string_equal(out, expected);
	free(out);
}

static void test_fit_gives_exactly_the_width(void **state)
{
	(void)state;
	fits("abc", 5, "abc  ");
	fits("abcdef", 4, "abc…");
	fits("grün", 4, "grün");
	fits("日本語", 5, "日本…");
	fits("日本語", 4, "日… "); /* a wide character does not fit half */
	fits("abc", 0, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_escape_makes_controls_visible),
		cmocka_unit_test(test_escape_shows_broken_utf8_as_bytes),
		cmocka_unit_test(test_escape_cuts_at_a_character),
		cmocka_unit_test(test_fit_gives_exactly_the_width),
	};

	setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
