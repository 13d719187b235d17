/* check_facts.c - what the headers and the symbols of a program say; see check.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exporter/cli/check.h"
#include "exporter/cli/cli.h"
#include "exporter/cli/text.h"

#if defined(__x86_64__)
#define OWN_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define OWN_MACHINE EM_AARCH64
#elif defined(__riscv)
#define OWN_MACHINE EM_RISCV
#elif defined(__powerpc64__)
#define OWN_MACHINE EM_PPC64
#elif defined(__s390x__)
#define OWN_MACHINE EM_S390
#else
#define OWN_MACHINE EM_NONE
#endif
#define OWN_ORDER (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB)

/* More than any real program has; a damaged size must not keep us busy. */
#define MOST_SYMBOLS 20000000u
#define MOST_DYNAMIC 100000u

unsigned elf_own_machine(void)
{
	return OWN_MACHINE;
}

const char *elf_machine_name(unsigned machine)
{
	static const struct {
		unsigned machine;
		const char *name;
	} names[] = {{EM_X86_64, "x86-64"}, {EM_386, "i386"},       {EM_AARCH64, "arm64"}, {EM_ARM, "arm"},
		     {EM_RISCV, "RISC-V"},  {EM_PPC64, "ppc64"},    {EM_PPC, "ppc"},       {EM_S390, "s390x"},
		     {EM_MIPS, "MIPS"},     {EM_SPARCV9, "sparc64"}};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].machine == machine)
			return names[i].name;
	return "an unknown machine";
}

bool elf_head(struct elf *elf, struct check_facts *facts)
{
	const uint8_t *bytes = elf_bytes(elf, WINDOW_OTHER, 0, 20);

	if (!bytes || memcmp(bytes, ELFMAG, SELFMAG) != 0)
		return false;
	facts->bits = bytes[EI_CLASS] == ELFCLASS32 ? 32 : 64;
	facts->machine = bytes[EI_DATA] == ELFDATA2MSB ? (unsigned)(bytes[18] << 8 | bytes[19])
						       : (unsigned)(bytes[19] << 8 | bytes[18]);
	facts->shape = SHAPE_OTHER_MACHINE;
	if (bytes[EI_CLASS] != ELFCLASS64 || bytes[EI_DATA] != OWN_ORDER || facts->machine != OWN_MACHINE)
		return true;
	bytes = elf_bytes(elf, WINDOW_OTHER, 0, sizeof(elf->head));
	if (!bytes) {
		facts->damaged = true;
		facts->shape = SHAPE_NO_PROGRAM;
		return true;
	}
	memcpy(&elf->head, bytes, sizeof(elf->head));
	facts->shape = elf->head.e_type == ET_EXEC  ? SHAPE_STATIC
		       : elf->head.e_type == ET_DYN ? SHAPE_LIBRARY
						    : SHAPE_NO_PROGRAM;
	return true;
}

/* A copy of the entry, or false at the end of the table. */
static bool dynamic_entry(struct elf *elf, const Elf64_Phdr *table, size_t index, Elf64_Dyn *out)
{
	uint64_t offset;

	if (index >= MOST_DYNAMIC || index >= table->p_filesz / sizeof(*out) ||
	    __builtin_add_overflow(table->p_offset, index * sizeof(*out), &offset))
		return false;
	const uint8_t *bytes = elf_bytes(elf, WINDOW_TABLE, offset, sizeof(*out));
	if (!bytes)
		return false;
	memcpy(out, bytes, sizeof(*out));
	return out->d_tag != DT_NULL;
}

static void add_needed(struct elf *elf, struct check_facts *facts, bool known, uint64_t texts, uint64_t name)
{
	const char *text = known && name < elf->size ? elf_text(elf, texts + name) : NULL;

	if (!text)
		facts->damaged = true;
	else if (facts->needed_count == CHECK_NEEDED)
		facts->needed_more = true;
	else
		text_escape_string(facts->needed[facts->needed_count++], sizeof(facts->needed[0]), text);
}

static void read_dynamic(struct elf *elf, struct check_facts *facts, const Elf64_Phdr *table)
{
	Elf64_Dyn item;
	uint64_t texts = 0;
	bool known = false;

	for (size_t i = 0; dynamic_entry(elf, table, i, &item); i++)
		if (item.d_tag == DT_STRTAB)
			known = elf_offset(elf, item.d_un.d_ptr, &texts) && texts < elf->size;
	for (size_t i = 0; dynamic_entry(elf, table, i, &item); i++) {
		if (item.d_tag == DT_NEEDED)
			add_needed(elf, facts, known, texts, item.d_un.d_val);
		else if (item.d_tag == DT_SYMBOLIC ||
			 (item.d_tag == DT_FLAGS && (item.d_un.d_val & DF_SYMBOLIC)))
			facts->symbolic = true;
		else if (item.d_tag == DT_FLAGS_1 && (item.d_un.d_val & DF_1_PIE) &&
			 facts->shape == SHAPE_LIBRARY)
			facts->shape = SHAPE_STATIC_PIE;
	}
}

static void read_interpreter(struct elf *elf, struct check_facts *facts, const Elf64_Phdr *segment)
{
	const char *text = elf_text(elf, segment->p_offset);

	facts->shape = SHAPE_DYNAMIC;
	if (text)
		text_escape_string(facts->interpreter, sizeof(facts->interpreter), text);
	else
		facts->damaged = true;
}

