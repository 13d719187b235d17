/* resolve.h - the system's name look-up; forks wait for it (forks.h). */
#ifndef TAGALONG_RESOLVE_H
#define TAGALONG_RESOLVE_H

#include <netdb.h>
#include <stdint.h>

/* NULL: not found. The exporter's thread only. */
struct addrinfo *resolve_name(const char *host, uint16_t port);
void resolve_release(struct addrinfo *list);

#endif
