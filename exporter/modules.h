/* modules.h - the loaded objects, while none of them can be unloaded. The exporter's thread only. */
#ifndef TAGALONG_MODULES_H
#define TAGALONG_MODULES_H

#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct module {
	uintptr_t base, low, high;
	uintptr_t unwind; /* its .eh_frame_hdr; 0: none */
	const char *path; /* "": the program */
	const ElfW(Phdr) * headers;
	unsigned count; /* of headers */
};

/* Calls `what` under the loader's lock, in which the list and all that it points to stay as they are. Nothing
 * that may wait belongs in there. Answers how many objects were unloaded so far. */
unsigned long long modules_hold(void (*what)(void *arg), void *arg);

/* Inside of that. NULL: in none. */
const struct module *modules_find(uintptr_t address);
/* One aligned word of an object's memory. False: that is not there, or not readable. */
bool modules_read(uintptr_t address, uint64_t *word);

/* Tells one file from another: of the program headers and what the notes say (the build's id). Of a module in
 * memory, inside of modules_hold(); and of the same things read from a file. */
uint64_t modules_identity(const struct module *module);
#define MODULES_HASH 0xcbf29ce484222325u /* to begin with */
uint64_t modules_hash(uint64_t hash, const void *data, size_t len);
#define MODULES_NOTES 1024 /* of them so many bytes count */

#endif
