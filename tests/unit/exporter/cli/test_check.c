/* ELF files that are made here, byte by byte, and their damaged relatives. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exporter/cli/check.h"

/* The file: header, 3 segments, dynamic table, texts, code, 5 sections. Address = offset. */
enum {
	AT_SEGMENTS = 64,
	AT_DYNAMIC = 256,
	AT_TEXTS = 512,
	AT_SYMBOLS = 768,
	AT_CODE = 1024,
	AT_SECTIONS = 1280,
	SIZE = 2048
};

static struct elf elf;
static struct check_facts facts;
static uint8_t file[SIZE];
static char texts[] =
	"\0libc.so.6\0libssl.so.3\0/lib64/ld-linux.so.2\0read\0SSL_write\0write\0.go.buildinfo\0.text\0";

static size_t text_at(const char *text)
{
	for (size_t i = 1; i < sizeof(texts); i += strlen(texts + i) + 1)
		if (!strcmp(texts + i, text))
			return i;
	fail_msg("no text %s", text);
	return 0;
}

static void put(size_t at, const void *what, size_t len)
{
	memcpy(file + at, what, len);
}

static void put_segment(size_t index, uint32_t type, uint64_t offset, uint64_t size)
{
	Elf64_Phdr segment = {
		.p_type = type, .p_offset = offset, .p_vaddr = offset, .p_filesz = size, .p_memsz = size};

	put(AT_SEGMENTS + index * sizeof(segment), &segment, sizeof(segment));
}

static void put_section(size_t index, const char *name, uint32_t type, uint64_t offset, uint64_t size)
{
	Elf64_Shdr section = {.sh_name = (Elf64_Word)(*name ? text_at(name) : 0),
			      .sh_type = type,
			      .sh_offset = offset,
			      .sh_size = size};

	section.sh_flags = type == SHT_PROGBITS ? SHF_EXECINSTR : 0;
	section.sh_entsize = type == SHT_DYNSYM ? sizeof(Elf64_Sym) : 0;
	section.sh_link = type == SHT_DYNSYM ? 2 : 0;
	put(AT_SECTIONS + index * sizeof(section), &section, sizeof(section));
}

static void put_symbol(size_t index, const char *name, bool defined)
{
	Elf64_Sym symbol = {.st_name = (Elf64_Word)text_at(name),
			    .st_shndx = defined ? 3 : SHN_UNDEF,
			    .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC)};

	put(AT_SYMBOLS + index * sizeof(symbol), &symbol, sizeof(symbol));
}

static int make(void **state)
{
	Elf64_Ehdr head = {.e_ident = ELFMAG,
			   .e_type = ET_DYN,
			   .e_phoff = AT_SEGMENTS,
			   .e_phentsize = sizeof(Elf64_Phdr),
			   .e_phnum = 3,
			   .e_shoff = AT_SECTIONS,
			   .e_shentsize = sizeof(Elf64_Shdr),
			   .e_shnum = 4,
			   .e_shstrndx = 2};
	Elf64_Dyn dynamic[] = {{DT_NEEDED, {text_at("libssl.so.3")}},
			       {DT_NEEDED, {text_at("libc.so.6")}},
			       {DT_STRTAB, {AT_TEXTS}},
			       {DT_FLAGS, {DF_SYMBOLIC}},
			       {DT_NULL, {0}}};

	(void)state;
	memset(file, 0, sizeof(file));
	head.e_ident[EI_CLASS] = ELFCLASS64;
	head.e_ident[EI_DATA] = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB;
	head.e_machine = (Elf64_Half)elf_own_machine();
	put(0, &head, sizeof(head));
	put_segment(0, PT_LOAD, 0, SIZE);
	put_segment(1, PT_DYNAMIC, AT_DYNAMIC, sizeof(dynamic));
	put_segment(2, PT_INTERP, AT_TEXTS + text_at("/lib64/ld-linux.so.2"), 21);
	put(AT_DYNAMIC, dynamic, sizeof(dynamic));
	put(AT_TEXTS, texts, sizeof(texts));
	put_symbol(1, "read", false);
	put_symbol(2, "SSL_write", true);
	put_symbol(3, "write", true);
	put(AT_CODE, "\x90\x0f\x05\x90\x0f\x05\x0f", 7);
	put_section(1, "", SHT_DYNSYM, AT_SYMBOLS, 4 * sizeof(Elf64_Sym));
	put_section(2, "", SHT_STRTAB, AT_TEXTS, sizeof(texts));
	put_section(3, ".text", SHT_PROGBITS, AT_CODE, 256);
	return 0;
}

/* An exact copy, so that one byte beyond it is seen by the sanitizer. */
static bool look(size_t size)
{
	static char *name_list[] = {"read", "write"};
	struct check_names names = {name_list, 2};
	uint8_t *copy = malloc(size ? size : 1);

	memcpy(copy, file, size);
	memset(&elf, 0, sizeof(elf));
	memset(&facts, 0, sizeof(facts));
	elf.fd = -1;
	elf.memory = copy;
	elf.size = size;
	bool is_elf = elf_head(&elf, &facts);
	if (is_elf) {
		check_headers(&elf, &facts);
		check_symbols(&elf, &facts, &names);
		check_scan(&elf, &facts);
	}
	free(copy);
	return is_elf;
}

