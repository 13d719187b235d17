#include "exporter/modules.h"

#include <string.h>

#include "preload/readable.h"

#define MOST 1024 /* what is beyond them is in none */

static struct module modules[MOST];
static size_t module_count;
static const struct module *last_found;

#define PAGE 4096u
#define PAGES 32
static uintptr_t pages[PAGES]; /* found readable under this hold; 0 is none: no module is at the first page */

struct hold {
	void (*what)(void *arg);
	void *arg;
	unsigned long long unloaded;
};

static int collect(struct dl_phdr_info *info, size_t size, void *arg)
{
	(void)size, (void)arg;
	if (module_count == MOST)
		return 1;
	struct module *module = &modules[module_count++];
	*module = (struct module){
		.base = info->dlpi_addr,
		.low = UINTPTR_MAX,
		.path = info->dlpi_name ? info->dlpi_name : "",
		.headers = info->dlpi_phdr,
		.count = info->dlpi_phnum,
	};
	for (unsigned i = 0; i < module->count; i++) {
		const ElfW(Phdr) *header = &module->headers[i];
		uintptr_t from = module->base + header->p_vaddr, to = from + header->p_memsz;
		if (header->p_type == PT_GNU_EH_FRAME)
			module->unwind = from;
		if (header->p_type != PT_LOAD)
			continue;
		module->low = from < module->low ? from : module->low;
		module->high = to > module->high ? to : module->high;
	}
	return 0;
}

/* The loader's lock is held while a callback runs, and may be taken again by the same thread. */
static int hold(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct hold *hold = arg;
	(void)size;
	hold->unloaded = info->dlpi_subs;
	module_count = 0;
	last_found = NULL;
	memset(pages, 0, sizeof(pages));
	dl_iterate_phdr(collect, NULL);
	hold->what(hold->arg);
	return 1;
}

unsigned long long modules_hold(void (*what)(void *arg), void *arg)
{
	struct hold held = {what, arg, 0};
	dl_iterate_phdr(hold, &held);
	return held.unloaded;
}

static const struct module *within(const struct module *module, uintptr_t address)
{
	return module && address >= module->low && address < module->high ? module : NULL;
}

const struct module *modules_find(uintptr_t address)
{
	if (within(last_found, address))
		return last_found;
	for (size_t i = 0; i < module_count; i++)
		if (within(&modules[i], address))
			return last_found = &modules[i];
	return NULL;
}

static bool is_mapped(const struct module *module, uintptr_t address, size_t len)
{
	for (unsigned i = 0; i < module->count; i++) {
		const ElfW(Phdr) *header = &module->headers[i];
		uintptr_t from = module->base + header->p_vaddr;
		size_t size = (header->p_memsz + 7) & ~(size_t)7; /* whole words are read, and pages mapped */
		if (header->p_type == PT_LOAD && (header->p_flags & PF_R) && address >= from && len <= size &&
		    address - from <= size - len)
			return true;
	}
	return false;
}

static bool may_read(const struct module *module, uintptr_t address, size_t len)
{
	/* What is mapped may have been protected by the host, or its file been cut short. */
	return is_mapped(module, address, len) &&
	       readable((const void *)address, len); // NOLINT(performance-no-int-to-ptr)
}

static bool may_read_word(uintptr_t address)
{
	uintptr_t page = address / PAGE;
	if (page == 0)
		return false;
	if (pages[page % PAGES] == page && address % PAGE <= PAGE - sizeof(uint64_t))
		return true;
	const struct module *module = modules_find(address);
	if (!module || !may_read(module, address, sizeof(uint64_t)))
		return false;
	pages[page % PAGES] = page;
	return true;
}

bool modules_read(uintptr_t address, uint64_t *word)
{
	if (!may_read_word(address))
		return false;
	memcpy(word, (const void *)address, sizeof(*word)); // NOLINT(performance-no-int-to-ptr)
	return true;
}

uint64_t modules_hash(uint64_t hash, const void *data, size_t len)
{
	const unsigned char *byte = data;
	for (size_t i = 0; i < len; i++)
		hash = (hash ^ byte[i]) * 0x100000001b3u;
	return hash;
}

uint64_t modules_identity(const struct module *module)
{
	uint64_t hash = modules_hash(MODULES_HASH, module->headers, module->count * sizeof(*module->headers));
	for (unsigned i = 0; i < module->count; i++) {
		const ElfW(Phdr) *header = &module->headers[i];
		size_t len = header->p_memsz < MODULES_NOTES ? header->p_memsz : MODULES_NOTES;
		uintptr_t from = module->base + header->p_vaddr;
		if (header->p_type == PT_NOTE && may_read(module, from, len))
			hash = modules_hash(hash, (const void *)from,
					    len); // NOLINT(performance-no-int-to-ptr)
	}
	return hash;
}
