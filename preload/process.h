/* process.h - what the end of a process, or of the program in it, needs of the exporter.
 *
 * Set by init.c; NULL until the constructor is through. All are safe in a signal handler, and do nothing in
 * a vfork child. */
#ifndef TAGALONG_PROCESS_H
#define TAGALONG_PROCESS_H

#include <stdbool.h>

/* Gets out what is queued, within timeout_ms. True: all of it is out. */
extern bool (*process_flush)(int timeout_ms);
/* The same, and stops the exporter for good: the kernel is about to forbid what it needs. */
extern void (*process_retire)(int timeout_ms);
/* Gets out what is queued and ends the exporter's thread until the next span, if the host has no other
 * thread: some system calls are for processes of one thread only. */
extern void (*process_leave)(int timeout_ms);
/* What pthread_atfork would have done in the child or parent, for forks that do without it (_Fork). */
extern void (*process_forked)(bool child);

#endif
