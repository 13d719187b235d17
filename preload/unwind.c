/* unwind.c - when a thread is cancelled in one of our wrappers, the frames are unwound by the libgcc_s that
 * libc loads for it, and what our frames ask about themselves must be asked of that one.
 *
 * The compiler makes each frame with a cleanup refer to these functions. libgcc_s itself must not be needed
 * by the shared object (it may be missing where nobody is cancelled), and a copy of the unwinder in us would
 * read the other one's state as its own, and abort the host. So they are here, and pass the question on.
 * Without an answer the frame has no cleanup: the guard that it leaves behind is noticed and healed (hook.h).
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <unwind.h>

#include "preload/hook.h"

static void *unwinder(const char *name, void **cached)
{
	void *found = __atomic_load_n(cached, __ATOMIC_RELAXED);
	if (found)
		return found;
	int saved = errno;
	static void *slot[2]; /* the loader's own: these are two of our names */
	void *(*open)(const char *, int) = (void *(*)(const char *, int))hook_resolve(&slot[0], "dlopen");
	int (*close)(void *) = (int (*)(void *))hook_resolve(&slot[1], "dlclose");
	void *library = open && close ? open("libgcc_s.so.1", RTLD_LAZY | RTLD_NOLOAD) : NULL;
	if (library) {
		found = dlsym(library, name);
		close(library); /* it was loaded before, and stays */
	}
	errno = saved;
	__atomic_store_n(cached, found, __ATOMIC_RELAXED);
	return found;
}

#define THEIRS(name)         \
	static void *cached; \
	__typeof__(&name) theirs = (__typeof__(&name))unwinder(#name, &cached)

void *_Unwind_GetLanguageSpecificData(struct _Unwind_Context *context)
{
	THEIRS(_Unwind_GetLanguageSpecificData);
	return theirs ? theirs(context) : NULL; /* NULL: nothing to clean up */
}

/* Asked only after the one above was answered. */
_Unwind_Ptr _Unwind_GetRegionStart(struct _Unwind_Context *context)
{
	THEIRS(_Unwind_GetRegionStart);
	return theirs ? theirs(context) : 0;
}

_Unwind_Ptr _Unwind_GetIPInfo(struct _Unwind_Context *context, int *before)
{
	THEIRS(_Unwind_GetIPInfo);
	return theirs ? theirs(context, before) : 0;
}

_Unwind_Ptr _Unwind_GetTextRelBase(struct _Unwind_Context *context)
{
	THEIRS(_Unwind_GetTextRelBase);
	return theirs ? theirs(context) : 0;
}

_Unwind_Ptr _Unwind_GetDataRelBase(struct _Unwind_Context *context)
{
	THEIRS(_Unwind_GetDataRelBase);
	return theirs ? theirs(context) : 0;
}

void _Unwind_SetGR(struct _Unwind_Context *context, int number, _Unwind_Word value)
{
	THEIRS(_Unwind_SetGR);
	if (theirs)
		theirs(context, number, value);
}

void _Unwind_SetIP(struct _Unwind_Context *context, _Unwind_Ptr address)
{
	THEIRS(_Unwind_SetIP);
	if (theirs)
		theirs(context, address);
}

/* Reached only from a cleanup that the unwinder itself entered. */
void _Unwind_Resume(struct _Unwind_Exception *exception)
{
	THEIRS(_Unwind_Resume);
	if (theirs)
		theirs(exception);
	__builtin_trap();
}