static void read_section_names(struct elf *elf, struct check_facts *facts)
{
	Elf64_Shdr names, section;

	facts->sections = elf->head.e_shnum && elf_section(elf, 0, &section);
	if (!facts->sections || !elf_section(elf, elf->head.e_shstrndx, &names))
		return;
	for (size_t i = 1; elf_section(elf, i, &section); i++) {
		const char *name =
			names.sh_offset < elf->size ? elf_text(elf, names.sh_offset + section.sh_name) : NULL;
		if (name && (!strcmp(name, ".go.buildinfo") || !strcmp(name, ".note.go.buildid")))
			facts->go = true;
	}
}

void check_headers(struct elf *elf, struct check_facts *facts)
{
	Elf64_Phdr segment;
	size_t seen = 0;

	if (facts->shape == SHAPE_OTHER_MACHINE || facts->shape == SHAPE_NO_PROGRAM)
		return;
	/* The interpreter first: whether a DT_FLAGS_1 makes a static-pie depends on there being none. */
	for (; elf_segment(elf, seen, &segment); seen++)
		if (segment.p_type == PT_INTERP)
			read_interpreter(elf, facts, &segment);
	if (seen != elf->head.e_phnum)
		facts->damaged = true;
	for (size_t i = 0; i < seen && elf_segment(elf, i, &segment); i++)
		if (segment.p_type == PT_DYNAMIC)
			read_dynamic(elf, facts, &segment);
	read_section_names(elf, facts);
}

/* Calls `visit` for every function symbol of the table. */
struct visitor {
	void (*visit)(struct visitor *self, const char *name, bool defined, bool dynamic);
	struct check_facts *facts;
	struct check_names *names; /* written by check_exports(), else only read */
};

static void walk(struct elf *elf, const Elf64_Shdr *table, struct visitor *visitor)
{
	Elf64_Shdr texts;
	uint64_t count = table->sh_size / sizeof(Elf64_Sym);

	if (table->sh_entsize != sizeof(Elf64_Sym) || !elf_section(elf, table->sh_link, &texts) ||
	    texts.sh_offset >= elf->size)
		return;
	for (uint64_t i = 1; i < count && i < MOST_SYMBOLS; i++) {
		Elf64_Sym symbol;
		uint64_t offset;
		if (__builtin_add_overflow(table->sh_offset, i * sizeof(symbol), &offset))
			return;
		const uint8_t *bytes = elf_bytes(elf, WINDOW_TABLE, offset, sizeof(symbol));
		if (!bytes)
			return;
		memcpy(&symbol, bytes, sizeof(symbol));
		unsigned type = ELF64_ST_TYPE(symbol.st_info);
		bool defined = symbol.st_shndx != SHN_UNDEF;
		/* An import may have no type. */
		if (type != STT_FUNC && type != STT_GNU_IFUNC && !(type == STT_NOTYPE && !defined))
			continue;
		const char *name = elf_text(elf, texts.sh_offset + symbol.st_name);
		if (name && *name)
			visitor->visit(visitor, name, defined, table->sh_type == SHT_DYNSYM);
	}
}

static void walk_all(struct elf *elf, struct visitor *visitor)
{
	Elf64_Shdr section;

	for (size_t i = 1; elf_section(elf, i, &section); i++)
		if (section.sh_type == SHT_DYNSYM || section.sh_type == SHT_SYMTAB)
			walk(elf, &section, visitor);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void compare(struct visitor *self, const char *name, bool defined, bool dynamic)
{
	static const char *const tls[] = {"SSL_write",         "SSL_read",      "gnutls_record_send",
					  "mbedtls_ssl_write", "wolfSSL_write", "s2n_send",
					  "PR_Write"};
	struct check_facts *facts = self->facts;

	for (size_t i = 0; defined && i < sizeof(tls) / sizeof(tls[0]); i++) {
		if (!strcmp(name, tls[i])) {
			snprintf(facts->tls, sizeof(facts->tls), "it defines %s", name);
			facts->links_ssl_itself = true;
		}
	}
	if (defined && !strcmp(name, "sqlite3_step"))
		facts->links_sqlite_itself = true;
	if (!dynamic || !self->names->count ||
	    !bsearch(&name, self->names->at, self->names->count, sizeof(*self->names->at), by_name))
		return;
	if (!defined) {
		facts->imported_hooked++;
		return;
	}
	size_t used = strlen(facts->own_names);
	if (facts->own_hooked++ < 6 && used + strlen(name) + 3 < sizeof(facts->own_names))
		snprintf(facts->own_names + used, sizeof(facts->own_names) - used, "%s%s", used ? ", " : "",
			 name);
}

void check_symbols(struct elf *elf, struct check_facts *facts, const struct check_names *names)
{
	struct visitor visitor = {compare, facts, (struct check_names *)names};

	walk_all(elf, &visitor);
}

static void collect(struct visitor *self, const char *name, bool defined, bool dynamic)
{
	struct check_names *names = self->names;

	if (!defined || !dynamic)
		return;
	if (!(names->count & (names->count + 1)))
		names->at = cli_grow(names->at, 2 * names->count + 2, sizeof(*names->at));
	names->at[names->count++] = cli_join("%s", name);
}

void check_exports(struct elf *elf, struct check_names *names)
{
	struct visitor visitor = {collect, NULL, names};

	walk_all(elf, &visitor);
	if (names->count)
		qsort(names->at, names->count, sizeof(*names->at), by_name);
}

void check_names_free(struct check_names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->at[i]);
	free(names->at);
	*names = (struct check_names){0};
}
