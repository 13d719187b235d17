/* check.c - `tagalong check`: the report; see check.h. */
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <fcntl.h>
#include <unistd.h>

#include "exporter/cli/check.h"
#include "exporter/cli/cli.h"
#include "exporter/cli/run.h"
#include "exporter/cli/text.h"

/* Libraries worth a word. */
static const struct {
	const char *prefix;
	char mark;
	const char *what;
} known[] = {
	{"libssl.so", '+', "TLS: what is inside it is seen (OpenSSL)"},
	{"libgnutls.so", '+', "TLS: what is inside it is seen (GnuTLS)"},
	{"libmbedtls.so", '-', "TLS: what it sends is seen as opaque bytes; mbed TLS is not followed yet"},
	{"libwolfssl.so", '-', "TLS: what it sends is seen as opaque bytes; wolfSSL is not followed yet"},
	{"libssl3.so", '-', "TLS: what it sends is seen as opaque bytes; NSS is not followed yet"},
	{"libs2n.so", '-', "TLS: what it sends is seen as opaque bytes; s2n is not followed yet"},
	{"libjli.so", '-',
	 "Java: its own TLS (JSSE) is seen as opaque bytes; what goes in the clear is followed"},
	{"libcurl-nss.so", '-',
	 "HTTP/1 and HTTP/2 are seen in the clear; what it speaks TLS with, NSS, is not followed yet"},
	{"libcurl", '+', "HTTP/1 and HTTP/2 are seen, inside TLS where its TLS library is"},
	{"libnghttp2.so", '+', "HTTP/2 is seen"},
	{"libnghttp3.so", '-', "HTTP/3: not yet"},
	{"libgrpc", '?',
	 "gRPC: its calls are seen, inside TLS where it uses the system's library and not a copy of its own"},
	{"libpq.so", '+', "PostgreSQL: its statements are seen"},
	{"libmysqlclient.so", '+', "MySQL: its statements are seen"},
	{"libmariadb.so", '+', "MariaDB, MySQL: its statements are seen"},
	{"libsqlite3.so", '+', "SQLite: its statements are seen"},
	{"libodbc.so", '+', "ODBC: its statements are seen, whatever the driver"},
	{"libhiredis.so", '+', "Redis: its commands are seen"},
	{"libmemcached.so", '+', "memcached: its commands are seen"},
	{"libmongoc", '-', "MongoDB: not yet"},
	{"librdkafka.so", '-', "Kafka: not yet"},
	{"liburing.so", '?',
	 "io_uring: sockets used through it are seen as far as README.md says; no header goes out that way"},
};

