/* rebind.c - slots of objects that were bound past us; see rebind.h. */
#include "preload/rebind.h"

#include <dlfcn.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "preload/object.h"

#define NAMES_MAX 512

struct pair {
	uintptr_t real, own;
	const char *name;
};

struct work {
	const struct rebind_before *before;
	struct pair pairs[NAMES_MAX]; /* in order of `real` */
	size_t count, changed;
	uintptr_t own_base;
};

static int remember(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct rebind_before *before = arg;
	(void)size;
	if (before->count < REBIND_OBJECTS)
		before->base[before->count++] = info->dlpi_addr;
	return 0;
}

void rebind_remember(struct rebind_before *before)
{
	before->count = 0;
	dl_iterate_phdr(remember, before);
}

static bool is_new(const struct rebind_before *before, uintptr_t base)
{
	for (size_t i = 0; i < before->count; i++)
		if (before->base[i] == base)
			return false;
	return true;
}

static int collect_own(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct work *work = arg;
	struct object object;
	(void)size;
	if (info->dlpi_addr != work->own_base || !object_read(&object, info))
		return 0;
	for (size_t i = 0; i < work->count; i++)
		work->pairs[i].own = (uintptr_t)object_function(&object, work->pairs[i].name);
	return 1;
}

/* Two names of one function stay in the order of the libraries. */
static void insert(struct work *work, uintptr_t real, const char *name)
{
	size_t i = work->count++;
	for (; i > 0 && work->pairs[i - 1].real > real; i--)
		work->pairs[i] = work->pairs[i - 1];
	work->pairs[i] = (struct pair){.real = real, .name = name};
}

static void collect(struct work *work, const struct hook_library *const *libraries)
{
	Dl_info info;
	if (!dladdr((void *)(uintptr_t)rebind_new, &info))
		return;
	work->own_base = (uintptr_t)info.dli_fbase;
	for (; *libraries; libraries++) {
		for (size_t i = 0; i < (*libraries)->count && work->count < NAMES_MAX; i++) {
			const struct hook_symbol *symbol = &(*libraries)->symbols[i];
			/* What has come with these objects was nowhere to be found before. */
			if (symbol->wrapped && (*symbol->real || hook_resolve(symbol->real, symbol->name)))
				insert(work, (uintptr_t)*symbol->real, symbol->name);
		}
	}
	dl_iterate_phdr(collect_own, work);
	/* What plain binding would not have led to us (the program has a function of that name) stays. */
	for (size_t i = 0; i < work->count; i++)
		if ((uintptr_t)dlsym(RTLD_DEFAULT, work->pairs[i].name) != work->pairs[i].own)
			work->pairs[i].own = 0;
}

static const struct pair *find_real(const struct work *work, uintptr_t real)
{
	size_t low = 0, high = work->count;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (work->pairs[middle].real < real)
			low = middle + 1;
		else
			high = middle;
	}
	return low < work->count && work->pairs[low].real == real ? &work->pairs[low] : NULL;
}

struct elsewhere {
	const struct pair *pair;
	uintptr_t own_base;
	bool found;
};

static int ask(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct elsewhere *elsewhere = arg;
	struct object object;
	(void)size;
	if (info->dlpi_addr == elsewhere->own_base || !object_read(&object, info) ||
	    (elsewhere->pair->real >= object.low && elsewhere->pair->real < object.high))
		return 0;
	elsewhere->found = object_function(&object, elsewhere->pair->name) != NULL;
	return elsewhere->found;
}

/* A function that is bound at its first call only: by name, unless somebody else has one of that name too. */
static const struct pair *find_unbound(const struct work *work, const char *name)
{
	for (size_t i = 0; i < work->count; i++) {
		if (strcmp(work->pairs[i].name, name) == 0) {
			struct elsewhere elsewhere = {&work->pairs[i], work->own_base, false};
			dl_iterate_phdr(ask, &elsewhere);
			return elsewhere.found ? NULL : &work->pairs[i];
		}
	}
	return NULL;
}

