/* http2_edit.c - fields of our own at the end of a header block that is about to be sent; and other values of
 * those that are in it.
 *
 * They are literals without indexing and without Huffman code, so neither side's table changes and blocks
 * that follow mean what they meant. The frame's length must then be another. Where the frame would become
 * longer than the peer accepts, it stays, gives up END_HEADERS, and a CONTINUATION with our fields follows.
 *
 * A write that the kernel takes in part returns how many of the caller's bytes went; once those are all gone,
 * nobody calls again, and what were left of our bytes would be lost. So nothing of ours goes last: the byte
 * before the place of insertion is sent as part of the insertion, before our bytes, and the last of ours in
 * its stead:
 *
 *     the caller's   ... x y            x: the bytes before
 *     sent           ... x y o o o      y: moved into the insertion, which is "y o o"
 *                          ^^^^^ ^      the last o replaces y */
#include "hooks/protocols/http2.h"

#define FIELD_LITERAL 0x00 /* without indexing, new name: RFC 7541 6.2.2 */

struct out {
	char *room; /* NULL: only counted */
	size_t size, len;
};

static void put(struct out *out, struct bytes text, bool lower)
{
	if (out->room && out->len + text.len <= out->size)
		for (size_t i = 0; i < text.len; i++)
			out->room[out->len + i] = lower ? bytes_lower(text.ptr[i]) : text.ptr[i];
	out->len += text.len;
}

static void put_byte(struct out *out, uint32_t byte)
{
	char c = (char)byte;
	put(out, (struct bytes){&c, 1}, false);
}

/* An integer with a prefix of 7 bits, of which the eighth says "no Huffman code". */
static void put_length(struct out *out, size_t value)
{
	if (value < 127) {
		put_byte(out, (uint32_t)value);
		return;
	}
	put_byte(out, 127);
	for (value -= 127; value >= 128; value >>= 7)
		put_byte(out, (uint32_t)(value & 127) | 128);
	put_byte(out, (uint32_t)value);
}

/* Cuts the next line off, as name and value. */
static bool next_line(struct bytes *lines, struct bytes *name, struct bytes *value)
{
	while (lines->len) {
		size_t end = bytes_find(*lines, '\r');
		struct bytes line = bytes_until(*lines, end);
		size_t colon = bytes_find(line, ':');
		*lines = bytes_from(*lines, end + 2);
		if (colon == line.len || colon == 0)
			continue;
		*name = bytes_trim(bytes_until(line, colon));
		*value = bytes_trim(bytes_from(line, colon + 1));
		return true;
	}
	return false;
}

size_t http2_encode(struct bytes lines, char *room, size_t size)
{
	struct out out = {room, size, 0};
	struct bytes name, value;

	while (next_line(&lines, &name, &value)) {
		put_byte(&out, FIELD_LITERAL);
		put_length(&out, name.len);
		put(&out, name, true);
		put_length(&out, value.len);
		put(&out, value, false);
	}
	return room && out.len > size ? 0 : out.len;
}

size_t http2_list_size(struct bytes lines)
{
	struct bytes name, value;
	size_t total = 0;
	while (next_line(&lines, &name, &value))
		total += name.len + value.len + 32;
	return total;
}

static void put_frame_length(struct out *out, size_t length)
{
	put_byte(out, (uint32_t)(length >> 16));
	put_byte(out, (uint32_t)(length >> 8 & 255));
	put_byte(out, (uint32_t)(length & 255));
}

static uint32_t prefix(const struct http2_place *place)
{
	if (place->type != FRAME_HEADERS)
		return 0;
	return (place->flags & FLAG_PADDED ? 1 : 0) + (place->flags & FLAG_PRIORITY ? 5 : 0);
}

int http2_edit(const struct http2_place *place, struct bytes lines, char *room, size_t size,
	       struct protocol_edit edit[PROTOCOL_EDITS])
{
	size_t ours = http2_encode(lines, NULL, 0);
	bool fits = ours <= place->frame_max && place->length <= place->frame_max - ours;
	uint32_t behind = fits ? place->pad : 0; /* bytes of the frame behind the place of insertion */
	ptrdiff_t last = place->start + HTTP2_HEADER + (ptrdiff_t)place->length - (ptrdiff_t)behind - 1;
	struct out out = {room, size, 0};

	/* An empty fragment has no last byte to change places with. */
	if (ours == 0 || ours > place->frame_max || place->length <= prefix(place) + place->pad)
		return 0;
	if (fits)
		put_frame_length(&out, place->length + ours);
	else
		put_byte(&out, place->flags & ~FLAG_END_HEADERS);
	size_t head = out.len;
	/* In an earlier feed: then it stands in the room already. */
	if (last >= 0 && (size_t)last < place->in.len)
		put_byte(&out, (uint8_t)place->in.ptr[last]);
	else
		out.len++;
	if (!fits) {
		put_frame_length(&out, ours);
		put_byte(&out, FRAME_CONTINUATION);
		put_byte(&out, FLAG_END_HEADERS);
		for (int shift = 24; shift >= 0; shift -= 8)
			put_byte(&out, place->stream >> shift & 255);
	}
	if (out.len > size || ours > size - out.len)
		return 0;
	size_t total = out.len + http2_encode(lines, room + out.len, size - out.len);
	edit[0] = (struct protocol_edit){place->start + (fits ? 0 : 4), true, {room, head}};
	edit[1] = (struct protocol_edit){last, false, {room + head, total - head - 1}};
	edit[2] = (struct protocol_edit){last, true, {room + total - 1, 1}};
	return 3;
}

