/* run_stats.c - the line at the end of `tagalong run`; see run.h.
 *
 * Each process appends one line to the file in TAGALONG_STATS when it ends:
 *
 *	pid=17 exe=nginx spans=12 exported=12 dropped=0 failed=0 dest=/tmp/spans.jsonl
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

void run_stats_line(struct run_stats *stats, const char *line)
{
	unsigned long long spans, exported, dropped, failed;
	const char *destination = strstr(line, " dest=");
	char name[512];

	if (strncmp(line, "pid=", 4) || !number_of(line, " spans=", &spans) ||
	    !number_of(line, " exported=", &exported) || !number_of(line, " dropped=", &dropped) ||
	    !number_of(line, " failed=", &failed))
		return;
	stats->spans += spans;
	/* With several destinations each counts for itself; nothing can be delivered more than whole. */
	stats->exported += exported < spans ? exported : spans;
	stats->dropped += dropped;
	stats->failed += failed;
	if (spans + dropped)
		stats->processes++;
	else
		stats->silent++;
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
	size_t processes = stats->processes ? stats->processes : stats->silent;
	char of[48] = "", failed[48] = "";

	if (!stats->processes && !stats->silent) {
		snprintf(out, cap, "no spans: no process took part");
		return;
	}
	if (stats->exported != stats->spans) {
		snprintf(of, sizeof(of), "%llu of ", stats->exported);
		snprintf(failed, sizeof(failed), ", %llu failed", stats->failed);
	}
	snprintf(out, cap, "%s%llu span%s from %zu process%s%s%s (%llu dropped%s)", of, stats->spans,
		 stats->spans == 1 ? "" : "s", processes, processes == 1 ? "" : "es",
		 stats->destinations[0] ? " to " : "", stats->destinations, stats->dropped, failed);
}
