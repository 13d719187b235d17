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

/* NUL, CR, LF. */
static inline unsigned scan_is_control(scan_word word)
{
	__m128i cr = _mm_cmpeq_epi8(word, _mm_set1_epi8('\r')),
		lf = _mm_cmpeq_epi8(word, _mm_set1_epi8('\n'));
	__m128i nul = _mm_cmpeq_epi8(word, _mm_setzero_si128());
	return (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(cr, lf), nul));
}

/* A control, a space, DEL. */
static inline unsigned scan_ends_target(scan_word word)
{
	__m128i low = _mm_cmpeq_epi8(_mm_min_epu8(word, _mm_set1_epi8(' ')), word);
	__m128i del = _mm_cmpeq_epi8(word, _mm_set1_epi8(0x7f));
	return (unsigned)_mm_movemask_epi8(_mm_or_si128(low, del));
}

/* None of letters, digits and the dash: what nearly every name is made of. */
static inline unsigned scan_is_unusual(scan_word word)
{
	__m128i low = _mm_or_si128(word, _mm_set1_epi8(0x20));
	__m128i letter = _mm_and_si128(_mm_cmpgt_epi8(low, _mm_set1_epi8('a' - 1)),
				       _mm_cmplt_epi8(low, _mm_set1_epi8('z' + 1)));
	__m128i digit = _mm_and_si128(_mm_cmpgt_epi8(word, _mm_set1_epi8('0' - 1)),
				      _mm_cmplt_epi8(word, _mm_set1_epi8('9' + 1)));
	__m128i dash = _mm_cmpeq_epi8(word, _mm_set1_epi8('-'));
	return (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(letter, digit), dash)) ^ 0xffffu;
}

/* The last piece is read once more from the end backwards, its known part shifted out. */
#define SCAN(in, at, hits)                                                                             \
	do {                                                                                           \
		while ((in).len - (at) >= 16) {                                                        \
			unsigned mask_ = hits(scan_load((in).ptr + (at)));                             \
			if (mask_)                                                                     \
				return (at) + (size_t)__builtin_ctz(mask_);                            \
			(at) += 16;                                                                    \
		}                                                                                      \
		if ((in).len >= 16 && (at) < (in).len) {                                               \
			unsigned mask_ =                                                               \
				hits(scan_load((in).ptr + (in).len - 16)) >> (16 - ((in).len - (at))); \
			return mask_ ? (at) + (size_t)__builtin_ctz(mask_) : (in).len;                 \
		}                                                                                      \
	} while (0)
#else
#define SCAN(in, at, hits) (void)0
#endif

/* The first NUL, CR or LF at or behind `at`, or in.len. */
static inline size_t scan_control(struct bytes in, size_t at)
{
	SCAN(in, at, scan_is_control);
	while (at < in.len && in.ptr[at] != '\r' && in.ptr[at] != '\n' && in.ptr[at] != '\0')
		at++;
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

static inline size_t scan_usual(struct bytes in, size_t at)
{
	SCAN(in, at, scan_is_unusual);
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
