/* libevent_timer.c - libevent's timers: what they do belongs to the request that made and set them (later.h).
 *
 * Only an event that is made in a request, and waits for no descriptor and no signal, is looked at. Its
 * callback is ours, with a place in a table as its argument; there the program's stand, and what tells them
 * to the program tells those. The place is found by the event's address, and is given back with the event. An
 * event in the program's own memory goes without a word: its place is taken over by the next one there. Where
 * none is free (counted) the event is left as it is. */
#include "hooks/libevent.h"

#include "hooks/nested.h"
#include "preload/counters.h"
#include "preload/later.h"

#define SYMBOLS(WRAP, CALL)          \
	WRAP(event_new)              \
	WRAP(event_assign)           \
	WRAP(event_add)              \
	WRAP(event_del)              \
	WRAP(event_active)           \
	WRAP(event_free)             \
	WRAP(event_finalize)         \
	WRAP(event_free_finalize)    \
	WRAP(event_base_once)        \
	WRAP(event_get_callback)     \
	WRAP(event_get_callback_arg) \
	WRAP(event_get_assignment)   \
	CALL(event_self_cbarg)

HOOK_LATE_LIBRARY(libevent_timer, SYMBOLS);

#define NAME_ROW(name) #name,
static const char *const names[] = {LIBEVENT_EVENTS(NAME_ROW)};
static struct libevent_events room[COPIES_MOST];
static struct copies libraries = {
	.names = names,
	.count = sizeof(names) / sizeof(names[0]),
	.room = room,
	.size = sizeof(room[0]),
};
_Static_assert(sizeof(struct libevent_events) == sizeof(struct copy) + sizeof(names),
	       "in the order of the names");

#define CALLER __builtin_return_address(0)
#define OF(lib, name) ((lib) && (lib)->name ? (lib)->name : REAL(name))
#define LIB const struct libevent_events *lib = events_of(CALLER)

static const struct libevent_events *events_of(const void *caller)
{
	return (const struct libevent_events *)(const void *)copies_known(&libraries, caller);
}

/* --- places ------------------------------------------------------------------------------------------- */

#define PLACES 4096
#define PROBES 16
#define FILLING ((uintptr_t)1)

struct place {
	_Atomic uintptr_t event; /* 0: free */
	event_callback_fn callback;
	event_finalize_callback_fn finalize;
	void *argument;
	bool persists;
	struct later later;
};
static _Atomic(void *) places; /* of PLACES, when there is one */
static _Atomic uint32_t used;

static struct place *probe(uintptr_t event, uint32_t i)
{
	struct place *table = atomic_load_explicit(&places, memory_order_acquire);
	return &table[((uint32_t)((event * 0x9e3779b97f4a7c15ull) >> 40) + i) % PLACES];
}

static struct place *find(const struct event *event)
{
	if (atomic_load_explicit(&used, memory_order_relaxed) == 0 || !event)
		return NULL;
	for (uint32_t i = 0; i < PROBES; i++)
		if (atomic_load_explicit(&probe((uintptr_t)event, i)->event, memory_order_acquire) ==
		    (uintptr_t)event)
			return probe((uintptr_t)event, i);
	return NULL;
}

/* It is to be found by `key` when it is filled. */
static struct place *take(uintptr_t key, event_callback_fn callback, void *argument,
			  const struct later *later)
{
	bool room = later_table(&places, PLACES * sizeof(struct place));
	for (uint32_t i = 0; room && i < PROBES; i++) {
		struct place *place = probe(key, i);
		uintptr_t none = 0;
		if (!atomic_compare_exchange_strong(&place->event, &none, FILLING))
			continue;
		place->callback = callback;
		place->finalize = NULL;
		place->argument = argument;
		place->persists = false;
		place->later = *later;
		atomic_fetch_add_explicit(&used, 1, memory_order_relaxed);
		return place;
	}
	count_one(timers_unkept);
	return NULL;
}

