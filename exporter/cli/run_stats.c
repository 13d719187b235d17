/* run_stats.c - the line at the end of `tagalong run`; see run.h.
 *
 * Each process appends lines to the file in TAGALONG_STATS, each with what has come to be since the one
 *before:
 *
 *	pid=17 exe=nginx spans=12 exported=12 dropped=0 failed=0 errno=0 dest=/tmp/spans.jsonl
 *
 * Any of them may have been killed in the middle of it, or may not be a program of good will. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exporter/cli/run.h"
#include "exporter/cli/text.h"

/* The number behind the last " key=": an executable's name may hold anything but not the last word. */
static bool number_of(const char *line, const char *key, unsigned long long *number)
{
	const char *at = line, *last = NULL;

	while ((at = strstr(at, key)))
		last = at += strlen(key);
	if (!last || *last < '0' || *last > '9')
		return false;
	*number = strtoull(last, NULL, 10);
	return *number < 1ull << 60;
}

static void add_destination(struct run_stats *stats, const char *name)
{
	char here[4096], shown[256], *known = stats->destinations;

	/* As the user would name it: without the directory that we are in. */
	if (getcwd(here, sizeof(here))) {
		size_t len = strlen(here);
		if (!strncmp(name, here, len) && name[len] == '/')
			name += len + 1;
	}
	text_escape_string(shown, sizeof(shown), name);
	size_t used = strlen(known), len = strlen(shown);
	for (const char *at = known; (at = strstr(at, shown)); at += len)
		if ((at == known || at[-1] == ' ') && (at[len] == '\0' || at[len] == ' '))
			return;
	if (used + len + 6 < sizeof(stats->destinations))
		snprintf(known + used, sizeof(stats->destinations) - used, "%s%s", used ? " and " : "",
			 shown);
}

static void add_process(struct run_stats *stats, long pid)
{
	size_t most = sizeof(stats->pids) / sizeof(stats->pids[0]);
	for (size_t i = 0; i < stats->processes && i < most; i++)
		if (stats->pids[i] == pid)
			return;
	if (stats->processes < most)
		stats->pids[stats->processes] = pid;
	stats->processes++;
}

void run_stats_line(struct run_stats *stats, const char *line)
{
	unsigned long long spans, exported, dropped, failed, error;
	const char *destination = strstr(line, " dest=");
	char name[512];

	if (strncmp(line, "pid=", 4) || !number_of(line, " spans=", &spans) ||
	    !number_of(line, " exported=", &exported) || !number_of(line, " dropped=", &dropped) ||
	    !number_of(line, " failed=", &failed))
		return;
	stats->spans += spans;
	stats->exported += exported;
	stats->dropped += dropped;
	stats->failed += failed;
	if (spans + dropped)
		add_process(stats, strtol(line + 4, NULL, 10));
	if (number_of(line, " errno=", &error) && error > 0 && error < 4096)
		stats->error = (int)error;
	if (!destination)
		return;
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(destination + 6, "\n"), destination + 6);
	if (name[0] && (spans || !stats->destinations[0]))
		add_destination(stats, name);
}

void run_stats_read(struct run_stats *stats, FILE *file)
{
	char line[4096];

	while (fgets(line, sizeof(line), file))
		if (strchr(line, '\n'))
			run_stats_line(stats, line);
}

void run_stats_text(const struct run_stats *stats, char *out, size_t cap)
{
	char of[48] = "", failed[256] = "";
	/* With several destinations each counts for itself; nothing can be delivered more than whole. */
	unsigned long long exported = stats->exported < stats->spans ? stats->exported : stats->spans;

	if (!stats->processes) {
		snprintf(out, cap, "no spans");
		return;
	}
	if (exported != stats->spans) {
		snprintf(of, sizeof(of), "%llu of ", exported);
		snprintf(failed, sizeof(failed), ", %llu failed%s%s", stats->failed, stats->error ? ": " : "",
			 stats->error ? strerror(stats->error) : "");
	}
	snprintf(out, cap, "%s%llu span%s from %zu process%s%s%s (%llu dropped%s)", of, stats->spans,
		 stats->spans == 1 ? "" : "s", stats->processes, stats->processes == 1 ? "" : "es",
		 stats->destinations[0] ? " to " : "", stats->destinations, stats->dropped, failed);
}
