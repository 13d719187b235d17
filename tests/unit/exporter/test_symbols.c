#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <elf.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "exporter/demangle.h"
#include "exporter/modules.h"
#include "exporter/symbols.h"

static __attribute__((noinline)) int known_locally(int a)
{
	__asm__ volatile("");
	return a + 1;
}

static uintptr_t base;
static uint64_t identity;

static void look_at_own(void *arg)
{
	const struct module *module = modules_find((uintptr_t)arg);
	base = module ? module->base : 0;
	identity = module ? modules_identity(module) : 0;
}

static int own_file(void)
{
	modules_hold(look_at_own, (void *)known_locally);
	int fd = open("/proc/self/exe", O_RDONLY);
	assert_true(fd >= 0);
	return fd;
}

static void test_find_names_a_function_by_any_of_its_addresses(void **state)
{
	(void)state;
	char name[2][SYMBOLS_NAME] = {"", ""};
	int fd = own_file();
	uintptr_t at = (uintptr_t)known_locally;
	struct symbol symbols[] = {{.address = at - base + 1, .name = name[0]}, {.address = 8, .name = name[1]}};
	symbols_find(fd, symbols, 2);
	assert_string_equal(name[0], "known_locally");
	assert_int_equal(symbols[0].start + base, at);
	assert_string_equal(name[1], "");
	assert_int_equal(known_locally(1), 2);
	close(fd);
}

static void test_identity_of_file_and_memory(void **state)
{
	(void)state;
	int fd = own_file(), other = open("/bin/sh", O_RDONLY), none = open("/dev/null", O_RDONLY);
	assert_true(identity != 0);
	assert_true(symbols_identity(fd) == identity);
	assert_true(symbols_identity(other) != identity);
	assert_true(symbols_identity(none) == 0);
	close(fd), close(other), close(none);
}

/* Whatever a file says: found or not, nothing else. */
static void test_find_survives_any_head(void **state)
{
	(void)state;
	char head[4096], name[SYMBOLS_NAME];
	int fd = own_file(), copy = memfd_create("copy", 0);
	assert_true(read(fd, head, sizeof(head)) == sizeof(head));
	for (size_t at = 4; at < 64; at++) {
		char changed[sizeof(head)];
		memcpy(changed, head, sizeof(head));
		changed[at] = (char)0xff;
		assert_true(pwrite(copy, changed, sizeof(changed), 0) == sizeof(changed));
		name[0] = '\0';
		symbols_find(copy, &(struct symbol){.address = 4096, .name = name}, 1);
		symbols_identity(copy);
	}
	close(fd), close(copy);
}

static void test_demangle_reads_off_names(void **state)
{
	(void)state;
	static const char *const cases[][2] = {
		{"main", "main"},
		{"inner.isra.0", "inner"},
		{"inner.part.3.constprop.0", "inner"},
		{"main.foo", "main.foo"},
		{".cold", ".cold"},
		{"_Z5innerv", "inner"},
		{"_ZL11the_requestPKc", "the_request"},
		{"_ZN4shop6Orders9the_queryEP7sqlite3PKc", "shop::Orders::the_query"},
		{"_ZNK4shop6Orders5totalEv", "shop::Orders::total"},
		{"_ZN4shop6OrdersC2Ev", "shop::Orders::Orders"},
		{"_ZN4shop6OrdersD0Ev", "shop::Orders::~Orders"},
		{"_ZN12_GLOBAL__N_15innerEv", "(anonymous namespace)::inner"},
		{"_ZN4shop5countIiEEvT_", "_ZN4shop5countIiEEvT_"},
		{"_Z5countIiEvT_", "_Z5countIiEvT_"},
		{"_ZNSt6vectorIiSaIiEE9push_backEOi", "_ZNSt6vectorIiSaIiEE9push_backEOi"},
		{"_ZN4shopplERKS_", "_ZN4shopplERKS_"},
		{"_Z", "_Z"},
		{"_ZN", "_ZN"},
		{"_ZNE", "_ZNE"},
		{"_ZNC1Ev", "_ZNC1Ev"},
		{"_Z99short", "_Z99short"},
		{"_ZN99999999999999999999999999", "_ZN99999999999999999999999999"},
		{"", ""},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *name = calloc(1, SYMBOLS_NAME);
		strcpy(name, cases[i][0]);
		demangle(name);
		assert_string_equal(name, cases[i][1]);
		free(name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find_names_a_function_by_any_of_its_addresses),
		cmocka_unit_test(test_identity_of_file_and_memory),
		cmocka_unit_test(test_find_survives_any_head),
		cmocka_unit_test(test_demangle_reads_off_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
