/* attrs.c - OTLP's wire encoding of attributes, appended in one go. */
#include "preload/attrs.h"

enum {
	TAG_ATTRIBUTE = 0x4a, /* Span.attributes */
	TAG_KEY = 0x0a,       /* KeyValue.key */
	TAG_VALUE = 0x12,     /* KeyValue.value */
	TAG_STRING = 0x0a,    /* AnyValue.* from here on */
	TAG_BOOL = 0x10,
	TAG_INT = 0x18,
	TAG_DOUBLE = 0x21,
	TAG_ARRAY = 0x2a,
	TAG_BYTES = 0x3a,
	TAG_ELEMENT = 0x0a, /* ArrayValue.values */
};

#define ELEMENTS_MAX 16
#define HIGH_BITS 0x8080808080808080u

static inline size_t varint_size(uint64_t value)
{
	size_t size = 1;
	while (value >= 0x80) {
		value >>= 7;
		size++;
	}
	return size;
}

static inline uint8_t *put_varint(uint8_t *at, uint64_t value)
{
	while (value >= 0x80) {
		*at++ = (uint8_t)(value | 0x80);
		value >>= 7;
	}
	*at++ = (uint8_t)value;
	return at;
}

static inline size_t field_size(size_t len)
{
	return 1 + varint_size(len) + len;
}

static inline uint8_t *put_tag(uint8_t *at, uint8_t tag, size_t len)
{
	*at++ = tag;
	return put_varint(at, len);
}

/* Values are short: a call to memcpy would cost more than the copy. The two overlapping moves of a branch
 * together cover every length in its range. */
static inline void copy_short(uint8_t *to, const char *from, size_t len)
{
	if (len >= 8 && len <= 16) {
		memcpy(to, from, 8);
		memcpy(to + len - 8, from + len - 8, 8);
	} else if (len > 16 && len <= 32) {
		memcpy(to, from, 16);
		memcpy(to + len - 16, from + len - 16, 16);
	} else if (len > 32) {
		memcpy(to, from, len);
	} else if (len >= 4) {
		memcpy(to, from, 4);
		memcpy(to + len - 4, from + len - 4, 4);
	} else {
		for (size_t i = 0; i < len; i++)
			to[i] = (uint8_t)from[i];
	}
}

void attrs_init(struct attrs *attrs, void *buf, size_t cap, const struct attrs_limits *limits)
{
	*attrs = (struct attrs){
		.buf = buf, .cap = cap > UINT32_MAX ? UINT32_MAX : (uint32_t)cap, .limits = limits};
}

/* --- UTF-8 ------------------------------------------------------------------------------------------- */