static __attribute__((noinline)) void stopped(struct later *later)
{
	if (!later->pending || !hook_live_nested())
		return;
	struct nested nested = nested_enter();
	later_stopped(later);
	nested_leave(nested);
}

static void give(struct place *place)
{
	stopped(&place->later);
	atomic_store_explicit(&place->event, 0, memory_order_release);
	atomic_fetch_sub_explicit(&used, 1, memory_order_relaxed);
}

/* --- the functions in the host's place ---------------------------------------------------------------- */

static __attribute__((noinline)) void begins(struct later *later)
{
	if (!hook_live_nested())
		return;
	struct nested nested = nested_enter();
	later_begins(later);
	nested_leave(nested);
}

static __attribute__((noinline)) void ends(void)
{
	if (!hook_live_nested())
		return;
	struct nested nested = nested_enter();
	later_ends();
	nested_leave(nested);
}

/* Whatever the callback does, it may free the event: nothing of the place is looked at behind it. */
static void fired(int fd, short what, void *argument)
{
	struct place *place = argument;
	event_callback_fn callback = place->callback;
	void *theirs = place->argument;
	begins(&place->later);
	callback(fd, what, theirs);
	ends();
}

static void fired_once(int fd, short what, void *argument)
{
	struct place *place = argument;
	event_callback_fn callback = place->callback;
	void *theirs = place->argument;
	begins(&place->later);
	give(place);
	callback(fd, what, theirs);
	ends();
}

static void finalized(struct event *event, void *argument)
{
	struct place *place = argument;
	event_finalize_callback_fn finalize = place->finalize;
	void *theirs = place->argument;
	give(place);
	if (finalize)
		finalize(event, theirs);
}

/* --- what is made ------------------------------------------------------------------------------------- */

#define EVENT_SIGNAL 0x08
#define EVENT_PERSIST 0x10

static bool is_timer(int fd, short events, event_callback_fn callback)
{
	return fd == -1 && !(events & EVENT_SIGNAL) && callback;
}

static __attribute__((noinline)) struct place *made(uintptr_t key, event_callback_fn callback, void *argument)
{
	struct later later;
	if (!hook_live_nested())
		return NULL;
	struct nested nested = nested_enter();
	struct place *place = later_made(&later) ? take(key, callback, argument, &later) : NULL;
	nested_leave(nested);
	return place;
}

static __attribute__((noinline)) void set(struct place *place, uint64_t delay)
{
	if (!hook_live_nested()) {
		place->later = (struct later){.activity = SPAN_NOBODY};
		return;
	}
	struct nested nested = nested_enter();
	(void)later_set(&place->later, (uintptr_t)place->callback, delay, place->persists ? delay + 1 : 0);
	nested_leave(nested);
}

static int assign(const struct libevent_events *lib, struct event *event, struct event_base *base, int fd,
		  short events, event_callback_fn callback, void *argument)
{
	struct place *place =
		is_timer(fd, events, callback) ? made((uintptr_t)event, callback, argument) : NULL;
	if (!place)
		return OF(lib, event_assign)(event, base, fd, events, callback, argument);
	if (argument && argument == OF(lib, event_self_cbarg)())
		place->argument = event;
	place->persists = events & EVENT_PERSIST;
	atomic_store_explicit(&place->event, (uintptr_t)event, memory_order_release);
	int result = OF(lib, event_assign)(event, base, fd, events, fired, place);
	if (result != 0)
		give(place);
	return result;
}

int event_assign(struct event *event, struct event_base *base, int fd, short events,
		 event_callback_fn callback, void *argument)
{
	LIB;
	if (callback == fired || (lib && copies_itself(&lib->copy, CALLER)))
		return OF(lib, event_assign)(event, base, fd, events, callback, argument);
	struct place *stale = find(event);
	if (stale)
		give(stale);
	return assign(lib, event, base, fd, events, callback, argument);
}

