/* clock.h - one reading of CLOCK_MONOTONIC (vDSO, no system call) and its place on the wall clock. */
#ifndef TAGALONG_CLOCK_H
#define TAGALONG_CLOCK_H

#include <stdint.h>

uint64_t clock_now(void);                /* ns, monotonic */
uint64_t clock_roughly(void);            /* the same, up to some ms late: cheap */
uint64_t clock_wall(uint64_t monotonic); /* ns since 1970 */
void clock_adjust(void); /* re-reads the offset between the two; called at start and by the exporter */

#endif
