/* id.h - random identifiers. Per-thread xoshiro256++ seeded from getrandom(2) at a thread's first use and
 * again in a forked child; no lock, no system call after that. State is in the thread struct. */
#ifndef TAGALONG_ID_H
#define TAGALONG_ID_H

#include <stdint.h>

struct id_state {
	uint64_t s[4];
	uint32_t epoch; /* 0: unseeded; else the process epoch it was seeded in */
};

void id_forked(void); /* the child: every state seeds itself anew */
uint64_t id_random(struct id_state *state);
void id_trace(struct id_state *state, uint8_t out[16]); /* never all zero, low 7 bytes random */
void id_span(struct id_state *state, uint8_t out[8]);   /* never all zero */

#endif
