/* run.h - `tagalong run`.
 *
 *	run.c        options
 *	run_env.c    the program's environment
 *	run_child.c  the program: start, signals, end
 *	run_stats.c  the line at the end
 *
 * Convenience only: everything here can be done by setting the environment (--print-env says how). */
#ifndef TAGALONG_CLI_RUN_H
#define TAGALONG_CLI_RUN_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* A list "a=b,c=d" as OTEL_RESOURCE_ATTRIBUTES has it: sets `key` in it, in place of one that is there.
 * `value` is percent-encoded, `key` stands as it is. `list` may be NULL. Result: the caller's to free. */
char *run_list_set(const char *list, const char *key, const char *value);

/* LD_PRELOAD with `library` in front, once; `before` may be NULL. Result: the caller's to free. */
char *run_preload(const char *library, const char *before);

/* Where the shared object is, as an absolute path; NULL: nowhere. Result: the caller's to free. */
char *run_library(void);

/* `path` made absolute against the current directory. Result: the caller's to free. */
char *run_absolute(const char *path);

/* Runs the program to its end and returns its wait status. *failed is errno when it could not be started. */
int run_child(char **argv, int *failed);
/* Ends this process by the same signal, without a core file of its own. Does not return. */
_Noreturn void run_die_of(int signal_number);

struct run_stats {
	unsigned long long spans, exported, dropped, failed;
	size_t processes;       /* that made spans */
	long pids[256];         /* the first of them: a process tells in several lines */
	int error;              /* why some could not be got out, an errno; 0: not known */
	char destinations[512]; /* escaped; several are joined by " and " */
};

/* Adds what one line of the file says; a line that is something else is ignored. */
void run_stats_line(struct run_stats *stats, const char *line);
void run_stats_read(struct run_stats *stats, FILE *file);
/* "12 spans from 3 processes to spans.jsonl (0 dropped)" */
void run_stats_text(const struct run_stats *stats, char *out, size_t cap);

#endif
