#include "exporter/stats.h"

#include <fcntl.h>
#include <stdatomic.h>
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

struct counts {
	uint64_t spans, exported, dropped, failed;
};

static struct counts told;
static _Atomic int reason;
static _Atomic bool writing;

void stats_failed(int error)
{
	atomic_store(&reason, error);
}

void stats_forked(void)
{
	told = (struct counts){0};
	atomic_store(&writing, false);
}

static struct counts count_now(void)
{
	return (struct counts){
		.spans = count_get(spans_queued),
		.exported = count_get(spans_exported),
		.dropped = count_get(spans_queue_full) + count_get(spans_after_shutdown) +
			   count_get(spans_no_slot),
		.failed = count_get(spans_refused) + count_get(spans_export_failed) +
			  count_get(spans_export_timeout) + count_get(spans_too_large),
	};
}

static void append(const struct counts *now)
{
	char line[1600];
	int len = log_format(
		line, sizeof(line),
		"pid=%ld exe=%s spans=%llu exported=%llu dropped=%llu failed=%llu errno=%d dest=%s\n",
		sys_getpid(), resource_executable(), (unsigned long long)(now->spans - told.spans),
		(unsigned long long)(now->exported - told.exported),
		(unsigned long long)(now->dropped - told.dropped),
		(unsigned long long)(now->failed - told.failed), atomic_load(&reason), destination());
	long fd = sys_open(config.stats_path, O_WRONLY | O_APPEND, 0);
	if (fd < 0)
		return;
	sys_write((int)fd, line, (size_t)len);
	sys_close((int)fd);
}

void stats_write(void)
{
	if (!config.stats_path || atomic_exchange(&writing, true))
		return;
	struct counts now = count_now();
	if (memcmp(&now, &told, sizeof(now)) != 0) {
		append(&now);
		told = now;
	}
	atomic_store(&writing, false);
}
