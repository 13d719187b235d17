/* glib_source.c - GLib's timeouts and idle work: what they do belongs to the request that made them
 * (later.h).
 *
 * The program's callback, its data and what destroys them stay as they are: sources can be found by them.
 * Timeouts and idle work have each one table of functions, the same for all of them, that is written in by
 * the library's users; its functions that call the callback and that are told of a source's end are ours, and
 * call what stood there before: from the first source on that a request makes. So whoever makes one, its
 * callback is a turn of the loop of its own.
 *
 * Whose it is stands in a table by the source's address, until that source's end. Only what is made by the
 * thread that runs the loop is kept: elsewhere it may have gone before we have looked at it. Where no place
 * is free (counted) it is nobody's. */
#include "hooks/glib.h"

#include "hooks/nested.h"
#include "preload/later_table.h"
#include "preload/object.h"

#define SYMBOLS(WRAP, CALL)                    \
	WRAP(g_timeout_add)                    \
	WRAP(g_timeout_add_full)               \
	WRAP(g_timeout_add_seconds)            \
	WRAP(g_timeout_add_seconds_full)       \
	WRAP(g_idle_add)                       \
	WRAP(g_idle_add_full)                  \
	WRAP(g_timeout_source_new)             \
	WRAP(g_timeout_source_new_seconds)     \
	WRAP(g_idle_source_new)                \
	WRAP(g_source_set_callback)            \
	WRAP(g_source_set_ready_time)          \
	WRAP(g_source_attach)                  \
	CALL(g_main_context_find_source_by_id) \
	CALL(g_main_context_is_owner)

HOOK_LATE_LIBRARY(glib_source, SYMBOLS);

#define CALLER __builtin_return_address(0)
#define OF(lib, name) ((lib) && (lib)->name ? (lib)->name : REAL(name))
#define NS_PER_MS 1000000ull
#define NS_PER_S 1000000000ull

/* --- whose they are ----------------------------------------------------------------------------------- */

struct place {
	struct later_place as; /* by the source */
	uint64_t delay;
	uintptr_t function;
};
static struct later_table sources = {.size = sizeof(struct place)};

static struct place *find(const GSource *source)
{
	return later_find(&sources, source);
}

static struct place *take(const GSource *source, uint64_t delay, uintptr_t function,
			  const struct later *later)
{
	struct place *place = later_take(&sources, source, later);
	if (!place)
		return NULL;
	place->delay = delay;
	place->function = function;
	later_show(place, source);
	return place;
}

/* --- the functions in the library's place ------------------------------------------------------------- */

enum { TIMEOUTS, IDLE, TABLES };

static struct table {
	_Atomic(GSourceFuncs *) theirs;
	_Atomic uint8_t state; /* 0: not looked at, 1: being looked at, 2: ours stand there, 3: they cannot */
	int (*dispatch)(GSource *source, GSourceFunc callback, void *data);
	void (*finalize)(GSource *source);
} tables[TABLES];

static __attribute__((noinline)) void begins(struct later *later)
{
	if (!hook_live_nested())
		return;
	struct nested nested = nested_enter();
	if (later)
		later_begins(later);
	else
		later_begins_unknown();
	nested_leave(nested);
}

static __attribute__((noinline)) void ends(struct later *stopped)
{
	if (!hook_live_nested())
		return;
	struct nested nested = nested_enter();
	if (stopped)
		later_stopped(stopped);
	later_ends();
	nested_leave(nested);
}

/* GLib keeps the source over this call, so it keeps its place. */
static int run(const struct table *table, GSource *source, GSourceFunc callback, void *data)
{
	struct place *place = find(source);
	begins(place ? &place->as.later : NULL);
	int again = table->dispatch(source, callback, data);
	ends(place && !again ? &place->as.later : NULL);
	return again;
}

static void over(const struct table *table, GSource *source)
{
	struct place *place = find(source);
	if (place) {
		if (place->as.later.pending && hook_live_nested()) {
			struct nested nested = nested_enter();
			later_stopped(&place->as.later);
			nested_leave(nested);
		}
		later_give(&sources, place);
	}
	if (table->finalize)
		table->finalize(source);
}

#define STAND_INS(name, number)                                                       \
	static int name##_dispatch(GSource *source, GSourceFunc callback, void *data) \
	{                                                                             \
		return run(&tables[number], source, callback, data);                  \
	}                                                                             \
	static void name##_finalize(GSource *source)                                  \
	{                                                                             \
		over(&tables[number], source);                                        \
	}
STAND_INS(timeouts, TIMEOUTS)
STAND_INS(idle, IDLE)

/* True: sources with these functions come by ours. Of several copies of the library the first one's only. */
static bool comes_by(GSourceFuncs *funcs, int number)
{
	struct table *table = &tables[number];
	uint8_t untouched = 0;
	if (atomic_compare_exchange_strong(&table->state, &untouched, 1)) {
		bool can = object_writable(funcs, sizeof(*funcs));
		if (can) {
			table->dispatch = funcs->dispatch;
			table->finalize = funcs->finalize;
			atomic_store(&table->theirs, funcs);
			__atomic_store_n(&funcs->finalize, number == IDLE ? idle_finalize : timeouts_finalize,
					 __ATOMIC_RELEASE);
			__atomic_store_n(&funcs->dispatch, number == IDLE ? idle_dispatch : timeouts_dispatch,
					 __ATOMIC_RELEASE);
		}
		atomic_store(&table->state, can ? 2 : 3);
	}
	return atomic_load(&table->state) == 2 && atomic_load(&table->theirs) == funcs;
}

