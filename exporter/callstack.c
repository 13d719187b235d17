/* callstack.c - frames, their names, and the attributes made of them; see callstack.h. */
#include "exporter/callstack.h"

#include <fcntl.h>
#include <string.h>

#include "exporter/forks.h"
#include "exporter/modules.h"
#include "exporter/ownfds.h"
#include "exporter/symbols.h"
#include "exporter/unwinder.h"
#include "preload/attrs.h"
#include "preload/config.h"
#include "preload/counters.h"
#include "preload/log.h"
#include "preload/sys.h"

#define DEPTH 64    /* frames that are told */
#define OWN 16      /* of ours beneath them */
#define INVOLVED 32 /* objects that they are in */
#define PATH_SIZE 512
#define TEXT_SIZE 8192

struct involved { /* an object that frames are in, as far as it must be known when it may be gone */
	uintptr_t base;
	uint64_t identity;
	char path[PATH_SIZE]; /* "": the program */
	bool own;
};

/* One stack under work. */
static struct {
	const struct stack_sample *sample;
	const char *stack;
	struct frame frame[DEPTH + OWN];
	uint8_t object[DEPTH + OWN];      /* of each frame: in involved[]; INVOLVED: in none */
	struct known *known[DEPTH + OWN]; /* NULL: no place for its name */
	size_t frames;
	struct involved involved[INVOLVED];
	size_t objects;
} work;

/* --- names that were found before ------------------------------------------------------------------------
 */

#define KNOWN 512
#define PROBES 8

struct known {
	uint64_t ip, start; /* start: of the function, in memory */
	uint32_t used;      /* by which stack last: it may have a frame there */
	char name[SYMBOLS_NAME];
};
static struct known *known; /* KNOWN of them, mapped with the first stack: few programs have any */
static unsigned long long known_unloaded; /* objects were unloaded: an address may be another's now */
static uint32_t stacks;

/* Its place; or one for it, of which the ip is not this one yet. NULL: all are taken by this stack. */
static struct known *known_place(uint64_t ip)
{
	struct known *spare = NULL;
	for (unsigned i = 0; i < PROBES; i++) {
		struct known *place = &known[((ip * 0x9e3779b97f4a7c15u >> 40) + i) % KNOWN];
		if (place->ip == ip) {
			place->used = stacks;
			return place;
		}
		if (!spare && place->used != stacks)
			spare = place;
	}
	return spare;
}

/* --- under the loader's lock -----------------------------------------------------------------------------
 */

static uint8_t involve(const struct module *module)
{
	for (size_t i = 0; i < work.objects; i++)
		if (work.involved[i].base == module->base)
			return (uint8_t)i;
	if (work.objects == INVOLVED)
		return INVOLVED;
	struct involved *object = &work.involved[work.objects];
	object->base = module->base;
	object->identity = modules_identity(module);
	object->own = (uintptr_t)callstack_tell >= module->low && (uintptr_t)callstack_tell < module->high;
	size_t len = strlen(module->path);
	memcpy(object->path, module->path, len < PATH_SIZE ? len + 1 : 1);
	if (len >= PATH_SIZE)
		object->path[0] = '?', object->path[1] = '\0';
	return (uint8_t)work.objects++;
}

static uint64_t looked_up(const struct frame *frame)
{
	return frame->exact ? frame->ip
			    : frame->ip - 1; /* a call may be the last thing that a function does */
}

static void walk(void *arg)
{
	(void)arg;
	work.objects = 0;
	work.frames = unwinder_walk(work.sample, work.stack, work.frame, DEPTH + OWN);
	for (size_t i = 0; i < work.frames; i++) {
		const struct module *module = modules_find(looked_up(&work.frame[i]));
		work.object[i] = module ? involve(module) : INVOLVED;
	}
}

/* --- names -----------------------------------------------------------------------------------------------
 */

/* Of an object's frames, from its file, if that is still the one that was loaded. */
static void name_from_file(const struct involved *object, struct symbol *symbols, size_t count)
{
	const char *path = object->path[0] ? object->path : "/proc/self/exe";
	if (path[0] != '/')
		return;
	int ticket = ownfds_add((int)sys_open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0));
	int fd = ownfds_fd(ticket);
	if (fd < 0)
		return;
	if (object->identity && symbols_identity(fd) == object->identity)
		symbols_find(fd, symbols, count);
	ownfds_drop(ticket);
}

static void name_object(uint8_t which)
{
	static struct symbol symbols[DEPTH + OWN];
	static struct known *places[DEPTH + OWN];
	const struct involved *object = &work.involved[which];
	size_t count = 0;

	for (size_t i = 0; i < work.frames; i++) {
		uint64_t ip = work.frame[i].ip;
		struct known *place = work.object[i] == which ? known_place(ip) : NULL;
		work.known[i] = work.object[i] == which ? place : work.known[i];
		if (!place || place->ip == ip)
			continue;
		*place = (struct known){.ip = ip, .used = stacks};
		places[count] = place;
		symbols[count++] = (struct symbol){.address = looked_up(&work.frame[i]) - object->base,
						   .name = place->name};
	}
	if (count == 0 || object->own)
		return;
	name_from_file(object, symbols, count);
	for (size_t i = 0; i < count; i++)
		places[i]->start = symbols[i].start + object->base;
}

