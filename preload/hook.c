/* hook.c - finding real functions, and the guard's rare cases. */
#include "preload/hook.h"

#include <dlfcn.h>
#include <link.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "preload/log.h"
#include "preload/object.h"
#include "preload/sys.h"

#pragma weak dlvsym /* only glibc has it: foreign.h */

_Atomic bool hooks_flag;

struct search {
	const char *name;
	void *found;
};

/* A library that came by dlopen(RTLD_LOCAL) is not in RTLD_NEXT's order; the tables of every loaded object
 * are read. Not dlsym(): a thread in dlopen() may hold the lock that it needs, and wait for the one held
 * here. */
static int ask_object(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct search *search = arg;
	(void)size;
	if (!info->dlpi_name || !info->dlpi_name[0])
		return 0;

	struct object object;
	if (!object_read(&object, info) ||
	    ((uintptr_t)hook_resolve >= object.low && (uintptr_t)hook_resolve < object.high))
		return 0;
	search->found = object_function(&object, search->name);
	return search->found != NULL;
}

/* Two versions of one name, of which an older dlsym() answers the wrong one: condition variables of another
 * layout. Absent on architectures that never had the old ones. */
static void *newest(const char *name)
{
	if (!dlvsym)
		return NULL;
	if (strncmp(name, "pthread_cond_", 13) == 0)
		return dlvsym(RTLD_NEXT, name, "GLIBC_2.3.2");
	if (strncmp(name, "posix_spawn", 11) == 0)
		return dlvsym(RTLD_NEXT, name, "GLIBC_2.15");
	return NULL;
}

void *hook_resolve(void **slot, const char *name)
{
	int saved = errno;
	void *found = newest(name);

	if (!found)
		found = dlsym(RTLD_NEXT, name);

	if (!found && hooks_live) {
		struct search search = {name, NULL};
		dl_iterate_phdr(ask_object, &search);
		found = search.found;
	}
	if (!found)
		(void)dlerror(); /* the host must not find our miss in its own dlerror() */
	if (found)
		__atomic_store_n(slot, found, __ATOMIC_RELEASE);
	errno = saved;
	return found;
}

void hook_resolve_library(const struct hook_library *library)
{
	if (library->late)
		return;
	for (size_t i = 0; i < library->count; i++)
		if (!*library->symbols[i].real)
			hook_resolve(library->symbols[i].real, library->symbols[i].name);
}

void hook_resolve_again(const struct hook_library *library)
{
	for (size_t i = 0; i < library->count; i++)
		hook_resolve(library->symbols[i].real, library->symbols[i].name);
}

/* On an alternate signal stack the frame address says nothing about the order of calls. */
static bool on_signal_stack(void)
{
	stack_t stack;
	return sys_call(SYS_sigaltstack, NULL, &stack) == 0 && (stack.ss_flags & SS_ONSTACK);
}

__attribute__((noinline)) bool hook_heal(uintptr_t frame, enum layer layer)
{
	if (thread.own || frame <= thread.frame)
		return false;
	if (on_signal_stack())
		return false;
	/* The frame that set the guard is gone: a longjmp or a cancellation took it. */
	thread.busy = 0;
	thread.layer = LAYER_NONE;
	thread.ambiguous = AMBIGUOUS_CUT;
	return thread.layer < layer;
}

void hook_go_inert(const char *why)
{
	if (!hooks_live)
		return;
	atomic_store_explicit(&hooks_flag, false, memory_order_release);
	log_info("hook", "inert from here on: %s", why);
}

/* A page that the kernel wipes in a forked child (also one made by a bare clone), but that a vfork child
 * shares: wiped means forked, pid changed but not wiped means vforked. */
struct hook_marker *hook_marker;
void (*hook_forked)(void);

static void mark_process(void)
{
	if (!hook_marker) {
		hook_marker = sys_map(4096);
		if (hook_marker)
			madvise(hook_marker, 4096, MADV_WIPEONFORK);
	}
	if (hook_marker)
		hook_marker->pid = (int)sys_getpid();
}

void hook_wiped_now(void)
{
	mark_process();
	if (hook_forked)
		hook_forked();
}

bool hook_same_process(void)
{
	if (!hook_marker)
		return true;
	hook_notice_fork();
	thread.vforked = hook_marker->pid != (int)sys_getpid();
	return !thread.vforked;
}

void hook_process_started(void)
{
	mark_process();
}
