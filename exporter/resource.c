#include "exporter/resource.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "preload/config.h"
#include "preload/sys.h"

#define KEY_MAX 256

/* Attributes in order of rank: a key that is there already stays. */
struct set {
	struct buffer out;
	struct {
		char key[KEY_MAX];
	} keys[128];
	unsigned count;
};

static bool taken(const struct set *set, struct bytes key)
{
	for (unsigned i = 0; i < set->count; i++)
		if (bytes_equal(bytes_of(set->keys[i].key), key))
			return true;
	return false;
}

static void add_encoded(struct set *set, struct bytes key, const struct buffer *any)
{
	struct buffer pair = {0};
	if (key.len == 0 || key.len >= sizeof(set->keys[0].key) || set->count == 128 || taken(set, key))
		return;
	memcpy(set->keys[set->count].key, key.ptr, key.len);
	set->keys[set->count++].key[key.len] = '\0';
	buffer_field(&pair, 0x0a, key);
	buffer_field(&pair, 0x12, buffer_bytes(any));
	buffer_field(&set->out, 0x0a, buffer_bytes(&pair));
	buffer_free(&pair);
}

static void add(struct set *set, const char *key, struct bytes value)
{
	struct buffer any = {0};
	if (value.len == 0)
		return;
	buffer_field(&any, utf8_valid(value) ? 0x0a : 0x3a, value);
	add_encoded(set, bytes_of(key), &any);
	buffer_free(&any);
}

static void add_int(struct set *set, const char *key, int64_t value)
{
	struct buffer any = {0};
	buffer_byte(&any, 0x18);
	buffer_varint(&any, (uint64_t)value);
	add_encoded(set, bytes_of(key), &any);
	buffer_free(&any);
}

static size_t read_file(const char *path, char *out, size_t cap)
{
	long fd = sys_open(path, O_RDONLY, 0);
	size_t len = 0;
	long got;
	if (fd < 0)
		return 0;
	while (len + 1 < cap && (got = sys_read((int)fd, out + len, cap - 1 - len)) > 0)
		len += (size_t)got;
	sys_close((int)fd);
	out[len] = '\0';
	return len;
}

static const char *executable_path(void)
{
	static char path[1024];
	long n = sys_readlink("/proc/self/exe", path, sizeof(path) - 1);
	path[n > 0 ? n : 0] = '\0';
	return path;
}

