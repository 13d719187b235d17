/* config_derive.c - what follows from the settings: lists, limits, sampler, propagators, exporters. */
#include <stdlib.h>
#include <string.h>

#include "preload/attrs.h"
#include "preload/config_internal.h"
#include "preload/correlate.h"
#include "preload/span.h"

#define DEFAULT_ATTRIBUTES 128

const struct bytes *config_list(const char *text, bool lower)
{
	static const struct bytes none[1];
	struct bytes rest = bytes_of(text), item;
	size_t count = 0, most = 2;

	if (!rest.len)
		return none;
	for (size_t i = 0; i < rest.len; i++)
		most += rest.ptr[i] == ',';
	struct bytes *list = config_keep(most * sizeof(*list));
	if (!list)
		return none;
	while (bytes_next(&rest, ',', &item)) {
		if (!item.len)
			continue;
		char *copy = (char *)config_keep_text(item);
		for (size_t i = 0; lower && i < item.len && copy[i]; i++)
			copy[i] = bytes_lower(copy[i]);
		list[count++] = bytes_of(copy);
	}
	return list;
}

static void warn_correlate(const struct bytes *list)
{
	const struct config_row *row = &config_rows[CONFIG_INDEX_correlate];
	uint32_t usable = 0;
	for (; list->ptr; list++) {
		const char *why = NULL;
		if (list->ptr[0] == ':')
			why = bytes_equal(*list, BYTES(CORRELATE_REQUEST))
				      ? NULL
				      : "there is no such name; what is no header is :request";
		else if (list->ptr[0] < 'a' || list->ptr[0] > 'z')
			why = "it begins with no letter";
		else if (++usable > CORRELATE_NAMES)
			why = "there are too many";
		if (why)
			config_warn("%s: \"%s\" is left out: %s", row->variable, list->ptr, why);
	}
}

static void derive_lists(void)
{
	config.known_method_list = config_list(config.known_methods, false);
	config.redact_key_list = config_list(config.redact_keys, false);
	config.correlate_list = config_list(config.correlate, true);
	warn_correlate(config.correlate_list);
	config.capture_list[0][0] = config_list(config.capture_server_request, true);
	config.capture_list[0][1] = config_list(config.capture_server_response, true);
	config.capture_list[1][0] = config_list(config.capture_client_request, true);
	config.capture_list[1][1] = config_list(config.capture_client_response, true);
}

static uint32_t first_set(uint32_t specific, uint32_t general, uint32_t fallback)
{
	if (specific != UINT32_MAX)
		return specific;
	return general != UINT32_MAX ? general : fallback;
}

static void derive_limits(void)
{
	const struct config_row *row = &config_rows[CONFIG_INDEX_bsp_max_export_batch_size];
	uint32_t queue = config.bsp_max_queue_size, *batch = &config.bsp_max_export_batch_size;

	config.span_limits.count = first_set(config.span_attribute_count_limit, config.attribute_count_limit,
					     DEFAULT_ATTRIBUTES);
	config.span_limits.value_length = first_set(config.span_attribute_value_length_limit,
						    config.attribute_value_length_limit, UINT32_MAX);
	if (!queue || *batch <= queue)
		return;
	uint32_t asked = *batch;
	*batch = (uint32_t)strtoul(row->fallback, NULL, 10);
	if (*batch > queue)
		*batch = queue;
	if (CONFIG_IS_SET(bsp_max_export_batch_size))
		config_warn("%s=\"%u\" is more than OTEL_BSP_MAX_QUEUE_SIZE=%u; using %u", row->variable,
			    asked, queue, *batch);
}

/* --- sampler ------------------------------------------------------------------------------------------- */

/* strtod() alone would take "inf", "nan" and hexadecimal. */
static bool parse_ratio(const char *text, double *out)
{
	char *end;

	if (!*text || text[strspn(text, "0123456789.eE+-")] != '\0')
		return false;
	*out = strtod(text, &end);
	return *end == '\0' && *out >= 0 && *out <= 1;
}

