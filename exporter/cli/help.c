/* help.c - `tagalong help`, `tagalong help env`, and the usage of each verb. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "exporter/cli/cli.h"
#include "exporter/cli/text.h"

/* Straight from the table, so that no variable can be read and not be listed here. */
static const struct {
	const char *type, *variable, *fallback, *help;
} settings[] = {
#define SETTING(field, type, variable, fallback, help) {#type, variable, fallback, help},
#include "preload/config.def"
#undef SETTING
};

static const struct {
	const char *verb, *text;
} usages[] = {
	{"run",
	 "usage: tagalong run [options] [--] PROGRAM [ARG...]\n"
	 "\n"
	 "Runs PROGRAM with the tracing library in front of it. Exit status and signals pass through.\n"
	 "\n"
	 "  --service NAME        service.name of the spans\n"
	 "  --resource KEY=VALUE  a resource attribute; may be repeated\n"
	 "  --file PATH           append spans to PATH as JSON lines (see tagalong view)\n"
	 "  --endpoint URL        send spans to this OTLP/HTTP collector\n"
	 "  --protocol NAME       http/protobuf or http/json\n"
	 "  --header KEY=VALUE    sent with every export; may be repeated\n"
	 "  --console             print spans in readable form on standard output\n"
	 "  --exporter LIST       any of otlp, otlp_file, otlp/stdout, console, none\n"
	 "  --sample RATIO        keep this share of the traces that begin here, 0 to 1\n"
	 "  --propagators LIST    tracecontext, baggage, b3, b3multi, jaeger, xray, ottrace, none\n"
	 "  --process-spans       a span for each process\n"
	 "  --include GLOBS       only executables of these names take part\n"
	 "  --exclude GLOBS       executables of these names do not take part\n"
	 "  --log LEVEL           the library's own log: none, error, warn, info, debug, trace\n"
	 "  --log-file PATH       where that log goes; default standard error\n"
	 "  --print-env           print the settings as shell commands instead of running PROGRAM\n"
	 "  --quiet, -q           no summary at the end\n"
	 "\n"
	 "Spans go out every 200 ms here (OTEL_BSP_SCHEDULE_DELAY sets another): what a signal ends\n"
	 "loses what is queued.\n"},
	{"view",
	 "usage: tagalong view [options] FILE...\n"
	 "\n"
	 "Shows files of OTLP JSON lines as trees. FILE may be - for standard input.\n"
	 "\n"
	 "  --trace ID            traces whose id begins with ID\n"
	 "  --errors              traces that contain an error\n"
	 "  --service NAME        traces in which this service took part\n"
	 "  --events              what happened in each span, and when\n"
	 "  --slowest N           the N slowest traces, slowest first\n"
	 "  --limit N             at most N traces\n"
	 "  --width COLUMNS       default: the terminal's width, 100 in a pipe\n"
	 "  --color WHEN          auto, always or never; auto honours NO_COLOR\n"
	 "  --ascii               no box-drawing characters\n"
	 "\n"
	 "Exit status: 0 all was understood, 1 some lines were not (the others are shown), 2 wrong use or\n"
	 "a file that could not be read.\n"},
	{"check", "usage: tagalong check PROGRAM...\n"
		  "\n"
		  "Says what will and what will not be seen of a program, and why.\n"
		  "Exit status: 0 can be traced, 1 cannot, 2 no such program or not readable.\n"},
	{"help", "usage: tagalong help [run | view | check | env]\n"},
};

static const char overview[] =
	"usage: tagalong VERB ...\n"
	"\n"
	"  run [options] -- PROGRAM [ARG...]   run a program with tracing\n"
	"  view [options] FILE...              show recorded traces as trees\n"
	"  check PROGRAM...                    what will be seen of a program, and what not\n"
	"  help [VERB]                         this, or more about a verb\n"
	"  help env                            every environment variable, with type and default\n"
	"  --version                           print the version\n";

void help_verb(const char *verb)
{
	for (size_t i = 0; verb && i < sizeof(usages) / sizeof(usages[0]); i++) {
		if (!strcmp(verb, usages[i].verb)) {
			fputs(usages[i].text, stdout);
			return;
		}
	}
	/* Without a verb it is the answer to a mistake, not something that was asked for. */
	fputs(overview, verb ? stdout : stderr);
}

static const char *type_name(const char *type)
{
	static const char *const names[][2] = {
		{"BOOL", "true or false"},
		{"COUNT", "number > 0"},
		{"SLOTS", "number >= 16"},
		{"LIMIT", "number"},
		{"DURATION", "milliseconds"},
		{"TIMEOUT", "milliseconds, 0: no limit"},
		{"THRESHOLD", "milliseconds, or off"},
		{"SIZE", "bytes, with K, M or G"},
		{"TEXT", "text"},
		{"SECRET", "text, never logged"},
		{"LEVEL", "log level"},
		{"CHOICE", "one of"},
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(type, names[i][0]))
			return names[i][1];
	return type;
}

/* The default of a CHOICE is the first of its words, and the others are part of its type. */
static void show_setting(size_t i)
{
	const char *fallback = settings[i].fallback;
	bool choice = !strcmp(settings[i].type, "CHOICE");
	int len = (int)(choice ? strcspn(fallback, "|") : strlen(fallback));

	printf("%s\n    type: %s", settings[i].variable, type_name(settings[i].type));
	if (choice) {
		for (const char *word = len ? fallback : fallback + 1; *word;) {
			size_t word_len = strcspn(word, "|");
			printf("%s %.*s", word > fallback + 1 ? "," : "", (int)word_len, word);
			word += word_len + (word[word_len] == '|');
		}
	}
	if (len)
		printf("; default: %.*s\n", len, fallback);
	else
		printf("; not set by default\n");
	printf("    %s\n", settings[i].help);
}

static int help_env(void)
{
	puts("Every variable that is read. Empty is the same as unset. A value that cannot be used gives "
	     "one\n"
	     "warning that names it, and the default applies.\n");
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
		show_setting(i);
	puts("\nAnd by tagalong run:\n"
	     "TAGALONG_LIBRARY\n"
	     "    type: text; not set by default\n"
	     "    the shared object to load, instead of the one beside this program or in ../lib");
	return CLI_OK;
}

int cli_help(int argc, char **argv)
{
	char shown[64];

	if (argc < 2) {
		help_verb("");
		return CLI_OK;
	}
	if (!strcmp(argv[1], "env"))
		return help_env();
	for (size_t i = 0; i < sizeof(usages) / sizeof(usages[0]); i++) {
		if (!strcmp(argv[1], usages[i].verb)) {
			help_verb(argv[1]);
			return CLI_OK;
		}
	}
	text_escape_string(shown, sizeof(shown), argv[1]);
	cli_complain("help: nothing is known about '%s'", shown);
	help_verb(NULL);
	return CLI_USAGE;
}
