#include "preload/log.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "preload/sys.h"

#define LINE_MAX_BYTES 1024
#define PATH_BYTES 4096

static enum log_level threshold = LOG_WARN;
static char log_path[PATH_BYTES]; /* "": stderr */

struct writer {
	char *out;
	size_t cap, len; /* cap counts the NUL; len may not reach it */
	bool cut;
};

static void put_char(struct writer *writer, char c)
{
	if (writer->len + 1 < writer->cap)
		writer->out[writer->len++] = c;
	else
		writer->cut = true;
}

static void put_text(struct writer *writer, const char *text, size_t max)
{
	if (!text)
		text = "(null)";
	for (size_t i = 0; i < max && text[i]; i++)
		put_char(writer, text[i]);
}

static void put_number(struct writer *writer, uint64_t value, unsigned base, bool negative)
{
	char digits[24];
	size_t count = 0;

	do {
		digits[count++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	if (negative)
		put_char(writer, '-');
	while (count)
		put_char(writer, digits[--count]);
}

enum width { WIDTH_INT, WIDTH_LONG, WIDTH_LONG_LONG, WIDTH_SIZE };

static enum width take_width(const char **at)
{
	if (**at == 'z') {
		++*at;
		return WIDTH_SIZE;
	}
	if (**at != 'l')
		return WIDTH_INT;
	++*at;
	if (**at != 'l')
		return WIDTH_LONG;
	++*at;
	return WIDTH_LONG_LONG;
}

/* va_list is an array type on some machines: only a pointer to a struct that holds it can be passed on. */
struct arguments {
	va_list list;
};

static uint64_t take_unsigned(struct arguments *args, enum width width)
{
	switch (width) {
	case WIDTH_LONG:
		return va_arg(args->list, unsigned long);
	case WIDTH_LONG_LONG:
		return va_arg(args->list, unsigned long long);
	case WIDTH_SIZE:
		return va_arg(args->list, size_t);
	default:
		return va_arg(args->list, unsigned);
	}
}

static int64_t take_signed(struct arguments *args, enum width width)
{
	switch (width) {
	case WIDTH_LONG:
		return va_arg(args->list, long);
	case WIDTH_LONG_LONG:
		return va_arg(args->list, long long);
	case WIDTH_SIZE:
		return va_arg(args->list, ssize_t);
	default:
		return va_arg(args->list, int);
	}
}

/* `at` stands behind the percent sign. Returns where the text goes on, or NULL: not a conversion of ours. */
static const char *put_conversion(struct writer *writer, const char *at, struct arguments *args)
{
	if (at[0] == '.' && at[1] == '*' && at[2] == 's') {
		int max = va_arg(args->list, int);
		const char *text = va_arg(args->list, const char *);
		put_text(writer, text, max < 0 ? SIZE_MAX : (size_t)max);
		return at + 3;
	}
	enum width width = take_width(&at);
	int64_t number;

	switch (*at) {
	case 'd':
		number = take_signed(args, width);
		put_number(writer, number < 0 ? 0 - (uint64_t)number : (uint64_t)number, 10, number < 0);
		return at + 1;
	case 'u':
		put_number(writer, take_unsigned(args, width), 10, false);
		return at + 1;
	case 'x':
		put_number(writer, take_unsigned(args, width), 16, false);
		return at + 1;
	case 'p':
		put_text(writer, "0x", 2);
		put_number(writer, (uintptr_t)va_arg(args->list, void *), 16, false);
		return at + 1;
	case 's':
		put_text(writer, va_arg(args->list, const char *), SIZE_MAX);
		return at + 1;
	case 'c':
		put_char(writer, (char)va_arg(args->list, int));
		return at + 1;
	case '%':
		put_char(writer, '%');
		return at + 1;
	default:
		return NULL;
	}
}

static void put_format(struct writer *writer, const char *format, struct arguments *args)
{
	while (*format) {
		if (*format != '%') {
			put_char(writer, *format++);
			continue;
		}
		const char *next = put_conversion(writer, format + 1, args);
		if (!next) {
			/* What comes after an argument of unknown size cannot be read. */
			put_text(writer, format, SIZE_MAX);
			return;
		}
		format = next;
	}
}

int log_format(char *out, unsigned long cap, const char *format, ...)
{
	struct writer writer = {out, cap, 0, false};
	struct arguments args;

	if (!cap)
		return 0;
	va_start(args.list, format);
	put_format(&writer, format, &args);
	va_end(args.list);
	out[writer.len] = '\0';
	return (int)writer.len;
}

void log_configure(enum log_level level, const char *path)
{
	size_t len = path ? strlen(path) : 0;
	size_t base = 0;

	threshold = level;
	log_path[0] = '\0';
	if (!len)
		return;
	/* The program may change its directory; the file stays where the user meant it. */
	if (path[0] != '/') {
		if (!getcwd(log_path, sizeof(log_path)))
			log_path[0] = '\0';
		base = strlen(log_path);
	}
	if (base + len + 2 > sizeof(log_path)) {
		log_path[0] = '\0';
		return;
	}
	if (base)
		log_path[base++] = '/';
	memcpy(log_path + base, path, len + 1);
}

bool log_enabled(enum log_level level)
{
	return level <= threshold && level != LOG_NONE;
}

/* A socket on fd 2 is a conversation of the host's (inetd): not ours to speak in. */
static void write_stderr(const char *line, size_t len)
{
	if (!sys_is_socket(2))
		sys_write(2, line, len);
}

static void write_line(const char *line, size_t len)
{
	if (!log_path[0]) {
		write_stderr(line, len);
		return;
	}
	/* Opened each time: no descriptor to be closed, inherited or counted by the host. */
	long fd = sys_open(log_path, O_WRONLY | O_APPEND | O_CREAT | O_NOCTTY | O_NONBLOCK, 0644);
	if (fd < 0) {
		static const char gone[] = "tagalong: the log file cannot be opened; what it would say:\n";
		static _Atomic bool said;
		if (!atomic_exchange(&said, true))
			write_stderr(gone, sizeof(gone) - 1);
		write_stderr(line, len);
		return;
	}
	sys_write((int)fd, line, len);
	sys_close((int)fd);
}

void log_vwrite(enum log_level level, const char *domain, const char *format, va_list list)
{
	static const char *const names[] = {"none", "error", "warn", "info", "debug", "trace"};
	char line[LINE_MAX_BYTES];
	struct arguments args;

	if (!log_enabled(level))
		return;
	/* One byte is kept for the newline. */
	struct writer writer = {line, sizeof(line) - 1, 0, false};
	writer.len = (size_t)log_format(line, sizeof(line) - 1, "tagalong[%ld] %s %s: ", sys_getpid(),
					names[level], domain);
	va_copy(args.list, list);
	put_format(&writer, format, &args);
	va_end(args.list);
	if (writer.cut)
		memcpy(line + writer.len - 3, "...", 3);
	/* Values come from outside: none of them may forge a line or speak to the terminal. */
	for (size_t i = 0; i < writer.len; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
	line[writer.len++] = '\n';
	write_line(line, writer.len);
}

void log_write(enum log_level level, const char *domain, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	log_vwrite(level, domain, format, list);
	va_end(list);
}
