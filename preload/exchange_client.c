/* exchange_client.c - a request that the host sends: whose it is, and what is written into it. */
#include "preload/conn_internal.h"

#include <string.h>

#include "preload/address.h"
#include "preload/asked.h"
#include "preload/call.h"
#include "preload/config.h"
#include "preload/correlate.h"
#include "preload/given.h"
#include "preload/loop.h"
#include "preload/transfer.h"

void exchange_client_field(struct exchange_sink *sink, struct span *span, const struct protocol_event *event)
{
	span->present |= 1u << event->number;
	if ((event->whole || event->framed) && sink->spots < sizeof(sink->spot) / sizeof(sink->spot[0])) {
		sink->spot[sink->spots].framed = event->framed;
		sink->spot[sink->spots].field = event->number;
		sink->spot[sink->spots].offset = sink->base_offset + event->offset;
		sink->spot[sink->spots++].value = event->value;
	}
}

static void plan(struct exchange_sink *sink, struct span *span, size_t offset, bool replaces,
		 struct bytes text)
{
	struct outgoing *out = sink->out;
	if (out->frozen || !outgoing_room(out, 1)) {
		count_one(edits_skipped);
		return;
	}
	if (text.len <= sizeof(out->text) - out->texts) {
		memcpy(out->text + out->texts, text.ptr, text.len);
		text.ptr = out->text + out->texts;
		out->texts += (uint32_t)text.len;
	}
	out->edit[out->edits++] = (struct outgoing_edit){
		.offset = offset,
		.replaces = replaces,
		.text = text,
		.span = span->exchange,
	};
	/* From here on the id may be on the wire: it will be exported. */
}

static bool planned(const struct outgoing *out, const struct span *span)
{
	for (int i = 0; i < out->edits; i++)
		if (out->edit[i].span == span->exchange)
			return true;
	return false;
}

/* Into a head that is framed, or (what) in place of something in it: a length or a flag changes as well, and
 * once part of that has gone, all must.
 */
static void plan_framed(struct exchange_sink *sink, struct span *span, const struct protocol_rewrite *what)
{
	const struct protocol *protocol = sink->conn->protocol;
	struct protocol_edit edit[PROTOCOL_EDITS];
	struct bytes lines = {span->inject, span->inject_len};
	size_t size = span->inject_len + 64, at = 0;
	ptrdiff_t base = (ptrdiff_t)sink->base_offset;

	if (!span->framed)
		span->framed = span_room(span, size);
	int count = 0;
	if (span->framed && what)
		count = protocol->rewrite(sink->state, what, span->framed, size, edit);
	else if (span->framed)
		count = protocol->insert(sink->state, lines, span->framed, size, edit);
	bool begun = span->inject_sent > 0;
	bool whole = count > 0 && edit[0].offset + base >= 0 && edit[count - 1].offset >= 0;
	bool room = !sink->out->frozen && outgoing_room(sink->out, count);
	if (count == 0 || (!begun && !(whole && room))) {
		count_one(edits_skipped);
		return;
	}
	for (int i = 0; i < count; i++) {
		size_t len = edit[i].text.len, gone = span->inject_sent > at ? span->inject_sent - at : 0;
		at += len;
		if (gone < len)
			plan(sink, span, (size_t)(edit[i].offset + base), edit[i].replaces,
			     bytes_from(edit[i].text, gone));
	}
}

/* The same in a head that is framed, where the value may have to be written in another way. Only where it is
 * all that says whose request this is. */
static void overwrite_framed(struct exchange_sink *sink, struct span *span, uint32_t spot, size_t at)
{
	struct bytes value = sink->spot[spot].value;
	uint32_t said = span->present & CONTEXT_IDENTIFYING;

	if (said & (said - 1))
		return;
	if (!span->inject) {
		char *copy = span_room(span, value.len);
		if (!copy)
			return;
		memcpy(copy, value.ptr, value.len);
		hex_encode(copy + at, span->context.span_id, sizeof(span->context.span_id));
		span->inject = copy;
		span->inject_len = (uint32_t)value.len;
	}
	struct protocol_rewrite what = {
		.framed = sink->spot[spot].framed,
		.value = {span->inject, span->inject_len},
		.at = at,
		.len = 2 * sizeof(span->context.span_id),
	};
	plan_framed(sink, span, &what);
	span->passed_on = span->inject_sent > 0 || planned(sink->out, span);
}

