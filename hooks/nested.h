/* nested.h - for hooks that tell also inside an outer hook's real call: descriptors, threads and processes
 * come and go there too, and what is missed makes the table lie.
 *
 * The outer hook's frame is kept: it is what tells whether that hook is still there. */
#ifndef TAGALONG_HOOKS_NESTED_H
#define TAGALONG_HOOKS_NESTED_H

#include "preload/hook.h"

/* Live unless our own code runs on this thread or the thread is ours. */
#define hook_live_nested() hook_live_at((enum layer)(LAYER_CLIENT + 1))

struct nested {
	uintptr_t frame;
	int saved;
};

static inline __attribute__((always_inline)) struct nested nested_enter(void)
{
	struct nested nested = {thread.frame, 0};
	nested.saved = hook_enter();
	return nested;
}

static inline __attribute__((always_inline)) void nested_leave(struct nested nested)
{
	hook_leave(nested.saved);
	thread.frame = nested.frame;
}

#endif
