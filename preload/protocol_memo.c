#include "preload/protocol_memo.h"

/* Of at least one byte, and mostly of a few: two pieces from either end, which may overlap. */
static inline bool same(const char *a, const char *b, size_t len)
{
	uint64_t words[4];
	uint32_t halves[4];

	if (len > 16)
		return memcmp(a, b, len) == 0;
	if (len >= 8) {
		memcpy(&words[0], a, 8);
		memcpy(&words[1], b, 8);
		memcpy(&words[2], a + len - 8, 8);
		memcpy(&words[3], b + len - 8, 8);
		return words[0] == words[1] && words[2] == words[3];
	}
	if (len >= 4) {
		memcpy(&halves[0], a, 4);
		memcpy(&halves[1], b, 4);
		memcpy(&halves[2], a + len - 4, 4);
		memcpy(&halves[3], b + len - 4, 4);
		return halves[0] == halves[1] && halves[2] == halves[3];
	}
	return a[0] == b[0] && a[len / 2] == b[len / 2] && a[len - 1] == b[len - 1];
}

static inline bool fits(const struct protocol_memo *memo, const struct attrs *attrs)
{
	return memo->len != 0 && attrs->cap - attrs->len >= memo->len &&
	       attrs->limits->count >= memo->count && attrs->count <= attrs->limits->count - memo->count;
}

static inline void put(const struct protocol_memo *memo, struct attrs *attrs)
{
	memcpy(attrs->buf + attrs->len, memo->attrs, memo->len);
	attrs->len += memo->len;
	attrs->count += memo->count;
}

bool protocol_memo_put_same(const struct protocol_memo *memo, uint32_t serial, struct attrs *attrs)
{
	if (memo->serial != serial || !fits(memo, attrs))
		return false;
	put(memo, attrs);
	return true;
}

bool protocol_memo_put(const struct protocol_memo *memo, const struct bytes texts[MEMO_TEXTS],
		       struct attrs *attrs)
{
	const char *kept = memo->texts;

	if (!fits(memo, attrs))
		return false;
	for (int i = 0; i < MEMO_TEXTS; i++)
		if (texts[i].len != memo->text_len[i])
			return false;
	for (int i = 0; i < MEMO_TEXTS; i++) {
		if (texts[i].len && !same(texts[i].ptr, kept, texts[i].len))
			return false;
		kept += texts[i].len;
	}
	put(memo, attrs);
	return true;
}

void protocol_memo_keep(struct protocol_memo *memo, const struct bytes texts[MEMO_TEXTS],
			const struct attrs *before, const struct attrs *attrs)
{
	size_t len = attrs->len - before->len, used = 0;

	memo->len = 0;
	memo->serial = 0;
	if (attrs->dropped != before->dropped || attrs->cut != before->cut || len > sizeof(memo->attrs))
		return;
	for (int i = 0; i < MEMO_TEXTS; i++) {
		if (texts[i].len > sizeof(memo->texts) - used)
			return;
		if (texts[i].len)
			memcpy(memo->texts + used, texts[i].ptr, texts[i].len);
		memo->text_len[i] = (uint16_t)texts[i].len;
		used += texts[i].len;
	}
	memcpy(memo->attrs, attrs->buf + before->len, len);
	memo->count = (uint16_t)(attrs->count - before->count);
	memo->len = (uint16_t)len;
}
