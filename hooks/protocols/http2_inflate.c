/* http2_inflate.c - what a header block says: as it was said before, read here, or by nghttp2's decoder.
 *
 * The decoder is the authority on what a block means and does to the table. It is not asked where that is
 * plain without it:
 *
 * - A block that adds nothing to the dynamic table means text, and entries of the tables, which the decoder
 *   shows. After it the decoder is as it was before.
 *
 * - A block that uses nothing of the dynamic table means the same whatever that holds. What it adds the
 * decoder is told before it is asked again: http2_late.c.
 *
 * Nothing is taken of such a block that is not plainly right. The decoder has all others, from their first
 * byte, in the state that it would be in.
 *
 * The same bytes mean the same until the table is another, or always, if they use nothing of it: `table` of a
 * codec is a number that no two states of it share. */
#include "hooks/protocols/http2.h"

/* --- by the decoder --------------------------------------------------------------------------------------
 */

static void inflate_failed(struct http2_run *run, ssize_t error)
{
	run->codec->broken = true;
	if (error == NGHTTP2_ERR_NOMEM || error == NGHTTP2_ERR_BUFFER_ERROR)
		http2_opaque(run, OPAQUE_TOO_LARGE);
	else
		http2_malformed(run);
}

/* Its representation is block[from, to). */
static void keep_field(const struct http2_run *run, struct http2_record *record,
		       const struct http2_field *field, struct bytes block, size_t from, size_t to)
{
	uint64_t framed = 0;

	if (run->half->kind == BLOCK_OTHER || field->name.len == 0)
		return;
	if (run->requests && protocol_wanted(HALF_REQUESTS, field->name)) {
		struct http2_value value = http2_find_value(block, from, to);
		framed = http2_pack_value(&value);
	}
	http2_record_keep(record, run->requests, field, framed);
}

bool http2_inflate_all(struct http2_run *run, struct bytes block, struct http2_record *record)
{
	nghttp2_hd_inflater *inflater = run->codec->inflater;
	size_t at = 0, from = 0;
	uint64_t list = 0;
	int flags = 0;

	while (!(flags & NGHTTP2_HD_INFLATE_FINAL)) {
		nghttp2_nv nv;
		flags = 0;
		ssize_t used = nghttp2_hd_inflate_hd2(inflater, &nv, &flags, (const uint8_t *)block.ptr + at,
						      block.len - at, 1);
		if (used < 0 || (used == 0 && flags == 0)) {
			inflate_failed(run, used);
			return false;
		}
		at += (size_t)used;
		if (!(flags & NGHTTP2_HD_INFLATE_EMIT))
			continue;
		struct http2_field field = {
			.name = {(const char *)nv.name, nv.namelen},
			.value = {(const char *)nv.value, nv.valuelen},
		};
		list += http2_field_size(&field);
		if (list > HTTP2_LIST_MAX) {
			inflate_failed(run, NGHTTP2_ERR_BUFFER_ERROR);
			return false;
		}
		keep_field(run, record, &field, block, from, at);
		from = at;
	}
	nghttp2_hd_inflate_end_headers(inflater);
	record->list = (uint32_t)list;
	return true;
}

/* --- by us -----------------------------------------------------------------------------------------------
 */

struct reader {
	struct http2_codec *codec;
	const uint8_t *at, *end;
	char *room; /* for texts that are written out */
	size_t left;
	uint32_t adds; /* bytes, to the dynamic table */
	bool uses;     /* some of it */
};

/* With a prefix of so many bits, and two bytes more at most. */
static inline bool read_integer(struct reader *in, unsigned bits, uint32_t *value)
{
	uint32_t most = (1u << bits) - 1;

	*value = *in->at++ & most;
	if (*value != most)
		return true;
	for (unsigned shift = 0; shift < 14 && in->at < in->end; shift += 7) {
		uint8_t more = *in->at++;
		*value += (more & 127u) << shift;
		if (more < 128)
			return true;
	}
	return false;
}

static bool read_string(struct reader *in, struct bytes *text)
{
	uint32_t len;

	if (in->at == in->end)
		return false;
	bool huffman = *in->at & 0x80;
	if (!read_integer(in, 7, &len) || len > (size_t)(in->end - in->at))
		return false;
	*text = (struct bytes){(const char *)in->at, len};
	in->at += len;
	if (!huffman)
		return true;
	if (len > in->left / 2) /* a symbol has five bits at least */
		return false;
	ptrdiff_t size = http2_huffman(*text, in->room);
	if (size < 0)
		return false;
	*text = (struct bytes){in->room, (size_t)size};
	in->room += size;
	in->left -= (size_t)size;
	return true;
}

