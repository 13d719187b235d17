/* contexts.h - which activity a suspended ucontext works for.
 *
 * Keyed by the address of the host's ucontext_t; only contexts with something to remember take a place, and
 * an entry is taken out when the context runs again. Bounded: what does not fit is nobody's. Lock-free; the
 * host itself sees to it that one context is not switched by two threads at a time. */
#ifndef TAGALONG_CONTEXTS_H
#define TAGALONG_CONTEXTS_H

#include <stdint.h>

#include "preload/span.h"

struct carried {
	span_ref activity;
	uint8_t layer; /* of an outer hook that was under way on that stack */
};

void contexts_store(const void *context, struct carried carried); /* nothing to remember: forgets */
struct carried contexts_take(const void *context);

#endif
