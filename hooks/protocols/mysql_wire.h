/* mysql_wire.h - numbers of MySQL's and MariaDB's protocol. */
#ifndef TAGALONG_MYSQL_WIRE_H
#define TAGALONG_MYSQL_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#define MYSQL_PACKET_FULL 0xffffff

enum mysql_capability {
	CAPABLE_LONG_PASSWORD = 1u << 0, /* not offered: the server is MariaDB's, and more follows */
	CAPABLE_CONNECT_WITH_DB = 1u << 3,
	CAPABLE_COMPRESS = 1u << 5,
	CAPABLE_PROTOCOL_41 = 1u << 9,
	CAPABLE_SSL = 1u << 11,
	CAPABLE_SECURE_CONNECTION = 1u << 15,
	CAPABLE_LENENC_AUTH = 1u << 21,
	CAPABLE_SESSION_TRACK = 1u << 23,
	CAPABLE_DEPRECATE_EOF = 1u << 24,
	CAPABLE_OPTIONAL_METADATA = 1u << 25,
	CAPABLE_ZSTD = 1u << 26,
	CAPABLE_QUERY_ATTRIBUTES = 1u << 27,
};
#define MARIADB_CACHE_METADATA (1u << 4) /* of the second word */

#define STATUS_MORE_RESULTS 0x0008u
#define STATUS_CURSOR 0x0040u
#define STATUS_NO_BACKSLASH 0x0200u

/* What a packet of the server's is. */
enum mysql_packet {
	PACKET_PASSED, /* over */
	PACKET_GREETING,
	PACKET_OK,
	PACKET_END,
	PACKET_ERROR,
	PACKET_COUNT,
	PACKET_STATEMENT,
};

/* A number of one to nine bytes, read byte by byte; UINT32_MAX stands for larger ones. */
struct mysql_number {
	uint32_t value;
	uint8_t need, have;
	bool begun;
};

/* True: it is complete, in `value`. */
bool mysql_number(struct mysql_number *number, uint8_t byte);

#endif
