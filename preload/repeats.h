/* repeats.h - the same statement again and again inside one request (N+1).
 *
 * A CLIENT span that is a statement's (span->statement, a hash of its name) is counted at its end in the
 * SERVER span on whose behalf it was made. That says at its own end what was repeated how often
 * (`tagalong.repeated_queries`), from TAGALONG_REPEATED_QUERIES on. With TAGALONG_DB_COLLAPSE=N the first N
 * of a kind are exported, and one more that stands for the rest: it is kept until the request ends.
 *
 * Any thread of the request may end its statements: the counts have a lock of their own, which is only ever
 * tried for. No malloc, no system call. */
#ifndef TAGALONG_REPEATS_H
#define TAGALONG_REPEATS_H

#include "preload/span.h"

uint64_t repeats_hash(struct bytes name); /* never 0 */

/* From span_end() of a statement. True: it has been taken over, and is not the caller's any more. */
bool repeats_ended(struct span *statement, uint64_t end);
/* From the end of a span that has `repeats`: what it has to say of them; what it kept is exported. */
void repeats_tell(struct span *server);
/* From the end of one that nothing is said of. */
void repeats_drop(struct span *server);

#endif
