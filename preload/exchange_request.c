/* exchange_request.c - TAGALONG_CORRELATE=:request. Requests are looked at as a whole before anybody learns
 * that their heads are complete. Nobody comes here where that is not wanted. */
#include "preload/conn_internal.h"

#include "preload/correlate.h"

void (*exchange_listener)(struct protocol_sink *sink, const struct protocol_event *event) = exchange_event;

static void look(struct exchange_sink *sink, const struct protocol_event *event)
{
	struct conn *conn = sink->conn;
	struct span *span = exchange_find(conn, event->exchange);

	if (span && !span->identified && span->kind == SPAN_SERVER)
		correlate_note_request(span, conn->protocol, sink->state);
	else if (span && !span->identified)
		correlate_ask_request(&span->correlated, conn->protocol, sink->state);
	else if (!span && conn->role == ROLE_SERVER) {
		conn->unseen++;
		correlate_unseen(1);
	}
}

static void look_back(struct conn *conn, uint32_t exchange)
{
	if (conn->unseen && conn->role == ROLE_SERVER && !exchange_find(conn, exchange)) {
		conn->unseen--;
		correlate_unseen(-1);
	}
}

static void with_requests(struct protocol_sink *base, const struct protocol_event *event)
{
	struct exchange_sink *sink = (struct exchange_sink *)(void *)base;

	if ((event->type == EVENT_INSERT || event->type == EVENT_REQUEST_HEAD) && !sink->replay)
		look(sink, event);
	if (event->type == EVENT_RESPONSE_END || event->type == EVENT_RESET)
		look_back(sink->conn, event->exchange);
	exchange_event(base, event);
}

void conn_look_at_requests(void)
{
	exchange_listener = with_requests;
}

/* Bytes that were no request, or none any more, are nobody's. */
void exchange_unseen(struct conn *conn, enum protocol_opaque why)
{
	if (exchange_listener != with_requests || conn->role != ROLE_SERVER || why == OPAQUE_NOT_MINE ||
	    why == OPAQUE_HANDED_OVER)
		return;
	conn->unseen++;
	correlate_unseen(1);
}
