/* sql_scan.h - what a byte can be the beginning of, and where a word ends: 16 bytes at a time where the
 * machine can. Nothing is read outside [at, end). */
#ifndef TAGALONG_SQL_SCAN_H
#define TAGALONG_SQL_SCAN_H

#include "preload/bytes.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

enum sql_class {
	CLASS_OTHER,
	CLASS_LETTER,
	CLASS_DIGIT,
	CLASS_BLANK,
	CLASS_QUOTE, /* any that opens something */
	CLASS_SIGN,
	CLASS_DOT,
	CLASS_GROUP,   /* ( ) , ; */
	CLASS_SPECIAL, /* depends on the dialect, or on what follows */
};
#define CLASS_IN_WORD 16 /* letters, digits, $, _, everything beyond ASCII */
extern const uint8_t sql_class[256];

static inline bool sql_in_word(char c)
{
	return sql_class[(uint8_t)c] & CLASS_IN_WORD;
}

#if defined(__SSE2__)
/* A bit for each of 16 bytes that is not of [0-9A-Za-z_] or beyond ASCII. */
static inline unsigned sql_word_ends(const char *at)
{
	__m128i word = _mm_loadu_si128((const __m128i *)(const void *)at);
	__m128i letter =
		_mm_sub_epi8(_mm_or_si128(word, _mm_set1_epi8(0x20)), _mm_set1_epi8('a')); /* 0 to 25 */
	__m128i digit = _mm_sub_epi8(word, _mm_set1_epi8('0'));
	letter = _mm_cmpeq_epi8(_mm_min_epu8(letter, _mm_set1_epi8(25)), letter);
	digit = _mm_cmpeq_epi8(_mm_min_epu8(digit, _mm_set1_epi8(9)), digit);
	__m128i in = _mm_or_si128(_mm_or_si128(letter, digit), _mm_cmpeq_epi8(word, _mm_set1_epi8('_')));
	return (unsigned)_mm_movemask_epi8(_mm_or_si128(in, word)) ^ 0xffffu;
}

/* Up to the first byte that may end a word: $ is left to the caller. */
static inline const char *sql_word_rest(const char *at, const char *end)
{
	while (end - at >= 16) {
		unsigned ends = sql_word_ends(at);
		if (ends)
			return at + __builtin_ctz(ends);
		at += 16;
	}
	while (at < end && sql_in_word(*at))
		at++;
	return at;
}
#else
static inline const char *sql_word_rest(const char *at, const char *end)
{
	while (at < end && sql_in_word(*at))
		at++;
	return at;
}
#endif

#endif