/* --- a value in place of one that is there
 * -----------------------------------------------------------------------
 *
 * Of a field that is a literal without indexing, so that again no table changes: RFC 7541, 6.2.2 and 6.2.3.
 * What was Huffman-coded is written without that, which is longer: the first bytes are put in, the others
 * replace what was there, in parts that are short enough to be remembered when the kernel takes half of one.
 */

#define REPLACED_MOST 24 /* see conn->over */

/* Past an integer with a prefix of so many bits; `to` when it does not end. */
static size_t past_integer(struct bytes block, size_t at, size_t to, unsigned bits)
{
	unsigned mask = (1u << bits) - 1;
	if (at >= to)
		return to;
	if (((uint8_t)block.ptr[at++] & mask) != mask)
		return at;
	while (at < to && (uint8_t)block.ptr[at] & 0x80)
		at++;
	return at < to ? at + 1 : to;
}

/* Past a string with its length; past `to` when it does not end before. */
static size_t past_string(struct bytes block, size_t at, size_t to)
{
	size_t text = past_integer(block, at, to, 7), len = at < to ? (uint8_t)block.ptr[at] & 127 : 0;
	if (len == 127) {
		unsigned shift = 0;
		for (size_t i = at + 1; i < text && shift < 28; i++, shift += 7)
			len += (size_t)((uint8_t)block.ptr[i] & 127) << shift;
	}
	return len <= to - text ? text + len : to + 1;
}

struct http2_value http2_find_value(struct bytes block, size_t from, size_t to)
{
	struct http2_value none = {0};

	while (from < to && ((uint8_t)block.ptr[from] & 0xe0) == 0x20) /* the table's size */
		from = past_integer(block, from, to, 5);
	if (from >= to || (uint8_t)block.ptr[from] & 0xe0)
		return none;
	bool named = (uint8_t)block.ptr[from] & 0x0f;
	from = past_integer(block, from, to, 4);
	if (!named)
		from = past_string(block, from, to);
	if (from >= to || past_string(block, from, to) != to)
		return none;
	return (struct http2_value){(uint32_t)from, (uint32_t)(to - from), (uint8_t)block.ptr[from] & 0x80};
}

uint64_t http2_pack_value(const struct http2_value *value)
{
	return (uint64_t)value->len << 32 | (uint64_t)value->at << 1 | value->huffman;
}

static struct http2_value unpack(uint64_t framed)
{
	return (struct http2_value){(uint32_t)framed >> 1, (uint32_t)(framed >> 32), framed & 1};
}

int http2_rewrite_value(const struct http2_place *place, const struct protocol_rewrite *what, char *room,
			size_t size, struct protocol_edit edit[PROTOCOL_EDITS])
{
	struct http2_value old = unpack(what->framed);
	ptrdiff_t at = place->start + HTTP2_HEADER + (ptrdiff_t)prefix(place) + old.at;
	struct out out = {room, size, 0};
	int count = 0;

	/* Of a block in several frames nobody knows any more where they were cut. A value that is empty may
	 * stand at the very end, where there is nothing to write. */
	if (what->len == 0 || !what->framed || place->type != FRAME_HEADERS ||
	    !(place->flags & FLAG_END_HEADERS))
		return 0;
	put_length(&out, what->value.len);
	put(&out, what->value, false);
	if (out.len > size || out.len < old.len)
		return 0;
	size_t more = out.len - old.len;
	if (!old.huffman) {
		size_t in = out.len - what->value.len + what->at;
		if (more || what->len > REPLACED_MOST)
			return 0;
		edit[0] = (struct protocol_edit){at + (ptrdiff_t)in, true, {room + in, what->len}};
		return 1;
	}
	if (place->length + more > place->frame_max || old.len > 3 * REPLACED_MOST)
		return 0;
	size_t head = out.len;
	put_frame_length(&out, place->length + more);
	if (out.len > size)
		return 0;
	if (more) {
		edit[count++] = (struct protocol_edit){place->start, true, {room + head, 3}};
		edit[count++] = (struct protocol_edit){at, false, {room, more}};
	}
	for (size_t from = more; from < head; from += REPLACED_MOST) {
		size_t len = head - from < REPLACED_MOST ? head - from : REPLACED_MOST;
		edit[count++] =
			(struct protocol_edit){at + (ptrdiff_t)(from - more), true, {room + from, len}};
	}
	return count;
}
