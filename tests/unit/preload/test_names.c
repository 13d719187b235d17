#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>

#include <cmocka.h>

#include "preload/names.h"

static struct sockaddr_in in(const char *text, int port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	assert_int_equal(inet_pton(AF_INET, text, &address.sin_addr), 1);
	return address;
}

static struct sockaddr_in6 in6(const char *text)
{
	struct sockaddr_in6 address = {.sin6_family = AF_INET6};
	assert_int_equal(inet_pton(AF_INET6, text, &address.sin6_addr), 1);
	return address;
}

#define ANY(address) ((const struct sockaddr *)(const void *)&(address))

static void test_of_remembered_whatever_the_port(void **state)
{
	(void)state;
	char name[128];
	struct sockaddr_in looked_up = in("192.0.2.1", 0), used = in("192.0.2.1", 443), other = in("192.0.2.2", 443);
	name_remember(ANY(looked_up), "api.example");
	assert_true(name_of(ANY(used), name, sizeof(name)));
	assert_string_equal(name, "api.example");
	assert_false(name_of(ANY(other), name, sizeof(name)));
	name_remember(ANY(looked_up), "later.example");
	assert_true(name_of(ANY(used), name, sizeof(name)));
	assert_string_equal(name, "later.example");
}

static void test_of_both_families(void **state)
{
	(void)state;
	char name[128];
	struct sockaddr_in6 six = in6("2001:db8::1"), mapped = in6("::ffff:192.0.2.7");
	struct sockaddr_in four = in("192.0.2.7", 80);
	name_remember_raw(AF_INET6, &six.sin6_addr, "six.example");
	assert_true(name_of(ANY(six), name, sizeof(name)));
	assert_string_equal(name, "six.example");
	name_remember_raw(AF_INET, &four.sin_addr, "four.example");
	assert_true(name_of(ANY(mapped), name, sizeof(name)));
	assert_string_equal(name, "four.example");
}

static void test_remember_addresses_are_no_names(void **state)
{
	(void)state;
	static const char *const numeric[] = {"192.0.2.9", "::1", "127.1", "0x7f000001", "2130706433", ""};
	char name[128], longest[NAME_MOST + 2];
	struct sockaddr_in address = in("192.0.2.9", 0);
	for (size_t i = 0; i < sizeof(numeric) / sizeof(numeric[0]); i++) {
		name_remember(ANY(address), numeric[i]);
		assert_false(name_of(ANY(address), name, sizeof(name)));
	}
	memset(longest, 'a', sizeof(longest));
	longest[NAME_MOST + 1] = '\0';
	name_remember(ANY(address), longest);
	assert_false(name_of(ANY(address), name, sizeof(name)));
	longest[NAME_MOST] = '\0';
	name_remember(ANY(address), longest);
	assert_true(name_of(ANY(address), name, sizeof(name)));
	assert_string_equal(name, longest);
	assert_false(name_of(ANY(address), name, NAME_MOST)); /* no room for the NUL */
}

static void test_of_other_families_unknown(void **state)
{
	(void)state;
	char name[128];
	struct sockaddr address = {.sa_family = AF_UNIX};
	name_remember(&address, "x");
	assert_false(name_of(&address, name, sizeof(name)));
}

/* More addresses than places: what is answered is right, the latest is there. */
static void test_remember_many(void **state)
{
	(void)state;
	char name[128], text[32];
	int found = 0;
	for (int i = 0; i < 4096; i++) {
		snprintf(text, sizeof(text), "10.0.%d.%d", i >> 8, i & 255);
		struct sockaddr_in address = in(text, 0);
		snprintf(text, sizeof(text), "host-%d", i);
		name_remember(ANY(address), text);
		assert_true(name_of(ANY(address), name, sizeof(name)));
		assert_string_equal(name, text);
	}
	for (int i = 0; i < 4096; i++) {
		snprintf(text, sizeof(text), "10.0.%d.%d", i >> 8, i & 255);
		struct sockaddr_in address = in(text, 0);
		snprintf(text, sizeof(text), "host-%d", i);
		if (!name_of(ANY(address), name, sizeof(name)))
			continue;
		assert_string_equal(name, text);
		found++;
	}
	assert_in_range(found, 128, 256);
}

static void *write_names(void *arg)
{
	struct sockaddr_in address = in("198.51.100.1", 0);
	char name[128];
	memset(name, 'a' + (int)(intptr_t)arg, 100);
	name[100] = '\0';
	for (int i = 0; i < 200000; i++)
		name_remember(ANY(address), name);
	return NULL;
}

/* Two writers, one reader: a name is one of the two, whole. */
static void test_of_never_torn(void **state)
{
	(void)state;
	pthread_t writers[2];
	struct sockaddr_in address = in("198.51.100.1", 0);
	char name[128];
	for (intptr_t i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&writers[i], NULL, write_names, (void *)i), 0);
	for (int i = 0; i < 200000; i++) {
		if (!name_of(ANY(address), name, sizeof(name)))
			continue;
		assert_int_equal(strlen(name), 100);
		assert_int_equal(strspn(name, name[0] == 'a' ? "a" : "b"), 100);
	}
	for (int i = 0; i < 2; i++)
		pthread_join(writers[i], NULL);
	assert_true(name_of(ANY(address), name, sizeof(name)));
}

static void test_when(void **state)
{
	(void)state;
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x0a090807)};
	const struct name_times when = {5, 9};
	assert_int_equal(name_times(ANY(address)).until, 0);
	name_looked_up(ANY(address), "when.example", &when);
	assert_int_equal(name_times(ANY(address)).from, 5);
	assert_int_equal(name_times(ANY(address)).until, 9);
	name_remember(ANY(address), "when.example");
	assert_int_equal(name_times(ANY(address)).until, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_when),
		cmocka_unit_test(test_of_remembered_whatever_the_port),
		cmocka_unit_test(test_of_both_families),
		cmocka_unit_test(test_remember_addresses_are_no_names),
		cmocka_unit_test(test_of_other_families_unknown),
		cmocka_unit_test(test_remember_many),
		cmocka_unit_test(test_of_never_torn),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
