/* libc_name.c - name look-ups, remembered for the connect that follows them. */
#include <netdb.h>
#include <string.h>

#include "hooks/nested.h"
#include "preload/clock.h"
#include "preload/names.h"

#define SYMBOLS(WRAP, CALL)   \
	WRAP(getaddrinfo)     \
	WRAP(gethostbyname)   \
	WRAP(gethostbyname2)  \
	WRAP(gethostbyname_r) \
	WRAP(gethostbyname2_r)

HOOK_LIBRARY(libc_name, SYMBOLS);

#define ADDRESSES_MOST 32

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
	struct name_times times = {.from = clock_now()};
	int result = REAL(getaddrinfo)(node, service, hints, found);
	if (result != 0 || !node || !hook_live_nested())
		return result;
	struct nested nested = nested_enter();
	int count = 0;
	times.until = clock_now();
	for (const struct addrinfo *at = *found; at && count < ADDRESSES_MOST; at = at->ai_next, count++)
		if (at->ai_addr)
			name_looked_up(at->ai_addr, node, &times);
	nested_leave(nested);
	return result;
}

static void found_host(const struct hostent *host, const char *name)
{
	if (!host || !name || !hook_live_nested())
		return;
	struct nested nested = nested_enter();
	for (int i = 0; i < ADDRESSES_MOST && host->h_addr_list && host->h_addr_list[i]; i++)
		name_remember_raw(host->h_addrtype, host->h_addr_list[i], name);
	nested_leave(nested);
}

struct hostent *gethostbyname(const char *name)
{
	struct hostent *host = REAL(gethostbyname)(name);
	found_host(host, name);
	return host;
}

struct hostent *gethostbyname2(const char *name, int family)
{
	struct hostent *host = REAL(gethostbyname2)(name, family);
	found_host(host, name);
	return host;
}

int gethostbyname_r(const char *name, struct hostent *room, char *buf, size_t size, struct hostent **found,
		    int *error)
{
	int result = REAL(gethostbyname_r)(name, room, buf, size, found, error);
	if (result == 0)
		found_host(*found, name);
	return result;
}

int gethostbyname2_r(const char *name, int family, struct hostent *room, char *buf, size_t size,
		     struct hostent **found, int *error)
{
	int result = REAL(gethostbyname2_r)(name, family, room, buf, size, found, error);
	if (result == 0)
		found_host(*found, name);
	return result;
}
