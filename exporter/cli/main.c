/* main.c - `tagalong VERB ...`: finds the verb. */
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "exporter/cli/cli.h"
#include "exporter/cli/text.h"

static const struct {
	const char *name;
	int (*main)(int argc, char **argv);
} verbs[] = {
	{"run", cli_run},
	{"view", cli_view},
	{"check", cli_check},
	{"help", cli_help},
};

static int dispatch(int argc, char **argv)
{
	char shown[64];

	if (argc < 2) {
		help_verb(NULL);
		return CLI_USAGE;
	}
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		puts("tagalong " TAGALONG_VERSION);
		return CLI_OK;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
		return cli_help(argc - 1, argv + 1);
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (!strcmp(argv[1], verbs[i].name))
			return verbs[i].main(argc - 1, argv + 1);

	text_escape_string(shown, sizeof(shown), argv[1]);
	cli_complain("unknown %s '%s'", argv[1][0] == '-' ? "option" : "verb", shown);
	fputs("Try 'tagalong help'.\n", stderr);
	return CLI_USAGE;
}

int main(int argc, char **argv)
{
	/* Only for the widths of characters; the output is UTF-8 whatever the locale says. */
	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		setlocale(LC_CTYPE, "");

	int status = dispatch(argc, argv);
	if ((fflush(stdout) || ferror(stdout)) && status == CLI_OK) {
		cli_complain("cannot write to standard output: %s", strerror(errno));
		return CLI_USAGE;
	}
	return status;
}
