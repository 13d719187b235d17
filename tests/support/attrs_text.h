/* attrs_text.h - attributes in wire encoding, read back by hand into lines "key=value". For tests. */
#ifndef TAGALONG_ATTRS_TEXT_H
#define TAGALONG_ATTRS_TEXT_H

#include <stdio.h>
#include <stdlib.h>

#include "preload/attrs.h"

struct attrs_reader {
	const uint8_t *at, *end;
};

static inline uint64_t attrs_read_varint(struct attrs_reader *r)
{
	uint64_t value = 0;
	for (int shift = 0;; shift += 7) {
		if (r->at >= r->end || shift > 63)
			abort();
		value |= (uint64_t)(*r->at & 0x7f) << shift;
		if (!(*r->at++ & 0x80))
			return value;
	}
}

static inline struct attrs_reader attrs_read_field(struct attrs_reader *r, uint8_t tag)
{
	if (r->at >= r->end || *r->at++ != tag)
		abort();
	uint64_t len = attrs_read_varint(r);
	if (len > (uint64_t)(r->end - r->at))
		abort();
	struct attrs_reader inner = {r->at, r->at + len};
	r->at = inner.end;
	return inner;
}

static inline void attrs_value_text(struct attrs_reader value, FILE *out)
{
	if (value.at == value.end)
		abort();
	uint8_t tag = *value.at;
	if (tag == 0x0a || tag == 0x3a) {
		struct attrs_reader text = attrs_read_field(&value, tag);
		struct bytes bytes = {(const char *)text.at, (size_t)(text.end - text.at)};
		if (utf8_valid(bytes) != (tag == 0x0a))
			abort();
		fprintf(out, tag == 0x0a ? "\"" : "b\"");
		for (; text.at < text.end; text.at++)
			if (*text.at < 0x20 || (tag == 0x3a && *text.at >= 0x7f))
				fprintf(out, "\\x%02x", *text.at);
			else
				fputc(*text.at, out);
		fputc('"', out);
	} else if (tag == 0x2a) {
		struct attrs_reader array = attrs_read_field(&value, tag);
		fputc('[', out);
		for (bool first = true; array.at < array.end; first = false) {
			if (!first)
				fputc(',', out);
			attrs_value_text(attrs_read_field(&array, 0x0a), out);
		}
		fputc(']', out);
	} else if (tag == 0x18) {
		value.at++;
		fprintf(out, "%lld", (long long)attrs_read_varint(&value));
	} else if (tag == 0x10) {
		value.at++;
		fprintf(out, attrs_read_varint(&value) ? "true" : "false");
	} else if (tag == 0x21) {
		double number;
		if (value.end - value.at != 9)
			abort();
		memcpy(&number, value.at + 1, 8);
		value.at += 9;
		fprintf(out, "%g", number);
	} else {
		abort();
	}
	if (value.at != value.end)
		abort();
}

/* One line per attribute, each begun with `indent`. Anything that is not exactly right aborts. */
static inline void attrs_text(const struct attrs *attrs, const char *indent, FILE *out)
{
	struct attrs_reader all = {attrs->buf, attrs->buf + attrs->len};
	uint32_t count = 0;

	if (attrs->len > attrs->cap)
		abort();
	while (all.at < all.end) {
		struct attrs_reader pair = attrs_read_field(&all, 0x4a);
		struct attrs_reader key = attrs_read_field(&pair, 0x0a);
		fprintf(out, "%s%.*s=", indent, (int)(key.end - key.at), (const char *)key.at);
		attrs_value_text(attrs_read_field(&pair, 0x12), out);
		fputc('\n', out);
		if (pair.at != pair.end)
			abort();
		count++;
	}
	if (count != attrs->count)
		abort();
}

#endif
