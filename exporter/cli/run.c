/* run.c - `tagalong run`: options; see run.h. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "exporter/cli/check.h"
#include "exporter/cli/cli.h"
#include "exporter/cli/run.h"
#include "exporter/cli/text.h"

enum {
	SERVICE = 0x100,
	RESOURCE,
	FILE_PATH,
	ENDPOINT,
	PROTOCOL,
	HEADER,
	CONSOLE,
	EXPORTER,
	SAMPLE,
	PROPAGATORS,
	PROCESS_SPANS,
	INCLUDE,
	EXCLUDE,
	LOG,
	LOG_FILE,
	PRINT_ENV,
	QUIET,
	HELP
};
static const struct option options_known[] = {
	{"service", required_argument, NULL, SERVICE},
	{"resource", required_argument, NULL, RESOURCE},
	{"file", required_argument, NULL, FILE_PATH},
	{"endpoint", required_argument, NULL, ENDPOINT},
	{"protocol", required_argument, NULL, PROTOCOL},
	{"header", required_argument, NULL, HEADER},
	{"console", no_argument, NULL, CONSOLE},
	{"exporter", required_argument, NULL, EXPORTER},
	{"sample", required_argument, NULL, SAMPLE},
	{"propagators", required_argument, NULL, PROPAGATORS},
	{"process-spans", no_argument, NULL, PROCESS_SPANS},
	{"include", required_argument, NULL, INCLUDE},
	{"exclude", required_argument, NULL, EXCLUDE},
	{"log", required_argument, NULL, LOG},
	{"log-file", required_argument, NULL, LOG_FILE},
	{"print-env", no_argument, NULL, PRINT_ENV},
	{"quiet", no_argument, NULL, QUIET},
	{"help", no_argument, NULL, HELP},
	{NULL, 0, NULL, 0},
};

struct run {
	bool quiet, print;
	bool destination[3]; /* asked for: otlp_file, otlp, console */
	char **changed;      /* names of the variables we set or removed, for --print-env */
	size_t changed_count;
};

static void changed(struct run *run, const char *name)
{
	for (size_t i = 0; i < run->changed_count; i++)
		if (!strcmp(run->changed[i], name))
			return;
	run->changed = cli_grow(run->changed, run->changed_count + 1, sizeof(*run->changed));
	run->changed[run->changed_count++] = (char *)name;
}

/* `name` must be a literal. NULL removes the variable. */
static void set(struct run *run, const char *name, const char *value)
{
	if (value ? setenv(name, value, 1) : unsetenv(name)) {
		cli_complain("cannot set %s: %s", name, strerror(errno));
		exit(CLI_USAGE);
	}
	changed(run, name);
}

static void set_owned(struct run *run, const char *name, char *value)
{
	set(run, name, value);
	free(value);
}

static bool wrong(const char *option, const char *expected, const char *value)
{
	char shown[128];

	text_escape_string(shown, sizeof(shown), value);
	cli_complain("%s: expected %s, found '%s'", option, expected, shown);
	return false;
}

/* What an option says must win over the variables that are narrower than the one it sets. */
static void drop_signal_variables(struct run *run, const char *traces, const char *metrics)
{
	if (getenv(traces))
		set(run, traces, NULL);
	if (getenv(metrics))
		set(run, metrics, NULL);
}

static bool add_pair(struct run *run, const char *option, const char *variable, const char *pair)
{
	size_t key_len = strcspn(pair, "=");

	if (!key_len || !pair[key_len] || strcspn(pair, ", \t\n\r") < key_len)
		return wrong(option, "KEY=VALUE", pair);
	char *key = cli_join("%.*s", (int)key_len, pair);
	set_owned(run, variable, run_list_set(getenv(variable), key, pair + key_len + 1));
	free(key);
	return true;
}

static bool set_sample(struct run *run, const char *text)
{
	char *end;

	/* The first character keeps out "nan", "inf", signs and blanks. */
	double ratio = strtod(text, &end);
	if (!strchr("0123456789.", text[0]) || *end || end == text || !(ratio >= 0 && ratio <= 1) ||
	    strchr("xX", text[1] ? text[1] : 'q'))
		return wrong("--sample", "a number from 0 to 1", text);
	set(run, "OTEL_TRACES_SAMPLER", "parentbased_traceidratio");
	set(run, "OTEL_TRACES_SAMPLER_ARG", text);
	return true;
}

