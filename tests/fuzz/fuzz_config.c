/* Any environment, one variable a line: never a crash, and what is derived can be relied upon. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "preload/config.h"

#define ENTRIES 64
#define CHECK(condition)          \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

static void check_destination(const struct config_otlp *to)
{
	CHECK(to->protocol && strncmp(to->protocol, "http/", 5) == 0);
	if (!to->usable)
		return;
	CHECK(to->path[0] == '/' && to->port && to->host[0] && strncmp(to->url, "http://", 7) == 0);
	for (const char *at = to->path; *at; at++)
		CHECK(*at > 0x20 && *at < 0x7f);
	CHECK(!strchr(to->url, '@') || strchr(to->path, '@'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *env[ENTRIES + 2], log_setting[] = "TAGALONG_LOG=/dev/null";
	char *text = malloc(size + 1), *rest = text, *line;
	size_t count = 0;

	memcpy(text, data, size);
	text[size] = '\0';
	env[count++] = log_setting; /* the first of two counts */
	while (count <= ENTRIES && (line = strsep(&rest, "\n")))
		env[count++] = line;
	env[count] = NULL;
	config_load(env, "server");
	memset(text, 'X', size); /* nothing of the host's memory may be needed any more */
	check_destination(&config.traces);
	check_destination(&config.metrics);
	CHECK(config.bsp_max_export_batch_size > 0 && config.queue_bytes > 0);
	CHECK(!config.bsp_max_queue_size || config.bsp_max_export_batch_size <= config.bsp_max_queue_size);
	for (uint32_t i = 0; i < config.resource_count; i++)
		CHECK(config.resource[i].key.len > 0);
	for (const struct bytes *item = config.known_method_list; item->ptr; item++)
		CHECK(item->len == strlen(item->ptr));
	CHECK(!config.service_name || strlen(config.service_name) <= size);
	free(text);
	return 0;
}