/* One header line of a proxy: its span id, and the sampled flag where that stands behind it, become ours. */
static void overwrite(struct exchange_sink *sink, struct span *span, uint32_t spot,
		      const struct context *theirs)
{
	int at = context_span_offset(sink->spot[spot].field, sink->spot[spot].value, theirs);
	if (at < 0)
		return;
	if (sink->spot[spot].framed) {
		overwrite_framed(sink, span, spot, (size_t)at);
		return;
	}
	/* Asked for once: a write that is refused again and again must not use up the room. */
	if (!span->inject) {
		char *digits = span_room(span, 16);
		if (!digits)
			return;
		hex_encode(digits, span->context.span_id, sizeof(span->context.span_id));
		span->inject = digits;
	}
	plan(sink, span, sink->spot[spot].offset + (size_t)at, true, (struct bytes){span->inject, 16});
	span->passed_on = true;
}

/* Whose call it is by the look of it, certain or not: counted before that is judged. False: it may be a
 * timer's. */
static bool count_call(struct conn *conn, uint32_t number, span_ref asker, span_ref *counted)
{
	if (conn->asker != SPAN_NOBODY || (number <= 1 && loop_is_elsewhere(conn))) {
		asker = conn->asker;
		loop_uncount(&conn->asker);
	}
	bool timers = loop_is_timers(asker);
	*counted = timers ? SPAN_NOBODY : loop_count(asker);
	return !timers;
}

struct activity_verdict exchange_judge(struct conn *conn, uint32_t number, span_ref *counted)
{
	if (!count_call(conn, number, activity_window(), counted))
		return (struct activity_verdict){.ambiguous = AMBIGUOUS_TIMER};
	return activity_for_nth_call(conn, number);
}

/* A head that carries context already: a proxy that passes on what one of our activities received, or a
 * tracer inside the program. Decided once, before the first of these bytes goes out. */
void exchange_client_overwrite(struct exchange_sink *sink, struct span *span)
{
	struct context theirs;
	char small[FIELDS_SMALL], *block = NULL;

	if (!(span->present & CONTEXT_IDENTIFYING) || span->aside || (span->identified && !span->passed_on) ||
	    (sink->spots == 0 && !transfer_any()))
		return;
	bool valid = exchange_context(sink, span, &theirs, small, &block);
	bool claimed = valid && !span->identified && transfer_any() && transfer_claim(span, &theirs);
	block_give(block);
	if (!valid || claimed || sink->spots == 0)
		return;
	if (!span->identified) {
		struct activity_verdict named = {.evidence = PARENT_HEADER};
		named.activity = activity_find(&theirs, &named.process);
		if (named.activity == SPAN_NOBODY && !named.process) {
			span->aside = true;
			return;
		}
		if (!sink->conn->editable || sink->out->frozen)
			span->aside = true;
		(void)count_call(sink->conn, sink->conn->requests, named.activity, &span->asker);
		exchange_adopt(span, &named);
		if (!span->identified || !span->context.valid || span->aside)
			return;
		/* The sampled flag on the wire stays the caller's: wire and export must agree. */
		if (((span->context.flags ^ theirs.flags) & FLAG_SAMPLED) != 0)
			span->aside = true;
	}
	if (config.sdk_disabled || span->aside)
		return;
	for (uint32_t i = 0; i < sink->spots; i++)
		overwrite(sink, span, i, &theirs);
	sink->spots = 0; /* this may be asked again at the end of the feed */
	if (!span->passed_on)
		span->aside = true; /* cut in the middle of the id: goes out as it is */
}

static struct activity_verdict correlated(struct conn *conn, struct span *span)
{
	(void)count_call(conn, conn->requests, span->correlated.with, &span->asker);
	return (struct activity_verdict){.activity = span->correlated.with, .evidence = PARENT_HEADER};
}

static void find_parent(struct exchange_sink *sink, struct span *span, bool part)
{
	struct activity_verdict verdict;
	if (sink->out && sink->given) { /* counted when it was given */
		loop_uncount(&sink->conn->asker);
		given_adopt(sink->given, sink->at, span);
		return;
	}
	if (span->correlated.found == CORRELATES_ONE)
		verdict = correlated(sink->conn, span);
	else if (!asked_next(sink->conn, span, part, &verdict))
		verdict = exchange_judge(sink->conn, sink->conn->requests, &span->asker);
	if (span->correlated.found == CORRELATES_MANY && verdict.activity == SPAN_NOBODY)
		verdict.ambiguous = AMBIGUOUS_ID;
	exchange_adopt(span, &verdict);
}

