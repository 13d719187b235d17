/* fuzz_mysql.c - see tests/support/db_replay.h. */
#include "tests/support/db_replay.h"

extern const struct protocol protocol_mysql;
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return db_fuzz(&protocol_mysql, data, size, true);
}
