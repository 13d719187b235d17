/* ends.c - connections of which only one end goes through what is preloaded. */
#include "rig.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

struct raw raw;

/* [transport][0]: accepted by the peer, made raw; [1]: accepted by the host, made by its own calls. */
static int listener[2][2];
static struct sockaddr_un at_unix[2];
static struct sockaddr_in at_tcp[2];

static void die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(2);
}

static void *in_libc(const char *name)
{
	static void *libc;
	if (!libc)
		libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
	void *found = libc ? dlsym(libc, name) : NULL;
	if (!found)
		die(name);
	return found;
}

static void widen(int fd)
{
	int size = 1 << 20;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

static int listen_at(const void *address, socklen_t len, int family, bool host)
{
	int fd = host ? socket(family, SOCK_STREAM, 0) : raw.socket(family, SOCK_STREAM, 0);
	if (fd < 0)
		die("socket");
	widen(fd);
	if (bind(fd, address, len) || listen(fd, 64))
		die("listen");
	return fd;
}

void ends_init(void)
{
	raw.socket = (__typeof__(raw.socket))in_libc("socket");
	raw.accept = (__typeof__(raw.accept))in_libc("accept");
	raw.connect = (__typeof__(raw.connect))in_libc("connect");
	raw.recv = (__typeof__(raw.recv))in_libc("recv");
	raw.send = (__typeof__(raw.send))in_libc("send");
	raw.close = (__typeof__(raw.close))in_libc("close");
	for (int host = 0; host < 2; host++) {
		socklen_t len = sizeof(at_tcp[0]);
		at_unix[host].sun_family = AF_UNIX;
		snprintf(at_unix[host].sun_path + 1, 64, "tagalong-exact-%d-%d", getpid(), host);
		listener[OVER_UNIX][host] = listen_at(&at_unix[host], sizeof(at_unix[host]), AF_UNIX, host);
		at_tcp[host].sin_family = AF_INET;
		listener[OVER_TCP][host] = listen_at(&at_tcp[host], sizeof(at_tcp[host]), AF_INET, host);
		getsockname(listener[OVER_TCP][host], (struct sockaddr *)&at_tcp[host], &len);
	}
}

static const void *address(enum transport transport, bool host, socklen_t *len)
{
	static unsigned turn;
	if (transport == OVER_UNIX) {
		*len = sizeof(at_unix[host]);
		return &at_unix[host];
	}
	/* Another loopback address each time: ports in TIME_WAIT never run out. */
	turn++;
	at_tcp[host].sin_addr.s_addr = htonl(0x7f000001 + (turn % 250) + (turn / 250 % 250 << 8));
	*len = sizeof(at_tcp[host]);
	return &at_tcp[host];
}

void ends_make(enum transport transport, bool host_accepts, int *host, int *peer)
{
	struct timeval limit = {.tv_sec = 5};
	socklen_t len;

	if (transport == OVER_PAIR) {
		int fds[2];
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds))
			die("socketpair");
		*host = fds[0];
		*peer = fds[1];
	} else if (host_accepts) {
		const void *to = address(transport, true, &len);
		*peer = raw.socket(transport == OVER_UNIX ? AF_UNIX : AF_INET, SOCK_STREAM, 0);
		if (raw.connect(*peer, to, len))
			die("connect to the host");
		*host = accept(listener[transport][1], NULL, NULL);
	} else {
		const void *to = address(transport, false, &len);
		*host = socket(transport == OVER_UNIX ? AF_UNIX : AF_INET, SOCK_STREAM, 0);
		if (connect(*host, to, len))
			die("connect");
		*peer = raw.accept(listener[transport][0], NULL, NULL);
	}
	if (*host < 0 || *peer < 0)
		die("accept");
	widen(*host);
	setsockopt(*peer, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
}
