/* http2_huffman.c - the Huffman code of RFC 7541, appendix B, as far as text is made of it.
 *
 * The code is canonical: in order of their codes the symbols are in order of length, then of number. So two
 * tables that are filled in that order take every code of up to 15 bits: all of printable ASCII but the
 * backslash. What is longer is left to who knows all of them. */
#include "hooks/protocols/http2.h"

/* A row: the symbol, and below it how many bits its code has; 0: a longer one. */
#define ROW(symbol, bits) ((symbol) << 4 | (bits))
#define ROW_BITS(row) ((row)&15u)
#define ROW_SYMBOL(row) ((char)((row) >> 4))

#define TIMES2(row) row, row
#define TIMES4(row) TIMES2(row), TIMES2(row)
#define TIMES8(row) TIMES4(row), TIMES4(row)
#define TIMES16(row) TIMES8(row), TIMES8(row)
#define TIMES32(row) TIMES16(row), TIMES16(row)
#define BITS5(c) TIMES8(ROW(c, 5))
#define BITS6(c) TIMES4(ROW(c, 6))
#define BITS7(c) TIMES2(ROW(c, 7))
#define BITS8(c) ROW(c, 8)
#define BITS10(c) TIMES32(ROW(c, 10))
#define BITS11(c) TIMES16(ROW(c, 11))
#define BITS12(c) TIMES8(ROW(c, 12))
#define BITS13(c) TIMES4(ROW(c, 13))
#define BITS14(c) TIMES2(ROW(c, 14))
#define BITS15(c) ROW(c, 15)

/* By the next 8 bits. */
static const uint16_t table[256] = {
	BITS5('0'), BITS5('1'), BITS5('2'), BITS5('a'), BITS5('c'), BITS5('e'), BITS5('i'), BITS5('o'),
	BITS5('s'), BITS5('t'), BITS6(' '), BITS6('%'), BITS6('-'), BITS6('.'), BITS6('/'), BITS6('3'),
	BITS6('4'), BITS6('5'), BITS6('6'), BITS6('7'), BITS6('8'), BITS6('9'), BITS6('='), BITS6('A'),
	BITS6('_'), BITS6('b'), BITS6('d'), BITS6('f'), BITS6('g'), BITS6('h'), BITS6('l'), BITS6('m'),
	BITS6('n'), BITS6('p'), BITS6('r'), BITS6('u'), BITS7(':'), BITS7('B'), BITS7('C'), BITS7('D'),
	BITS7('E'), BITS7('F'), BITS7('G'), BITS7('H'), BITS7('I'), BITS7('J'), BITS7('K'), BITS7('L'),
	BITS7('M'), BITS7('N'), BITS7('O'), BITS7('P'), BITS7('Q'), BITS7('R'), BITS7('S'), BITS7('T'),
	BITS7('U'), BITS7('V'), BITS7('W'), BITS7('Y'), BITS7('j'), BITS7('k'), BITS7('q'), BITS7('v'),
	BITS7('w'), BITS7('x'), BITS7('y'), BITS7('z'), BITS8('&'), BITS8('*'), BITS8(','), BITS8(';'),
	BITS8('X'), BITS8('Z'), ROW(0, 0),  ROW(0, 0),
};

/* By the 8 bits that follow seven ones. */
static const uint16_t behind_ones[256] = {
	BITS10('!'), BITS10('"'), BITS10('('), BITS10(')'), BITS10('?'),  BITS11('\''),
	BITS11('+'), BITS11('|'), BITS12('#'), BITS12('>'), BITS13('\0'), BITS13('$'),
	BITS13('@'), BITS13('['), BITS13(']'), BITS13('~'), BITS14('^'),  BITS14('}'),
	BITS15('<'), BITS15('`'), BITS15('{'), ROW(0, 0),
};

/* `have` bits to come stand at the top of `word`; below them are zeroes, or what comes then. */
struct stream {
	uint64_t word;
	unsigned have;
	const uint8_t *at, *end;
};

static inline void refill(struct stream *in)
{
	if (in->end - in->at >= 8) {
		uint64_t next;
		memcpy(&next, in->at, sizeof(next));
		in->word |= __builtin_bswap64(next) >> in->have;
		in->at += (63 - in->have) >> 3;
		in->have |= 56;
		return;
	}
	while (in->have <= 56 && in->at < in->end) {
		in->word |= (uint64_t)*in->at++ << (56 - in->have);
		in->have += 8;
	}
}

ptrdiff_t http2_huffman(struct bytes code, char *out)
{
	struct stream in = {.at = (const uint8_t *)code.ptr, .end = (const uint8_t *)code.ptr + code.len};
	char *to = out;

	for (;;) {
		if (in.have < 15)
			refill(&in);
		unsigned row = table[in.word >> 56];
		if (!row)
			row = behind_ones[in.word >> 49 & 255];
		unsigned bits = ROW_BITS(row);
		if (!bits || bits > in.have)
			break;
		*to++ = ROW_SYMBOL(row);
		in.word <<= bits;
		in.have -= bits;
	}
	/* What fills the last byte are ones, and fewer than eight. */
	bool ends = in.at == in.end && in.have < 8 && (in.word | ~UINT64_C(0) >> in.have) == ~UINT64_C(0);
	return ends ? to - out : -1;
}
