/* object.h - what a loaded ELF object defines and asks for, read from its own tables in memory.
 *
 * Takes no lock of the loader's and allocates nothing, so it may be used inside dl_iterate_phdr(), where
 * dlsym() may wait for a thread that waits for us. Valid while the object cannot be unloaded: inside that
 * callback. */
#ifndef TAGALONG_OBJECT_H
#define TAGALONG_OBJECT_H

#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct object {
	uintptr_t base;
	uintptr_t low, high;        /* its memory */
	uintptr_t relro, relro_end; /* of it, what is read-only after relocation */
	const ElfW(Dyn) * dynamic;
	const ElfW(Sym) * symbols;
	const char *strings;
	const uint32_t *gnu_hash; /* NULL: nothing can be found in it */
	struct {
		const ElfW(Rela) * first;
		size_t count;
	} relocations[2]; /* data, functions */
};

/* False: it has no dynamic section that can be used. */
bool object_read(struct object *object, const struct dl_phdr_info *info);
/* Does it call a function of this name by name, so that another object's may be it? */
bool object_imports(const struct object *object, const char *name);
/* The name under which others ask for it; NULL: none. */
const char *object_name(const struct object *object);
/* Does it ask for an object of this name? */
bool object_needs(const struct object *object, const char *name);
/* How many objects were loaded and unloaded so far. */
unsigned long long object_changes(void);
unsigned long long object_unloads(void);
/* Address of a function that it defines itself under this name, in any version; NULL: none. */
void *object_function(const struct object *object, const char *name);
/* The same of a variable, and how large it is. */
void *object_variable(const struct object *object, const char *name, size_t *size);

/* Is all of that some object's data that may be written? Takes the loader's lock. */
bool object_writable(const void *data, size_t size);

#endif
