/* context_digits.h - the inner loops of reading ids: sixteen digits at once where the machine can.
 *
 * Inline, because an id is read with each request. */
#ifndef TAGALONG_CONTEXT_DIGITS_H
#define TAGALONG_CONTEXT_DIGITS_H

#include "preload/context.h"

bool hex_decode_each(uint8_t *out, const char *digits, size_t count);

#if defined(__SSE2__)
#include <emmintrin.h>

/* Eight bytes of sixteen lower-case digits. */
static inline bool digits_eight(uint8_t *out, const char *digits)
{
	__m128i text = _mm_loadu_si128((const __m128i *)(const void *)digits);
	__m128i number = _mm_and_si128(_mm_cmpgt_epi8(text, _mm_set1_epi8('0' - 1)),
				       _mm_cmplt_epi8(text, _mm_set1_epi8('9' + 1)));
	__m128i letter = _mm_and_si128(_mm_cmpgt_epi8(text, _mm_set1_epi8('a' - 1)),
				       _mm_cmplt_epi8(text, _mm_set1_epi8('f' + 1)));
	/* 'a' & 15 is 1. */
	__m128i value =
		_mm_add_epi8(_mm_and_si128(text, _mm_set1_epi8(15)), _mm_and_si128(letter, _mm_set1_epi8(9)));
	__m128i high = _mm_slli_epi16(_mm_and_si128(value, _mm_set1_epi16(0xff)), 4);
	__m128i pairs = _mm_or_si128(high, _mm_srli_epi16(value, 8));
	_mm_storel_epi64((__m128i *)(void *)out, _mm_packus_epi16(pairs, pairs));
	return _mm_movemask_epi8(_mm_or_si128(number, letter)) == 0xffff;
}
#else
static inline bool digits_eight(uint8_t *out, const char *digits)
{
	return hex_decode_each(out, digits, 8);
}
#endif

static inline bool digits_any_bit(const uint8_t *id, size_t size)
{
	uint64_t words[2] = {0, 0};

	memcpy(words, id, size);
	return (words[0] | words[1]) != 0;
}

#endif
