/* symbols.h - names of functions, read from an ELF file's tables.
 *
 * .symtab first, which has also what is not exported; .dynsym where that was stripped. Nothing is mapped (a
 * file that is cut short meanwhile would kill the host) nor allocated, and nothing in the file is believed:
 * what does not fit is not there. A name is given only if the symbol's own size says that the address is in
 * it. The exporter's thread only. */
#ifndef TAGALONG_SYMBOLS_H
#define TAGALONG_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SYMBOLS_NAME 256 /* with the NUL; longer ones are cut */

struct symbol {
	uint64_t address; /* as the file counts it: without the base */
	uint64_t start;   /* of the function */
	char *name;       /* SYMBOLS_NAME bytes; "": not found */
	uint64_t text;    /* where the name stands in the file, and how good it is: symbols.c's */
	int rank;
};

/* Of the file that is open there, see modules_identity(). 0: no ELF file of ours. */
uint64_t symbols_identity(int fd);
/* Fills start and name where the name is "". */
void symbols_find(int fd, struct symbol *symbols, size_t count);

#endif