static void test_dynamic_program(void **state)
{
	(void)state;
	assert_true(look(SIZE));
	assert_int_equal(facts.shape, SHAPE_DYNAMIC);
	assert_string_equal(facts.interpreter, "/lib64/ld-linux.so.2");
	assert_int_equal(facts.needed_count, 2);
	assert_string_equal(facts.needed[0], "libssl.so.3");
	assert_string_equal(facts.needed[1], "libc.so.6");
	assert_true(facts.symbolic);
	assert_false(facts.go);
	assert_false(facts.damaged);
	assert_int_equal(facts.imported_hooked, 1);
	assert_int_equal(facts.own_hooked, 1);
	assert_string_equal(facts.own_names, "write");
	assert_string_equal(facts.tls, "it defines SSL_write");
#if defined(__x86_64__)
	assert_int_equal(facts.raw_calls, 2);
#endif
}

static void test_shapes(void **state)
{
	Elf64_Dyn pie[] = {{DT_FLAGS_1, {DF_1_PIE}}, {DT_NULL, {0}}};
	uint16_t type = ET_EXEC;

	(void)state;
	put_segment(2, PT_NULL, 0, 0);
	assert_true(look(SIZE));
	assert_int_equal(facts.shape, SHAPE_LIBRARY);
	put(AT_DYNAMIC, pie, sizeof(pie));
	assert_true(look(SIZE));
	assert_int_equal(facts.shape, SHAPE_STATIC_PIE);
	put(offsetof(Elf64_Ehdr, e_type), &type, sizeof(type));
	assert_true(look(SIZE));
	assert_int_equal(facts.shape, SHAPE_STATIC);
	type = ET_REL;
	put(offsetof(Elf64_Ehdr, e_type), &type, sizeof(type));
	assert_true(look(SIZE));
	assert_int_equal(facts.shape, SHAPE_NO_PROGRAM);
	file[EI_CLASS] = ELFCLASS32;
	assert_true(look(SIZE));
	assert_int_equal(facts.shape, SHAPE_OTHER_MACHINE);
	assert_int_equal(facts.bits, 32);
	file[0] = 0;
	assert_false(look(SIZE));
}

static void test_go_is_recognised_by_its_section(void **state)
{
	(void)state;
	put_section(3, ".go.buildinfo", SHT_PROGBITS, AT_CODE, 256);
	assert_true(look(SIZE));
	assert_true(facts.go);
}

static void test_an_instruction_across_a_chunk_is_counted_once(void **state)
{
	enum { LARGE = 200000 };
	uint8_t *large = calloc(1, LARGE);

	(void)state;
	put_section(3, ".text", SHT_PROGBITS, SIZE, LARGE - SIZE);
	memcpy(large, file, SIZE);
	memcpy(large + SIZE + 65535, "\x0f\x05", 2);
	memcpy(large + SIZE + 65534 + 65535, "\x0f\x05", 2);
	memcpy(large + LARGE - 2, "\x0f\x05", 2);
	memset(&elf, 0, sizeof(elf));
	memset(&facts, 0, sizeof(facts));
	elf.fd = -1;
	elf.memory = large;
	elf.size = LARGE;
	assert_true(elf_head(&elf, &facts));
	check_scan(&elf, &facts);
#if defined(__x86_64__)
	assert_int_equal(facts.raw_calls, 3);
#endif
	free(large);
}

static void test_every_truncation_is_survived(void **state)
{
	(void)state;
	for (size_t size = 0; size < SIZE; size++)
		look(size);
	look(AT_DYNAMIC + 8);
	assert_true(facts.damaged);
}

/* Every 32-bit word becomes huge, and then nearly so: offsets, sizes, counts, indices. */
static void test_every_wild_number_is_survived(void **state)
{
	static const uint32_t wild[] = {0xffffffff, 0x7fffffff, 0x80000000, SIZE, SIZE - 1};

	(void)state;
	for (size_t k = 0; k < sizeof(wild) / sizeof(wild[0]); k++) {
		for (size_t at = 16; at < SIZE; at += 4) {
			uint32_t before;
			memcpy(&before, file + at, 4);
			put(at, &wild[k], 4);
			look(SIZE);
			put(at, &before, 4);
		}
	}
	assert_true(look(SIZE));
	assert_int_equal(facts.needed_count, 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, make)
	const struct CMUnitTest tests[] = {
		TEST(test_dynamic_program),
		TEST(test_shapes),
		TEST(test_go_is_recognised_by_its_section),
		TEST(test_an_instruction_across_a_chunk_is_counted_once),
		TEST(test_every_truncation_is_survived),
		TEST(test_every_wild_number_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
