/* copies.c - which copy of a library is a caller's; see copies.h. */
#include "hooks/copies.h"

#include <dlfcn.h>
#include <string.h>

#include "preload/object.h"
#include "preload/rebind.h"

struct search {
	struct copies *copies;
	uintptr_t caller;
	const struct copy *found;
	const char *name; /* of the object in question */
	bool bound;
};

static struct copy *at(const struct copies *copies, int index)
{
	return (struct copy *)(void *)((char *)copies->room + (size_t)index * copies->size);
}

static void **functions(struct copy *copy)
{
	return (void **)(void *)(copy + 1);
}

/* Of the library's first name; NULL: it is none, or ourselves. */
static void *key_of(const struct copies *copies, const struct object *object)
{
	uintptr_t self = (uintptr_t)(void *)copies_of;
	if (self >= object->low && self < object->high)
		return NULL;
	return object_function(object, copies->names[0]);
}

static struct copy *known(const struct copies *copies, const struct object *object, const void *key)
{
	for (int i = 0; i < atomic_load(&copies->known); i++)
		if (at(copies, i)->low == object->low && functions(at(copies, i))[0] == key)
			return at(copies, i);
	return NULL;
}

static void add(struct copies *copies, const struct object *object)
{
	int count = atomic_load(&copies->known), free = count;
	for (int i = 0; i < COPIES_MOST && free == COPIES_MOST; i++)
		if (!at(copies, i)->loaded)
			free = i;
	if (free == COPIES_MOST)
		return;
	struct copy *copy = at(copies, free);
	copy->low = object->low;
	copy->high = object->high;
	copy->loaded = true;
	atomic_store(&copy->calls_itself, CALLS_UNKNOWN);
	for (size_t i = 0; i < copies->count; i++)
		functions(copy)[i] = object_function(object, copies->names[i]);
	if (copies->compares)
		rebind_tables(object, copies->names, copies->count);
	if (free == count)
		atomic_store_explicit(&copies->known, count + 1, memory_order_release);
}

static int mark_loaded(struct dl_phdr_info *info, size_t size, void *arg)
{
	const struct search *search = arg;
	struct object object;
	(void)size;
	void *key = object_read(&object, info) ? key_of(search->copies, &object) : NULL;
	struct copy *copy = key ? known(search->copies, &object, key) : NULL;
	if (copy)
		copy->loaded = true;
	return 0;
}

static int collect(struct dl_phdr_info *info, size_t size, void *arg)
{
	const struct search *search = arg;
	struct object object;
	(void)size;
	void *key = object_read(&object, info) ? key_of(search->copies, &object) : NULL;
	if (key && !known(search->copies, &object, key))
		add(search->copies, &object);
	return 0;
}

static int ask_caller(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct search *search = arg;
	struct object object;
	(void)size;
	if (!object_read(&object, info) || search->caller < object.low || search->caller >= object.high)
		return 0;
	search->bound = object_needs(&object, search->name);
	return 1;
}

static int ask_copy(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct search *search = arg;
	struct object object;
	(void)size;
	void *key = object_read(&object, info) ? key_of(search->copies, &object) : NULL;
	const struct copy *copy = key ? known(search->copies, &object, key) : NULL;
	if (!copy)
		return 0;
	search->name = object_name(&object);
	bool itself =
		copies_itself(copy, (const void *)search->caller); /* NOLINT(performance-no-int-to-ptr) */
	if (!itself && search->name)
		dl_iterate_phdr(ask_caller, search);
	/* The first in the loader's order, unless somebody asks for another by name. */
	if (itself || search->bound || !search->found)
		search->found = copy;
	return itself || search->bound;
}

/* Not found is no error of the host's. Asked only where there is a choice: dlsym() waits for a thread in
 * dlopen(), which may wait for this one. */
static const struct copy *find_global(const struct copies *copies)
{
	const void *next = dlsym(RTLD_NEXT, copies->names[0]);
	if (!next)
		(void)dlerror();
	for (int i = 0; next && i < atomic_load(&copies->known); i++)
		if (at(copies, i)->loaded && functions(at(copies, i))[0] == next)
			return at(copies, i);
	return NULL;
}

/* A thread that finds another one at it goes on with what is known. */
static void look_again(struct copies *copies)
{
	struct search search = {.copies = copies};
	unsigned long long now = object_changes();
	if (now == atomic_load(&copies->seen) || atomic_exchange(&copies->filling, 1))
		return;
	for (int i = 0; i < COPIES_CALLERS; i++)
		atomic_store(&copies->callers[i].caller, 0);
	for (int i = 0; i < atomic_load(&copies->known); i++)
		at(copies, i)->loaded = false;
	dl_iterate_phdr(mark_loaded, &search);
	dl_iterate_phdr(collect, &search);
	atomic_store(&copies->global, atomic_load(&copies->known) > 1 ? find_global(copies) : NULL);
	atomic_store(&copies->seen, now);
	atomic_store(&copies->filling, 0);
}

static const struct copy *search_for(struct copies *copies, uintptr_t caller)
{
	struct search search = {.copies = copies, .caller = caller};
	uintptr_t page = caller >> 12;
	uint32_t slot = (uint32_t)((page * 0x9e3779b97f4a7c15u) >> 40) % COPIES_CALLERS;

	if (atomic_load_explicit(&copies->callers[slot].caller, memory_order_acquire) == page) {
		const struct copy *copy =
			atomic_load_explicit(&copies->callers[slot].copy, memory_order_acquire);
		if (atomic_load_explicit(&copies->callers[slot].caller, memory_order_acquire) == page)
			return copy;
	}
	dl_iterate_phdr(ask_copy, &search);
	if (search.found) {
		atomic_store(&copies->callers[slot].caller, 0);
		atomic_store(&copies->callers[slot].copy, search.found);
		atomic_store(&copies->callers[slot].caller, page);
	}
	return search.found;
}

const struct copy *copies_of(struct copies *copies, const void *caller, bool look)
{
	if (look || atomic_load_explicit(&copies->known, memory_order_acquire) == 0)
		look_again(copies);
	int count = atomic_load_explicit(&copies->known, memory_order_acquire);
	if (__builtin_expect(count <= 1, 1))
		return count ? at(copies, 0) : NULL;
	const struct copy *global = atomic_load_explicit(&copies->global, memory_order_acquire);
	return global ? global : search_for(copies, (uintptr_t)caller);
}
