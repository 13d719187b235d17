/* connection.h - a client's connection for a unit test: there is a socket, and nobody at its other end.
 * Included behind cmocka.h. */
#ifndef TAGALONG_CONNECTION_H
#define TAGALONG_CONNECTION_H

#include <arpa/inet.h>
#include <sys/socket.h>

#include "preload/conn.h"

/* With a reference. */
static inline struct conn *connected(int *fd, uint16_t port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	*fd = socket(AF_INET, SOCK_STREAM, 0);
	conn_connecting(*fd, (struct sockaddr *)&address, sizeof(address));
	conn_connected(*fd, 0, 0);
	struct conn *conn = conn_get(*fd);
	assert_non_null(conn);
	return conn;
}

#endif
