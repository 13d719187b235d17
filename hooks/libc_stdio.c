/* libc_stdio.c - stdio on a socket goes to the kernel inside libc, past us.
 *
 * What is seen: that it happens (the connection becomes opaque: no spans, no edits, its lineage is kept),
 * that the stream is closed, and dprintf, whose text is written through our write. What is not: the bytes of
 * fprintf, fread and so on. */
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "hooks/nested.h"
#include "hooks/popen.h"
#include "preload/conn.h"

int __dprintf_chk(int fd, int flag, const char *format, ...);
int __vdprintf_chk(int fd, int flag, const char *format, va_list arguments);
int __vsnprintf_chk(char *out, size_t most, int flag, size_t room, const char *format, va_list arguments);

#define SYMBOLS(WRAP, CALL) \
	WRAP(fdopen)        \
	WRAP(fclose)        \
	WRAP(freopen)       \
	WRAP(freopen64)     \
	WRAP(dprintf)       \
	WRAP(vdprintf)      \
	WRAP(__dprintf_chk) \
	WRAP(__vdprintf_chk)

HOOK_LIBRARY(libc_stdio, SYMBOLS);

/* A connection, not a pipe or an event descriptor. */
static bool tracked(int fd)
{
	uintptr_t entry = fdtable_get(fd);
	return entry && !(entry & FD_PLAIN);
}

static void bypassed(int fd)
{
	if (!hook_live_nested() || !tracked(fd))
		return;
	struct nested nested = nested_enter();
	conn_bypassed(fd);
	nested_leave(nested);
}

static void closing(FILE *stream)
{
	if (!hook_live_nested() || !stream)
		return;
	int saved = errno;
	int fd = fileno(stream);
	errno = saved;
	if (fd < 0 || !fdtable_get(fd) || !hook_same_process())
		return;
	struct nested nested = nested_enter();
	conn_closing(fd);
	nested_leave(nested);
}

FILE *fdopen(int fd, const char *mode)
{
	FILE *stream = REAL(fdopen)(fd, mode);
	if (stream && hooks_live)
		bypassed(fd);
	return stream;
}

int fclose(FILE *stream)
{
	int status;
	if (hooks_live) {
		if (popen_close(stream, &status))
			return status;
		closing(stream);
	}
	return REAL(fclose)(stream);
}

/* Whether it succeeds or not, the old descriptor is closed. */
FILE *freopen(const char *path, const char *mode, FILE *stream)
{
	if (hooks_live)
		closing(stream);
	return REAL(freopen)(path, mode, stream);
}

FILE *freopen64(const char *path, const char *mode, FILE *stream)
{
	if (hooks_live)
		closing(stream);
	return REAL(freopen64)(path, mode, stream);
}

/* --- dprintf ----------------------------------------------------------------------------------------- */

#define TEXT_MOST 4096

/* Small text for a connection goes through our own write, as vdprintf would: all of it, or -1. True: done.
 * The checked forms abort on %n in writable memory, here (flag) as there. */
static bool print_tracked(int fd, int flag, const char *format, va_list arguments, int *result)
{
	char text[TEXT_MOST];
	va_list copy;

	va_copy(copy, arguments);
	int length = __vsnprintf_chk(text, sizeof(text), flag, sizeof(text), format, copy);
	va_end(copy);
	if (length < 0 || (size_t)length >= sizeof(text)) {
		bypassed(fd);
		return false;
	}
	*result = length;
	for (int done = 0; done < length;) {
		ssize_t sent = write(fd, text + done, (size_t)(length - done));
		if (sent < 0) {
			*result = -1;
			break;
		}
		done += (int)sent;
	}
	return true;
}

static bool prints_here(int fd)
{
	return hooks_live && tracked(fd) && hook_live();
}

int vdprintf(int fd, const char *format, va_list arguments)
{
	int result;
	if (prints_here(fd) && print_tracked(fd, 0, format, arguments, &result))
		return result;
	return REAL(vdprintf)(fd, format, arguments);
}

int dprintf(int fd, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	int result = vdprintf(fd, format, arguments);
	va_end(arguments);
	return result;
}

int __vdprintf_chk(int fd, int flag, const char *format, va_list arguments)
{
	int result;
	if (prints_here(fd) && print_tracked(fd, flag, format, arguments, &result))
		return result;
	return REAL(__vdprintf_chk)(fd, flag, format, arguments);
}

int __dprintf_chk(int fd, int flag, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	int result = __vdprintf_chk(fd, flag, format, arguments);
	va_end(arguments);
	return result;
}