/* It is new, and nobody knows of it: what it is may be said a second time. */
struct event *event_new(struct event_base *base, int fd, short events, event_callback_fn callback,
			void *argument)
{
	LIB;
	struct event *event = OF(lib, event_new)(base, fd, events, callback, argument);
	struct place *stale = event ? find(event) : NULL;
	if (stale)
		give(stale);
	if (event && is_timer(fd, events, callback))
		(void)assign(lib, event, base, fd, events, callback, argument);
	return event;
}

static uint64_t ns_of(const struct timeval *time)
{
	return (uint64_t)time->tv_sec * 1000000000ull + (uint64_t)time->tv_usec * 1000;
}

int event_add(struct event *event, const struct timeval *timeout)
{
	LIB;
	struct place *place = find(event);
	if (place && timeout && !(lib && copies_itself(&lib->copy, CALLER)))
		set(place, ns_of(timeout));
	int result = OF(lib, event_add)(event, timeout);
	if (place && result != 0)
		stopped(&place->later);
	return result;
}

/* libevent calls it itself where the timer has gone off. */
int event_del(struct event *event)
{
	LIB;
	struct place *place = find(event);
	if (place && !(lib && copies_itself(&lib->copy, CALLER)))
		stopped(&place->later);
	return OF(lib, event_del)(event);
}

void event_active(struct event *event, int what, short calls)
{
	LIB;
	struct place *place = find(event);
	if (place)
		set(place, 0);
	OF(lib, event_active)(event, what, calls);
}

void event_free(struct event *event)
{
	LIB;
	struct place *place = find(event);
	if (place)
		give(place);
	OF(lib, event_free)(event);
}

/* The last that is called is told the event's argument. */
int event_finalize(unsigned flags, struct event *event, event_finalize_callback_fn callback)
{
	LIB;
	struct place *place = find(event);
	if (place)
		place->finalize = callback;
	return OF(lib, event_finalize)(flags, event, place ? finalized : callback);
}

int event_free_finalize(unsigned flags, struct event *event, event_finalize_callback_fn callback)
{
	LIB;
	struct place *place = find(event);
	if (place)
		place->finalize = callback;
	return OF(lib, event_free_finalize)(flags, event, place ? finalized : callback);
}

int event_base_once(struct event_base *base, int fd, short events, event_callback_fn callback, void *argument,
		    const struct timeval *timeout)
{
	LIB;
	bool timer = is_timer(fd, events, callback) && !(lib && copies_itself(&lib->copy, CALLER));
	struct place *place =
		timer ? made((uintptr_t)argument ^ (uintptr_t)callback, callback, argument) : NULL;
	if (!place)
		return OF(lib, event_base_once)(base, fd, events, callback, argument, timeout);
	set(place, timeout ? ns_of(timeout) : 0);
	int result = OF(lib, event_base_once)(base, fd, events, fired_once, place, timeout);
	if (result != 0)
		give(place);
	return result;
}

/* --- what is told of them ----------------------------------------------------------------------------- */

event_callback_fn event_get_callback(const struct event *event)
{
	LIB;
	event_callback_fn callback = OF(lib, event_get_callback)(event);
	const struct place *place = callback == fired ? find(event) : NULL;
	return place ? place->callback : callback;
}

void *event_get_callback_arg(const struct event *event)
{
	LIB;
	void *argument = OF(lib, event_get_callback_arg)(event);
	const struct place *place = find(event);
	return place && argument == place ? place->argument : argument;
}

void event_get_assignment(const struct event *event, struct event_base **base, int *fd, short *events,
			  event_callback_fn *callback, void **argument)
{
	LIB;
	OF(lib, event_get_assignment)(event, base, fd, events, callback, argument);
	const struct place *place = find(event);
	if (place && callback && *callback == fired)
		*callback = place->callback;
	if (place && argument && *argument == place)
		*argument = place->argument;
}
