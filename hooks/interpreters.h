/* interpreters.h - global locks of interpreters: a thread waits for one in the midst of a request, as for a
 * job, on a condition. Nobody hands it anything there. */
#ifndef TAGALONG_HOOKS_INTERPRETERS_H
#define TAGALONG_HOOKS_INTERPRETERS_H

#include <stdbool.h>

/* Is this wait, made by the code at `caller`, one for such a lock? Any context; takes no lock. */
bool interpreter_lock(const void *condition, const void *mutex, const void *caller);

/* Is a poll() of two descriptors by the code at `caller` one for the first of them, and for signals? */
bool interpreter_signals(const void *caller);

#endif