static size_t injection_bound(const struct context *context)
{
	size_t bound = context->tracestate.len + context->baggage.len + 112;
	if (context_formats() & ~(uint32_t)(FORMAT_TRACECONTEXT | FORMAT_BAGGAGE))
		bound += 640 + 4 * context->baggage.len;
	return bound;
}

/* What a protocol makes of header lines is longer: a variable's prefix and its lengths. */
static size_t encoded_bound(size_t bound)
{
	return bound + bound / 2 + 64;
}

/* Lines by way of a block, then in the protocol's own form into the span. */
static void write_encoded(struct exchange_sink *sink, struct span *span)
{
	char *lines = block_take();
	size_t bound = injection_bound(&span->context);
	char *room = lines && bound <= BLOCK_SIZE ? span_room(span, encoded_bound(bound)) : NULL;

	if (lines && !room) { /* without baggage, as below */
		span->context.baggage = BYTES_NONE;
		bound = injection_bound(&span->context);
		room = span_room(span, encoded_bound(bound));
	}
	if (room) {
		size_t len = context_inject_lines(&span->context, span->present, lines, bound);
		len = sink->conn->protocol->encode(sink->state, (struct bytes){lines, len}, room,
						   encoded_bound(bound));
		span->inject = len ? room : NULL;
		span->inject_len = (uint32_t)len;
	}
	block_give(lines);
	if (!span->inject)
		count_one(edits_skipped);
}

static void write_injection(struct span *span)
{
	size_t bound = injection_bound(&span->context);
	char *room = span_room(span, bound);
	if (!room) { /* baggage may be too much for a span's room; the ids never are */
		span->context.baggage = BYTES_NONE;
		bound = injection_bound(&span->context);
		room = span_room(span, bound);
	}
	if (!room) {
		count_one(edits_skipped);
		return;
	}
	span->inject = room;
	span->inject_len = (uint32_t)context_inject_lines(&span->context, span->present, room, bound);
}

static void plan_part(struct exchange_sink *sink, struct span *span, size_t offset, bool replaces,
		      struct bytes text)
{
	int before = sink->out->edits;
	plan(sink, span, offset, replaces, text);
	if (sink->out->edits > before)
		sink->out->edit[before].patch = true;
}

/* The length in front of what is put in. False: it cannot be changed any more, so nothing may be put in. */
static bool plan_patch(struct exchange_sink *sink, struct span *span)
{
	const struct protocol *protocol = sink->conn->protocol;
	struct protocol_patch patch;

	if (!protocol->patch || span->inject_len == 0)
		return true;
	if (sink->out->frozen || !outgoing_room(sink->out, 3) ||
	    !protocol->patch(sink->state, span->inject_len, &patch))
		return false;
	if (!span->patch_begun && patch.begun)
		return false;
	memcpy(span->patch, patch.bytes, sizeof(span->patch));
	if (!span->patch_begun)
		plan_part(sink, span, sink->base_offset + patch.end - patch.replaces, true,
			  (struct bytes){span->patch, patch.replaces});
	size_t done = (size_t)patch.replaces + span->patch_more;
	if (done < patch.len && !patch.gone)
		plan_part(sink, span, sink->base_offset + patch.end, false,
			  (struct bytes){span->patch + done, patch.len - done});
	return true;
}

void exchange_client_insert(struct exchange_sink *sink, struct span *span, size_t offset)
{
	/* Again when an earlier try was refused before the digits had gone. */
	if ((!span->identified || span->passed_on) && (span->present & CONTEXT_IDENTIFYING)) {
		exchange_client_overwrite(sink, span);
		if (!span->identified && !span->aside) {
			/* Context that cannot be read is there: nothing is added to it. */
			count_one(edits_skipped);
			span->aside = true;
		}
	}
	/* A short write ended between the value's start and its digits: what is left is no value to judge. */
	if (span->passed_on && span->inject_sent == 0 && !planned(sink->out, span))
		span->aside = true;
	if (!span->identified)
		find_parent(sink, span, false);
	if (span->aside || span->passed_on || span->transfer || !sink->conn->editable)
		return;
	if (!span->inject && sink->conn->protocol->encode)
		write_encoded(sink, span);
	else if (!span->inject)
		write_injection(span);
	if (!span->inject)
		return;
	if (sink->conn->protocol->insert) {
		plan_framed(sink, span, NULL);
		return;
	}
	if (!plan_patch(sink, span)) {
		count_one(edits_skipped);
		return;
	}
	if (span->inject_len > span->inject_sent)
		plan(sink, span, offset, false,
		     (struct bytes){span->inject + span->inject_sent, span->inject_len - span->inject_sent});
}

