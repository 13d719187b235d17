/* forks.h - forks of the host, while the exporter's thread is at work inside of libc.
 *
 * libc's resolver and loader take locks that nobody resets in a forked child. A host that had no thread
 * before us may rightly use all of libc in its child; so a fork waits, for a moment, until our thread is out
 * of there, and it enters no more meanwhile. */
#ifndef TAGALONG_FORKS_H
#define TAGALONG_FORKS_H

#include <stdbool.h>

/* The exporter's thread only; not nested. */
void forks_hold(void);
void forks_release(void);

/* The fork handlers'. Any thread; only atomics and futex. */
void forks_prepare(void);
void forks_parent(void);
bool forks_child(void); /* true: it did not wait long enough, our thread was in there */

#endif
