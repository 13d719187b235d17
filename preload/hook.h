/* hook.h - how a wrapper is declared, and how it finds and guards the real function.
 *
 * One X-list per file, one row per symbol:
 *
 *	#define SYMBOLS(WRAP, CALL) WRAP(send) WRAP(recv) CALL(getsockopt)
 *	HOOK_LIBRARY(libc_socket, SYMBOLS);
 *
 * WRAP exports and resolves, CALL only resolves. Types come from the declaration in scope. REAL(send) is the
 * next definition after ours; before our constructor ran it is looked up on the spot. REAL() of a symbol
 * that the system does not have is NULL: test HAVE(name) first where that can be.
 *
 * A wrapper is short: is it live → real call → tell. `hook_live()` is false before our constructor, after
 * our destructor, on the exporter's thread, inside our own code (so in a signal handler that interrupted
 * it), inside an outer hook of the same or a higher level, and when the process does not take part. It costs
 * two loads. A wrapper that is not live does the real call and nothing else.
 *
 * All our own work happens between hook_enter() and hook_leave(), which set thread.busy and keep errno. The
 * real call of a socket-level hook is outside of both, so a cancellation or a longjmp out of it leaks
 *nothing. Should one hit our own code all the same (asynchronous cancel, longjmp from a handler), the next
 *hook called from a shallower frame notices and heals. */
#ifndef TAGALONG_HOOK_H
#define TAGALONG_HOOK_H

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "preload/thread.h"

#define HOOK_EXPORT __attribute__((visibility("default")))

struct hook_symbol {
	const char *name;
	void **real;
	bool wrapped;
};

struct hook_library {
	const char *name;
	const struct hook_symbol *symbols;
	size_t count;
	bool late; /* few programs have it: looked up at the first call, not at every start */
};

/* Expands to: struct of real pointers, `real`, and the table `hook_library_<name>`. */
#define HOOK_POINTER(symbol) __typeof__(&symbol) symbol;
#define HOOK_ROW_WRAP(symbol) {#symbol, (void **)&real.symbol, true},
#define HOOK_ROW_CALL(symbol) {#symbol, (void **)&real.symbol, false},
#define HOOK_DECLARE(symbol) extern __typeof__(symbol) symbol HOOK_EXPORT;
#define HOOK_NOTHING(symbol)
#define HOOK_LIBRARY(library, LIST) HOOK_LIBRARY_AT(library, LIST, false)
#define HOOK_LATE_LIBRARY(library, LIST) HOOK_LIBRARY_AT(library, LIST, true)
#define HOOK_LIBRARY_AT(library, LIST, is_late)                                                          \
	LIST(HOOK_DECLARE, HOOK_NOTHING)                                                                 \
	static struct {                                                                                  \
		LIST(HOOK_POINTER, HOOK_POINTER)                                                         \
	} real;                                                                                          \
	static const struct hook_symbol hook_symbols_##library[] = {LIST(HOOK_ROW_WRAP, HOOK_ROW_CALL)}; \
	const struct hook_library hook_library_##library;                                                \
	const struct hook_library hook_library_##library = {                                             \
		#library, hook_symbols_##library,                                                        \
		sizeof(hook_symbols_##library) / sizeof(struct hook_symbol), is_late}

/* The real function; resolves on the spot when asked before the constructor. */
#define REAL(symbol)                                                        \
	((__typeof__(real.symbol))(__builtin_expect(real.symbol != NULL, 1) \
					   ? (void *)real.symbol            \
					   : hook_resolve((void **)&real.symbol, #symbol)))
#define HAVE(symbol) (REAL(symbol) != NULL)

/* RTLD_NEXT first; a library that came by dlopen(RTLD_LOCAL) is found by walking the loaded objects. Keeps
 * errno and the host's dlerror() state as far as glibc lets it. NULL: nowhere. */
void *hook_resolve(void **slot, const char *name);
void hook_resolve_library(const struct hook_library *library);
void hook_resolve_again(const struct hook_library *library); /* a library may have gone and come elsewhere */

/* Set by the constructor when all is ready; cleared by the destructor and when we must go inert. */
extern _Atomic bool hooks_flag;
/* Relaxed: a hook that is already past the look is no worse off than one that began a moment earlier. */
#define hooks_live atomic_load_explicit(&hooks_flag, memory_order_relaxed)

/* Slow part of hook_live(): thread.busy or thread.layer is set. Heals what a longjmp left behind. */
bool hook_heal(uintptr_t frame, enum layer layer);

static inline __attribute__((always_inline)) bool hook_live_at(enum layer layer)
{
	if (__builtin_expect(!hooks_live, 0))
		return false;
	if (__builtin_expect(thread.busy == 0 && thread.layer < layer, 1))
		return true;
	return hook_heal((uintptr_t)__builtin_frame_address(0), layer);
}
#define hook_live() hook_live_at(LAYER_SOCKET)

/* Brackets our own code in a wrapper. Returns errno, which hook_leave() puts back. */
static inline __attribute__((always_inline)) int hook_enter(void)
{
	thread.frame = (uintptr_t)__builtin_frame_address(0);
	thread.busy = 1;
	__asm__ volatile("" ::: "memory"); /* a signal handler must see busy before what follows */
	return errno;
}

static inline __attribute__((always_inline)) void hook_leave(int saved_errno)
{
	__asm__ volatile("" ::: "memory");
	thread.busy = 0;
	errno = saved_errno;
}

/* Goes inert for good: every hook a plain call (seccomp, second copy). Async-signal-safe. */
void hook_go_inert(const char *why);

/* Process identity: true in the process that ran our constructor or was forked (not vforked) from it with
 * our fork handling done. False in a vfork child, which shares memory with its parent. One getpid call. */
bool hook_same_process(void);
/* Children of a bare clone(2) run no fork handler; the wiped page tells. Asked where a span begins and ends.
 */
struct hook_marker {
	int pid; /* 0: wiped */
};
extern struct hook_marker *hook_marker;
extern void (*hook_forked)(void); /* what the fork handler in the child does; may be done twice */
void hook_wiped_now(void);
static inline void hook_notice_fork(void)
{
	if (hook_marker && __builtin_expect(hook_marker->pid == 0, 0))
		hook_wiped_now();
}
void hook_process_started(void); /* constructor, and child after fork */

#endif
