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
	struct symbol symbols[] = {{.address = at - base + 1, .name = name[0]},
				   {.address = 8, .name = name[1]}};
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
		{"_ZN4shop5countIiEEvT_", "shop::count<...>"},
		{"_Z5countIiEvT_", "count<...>"},
		{"_ZNSt6vectorIiSaIiEE9push_backEOi", "std::vector<...>::push_back"},
		{"_ZNSt6vectorIiSaIiEEC1ERKS1_", "std::vector<...>::vector"},
		{"_ZNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEED2Ev",
		 "std::__cxx11::basic_string<...>::~basic_string"},
		{"_ZNSsC1EPKcRKSaIcE", "std::string::string"},
		{"_ZSt4sortIN9__gnu_cxx17__normal_iteratorIPiSt6vectorIiSaIiEEEEEvT_S7_", "std::sort<...>"},
		{"_ZStlsISt11char_traitsIcEERSt13basic_ostreamIcT_ES5_PKc", "std::operator<<<...>"},
		{"_ZN4shopplERKS_", "shop::operator+"},
		{"_ZN4shop6Orders3getILi42ELb1EXadL_Z5othervEEEEvv", "shop::Orders::get<...>"},
		{"_ZN4shop3getIXplLi1ELi2EEEEvv", "_ZN4shop3getIXplLi1ELi2EEEEvv"},
		{"_ZN4shop6Orders3getILi42ELb1ELin5EL_Z5othervEEEvv", "shop::Orders::get<...>"},
		{"_ZN4shop6OrderscvbEv", "_ZN4shop6OrderscvbEv"},
		{"_ZNK4shop6OrdersclEv", "shop::Orders::operator()"},
		{"_ZnwmRKSt9nothrow_t", "operator new"},
		{"_ZZN4shop5totalEPFvRKiEENKUliE_clEi", "shop::total::{lambda#1}::operator()"},
		{"_ZZN4shop5totalEvENKUlvE10_clEv", "shop::total::{lambda#12}::operator()"},
		{"_ZZN4shop5totalEvEN5inner3runEv", "shop::total::inner::run"},
		{"_ZZ4mainE5count_0", "main::count"},
		{"_ZNSt17_Function_handlerIFviEZN4shop3runEvEUliE_E9_M_invokeERKSt9_Any_dataOi",
		 "std::_Function_handler<...>::_M_invoke"},
		{"_ZThn16_N4shop6Orders3runEv", "shop::Orders::run"},
		{"_ZTv0_n24_N4shop6OrdersD0Ev", "shop::Orders::~Orders"},
		{"_ZTV5shops", "_ZTV5shops"},
		{"_Z3fooB5cxx11v", "foo"},
		{"_ZN12_GLOBAL__N_1L5innerEv", "(anonymous namespace)::inner"},
		{"_ZN1aIJiDpT_EE1bEv", "a<...>::b"},
		{"_Z", "_Z"},
		{"_ZN", "_ZN"},
		{"_ZNE", "_ZNE"},
		{"_ZNC1Ev", "_ZNC1Ev"},
		{"_Z99short", "_Z99short"},
		{"_ZN99999999999999999999999999", "_ZN99999999999999999999999999"},
		{"", ""},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *name = malloc(SYMBOLS_NAME), *mangled = strdup(cases[i][0]);
		demangle(mangled, name);
		assert_string_equal(name, cases[i][1]);
		free(name), free(mangled);
	}
}

/* Bounded, whatever it is: nested deep, too long, cut at any place. */
static void test_demangle_survives(void **state)
{
	(void)state;
	static const char *const pieces[] = {"I", "N1a", "Z1a", "St", "PF", "ZN1aIZN", "1aIJ", "UlUl"};
	char *mangled = malloc(3000), *name = malloc(SYMBOLS_NAME);

	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++)
		for (size_t len = 2; len < 2000; len += 37) {
			strcpy(mangled, "_Z1aI");
			while (strlen(mangled) < len)
				strcat(mangled, pieces[i]);
			demangle(mangled, name);
			assert_true(strlen(name) < SYMBOLS_NAME);
		}
	strcpy(mangled, "_ZN");
	for (size_t i = 0; i < 100; i++)
		strcat(mangled, "10abcdefghij");
	strcat(mangled, "Ev");
	demangle(mangled, name);
	assert_int_equal(strlen(name), SYMBOLS_NAME - 1);
	assert_memory_equal(name, "_ZN10abc", 8);
	free(mangled), free(name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find_names_a_function_by_any_of_its_addresses),
		cmocka_unit_test(test_identity_of_file_and_memory),
		cmocka_unit_test(test_find_survives_any_head),
		cmocka_unit_test(test_demangle_reads_off_names),
		cmocka_unit_test(test_demangle_survives),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
