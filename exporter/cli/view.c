/* view.c - `tagalong view`: options and files. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "exporter/cli/cli.h"
#include "exporter/cli/text.h"
#include "exporter/cli/view.h"

#define PIPE_WIDTH 100

enum { TRACE = 0x100, ERRORS, SERVICE, EVENTS, SLOWEST, LIMIT, WIDTH, COLOR, ASCII, HELP };
static const struct option options_known[] = {
	{"trace", required_argument, NULL, TRACE},
	{"errors", no_argument, NULL, ERRORS},
	{"service", required_argument, NULL, SERVICE},
	{"events", no_argument, NULL, EVENTS},
	{"slowest", required_argument, NULL, SLOWEST},
	{"limit", required_argument, NULL, LIMIT},
	{"width", required_argument, NULL, WIDTH},
	{"color", required_argument, NULL, COLOR},
	{"ascii", no_argument, NULL, ASCII},
	{"help", no_argument, NULL, HELP},
	{NULL, 0, NULL, 0},
};

/* Where the options' own text is kept. */
struct texts {
	char trace[33], service[128];
};

static bool set_trace(struct view_options *options, struct texts *texts, const char *value)
{
	size_t len = strlen(value);

	if (len == 0 || len > 32 || strspn(value, "0123456789abcdefABCDEF") != len) {
		char shown[64];
		text_escape_string(shown, sizeof(shown), value);
		cli_complain("--trace: expected 1 to 32 hex digits, found '%s'", shown);
		return false;
	}
	for (size_t i = 0; i <= len; i++)
		texts->trace[i] = (char)(value[i] >= 'A' && value[i] <= 'F' ? value[i] | 0x20 : value[i]);
	options->trace = texts->trace;
	return true;
}

static bool set_color(struct view_options *options, const char *value)
{
	if (strcmp(value, "auto") != 0 && strcmp(value, "always") != 0 && strcmp(value, "never") != 0) {
		char shown[64];
		text_escape_string(shown, sizeof(shown), value);
		cli_complain("--color: expected auto, always or never, found '%s'", shown);
		return false;
	}
	if (strcmp(value, "auto") != 0)
		options->color = !strcmp(value, "always");
	return true;
}

/* False: complained already. */
static bool set_option(struct view_options *options, struct texts *texts, int option, const char *value)
{
	switch (option) {
	case TRACE:
		return set_trace(options, texts, value);
	case ERRORS:
		options->errors = true;
		return true;
	case EVENTS:
		options->events = true;
		return true;
	case SERVICE:
		text_escape_string(texts->service, sizeof(texts->service), value);
		options->service = texts->service;
		return true;
	case SLOWEST:
		return (options->slowest = cli_count("--slowest", value, 1000000000)) > 0;
	case LIMIT:
		return (options->limit = cli_count("--limit", value, 1000000000)) > 0;
	case WIDTH:
		return (options->width = cli_count("--width", value, 1000)) > 0;
	case COLOR:
		return set_color(options, value);
	default:
		options->ascii = true;
		return true;
	}
}

static void defaults(struct view_options *options)
{
	const char *no_color = getenv("NO_COLOR");
	const char *term = getenv("TERM");
	struct winsize size;
	bool terminal = isatty(STDOUT_FILENO);

	options->color = terminal && !(no_color && *no_color) && !(term && !strcmp(term, "dumb"));
	options->width = PIPE_WIDTH;
	if (terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col)
		options->width = size.ws_col;
}

/* Complaints about duplicates name where both came from; a few are enough to go looking. */
static void report_duplicates(const struct view_spans *all)
{
	size_t said = 0, total = 0;

	for (size_t t = 0; t < all->trace_count; t++) {
		const struct view_trace *trace = &all->traces[t];
		total += trace->duplicates;
		for (size_t i = 0; trace->duplicates && i < trace->count && said < 20; i++) {
			const struct view_span *span = trace->spans[i];
			if (span->oddity != ODDITY_DUPLICATE)
				continue;
			said++;
			fprintf(stderr, "%s:%lu: span id ", span->file, span->line);
			for (size_t k = 0; k < sizeof(span->id); k++)
				fprintf(stderr, "%02x", span->id[k]);
			fputs(" was there before in this trace\n", stderr);
		}
	}
	if (total > said)
		cli_complain("%zu more duplicate span ids", total - said);
}

static int read_file(struct view_spans *all, const char *path)
{
	bool standard = !strcmp(path, "-");
	struct stat status;
	struct view_source source = {.name = view_text(all, path, strlen(path), 1024)};
	FILE *file = standard ? stdin : fopen(path, "re");

	if (file && fstat(fileno(file), &status) == 0 && S_ISDIR(status.st_mode)) {
		fclose(file);
		file = NULL;
		errno = EISDIR;
	}
	if (!file) {
		cli_complain("cannot read %s: %s", source.name, strerror(errno));
		return CLI_USAGE;
	}
	bool whole = view_read(all, &source, file);
	if (!whole)
		cli_complain("cannot read %s beyond line %lu: %s", source.name, source.line, strerror(errno));
	if (!standard)
		fclose(file);
	return !whole ? CLI_USAGE : source.bad ? CLI_BAD : CLI_OK;
}

static int show_files(const struct view_options *options, char **paths)
{
	struct view_spans all = {0};
	int worst = CLI_OK;

	for (; *paths; paths++) {
		int status = read_file(&all, *paths);
		worst = status > worst ? status : worst;
	}
	view_build(&all);
	report_duplicates(&all);
	if (view_print(&all, options, stdout) == 0)
		cli_complain(all.count ? "no trace is like that" : "no spans to show");
	view_free(&all);
	return worst;
}

int cli_view(int argc, char **argv)
{
	struct view_options options = {0};
	struct texts texts;
	int option;

	defaults(&options);
	opterr = 0;
	while ((option = getopt_long(argc, argv, ":h", options_known, NULL)) != -1) {
		if (option == 'h' || option == HELP) {
			help_verb("view");
			return CLI_OK;
		}
		if (option == '?' || option == ':')
			return cli_bad_option("view", argv, option);
		if (!set_option(&options, &texts, option, optarg))
			return CLI_USAGE;
	}
	if (optind == argc) {
		cli_complain("view: no file named; - is standard input");
		fputs("Try 'tagalong view --help'.\n", stderr);
		return CLI_USAGE;
	}
	return show_files(&options, argv + optind);
}
