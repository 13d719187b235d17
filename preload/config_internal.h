/* config_internal.h - what the files of the configuration share; nobody else includes it.
 * Used by config_load() alone, on one thread. */
#ifndef TAGALONG_CONFIG_INTERNAL_H
#define TAGALONG_CONFIG_INTERNAL_H

#include "preload/config.h"

enum config_index {
#define SETTING(field, type, variable, fallback, help) CONFIG_INDEX_##field,
#include "preload/config.def"
#undef SETTING
	CONFIG_COUNT
};

/* What the environment says, trimmed; NONE where it is unset or empty. By enum config_index. */
extern struct bytes config_raw[CONFIG_COUNT];
extern bool config_quiet; /* this process does not take part: nothing is said */

/* Whether `field` was set by the user to something that can be used. */
#define CONFIG_IS_SET(field) (config_raw[CONFIG_INDEX_##field].len != 0)

#define config_error(...) (config_quiet ? (void)0 : log_error("config", __VA_ARGS__))
#define config_warn(...) (config_quiet ? (void)0 : log_warn("config", __VA_ARGS__))
#define config_info(...) (config_quiet ? (void)0 : log_info("config", __VA_ARGS__))

/* Memory of the configuration, zeroed, for the life of the process; NULL when there is none. */
void *config_keep(size_t size);
const char *config_keep_text(struct bytes text); /* NUL-terminated copy; "" when there is no memory */

/* Fills every field of the table from config_raw. A value that cannot be used is warned about and its
 * config_raw entry becomes NONE. */
void config_parse_all(void);
/* The one setting that must be known before anything can be said. Quiet. */
enum log_level config_parse_level(void);

void config_derive(void);      /* lists, limits, sampler, propagators, exporters, resource */
void config_derive_otlp(void); /* traces and metrics destinations */

/* A comma list as a NONE-terminated array; `lower` folds ASCII case. */
const struct bytes *config_list(const char *text, bool lower);

#endif
