/* config.h - the environment, read once.
 *
 * struct config is expanded from config.def. `config` is filled by config_load() in the constructor and
 * read-only from then on; before that it holds the defaults of zeroed memory and `config.disabled` is true
 * in effect (hooks are not live yet). Text points into a private copy: the host may change its environment.
 *
 * Rules of otel.md 1.1: empty is unset; a value that cannot be used gives one warning that names variable
 * and value, and the default applies. Signal-specific variables beat general ones (resolved here, see
 * `traces` and `metrics` below). */
#ifndef TAGALONG_CONFIG_H
#define TAGALONG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "preload/attrs.h"
#include "preload/bytes.h"
#include "preload/context.h"
#include "preload/log.h"
#include "preload/protocol_settings.h"
#include "preload/sampler.h"

#define CONFIG_TYPE_BOOL bool
#define CONFIG_TYPE_COUNT uint32_t
#define CONFIG_TYPE_SLOTS uint32_t
#define CONFIG_TYPE_LIMIT uint32_t
#define CONFIG_TYPE_DURATION uint32_t
#define CONFIG_TYPE_TIMEOUT uint32_t
#define CONFIG_TYPE_THRESHOLD uint32_t
#define CONFIG_TYPE_SIZE uint64_t
#define CONFIG_TYPE_TEXT const char *
#define CONFIG_TYPE_SECRET const char *
#define CONFIG_TYPE_LEVEL enum log_level
#define CONFIG_TYPE_CHOICE const char *

/* One OTLP destination with the general and the signal's own variables resolved. */
struct config_otlp {
	char url[1024];       /* complete: scheme, host, port, path (otel.md 1.6 URL rule applied) */
	const char *protocol; /* "http/protobuf" or "http/json" ("grpc" was warned about and replaced) */
	const char *headers;  /* raw, percent-encoded; NULL: none */
	uint32_t timeout;     /* ms */
	bool gzip;
	bool usable;    /* false: e.g. https, unparsable URL; warned about, nothing is sent */
	char host[256]; /* no brackets */
	char path[768]; /* starts with '/' */
	uint16_t port;
};

enum config_exporter { EXPORTER_OTLP = 1, EXPORTER_FILE = 2, EXPORTER_STDOUT = 4, EXPORTER_CONSOLE = 8 };

struct config {
#define SETTING(field, type, variable, fallback, help) CONFIG_TYPE_##type field;
#include "preload/config.def"
#undef SETTING

	/* derived */
	struct config_otlp traces, metrics;
	uint32_t traces_exporters; /* bits of enum config_exporter; 0: none */
	uint32_t metrics_exporters;
	enum context_format formats[8]; /* ended by 0 */
	struct sampler root_sampler;
	struct attrs_limits span_limits;
	uint64_t stack_after;                  /* ns; UINT64_MAX: never */
	const struct bytes *known_method_list; /* NONE-terminated lists */
	const struct bytes *redact_key_list;
	const struct bytes *correlate_list;     /* lower case */
	const struct bytes *capture_list[2][2]; /* [side: 0 server, 1 client][0 request, 1 response] */
	struct {
		struct bytes key, value;
	} resource[64]; /* OTEL_RESOURCE_ATTRIBUTES, decoded; */
	uint32_t resource_count;
	bool took_part; /* false: TAGALONG_DISABLED, or INCLUDE / EXCLUDE says no */
};

extern struct config config;
enum protocol_db_text config_db_text(void);

/* Reads `environ`-like `env` (NULL-terminated) for an executable of base name `exe`. Reports through log.h
 * (configured here as well). Allocates nothing from the heap: a static buffer, and sys_map() beyond it.
 * Calls context_configure() and sampler_configure(). */
void config_load(char *const env[], const char *exe);

/* The table, for `tagalong help env`, the README and tests. */
struct config_row {
	const char *field, *type, *variable, *fallback, *help;
};
extern const struct config_row config_rows[];
extern const size_t config_row_count;

/* True if `pattern_list` (comma list of globs with * and ?) matches `name`. */
bool config_glob_list(const char *pattern_list, const char *name);

#endif
