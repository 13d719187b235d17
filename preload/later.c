#include "preload/later.h"

#include <string.h>

#include "preload/activity.h"
#include "preload/thread.h"

static _Atomic uint32_t waiting; /* requests that were left so, and live */

bool later_made(struct later *later)
{
	memset(later, 0, sizeof(*later));
	later->activity = activity_for_opening();
	const struct span *span = span_of(later->activity);
	if (!span || !span->identified || span->kind != SPAN_SERVER) {
		later->activity = SPAN_NOBODY;
		return false;
	}
	memcpy(later->link.trace_id, span->context.trace_id, sizeof(later->link.trace_id));
	memcpy(later->link.span_id, span->context.span_id, sizeof(later->link.span_id));
	later->link.flags = span->context.flags;
	later->link.set = true;
	return true;
}

bool later_set(struct later *later)
{
	if (later->activity != SPAN_NOBODY && activity_for_opening() == later->activity)
		return true;
	*later = (struct later){.activity = SPAN_NOBODY};
	return false;
}

/* A loop turns from what it read to the callback, and from that to what nobody knows. */
static void turn_to(span_ref activity)
{
	activity_woken();
	activity_carried(activity, EVIDENCE_CALLBACK);
}

void later_begins(const struct later *later)
{
	const struct span *span = span_of(later->activity);
	bool lives = span && span_alive(later->activity) && !span_inherited(span);

	turn_to(lives ? later->activity : SPAN_NOBODY);
	if (!span && later->link.set && !later_others_wait(SPAN_NOBODY))
		thread.link = later->link;
}

void later_ends(void)
{
	turn_to(SPAN_NOBODY);
}

void later_left(struct span *span)
{
	if (!atomic_exchange_explicit(&span->adrift, true, memory_order_relaxed))
		atomic_fetch_add_explicit(&waiting, 1, memory_order_relaxed);
}

void later_over(struct span *span)
{
	if (!span_inherited(span) && atomic_exchange_explicit(&span->adrift, false, memory_order_relaxed))
		atomic_fetch_sub_explicit(&waiting, 1, memory_order_relaxed);
}

bool later_others_wait(span_ref activity)
{
	const struct span *own = span_of(activity);
	uint32_t self = own && atomic_load_explicit(&own->adrift, memory_order_relaxed);
	return atomic_load_explicit(&waiting, memory_order_relaxed) > self;
}

void later_restart(void)
{
	atomic_store_explicit(&waiting, 0, memory_order_relaxed);
}
