/* exact bare|traced|reads LOG CONVERSATION...: plays them all; 0 when every peer got what it should have, and every caller was
 * told what a kernel might have said. `reads` only writes the log of what reading returned. With fault.so behind the library, the kernel is a bad one. */
#include "rig.h"

#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct fault_plan *faults;
bool bare;

int main(int argc, char **argv)
{
	static struct conversation conversation;
	struct timespec from, to;

	if (argc < 4)
		return 2;
	bare = strcmp(argv[1], "traced") != 0;
	bool reads_only = !strcmp(argv[1], "reads");
	faults = dlsym(RTLD_DEFAULT, "fault_plan");
	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdout, NULL, _IOLBF, 0);
	ends_init();
	clock_gettime(CLOCK_MONOTONIC, &from);
	for (int i = 3; i < argc; i++) {
		if (!conversation_load(&conversation, argv[i]))
			return 2;
		play_reads(&conversation, argv[2]);
		if (reads_only)
			continue;
		play_requests(&conversation);
		play_responses(&conversation);
		if (!strcmp(conversation.name, "long_head"))
			play_pressure(&conversation);
	}
	if (!reads_only)
		play_proxy();
	clock_gettime(CLOCK_MONOTONIC, &to);
	printf("%ld plays%s, %ld failed, %ld s\n", plays, faults ? " with a bad kernel" : "", failures, to.tv_sec - from.tv_sec);
	return failures != 0;
}
