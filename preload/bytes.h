/* bytes.h - a slice of memory, and the few questions asked of it.
 *
 * A slice borrows: it is valid as long as what it points into, which each function that hands one out
 * must say. Nothing here allocates, locks or touches errno; everything is safe in a signal handler. */
#ifndef TAGALONG_BYTES_H
#define TAGALONG_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
	const char *ptr;
	size_t len;
};

#define BYTES(literal) ((struct bytes){(literal), sizeof(literal) - 1})
#define BYTES_NONE ((struct bytes){NULL, 0})

static inline struct bytes bytes_of(const char *text)
{
	return (struct bytes){text, text ? strlen(text) : 0};
}

static inline bool bytes_equal(struct bytes a, struct bytes b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline char bytes_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* ASCII only: what a locale thinks of a header name must not matter. */
static inline bool bytes_equal_nocase(struct bytes a, struct bytes b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (bytes_lower(a.ptr[i]) != bytes_lower(b.ptr[i]))
			return false;
	return true;
}

/* A name or a list item, in any case, against a lower-case literal of letters, digits and dashes. Setting bit
 * 5 maps upper case to lower; what else it maps onto those is a control, which no field line holds, or '@'
 * and
 * '[' to '_', which become '`' and '{' to DEL and so equal no literal of ours. */
static inline __attribute__((always_inline)) bool bytes_is(struct bytes text, struct bytes lower)
{
	const uint64_t fold = 0x2020202020202020u;
	uint64_t a, b;
	uint32_t c, d;

	if (text.len != lower.len)
		return false;
	if (lower.len >= 8) { /* the last piece overlaps the one before */
		for (size_t i = 0; i + 8 < lower.len; i += 8) {
			memcpy(&a, text.ptr + i, 8);
			memcpy(&b, lower.ptr + i, 8);
			if ((a | fold) != b)
				return false;
		}
		memcpy(&a, text.ptr + lower.len - 8, 8);
		memcpy(&b, lower.ptr + lower.len - 8, 8);
		return (a | fold) == b;
	}
	if (lower.len >= 4) {
		memcpy(&c, text.ptr, 4);
		memcpy(&d, lower.ptr, 4);
		if ((c | (uint32_t)fold) != d)
			return false;
		memcpy(&c, text.ptr + lower.len - 4, 4);
		memcpy(&d, lower.ptr + lower.len - 4, 4);
		return (c | (uint32_t)fold) == d;
	}
	for (size_t i = 0; i < lower.len; i++)
		if ((text.ptr[i] | 0x20) != lower.ptr[i])
			return false;
	return true;
}

static inline bool bytes_starts(struct bytes text, struct bytes prefix)
{
	return text.len >= prefix.len && (prefix.len == 0 || memcmp(text.ptr, prefix.ptr, prefix.len) == 0);
}

/* SP or HTAB: for all but a few bytes one comparison says no. */
static inline bool bytes_blank(char c)
{
	return (unsigned char)c <= ' ' && (c == ' ' || c == '\t');
}

/* Without the SP and HTAB at both ends. */
static inline struct bytes bytes_trim(struct bytes text)
{
	while (text.len && bytes_blank(text.ptr[0])) {
		text.ptr++;
		text.len--;
	}
	while (text.len && bytes_blank(text.ptr[text.len - 1]))
		text.len--;
	return text;
}

/* The offset of the first `c`, or text.len. */
static inline size_t bytes_find(struct bytes text, char c)
{
	const char *at = text.len ? memchr(text.ptr, c, text.len) : NULL;
	return at ? (size_t)(at - text.ptr) : text.len;
}

static inline struct bytes bytes_from(struct bytes text, size_t offset)
{
	if (offset > text.len)
		offset = text.len;
	return (struct bytes){text.len ? text.ptr + offset : NULL, text.len - offset};
}

static inline struct bytes bytes_until(struct bytes text, size_t offset)
{
	return (struct bytes){text.ptr, offset < text.len ? offset : text.len};
}

/* Cuts the next item off a list: up to `separator`, trimmed. False when the list is used up. */
static inline bool bytes_next(struct bytes *list, char separator, struct bytes *item)
{
	if (!list->ptr)
		return false;
	size_t cut = bytes_find(*list, separator);
	*item = bytes_trim(bytes_until(*list, cut));
	*list = cut < list->len ? (struct bytes){list->ptr + cut + 1, list->len - cut - 1} : BYTES_NONE;
	return true;
}

#endif
