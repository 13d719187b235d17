/* symbols.c - see symbols.h. Source: System V gABI, "Object Files". */
#include "exporter/symbols.h"

#include <elf.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "exporter/demangle.h"
#include "exporter/modules.h"
#include "preload/sys.h"

#define HEADERS 64    /* program headers of one file */
#define SECTIONS 512  /* of which the tables are looked for */
#define AT_ONCE 2048  /* symbols that are read at a time */
#define MOST 4000000u /* symbols of one table */
#define MANGLED 4096  /* bytes of a name as the linker knows it; what is told comes first */

static bool read_at(int fd, void *to, size_t len, uint64_t offset)
{
	size_t done = 0;
	while (done < len) {
		long n = sys_call(SYS_pread64, (long)fd, (char *)to + done, (long)(len - done),
				  (long)(offset + done));
		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

static bool read_head(int fd, Elf64_Ehdr *head)
{
	return read_at(fd, head, sizeof(*head), 0) && memcmp(head->e_ident, ELFMAG, SELFMAG) == 0 &&
	       head->e_ident[EI_CLASS] == ELFCLASS64;
}

uint64_t symbols_identity(int fd)
{
	static Elf64_Phdr headers[HEADERS];
	static char note[MODULES_NOTES];
	Elf64_Ehdr head;

	if (!read_head(fd, &head) || head.e_phnum > HEADERS || head.e_phentsize != sizeof(headers[0]) ||
	    !read_at(fd, headers, head.e_phnum * sizeof(headers[0]), head.e_phoff))
		return 0;
	uint64_t hash = modules_hash(MODULES_HASH, headers, head.e_phnum * sizeof(headers[0]));
	for (unsigned i = 0; i < head.e_phnum; i++) {
		size_t len = headers[i].p_memsz < sizeof(note) ? headers[i].p_memsz : sizeof(note);
		if (headers[i].p_type == PT_NOTE && read_at(fd, note, len, headers[i].p_offset))
			hash = modules_hash(hash, note, len);
	}
	return hash;
}

/* Of several names for one place the plainest: send, not __send, nor one that is only local. */
static int rank_of(const Elf64_Sym *symbol)
{
	switch (ELF64_ST_BIND(symbol->st_info)) {
	case STB_GLOBAL:
		return 3;
	case STB_WEAK:
		return 2;
	default:
		return 1;
	}
}

static void consider(struct symbol *wanted, const Elf64_Sym *symbol, uint64_t texts)
{
	unsigned type = ELF64_ST_TYPE(symbol->st_info);
	if (wanted->address < symbol->st_value || wanted->address - symbol->st_value >= symbol->st_size ||
	    (type != STT_FUNC && type != STT_GNU_IFUNC) || symbol->st_shndx == SHN_UNDEF ||
	    rank_of(symbol) <= wanted->rank)
		return;
	wanted->rank = rank_of(symbol);
	wanted->start = symbol->st_value;
	wanted->text = texts + symbol->st_name;
}

static void scan(int fd, const Elf64_Shdr *table, uint64_t texts, struct symbol *symbols, size_t count)
{
	static Elf64_Sym piece[AT_ONCE];
	uint64_t total = table->sh_size / sizeof(piece[0]);

	for (uint64_t at = 0; at < total && at < MOST; at += AT_ONCE) {
		uint64_t n = total - at < AT_ONCE ? total - at : AT_ONCE;
		if (!read_at(fd, piece, n * sizeof(piece[0]), table->sh_offset + at * sizeof(piece[0])))
			return;
		for (uint64_t i = 0; i < n; i++)
			for (size_t k = 0; k < count; k++)
				if (!symbols[k].name[0])
					consider(&symbols[k], &piece[i], texts);
	}
}

static void read_name(int fd, struct symbol *symbol, uint64_t end)
{
	static char mangled[MANGLED];
	uint64_t left = symbol->text < end ? end - symbol->text : 0;
	size_t len = left < MANGLED - 1 ? left : MANGLED - 1;

	mangled[len] = '\0';
	if (read_at(fd, mangled, len, symbol->text))
		demangle(mangled, symbol->name);
	else
		symbol->name[0] = '\0';
}

static void look_in(int fd, const Elf64_Shdr *table, const Elf64_Shdr *texts, struct symbol *symbols,
		    size_t count)
{
	scan(fd, table, texts->sh_offset, symbols, count);
	for (size_t k = 0; k < count; k++) {
		if (!symbols[k].name[0] && symbols[k].rank)
			read_name(fd, &symbols[k], texts->sh_offset + texts->sh_size);
		symbols[k].rank = 0;
	}
}

void symbols_find(int fd, struct symbol *symbols, size_t count)
{
	static Elf64_Shdr sections[SECTIONS];
	static const uint32_t tables[] = {SHT_SYMTAB, SHT_DYNSYM};
	Elf64_Ehdr head;

	if (!read_head(fd, &head) || head.e_shentsize != sizeof(sections[0]) || head.e_shnum > SECTIONS ||
	    !read_at(fd, sections, head.e_shnum * sizeof(sections[0]), head.e_shoff))
		return;
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		for (unsigned k = 0; k < head.e_shnum; k++)
			if (sections[k].sh_type == tables[i] && sections[k].sh_link < head.e_shnum)
				look_in(fd, &sections[k], &sections[sections[k].sh_link], symbols, count);
}
