/* exchange.c - a protocol's events become spans: what both sides have in common, and the server's side. */
#include "preload/conn_internal.h"

#include <errno.h>
#include <string.h>

#include "preload/address.h"
#include "preload/asked.h"
#include "preload/config.h"
#include "preload/correlate.h"
#include "preload/given.h"
#include "preload/handoff.h"
#include "preload/later.h"
#include "preload/loop.h"
#include "preload/repeats.h"
#include "preload/sys.h"
#include "preload/transfer.h"

static struct span *span_at(uint32_t link)
{
	return link ? span_slot(link - 1) : NULL;
}

struct span *exchange_first(const struct conn *conn)
{
	return span_at(conn->first);
}

struct span *exchange_last(const struct conn *conn)
{
	return span_at(conn->last);
}

struct span *exchange_find(const struct conn *conn, uint32_t number)
{
	struct span *span = span_at(conn->first);
	while (span && span->exchange != number)
		span = span_at(span->next);
	return span;
}

static void append(struct conn *conn, struct span *span)
{
	span->before = conn->last;
	if (conn->last)
		span_at(conn->last)->next = span->index + 1;
	else
		conn->first = span->index + 1;
	conn->last = span->index + 1;
}

void exchange_remove(struct conn *conn, struct span *span)
{
	if (span->before)
		span_at(span->before)->next = span->next;
	else if (conn->first == span->index + 1)
		conn->first = span->next;
	if (span->next)
		span_at(span->next)->before = span->before;
	else if (conn->last == span->index + 1)
		conn->last = span->before;
}

/* Numbers ascend, so that a new one needs no search. */
static struct span *find_again(const struct conn *conn, uint32_t number)
{
	const struct span *last = exchange_last(conn);
	return last && last->exchange >= number ? exchange_find(conn, number) : NULL;
}

/* Whose event is it? What is not known from the event before, or marked, is searched for, and marked. */
static struct span *span_for(const struct conn *conn, struct span *recent, const struct protocol_event *event)
{
	struct span *span = recent;
	if ((!span || span->exchange != event->exchange) && event->mark)
		span = span_of(*event->mark);
	if (!span || span->exchange != event->exchange)
		span = exchange_find(conn, event->exchange);
	if (span && event->mark)
		*event->mark = span_reference(span);
	return span;
}

struct bytes exchange_error_name(int error)
{
	switch (error) {
	case ECONNREFUSED:
		return BYTES("connection_refused");
	case ECONNRESET:
	case ECONNABORTED:
		return BYTES("connection_reset");
	case ETIMEDOUT:
		return BYTES("timeout");
	case EHOSTUNREACH:
	case EHOSTDOWN:
		return BYTES("host_unreachable");
	case ENETUNREACH:
	case ENETDOWN:
	case ENETRESET:
		return BYTES("network_unreachable");
	case EPIPE:
		return BYTES("broken_pipe");
	default:
		return BYTES_NONE;
	}
}

static uint64_t now_of(struct exchange_sink *sink)
{
	if (!sink->now)
		sink->now = clock_now();
	return sink->now;
}

static void unpublish(struct span *span)
{
	if (span->kind != SPAN_SERVER || !span->identified)
		return;
	if (span->parent_remote) {
		struct context received = span->context;
		memcpy(received.span_id, span->received_id, sizeof(received.span_id));
		activity_unindex(span_reference(span), &received);
	}
	if (span->correlates)
		correlate_unindex(span);
	activity_ended(span_reference(span));
	handoff_over(span);
	later_over(span);
	if (!span_inherited(span))
		atomic_fetch_sub_explicit(&activities_live, 1, memory_order_relaxed);
}

void exchange_finish(struct conn *conn, struct span *span, uint64_t now)
{
	exchange_remove(conn, span);
	unpublish(span);
	if (span->asker != SPAN_NOBODY)
		loop_uncount(&span->asker);
	if (span->call)
		exchange_call_conclude(span);
	if (!span->transfer || !transfer_park(span, now))
		span_end(span, now);
}

/* Never told to anybody and not to be told: gone without a trace. */
static void forget(struct conn *conn, struct span *span)
{
	exchange_remove(conn, span);
	unpublish(span);
	transfer_release(span);
	if (conn->asker == SPAN_NOBODY) /* it will be tried again */
		conn->asker = span->asker;
	else
		loop_uncount(&span->asker);
	span_discard(span);
}

/* Has anybody learnt of it? */
static bool told(const struct span *span)
{
	return span->identified && (span->kind == SPAN_SERVER || span->exposed || span->described);
}

