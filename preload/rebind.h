/* rebind.h - objects that were bound past us.
 *
 * dlopen(RTLD_DEEPBIND), as PHP does with its extensions, makes the new objects look in themselves and their
 * own libraries first, so they find libc's functions and not ours. After such a dlopen the slots of the new
 * objects that lead to a real function of ours are led to ours instead: what plain binding would have given.
 * What an object or another library defines under that name stays as it is. Never in a request path; one pass
 * at a time. */
#ifndef TAGALONG_REBIND_H
#define TAGALONG_REBIND_H

#include "preload/hook.h"
#include "preload/object.h"

#define REBIND_OBJECTS 1024

struct rebind_before {
	size_t count;
	uintptr_t base[REBIND_OBJECTS];
};

/* Before the real dlopen, and after it. libraries: NULL-terminated. Returns how many slots were changed. */
void rebind_remember(struct rebind_before *before);
size_t rebind_new(const struct rebind_before *before, const struct hook_library *const *libraries);
/* Words of an object that lead to functions of these names, which it defines itself, lead to its own: what it
 * compares with what it finds elsewhere must be what it would be without us. Its calls stay as they are. For
 * inside dl_iterate_phdr(). */
void rebind_tables(const struct object *object, const char *const *names, size_t count);

#endif
