/* environ.h - the environment of a program that is started (otel.md 4.7): a copy of the host's, on the
 * caller's stack, with our library in LD_PRELOAD exactly once, our settings if all of them were cleared, and
 * the context of whoever starts it.
 *
 * The host's own environment is never changed. Nothing here allocates, locks, or writes anywhere but into the
 * caller's room: safe in a vfork child and in a signal handler. */
#ifndef TAGALONG_ENVIRON_H
#define TAGALONG_ENVIRON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "preload/context.h"

/* Once, in the constructor: remembers the environment we were started with. own_path as the loader has it. */
void environ_init(const char *own_path, char *const env[]);

struct environ_plan {
	char *const *source; /* the host's envp */
	size_t entries, fields;
	struct context context; /* to pass on; not valid and without baggage: none */
	uint32_t present;       /* fields that the host wrote itself, bits: they stay */
	const char *preload;    /* value of LD_PRELOAD that counts, NULL: absent */
	bool add_own;           /* settings were cleared */
	bool edit_preload, drop_library;
	size_t size; /* bytes of room; 0: pass the original as it is */
};

/* Looks at envp and decides. `context` may be NULL; its text must live until environ_build(). A list that is
 * unreadable, or larger than is good for a stack, is left alone. */
void environ_plan(struct environ_plan *plan, char *const envp[], const struct context *context);

/* Writes the copy into `room` (plan->size bytes, aligned as a pointer). */
char **environ_build(const struct environ_plan *plan, void *room);

/* Bytes of stack that a plan may ask for. */
#define ENVIRON_ROOM_MOST 65536

#endif
