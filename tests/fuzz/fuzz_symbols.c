/* Names of functions. Input: a byte; even: a file follows, that is looked up in as an ELF file; odd: a name,
 * as a linker knows it. Never a crash; a function that is found holds the address, and its name ends where
 * names end. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "exporter/demangle.h"
#include "exporter/symbols.h"

#define CHECK(condition)          \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

static void look_up(const uint8_t *data, size_t size)
{
	static int fd = -1;
	char *name[4];
	struct symbol symbols[4];
	if (fd < 0)
		fd = memfd_create("file", 0);
	CHECK(ftruncate(fd, 0) == 0 && pwrite(fd, data, size, 0) == (ssize_t)size);
	for (int i = 0; i < 4; i++) {
		name[i] = calloc(1, SYMBOLS_NAME); /* to its end, for AddressSanitizer */
		symbols[i] =
			(struct symbol){.address = (uint64_t)i * 8 + (i == 3 ? 4096 : 0), .name = name[i]};
	}
	symbols_identity(fd);
	symbols_find(fd, symbols, 4);
	for (int i = 0; i < 4; i++) {
		CHECK(memchr(name[i], 0, SYMBOLS_NAME));
		CHECK(!name[i][0] || symbols[i].start <= symbols[i].address);
		free(name[i]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	if (data[0] % 2 == 0) {
		look_up(data + 1, size - 1);
		return 0;
	}
	char *name = malloc(SYMBOLS_NAME), *mangled = calloc(1, size);
	memcpy(mangled, data + 1, size - 1);
	demangle(mangled, name);
	free(mangled);
	CHECK(memchr(name, 0, SYMBOLS_NAME));
	free(name);
	return 0;
}
