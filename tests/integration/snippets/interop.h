/* interop.h - a checksum of a field that both ends of interop_*.c agree on. */
#ifndef SNIPPET_INTEROP_H
#define SNIPPET_INTEROP_H

#include <stddef.h>
#include <stdint.h>

static inline uint64_t interop_hash(const char *name, size_t name_len, const char *value, size_t value_len)
{
	uint64_t hash = 0xcbf29ce484222325u;
	for (size_t i = 0; i < name_len; i++)
		hash = (hash ^ (unsigned char)name[i]) * 0x100000001b3u;
	hash = (hash ^ 0xff) * 0x100000001b3u;
	for (size_t i = 0; i < value_len; i++)
		hash = (hash ^ (unsigned char)value[i]) * 0x100000001b3u;
	return hash;
}

#endif
