/* sys.h - the kernel, without going through anything we (or the host) interpose.
 *
 * Raw system calls for our own use: never a cancellation point, never a hook, never stdio. Like the kernel
 * these return -errno on failure and leave the host's errno alone. Async-signal-safe all of them. */
#ifndef TAGALONG_SYS_H
#define TAGALONG_SYS_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>

/* Any system call; arguments as for syscall(2), the result as all here. */
long sys_call(long number, ...);

long sys_read(int fd, void *buf, size_t count);
long sys_write(int fd, const void *buf, size_t count);
long sys_writev(int fd, const struct iovec *iov, int count);
long sys_open(const char *path, int flags, int mode); /* O_CLOEXEC is added */
long sys_close(int fd);
long sys_socket(int domain, int type, int protocol);
long sys_connect(int fd, const struct sockaddr *addr, socklen_t len);
long sys_send(int fd, const void *buf, size_t count, int flags);
long sys_recv(int fd, void *buf, size_t count, int flags);
long sys_poll(struct pollfd *fds, unsigned count, int timeout_ms);
long sys_fcntl(int fd, int command, long arg);
long sys_getsockopt(int fd, int level, int name, void *value, socklen_t *len);
long sys_setsockopt(int fd, int level, int name, const void *value, socklen_t len);
long sys_getsockname(int fd, struct sockaddr *addr, socklen_t *len);
long sys_getpeername(int fd, struct sockaddr *addr, socklen_t *len);
long sys_getpid(void); /* asks the kernel each time: a vfork child's answer differs from its parent's */
long sys_gettid(void);
long sys_readlink(const char *path, char *buf, size_t size);
long sys_access(const char *path, int mode);
long sys_getrandom(void *buf, size_t count);
/* Waits while *word == expected, at most until the absolute CLOCK_MONOTONIC time (NULL: for ever). */
long sys_futex_wait(_Atomic uint32_t *word, uint32_t expected, const struct timespec *deadline);
long sys_futex_wake(_Atomic uint32_t *word, int count);
/* Anonymous zeroed memory, or NULL. */
void *sys_map(size_t size);
void *sys_map_shared(size_t size); /* the same, and forked children see it too */
void sys_unmap(void *ptr, size_t size);
/* Moves fd to a high number (close-on-exec), closing the low one; returns the new one, or fd itself. */
int sys_fd_high(int fd);
bool sys_is_socket(int fd);
long sys_getcwd(char *buf, size_t size); /* bytes with the NUL */
struct stat;
long sys_fstat(int fd, struct stat *info);
long sys_thread_name(const char *name); /* of the calling thread */

#endif
