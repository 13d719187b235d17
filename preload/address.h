/* address.h - socket addresses as text. No allocation, no libc formatting in the common case. */
#ifndef TAGALONG_ADDRESS_H
#define TAGALONG_ADDRESS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* Numeric address without port or zone, or the path of a unix socket ("" if unnamed; '@' + name if abstract);
 * a v4-mapped v6 address is written as v4. Cut to fit; always NUL-terminated. Returns its length. */
size_t address_text(const struct sockaddr *address, socklen_t len, char *out, size_t cap);
uint16_t address_port(const struct sockaddr *address, socklen_t len); /* 0: none */

#endif
