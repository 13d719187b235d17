/* environ.h - the environment of a program that is started (otel.md 4.7): a copy of the host's, on the
 * caller's stack, with our library in LD_PRELOAD exactly once, our settings if all of them were cleared, and
 * the context of whoever starts it.
 *
 * CGI: there the client's fields stand as HTTP_TRACEPARENT and so on, which say more than a TRACEPARENT that
 * may have been inherited from the server's start. A program that is started with such an environment reads
 * them first; a server that starts one for a request it has a span of puts that span into both, if what
 * stands there is what the request came with. What a tracer inside the server has put there stays.
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

/* Is it a request's that a CGI program is to answer? */
bool environ_is_cgi(char *const env[]);
/* The number of the field that HTTP_NAME stands for; 0: none of ours. */
uint32_t environ_http_field(const char *entry, struct bytes *name);

struct environ_plan {
	char *const *source; /* the host's envp */
	size_t entries, fields;
	struct context context; /* to pass on; not valid and without baggage: none */
	uint32_t present;       /* fields that the host wrote itself, bits: they stay */
	const char *preload;    /* value of LD_PRELOAD that counts, NULL: absent */
	bool add_own;           /* settings were cleared */
	bool edit_preload, drop_library;
	bool cgi;    /* HTTP_TRACEPARENT and so on are to be the context's as well */
	size_t size; /* bytes of room; 0: pass the original as it is */
};

/* Looks at envp and decides. `context` may be NULL; its text must live until environ_build(). `received`: it
 * is a request's, and this the span id (8 bytes) that came in with that, all zero if none did; else NULL. A
 * list that is unreadable, or larger than is good for a stack, is left alone. */
void environ_plan(struct environ_plan *plan, char *const envp[], const struct context *context,
		  const uint8_t *received);

/* Writes the copy into `room` (plan->size bytes, aligned as a pointer). */
char **environ_build(const struct environ_plan *plan, void *room);

/* Bytes of stack that a plan may ask for. */
#define ENVIRON_ROOM_MOST 65536

#endif
