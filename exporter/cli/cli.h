/* cli.h - what the verbs of the command-line program share.
 *
 * An ordinary program: it allocates, uses stdio and ends when memory does. Nothing of it is linked into
 * the shared object. */
#ifndef TAGALONG_CLI_H
#define TAGALONG_CLI_H

#include <stddef.h>

enum cli_status {
	CLI_OK = 0,
	CLI_BAD = 1,              /* the answer is no, or part of the input was not understood */
	CLI_USAGE = 2,            /* wrong use, or a file that cannot be read */
	CLI_NOT_EXECUTABLE = 126, /* as env(1) has it */
	CLI_NOT_FOUND = 127,
};

/* A verb gets its own name as argv[0] and answers with the exit status. */
int cli_run(int argc, char **argv);
int cli_view(int argc, char **argv);
int cli_check(int argc, char **argv);
int cli_help(int argc, char **argv);

/* "tagalong: text\n" on stderr. */
void cli_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* What getopt_long found wrong (it must be called with opterr = 0); returns CLI_USAGE. */
int cli_bad_option(const char *verb, char **argv, int answer);
/* A decimal number within [1, max]; complains, naming the option, and returns 0 otherwise. */
unsigned long cli_count(const char *option, const char *text, unsigned long max);

/* These end the program when there is no memory. The result of cli_join is the caller's to free. */
void *cli_grow(void *old, size_t count, size_t size);
char *cli_join(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* help.c: usage of one verb, for `tagalong VERB --help`. */
void help_verb(const char *verb);

#endif