static void derive_sampler(void)
{
	struct sampler *sampler = &config.root_sampler;
	struct bytes name = bytes_of(config.sampler);

	sampler->parent_based = bytes_starts(name, BYTES("parentbased_"));
	if (sampler->parent_based)
		name = bytes_from(name, sizeof("parentbased_") - 1);
	if (bytes_equal(name, BYTES("always_off"))) {
		sampler->root = SAMPLER_ALWAYS_OFF;
	} else if (bytes_equal(name, BYTES("traceidratio"))) {
		sampler->root = SAMPLER_RATIO;
		sampler->ratio = 1;
		if (config.sampler_arg && !parse_ratio(config.sampler_arg, &sampler->ratio)) {
			sampler->ratio = 1;
			config_warn(
				"OTEL_TRACES_SAMPLER_ARG=\"%s\" is not a probability from 0 to 1; using 1",
				config.sampler_arg);
		}
	} else {
		sampler->root = SAMPLER_ALWAYS_ON;
	}
	if (config.sampler_arg && !CONFIG_IS_SET(sampler))
		config_info("OTEL_TRACES_SAMPLER_ARG is only read when OTEL_TRACES_SAMPLER is set");
}

/* --- lists of words ------------------------------------------------------------------------------------ */

struct word {
	const char *name;
	uint32_t bit;
};

static uint32_t find_word(const struct word *words, struct bytes item)
{
	for (; words->name; words++)
		if (bytes_equal_nocase(item, bytes_of(words->name)))
			return words->bit;
	return 0;
}

static void warn_unknown(const char *variable, struct bytes list, const struct word *words)
{
	struct bytes rest = list, item;

	while (bytes_next(&rest, ',', &item))
		if (item.len && !bytes_equal_nocase(item, BYTES("none")) && !find_word(words, item))
			config_warn("%s=\"%.*s\": \"%.*s\" is not known; it is left out", variable,
				    (int)list.len, list.ptr, (int)item.len, item.ptr);
}

/* The bits of a list, in order of arrival in `order` when that is wanted; 0 for "none". False, and nothing
 * said yet, when nothing usable is in it: the default applies. */
static bool parse_words(const char *variable, struct bytes list, const struct word *words, uint32_t *mask,
			enum context_format *order)
{
	struct bytes rest = list, item;
	size_t count = 0, items = 0;
	bool none = false;

	*mask = 0;
	while (bytes_next(&rest, ',', &item)) {
		items += item.len != 0;
		none = none || bytes_equal_nocase(item, BYTES("none"));
		uint32_t bit = find_word(words, item);
		if (bit && order && !(*mask & bit))
			order[count++] = (enum context_format)bit;
		*mask |= bit;
	}
	if (!none && !*mask)
		return false;
	if (!none) {
		warn_unknown(variable, list, words);
		return true;
	}
	if (items > 1)
		config_warn("%s=\"%.*s\" has none besides others; using none", variable, (int)list.len,
			    list.ptr);
	*mask = 0;
	if (order)
		order[0] = (enum context_format)0;
	return true;
}

static void derive_propagators(void)
{
	static const struct word words[] = {
		{"tracecontext", FORMAT_TRACECONTEXT},
		{"baggage", FORMAT_BAGGAGE},
		{"b3", FORMAT_B3},
		{"b3multi", FORMAT_B3MULTI},
		{"jaeger", FORMAT_JAEGER},
		{"xray", FORMAT_XRAY},
		{"ottrace", FORMAT_OTTRACE},
		{NULL, 0},
	};
	uint32_t mask;

	if (parse_words("OTEL_PROPAGATORS", bytes_of(config.propagators), words, &mask, config.formats))
		return;
	config_warn("OTEL_PROPAGATORS=\"%s\" names no propagator; using tracecontext,baggage",
		    config.propagators);
	config.formats[0] = FORMAT_TRACECONTEXT;
	config.formats[1] = FORMAT_BAGGAGE;
	config.formats[2] = (enum context_format)0;
}