/* "+": will be seen, "-": will not, "?": it depends. */
static void line(char mark, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void line(char mark, const char *format, ...)
{
	va_list args;

	printf("  %c ", mark);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

/* A runtime that does not bear our standing in front of it, unless somebody has put it there already. */
static const char *sanitizer(const struct check_facts *facts)
{
	const char *preload = getenv("LD_PRELOAD");
	if (preload && strstr(preload, "libasan"))
		return NULL;
	for (size_t i = 0; i < facts->needed_count; i++)
		if (!strncmp(facts->needed[i], "libasan.so", 10))
			return facts->needed[i];
	return NULL;
}

/* Why it cannot be traced at all; NULL: it can. `text` may be used for the answer. */
static const char *obstacle(const struct check_target *target, const struct check_facts *facts, char *text,
			    size_t cap)
{
	const char *base = strrchr(facts->interpreter, '/');

	switch (facts->shape) {
	case SHAPE_FOREIGN:
		return "neither an ELF program nor a script";
	case SHAPE_OTHER_MACHINE:
		snprintf(text, cap, "a %d-bit program for %s; the library is for %s", facts->bits,
			 elf_machine_name(facts->machine), elf_machine_name(elf_own_machine()));
		return text;
	case SHAPE_NO_PROGRAM:
		return "an ELF file, but no program";
	case SHAPE_STATIC:
	case SHAPE_STATIC_PIE:
		snprintf(text, cap, "%s%s: no loader runs that could put the library in front of it",
			 facts->go ? "a Go program, " : "",
			 facts->shape == SHAPE_STATIC ? "statically linked"
						      : "statically linked (static-pie)");
		return text;
	case SHAPE_LIBRARY:
		return "a shared library; check the program that loads it";
	default:
		break;
	}
	if (facts->go)
		return "a Go program: its runtime makes system calls itself, past libc";
	if (!strncmp(base ? base + 1 : facts->interpreter, "ld-musl", 7))
		return "built for musl; the library needs glibc";
	const char *runtime = sanitizer(facts);
	if (runtime) {
		snprintf(text, cap,
			 "built with AddressSanitizer, which refuses to start behind another library; "
			 "LD_PRELOAD=\"%s libtagalong.so\" puts it in front",
			 runtime);
		return text;
	}
	if (target->privileged) {
		snprintf(text, cap, "%s: the loader ignores LD_PRELOAD", target->privilege);
		return text;
	}
	return NULL;
}

static void report_libraries(const struct check_facts *facts)
{
	for (size_t i = 0; i < facts->needed_count; i++) {
		const char *name = facts->needed[i];
		for (size_t k = 0; k < sizeof(known) / sizeof(known[0]); k++)
			if (!strncmp(name, known[k].prefix, strlen(known[k].prefix))) {
				line(known[k].mark, "%s: %s", name, known[k].what);
				break;
			}
	}
}

static bool needs_tls(const struct check_facts *facts)
{
	for (size_t i = 0; i < facts->needed_count; i++)
		if (strstr(facts->needed[i], "ssl") || strstr(facts->needed[i], "crypto") ||
		    strstr(facts->needed[i], "tls"))
			return true;
	return false;
}

static bool needs_libc(const struct check_facts *facts)
{
	for (size_t i = 0; i < facts->needed_count; i++)
		if (!strncmp(facts->needed[i], "libc.so", 7))
			return true;
	return false;
}

static void report_libc(const struct check_facts *facts)
{
	if (!facts->needed_count)
		line('-', "needs no library, not even libc: whatever it does goes past the library");
	else if (!needs_libc(facts))
		line('?', "does not need libc itself; what its libraries do through libc is seen");
	else if (facts->imported_hooked)
		line('+',
		     "libc: known protocols over its sockets are seen (%zu functions that it calls are "
		     "followed)",
		     facts->imported_hooked);
	else
		line('+', "libc: known protocols over its sockets are seen, and over those of its libraries");
}

static void report_details(const struct check_facts *facts)
{
	report_libc(facts);
	report_libraries(facts);
	if (facts->tls[0] && (facts->links_ssl_itself || !needs_tls(facts)))
		line('-', "TLS linked in (%s): what it sends encrypted is not seen", facts->tls);
	if (facts->links_sqlite_itself)
		line('-', "SQLite linked in (it defines sqlite3_step): its statements are not seen");
	if (facts->own_hooked)
		line('-', "defines %s%s itself: calls to these are not seen", facts->own_names,
		     facts->own_hooked > 6 ? ", ..." : "");
	if (facts->symbolic)
		line('?', "linked -Bsymbolic: calls to functions of its own are not seen");
	if (facts->raw_calls)
		line('?',
		     "may make raw system calls, which are not seen: %llu place%s in %llu KiB of code (some "
		     "may be data)",
		     (unsigned long long)facts->raw_calls, facts->raw_calls == 1 ? "" : "s",
		     (unsigned long long)(facts->code_bytes / 1024));
	if (!facts->sections)
		line('?', "has no section headers: symbols and code could not be looked at");
	if (facts->needed_more)
		line('?', "needs more libraries than were looked at");
	if (facts->damaged)
		line('?', "damaged: parts of its tables lie outside of the file");
}

/* Proxies that read many requests before they pass one on. */
static void report_proxy(const char *path)
{
	static const char *const proxies[] = {"haproxy", "squid", "varnishd"};
	const char *slash = strrchr(path, '/'), *set = getenv("TAGALONG_CORRELATE");

	for (size_t i = 0; i < sizeof(proxies) / sizeof(proxies[0]) && !(set && *set); i++)
		if (!strcmp(slash ? slash + 1 : path, proxies[i]))
			line('?',
			     "whose call is whose, with several requests at once: where it passes them on as "
			     "they are, say so by TAGALONG_CORRELATE=:request");
}

static void load_names(struct check_names *names)
{
	static struct elf elf;
	struct check_facts facts = {0};
	struct stat status;
	char *path = run_library();

	if (!path)
		return;
	memset(&elf, 0, sizeof(elf));
	elf.fd = open(path, O_RDONLY | O_CLOEXEC);
	free(path);
	if (elf.fd < 0)
		return;
	if (fstat(elf.fd, &status) == 0)
		elf.size = (uint64_t)status.st_size;
	if (elf_head(&elf, &facts) && facts.shape == SHAPE_LIBRARY)
		check_exports(&elf, names);
	close(elf.fd);
}

static void open_elf(struct elf *elf, int fd)
{
	struct stat status;

	memset(elf, 0, sizeof(*elf));
	elf->fd = fd;
	elf->size = fstat(fd, &status) == 0 ? (uint64_t)status.st_size : 0;
}

static int check_program(const char *name, const struct check_names *names)
{
	static struct check_target target;
	static struct elf elf;
	static struct check_facts facts;
	char shown[256], text[256];

	if (!check_find(&target, name)) {
		cli_complain("%s", target.problem);
		if (target.fd >= 0)
			close(target.fd);
		return CLI_USAGE;
	}
	open_elf(&elf, target.fd);
	facts = (struct check_facts){0};
	bool is_elf = elf_head(&elf, &facts);
	text_escape_string(shown, sizeof(shown), target.path);
	if (!is_elf) {
		cli_complain("%s: expected an ELF program or a script, found %s", shown,
			     elf.size ? "something else" : "an empty file");
		close(target.fd);
		return CLI_USAGE;
	}
	check_headers(&elf, &facts);
	const char *why = obstacle(&target, &facts, text, sizeof(text));
	if (!why) {
		check_symbols(&elf, &facts, names);
		check_scan(&elf, &facts);
	}
	printf("%s: %s\n", target.scripts ? target.script[0] : shown,
	       why ? "cannot be traced" : "can be traced");
	for (size_t i = 0; i < target.scripts; i++)
		line('?', "%s is a script: this is about %s, which runs it", target.script[i],
		     i + 1 < target.scripts ? target.script[i + 1] : shown);
	if (why)
		line('-', "%s", why);
	if (target.privilege[0] && !target.privileged)
		line('?', "%s: traced when you run it, but not for others", target.privilege);
	if (!why) {
		report_details(&facts);
		report_proxy(target.path);
	}
	close(target.fd);
	return why ? CLI_BAD : CLI_OK;
}

bool check_obstacle(const char *program, char *why, size_t cap, bool *refuses)
{
	static struct check_target target;
	static struct elf elf;
	struct check_facts facts = {0};
	char text[256];
	const char *reason = NULL;

	*refuses = false;
	if (check_find(&target, program)) {
		open_elf(&elf, target.fd);
		/* What is neither ELF nor script is tried as a shell script by execvp(). */
		if (elf_head(&elf, &facts)) {
			check_headers(&elf, &facts);
			reason = obstacle(&target, &facts, text, sizeof(text));
			*refuses = reason && sanitizer(&facts);
		}
	}
	if (target.fd >= 0)
		close(target.fd);
	snprintf(why, cap, "%s", reason ? reason : "");
	return reason;
}

int cli_check(int argc, char **argv)
{
	static const struct option options[] = {{"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	struct check_names names = {0};
	int option, worst = CLI_OK;

	opterr = 0;
	while ((option = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
		if (option != 'h')
			return cli_bad_option("check", argv, option);
		help_verb("check");
		return CLI_OK;
	}
	if (optind == argc) {
		cli_complain("check: no program named");
		fputs("Try 'tagalong check --help'.\n", stderr);
		return CLI_USAGE;
	}
	load_names(&names);
	for (; optind < argc; optind++) {
		int status = check_program(argv[optind], &names);
		worst = status > worst ? status : worst;
	}
	check_names_free(&names);
	return worst;
}
