/* activity.h - requests, turns of a loop and calls for a unit test of whose call it is, on made-up
 * connections. Included behind cmocka.h. */
#ifndef TAGALONG_TEST_ACTIVITY_H
#define TAGALONG_TEST_ACTIVITY_H

#include <string.h>

#include "preload/activity.h"
#include "preload/config.h"
#include "preload/later.h"
#include "preload/loop.h"

static inline struct span *serve(uint8_t id)
{
	struct span *span = span_begin(SPAN_SERVER, 1);
	struct context parent = {.valid = true, .remote = true, .flags = FLAG_SAMPLED};
	memset(parent.trace_id, id, sizeof(parent.trace_id));
	memset(parent.span_id, id, sizeof(parent.span_id));
	assert_non_null(span);
	span_identify(span, &parent);
	memcpy(span->received_id, parent.span_id, 8);
	activity_index(span_reference(span), &parent);
	span->request_ended = true;
	atomic_fetch_add(&activities_live, 1);
	atomic_store(&process_served, true);
	return span;
}

/* A turn of a loop: a wait that told of so many events. */
static inline void turn(int events)
{
	activity_wait(false);
	loop_waited(events, -1, 0);
}

/* What the exchange does when a call begins, and ends. */
static inline struct activity_verdict call(struct conn *conn, span_ref *asker)
{
	span_ref window = activity_window();
	if (conn->asker != SPAN_NOBODY || (conn->requests <= 1 && loop_is_elsewhere(conn))) {
		window = conn->asker;
		loop_uncount(&conn->asker);
	}
	*asker = loop_count(window);
	return activity_for_call(conn);
}

static inline struct conn new_connection(void)
{
	struct conn conn = {.role = ROLE_CLIENT, .requests = 1};
	conn.made_in = loop_turn();
	conn.asker = loop_count(activity_window());
	conn.opener = activity_for_opening();
	return conn;
}

static inline void finish(struct span *span)
{
	activity_ended(span_reference(span));
	atomic_fetch_sub(&activities_live, 1);
	span_discard(span);
}

static inline int fresh_thread(void **state)
{
	(void)state;
	memset(&thread, 0, sizeof(thread));
	atomic_store(&process_served, false);
	atomic_store(&activities_wander, false);
	atomic_store(&activities_live, 0);
	atomic_store(&loop_habits, 0);
	later_restart();
	atomic_store(&loop_reader, 0);
	memset(&process_context, 0, sizeof(process_context));
	return 0;
}

static inline struct conn kept_connection(void)
{
	struct conn conn = {.role = ROLE_CLIENT, .requests = 5};
	return conn;
}

static inline int set_up(void **state)
{
	char *env[] = {NULL};
	(void)state;
	config_load(env, "test");
	return span_init(64) ? 0 : -1;
}

#endif
