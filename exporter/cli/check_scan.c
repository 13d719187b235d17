/* check_scan.c - instructions and texts in a program's file; see check.h. */
#include <stdio.h>
#include <string.h>

#include "exporter/cli/check.h"

#define CHUNK 65536
#define OVERLAP 64

/* The instruction that enters the kernel. It may stand in the middle of another one, or in a table between
 * functions: the count is "may". */
#if defined(__x86_64__)
static const uint8_t kernel_call[] = {0x0f, 0x05};
#define CALL_STEP 1
#elif defined(__aarch64__)
static const uint8_t kernel_call[] = {0x01, 0x00, 0x00, 0xd4};
#define CALL_STEP 4
#else
static const uint8_t kernel_call[] = {0};
#define CALL_STEP 0
#endif

static void count_calls(struct elf *elf, struct check_facts *facts, const Elf64_Shdr *section)
{
	uint8_t bytes[CHUNK];
	uint64_t end;

	if (!CALL_STEP || __builtin_add_overflow(section->sh_offset, section->sh_size, &end))
		return;
	facts->code_bytes += section->sh_size;
	for (uint64_t from = section->sh_offset; from < end;) {
		size_t len = elf_copy(elf, from, bytes, end - from < CHUNK ? (size_t)(end - from) : CHUNK);
		if (len < sizeof(kernel_call))
			return;
		for (size_t i = 0; i + sizeof(kernel_call) <= len; i += CALL_STEP + !CALL_STEP)
			facts->raw_calls += !memcmp(bytes + i, kernel_call, sizeof(kernel_call));
		/* One less than the instruction is seen again, so that none is missed and none counted twice.
		 */
		from += len - (CALL_STEP == 1 ? sizeof(kernel_call) - 1 : 0);
	}
}

/* Texts that only a TLS library itself contains, not a program that calls one. */
static const struct {
	const char *text, *name;
} marks[] = {
	{"BoringSSL", "BoringSSL"}, {"part of OpenSSL", "OpenSSL"},
	{"ssl/statem/", "OpenSSL"}, {"rustls::", "rustls"},
	{"/rustls-", "rustls"},     {"TLS 1.3, server CertificateVerify", "a TLS 1.3 implementation"},
};

static void find_marks(struct elf *elf, struct check_facts *facts)
{
	uint8_t bytes[CHUNK];

	for (uint64_t from = 0; from < elf->size && !facts->tls[0]; from += CHUNK - OVERLAP) {
		size_t len = elf_copy(elf, from, bytes, sizeof(bytes));
		for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
			if (memmem(bytes, len, marks[i].text, strlen(marks[i].text)))
				snprintf(facts->tls, sizeof(facts->tls), "it contains texts of %s",
					 marks[i].name);
		if (len < sizeof(bytes))
			return;
	}
}

void check_scan(struct elf *elf, struct check_facts *facts)
{
	Elf64_Shdr section;
	uint64_t budget = 2 * elf->size; /* sections of a damaged file may all claim the whole of it */

	for (size_t i = 1; elf_section(elf, i, &section); i++) {
		if (section.sh_type != SHT_PROGBITS || !(section.sh_flags & SHF_EXECINSTR))
			continue;
		if (section.sh_size > budget || section.sh_size > elf->size) {
			facts->damaged = true;
			break;
		}
		budget -= section.sh_size;
		count_calls(elf, facts, &section);
	}
	if (!facts->tls[0])
		find_marks(elf, facts);
}