static void derive_exporters(void)
{
	static const struct word words[] = {
		{"otlp", EXPORTER_OTLP},
		{"otlp_file", EXPORTER_FILE},
		{"otlp/stdout", EXPORTER_STDOUT},
		{"console", EXPORTER_CONSOLE},
		{NULL, 0},
	};

	if (!parse_words("OTEL_TRACES_EXPORTER", bytes_of(config.traces_exporter), words,
			 &config.traces_exporters, NULL)) {
		config_warn("OTEL_TRACES_EXPORTER=\"%s\" names no exporter; using otlp",
			    config.traces_exporter);
		config.traces_exporters = EXPORTER_OTLP;
	}
	uint32_t fallback = config.traces_exporters & EXPORTER_OTLP;
	if (!config.metrics_exporter) {
		config.metrics_exporters = fallback;
	} else if (!parse_words("OTEL_METRICS_EXPORTER", bytes_of(config.metrics_exporter), words,
				&config.metrics_exporters, NULL)) {
		config_warn("OTEL_METRICS_EXPORTER=\"%s\" names no exporter; using %s",
			    config.metrics_exporter, fallback ? "otlp" : "none");
		config.metrics_exporters = fallback;
	}
}

/* --- resource ------------------------------------------------------------------------------------------ */

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = bytes_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool percent_decode(struct bytes text, struct bytes *out)
{
	char *copy = config_keep(text.len + 1);
	size_t len = 0;

	if (!copy)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] != '%') {
			copy[len++] = text.ptr[i];
			continue;
		}
		int high = i + 2 < text.len ? digit_of(text.ptr[i + 1]) : -1;
		int low = i + 2 < text.len ? digit_of(text.ptr[i + 2]) : -1;
		if (high < 0 || low < 0)
			return false;
		copy[len++] = (char)(high << 4 | low);
		i += 2;
	}
	*out = (struct bytes){copy, len};
	return utf8_valid(*out);
}

/* A later value of the same key replaces the earlier one: keys are unique in OTLP. */
static bool add_resource(struct bytes key, struct bytes value)
{
	const uint32_t most = sizeof(config.resource) / sizeof(config.resource[0]);
	uint32_t at = 0;

	while (at < config.resource_count && !bytes_equal(config.resource[at].key, key))
		at++;
	if (at == most)
		return false;
	config.resource[at].key = key;
	config.resource[at].value = value;
	if (at == config.resource_count)
		config.resource_count++;
	return true;
}

static void derive_resource(void)
{
	struct bytes rest = bytes_of(config.resource_attributes), item, key, value;

	while (bytes_next(&rest, ',', &item)) {
		size_t equals = bytes_find(item, '=');
		if (!item.len)
			continue;
		if (equals == item.len || !percent_decode(bytes_trim(bytes_until(item, equals)), &key) ||
		    !key.len || !percent_decode(bytes_trim(bytes_from(item, equals + 1)), &value)) {
			config_error(
				"OTEL_RESOURCE_ATTRIBUTES=\"%s\" is discarded as a whole: \"%.*s\" is not "
				"key=value with percent-encoding",
				config.resource_attributes, (int)item.len, item.ptr);
			config.resource_count = 0;
			return;
		}
		if (!add_resource(key, value)) {
			config_warn("OTEL_RESOURCE_ATTRIBUTES: only the first 64 are used");
			return;
		}
	}
}

void config_derive(void)
{
	if (config.config_file)
		config_error("OTEL_CONFIG_FILE=\"%s\" is NOT READ: configuration files are not supported; "
			     "the OTEL_* "
			     "variables apply",
			     config.config_file);
	derive_lists();
	derive_limits();
	config.stack_after = config.stack_threshold == UINT32_MAX
				     ? UINT64_MAX
				     : config.stack_threshold * (uint64_t)1000000;
	derive_sampler();
	derive_propagators();
	derive_exporters();
	derive_resource();
}

enum protocol_db_text config_db_text(void)
{
	if (strcmp(config.db_text, "raw") == 0)
		return DB_TEXT_RAW;
	return strcmp(config.db_text, "off") == 0 ? DB_TEXT_OFF : DB_TEXT_SANITIZED;
}
