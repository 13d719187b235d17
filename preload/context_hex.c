/* context_hex.c - digits and ids. */
#include "preload/context.h"
#include "preload/context_internal.h"

void hex_encode(char *out, const uint8_t *bytes, size_t count)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < count; i++) {
		out[2 * i] = digits[bytes[i] >> 4];
		out[2 * i + 1] = digits[bytes[i] & 15];
	}
}

/* Value of a lower-case digit plus one; 0: none. */
static const uint8_t digit_values[256] = {
	['0'] = 1, ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
	['8'] = 9, ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
};

static bool decode_each(uint8_t *out, const char *digits, size_t count)
{
	unsigned bad = 0;

	for (size_t i = 0; i < count; i++) {
		/* 0 - 1 has all its high bits set. */
		unsigned high = digit_values[(unsigned char)digits[2 * i]] - 1u;
		unsigned low = digit_values[(unsigned char)digits[2 * i + 1]] - 1u;
		bad |= high | low;
		out[i] = (uint8_t)(high << 4 | (low & 15));
	}
	return bad < 16;
}

#if defined(__SSE2__)
#include <emmintrin.h>

/* Sixteen digits at once. */
static inline bool decode_eight(uint8_t *out, const char *digits)
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
static inline bool decode_eight(uint8_t *out, const char *digits)
{
	return decode_each(out, digits, 8);
}
#endif

bool hex_decode(uint8_t *out, const char *digits, size_t count)
{
	bool good = true;

	for (; count >= 8; count -= 8, out += 8, digits += 16)
		good &= decode_eight(out, digits);
	return decode_each(out, digits, count) && good;
}

int hex_byte(const char digits[2])
{
	uint8_t byte;
	return decode_each(&byte, digits, 1) ? byte : -1;
}

static inline bool any_bit(const uint8_t *id, size_t size)
{
	uint64_t words[2] = {0, 0};

	memcpy(words, id, size);
	return (words[0] | words[1]) != 0;
}

bool trace_id_decode(struct bytes digits, uint8_t out[16])
{
	if (digits.len == 32)
		return decode_eight(out, digits.ptr) & decode_eight(out + 8, digits.ptr + 16) &
		       any_bit(out, 16);
	memset(out, 0, 8);
	return digits.len == 16 && decode_eight(out + 8, digits.ptr) && any_bit(out + 8, 8);
}

bool span_id_decode(struct bytes digits, uint8_t out[8])
{
	return digits.len == 16 && decode_eight(out, digits.ptr) && any_bit(out, 8);
}
