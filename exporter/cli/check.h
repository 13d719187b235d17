/* check.h - what can be seen of a program from inside, read from its file alone.
 *
 *	check.c        the verb, and its report
 *	check_path.c   which file: PATH, scripts, set-user-id, capabilities
 *	check_elf.c    bounds-checked access to an ELF file
 *	check_facts.c  ELF file -> struct check_facts
 *	check_scan.c   instructions and texts in it
 *
 * Nothing in an ELF file is believed: every offset goes through elf_bytes(). */
#ifndef TAGALONG_CLI_CHECK_H
#define TAGALONG_CLI_CHECK_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* --- check_elf.c ------------------------------------------------------------------------------------- */
enum { ELF_WINDOWS = 3, ELF_WINDOW = 16384, ELF_MOST = 4096 };

struct elf {
	int fd; /* -1: `memory` */
	const uint8_t *memory;
	uint64_t size;
	Elf64_Ehdr head; /* only after elf_head() */
	struct {
		uint64_t from;
		size_t len;
		uint8_t bytes[ELF_WINDOW];
	} windows[ELF_WINDOWS];
};

/* A table, the texts it refers to, and everything else are read side by side: each has its own window. */
enum elf_window { WINDOW_TABLE, WINDOW_TEXT, WINDOW_OTHER };

/* `len` bytes (at most ELF_MOST) at `offset`, valid until the next call for the same window; NULL: outside
 * of the file, or unreadable. Not aligned. */
const uint8_t *elf_bytes(struct elf *elf, enum elf_window window, uint64_t offset, size_t len);
/* At most `cap` bytes from `offset`; returns how many there were. */
size_t elf_copy(struct elf *elf, uint64_t offset, uint8_t *out, size_t cap);
/* A NUL-terminated text of less than 256 bytes; NULL: there is none. */
const char *elf_text(struct elf *elf, uint64_t offset);
bool elf_segment(struct elf *elf, size_t index, Elf64_Phdr *out);
bool elf_section(struct elf *elf, size_t index, Elf64_Shdr *out);
/* File offset of a virtual address. */
bool elf_offset(struct elf *elf, uint64_t address, uint64_t *offset);

/* --- check_facts.c ----------------------------------------------------------------------------------- */
enum elf_shape {
	SHAPE_FOREIGN,
	SHAPE_OTHER_MACHINE,
	SHAPE_NO_PROGRAM,
	SHAPE_STATIC,
	SHAPE_STATIC_PIE,
	SHAPE_LIBRARY,
	SHAPE_DYNAMIC
};

#define CHECK_NEEDED 128

struct check_facts {
	enum elf_shape shape;
	int bits; /* 32 or 64 */
	unsigned machine;
	char interpreter[256]; /* escaped, as all text here */
	char needed[CHECK_NEEDED][64];
	size_t needed_count;
	bool needed_more;
	bool go, symbolic, sections;
	bool damaged;          /* some table pointed outside of the file */
	char tls[64];          /* a TLS library inside: how it was recognised; "" none */
	bool links_ssl_itself; /* symbols of it, not only texts */
	bool links_sqlite_itself;
	uint64_t raw_calls, code_bytes;
	size_t own_hooked; /* names that the library wraps, defined and exported by the program itself */
	char own_names[128];
	size_t imported_hooked; /* names that the library wraps, imported by the program */
};

/* The names that the library exports, to compare with; sorted. NULL-terminated array and texts are one
 * allocation each. */
struct check_names {
	char **at;
	size_t count;
};

const char *elf_machine_name(unsigned machine);
unsigned elf_own_machine(void);
/* Reads the header into elf->head. False: not an ELF file. */
bool elf_head(struct elf *elf, struct check_facts *facts);
/* Everything that the headers say; cheap. Needs elf_head(). */
void check_headers(struct elf *elf, struct check_facts *facts);
/* Symbols, code and texts: reads the whole file. */
void check_symbols(struct elf *elf, struct check_facts *facts, const struct check_names *names);
void check_scan(struct elf *elf, struct check_facts *facts);
/* The functions that the file exports. */
void check_exports(struct elf *elf, struct check_names *names);
void check_names_free(struct check_names *names);

/* --- check_path.c ------------------------------------------------------------------------------------ */
struct check_target {
	char asked[4096], path[4096]; /* as named, and where it is; not escaped */
	char script[8][256];          /* the scripts that lead to it; escaped */
	size_t scripts;
	int fd;             /* open for reading, or -1 */
	bool privileged;    /* the loader will ignore LD_PRELOAD */
	char privilege[96]; /* "set-user-id root", also where it makes no difference */
	char problem[512];  /* "": none */
};

/* Finds and opens what execvp() would run, through scripts. False: `problem` says why not. */
bool check_find(struct check_target *target, const char *name);

/* --- check.c ----------------------------------------------------------------------------------------- */
/* One reason why a program cannot be traced, found with as little reading as possible, for `run`. False:
 * none is known, also where the program does not exist. */
bool check_obstacle(const char *program, char *why, size_t cap, bool *refuses); /* it would not even start */

#endif
