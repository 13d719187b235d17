/* libc_dl.c - libraries that are loaded with RTLD_DEEPBIND, and so bound past us; and those that go while a
 * stack with their code on it waits to be read. */
#include <dlfcn.h>
#include <string.h>

#include "hooks/registry.h"
#include "preload/hook.h"
#include "preload/log.h"
#include "preload/rebind.h"
#include "preload/stack.h"

#define SYMBOLS(WRAP, CALL) \
	WRAP(dlopen)        \
	WRAP(dlclose)

HOOK_LIBRARY(libc_dl, SYMBOLS);

static __attribute__((noinline)) void *open_deep(const char *file, int mode)
{
	struct rebind_before before;
	int saved = hook_enter();
	rebind_remember(&before);
	hook_leave(saved);

	void *handle = REAL(dlopen)(file, mode);

	if (handle && hook_live()) {
		saved = hook_enter();
		size_t changed = rebind_new(&before, registry_libraries);
		log_debug("dl", "%s was bound past us: %zu slots lead to us now", file, changed);
		hook_leave(saved);
	}
	return handle;
}

/* Whose RUNPATH applies and what $ORIGIN is depends on who calls dlopen: it must not be us. So the plain case
 * is a tail call, and only a path that needs neither is opened from here. */
void *dlopen(const char *file, int mode)
{
	if (__builtin_expect((mode & RTLD_DEEPBIND) != 0, 0) && !(mode & RTLD_NOLOAD) && file &&
	    file[0] == '/' && !strchr(file, '$') && hook_live() && hook_same_process())
		return open_deep(file, mode);
	return REAL(dlopen)(file, mode);
}

static __attribute__((noinline)) void settle(void)
{
	if (!hook_live() || !hook_same_process())
		return;
	int saved = hook_enter();
	stack_settle();
	hook_leave(saved);
}

int dlclose(void *handle)
{
	if (__builtin_expect(atomic_load_explicit(&stacks_waiting, memory_order_relaxed) != 0, 0))
		settle();
	return REAL(dlclose)(handle);
}
