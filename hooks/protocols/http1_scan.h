/* http1_scan.h - the inner loops of reading a head: 16 bytes at a time where the machine can.
 *
 * Each answers with an offset of [at, in.len]; none reads outside `in`. Inline, because a head is many short
 * pieces. */
#ifndef TAGALONG_HTTP1_SCAN_H
#define TAGALONG_HTTP1_SCAN_H

#include "preload/bytes.h"

#include <stdint.h>

extern const uint8_t http1_token[256]; /* RFC 9110 5.6.2 */

#if defined(__SSE2__)
#include <emmintrin.h>

typedef __m128i scan_word;

static inline scan_word scan_load(const char *at)
{
	return _mm_loadu_si128((const __m128i *)(const void *)at);
}

/* CR and all that is below it. */
static inline unsigned scan_is_low(scan_word word)
{
	return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_min_epu8(word, _mm_set1_epi8('\r')), word));
}

/* A control, a space, DEL. */
static inline unsigned scan_ends_target(scan_word word)
{
	__m128i low = _mm_cmpeq_epi8(_mm_min_epu8(word, _mm_set1_epi8(' ')), word);
	__m128i del = _mm_cmpeq_epi8(word, _mm_set1_epi8(0x7f));
	return (unsigned)_mm_movemask_epi8(_mm_or_si128(low, del));
}

/* What ends a key, a value or a query. */
static inline unsigned scan_ends_query(scan_word word)
{
	__m128i hash = _mm_cmpeq_epi8(word, _mm_set1_epi8('#'));
	__m128i and = _mm_cmpeq_epi8(word, _mm_set1_epi8('&'));
	__m128i equals = _mm_cmpeq_epi8(word, _mm_set1_epi8('='));
	return (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(hash, and), equals));
}

/* Neither a letter nor the dash: nearly every name is made of these. */
static inline unsigned scan_is_unusual(scan_word word)
{
	__m128i letter = _mm_sub_epi8(_mm_or_si128(word, _mm_set1_epi8(0x20)), _mm_set1_epi8('a'));
	letter = _mm_cmpeq_epi8(_mm_min_epu8(letter, _mm_set1_epi8('z' - 'a')), letter);
	__m128i dash = _mm_cmpeq_epi8(word, _mm_set1_epi8('-'));
	return (unsigned)_mm_movemask_epi8(_mm_or_si128(letter, dash)) ^ 0xffffu;
}

static inline size_t scan_first(unsigned mask)
{
	return (unsigned)__builtin_ctz(mask);
}

/* The last piece is read once more from the end backwards, its known part shifted out. */
#define SCAN(in, at, hits)                                                                             \
	do {                                                                                           \
		for (; (at) + 16 <= (in).len; (at) += 16) {                                            \
			unsigned mask_ = hits(scan_load((in).ptr + (at)));                             \
			if (mask_)                                                                     \
				return (at) + scan_first(mask_);                                       \
		}                                                                                      \
		if ((in).len >= 16 && (at) < (in).len) {                                               \
			unsigned mask_ =                                                               \
				hits(scan_load((in).ptr + (in).len - 16)) >> (16 - ((in).len - (at))); \
			return mask_ ? (at) + scan_first(mask_) : (in).len;                            \
		}                                                                                      \
	} while (0)
#else
#define SCAN(in, at, hits) (void)0
#endif

static inline size_t scan_low(struct bytes in, size_t at)
{
	SCAN(in, at, scan_is_low);
	while (at < in.len && (uint8_t)in.ptr[at] > '\r')
		at++;
	return at;
}

/* The first NUL, CR or LF at or behind `at`, or in.len. */
static inline size_t scan_control(struct bytes in, size_t at)
{
	at = scan_low(in, at);
	while (at < in.len && in.ptr[at] != '\r' && in.ptr[at] != '\n' && in.ptr[at] != '\0')
		at = scan_low(in, at + 1); /* a TAB, nearly always */
	return at;
}

/* The first byte that cannot be in a request target, or in.len. */
static inline size_t scan_target(struct bytes in, size_t at)
{
	SCAN(in, at, scan_ends_target);
	while (at < in.len && (uint8_t)in.ptr[at] > ' ' && in.ptr[at] != 0x7f)
		at++;
	return at;
}

/* The first '&', '=' or '#' at or behind `at`, or in.len. */
static inline size_t scan_query(struct bytes in, size_t at)
{
	SCAN(in, at, scan_ends_query);
	while (at < in.len && in.ptr[at] != '&' && in.ptr[at] != '=' && in.ptr[at] != '#')
		at++;
	return at;
}

static inline size_t scan_usual(struct bytes in, size_t at)
{
#if defined(__SSE2__)
	if (at + 16 <= in.len) { /* a name, and what follows it */
		unsigned mask = scan_is_unusual(scan_load(in.ptr + at));
		return mask ? at + scan_first(mask) : at + 16;
	}
#endif
	return at;
}

/* The first byte that cannot be in a token, or in.len. */
static inline size_t scan_token(struct bytes in, size_t at)
{
	at = scan_usual(in, at);
	while (at < in.len && http1_token[(uint8_t)in.ptr[at]])
		at++;
	return at;
}

#endif
