#include "preload/config.h"

#include <string.h>

#include "preload/config_internal.h"
#include "preload/sys.h"

#define ARENA_SIZE 16384

struct config config;
struct bytes config_raw[CONFIG_COUNT];
bool config_quiet;

const struct config_row config_rows[] = {
#define SETTING(field, type, variable, fallback, help) {#field, #type, variable, fallback, help},
#include "preload/config.def"
#undef SETTING
};
const size_t config_row_count = sizeof(config_rows) / sizeof(config_rows[0]);

static const uint8_t variable_lengths[] = {
#define SETTING(field, type, variable, fallback, help) sizeof(variable) - 1,
#include "preload/config.def"
#undef SETTING
};

static _Alignas(16) char arena[ARENA_SIZE];
static size_t arena_used;

void *config_keep(size_t size)
{
	size = (size + 15) & ~(size_t)15;
	if (size <= sizeof(arena) - arena_used) {
		void *ptr = arena + arena_used;
		arena_used += size;
		return ptr;
	}
	return sys_map(size);
}

const char *config_keep_text(struct bytes text)
{
	char *copy = config_keep(text.len + 1);
	if (!copy)
		return "";
	memcpy(copy, text.ptr, text.len);
	copy[text.len] = '\0';
	return copy;
}

/* `*` is matched greedily with one point to come back to: no recursion, at worst quadratic. */
static bool glob(struct bytes pattern, struct bytes name)
{
	size_t p = 0, n = 0, star = SIZE_MAX, resume = 0;

	while (n < name.len) {
		if (p < pattern.len && pattern.ptr[p] == '*') {
			star = p++;
			resume = n;
		} else if (p < pattern.len && (pattern.ptr[p] == '?' || pattern.ptr[p] == name.ptr[n])) {
			p++;
			n++;
		} else if (star != SIZE_MAX) {
			p = star + 1;
			n = ++resume;
		} else {
			return false;
		}
	}
	while (p < pattern.len && pattern.ptr[p] == '*')
		p++;
	return p == pattern.len;
}

static bool glob_any(struct bytes list, const char *name)
{
	struct bytes item;

	while (bytes_next(&list, ',', &item))
		if (item.len && glob(item, bytes_of(name)))
			return true;
	return false;
}

bool config_glob_list(const char *pattern_list, const char *name)
{
	return glob_any(bytes_of(pattern_list), name);
}

static void take_variable(const char *entry)
{
	const char *equals = strchr(entry, '=');
	size_t len = equals ? (size_t)(equals - entry) : 0;

	for (size_t i = 0; len && i < CONFIG_COUNT; i++) {
		if (variable_lengths[i] != len || memcmp(config_rows[i].variable, entry, len) != 0)
			continue;
		/* The first of two counts, as it does for getenv(3). */
		if (!config_raw[i].ptr)
			config_raw[i] = bytes_trim(bytes_of(equals + 1));
		return;
	}
}

static void gather(char *const env[])
{
	memset(config_raw, 0, sizeof(config_raw));
	for (; env && *env; env++)
		if (strncmp(*env, "OTEL_", 5) == 0 || strncmp(*env, "TAGALONG_", 9) == 0)
			take_variable(*env);
}

static bool takes_part(const char *exe)
{
	struct bytes include = config_raw[CONFIG_INDEX_include];
	struct bytes exclude = config_raw[CONFIG_INDEX_exclude];

	if (bytes_equal_nocase(config_raw[CONFIG_INDEX_disabled], BYTES("true")))
		return false;
	if (include.len && !glob_any(include, exe))
		return false;
	return !glob_any(exclude, exe);
}

static void configure_log(void)
{
	struct bytes path = config_raw[CONFIG_INDEX_log_path];
	log_configure(config_quiet ? LOG_NONE : config_parse_level(),
		      path.len ? config_keep_text(path) : NULL);
}

void config_load(char *const env[], const char *exe)
{
	memset(&config, 0, sizeof(config));
	memset(arena, 0, arena_used);
	arena_used = 0;
	gather(env);
	config.took_part = takes_part(exe ? exe : "");
	config_quiet = !config.took_part;
	configure_log();
	config_parse_all();
	config_derive();
	config_derive_otlp();
	context_configure(config.formats);
	sampler_configure(&config.root_sampler);
}
