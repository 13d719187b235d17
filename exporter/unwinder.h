/* unwinder.h - libunwind, which reads in the copy of a stack what its frames are.
 *
 * It is loaded by the exporter's thread when the first stack is there to be read, and never by the host's;
 * kept to itself (RTLD_LOCAL), so that nothing of the host's finds its symbols; and asked through that one of
 * its interfaces that reads no memory but through functions of ours. So what it reads is either in the copy
 * or known to be there, and it opens and probes nothing in the host. The exporter's thread only. */
#ifndef TAGALONG_UNWINDER_H
#define TAGALONG_UNWINDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "preload/stack.h"

struct frame {
	uint64_t ip;
	bool exact; /* a signal was taken there; else it is where a call returns to */
};

/* Loads it, once. False: it is not there, or of no use. Not under modules_hold(). */
bool unwinder_ready(void);
/* Inside of modules_hold(). The frames from the innermost on; answers how many. */
size_t unwinder_walk(const struct stack_sample *sample, const char *stack, struct frame *frames, size_t most);
/* A child was forked while it was at work: it may have been left with a lock held. */
void unwinder_spoilt(void);

#endif
