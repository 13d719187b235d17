/* fuzz_scgi.c - see tests/support/cgi_fuzz.h. */
#include "tests/support/cgi_fuzz.h"

extern const struct protocol protocol_scgi;
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return cgi_fuzz(&protocol_scgi, data, size);
}
