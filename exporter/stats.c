#include "exporter/stats.h"

#include <fcntl.h>
#include <string.h>

#include "exporter/resource.h"
#include "exporter/transport.h"
#include "preload/counters.h"
#include "preload/log.h"
#include "preload/sys.h"

static const char *destination(void)
{
	static const struct transport *const all[] = {&transport_otlp, &transport_file, &transport_stdout,
						      &transport_console};
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (config.traces_exporters & all[i]->kind)
			return all[i]->where();
	return "nowhere";
}

void stats_write(void)
{
	char line[1600];
	if (!config.stats_path || count_get(spans_started_sampled) + count_get(spans_started_dropped) == 0)
		return;
	uint64_t dropped =
		count_get(spans_queue_full) + count_get(spans_after_shutdown) + count_get(spans_no_slot);
	uint64_t failed = count_get(spans_refused) + count_get(spans_export_failed) +
			  count_get(spans_export_timeout) + count_get(spans_too_large);
	int len = log_format(line, sizeof(line),
			     "pid=%ld exe=%s spans=%llu exported=%llu dropped=%llu failed=%llu dest=%s\n",
			     sys_getpid(), resource_executable(), (unsigned long long)count_get(spans_queued),
			     (unsigned long long)count_get(spans_exported), (unsigned long long)dropped,
			     (unsigned long long)failed, destination());
	long fd = sys_open(config.stats_path, O_WRONLY | O_APPEND, 0);
	if (fd < 0)
		return;
	sys_write((int)fd, line, (size_t)len);
	sys_close((int)fd);
}
