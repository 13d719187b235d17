/* cli.c - the few things every verb needs. */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exporter/cli/cli.h"
#include "exporter/cli/text.h"

static void say(const char *format, va_list args)
{
	fputs("tagalong: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
}

void cli_complain(const char *format, ...)
{
	va_list args;

	/* What was printed so far belongs before the complaint when both go to one place. */
	fflush(stdout);
	va_start(args, format);
	say(format, args);
	va_end(args);
}

int cli_bad_option(const char *verb, char **argv, int answer)
{
	char shown[128];

	/* optopt is 0 for a long option that is unknown or ambiguous; then argv holds it. */
	if (optopt > 0 && optopt < 0x80 && answer == '?')
		snprintf(shown, sizeof(shown), "-%c", optopt);
	else
		text_escape_string(shown, sizeof(shown), argv[optind - 1]);

	if (answer == ':')
		cli_complain("%s: option '%s' needs a value", verb, shown);
	else if (optopt >= 0x100)
		cli_complain("%s: option '%s' takes no value", verb, shown);
	else
		cli_complain("%s: unknown option '%s'", verb, shown);
	fprintf(stderr, "Try 'tagalong %s --help'.\n", verb);
	return CLI_USAGE;
}

unsigned long cli_count(const char *option, const char *text, unsigned long max)
{
	char shown[64];
	char *end;

	errno = 0;
	unsigned long value = strtoul(text, &end, 10);
	if (text[0] >= '0' && text[0] <= '9' && !*end && !errno && value >= 1 && value <= max)
		return value;
	text_escape_string(shown, sizeof(shown), text);
	cli_complain("%s: expected a number from 1 to %lu, found '%s'", option, max, shown);
	return 0;
}

static _Noreturn void out_of_memory(void)
{
	fputs("tagalong: out of memory\n", stderr);
	exit(CLI_USAGE);
}

void *cli_grow(void *old, size_t count, size_t size)
{
	if (size && count > SIZE_MAX / size)
		out_of_memory();
	size_t wanted = count * size;
	void *grown = realloc(old, wanted ? wanted : 1);
	if (!grown)
		out_of_memory();
	return grown;
}

char *cli_join(const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	int written = vasprintf(&text, format, args);
	va_end(args);
	if (written < 0)
		out_of_memory();
	return text;
}
