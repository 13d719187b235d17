/* libc_socket.c - sockets that are made, connected, accepted, shut down. */
#include <sys/socket.h>

#include "preload/activity.h"
#include "preload/conn.h"
#include "preload/hook.h"
#include "preload/readable.h"

#define SYMBOLS(WRAP, CALL) \
	WRAP(socket)        \
	WRAP(socketpair)    \
	WRAP(connect)       \
	WRAP(accept)        \
	WRAP(accept4)       \
	WRAP(shutdown)      \
	WRAP(getsockopt)

HOOK_LIBRARY(libc_socket, SYMBOLS);

int socket(int domain, int type, int protocol)
{
	int fd = REAL(socket)(domain, type, protocol);
	/* A number that was closed behind our back may still be remembered as something else. */
	if (fd >= 0 && hooks_live && fdtable_get(fd) && hook_live() && hook_same_process()) {
		int saved = hook_enter();
		conn_forget(fd);
		hook_leave(saved);
	}
	return fd;
}

int socketpair(int domain, int type, int protocol, int fds[2])
{
	int result = REAL(socketpair)(domain, type, protocol, fds);
	if (result == 0 && hook_live()) {
		int saved = hook_enter();
		if ((type & 0xf) == SOCK_STREAM) {
			conn_pair(fds[0], fds[1]);
		} else {
			activity_made_pipe(fds[0], fds[1]);
		}
		hook_leave(saved);
	}
	return result;
}

int connect(int fd, __CONST_SOCKADDR_ARG address, socklen_t len)
{
	if (!hook_live())
		return REAL(connect)(fd, address, len);
	int saved = hook_enter();
	if (readable(address.__sockaddr__, len))
		conn_connecting(fd, address.__sockaddr__, len);
	hook_leave(saved);

	int result = REAL(connect)(fd, address, len);

	saved = hook_enter();
	conn_connected(fd, result, saved);
	hook_leave(saved);
	return result;
}

static void accepted(int fd, const struct sockaddr *peer, const socklen_t *len)
{
	if (fd < 0 || !hook_live())
		return;
	int saved = hook_enter();
	conn_accepted(fd, peer && len ? peer : NULL, peer && len ? *len : 0);
	hook_leave(saved);
}

/* Waiting for a new client ends the work for the one before. */
static void about_to_accept(void)
{
	if (thread.current && hook_live()) {
		int saved = hook_enter();
		activity_wait_one(false);
		hook_leave(saved);
	}
}

int accept(int fd, __SOCKADDR_ARG peer, socklen_t *len)
{
	about_to_accept();
	int accepted_fd = REAL(accept)(fd, peer, len);
	accepted(accepted_fd, peer.__sockaddr__, len);
	return accepted_fd;
}

int accept4(int fd, __SOCKADDR_ARG peer, socklen_t *len, int flags)
{
	about_to_accept();
	int accepted_fd = REAL(accept4)(fd, peer, len, flags);
	accepted(accepted_fd, peer.__sockaddr__, len);
	return accepted_fd;
}

int shutdown(int fd, int how)
{
	int result = REAL(shutdown)(fd, how);
	if (result == 0 && hooks_live && fdtable_get(fd) && hook_live()) {
		int saved = hook_enter();
		conn_shutdown(fd, how);
		hook_leave(saved);
	}
	return result;
}

int getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	int result = REAL(getsockopt)(fd, level, name, value, len);
	if (level == SOL_SOCKET && name == SO_ERROR && result == 0 && hooks_live && fdtable_get(fd) &&
	    *len >= sizeof(int) && hook_live()) {
		int saved = hook_enter();
		conn_connect_result(fd, *(const int *)value);
		hook_leave(saved);
	}
	return result;
}