void exchange_abandon(struct conn *conn, struct bytes error, struct bytes reason, uint64_t now)
{
	while (conn->first) {
		struct span *span = exchange_first(conn);
		if (!told(span)) {
			forget(conn, span);
			continue;
		}
		if (error.len && !exchange_call_lost(conn, span))
			span_error(span, error);
		else if (!error.len && reason.len && span->recording)
			attrs_string(&span->attrs, BYTES("tagalong.incomplete"), reason);
		exchange_finish(conn, span, now);
	}
}

void exchange_drop_after(struct conn *conn, uint32_t number)
{
	struct span *span;
	/* One whose edit has begun stays: in a framed protocol that is before what says that it began. */
	while ((span = exchange_last(conn)) && span->exchange > number && !span->exposed) {
		asked_again(conn, span);
		forget(conn, span);
	}
}

#define ROUGH_AGE 20000000u /* ns; no rough reading is older */

/* Text of an edit that is on its way stands in its span: a client's stays until no write is under way. */
void exchange_end_overdue(struct conn *conn, uint8_t sending, uint64_t now)
{
	struct span *span = exchange_first(conn);

	/* The one that these bytes began is not, and is the oldest as a rule. */
	if (!span || span->start == now || config.max_span_duration == INT32_MAX ||
	    (span->kind == SPAN_CLIENT && (conn->kept || atomic_load(&conn->sending) > sending)))
		return;
	uint64_t most = (uint64_t)config.max_span_duration * 1000000;
	if (!now && clock_roughly() + ROUGH_AGE - span->start <= most)
		return;
	if (!now)
		now = clock_now();
	for (; span && span->head_seen && !span->doomed && now - span->start > most;
	     span = exchange_first(conn)) {
		if (span->recording)
			attrs_string(&span->attrs, BYTES("tagalong.incomplete"), BYTES("too_long"));
		count_one(spans_too_long);
		exchange_finish(conn, span, now);
	}
}

/* --- the server's side ----------------------------------------------------------------------------- */

void exchange_describe(struct exchange_sink *sink, struct span *span, enum protocol_moment moment)
{
	static const struct protocol_endpoint nothing;
	struct protocol_facts facts = {.attrs = &span->attrs, .name_room = span->name};
	enum protocol_side side = span->kind == SPAN_SERVER ? SIDE_SERVER : SIDE_CLIENT;

	const struct protocol_endpoint *endpoint =
		moment == MOMENT_REQUEST ? conn_endpoint(sink->conn) : &nothing;
	sink->conn->protocol->describe(sink->state, side, moment, endpoint, &facts);
	if (facts.name.len)
		span_name(span, facts.name);
	if (facts.failed)
		span_error(span, facts.error_type);
	if (facts.status)
		span->status = facts.status;
	if (facts.call)
		exchange_call_begin(span, &facts);
	if (span->call && facts.outcome)
		span->outcome = facts.outcome;
	if (facts.statement && span->activity != SPAN_NOBODY) /* nobody else counts them */
		span->statement = repeats_hash((struct bytes){span->name, span->name_len});
	if (facts.unknown)
		count_one(texts_unknown);
	if (sink->conn->agreed.known) /* late where the request was early data */
		exchange_tell_tls(sink->conn, span);
	span->described = true;
	if (side == SIDE_CLIENT && moment == MOMENT_REQUEST) {
		span->authority = facts.authority;
		span->target = facts.target;
	} else if (side == SIDE_CLIENT) {
		exchange_client_response(span, &facts);
	}
}

static void server_head(struct exchange_sink *sink, struct span *span)
{
	struct context parent;
	char small[FIELDS_SMALL], *block = NULL;

	if (exchange_has_fields(sink, span)) {
		exchange_context(sink, span, &parent, small, &block);
		parent.remote = true;
		span->evidence = PARENT_HEADER;
		span_identify(span, &parent);
		block_give(block);
	} else {
		parent.valid = false;
		span_identify(span, NULL);
	}
	if (parent.valid) {
		memcpy(span->received_id, parent.span_id, sizeof(span->received_id));
		activity_index(span_reference(span), &parent);
	}
	if (span->correlates)
		correlate_index(span);
	if (span->recording)
		exchange_describe(sink, span, MOMENT_REQUEST);
	sink->conn->spoke = true;
	atomic_fetch_add_explicit(&activities_live, 1, memory_order_relaxed);
	if (!atomic_load_explicit(&process_served, memory_order_relaxed))
		atomic_store(&process_served, true);
	/* Read to be thrown away (httpd's lingering close): it cannot be answered, and nobody works for it.
	 */
	if (sink->conn->sent_end)
		return;
	span->reader = &thread;
	handoff_begun(span);
	if (exchange_first(sink->conn) == span || sink->conn->protocol->multiplexed)
		activity_read_request(sink->conn, span_reference(span));
	else
		loop_pipelined();
}

