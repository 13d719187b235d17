/* check_elf.c - reading an ELF file that may be anything; see check.h.
 *
 * Read, not mapped: a file that shrinks under a mapping ends the program with SIGBUS. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "exporter/cli/check.h"

size_t elf_copy(struct elf *elf, uint64_t offset, uint8_t *out, size_t cap)
{
	size_t done = 0;

	if (offset >= elf->size)
		return 0;
	if (cap > elf->size - offset)
		cap = (size_t)(elf->size - offset);
	if (elf->fd < 0) {
		memcpy(out, elf->memory + offset, cap);
		return cap;
	}
	while (done < cap) {
		ssize_t got = pread(elf->fd, out + done, cap - done, (off_t)(offset + done));
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		done += (size_t)got;
	}
	return done;
}

const uint8_t *elf_bytes(struct elf *elf, enum elf_window which, uint64_t offset, size_t len)
{
	if (len > ELF_MOST || offset > elf->size || len > elf->size - offset)
		return NULL;
	uint64_t from = elf->windows[which].from;
	size_t have = elf->windows[which].len;
	if (offset < from || offset - from > have || len > have - (size_t)(offset - from)) {
		from = elf->windows[which].from = offset;
		have = elf->windows[which].len = elf_copy(elf, offset, elf->windows[which].bytes, ELF_WINDOW);
		if (have < len)
			return NULL;
	}
	return elf->windows[which].bytes + (offset - from);
}

const char *elf_text(struct elf *elf, uint64_t offset)
{
	if (offset >= elf->size)
		return NULL;
	size_t cap = elf->size - offset < 256 ? (size_t)(elf->size - offset) : 256;
	const uint8_t *text = elf_bytes(elf, WINDOW_TEXT, offset, cap);
	return text && memchr(text, 0, cap) ? (const char *)text : NULL;
}

/* `index` of a table whose place and entry size the header states. */
static bool entry(struct elf *elf, uint64_t table, size_t stated, size_t index, void *out, size_t size)
{
	uint64_t offset;

	if (!table || stated < size || __builtin_mul_overflow((uint64_t)index, (uint64_t)stated, &offset) ||
	    __builtin_add_overflow(offset, table, &offset))
		return false;
	const uint8_t *bytes = elf_bytes(elf, WINDOW_OTHER, offset, size);
	if (bytes)
		memcpy(out, bytes, size);
	return bytes;
}

bool elf_segment(struct elf *elf, size_t index, Elf64_Phdr *out)
{
	return index < elf->head.e_phnum &&
	       entry(elf, elf->head.e_phoff, elf->head.e_phentsize, index, out, sizeof(*out));
}

bool elf_section(struct elf *elf, size_t index, Elf64_Shdr *out)
{
	return index < elf->head.e_shnum &&
	       entry(elf, elf->head.e_shoff, elf->head.e_shentsize, index, out, sizeof(*out));
}

bool elf_offset(struct elf *elf, uint64_t address, uint64_t *offset)
{
	Elf64_Phdr segment;

	for (size_t i = 0; elf_segment(elf, i, &segment); i++) {
		if (segment.p_type != PT_LOAD || address < segment.p_vaddr ||
		    address - segment.p_vaddr >= segment.p_filesz)
			continue;
		return !__builtin_add_overflow(segment.p_offset, address - segment.p_vaddr, offset);
	}
	return false;
}