/* Length of the sequence at `at`, 0 if it is none. */
static size_t utf8_sequence(const uint8_t *at, size_t left)
{
	uint8_t c = at[0];
	uint8_t low = 0x80, high = 0xbf;
	size_t len;

	if (c < 0x80)
		return 1;
	if (c < 0xc2 || c > 0xf4)
		return 0;
	len = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
	if (c == 0xe0)
		low = 0xa0;
	else if (c == 0xed)
		high = 0x9f;
	else if (c == 0xf0)
		low = 0x90;
	else if (c == 0xf4)
		high = 0x8f;
	if (left < len || at[1] < low || at[1] > high)
		return 0;
	for (size_t i = 2; i < len; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	return len;
}

bool utf8_valid(struct bytes text)
{
	const uint8_t *at = (const uint8_t *)text.ptr;
	size_t left = text.len;

	while (left) {
		uint64_t word;
		while (left >= 8 && (memcpy(&word, at, 8), (word & HIGH_BITS) == 0)) {
			at += 8;
			left -= 8;
		}
		while (left && *at < 0x80) {
			at++;
			left--;
			if (left >= 8)
				break;
		}
		if (!left)
			break;
		size_t len = utf8_sequence(at, left);
		if (!len)
			return false;
		at += len;
		left -= len;
	}
	return true;
}

size_t utf8_prefix(struct bytes text, size_t points, size_t bytes)
{
	size_t at = 0;
	if (text.len <= points && text.len <= bytes)
		return text.len;
	while (at < text.len && points > 0) {
		size_t len = utf8_sequence((const uint8_t *)text.ptr + at, text.len - at);
		if (len == 0)
			len = 1;
		if (at + len > bytes)
			break;
		at += len;
		points--;
	}
	return at;
}

/* How much of a value may stay: the limit counts code points of text and bytes of anything else. */
static size_t allowed(const struct attrs *attrs, struct bytes value, bool text, size_t bytes)
{
	size_t limit = attrs->limits->value_length;
	if (value.len <= limit && value.len <= bytes)
		return value.len;
	if (text)
		return utf8_prefix(value, limit, bytes);
	if (limit > bytes)
		limit = bytes;
	return value.len < limit ? value.len : limit;
}

/* --- one attribute ------------------------------------------------------------------------------------- */

/* Room left for the AnyValue of an attribute with this key, false (and counted) when there is not the
 * `least`. Where it is not what is `wanted`, the owner may have more. */
static inline bool room_for(struct attrs *attrs, struct bytes key, size_t least, size_t wanted, size_t *room)
{
	/* Tags and lengths around a value in a buffer of less than 2^21 bytes: two of up to 1 + 3, and the
	 * key's. */
	size_t around = 2 * 4 + 1 + varint_size(key.len) + key.len;
	size_t left = attrs->cap - attrs->len;
	if (left < around + wanted && attrs->grow && attrs->count < attrs->limits->count &&
	    attrs->grow(attrs))
		left = attrs->cap - attrs->len;
	if (attrs->count >= attrs->limits->count || left < around + least) {
		attrs->dropped++;
		return false;
	}
	*room = left - around;
	return true;
}

/* Opens an attribute whose AnyValue takes `value` bytes; the caller writes exactly these. */
static inline uint8_t *open_attribute(struct attrs *attrs, struct bytes key, size_t value)
{
	uint8_t *at = attrs->buf + attrs->len;
	at = put_tag(at, TAG_ATTRIBUTE, field_size(key.len) + field_size(value));
	at = put_tag(at, TAG_KEY, key.len);
	copy_short(at, key.ptr, key.len);
	at = put_tag(at + key.len, TAG_VALUE, value);
	return at;
}

static inline void close_attribute(struct attrs *attrs, const uint8_t *at)
{
	attrs->len = (uint32_t)(at - attrs->buf);
	attrs->count++;
}

bool attrs_copy_ascii(uint8_t *to, const char *from, size_t len)
{
	uint64_t a, b, c, d, high = 0;
	size_t at = 0;

	if (len < 8) {
		for (; at < len; at++) {
			to[at] = (uint8_t)from[at];
			high |= to[at];
		}
		return high < 0x80;
	}
	for (; len - at > 32; at += 16) {
		memcpy(&a, from + at, 8);
		memcpy(&b, from + at + 8, 8);
		memcpy(to + at, &a, 8);
		memcpy(to + at + 8, &b, 8);
		high |= a | b;
	}
	/* The last 8 to 32 bytes: two pieces from either end, which may overlap. */
	size_t left = len - at, step = left >= 16 ? 8 : 0;
	memcpy(&a, from + at, 8);
	memcpy(&b, from + at + step, 8);
	memcpy(&c, from + len - 8 - step, 8);
	memcpy(&d, from + len - 8, 8);
	memcpy(to + at, &a, 8);
	memcpy(to + at + step, &b, 8);
	memcpy(to + len - 8 - step, &c, 8);
	memcpy(to + len - 8, &d, 8);
	return ((high | a | b | c | d) & HIGH_BITS) == 0;
}

void attrs_any_string(struct attrs *attrs, struct bytes key, struct bytes value)
{
	size_t room;
	if (!room_for(attrs, key, 4, value.len + 4, &room))
		return;
	bool text = utf8_valid(value);
	size_t len = allowed(attrs, value, text, room - 4);
	if (len < value.len) {
		if (len == 0 && attrs->limits->value_length > 0) {
			attrs->dropped++;
			return;
		}
		attrs->cut++;
	}
	uint8_t *at = open_attribute(attrs, key, field_size(len));
	at = put_tag(at, text ? TAG_STRING : TAG_BYTES, len);
	copy_short(at, value.ptr, len);
	close_attribute(attrs, at + len);
}

void attrs_any_int(struct attrs *attrs, struct bytes key, int64_t value)
{
	size_t room, size = 1 + varint_size((uint64_t)value);
	if (!room_for(attrs, key, size, size, &room))
		return;
	uint8_t *at = open_attribute(attrs, key, size);
	*at++ = TAG_INT;
	close_attribute(attrs, put_varint(at, (uint64_t)value));
}

void attrs_double(struct attrs *attrs, struct bytes key, double value)
{
	size_t room;
	uint64_t bits;
	if (!room_for(attrs, key, 9, 9, &room))
		return;
	uint8_t *at = open_attribute(attrs, key, 9);
	*at++ = TAG_DOUBLE;
	memcpy(&bits, &value, sizeof(bits));
	for (int i = 0; i < 8; i++)
		*at++ = (uint8_t)(bits >> (8 * i));
	close_attribute(attrs, at);
}

void attrs_bool(struct attrs *attrs, struct bytes key, bool value)
{
	size_t room;
	if (!room_for(attrs, key, 2, 2, &room))
		return;
	uint8_t *at = open_attribute(attrs, key, 2);
	*at++ = TAG_BOOL;
	*at++ = value ? 1 : 0;
	close_attribute(attrs, at);
}

void attrs_strings(struct attrs *attrs, struct bytes key, const struct bytes *values, size_t count)
{
	size_t len[ELEMENTS_MAX], room, used = 0, total = 0, wanted = 4, n;

	for (n = 0; n < count && n < ELEMENTS_MAX; n++)
		wanted += values[n].len + 8;
	if (!room_for(attrs, key, 4, wanted, &room))
		return;
	room -= 4; /* the array's own tag and length */
	for (n = 0; n < count && n < ELEMENTS_MAX; n++) {
		size_t left = room - used;
		if (left < 9) /* an element's two tags and lengths, and a byte */
			break;
		len[n] = allowed(attrs, values[n], utf8_valid(values[n]), left - 8);
		if (len[n] == 0 && values[n].len > 0 && attrs->limits->value_length > 0)
			break;
		if (len[n] < values[n].len)
			attrs->cut++;
		total += field_size(field_size(len[n]));
		used += 8 + len[n];
	}
	if (n == 0 && count > 0) {
		attrs->dropped++;
		return;
	}
	if (n < count)
		attrs->cut++;
	uint8_t *at = open_attribute(attrs, key, field_size(total));
	at = put_tag(at, TAG_ARRAY, total);
	for (size_t i = 0; i < n; i++) {
		at = put_tag(at, TAG_ELEMENT, field_size(len[i]));
		at = put_tag(at, utf8_valid(values[i]) ? TAG_STRING : TAG_BYTES, len[i]);
		copy_short(at, values[i].ptr, len[i]);
		at += len[i];
	}
	close_attribute(attrs, at);
}

void attrs_concat(struct attrs *attrs, struct bytes key, const struct bytes *parts, size_t count)
{
	size_t room, total = 0, put = 0;

	if (count == 1) {
		attrs_any_string(attrs, key, parts[0]);
		return;
	}
	for (size_t i = 0; i < count; i++)
		total += parts[i].len;
	if (!room_for(attrs, key, 4, total + 4, &room))
		return;
	room -= 4;
	/* Joined at the far end of where it will stand, then judged as a whole: a part may end inside a
	 * character. Behind it nothing is written, so the move to its place cannot overlap wrongly. */
	uint8_t *joined = attrs->buf + attrs->cap - (total < room ? total : room);
	for (size_t i = 0; i < count && put < room; i++) {
		size_t take = parts[i].len < room - put ? parts[i].len : room - put;
		copy_short(joined + put, parts[i].ptr, take);
		put += take;
	}
	struct bytes value = {(const char *)joined, put};
	bool text = utf8_valid(value);
	if (!text && put < total) {
		/* Cut at the end of the buffer: perhaps only the last character is torn. */
		size_t whole = put;
		while (whole > 0 && put - whole < 3 && ((uint8_t)value.ptr[whole - 1] & 0xc0) == 0x80)
			whole--;
		if (whole > 0 && utf8_valid(bytes_until(value, whole - 1))) {
			value.len = whole - 1;
			text = true;
		}
	}
	size_t len = allowed(attrs, value, text, room);
	if (len < total) {
		if (len == 0 && attrs->limits->value_length > 0) {
			attrs->dropped++;
			return;
		}
		attrs->cut++;
	}
	uint8_t *at = open_attribute(attrs, key, field_size(len));
	at = put_tag(at, text ? TAG_STRING : TAG_BYTES, len);
	memmove(at, joined, len);
	close_attribute(attrs, at + len);
}

/* --- looking back --------------------------------------------------------------------------------------- */

static size_t get_varint(const uint8_t *buf, size_t *at)
{
	size_t value = 0;
	int shift = 0;
	do {
		value |= (size_t)(buf[*at] & 0x7f) << shift;
		shift += 7;
	} while (buf[(*at)++] & 0x80);
	return value;
}

/* Where the attribute of this key begins, and behind it; false: there is none. */
static bool find_key(const struct attrs *attrs, struct bytes key, size_t *begin, size_t *end)
{
	size_t at = 0;
	while (at < attrs->len) {
		*begin = at++;
		size_t size = get_varint(attrs->buf, &at);
		*end = at + size;
		at++;
		size_t len = get_varint(attrs->buf, &at);
		if (bytes_equal((struct bytes){(const char *)attrs->buf + at, len}, key))
			return true;
		at = *end;
	}
	return false;
}

bool attrs_has(const struct attrs *attrs, struct bytes key)
{
	size_t begin, end;
	return find_key(attrs, key, &begin, &end);
}

void attrs_take(struct attrs *attrs, const struct attrs *from, struct bytes key)
{
	size_t begin, end;
	if (!find_key(from, key, &begin, &end))
		return;
	if (attrs->count >= attrs->limits->count || end - begin > attrs->cap - attrs->len) {
		attrs->dropped++;
		return;
	}
	memcpy(attrs->buf + attrs->len, from->buf + begin, end - begin);
	attrs->len += (uint32_t)(end - begin);
	attrs->count++;
}