const char *resource_executable(void)
{
	const char *path = executable_path(), *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

static void add_service(struct set *set)
{
	char name[300], uuid[40];
	uint8_t r[16];

	if (config.service_name)
		add(set, "service.name", bytes_of(config.service_name));
	for (uint32_t i = 0; i < config.resource_count; i++) {
		char key[KEY_MAX];
		struct bytes from = config.resource[i].key;
		if (from.len >= sizeof(key))
			continue;
		memcpy(key, from.ptr, from.len);
		key[from.len] = '\0';
		add(set, key, config.resource[i].value);
	}
	const char *exe = resource_executable();
	snprintf(name, sizeof(name), "unknown_service%s%.250s", exe[0] ? ":" : "", exe);
	add(set, "service.name", bytes_of(name));
	if (sys_getrandom(r, sizeof(r)) == (long)sizeof(r)) {
		r[6] = (uint8_t)((r[6] & 0x0f) | 0x40);
		r[8] = (uint8_t)((r[8] & 0x3f) | 0x80);
		snprintf(uuid, sizeof(uuid),
			 "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", r[0], r[1],
			 r[2], r[3], r[4], r[5], r[6], r[7], r[8], r[9], r[10], r[11], r[12], r[13], r[14],
			 r[15]);
		add(set, "service.instance.id", bytes_of(uuid));
	}
	add(set, "telemetry.sdk.name", BYTES("tagalong"));
	add(set, "telemetry.sdk.language", bytes_of(config.sdk_language ? config.sdk_language : "c"));
	add(set, "telemetry.sdk.version", BYTES(TAGALONG_VERSION));
	add(set, "telemetry.distro.name", BYTES("tagalong"));
	add(set, "telemetry.distro.version", BYTES(TAGALONG_VERSION));
}

/* The day of a date, counted from 1970, as text "yyyy-mm-dd". Not libc's: that takes the time zone's lock,
 * and a host that forks just then would have it held in the child for ever. */
static void date_text(char out[32], int64_t day)
{
	day += 719468; /* from 1 March of the year 0 */
	int64_t era = day / 146097, of_era = day % 146097;
	int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
	int64_t month = (5 * of_year + 2) / 153;
	int date = (int)(of_year - (153 * month + 2) / 5 + 1);
	int number = (int)(month < 10 ? month + 3 : month - 9);
	snprintf(out, 32, "%04d-%02d-%02d", (int)(year + era * 400 + (number <= 2)), number, date);
}

/* A file that is read as a whole: one at a time. What is told of it is copied. */
static char whole[65536];

static void add_creation_time(struct set *set)
{
	static char stat[2048];
	char text[104], date[32];
	long long ticks = 0, boot = 0;

	if (!read_file("/proc/self/stat", stat, sizeof(stat)) ||
	    !read_file("/proc/stat", whole, sizeof(whole)))
		return;
	const char *at = strrchr(stat, ')'); /* the name before it may hold anything */
	const char *btime = strstr(whole, "btime ");
	if (!at || !btime || sscanf(btime, "btime %lld", &boot) != 1)
		return;
	at++;
	for (int field = 3; at && field < 22; field++)
		at = strchr(at + 1, ' ');
	if (!at || sscanf(at, "%lld", &ticks) != 1)
		return;
	long hertz = sysconf(_SC_CLK_TCK);
	long long second = boot + ticks / hertz;
	date_text(date, second / 86400);
	snprintf(text, sizeof(text), "%sT%02d:%02d:%02d.%03ldZ", date, (int)(second / 3600 % 24),
		 (int)(second / 60 % 60), (int)(second % 60), (long)(ticks % hertz) * 1000 / hertz);
	add(set, "process.creation.time", bytes_of(text));
}

/* The user's name from /etc/passwd itself: the system's look-up would load libraries into the host. */
static void add_owner(struct set *set)
{
	unsigned own = (unsigned)getuid();
	if (!read_file("/etc/passwd", whole, sizeof(whole)))
		return;
	struct bytes lines = bytes_of(whole), line, field;
	while (bytes_next(&lines, '\n', &line)) {
		struct bytes rest = line, name = BYTES_NONE;
		unsigned id = ~0u;
		for (int i = 0; i < 3 && bytes_next(&rest, ':', &field); i++) {
			if (i == 0)
				name = field;
			else if (i == 2)
				id = field.len ? (unsigned)strtoul(field.ptr, NULL, 10) : ~0u;
		}
		if (id == own) {
			add(set, "process.owner", name);
			return;
		}
	}
}

static void add_process(struct set *set)
{
	static char args[4096];
	add_int(set, "process.pid", sys_getpid());
	add(set, "process.executable.name", bytes_of(resource_executable()));
	add(set, "process.executable.path", bytes_of(executable_path()));
	size_t len = read_file("/proc/self/cmdline", args, sizeof(args));
	if (len)
		add(set, "process.command", bytes_of(args));
	add_creation_time(set);
	add_owner(set);
}

static void add_host(struct set *set)
{
	static const struct {
		const char *machine, *arch;
	} names[] = {{"x86_64", "amd64"}, {"aarch64", "arm64"}, {"armv7l", "arm32"},
		     {"i686", "x86"},     {"ppc64le", "ppc64"}, {"s390x", "s390x"}};
	struct utsname uts;
	char id[80];

	if (uname(&uts) == 0) {
		add(set, "host.name", bytes_of(uts.nodename));
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
			if (strcmp(uts.machine, names[i].machine) == 0)
				add(set, "host.arch", bytes_of(names[i].arch));
		add(set, "os.build_id", bytes_of(uts.release));
	}
	size_t len = read_file("/etc/machine-id", id, sizeof(id));
	if (!len)
		len = read_file("/var/lib/dbus/machine-id", id, sizeof(id));
	add(set, "host.id", bytes_until((struct bytes){id, len}, bytes_find((struct bytes){id, len}, '\n')));
}

static struct bytes unquote(struct bytes value)
{
	value = bytes_trim(value);
	if (value.len >= 2 && (value.ptr[0] == '"' || value.ptr[0] == '\'') &&
	    value.ptr[value.len - 1] == value.ptr[0])
		return (struct bytes){value.ptr + 1, value.len - 2};
	return value;
}

static void add_os(struct set *set)
{
	static char release[8192];
	struct bytes line;

	add(set, "os.type", BYTES("linux"));
	struct bytes lines = {release, read_file("/etc/os-release", release, sizeof(release))};
	while (lines.len && bytes_next(&lines, '\n', &line)) {
		size_t equals = bytes_find(line, '=');
		struct bytes name = bytes_until(line, equals), value = unquote(bytes_from(line, equals + 1));
		if (bytes_equal(name, BYTES("NAME")))
			add(set, "os.name", value);
		else if (bytes_equal(name, BYTES("VERSION_ID")))
			add(set, "os.version", value);
		else if (bytes_equal(name, BYTES("PRETTY_NAME")))
			add(set, "os.description", value);
		else if (bytes_equal(name, BYTES("BUILD_ID")))
			add(set, "os.build_id", value);
	}
}

/* 64 hex digits that stand alone in a line of `path`, preferably behind "containers/". */
static bool container_id_in(const char *path, const char *marker, char id[65])
{
	size_t len = read_file(path, whole, sizeof(whole)), run = 0;
	const char *from = marker ? strstr(whole, marker) : whole;
	if (!len || !from)
		return false;
	for (const char *at = from;; at++) {
		if ((*at >= '0' && *at <= '9') || (*at >= 'a' && *at <= 'f')) {
			run++;
			continue;
		}
		if (run == 64) {
			memcpy(id, at - 64, 64);
			id[64] = '\0';
			return true;
		}
		if (!*at)
			return false;
		run = 0;
	}
}

static void add_container(struct set *set)
{
	char id[65];
	if (container_id_in("/proc/self/cgroup", NULL, id) ||
	    container_id_in("/proc/self/mountinfo", "/containers/", id))
		add(set, "container.id", bytes_of(id));
}

void resource_encode(struct buffer *out)
{
	static struct set set;
	memset(&set, 0, sizeof(set));
	add_service(&set);
	add_process(&set);
	add_os(&set);
	add_host(&set);
	add_container(&set);
	buffer_add(out, set.out.data, set.out.len);
	buffer_free(&set.out);
}

void resource_scope(struct buffer *out)
{
	buffer_field(out, 0x0a, BYTES(SCOPE_NAME));
	buffer_field(out, 0x12, BYTES(TAGALONG_VERSION));
}
