/* mysql_heap.h - what the MySQL parser keeps in a connection's arena. Never copied, never put back: what
 * stands in it tells by itself whether a byte that comes again was there already. */
#ifndef TAGALONG_MYSQL_HEAP_H
#define TAGALONG_MYSQL_HEAP_H

#include <zlib.h>

#include "hooks/protocols/db_prepared.h"
#include "hooks/protocols/mysql.h"

/* An inflater's state and its window: 7 and 32 KiB, with room for another zlib's. */
#define MYSQL_INFLATER (48 * 1024)
#define MYSQL_PIECE (8 * 1024)

struct mysql_inflater {
	uint64_t place;  /* bytes of the compressed stream that it has seen: packets, and in the packet */
	uint64_t backup; /* of the copy: ~0: none */
	uint32_t used;
	bool made;
	z_stream stream;
	_Alignas(16) char memory[MYSQL_INFLATER];
};

struct mysql_heap {
	struct mysql_inflater inflater[2];
	struct mysql_inflater before; /* the requests', as it was at the beginning of a feed */
	char piece[MYSQL_PIECE];
	_Alignas(8) char table[];
};

/* NULL: no room. */
struct mysql_heap *mysql_heap(struct mysql_run *run);
struct db_prepared *mysql_table(struct mysql_run *run);
/* See preload/protocol.h. */
bool mysql_fold(void *state, char *arena, char *to, size_t size);
bool mysql_unfold(void *state, const char *from, char *arena);

#endif
