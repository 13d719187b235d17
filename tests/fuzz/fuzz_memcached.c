/* fuzz_memcached.c - see tests/support/db_replay.h. A write's end ends a call, so that the pieces count: only that nothing
 * is read that is not there, that a replay answers the same, and of first bytes that no HTTP is taken for it. */
#include "tests/support/db_replay.h"

extern const struct protocol protocol_memcached;
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1 || size > 4000)
		return 0;
	char *room = malloc(size); /* nothing behind it */
	memcpy(room, data, size);
	if ((protocol_memcached.begins)(HALF_REQUESTS, (struct bytes){room, size}) && (data[0] < 'a' || data[0] > 'v') &&
	    data[0] != 0x80)
		abort();
	free(room);
	char *first = db_fuzz_play(&protocol_memcached, data + 1, size - 1, true, data[0] + 1u);
	char *again = db_fuzz_play(&protocol_memcached, data + 1, size - 1, true, data[0] + 1u);
	if (strcmp(first, again) != 0)
		abort();
	free(first);
	free(again);
	return 0;
}
