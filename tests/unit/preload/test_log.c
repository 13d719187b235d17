/* The formatter, and where lines go. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "preload/log.h"

static void test_format_agrees_with_printf(void **state)
{
	char ours[256], theirs[256];
	(void)state;
#define SAME(...)                                                      \
	do {                                                           \
		int len = log_format(ours, sizeof(ours), __VA_ARGS__); \
		snprintf(theirs, sizeof(theirs), __VA_ARGS__);         \
		assert_string_equal(ours, theirs);                     \
		assert_int_equal(len, strlen(theirs));                 \
	} while (0)
	SAME("%d %d %d %u", 0, INT32_MIN, INT32_MAX, UINT32_MAX);
	SAME("%ld %lu %lld %llu %zu %x", INT64_MIN, UINT64_MAX, -1LL, 1ULL << 63, (size_t)7, 0xbeefu);
	SAME("[%s] [%.*s] [%.*s] %c%% %p", "text", 2, "text", 9, "text", 'x', (void *)0x10);
}

static void test_format_cuts_and_terminates(void **state)
{
	char out[8];
	(void)state;
	memset(out, 'z', sizeof(out));
	assert_int_equal(log_format(out, 4, "%s", "abcdef"), 3);
	assert_string_equal(out, "abc");
	assert_int_equal(out[4], 'z');
}

static size_t read_file(const char *path, char *out, size_t cap)
{
	int fd = open(path, O_RDONLY);
	ssize_t len = fd < 0 ? 0 : read(fd, out, cap - 1);
	if (fd >= 0)
		close(fd);
	out[len > 0 ? len : 0] = '\0';
	return strlen(out);
}

static void test_write_appends_whole_clean_lines(void **state)
{
	char path[] = "/tmp/test_log.XXXXXX", text[4096], expected[64], longest[3000];
	(void)state;
	close(mkstemp(path));
	log_configure(LOG_WARN, path);
	errno = 77;
	log_warn("config", "a\nb\x1b%s", "c");
	assert_int_equal(errno, 77);
	log_info("config", "not wanted");
	read_file(path, text, sizeof(text));
	snprintf(expected, sizeof(expected), "tagalong[%d] warn config: a?b?c\n", (int)getpid());
	assert_string_equal(text, expected);
	memset(longest, 'x', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	log_error("config", "%s", longest);
	size_t len = read_file(path, text, sizeof(text));
	assert_string_equal(text + len - 4, "...\n");
	unlink(path);
}

static void test_write_spares_a_socket_on_stderr(void **state)
{
	int pair[2], pipes[2], saved = dup(2);
	char text[64] = "";
	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	assert_int_equal(pipe2(pipes, O_NONBLOCK), 0);
	log_configure(LOG_WARN, NULL);
	dup2(pair[0], 2);
	log_warn("x", "y");
	dup2(pipes[1], 2);
	log_warn("x", "y");
	dup2(saved, 2);
	assert_int_equal(read(pair[1], text, sizeof(text)), -1);
	assert_true(read(pipes[0], text, sizeof(text)) > 0);
	assert_non_null(strstr(text, " warn x: y\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_format_agrees_with_printf),
		cmocka_unit_test(test_format_cuts_and_terminates),
		cmocka_unit_test(test_write_appends_whole_clean_lines),
		cmocka_unit_test(test_write_spares_a_socket_on_stderr),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
