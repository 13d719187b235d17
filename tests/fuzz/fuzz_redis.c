/* fuzz_redis.c - see tests/support/db_replay.h. A write's end ends a call, so that the pieces count: only that nothing is
 * read that is not there, and that a replay answers the same. */
#include "tests/support/db_replay.h"

extern const struct protocol protocol_redis;
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1 || size > 4000)
		return 0;
	char *first = db_fuzz_play(&protocol_redis, data + 1, size - 1, true, data[0] + 1u);
	char *again = db_fuzz_play(&protocol_redis, data + 1, size - 1, true, data[0] + 1u);
	if (strcmp(first, again) != 0)
		abort();
	free(first);
	free(again);
	return 0;
}
