#include "preload/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

#include "preload/bytes.h"

static size_t put_v4(const uint8_t *octets, char *out)
{
	char *at = out;
	for (int i = 0; i < 4; i++) {
		unsigned value = octets[i];
		if (i)
			*at++ = '.';
		if (value >= 100)
			*at++ = (char)('0' + value / 100);
		if (value >= 10)
			*at++ = (char)('0' + value / 10 % 10);
		*at++ = (char)('0' + value % 10);
	}
	*at = '\0';
	return (size_t)(at - out);
}

static size_t put_unix(const struct sockaddr_un *un, socklen_t len, char *out, size_t cap)
{
	size_t path = len > offsetof(struct sockaddr_un, sun_path)
			      ? len - offsetof(struct sockaddr_un, sun_path)
			      : 0;
	size_t n = 0;
	if (path > sizeof(un->sun_path))
		path = sizeof(un->sun_path);
	if (path && un->sun_path[0] == '\0')
		out[n++] = '@';
	for (size_t i = n; i < path && n + 1 < cap && un->sun_path[i]; i++)
		out[n++] = un->sun_path[i];
	out[n] = '\0';
	return n;
}

size_t address_text(const struct sockaddr *address, socklen_t len, char *out, size_t cap)
{
	out[0] = '\0';
	if (len < sizeof(sa_family_t) || cap < INET6_ADDRSTRLEN)
		return 0;
	if (address->sa_family == AF_INET && len >= sizeof(struct sockaddr_in))
		return put_v4((const uint8_t *)&((const struct sockaddr_in *)(const void *)address)->sin_addr,
			      out);
	if (address->sa_family == AF_INET6 && len >= sizeof(struct sockaddr_in6)) {
		const struct in6_addr *in6 = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
		if (IN6_IS_ADDR_V4MAPPED(in6))
			return put_v4(in6->s6_addr + 12, out);
		return inet_ntop(AF_INET6, in6, out, (socklen_t)cap) ? strlen(out) : 0;
	}
	if (address->sa_family == AF_UNIX)
		return put_unix((const struct sockaddr_un *)(const void *)address, len, out, cap);
	return 0;
}

uint16_t address_port(const struct sockaddr *address, socklen_t len)
{
	if (len >= sizeof(struct sockaddr_in) && address->sa_family == AF_INET)
		return ntohs(((const struct sockaddr_in *)(const void *)address)->sin_port);
	if (len >= sizeof(struct sockaddr_in6) && address->sa_family == AF_INET6)
		return ntohs(((const struct sockaddr_in6 *)(const void *)address)->sin6_port);
	return 0;
}
