/* demangle.c - see demangle.h. Source: Itanium C++ ABI, "External Names". */
#include "exporter/demangle.h"

#include <stdbool.h>
#include <string.h>

#include "exporter/symbols.h"
#include "preload/bytes.h"

struct reader {
	const char *at;
	char *out;
	size_t len;
	struct bytes last; /* name, of which a constructor has the same */
};

static bool put(struct reader *reader, const char *text, size_t len)
{
	if (reader->len + len + 1 > SYMBOLS_NAME)
		return false;
	memcpy(reader->out + reader->len, text, len);
	reader->len += len;
	return true;
}

static bool put_part(struct reader *reader, const char *before, struct bytes name)
{
	return (reader->len == 0 || put(reader, "::", 2)) && put(reader, before, strlen(before)) &&
	       put(reader, name.ptr, name.len);
}

/* <length><name> */
static bool read_name(struct reader *reader)
{
	static const struct bytes unnamed = {"(anonymous namespace)", 21};
	size_t len = 0;

	while (*reader->at >= '0' && *reader->at <= '9' && len < SYMBOLS_NAME)
		len = len * 10 + (size_t)(*reader->at++ - '0');
	if (len == 0 || strnlen(reader->at, len) < len)
		return false;
	struct bytes name = {reader->at, len};
	reader->at += len;
	if (bytes_starts(name, BYTES("_GLOBAL__N_")))
		name = unnamed;
	reader->last = name;
	return put_part(reader, "", name);
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool read_nested(struct reader *reader)
{
	while (*reader->at && strchr("rVKRO", *reader->at))
		reader->at++;
	while (*reader->at != 'E') {
		char kind = reader->at[0];
		bool special = (kind == 'C' || kind == 'D') && is_digit(reader->at[1]) && reader->last.len;
		if (special) {
			reader->at += 2;
			if (!put_part(reader, kind == 'D' ? "~" : "", reader->last))
				return false;
		} else if (!is_digit(kind) || !read_name(reader)) {
			return false;
		}
	}
	reader->at++;
	return reader->len > 0;
}

static void cut_clone(char *name)
{
	static const char *const clones[] = {".isra.", ".constprop.", ".part.",
					     ".cold",  ".lto_priv.",  ".llvm."};
	for (size_t i = 0; i < sizeof(clones) / sizeof(clones[0]); i++) {
		char *clone = strstr(name, clones[i]);
		if (clone && clone > name)
			*clone = '\0';
	}
}

void demangle(char *name)
{
	char plain[SYMBOLS_NAME];
	struct reader reader = {.at = name + 2, .out = plain};

	cut_clone(name);
	if (strncmp(name, "_Z", 2) != 0)
		return;
	if (*reader.at == 'L')
		reader.at++;
	bool nested = *reader.at == 'N';
	reader.at += nested;
	if (!(nested ? read_nested(&reader) : read_name(&reader)))
		return;
	/* A template's arguments would come now. */
	if (*reader.at == 'I')
		return;
	memcpy(name, plain, reader.len);
	name[reader.len] = '\0';
}
