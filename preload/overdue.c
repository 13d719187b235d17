/* overdue.c - lets go of what has been silent for too long; see overdue.h. */
#include "preload/overdue.h"

#include <stdatomic.h>

#include "preload/config.h"
#include "preload/conn_internal.h"
#include "preload/queue.h"

#define REST_MOST                                                                                \
	60000000000u /* ns between two looks, at most; else a quarter of what a request may take \
		      */

static _Atomic bool pressed;

void overdue_pressed(void)
{
	if (config.max_span_duration == INT32_MAX)
		return;
	atomic_store_explicit(&pressed, true, memory_order_relaxed);
	queue_wake();
}

/* Without the lock, which is a busy connection's: what is read here may be another's already, and is only a
 * reason to look again with it. */
__attribute__((no_sanitize("thread"))) static bool seems_overdue(const struct conn *conn, uint64_t now,
								 uint64_t most)
{
	uint32_t first = __atomic_load_n(&conn->first, __ATOMIC_RELAXED);
	if (first == 0 || first > config.max_spans)
		return false;
	uint64_t start = __atomic_load_n(&span_slot(first - 1)->start, __ATOMIC_RELAXED);
	return now > start && now - start > most;
}

/* A client's that has not gone out whole: what is left of our bytes in it stands in the span. */
static bool half_sent(const struct conn *conn)
{
	const struct span *span = exchange_last(conn);
	return conn->over_left || (span && span->kind == SPAN_CLIENT && span->inject_sent < span->inject_len);
}

/* Nobody waits for us: who holds the lock has bytes, and looks for itself. */
static void let_go(struct conn *conn, uint64_t now)
{
	if (!conn_hold(conn))
		return;
	if (!atomic_exchange_explicit(&conn->lock, 1, memory_order_acquire)) {
		if (!half_sent(conn))
			exchange_end_overdue(conn, 0, now);
		conn_unlock(conn);
	}
	conn_put(conn);
}

void overdue_look(uint64_t now)
{
	static uint64_t last;
	uint64_t most = (uint64_t)config.max_span_duration * 1000000, rest = most / 4;
	if (config.max_span_duration == INT32_MAX)
		return;
	bool soon = atomic_exchange_explicit(&pressed, false, memory_order_relaxed);
	if (!soon && now - last < (rest < REST_MOST ? rest : REST_MOST))
		return;
	last = now;
	for (uint32_t i = 0, count = conn_slots(); i < count; i++)
		if (seems_overdue(conn_slot(i), now, most))
			let_go(conn_slot(i), now);
}
