/* log.h - our own log: silent by default but for warnings about wrong configuration.
 *
 * Uses no stdio and no allocation: formats into a stack buffer and writes it with one write(2) of our own
 * (sys.h). Safe on any thread, in signal handlers and in a vfork child; keeps errno. Goes to
 * TAGALONG_LOG, or to fd 2 unless that is a socket. Lines: "tagalong[pid] warn config: text\n". */
#ifndef TAGALONG_LOG_H
#define TAGALONG_LOG_H

#include <stdarg.h>
#include <stdbool.h>

enum log_level { LOG_NONE, LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG, LOG_TRACE };

void log_configure(enum log_level level, const char *path); /* path NULL: stderr */
bool log_enabled(enum log_level level);

/* `domain` is the file's topic ("config", "export"). Understands the printf subset %s %d %u %ld %lu %zu
 * %lld %llu %x %p %c %% and %.*s; anything else is printed as it stands. */
void log_write(enum log_level level, const char *domain, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void log_vwrite(enum log_level level, const char *domain, const char *format, va_list args);

/* The same formatter, for messages that go elsewhere. Always NUL-terminates; returns bytes written. */
int log_format(char *out, unsigned long cap, const char *format, ...) __attribute__((format(printf, 3, 4)));

#define log_error(domain, ...) log_write(LOG_ERROR, domain, __VA_ARGS__)
#define log_warn(domain, ...) log_write(LOG_WARN, domain, __VA_ARGS__)
#define log_info(domain, ...) log_write(LOG_INFO, domain, __VA_ARGS__)
/* Arguments are not evaluated when the level is off. */
#define log_debug(domain, ...)                                     \
	do {                                                       \
		if (log_enabled(LOG_DEBUG))                        \
			log_write(LOG_DEBUG, domain, __VA_ARGS__); \
	} while (0)

#endif
