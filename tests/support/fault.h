/* fault.h - what fault.so does to the calls on one descriptor. */
#ifndef FAULT_H
#define FAULT_H

enum fault { FAULT_NONE, FAULT_EAGAIN, FAULT_EINTR, FAULT_SHORT, FAULT_ALL_BUT_ONE, FAULT_HALF };

struct fault_step {
	int fault; /* enum fault */
	unsigned bytes; /* FAULT_SHORT: how many go at most */
};

#define FAULT_STEPS 6

/* The program finds it as the symbol `fault_plan` and fills it in. */
struct fault_plan {
	int fd; /* the only one that is touched; -1: none; -2: every socket */
	int steps;
	int repeat;
	struct fault_step step[FAULT_STEPS]; /* for the first calls on it, one each */
	unsigned calls, hits;
};

#endif