static bool read_name(struct reader *in, uint32_t index, const nghttp2_nv **entry, struct http2_field *field)
{
	if (index > HTTP2_STATIC) {
		in->uses = true;
		if (in->adds || (in->codec->late.used && !http2_late_feed(in->codec)))
			return false;
	}
	*entry = nghttp2_hd_inflate_get_table_entry(in->codec->inflater, index);
	if (!*entry)
		return false;
	field->index = index;
	field->name = (struct bytes){(const char *)(*entry)->name, (*entry)->namelen};
	return true;
}

static bool read_field(struct reader *in, struct http2_field *field)
{
	uint8_t first = *in->at;
	const nghttp2_nv *entry;
	uint32_t index;

	if (first & 0x80) {
		if (!read_integer(in, 7, &index) || !read_name(in, index, &entry, field))
			return false;
		field->value = (struct bytes){(const char *)entry->value, entry->valuelen};
		return true;
	}
	bool adds = first & 0x40;
	if ((adds && in->uses) || (first & 0xe0) == 0x20) /* the latter is another size of the table */
		return false;
	in->room = in->codec->scratch;
	in->left = sizeof(in->codec->scratch);
	if (!read_integer(in, adds ? 6 : 4, &index))
		return false;
	if (index == 0) {
		field->index = 0;
		if (!read_string(in, &field->name))
			return false;
	} else if (!read_name(in, index, &entry, field)) {
		return false;
	}
	if (!read_string(in, &field->value))
		return false;
	if (adds)
		in->adds += (uint32_t)http2_field_size(field);
	return !adds || !in->uses; /* its own name's, perhaps */
}

static bool read_block(struct http2_run *run, struct reader *in, struct bytes block,
		       struct http2_record *record)
{
	uint64_t list = 0;
	struct http2_field field;

	while (in->at < in->end) {
		size_t from = (size_t)((const char *)in->at - block.ptr);
		if (!read_field(in, &field))
			return false;
		list += http2_field_size(&field);
		if (list > HTTP2_LIST_MAX)
			return false;
		keep_field(run, record, &field, block, from, (size_t)((const char *)in->at - block.ptr));
	}
	record->list = (uint32_t)list;
	return true;
}

/* --- as before -------------------------------------------------------------------------------------------
 */

static struct http2_same *same_place(struct http2_codec *codec, struct bytes block)
{
	return &codec->same[block.len % HTTP2_SAMES];
}

static bool as_before(const struct http2_codec *codec, struct bytes block, struct http2_record *record)
{
	const struct http2_same *same = &codec->same[block.len % HTTP2_SAMES];
	uint32_t number = record->number;

	if (same->len != block.len || block.len == 0 || (same->uses && same->table != codec->table) ||
	    memcmp(same->block, block.ptr, block.len) != 0)
		return false;
	memcpy(record, same->record, same->size);
	record->number = number;
	return true;
}

static void remember(const struct reader *in, struct bytes block, const struct http2_record *record)
{
	struct http2_same *same = same_place(in->codec, block);

	if (block.len > sizeof(same->block) || record->size > sizeof(same->record))
		return;
	same->len = (uint8_t)block.len;
	same->uses = in->uses;
	same->adds = in->adds;
	same->table = in->codec->table;
	same->size = record->size;
	memcpy(same->block, block.ptr, block.len);
	memcpy(same->record, record, record->size);
}

/* Without the decoder; false: that cannot be. */
static bool read_plain(struct http2_run *run, struct bytes block, struct http2_record *record, uint32_t *adds)
{
	struct http2_codec *codec = run->codec;
	bool tells = run->half->kind != BLOCK_OTHER;
	struct reader in = {
		.codec = codec,
		.at = (const uint8_t *)block.ptr,
		.end = (const uint8_t *)block.ptr + block.len,
	};

	if (codec->resized) /* the block must begin with the new size */
		return false;
	if (tells && as_before(codec, block, record)) {
		*adds = same_place(codec, block)->adds;
		return true;
	}
	if (!read_block(run, &in, block, record))
		return false;
	if (tells)
		remember(&in, block, record);
	*adds = in.adds;
	return true;
}

bool http2_inflate(struct http2_run *run, struct bytes block, struct http2_record *record)
{
	struct http2_codec *codec = run->codec;
	uint32_t number = record->number, adds = 0;

	if (!block.len)
		block.ptr = "";
	if (read_plain(run, block, record, &adds)) {
		if (!adds || http2_late_put(codec, block, adds))
			return true;
		inflate_failed(run, NGHTTP2_ERR_NOMEM);
		return false;
	}
	if (codec->broken || !http2_late_feed(codec)) {
		inflate_failed(run, NGHTTP2_ERR_NOMEM);
		return false;
	}
	http2_record_init(record, number);
	codec->table++;
	codec->resized = false;
	return http2_inflate_all(run, block, record);
}
