/* context_hex.c - digits and ids. */
#include "preload/context.h"
#include "preload/context_digits.h"
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

bool hex_decode_each(uint8_t *out, const char *digits, size_t count)
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

bool hex_decode(uint8_t *out, const char *digits, size_t count)
{
	bool good = true;

	for (; count >= 8; count -= 8, out += 8, digits += 16)
		good &= digits_eight(out, digits);
	return hex_decode_each(out, digits, count) && good;
}

int hex_byte(const char digits[2])
{
	uint8_t byte;
	return hex_decode_each(&byte, digits, 1) ? byte : -1;
}

bool trace_id_decode(struct bytes digits, uint8_t out[16])
{
	if (digits.len == 32) {
		bool good = digits_eight(out, digits.ptr);
		good &= digits_eight(out + 8, digits.ptr + 16);
		return good && digits_any_bit(out, 16);
	}
	memset(out, 0, 8);
	return digits.len == 16 && digits_eight(out + 8, digits.ptr) && digits_any_bit(out + 8, 8);
}

bool span_id_decode(struct bytes digits, uint8_t out[8])
{
	return digits.len == 16 && digits_eight(out, digits.ptr) && digits_any_bit(out, 8);
}
