/* safety_early: another preloaded library, whose constructor and destructor use sockets; with a function that a program finds by
 * dlopen. */
#include <poll.h>

#include "net.h"

static void exchange(const char *path)
{
	char text[1000];
	int port, listener = net_listen(&port), client = net_connect(port), server = accept(listener, NULL, NULL);
	struct pollfd one = {server, POLLIN, 0};
	net_ask(client, path);
	if (poll(&one, 1, 1000) != 1 || !net_read(server, text, sizeof(text)))
		exit(95);
	net_answer(server);
	if (!net_read(client, text, sizeof(text)))
		exit(96);
	int copy = dup2(client, 200);
	close(copy);
	close(client);
	close(server);
	close(listener);
}

void exchange_from_library(void);
void exchange_from_library(void)
{
	exchange("/from-library");
}

__attribute__((constructor)) static void early(void)
{
	if (getenv("SAFETY_EARLY"))
		exchange("/early");
}

__attribute__((destructor)) static void late(void)
{
	if (getenv("SAFETY_EARLY"))
		exchange("/late");
}
