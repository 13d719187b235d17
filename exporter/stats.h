/* stats.h - lines of counts for `tagalong run` (TAGALONG_STATS). */
#ifndef TAGALONG_STATS_H
#define TAGALONG_STATS_H

/* Appends what has come to be since the last line, if anything has, with one write; never creates the file:
 * who asked for it made it, and may be gone. Raw system calls, no allocation; any thread. */
void stats_write(void);

/* Why spans cannot be got out, as an errno: told with the counts. */
void stats_failed(int error);

/* In a forked child, whose counters start at 0. */
void stats_forked(void);

#endif