#if defined(__x86_64__)
#define IS_FUNCTION_SLOT(type) ((type) == R_X86_64_JUMP_SLOT)
#define IS_DATA_SLOT(type) ((type) == R_X86_64_GLOB_DAT || (type) == R_X86_64_64)
#elif defined(__aarch64__)
#define IS_FUNCTION_SLOT(type) ((type) == R_AARCH64_JUMP_SLOT)
#define IS_DATA_SLOT(type) ((type) == R_AARCH64_GLOB_DAT || (type) == R_AARCH64_ABS64)
#else
#define IS_FUNCTION_SLOT(type) false
#define IS_DATA_SLOT(type) false
#endif

static void store(const struct object *object, uintptr_t *slot, uintptr_t value)
{
	uintptr_t size = (uintptr_t)sysconf(_SC_PAGESIZE), page = (uintptr_t)slot & ~(size - 1);
	bool closed = (uintptr_t)slot >= object->relro && (uintptr_t)slot < object->relro_end;
	void *where = (void *)page; // NOLINT(performance-no-int-to-ptr)

	if (closed && mprotect(where, size, PROT_READ | PROT_WRITE) != 0)
		return;
	__atomic_store_n(slot, value, __ATOMIC_RELEASE);
	if (closed)
		mprotect(where, size, PROT_READ);
}

static void rebind_slot(struct work *work, const struct object *object, const ElfW(Rela) * relocation)
{
	unsigned type = ELF64_R_TYPE(relocation->r_info);
	uintptr_t *slot =
		(uintptr_t *)(object->base + relocation->r_offset); // NOLINT(performance-no-int-to-ptr)
	const struct pair *pair = NULL;

	if (!IS_FUNCTION_SLOT(type) && !IS_DATA_SLOT(type))
		return;
	const ElfW(Sym) *symbol = &object->symbols[ELF64_R_SYM(relocation->r_info)];
	if (symbol->st_shndx != SHN_UNDEF || (uintptr_t)slot % sizeof(*slot) != 0)
		return;
	uintptr_t value = __atomic_load_n(slot, __ATOMIC_RELAXED);
	if (IS_FUNCTION_SLOT(type) && value >= object->low && value < object->high)
		pair = find_unbound(work, object->strings + symbol->st_name);
	else
		pair = find_real(work, value);
	if (!pair || !pair->own)
		return;
	store(object, slot, pair->own);
	work->changed++;
}

static int rebind_object(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct work *work = arg;
	struct object object;
	(void)size;
	if (!is_new(work->before, info->dlpi_addr) || !object_read(&object, info))
		return 0;
	for (int i = 0; i < 2; i++)
		for (size_t k = 0; k < object.relocations[i].count; k++)
			rebind_slot(work, &object, &object.relocations[i].first[k]);
	return 0;
}

size_t rebind_new(const struct rebind_before *before, const struct hook_library *const *libraries)
{
	struct work work = {.before = before};
	if (before->count == REBIND_OBJECTS)
		return 0;
	collect(&work, libraries);
	dl_iterate_phdr(rebind_object, &work);
	return work.changed;
}

static bool is_listed(const char *name, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

void rebind_tables(const struct object *object, const char *const *names, size_t count)
{
	for (size_t i = 0; i < object->relocations[0].count; i++) {
		const ElfW(Rela) *relocation = &object->relocations[0].first[i];
		const ElfW(Sym) *symbol = &object->symbols[ELF64_R_SYM(relocation->r_info)];
		uintptr_t *slot = (uintptr_t *)(object->base +
						relocation->r_offset); // NOLINT(performance-no-int-to-ptr)
		uintptr_t own = object->base + symbol->st_value;
		if (IS_DATA_SLOT(ELF64_R_TYPE(relocation->r_info)) && symbol->st_shndx != SHN_UNDEF &&
		    (uintptr_t)slot % sizeof(*slot) == 0 &&
		    is_listed(object->strings + symbol->st_name, names, count) &&
		    __atomic_load_n(slot, __ATOMIC_RELAXED) != own)
			store(object, slot, own);
	}
}
