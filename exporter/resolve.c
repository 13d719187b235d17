#include "exporter/resolve.h"

#include <stdio.h>

#include "exporter/forks.h"
#include "preload/hook.h"

/* Its public function is one of ours: the one behind it is asked. */
struct addrinfo *resolve_name(const char *host, uint16_t port)
{
	static void *resolve;
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
	char service[8];

	if (!resolve && !hook_resolve(&resolve, "getaddrinfo"))
		return NULL;
	snprintf(service, sizeof(service), "%u", port);
	forks_hold();
	int result = ((__typeof__(&getaddrinfo))resolve)(host, service, &hints, &list);
	forks_release();
	return result == 0 ? list : NULL;
}

void resolve_release(struct addrinfo *list)
{
	static void *release;
	if (list && (release || hook_resolve(&release, "freeaddrinfo")))
		((__typeof__(&freeaddrinfo))release)(list);
}
