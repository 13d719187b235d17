/* unwinder.c - libunwind's interface for unwinding through functions of ours. Source: libunwind(3),
 * unw_create_addr_space(3), its headers of version 1.6. */
#include "exporter/unwinder.h"

#include <dlfcn.h>
#include <string.h>

#include "exporter/modules.h"
#include "preload/hook.h"
#include "preload/log.h"

#if defined(__x86_64__)

#define LIBRARY "libunwind-x86_64.so.8"
#define PREFIX "_Ux86_64_"
/* Numbers of its registers. */
enum { REG_BX = 3, REG_BP = 6, REG_SP = 7, REG_R12 = 12, REG_R13, REG_R14, REG_R15, REG_IP };

enum { NO_INFO = -10, BAD_REGISTER = -3, INVALID = -8 }; /* its errors */

typedef void *space_t;
typedef uint64_t word_t;

struct accessors {
	int (*find_proc_info)(space_t space, word_t ip, void *info, int need, void *arg);
	void (*put_unwind_info)(space_t space, void *info, void *arg);
	int (*get_dyn_info_list_addr)(space_t space, word_t *list, void *arg);
	int (*access_mem)(space_t space, word_t address, word_t *value, int write, void *arg);
	int (*access_reg)(space_t space, int number, word_t *value, int write, void *arg);
	int (*access_fpreg)(space_t space, int number, void *value, int write, void *arg);
	int (*resume)(space_t space, void *cursor, void *arg);
	int (*get_proc_name)(space_t space, word_t ip, char *name, size_t size, word_t *offset, void *arg);
	void *later_versions[8];
};

/* Where an object's table of functions is. */
struct dyn_info {
	void *next, *prev;
	word_t start_ip, end_ip, gp;
	int32_t format;
	int32_t pad;
	word_t load_offset;
	word_t name, base, table_len, table; /* in a union, of which this is the largest member */
	word_t spare[4];
};
enum { FORMAT_REMOTE_TABLE = 2 };

enum { CACHE_NONE = 0 };
#define CURSOR_WORDS 1024 /* it says 127 */

static struct {
	bool tried, usable;
	space_t space;
	space_t (*create)(struct accessors *accessors, int order);
	int (*init)(void *cursor, space_t space, void *arg);
	int (*step)(void *cursor);
	int (*get_reg)(void *cursor, int number, word_t *value);
	int (*is_signal)(void *cursor);
	int (*search)(space_t space, word_t ip, struct dyn_info *where, void *info, int need, void *arg);
	int (*caching)(space_t space, int policy);
} lib;

struct walk {
	const struct stack_sample *sample;
	const char *stack;
	bool lost; /* it came where no table tells how to go on: the rest would be guessed */
};

/* --- what it asks for ------------------------------------------------------------------------------------
 */

static bool read_word(const struct walk *walk, word_t address, word_t *value)
{
	const struct stack_sample *sample = walk->sample;
	if (address >= sample->sp && sample->bytes >= sizeof(*value) &&
	    address - sample->sp <= sample->bytes - sizeof(*value)) {
		memcpy(value, walk->stack + (address - sample->sp), sizeof(*value));
		return true;
	}
	return modules_read(address, value);
}

static int access_mem(space_t space, word_t address, word_t *value, int write, void *arg)
{
	(void)space;
	return !write && read_word(arg, address, value) ? 0 : INVALID;
}

/* The table as all linkers make it: offsets of 32 bits, sorted. */
static bool find_table(const struct module *module, struct dyn_info *where)
{
	static const uint8_t usual[4] = {1, 0x1b, 0x03, 0x3b}; /* version, and how what follows is encoded */
	uint64_t head, counts;
	uint8_t encoding[4];

	if (!module->unwind || !modules_read(module->unwind, &head) ||
	    !modules_read(module->unwind + 8, &counts))
		return false;
	memcpy(encoding, &head, sizeof(encoding));
	if (memcmp(encoding, usual, sizeof(usual)) != 0)
		return false;
	*where = (struct dyn_info){
		.start_ip = module->low,
		.end_ip = module->high,
		.format = FORMAT_REMOTE_TABLE,
		.base = module->unwind,
		.table_len = (uint32_t)counts, /* an entry is as long as a word */
		.table = module->unwind + 12,
	};
	return true;
}

static int find_proc_info(space_t space, word_t ip, void *info, int need, void *arg)
{
	struct walk *walk = arg;
	struct dyn_info where;
	const struct module *module = modules_find(ip);
	int result = module && find_table(module, &where) ? lib.search(space, ip, &where, info, need, arg)
							  : NO_INFO;
	if (result < 0)
		walk->lost = true;
	return result;
}

static void put_unwind_info(space_t space, void *info, void *arg)
{
	(void)space, (void)info, (void)arg;
}