/* Each item of a comma list must be one of `words` (",a,b,c,"). */
static bool known_words(const char *option, const char *words, const char *list)
{
	for (const char *item = list;; item++) {
		size_t len = strcspn(item, ",");
		char *bracketed = cli_join(",%.*s,", (int)len, item);
		bool known = len && strstr(words, bracketed);
		free(bracketed);
		if (!known) {
			char *expected = cli_join("%.*s", (int)strlen(words) - 2, words + 1);
			wrong(option, expected, list);
			free(expected);
			return false;
		}
		item += len;
		if (!*item)
			return true;
	}
}

static bool set_words(struct run *run, const char *option, const char *variable, const char *words,
		      const char *list)
{
	if (!known_words(option, words, list))
		return false;
	set(run, variable, list);
	return true;
}

static bool set_endpoint(struct run *run, const char *url)
{
	if (strncmp(url, "http://", 7) && strncmp(url, "https://", 8))
		return wrong("--endpoint", "a URL that begins with http:// or https://", url);
	drop_signal_variables(run, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
			      "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT");
	set(run, "OTEL_EXPORTER_OTLP_ENDPOINT", url);
	run->destination[1] = true;
	return true;
}

/* Options about where spans go. */
static bool set_destination(struct run *run, int option, const char *value)
{
	switch (option) {
	case FILE_PATH:
		if (!value[0])
			return wrong("--file", "a path", value);
		set_owned(run, "TAGALONG_FILE", run_absolute(value));
		return run->destination[0] = true;
	case ENDPOINT:
		return set_endpoint(run, value);
	case PROTOCOL:
		drop_signal_variables(run, "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
				      "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL");
		return set_words(run, "--protocol", "OTEL_EXPORTER_OTLP_PROTOCOL",
				 ",http/protobuf,http/json,grpc,", value);
	case HEADER:
		drop_signal_variables(run, "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
				      "OTEL_EXPORTER_OTLP_METRICS_HEADERS");
		return add_pair(run, "--header", "OTEL_EXPORTER_OTLP_HEADERS", value);
	case EXPORTER:
		return set_words(run, "--exporter", "OTEL_TRACES_EXPORTER",
				 ",otlp,otlp_file,otlp/stdout,console,none,", value);
	default:
		return run->destination[2] = true;
	}
}

/* False: complained already. */
static bool set_option(struct run *run, int option, const char *value)
{
	switch (option) {
	case SERVICE:
		set(run, "OTEL_SERVICE_NAME", value);
		return true;
	case RESOURCE:
		return add_pair(run, "--resource", "OTEL_RESOURCE_ATTRIBUTES", value);
	case SAMPLE:
		return set_sample(run, value);
	case PROPAGATORS:
		return set_words(run, "--propagators", "OTEL_PROPAGATORS",
				 ",tracecontext,baggage,b3,b3multi,jaeger,xray,ottrace,none,", value);
	case PROCESS_SPANS:
		set(run, "TAGALONG_PROCESS_SPANS", "true");
		return true;
	case INCLUDE:
	case EXCLUDE:
		set(run, option == INCLUDE ? "TAGALONG_INCLUDE" : "TAGALONG_EXCLUDE", value);
		return true;
	case LOG:
		return set_words(run, "--log", "OTEL_LOG_LEVEL", ",none,error,warn,info,debug,trace,", value);
	case LOG_FILE:
		set_owned(run, "TAGALONG_LOG", run_absolute(value));
		return true;
	case PRINT_ENV:
		return run->print = true;
	case QUIET:
		return run->quiet = true;
	default:
		return set_destination(run, option, value);
	}
}

static void finish_environment(struct run *run)
{
	static const char *const names[] = {"otlp_file", "otlp", "console"};
	char list[64] = "";
	const char *delay = getenv("OTEL_BSP_SCHEDULE_DELAY");

	for (size_t i = 0; i < 3; i++)
		if (run->destination[i])
			snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s", list[0] ? "," : "",
				 names[i]);
	if (list[0])
		set(run, "OTEL_TRACES_EXPORTER", list);
	/* What a signal kills is lost with its queue; an interactive run wants to see its spans soon. */
	if (!delay || !*delay)
		set(run, "OTEL_BSP_SCHEDULE_DELAY", "200");
}

/* False: the program will run without us, and it was said why. */
static bool put_in_front(struct run *run)
{
	char *library = run_library();
	char shown[512];

	if (!library) {
		const char *named = getenv("TAGALONG_LIBRARY");
		cli_complain("%s: running without tracing",
			     named && *named ? "no library to load"
					     : "libtagalong.so is neither beside this program nor in ../lib "
					       "(TAGALONG_LIBRARY names another)");
		return false;
	}
	if (strpbrk(library, ": ")) {
		text_escape_string(shown, sizeof(shown), library);
		cli_complain("LD_PRELOAD cannot carry '%s', which holds a blank or a colon: running without "
			     "tracing",
			     shown);
		free(library);
		return false;
	}
	set_owned(run, "LD_PRELOAD", run_preload(library, getenv("LD_PRELOAD")));
	free(library);
	return true;
}

