/* stats.h - one line of counts a process, for `tagalong run` (TAGALONG_STATS). */
#ifndef TAGALONG_STATS_H
#define TAGALONG_STATS_H

/* Appends the line, once a process, with one write; never creates the file: who asked for it made it, and may
 * be gone. Raw system calls, no allocation. */
void stats_write(void);

#endif
