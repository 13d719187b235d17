/* test_modules.c - what an unwinder may ask for: any address at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "exporter/modules.h"

static const uint64_t known[2] = {0x1122334455667788, 0x99aabbccddeeff00};
static const uintptr_t nowhere[] = {
	0, 1, 8, 4088, 4095, 4096, 131072, UINTPTR_MAX, UINTPTR_MAX - 7, UINTPTR_MAX - 4095};

static void look(void *arg)
{
	uint64_t word = 0;
	/* Once before anything was found readable, and once behind it. */
	for (int again = 0; again < 2; again++) {
		for (size_t i = 0; i < sizeof(nowhere) / sizeof(*nowhere); i++)
			assert_false(modules_read(nowhere[i], &word));
		assert_true(modules_read((uintptr_t)&known[0], &word));
		assert_true(word == known[0]);
		assert_true(modules_read((uintptr_t)&known[0] + 4, &word));
		assert_int_equal(word & 0xffffffff, known[0] >> 32);
	}
	assert_false(modules_read((uintptr_t)arg, &word));
}

static void test_only_what_is_a_module_s_is_read(void **state)
{
	(void)state;
	void *foreign = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(foreign, MAP_FAILED);
	modules_hold(look, foreign);
	munmap(foreign, 4096);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_only_what_is_a_module_s_is_read)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