static void print_environment(const struct run *run)
{
	for (size_t i = 0; i < run->changed_count; i++) {
		const char *value = getenv(run->changed[i]);
		if (!value) {
			printf("unset %s\n", run->changed[i]);
			continue;
		}
		printf("export %s='", run->changed[i]);
		for (; *value; value++)
			fputs(*value == '\'' ? "'\\''" : (char[2]){*value, '\0'}, stdout);
		puts("'");
	}
}

/* The name goes to the program; NULL: no summary, which is no reason not to run. */
static FILE *make_stats(char **path)
{
	const char *directory = getenv("TMPDIR");

	*path = cli_join("%s/tagalong-stats.XXXXXX", directory && *directory == '/' ? directory : "/tmp");
	int fd = mkostemp(*path, O_CLOEXEC);
	if (fd < 0) {
		int error = errno;
		char shown[256];
		text_escape_string(shown, sizeof(shown), *path);
		cli_complain("%s: %s: no summary at the end", shown, strerror(error));
		return NULL;
	}
	/* A program started by root may end as somebody else, who must be able to append. */
	if (geteuid() == 0)
		fchmod(fd, 0622);
	return fdopen(fd, "r+");
}

/* Started by root, a program may go on as somebody else, who must be able to append. Only a file that is not
 * there yet; nobody but its owner can read it. */
static void make_file(void)
{
	const char *path = getenv("TAGALONG_FILE");
	int fd = path && geteuid() == 0 ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1;
	if (fd < 0)
		return;
	fchmod(fd, 0622);
	close(fd);
}

static void say_summary(FILE *file)
{
	struct run_stats stats = {0};
	char text[1024];

	run_stats_read(&stats, file);
	run_stats_text(&stats, text, sizeof(text));
	cli_complain("%s", text);
}

static int run_program(struct run *run, char **argv)
{
	char *path = NULL, why[256], shown[256];
	FILE *stats = NULL;
	int failed;

	text_escape_string(shown, sizeof(shown), argv[0]);
	bool refuses, obstacle = check_obstacle(argv[0], why, sizeof(why), &refuses);
	if (obstacle)
		cli_complain("%s cannot be traced: %s", shown, why);
	/* What cannot be traced may start what can; but not if it would not even start. */
	if (!refuses && put_in_front(run)) {
		make_file();
		if (!run->quiet)
			stats = make_stats(&path);
		if (stats)
			set(run, "TAGALONG_STATS", path);
	}
	int status = run_child(argv, &failed);
	if (path && stats)
		unlink(path);
	if (failed)
		cli_complain("cannot run %s: %s", shown, strerror(failed));
	else if (stats)
		say_summary(stats);
	if (stats)
		fclose(stats);
	free(path);
	free(run->changed);
	if (failed)
		return failed == ENOENT ? CLI_NOT_FOUND : CLI_NOT_EXECUTABLE;
	if (WIFSIGNALED(status))
		run_die_of(WTERMSIG(status));
	return WEXITSTATUS(status);
}

int cli_run(int argc, char **argv)
{
	struct run run = {0};
	int option;

	opterr = 0;
	/* "+": the first word that is no option is the program, and the rest is the program's own. */
	while ((option = getopt_long(argc, argv, "+:hq", options_known, NULL)) != -1) {
		if (option == 'h' || option == HELP) {
			help_verb("run");
			return CLI_OK;
		}
		if (option == '?' || option == ':')
			return cli_bad_option("run", argv, option);
		/* "--file -- program": the value was forgotten. */
		if (optarg && !strcmp(optarg, "--")) {
			cli_complain("run: %s: no value", argv[optind - 2]);
			return CLI_USAGE;
		}
		if (!set_option(&run, option == 'q' ? QUIET : option, optarg))
			return CLI_USAGE;
	}
	finish_environment(&run);
	if (run.print) {
		put_in_front(&run);
		print_environment(&run);
		free(run.changed);
		return CLI_OK;
	}
	if (optind == argc) {
		cli_complain("run: no program named");
		fputs("Try 'tagalong run --help'.\n", stderr);
		return CLI_USAGE;
	}
	return run_program(&run, argv + optind);
}