static void begin(struct exchange_sink *sink, uint32_t number)
{
	struct conn *conn = sink->conn;
	struct span *span = find_again(conn, number);

	conn->requests = number;
	if (span) { /* looked at before, then the write was refused as a whole */
		if (span->exposed)
			return;
		asked_again(conn, span);
		forget(conn, span);
	}
	span = span_begin(conn->role == ROLE_SERVER ? SPAN_SERVER : SPAN_CLIENT, now_of(sink));
	if (!span) {
		/* Of pipelined requests the first is worked on. */
		if (conn->role == ROLE_SERVER && (conn->protocol->multiplexed || !conn->first))
			activity_read_unknown();
		return;
	}
	span->exchange = number;
	sink->fields.count = 0;
	sink->fields.overflow = false;
	append(conn, span);
}

static void request_field(struct exchange_sink *sink, struct span *span, const struct protocol_event *event)
{
	bool client = span->kind == SPAN_CLIENT;

	if (!correlate_is(event->number)) {
		extraction_add(&sink->fields, event->number, event->name, event->value);
		if (client)
			exchange_client_field(sink, span, event);
	} else if (!client && !span->identified) {
		correlate_note(span, event->number, event->value);
	} else if (client && !span->identified) {
		correlate_ask(&span->correlated, event->number, event->value);
	}
}

static void request_event(struct exchange_sink *sink, struct span *span, const struct protocol_event *event)
{
	bool client = span->kind == SPAN_CLIENT;

	switch (event->type) {
	case EVENT_FIELD:
		request_field(sink, span, event);
		break;
	case EVENT_INSERT:
		if (client && sink->out)
			exchange_client_insert(sink, span, sink->base_offset + event->offset);
		break;
	case EVENT_REQUEST_HEAD:
		sink->at = sink->base_offset + event->offset;
		if (!client)
			server_head(sink, span);
		else if (event->quiet)
			exchange_client_quiet(sink, span);
		else
			exchange_client_head(sink, span, event->part);
		span->head_seen = true;
		span->saved = NULL;
		sink->fields.count = 0;
		sink->spots = 0;
		break;
	case EVENT_REQUEST_END:
		atomic_store_explicit(&span->request_ended, true, memory_order_relaxed);
		break;
	default:
		break;
	}
}

static void response_done(struct exchange_sink *sink, struct span *span, const struct protocol_event *event)
{
	bool server = span->kind == SPAN_SERVER;
	if (event->outcome)
		exchange_call_ended(span, event, now_of(sink));
	if (span->identified && !event->quiet)
		exchange_finish(sink->conn, span, now_of(sink));
	else
		forget(sink->conn, span);
	/* Pipelining: the next request was read long ago, but its turn is only now. */
	const struct span *next = exchange_first(sink->conn);
	if (server && next && next->identified && !sink->conn->protocol->multiplexed)
		activity_read_request(sink->conn, span_reference(next));
}

bool exchange_parts(struct protocol_sink *base, size_t offset)
{
	struct exchange_sink *sink = (struct exchange_sink *)(void *)base;
	return given_parts(sink->given, sink->base_offset + offset);
}

void exchange_answer_read(struct conn *conn, const struct span *span)
{
	const struct given *given = given_within();
	if (asked_tells(conn) || (given && given_delivers(given)))
		return;
	if (span->activity == SPAN_NOBODY && span->asker != SPAN_NOBODY)
		activity_read_doubtful(conn, span->asker);
	else
		activity_read_answer(conn, span->activity);
}

/* Bytes of a body that were read: of two activities' bodies, and the thread is nobody's. */
static void body_read(struct exchange_sink *sink, const struct span *span)
{
	if (span->kind == SPAN_CLIENT)
		exchange_answer_read(sink->conn, span);
	else if (span->identified && !span_inherited(span))
		activity_read_request(sink->conn, span_reference(span));
}

static void finish_early(struct conn *conn, struct span *span, uint64_t now)
{
	if (told(span))
		exchange_finish(conn, span, now);
	else
		forget(conn, span);
}

__attribute__((noinline, cold)) static void reset(struct exchange_sink *sink, struct span *span,
						  const struct protocol_event *event)
{
	if (event->outcome)
		exchange_call_ended(span, event, now_of(sink));
	else if (span->kind == SPAN_SERVER || event->number != RESET_CANCELLED)
		span_error(span, event->value);
	if (sink->out || sink->replay)
		span->doomed = DOOM_AHEAD;
	else if (span->kind == SPAN_CLIENT && atomic_load(&sink->conn->sending))
		span->doomed = DOOM_CERTAIN;
	else
		finish_early(sink->conn, span, now_of(sink));
	sink->conn->doomed = true;
}

void exchange_spare_doomed(struct conn *conn)
{
	for (struct span *span = exchange_first(conn); span && conn->doomed; span = span_at(span->next))
		if (span->doomed == DOOM_AHEAD) {
			span->doomed = DOOM_NONE;
			span->outcome = NULL;
		}
}