static void name_all(void)
{
	stacks++;
	memset(work.known, 0, sizeof(work.known));
	for (size_t i = 0; i < work.objects; i++)
		name_object((uint8_t)i);
}

/* --- text ------------------------------------------------------------------------------------------------
 */

static const char *program(void)
{
	static char path[PATH_SIZE];
	static const char *name;
	if (name)
		return name;
	long len = sys_readlink("/proc/self/exe", path, sizeof(path) - 1);
	path[len > 0 ? len : 0] = '\0';
	char *gone = strstr(path, " (deleted)");
	if (gone && gone[10] == '\0')
		*gone = '\0';
	const char *slash = strrchr(path, '/');
	return name = slash ? slash + 1 : "?";
}

static const char *object_name(size_t frame)
{
	if (work.object[frame] == INVOLVED)
		return "?";
	const char *path = work.involved[work.object[frame]].path;
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path[0] ? path : program();
}

static bool is_client_library(const char *name)
{
#define CLIENT_LIBRARY(prefix) BYTES(prefix),
	static const struct bytes prefixes[] = {
#include "exporter/client_libraries.def"
	};
#undef CLIENT_LIBRARY
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (strncmp(name, prefixes[i].ptr, prefixes[i].len) == 0)
			return true;
	return false;
}

static bool is_own(size_t frame)
{
	return work.object[frame] < INVOLVED && work.involved[work.object[frame]].own;
}

/* The function's name and how far in it the frame is; NULL: none, and where in the file it is. */
static const char *function_of(size_t frame, uint64_t *offset)
{
	uint64_t ip = work.frame[frame].ip;
	const struct known *place = work.known[frame];
	bool named = place && place->name[0];

	if (named)
		*offset = ip - place->start;
	else
		*offset = work.object[frame] < INVOLVED ? ip - work.involved[work.object[frame]].base : ip;
	return named ? place->name : NULL;
}

/* The frames as text; and who asked, NULL if that has no name. */
static size_t write_text(char *text, size_t size, const char **asker)
{
	size_t len = 0, told = 0;
	bool asked = false;

	*asker = NULL;
	for (size_t i = 0; i < work.frames && told < DEPTH; i++) {
		uint64_t offset;
		if (is_own(i))
			continue;
		const char *object = object_name(i), *function = function_of(i, &offset);
		if (!asked && !is_client_library(object)) {
			asked = true;
			*asker = function;
		}
		int more = log_format(text + len, size - len, "%s%s(%s+0x%lx)", told ? "\n" : "", object,
				      function ? function : "", (unsigned long)offset);
		if (more <= 0 || len + (size_t)more + 1 >= size)
			break;
		len += (size_t)more;
		told++;
	}
	return len;
}

/* --- records ---------------------------------------------------------------------------------------------
 */

static size_t span_length(const struct queue_record *record)
{
	uint64_t length = 0;
	memcpy(&length, record->payload.ptr + record->payload.len - STACK_TRAILER, sizeof(length));
	return (size_t)length;
}

/* Behind the span, where the stack was. */
static size_t write_attributes(char *to, size_t room, uint32_t before)
{
	static char text[TEXT_SIZE];
	struct attrs attrs;
	const char *asker;
	size_t len = write_text(text, sizeof(text), &asker);

	if (len == 0) {
		count_one(stacks_unread);
		return 0;
	}
	attrs_init(&attrs, to, room, &config.span_limits);
	attrs.count = before;
	if (asker)
		attrs_string(&attrs, BYTES("code.function.name"), bytes_of(asker));
	attrs_string(&attrs, BYTES("code.stacktrace"), (struct bytes){text, len});
	count_add(attributes_dropped, attrs.dropped);
	count_add(attributes_cut, attrs.cut);
	return attrs.len;
}

static bool read_stack(const char *behind)
{
	static struct stack_sample sample;

	memcpy(&sample, behind, sizeof(sample));
	work.sample = &sample;
	work.stack = behind + sizeof(sample);
	/* A child that is forked now would keep locks that are held here for ever. */
	forks_hold();
	bool ready = unwinder_ready();
	unsigned long long unloaded = ready ? modules_hold(walk, NULL) : 0;
	forks_release();
	if (!ready) {
		count_one(stacks_no_unwinder);
		return false;
	}
	/* It may have been the code of one of these frames, and something else be there now. */
	if (unloaded != sample.unloads) {
		count_one(stacks_unread);
		return false;
	}
	if (!known && !(known = sys_map(KNOWN * sizeof(*known)))) {
		count_one(stacks_unread);
		return false;
	}
	if (unloaded != known_unloaded)
		memset(known, 0, KNOWN * sizeof(*known));
	known_unloaded = unloaded;
	name_all();
	return true;
}

static void tell(struct queue_record *record)
{
	size_t span = span_length(record), padded = (span + 7) & ~(size_t)7, added = 0;
	uint32_t attributes;
	char *behind =
		(char *)record->payload.ptr + padded; /* the ring's, and ours to write until released */

	if (read_stack(behind)) {
		attributes = work.sample->attributes;
		added = write_attributes((char *)record->payload.ptr + span, record->payload.len - span,
					 attributes);
	}
	queue_amend(record, RECORD_SPAN, span + added);
}

void callstack_tell(struct queue_record *records, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (records[i].kind == RECORD_STACK) {
			tell(&records[i]);
			stack_read();
		}
}

void callstack_forked(bool inside)
{
	if (inside)
		unwinder_spoilt();
}
