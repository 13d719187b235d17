/* `tagalong check` on any bytes that claim to be an ELF file. */
#include <stdint.h>
#include <string.h>

#include "exporter/cli/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct elf elf;
	static struct check_facts facts;
	struct check_names names = {0};

	/* Only what was filled is cleared: the windows are large, and their lengths say what is in them. */
	for (size_t i = 0; i < ELF_WINDOWS; i++)
		elf.windows[i].len = 0;
	elf.fd = -1;
	elf.memory = data;
	elf.size = size;
	memset(&elf.head, 0, sizeof(elf.head));
	memset(&facts, 0, sizeof(facts));
	if (!elf_head(&elf, &facts))
		return 0;
	check_headers(&elf, &facts);
	check_exports(&elf, &names);
	check_symbols(&elf, &facts, &names);
	check_scan(&elf, &facts);
	check_names_free(&names);
	return 0;
}