/* --- what is made ------------------------------------------------------------------------------------- */

static struct place *made(GSource *source, int number, uint64_t delay, uintptr_t function)
{
	struct later later;
	if (!source || !comes_by(source->source_funcs, number) || find(source) || !later_made(&later))
		return NULL;
	return take(source, delay, function, &later);
}

static __attribute__((noinline)) GSource *made_alone(GSource *source, int number, uint64_t delay)
{
	if (!source || thread.current == SPAN_NOBODY || !hook_live_nested())
		return source;
	struct nested nested = nested_enter();
	(void)made(source, number, delay, (uintptr_t)source->source_funcs);
	nested_leave(nested);
	return source;
}

/* Nobody else runs what belongs to a loop that this thread runs. */
static __attribute__((noinline)) unsigned added(const struct glib *lib, unsigned id, int number,
						uint64_t delay, GSourceFunc function)
{
	if (!id || thread.current == SPAN_NOBODY || !hook_live_nested() ||
	    !OF(lib, g_main_context_is_owner)(NULL))
		return id;
	GSource *source = OF(lib, g_main_context_find_source_by_id)(NULL, id);
	struct nested nested = nested_enter();
	struct place *place = made(source, number, delay, (uintptr_t)function);
	if (place)
		(void)later_set(&place->as.later, place->function, delay, delay ? delay : 1);
	nested_leave(nested);
	return id;
}

unsigned g_timeout_add(unsigned interval, GSourceFunc function, void *data)
{
	const struct glib *lib = glib_any(CALLER);
	unsigned id = OF(lib, g_timeout_add)(interval, function, data);
	return added(lib, id, TIMEOUTS, interval * NS_PER_MS, function);
}

unsigned g_timeout_add_full(int priority, unsigned interval, GSourceFunc function, void *data,
			    GDestroyNotify notify)
{
	const struct glib *lib = glib_any(CALLER);
	unsigned id = OF(lib, g_timeout_add_full)(priority, interval, function, data, notify);
	return added(lib, id, TIMEOUTS, interval * NS_PER_MS, function);
}

unsigned g_timeout_add_seconds(unsigned interval, GSourceFunc function, void *data)
{
	const struct glib *lib = glib_any(CALLER);
	unsigned id = OF(lib, g_timeout_add_seconds)(interval, function, data);
	return added(lib, id, TIMEOUTS, interval * NS_PER_S, function);
}

unsigned g_timeout_add_seconds_full(int priority, unsigned interval, GSourceFunc function, void *data,
				    GDestroyNotify notify)
{
	const struct glib *lib = glib_any(CALLER);
	unsigned id = OF(lib, g_timeout_add_seconds_full)(priority, interval, function, data, notify);
	return added(lib, id, TIMEOUTS, interval * NS_PER_S, function);
}

unsigned g_idle_add(GSourceFunc function, void *data)
{
	const struct glib *lib = glib_any(CALLER);
	return added(lib, OF(lib, g_idle_add)(function, data), IDLE, 0, function);
}

unsigned g_idle_add_full(int priority, GSourceFunc function, void *data, GDestroyNotify notify)
{
	const struct glib *lib = glib_any(CALLER);
	return added(lib, OF(lib, g_idle_add_full)(priority, function, data, notify), IDLE, 0, function);
}

GSource *g_timeout_source_new(unsigned interval)
{
	return made_alone(OF(glib_any(CALLER), g_timeout_source_new)(interval), TIMEOUTS,
			  interval * NS_PER_MS);
}

GSource *g_timeout_source_new_seconds(unsigned interval)
{
	return made_alone(OF(glib_any(CALLER), g_timeout_source_new_seconds)(interval), TIMEOUTS,
			  interval * NS_PER_S);
}

GSource *g_idle_source_new(void)
{
	return made_alone(OF(glib_any(CALLER), g_idle_source_new)(), IDLE, 0);
}

void g_source_set_callback(GSource *source, GSourceFunc function, void *data, GDestroyNotify notify)
{
	const struct glib *lib = glib_any(CALLER);
	struct place *place = find(source);
	if (place && !place->as.later.pending && function)
		place->function = (uintptr_t)function;
	OF(lib, g_source_set_callback)(source, function, data, notify);
}

static __attribute__((noinline)) void set(struct place *place, bool certain)
{
	if (!hook_live_nested() || !certain) {
		place->as.later = (struct later){.activity = SPAN_NOBODY};
		return;
	}
	struct nested nested = nested_enter();
	(void)later_set(&place->as.later, place->function, place->delay, place->delay ? place->delay : 1);
	nested_leave(nested);
}

/* Before it can go off. To whose loop else it goes, who runs that is not known. */
unsigned g_source_attach(GSource *source, GMainContext *context)
{
	const struct glib *lib = glib_any(CALLER);
	struct place *place = find(source);
	if (place)
		set(place, OF(lib, g_main_context_is_owner)(context));
	return OF(lib, g_source_attach)(source, context);
}

/* Set anew for another time, by whomever. */
void g_source_set_ready_time(GSource *source, int64_t ready_time)
{
	const struct glib *lib = glib_any(CALLER);
	struct place *place = find(source);
	if (place && place->as.later.pending && !copies_itself(lib ? &lib->copy : NULL, CALLER))
		set(place, OF(lib, g_main_context_is_owner)(NULL));
	OF(lib, g_source_set_ready_time)(source, ready_time);
}