/* Does this request follow the redirect that this thread read just before, for the same activity? */
static void note_resend(struct span *span)
{
	if (!span->transfer && thread.retry_target && thread.retry_target == span->target &&
	    thread.retry_authority == span->authority && thread.retry_activity == span->activity)
		span->resend = thread.retry_count + 1;
	if (span->resend && span->recording)
		attrs_int(&span->attrs, BYTES("http.request.resend_count"), span->resend);
	thread.retry_target = 0;
}

void exchange_client_quiet(struct exchange_sink *sink, struct span *span)
{
	if (sink->out && sink->given) {
		find_parent(sink, span, false);
		return;
	}
	struct activity_verdict verdict = activity_for_call(sink->conn);
	span->activity = verdict.activity;
	span->ambiguous = verdict.ambiguous;
	span->evidence = verdict.evidence;
	span->of_process = verdict.process;
	span->quiet = true;
}

void exchange_client_head(struct exchange_sink *sink, struct span *span, bool part)
{
	if (span->quiet) { /* something is to be told of it after all */
		span->quiet = false;
		const struct activity_verdict verdict = {.activity = span->activity,
							 .ambiguous = span->ambiguous,
							 .process = span->of_process,
							 .evidence = span->evidence};
		exchange_adopt(span, &verdict);
	} else if (!span->identified) { /* no INSERT came: the blank line had begun in an earlier write */
		find_parent(sink, span, part);
		if (sink->conn->editable && !sink->conn->protocol->database)
			count_one(edits_skipped);
	}
	if (span->described)
		return;
	exchange_describe(sink, span, MOMENT_REQUEST);
	struct conn *conn = sink->conn;
	conn->spoke = true;
	if (conn->protocol->database && call_owns(span))
		span->aside = true;
	if (!span->recording)
		return;
	if (span->exchange == conn->voided + 1 && conn->connect_end > conn->connect_start &&
	    conn->connect_start)
		attrs_double(&span->attrs, BYTES("tagalong.connect.duration"),
			     (double)(conn->connect_end - conn->connect_start) / 1e9);
	note_resend(span);
	if (span->transfer && span->exchange == 1)
		transfer_tell_connection(span, conn);
}

void exchange_client_response(struct span *span, const struct protocol_facts *facts)
{
	if (!facts->again || span->transfer)
		return;
	thread.retry_authority = facts->authority ? facts->authority : span->authority;
	thread.retry_target = facts->target ? facts->target : span->target;
	thread.retry_activity = span->activity;
	thread.retry_count = span->resend;
}

void exchange_connect_failed(struct conn *conn, struct bytes type)
{
	bool internet = conn->peer_len < sizeof(sa_family_t) || conn->peer.any.sa_family != AF_UNIX;
	struct activity_verdict verdict = activity_for_call(conn);

	/* The socket beneath was refused while the handshake wrote to it (TCP Fast Open), and has said so. */
	if (conn->carrier && conn->carrier->connect_failed)
		return;
	/* It tries another address, or says what became of it all. */
	if (thread.within > (uintptr_t)__builtin_frame_address(0))
		return;
	/* Libraries try unix sockets of services that are not there all the time; only a request's count. */
	if (conn->first || (!internet && verdict.activity == SPAN_NOBODY) || config.sdk_disabled)
		return;
	struct span *span = span_begin(SPAN_CLIENT, conn->connect_start);
	if (!span)
		return;
	conn->connect_failed = true;
	exchange_adopt(span, &verdict);
	span_name(span, BYTES("connect"));
	if (span->recording) {
		const struct protocol_endpoint *endpoint = conn_endpoint(conn);
		struct bytes server = endpoint->name.len ? endpoint->name : endpoint->peer_address;
		if (server.len)
			attrs_string(&span->attrs, BYTES("server.address"), server);
		if (endpoint->peer_port) {
			attrs_int(&span->attrs, BYTES("server.port"), endpoint->peer_port);
			attrs_string(&span->attrs, BYTES("network.peer.address"), endpoint->peer_address);
			attrs_int(&span->attrs, BYTES("network.peer.port"), endpoint->peer_port);
		}
	}
	span_error(span, type.len ? type : BYTES("_OTHER"));
	span_end(span, clock_now());
}
