/* overdue.h - requests that have been under way for longer than TAGALONG_MAX_SPAN_DURATION on connections
 * that are silent.
 *
 * Where bytes pass, the connection itself lets such a request go (exchange_end_overdue). Where none do, its
 * slot would be taken for ever: so now and then the exporter's thread looks at all of them, when it is awake
 * anyhow, and when somebody found no slot. */
#ifndef TAGALONG_OVERDUE_H
#define TAGALONG_OVERDUE_H

#include <stdint.h>

/* No slot was left: let the next look be soon. Any thread, any context. */
void overdue_pressed(void);
/* The exporter's thread, whenever it is awake. */
void overdue_look(uint64_t now);

#endif
