/* foreign.h - a libc that is not glibc.
 *
 * musl's loader takes libc.so.6 for itself, and ends the program before main() if anything that we name is
 * nowhere. So what only glibc has is named weakly (#pragma weak, in the file that calls it), or not at all;
 * where it is missing we are inert. tests/integration/safety_guest.sh runs a program of musl's behind us. */
#ifndef TAGALONG_FOREIGN_H
#define TAGALONG_FOREIGN_H

#include <stdbool.h>

bool foreign_libc(void);

/* What pthread_atfork() and at_quick_exit() call: those two are linked in from an archive, which names it
 * strongly.
 */
void foreign_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void));
void foreign_at_quick_exit(void (*handler)(void *));

#endif
