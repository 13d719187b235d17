/* curl_lib.c - the libcurls of this process. Usually one; where a program has one with OpenSSL and a plug-in
 * one with GnuTLS, each caller's calls must go to its own: a handle of the one is no handle of the other. */
#include "hooks/curl.h"

#include <dlfcn.h>
#include <stdatomic.h>

#include "preload/object.h"

#define MOST 8
#define CALLERS 64

static struct curl libraries[MOST]; /* not changed while loaded */
static _Atomic int count;
static _Atomic int filling;
static _Atomic unsigned long long seen; /* loads and unloads of objects so far */

/* Who was found to be bound to which; pages and not places, for there are many of those. */
static struct {
	_Atomic uintptr_t caller;
	_Atomic(const struct curl *) lib;
} callers[CALLERS];

struct search {
	uintptr_t caller;
	const struct curl *lib;
	const char *name; /* of the library in question */
	bool bound;
};

static struct curl *known(const struct object *object, const void *setopt)
{
	for (int i = 0; i < atomic_load(&count); i++)
		if (libraries[i].low == object->low && (void *)libraries[i].curl_easy_setopt == setopt)
			return &libraries[i];
	return NULL;
}

/* Another object that it was linked with, and whose plaintext is seen: hooks/openssl.c, hooks/gnutls.c. */
static int is_its_tls(struct dl_phdr_info *info, size_t size, void *arg)
{
	const struct object *library = arg;
	struct object object;
	(void)size;
	const char *name = object_read(&object, info) ? object_name(&object) : NULL;
	return name && object_needs(library, name) &&
	       (object_function(&object, "SSL_write") || object_function(&object, "gnutls_record_send"));
}

static void add(struct object *object)
{
	int at = atomic_load(&count);
	for (int i = 0; i < MOST && at == MOST; i++)
		if (!libraries[i].loaded)
			at = i;
	if (at == MOST)
		return;
	struct curl *library = &libraries[at];
	bool whole = true;
	library->low = object->low;
	library->high = object->high;
	library->loaded = true;
	library->followed = dl_iterate_phdr(is_its_tls, object) != 0;
#define FIND(name)                                                         \
	*(void **)(void *)&library->name = object_function(object, #name); \
	whole = whole && library->name;
	CURL_HOOKED(FIND)
#undef FIND
	if (!whole)
		library->loaded = false;
	else if (at == atomic_load(&count))
		atomic_store_explicit(&count, at + 1, memory_order_release);
}

static void *setopt_of(const struct object *object)
{
	uintptr_t self = (uintptr_t)(void *)curl_of;
	if (self >= object->low && self < object->high)
		return NULL;
	return object_function(object, "curl_easy_setopt");
}

static int mark_loaded(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct object object;
	(void)size, (void)arg;
	void *setopt = object_read(&object, info) ? setopt_of(&object) : NULL;
	struct curl *library = setopt ? known(&object, setopt) : NULL;
	if (library)
		library->loaded = true;
	return 0;
}

static int collect(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct object object;
	(void)size, (void)arg;
	if (!object_read(&object, info))
		return 0;
	void *setopt = setopt_of(&object);
	if (setopt && !known(&object, setopt))
		add(&object);
	return 0;
}

/* --- who calls?
 * ------------------------------------------------------------------------------------------------------
 */

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

static int ask_library(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct search *search = arg;
	struct object object;
	(void)size;
	void *setopt = object_read(&object, info) ? setopt_of(&object) : NULL;
	const struct curl *lib = setopt ? known(&object, setopt) : NULL;
	if (!lib)
		return 0;
	search->name = object_name(&object);
	bool itself = search->caller >= object.low && search->caller < object.high;
	if (!itself && search->name)
		dl_iterate_phdr(ask_caller, search);
	if (itself || search->bound)
		search->lib = lib;
	else if (!search->lib) /* the first in the loader's order, unless somebody asks for another by name */
		search->lib = lib;
	return itself || search->bound;
}

static void look_again(void)
{
	unsigned long long now = object_changes();
	if (now == atomic_load(&seen) || atomic_exchange(&filling, 1))
		return;
	for (int i = 0; i < CALLERS; i++)
		atomic_store(&callers[i].caller, 0);
	for (int i = 0; i < atomic_load(&count); i++)
		libraries[i].loaded = false;
	dl_iterate_phdr(mark_loaded, NULL);
	dl_iterate_phdr(collect, NULL);
	atomic_store(&seen, now);
	atomic_store(&filling, 0);
}

const struct curl *curl_of(const void *caller, bool look)
{
	uintptr_t page = (uintptr_t)caller >> 12;
	if (look || atomic_load_explicit(&count, memory_order_acquire) == 0)
		look_again();
	uint32_t at = (uint32_t)((page * 0x9e3779b97f4a7c15u) >> 40) % CALLERS;
	if (atomic_load_explicit(&callers[at].caller, memory_order_acquire) == page) {
		const struct curl *lib = atomic_load_explicit(&callers[at].lib, memory_order_acquire);
		if (atomic_load_explicit(&callers[at].caller, memory_order_acquire) == page)
			return lib;
	}
	struct search search = {.caller = (uintptr_t)caller};
	dl_iterate_phdr(ask_library, &search);
	if (search.lib) {
		atomic_store(&callers[at].caller, 0);
		atomic_store(&callers[at].lib, search.lib);
		atomic_store(&callers[at].caller, page);
	}
	return search.lib;
}
