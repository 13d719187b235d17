/* ownfd.h - the exporter's descriptors, as the hooks must know them.
 *
 * The host can neither close nor duplicate nor inherit them: to it they do not exist (EBADF), and a number
 * that it claims for itself by dup2 is vacated first. init.c points these at the exporter; until then there
 * are none. Cheap, any thread, async-signal-safe. */
#ifndef TAGALONG_OWNFD_H
#define TAGALONG_OWNFD_H

#include <stdbool.h>

extern bool (*ownfd_is)(int fd);
extern int (*ownfd_next)(unsigned first, unsigned last); /* the lowest of them in that range, or -1 */
extern void (*ownfd_move)(int fd);                       /* to another number, if it is ours */

#endif
