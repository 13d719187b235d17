/* popen.h - streams that our popen made, which closing must know. */
#ifndef TAGALONG_HOOKS_POPEN_H
#define TAGALONG_HOOKS_POPEN_H

#include <stdbool.h>
#include <stdio.h>

/* True: it was one of ours; it is closed, its child waited for, *status what pclose answers. */
bool popen_close(FILE *stream, int *status);

#endif