void exchange_end_doomed(struct conn *conn, uint64_t now)
{
	struct span *next;
	for (struct span *span = exchange_first(conn); span && conn->doomed; span = next) {
		next = span_at(span->next);
		if (span->doomed)
			finish_early(conn, span, now);
	}
	conn->doomed = false;
}

static void response_event(struct exchange_sink *sink, struct span *span, const struct protocol_event *event)
{
	switch (event->type) {
	case EVENT_RESPONSE_BEGIN:
		if (span->transfer)
			span_event(span, "response.first_byte", now_of(sink));
		if (span->kind == SPAN_CLIENT)
			exchange_answer_read(sink->conn, span);
		else if (span->reader) {
			later_answering(span);
			handoff_answering(span);
		}
		atomic_store_explicit(&span->responding, true, memory_order_relaxed);
		break;
	case EVENT_RESPONSE_HEAD:
		sink->headed = true;
		/* A client's says more than what is exported. */
		if (span->recording || span->kind == SPAN_CLIENT)
			exchange_describe(sink, span, MOMENT_RESPONSE);
		break;
	case EVENT_RESPONSE_END:
		response_done(sink, span, event);
		break;
	case EVENT_BODY:
		if (event->number == conn_half_in(sink->conn))
			body_read(sink, span);
		break;
	case EVENT_RESET:
		reset(sink, span, event);
		break;
	case EVENT_VOID:
		sink->conn->voided++;
		forget(sink->conn, span);
		break;
	default:
		break;
	}
}

__attribute__((noinline, cold)) static void note_switch(struct exchange_sink *sink,
							const struct protocol_event *event)
{
	if (event->value.len > sizeof(sink->hello) || !event->next->take_over) {
		conn_opaque(sink->conn, OPAQUE_HANDED_OVER, now_of(sink));
		return;
	}
	sink->next = event->next;
	sink->next_at = event->offset;
	sink->next_exchange = event->exchange;
	sink->hello_len = (uint8_t)event->value.len;
	if (event->value.len)
		memcpy(sink->hello, event->value.ptr, event->value.len);
}

/* While a shorter write is fed again everything was done already; only the heads' fields are collected anew.
 */
__attribute__((noinline, cold)) static void replay_event(struct exchange_sink *sink,
							 const struct protocol_event *event)
{
	struct span *span;

	if (event->type == EVENT_OPAQUE)
		conn_opaque(sink->conn, event->number, now_of(sink));
	else if (event->type == EVENT_REQUEST_BEGIN)
		sink->replayed = event->exchange;
	else if (event->type == EVENT_FIELD && !correlate_is(event->number))
		extraction_add(&sink->fields, event->number, event->name, event->value);
	else if (event->type == EVENT_REQUEST_HEAD)
		sink->fields.count = 0;
	else if (event->type == EVENT_RESET && (span = exchange_find(sink->conn, event->exchange)))
		reset(sink, span, event);
}

/* The last two types: no exchange's. */
__attribute__((noinline, cold)) static void stream_event(struct exchange_sink *sink,
							 const struct protocol_event *event)
{
	if (event->type == EVENT_SWITCH)
		note_switch(sink, event);
	else if (sink->out)
		sink->out->opaque = (uint8_t)event->number;
	else
		conn_opaque(sink->conn, event->number, now_of(sink));
}

void exchange_event(struct protocol_sink *base, const struct protocol_event *event)
{
	static const uint32_t ends = 1u << EVENT_RESPONSE_END | 1u << EVENT_RESET | 1u << EVENT_VOID;
	struct exchange_sink *sink = (struct exchange_sink *)(void *)base;

	if (__builtin_expect(sink->replay || event->type >= EVENT_OPAQUE, 0)) {
		if (sink->replay)
			replay_event(sink, event);
		else
			stream_event(sink, event);
		return;
	}
	struct span *span = sink->recent;
	if (event->type == EVENT_REQUEST_BEGIN) {
		begin(sink, event->exchange);
		sink->recent = exchange_last(sink->conn); /* if it has that number */
		return;
	}
	if (event->mark || !span || span->exchange != event->exchange)
		span = span_for(sink->conn, span, event);
	sink->recent = ends >> event->type & 1 ? NULL : span;
	if (!span)
		return;
	if (event->type <= EVENT_REQUEST_END)
		request_event(sink, span, event);
	else
		response_event(sink, span, event);
}

void exchange_feed_done(struct exchange_sink *sink)
{
	struct span *span = exchange_last(sink->conn);
	if (span && !span->head_seen) {
		if (span->kind == SPAN_CLIENT && sink->out)
			exchange_client_overwrite(sink, span);
		if (sink->fields.count)
			exchange_save_fields(sink, span);
	}
	sink->fields.count = 0;
	sink->spots = 0;
	conn_tidy(sink->conn);
}
