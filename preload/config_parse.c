/* config_parse.c - one value, by its type (otel.md 1.1). */
#include "preload/config_internal.h"

#define NUMBER_MAX 2147483647u
#define UNSET_NUMBER UINT32_MAX

/* One row of the table while it is read. */
struct row {
	const char *variable;
	struct bytes *raw;     /* what the environment says */
	struct bytes fallback; /* CHOICE: the words that are allowed, the default first */
};

static void refuse(struct row *row, const char *what)
{
	struct bytes fallback = bytes_until(row->fallback, bytes_find(row->fallback, '|'));

	if (fallback.len)
		config_warn("%s=\"%.*s\" %s; using %.*s", row->variable, (int)row->raw->len, row->raw->ptr,
			    what, (int)fallback.len, fallback.ptr);
	else
		config_warn("%s=\"%.*s\" %s; it is ignored", row->variable, (int)row->raw->len, row->raw->ptr,
			    what);
	*row->raw = BYTES_NONE;
}

static bool parse_number(struct bytes text, uint32_t least, uint32_t *out)
{
	uint64_t number = 0;

	if (!text.len)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] < '0' || text.ptr[i] > '9')
			return false;
		number = number * 10 + (uint64_t)(text.ptr[i] - '0');
		if (number > NUMBER_MAX)
			return false;
	}
	*out = (uint32_t)number;
	return number >= least;
}

static uint32_t number(struct row *row, uint32_t least, uint32_t unset, const char *what)
{
	uint32_t value;

	if (row->raw->len) {
		if (parse_number(*row->raw, least, &value))
			return value;
		refuse(row, what);
	}
	return parse_number(row->fallback, least, &value) ? value : unset;
}

static bool parse_BOOL(struct row *row)
{
	if (bytes_equal_nocase(*row->raw, BYTES("true")))
		return true;
	if (row->raw->len && !bytes_equal_nocase(*row->raw, BYTES("false")))
		refuse(row, "is neither true nor false");
	return false;
}

static uint32_t parse_COUNT(struct row *row)
{
	return number(row, 1, 0, "is not a whole number from 1 to 2147483647");
}

/* Fewer would not do for one request that makes a call. */
static uint32_t parse_SLOTS(struct row *row)
{
	return number(row, 16, 0, "is not a whole number from 16 to 2147483647");
}

static uint32_t parse_LIMIT(struct row *row)
{
	return number(row, 0, UNSET_NUMBER, "is not a whole number from 0 to 2147483647");
}

static uint32_t parse_DURATION(struct row *row)
{
	return number(row, 0, UNSET_NUMBER, "is not a number of milliseconds");
}

static uint32_t parse_TIMEOUT(struct row *row)
{
	uint32_t value = parse_DURATION(row);
	return value ? value : INT32_MAX;
}

static uint32_t parse_THRESHOLD(struct row *row)
{
	if (bytes_equal_nocase(*row->raw, BYTES("off")))
		return UNSET_NUMBER;
	return number(row, 0, UNSET_NUMBER, "is neither a number of milliseconds nor off");
}

static bool parse_size(struct bytes text, uint64_t *out)
{
	unsigned shift = 0;
	uint32_t value;

	if (text.len) {
		switch (bytes_lower(text.ptr[text.len - 1])) {
		case 'k':
			shift = 10;
			break;
		case 'm':
			shift = 20;
			break;
		case 'g':
			shift = 30;
			break;
		default:
			break;
		}
	}
	if (!parse_number(bytes_until(text, text.len - (shift ? 1 : 0)), 1, &value))
		return false;
	*out = (uint64_t)value << shift;
	return true;
}

static uint64_t parse_SIZE(struct row *row)
{
	uint64_t value = 0;

	if (row->raw->len) {
		if (parse_size(*row->raw, &value) && value >= 64 * 1024 && value <= 1024 * 1024 * 1024)
			return value;
		refuse(row, "is not a size in bytes from 64K to 1G, such as 512K or 4M");
	}
	return parse_size(row->fallback, &value) ? value : 0;
}

static const char *parse_TEXT(struct row *row)
{
	struct bytes text = row->raw->len ? *row->raw : row->fallback;
	return text.len ? config_keep_text(text) : NULL;
}

static const char *parse_SECRET(struct row *row)
{
	return parse_TEXT(row);
}

static bool find_level(struct bytes text, enum log_level *out)
{
	static const char *const names[] = {"none", "error", "warn", "info", "debug", "trace"};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (bytes_equal_nocase(text, bytes_of(names[i]))) {
			*out = (enum log_level)i;
			return true;
		}
	}
	return false;
}

static enum log_level parse_LEVEL(struct row *row)
{
	enum log_level level = LOG_WARN;

	if (row->raw->len && find_level(*row->raw, &level))
		return level;
	if (row->raw->len)
		refuse(row, "is not one of none, error, warn, info, debug, trace");
	find_level(row->fallback, &level);
	return level;
}

enum log_level config_parse_level(void)
{
	enum log_level level = LOG_WARN;
	find_level(config_raw[CONFIG_INDEX_log_level], &level);
	return level;
}

static const char *parse_CHOICE(struct row *row)
{
	struct bytes list = row->fallback, word;
	char what[192];

	while (row->raw->len && bytes_next(&list, '|', &word))
		if (word.len && bytes_equal_nocase(*row->raw, word))
			return config_keep_text(word);
	if (row->raw->len) {
		size_t len = (size_t)log_format(what, sizeof(what), "is not one of");
		list = row->fallback;
		while (bytes_next(&list, '|', &word))
			if (word.len)
				len += (size_t)log_format(what + len, sizeof(what) - len, " %.*s",
							  (int)word.len, word.ptr);
		refuse(row, what);
	}
	word = bytes_until(row->fallback, bytes_find(row->fallback, '|'));
	return word.len ? config_keep_text(word) : NULL;
}

void config_parse_all(void)
{
#define SETTING(name, type, variable, fallback, help) \
	config.name =                                 \
		parse_##type(&(struct row){variable, &config_raw[CONFIG_INDEX_##name], BYTES(fallback)});
#include "preload/config.def"
#undef SETTING
}
