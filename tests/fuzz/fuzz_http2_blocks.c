/* fuzz_http2_blocks.c - header blocks of one connection say, and do to the table, what nghttp2's decoder alone says and does.
 *
 * Input: a byte (bit 0: responses), then pieces: a byte (bits 0-1: kind of block; bit 7: instead another size of the table, bit
 * 6: the block before once more, bit 5: the tables are compared) and a length, then the block; or a size in units of 64. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/http2_blocks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum http2_kind kinds[] = {BLOCK_OTHER, BLOCK_REQUEST, BLOCK_RESPONSE, BLOCK_TRAILERS};
	struct blocks blocks;
	char *block = NULL; /* flush against the end of what may be read */
	size_t len = 0;

	if (size < 1 || size > 4000)
		return 0;
	blocks_open(&blocks, data[0] & 1 ? HALF_RESPONSES : HALF_REQUESTS);
	for (data++, size--; size >= 2; data += 2, size -= 2) {
		uint8_t how = data[0], number = data[1];
		if (how & 0x20)
			blocks_compare_tables(&blocks);
		if (how & 0x80) {
			blocks_resize(&blocks, number * 64u);
			continue;
		}
		if (!(how & 0x40)) {
			len = number < size - 2 ? number : size - 2;
			free(block);
			block = malloc(len ? len : 1);
			memcpy(block, data + 2, len);
			data += len;
			size -= len;
		}
		if (block)
			blocks_take(&blocks, (struct bytes){block, len}, kinds[how & 3]);
	}
	blocks_compare_tables(&blocks);
	blocks_close(&blocks);
	free(block);
	return 0;
}
