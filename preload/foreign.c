#include "preload/foreign.h"

#include <gnu/libc-version.h>
#include <stdarg.h>
#include <stdio.h>

#pragma weak gnu_get_libc_version

extern void *__dso_handle __attribute__((visibility("hidden")));
int __register_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void), void *object)
	__attribute__((weak, visibility("default")));
int __cxa_at_quick_exit(void (*handler)(void *), void *object) __attribute__((weak, visibility("default")));

bool foreign_libc(void)
{
	return gnu_get_libc_version == NULL;
}

void foreign_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void))
{
	if (__register_atfork)
		__register_atfork(prepare, parent, child, __dso_handle);
}

void foreign_at_quick_exit(void (*handler)(void *))
{
	if (__cxa_at_quick_exit)
		__cxa_at_quick_exit(handler, __dso_handle);
}

/* The static libraries that we link were built with _FORTIFY_SOURCE, and ask for this one. */
int __vsnprintf_chk(char *text, size_t size, int flag, size_t room, const char *format, va_list arguments);
int __vsnprintf_chk(char *text, size_t size, int flag, size_t room, const char *format, va_list arguments)
{
	(void)flag;
	return vsnprintf(text, size < room ? size : room, format, arguments);
}
