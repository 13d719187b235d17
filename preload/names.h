/* names.h - which name led to this address? What the host's own look-ups answered lately, so that a connect
 * to the address has a `server.address` that people know.
 *
 * A small table per process, lock-free; a look-up that collides with another one at the very moment is not
 * remembered. Two names of one address: the later look-up counts. Any thread, any context. */
#ifndef TAGALONG_NAMES_H
#define TAGALONG_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define NAME_MOST 127

/* When a look-up began and ended (monotonic ns). */
struct name_times {
	uint64_t from, until;
};

/* Remembers; a name that is an address itself, empty or too long is none. */
void name_remember(const struct sockaddr *address, const char *name);
void name_looked_up(const struct sockaddr *address, const char *name, const struct name_times *times);
/* The same for a bare address of `family` (AF_INET: 4 bytes, AF_INET6: 16). */
void name_remember_raw(int family, const void *address, const char *name);

/* The name of the address (its port does not matter), NUL-terminated. False: not known. */
bool name_of(const struct sockaddr *address, char *out, size_t cap);
/* And when that was looked up; zeroes: not known. */
struct name_times name_times(const struct sockaddr *address);

#endif
