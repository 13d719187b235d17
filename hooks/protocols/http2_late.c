/* http2_late.c - header blocks that the decoder is still to see, because nobody has needed its table since.
 *
 * They were read without it, are right, and use nothing of its dynamic table, but add to it. A table holds
 * the latest entries that fit it, whatever was there before: where the blocks behind the oldest one fill it
 * by themselves, the oldest one has left no trace, and is dropped. So a server that only ever adds, as nginx
 * does, costs the decoder nothing. */
#include "hooks/protocols/http2.h"

/* Before each of the blocks. */
struct late {
	uint32_t len, adds;
};

static struct late late_at(const struct http2_late *late, uint32_t at)
{
	struct late head;
	memcpy(&head, late->blocks + at, sizeof(head));
	return head;
}

bool http2_decoder_feed(nghttp2_hd_inflater *inflater, const uint8_t *block, size_t len)
{
	int flags = 0;

	while (!(flags & NGHTTP2_HD_INFLATE_FINAL)) {
		nghttp2_nv nv;
		flags = 0;
		ssize_t used = nghttp2_hd_inflate_hd2(inflater, &nv, &flags, block, len, 1);
		if (used < 0 || (used == 0 && flags == 0))
			return false;
		block += used;
		len -= (size_t)used;
	}
	nghttp2_hd_inflate_end_headers(inflater);
	return true;
}

bool http2_late_feed(struct http2_codec *codec)
{
	struct http2_late *late = &codec->late;
	uint32_t used = late->used;

	late->used = late->adds = 0;
	for (uint32_t at = 0; at < used;) {
		struct late head = late_at(late, at);
		at += sizeof(head);
		if (!http2_decoder_feed(codec->inflater, (const uint8_t *)late->blocks + at, head.len)) {
			codec->broken = true;
			return false;
		}
		at += head.len;
	}
	return true;
}

static void drop_oldest(struct http2_late *late, size_t table)
{
	uint32_t at = 0;

	while (at < late->used) {
		struct late head = late_at(late, at);
		if (late->adds - head.adds < table)
			break;
		late->adds -= head.adds;
		at += (uint32_t)sizeof(head) + head.len;
	}
	late->used -= at;
	memmove(late->blocks, late->blocks + at, late->used);
}

bool http2_late_put(struct http2_codec *codec, struct bytes block, uint32_t adds)
{
	struct http2_late *late = &codec->late;
	struct late head = {(uint32_t)block.len, adds};
	size_t table = nghttp2_hd_inflate_get_max_dynamic_table_size(codec->inflater);
	size_t need = sizeof(head) + block.len;

	if (table == 0) /* there is none */
		return true;
	codec->table++;
	if (need > sizeof(late->blocks) - late->used)
		drop_oldest(late, table);
	if (need > sizeof(late->blocks) - late->used && !http2_late_feed(codec))
		return false;
	if (need > sizeof(late->blocks))
		return http2_decoder_feed(codec->inflater, (const uint8_t *)block.ptr, block.len);
	memcpy(late->blocks + late->used, &head, sizeof(head));
	memcpy(late->blocks + late->used + sizeof(head), block.ptr, block.len);
	late->used += (uint32_t)need;
	late->adds += adds;
	return true;
}
