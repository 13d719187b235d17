/* resolve.h - the system's name look-up, and forks while it goes on.
 *
 * libc's resolver takes locks of libc's (its configuration, the loader) that nobody resets in a forked child.
 * A host that had no thread before us may rightly use all of libc in its child; so a fork waits, for a
 * moment, until a look-up is through, and none begins meanwhile. */
#ifndef TAGALONG_RESOLVE_H
#define TAGALONG_RESOLVE_H

#include <netdb.h>
#include <stdint.h>

/* NULL: not found. The exporter's thread only. */
struct addrinfo *resolve_name(const char *host, uint16_t port);
void resolve_release(struct addrinfo *list);

/* Any thread; only atomics and futex. */
void resolve_fork_prepare(void);
void resolve_fork_parent(void);
void resolve_fork_child(void);

#endif