static int get_dyn_info_list(space_t space, word_t *list, void *arg)
{
	(void)space, (void)list, (void)arg;
	return NO_INFO;
}

static int access_reg(space_t space, int number, word_t *value, int write, void *arg)
{
	const struct stack_sample *sample = ((struct walk *)arg)->sample;
	const word_t known[] = {
		[REG_BX] = sample->bx,   [REG_BP] = sample->bp,   [REG_SP] = sample->sp,
		[REG_R12] = sample->r12, [REG_R13] = sample->r13, [REG_R14] = sample->r14,
		[REG_R15] = sample->r15, [REG_IP] = sample->ip,
	};
	(void)space;
	if (write || number < 0 || number > REG_IP)
		return BAD_REGISTER;
	*value = known[number]; /* those that a call may change are 0, and not asked for */
	return 0;
}

static int access_fpreg(space_t space, int number, void *value, int write, void *arg)
{
	(void)space, (void)number, (void)value, (void)write, (void)arg;
	return BAD_REGISTER;
}

static int resume_at(space_t space, void *cursor, void *arg)
{
	(void)space, (void)cursor, (void)arg;
	return INVALID;
}

static int get_proc_name(space_t space, word_t ip, char *name, size_t size, word_t *offset, void *arg)
{
	(void)space, (void)ip, (void)name, (void)size, (void)offset, (void)arg;
	return NO_INFO;
}

/* --- loading ---------------------------------------------------------------------------------------------
 */

static bool find_functions(void *handle)
{
	const struct {
		const char *name;
		void **slot;
	} wanted[] = {
		{PREFIX "create_addr_space", (void **)&lib.create},
		{PREFIX "init_remote", (void **)&lib.init},
		{PREFIX "step", (void **)&lib.step},
		{PREFIX "get_reg", (void **)&lib.get_reg},
		{PREFIX "is_signal_frame", (void **)&lib.is_signal},
		{PREFIX "dwarf_search_unwind_table", (void **)&lib.search},
		{PREFIX "set_caching_policy", (void **)&lib.caching},
	};
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		if (!(*wanted[i].slot = dlsym(handle, wanted[i].name)))
			return false;
	return true;
}

/* An object of the host's that waits in its constructor holds this up, and with it the exporter; not the
 * host. Never unloaded: it is not worth another look at what it leaves behind. */
static bool load(void)
{
	static void *slot; /* the loader's own: dlopen is one of our names */
	struct accessors accessors = {
		.find_proc_info = find_proc_info,
		.put_unwind_info = put_unwind_info,
		.get_dyn_info_list_addr = get_dyn_info_list,
		.access_mem = access_mem,
		.access_reg = access_reg,
		.access_fpreg = access_fpreg,
		.resume = resume_at,
		.get_proc_name = get_proc_name,
	};
	void *(*open)(const char *, int) = (void *(*)(const char *, int))hook_resolve(&slot, "dlopen");
	void *handle = open ? open(LIBRARY, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE) : NULL;
	if (!handle || !find_functions(handle))
		return false;
	lib.space = lib.create(&accessors, 0);
	/* Objects come and go: what it learnt of one must not be held for true of the next. */
	return lib.space && lib.caching(lib.space, CACHE_NONE) == 0;
}

bool unwinder_ready(void)
{
	if (!lib.tried) {
		lib.tried = true;
		lib.usable = load();
		log_info("stack", lib.usable ? LIBRARY " is loaded: a call was slow or failed"
					     : LIBRARY " is not there: calls have no stacks");
	}
	return lib.usable;
}

size_t unwinder_walk(const struct stack_sample *sample, const char *stack, struct frame *frames, size_t most)
{
	static word_t cursor[CURSOR_WORDS];
	struct walk walk = {.sample = sample, .stack = stack};
	bool exact = true;
	size_t count = 0;

	if (lib.init(cursor, lib.space, &walk) < 0)
		return 0;
	while (count < most) {
		word_t ip = 0;
		if (lib.get_reg(cursor, REG_IP, &ip) < 0 || ip == 0)
			break;
		frames[count++] = (struct frame){ip, exact};
		bool signal = lib.is_signal(cursor) > 0;
		walk.lost = false;
		if (lib.step(cursor) <= 0 || walk.lost)
			break;
		exact = signal;
	}
	return count;
}

void unwinder_spoilt(void)
{
	if (lib.tried)
		lib.usable = false;
}

#else

bool unwinder_ready(void)
{
	return false;
}

size_t unwinder_walk(const struct stack_sample *sample, const char *stack, struct frame *frames, size_t most)
{
	(void)sample, (void)stack, (void)frames, (void)most;
	return 0;
}

void unwinder_spoilt(void)
{
}

#endif
