#include "preload/sys.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
__attribute__((no_sanitize("address"))) static long enter_kernel(long number, const long a[6])
{
	register long d __asm__("r10") = a[3];
	register long e __asm__("r8") = a[4];
	register long f __asm__("r9") = a[5];
	long result;
	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "0"(number), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(d), "r"(e), "r"(f)
			 : "rcx", "r11", "memory");
	return result;
}
#elif defined(__aarch64__)
__attribute__((no_sanitize("address"))) static long enter_kernel(long number, const long a[6])
{
	register long which __asm__("x8") = number;
	register long x0 __asm__("x0") = a[0];
	register long x1 __asm__("x1") = a[1];
	register long x2 __asm__("x2") = a[2];
	register long x3 __asm__("x3") = a[3];
	register long x4 __asm__("x4") = a[4];
	register long x5 __asm__("x5") = a[5];
	__asm__ volatile("svc 0"
			 : "+r"(x0)
			 : "r"(which), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory", "cc");
	return x0;
}
#else
#error "system calls for this architecture are not written yet"
#endif

/* libc's syscall() is one that we interpose, for the host's sake. */
/* Takes six arguments, however many there are: the rest is whatever lies there, and the kernel looks at none
 * of it. */
__attribute__((no_sanitize("address"))) long sys_call(long number, ...)
{
	long argument[6];
	va_list arguments;
	va_start(arguments, number);
	for (int i = 0; i < 6; i++)
		argument[i] = va_arg(arguments, long);
	va_end(arguments);
	return enter_kernel(number, argument);
}

#define CALL(...) return sys_call(__VA_ARGS__)

long sys_read(int fd, void *buf, size_t count)
{
	CALL(SYS_read, fd, buf, count);
}

long sys_write(int fd, const void *buf, size_t count)
{
	CALL(SYS_write, fd, buf, count);
}

long sys_writev(int fd, const struct iovec *iov, int count)
{
	CALL(SYS_writev, fd, iov, count);
}

long sys_open(const char *path, int flags, int mode)
{
	CALL(SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC, mode);
}

long sys_close(int fd)
{
	CALL(SYS_close, fd);
}

long sys_socket(int domain, int type, int protocol)
{
	CALL(SYS_socket, domain, type, protocol);
}

long sys_connect(int fd, const struct sockaddr *addr, socklen_t len)
{
	CALL(SYS_connect, fd, addr, len);
}

long sys_send(int fd, const void *buf, size_t count, int flags)
{
	CALL(SYS_sendto, fd, buf, count, flags, NULL, 0);
}

long sys_recv(int fd, void *buf, size_t count, int flags)
{
	CALL(SYS_recvfrom, fd, buf, count, flags, NULL, NULL);
}

long sys_poll(struct pollfd *fds, unsigned count, int timeout_ms)
{
	struct timespec timeout = {timeout_ms / 1000, (long)(timeout_ms % 1000) * 1000000};
	CALL(SYS_ppoll, fds, count, timeout_ms < 0 ? NULL : &timeout, NULL, 8);
}

long sys_fcntl(int fd, int command, long arg)
{
	CALL(SYS_fcntl, fd, command, arg);
}

long sys_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	CALL(SYS_getsockopt, fd, level, name, value, len);
}

long sys_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	CALL(SYS_setsockopt, fd, level, name, value, len);
}

long sys_getsockname(int fd, struct sockaddr *addr, socklen_t *len)
{
	CALL(SYS_getsockname, fd, addr, len);
}

long sys_getpeername(int fd, struct sockaddr *addr, socklen_t *len)
{
	CALL(SYS_getpeername, fd, addr, len);
}

long sys_getpid(void)
{
	CALL(SYS_getpid);
}

long sys_gettid(void)
{
	CALL(SYS_gettid);
}

long sys_readlink(const char *path, char *buf, size_t size)
{
	CALL(SYS_readlinkat, AT_FDCWD, path, buf, size);
}

long sys_access(const char *path, int mode)
{
	CALL(SYS_faccessat, AT_FDCWD, path, mode);
}

long sys_getrandom(void *buf, size_t count)
{
	CALL(SYS_getrandom, buf, count, 0);
}

long sys_futex_wait(_Atomic uint32_t *word, uint32_t expected, const struct timespec *deadline)
{
	CALL(SYS_futex, word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, expected, deadline, NULL,
	     FUTEX_BITSET_MATCH_ANY);
}

long sys_futex_wake(_Atomic uint32_t *word, int count)
{
	CALL(SYS_futex, word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, count, NULL, NULL, 0);
}

void *sys_map(size_t size)
{
	long at = sys_call(SYS_mmap, NULL, size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1L, 0L);
	if (at < 0 && at > -4096)
		return NULL;
	/* Our maps are large and hardly used: a huge page would make one slot cost two megabytes. */
	(void)sys_call(SYS_madvise, at, size, (long)MADV_NOHUGEPAGE);
	return (void *)at; /* NOLINT(performance-no-int-to-ptr) */
}

void *sys_map_shared(size_t size)
{
	long at = sys_call(SYS_mmap, NULL, size, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1L, 0L);
	return at < 0 && at > -4096 ? NULL : (void *)at; /* NOLINT(performance-no-int-to-ptr) */
}

void sys_unmap(void *ptr, size_t size)
{
	(void)sys_call(SYS_munmap, ptr, size);
}

int sys_fd_high(int fd)
{
	struct rlimit limit;
	long most = 1024;
	if (fd < 0)
		return fd;
	if (sys_call(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit) == 0)
		most = limit.rlim_cur > 1048576 ? 1048576 : (long)limit.rlim_cur;
	/* Below the soft limit by a little, so that a program that raises its limit and counts up does not
	 * meet it early; where that is full, the highest free number further down. */
	for (long from = most - 16; from > 32; from = from / 2) {
		long high = sys_fcntl(fd, F_DUPFD_CLOEXEC, from);
		if (high >= 0) {
			sys_close(fd);
			return (int)high;
		}
	}
	return fd;
}

bool sys_is_socket(int fd)
{
	int type;
	socklen_t size = sizeof(type);
	return sys_getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0;
}

long sys_fstat(int fd, struct stat *info)
{
	CALL(SYS_fstat, fd, info);
}

long sys_thread_name(const char *name)
{
	CALL(SYS_prctl, PR_SET_NAME, name);
}

long sys_getcwd(char *buf, size_t size)
{
	CALL(SYS_getcwd, buf, size);
}
