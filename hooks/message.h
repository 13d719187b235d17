/* message.h - for hooks of what carries an address from thread to thread: handoff.h, where hooks are live. */
#ifndef TAGALONG_HOOKS_MESSAGE_H
#define TAGALONG_HOOKS_MESSAGE_H

#include "preload/handoff.h"
#include "preload/hook.h"

/* Before it is put in: true, it is known whose it is. Address 0 and what is none (a number) are nobody's. */
static __attribute__((noinline, unused)) bool message_push(uint64_t channel, const void *address)
{
	if (!hook_live())
		return false;
	int saved = hook_enter();
	uint64_t key = message_key_of(channel, address);
	bool known = key && handoff_sends(key);
	hook_leave(saved);
	return known;
}

/* It was known, and could not be put in after all. */
static __attribute__((noinline, unused)) void message_refused(void)
{
	int saved = hook_enter();
	handoff_unsent();
	hook_leave(saved);
}

/* Before the wait for one. */
static __attribute__((noinline, unused)) void message_leave(void)
{
	if (thread.current == SPAN_NOBODY || !hook_live())
		return;
	int saved = hook_enter();
	handoff_leaves();
	hook_leave(saved);
}

/* It was taken out. */
static __attribute__((noinline, unused)) void message_pop(uint64_t channel, const void *address)
{
	if (!hook_live())
		return;
	int saved = hook_enter();
	handoff_took(message_key_of(channel, address));
	hook_leave(saved);
}

#endif
