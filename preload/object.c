/* object.c - tables of loaded ELF objects; see object.h. Source: System V gABI, "Dynamic Linking"; GNU hash
 * section. */
#include "preload/object.h"

#include <string.h>

/* The loader has relocated these pointers in place; not those of the vDSO. */
static const void *at(const struct object *object, ElfW(Addr) pointer)
{
	return (const void *)(pointer < object->base ? pointer + object->base
						     : pointer); // NOLINT(performance-no-int-to-ptr)
}

static void read_dynamic(struct object *object, const ElfW(Dyn) * entry)
{
	for (; entry->d_tag != DT_NULL; entry++) {
		switch (entry->d_tag) {
		case DT_SYMTAB:
			object->symbols = at(object, entry->d_un.d_ptr);
			break;
		case DT_STRTAB:
			object->strings = at(object, entry->d_un.d_ptr);
			break;
		case DT_GNU_HASH:
			object->gnu_hash = at(object, entry->d_un.d_ptr);
			break;
		case DT_RELA:
			object->relocations[0].first = at(object, entry->d_un.d_ptr);
			break;
		case DT_RELASZ:
			object->relocations[0].count = entry->d_un.d_val / sizeof(ElfW(Rela));
			break;
		case DT_JMPREL:
			object->relocations[1].first = at(object, entry->d_un.d_ptr);
			break;
		case DT_PLTRELSZ:
			object->relocations[1].count = entry->d_un.d_val / sizeof(ElfW(Rela));
			break;
		default:
			break;
		}
	}
}

bool object_read(struct object *object, const struct dl_phdr_info *info)
{
	memset(object, 0, sizeof(*object));
	object->base = info->dlpi_addr;
	object->low = UINTPTR_MAX;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *header = &info->dlpi_phdr[i];
		uintptr_t from = object->base + header->p_vaddr, to = from + header->p_memsz;
		if (header->p_type == PT_DYNAMIC) {
			object->dynamic = (const void *)from; // NOLINT(performance-no-int-to-ptr)
		} else if (header->p_type == PT_GNU_RELRO) {
			object->relro = from;
			object->relro_end = to;
		} else if (header->p_type == PT_LOAD) {
			object->low = from < object->low ? from : object->low;
			object->high = to > object->high ? to : object->high;
		}
	}
	if (!object->dynamic)
		return false;
	read_dynamic(object, object->dynamic);
	for (int i = 0; i < 2; i++)
		if (!object->relocations[i].first)
			object->relocations[i].count = 0;
	return object->symbols && object->strings;
}

static uint32_t hash_of(const char *name)
{
	uint32_t hash = 5381;
	for (; *name; name++)
		hash = hash * 33 + (unsigned char)*name;
	return hash;
}

/* The definition of a name as this type, in any version. */
static const ElfW(Sym) * find(const struct object *object, const char *name, unsigned type)
{
	if (!object->gnu_hash)
		return NULL;
	uint32_t buckets = object->gnu_hash[0], first = object->gnu_hash[1], words = object->gnu_hash[2];
	const uint32_t *bucket = object->gnu_hash + 4 + words * (sizeof(ElfW(Addr)) / 4);
	uint32_t hash = hash_of(name);
	uint32_t i = buckets ? bucket[hash % buckets] : 0;

	if (i < first)
		return NULL;
	for (const uint32_t *chain = bucket + buckets - first;; i++) {
		const ElfW(Sym) *symbol = &object->symbols[i];
		if ((chain[i] | 1) == (hash | 1) && symbol->st_shndx != SHN_UNDEF &&
		    ELF64_ST_TYPE(symbol->st_info) == type &&
		    strcmp(object->strings + symbol->st_name, name) == 0)
			return symbol;
		if (chain[i] & 1)
			return NULL;
	}
}

void *object_function(const struct object *object, const char *name)
{
	const ElfW(Sym) *symbol = find(object, name, STT_FUNC);
	return symbol ? (void *)(object->base + symbol->st_value) // NOLINT(performance-no-int-to-ptr)
		      : NULL;
}

void *object_variable(const struct object *object, const char *name, size_t *size)
{
	const ElfW(Sym) *symbol = find(object, name, STT_OBJECT);
	if (!symbol)
		return NULL;
	*size = symbol->st_size;
	return (void *)(object->base + symbol->st_value); // NOLINT(performance-no-int-to-ptr)
}

bool object_imports(const struct object *object, const char *name)
{
	for (int i = 0; i < 2; i++) {
		for (size_t k = 0; k < object->relocations[i].count; k++) {
			size_t symbol = ELF64_R_SYM(object->relocations[i].first[k].r_info);
			if (symbol && strcmp(object->strings + object->symbols[symbol].st_name, name) == 0)
				return true;
		}
	}
	return false;
}

const char *object_name(const struct object *object)
{
	for (const ElfW(Dyn) *entry = object->dynamic; entry->d_tag != DT_NULL; entry++)
		if (entry->d_tag == DT_SONAME)
			return object->strings + entry->d_un.d_val;
	return NULL;
}

bool object_needs(const struct object *object, const char *name)
{
	for (const ElfW(Dyn) *entry = object->dynamic; entry->d_tag != DT_NULL; entry++)
		if (entry->d_tag == DT_NEEDED && strcmp(object->strings + entry->d_un.d_val, name) == 0)
			return true;
	return false;
}

static int count_changes(struct dl_phdr_info *info, size_t size, void *arg)
{
	(void)size;
	*(unsigned long long *)arg = (unsigned long long)info->dlpi_adds + info->dlpi_subs;
	return 1;
}

unsigned long long object_changes(void)
{
	unsigned long long changes = 0;
	dl_iterate_phdr(count_changes, &changes);
	return changes;
}

static int count_unloads(struct dl_phdr_info *info, size_t size, void *arg)
{
	(void)size;
	*(unsigned long long *)arg = info->dlpi_subs;
	return 1;
}

unsigned long long object_unloads(void)
{
	unsigned long long unloads = 0;
	dl_iterate_phdr(count_unloads, &unloads);
	return unloads;
}

struct range {
	uintptr_t low, high;
	bool writable;
};

static int look_for_data(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct range *range = arg;
	bool found = false, closed = false;
	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *header = &info->dlpi_phdr[i];
		uintptr_t low = info->dlpi_addr + header->p_vaddr, high = low + header->p_memsz;
		if (header->p_type == PT_LOAD && (header->p_flags & PF_W))
			found |= range->low >= low && range->high <= high;
		else if (header->p_type == PT_GNU_RELRO)
			closed |= range->low < high && range->high > low;
	}
	range->writable = found && !closed;
	return found;
}

bool object_writable(const void *data, size_t size)
{
	struct range range = {(uintptr_t)data, (uintptr_t)data + size, false};
	dl_iterate_phdr(look_for_data, &range);
	return range.writable;
}
