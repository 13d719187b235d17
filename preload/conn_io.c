/* conn_io.c - bytes of a connection, fed to its protocol; edits of those that go out. */
#include "preload/conn_internal.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

#include "preload/address.h"
#include "preload/asked.h"
#include "preload/given.h"
#include "preload/log.h"
#include "preload/loop.h"
#include "preload/sys.h"

void conn_sink(struct exchange_sink *sink, struct conn *conn)
{
	/* The big arrays in it need no zeroes. */
	sink->base = (struct protocol_sink){
		.event = exchange_listener,
		.deaf = conn->role == ROLE_SERVER ? 1u << EVENT_INSERT : 0,
		.stash = &conn->stash,
		.arena = &conn->arena,
		.notes = conn->notes,
	};
	sink->conn = conn;
	sink->state = conn->state;
	sink->given = given_within();
	sink->at = 0;
	if (__builtin_expect(sink->given != NULL, 0))
		sink->base.parts = exchange_parts;
	sink->out = NULL;
	sink->next = NULL;
	sink->headed = false;
	sink->replay = false;
	sink->replayed = 0;
	sink->recent = NULL;
	sink->now = 0;
	sink->base_offset = 0;
	sink->spots = 0;
	extraction_init(&sink->fields);
}

const struct protocol_endpoint *conn_endpoint(struct conn *conn)
{
	struct protocol_endpoint *endpoint = &conn->endpoint;

	if (conn->endpoint_known)
		return endpoint;
	if (!conn->peer_text[0])
		address_text(&conn->peer.any, conn->peer_len, conn->peer_text, sizeof(conn->peer_text));
	if (conn->local_known && !conn->local_text[0])
		address_text(&conn->local.any, conn->local_len, conn->local_text, sizeof(conn->local_text));
	*endpoint = (struct protocol_endpoint){
		.name = bytes_of(conn->name),
		.peer_address = bytes_of(conn->peer_text),
		.peer_port = address_port(&conn->peer.any, conn->peer_len),
		.local_address = bytes_of(conn->local_text),
		.local_port = address_port(&conn->local.any, conn->local_len),
		.tls = conn->tls,
		.is_unix = conn->peer_len >= sizeof(sa_family_t) && conn->peer.any.sa_family == AF_UNIX,
		.memo = &conn->memo,
	};
	conn->memo.len = 0;
	conn->endpoint_known = true;
	return endpoint;
}

void conn_opaque(struct conn *conn, enum protocol_opaque why, uint64_t now)
{
	if (conn->mode == CONN_OPAQUE)
		return;
	atomic_store(&conn->mode, CONN_OPAQUE);
	loop_uncount(&conn->asker);
	struct bytes reason = BYTES_NONE;
	switch (why) {
	case OPAQUE_NOT_MINE:
		count_one(parser_foreign);
		reason = BYTES("not_followed");
		break;
	case OPAQUE_HANDED_OVER:
		count_one(parser_handed_over);
		if (conn->protocol->database)
			conn->early_len = 0; /* TLS, agreed on: the ClientHello is still to come */
		break;
	case OPAQUE_MALFORMED:
		if (conn->spoke)
			count_one(parser_malformed);
		else
			count_one(parser_foreign);
		reason = BYTES("malformed");
		break;
	case OPAQUE_TOO_LARGE:
		count_one(parser_too_large);
		reason = BYTES("too_large");
		break;
	case OPAQUE_LOST:
		count_one(parser_lost);
		reason = BYTES("lost");
		break;
	}
	log_debug("conn", "%s port %u, %s: not followed any more (%s)",
		  conn->peer_text[0] ? conn->peer_text : "a peer",
		  address_port(&conn->peer.any, conn->peer_len),
		  conn->role == ROLE_CLIENT ? "client" : "server", reason.len ? reason.ptr : "handed over");
	owed_by_span(conn);
	exchange_unseen(conn, why); /* before what is under way loses its spans */
	exchange_abandon(conn, BYTES_NONE, reason, now ? now : clock_now());
	block_give(conn->stash.block);
	conn->stash.block = NULL;
}

static bool still_followed(struct conn *conn)
{
	if (atomic_load_explicit(&conn->lost, memory_order_relaxed) && conn->mode == CONN_FOLLOWED)
		conn_opaque(conn, OPAQUE_LOST, 0);
	return conn->mode == CONN_FOLLOWED;
}

void conn_feed(struct conn *conn, enum protocol_half half, const struct iovec *iov, int iovcnt, size_t count,
	       struct exchange_sink *sink)
{
	conn->version[half]++;
	if (half == conn_half_in(conn)) /* of the other's bodies nobody learns anything */
		sink->base.deaf &= ~(1u << EVENT_BODY);
	else
		sink->base.deaf |= 1u << EVENT_BODY;
	for (int i = 0; i < iovcnt && count > 0; i++) {
		size_t take = iov[i].iov_len < count ? iov[i].iov_len : count;
		if (take == 0)
			continue;
		struct bytes piece = {iov[i].iov_base, take};
		if (!conn->fed)
			conn_choose(conn, half, piece);
		conn->protocol->feed(conn->state, half, piece, &sink->base);
		if (sink->next)
			conn_switch(conn, half, piece, sink);
		exchange_feed_done(sink);
		sink->base_offset += take;
		count -= take;
	}
}

/* --- in ----------------------------------------------------------------------------------------------- */

static void received_nothing(struct conn *conn, ssize_t got, int error, struct exchange_sink *sink)
{
	struct span *asked = conn->role == ROLE_SERVER ? exchange_first(conn) : NULL;
	struct bytes name = got == 0 ? BYTES_NONE : exchange_error_name(error);
	if (asked && (got == 0 || name.len))
		atomic_store_explicit(&asked->deserted, true, memory_order_relaxed);
	if (got == 0) {
		conn->peer_closed = true;
		if (asked && atomic_load_explicit(&asked->calls, memory_order_relaxed) > 0)
			atomic_store_explicit(&asked->hung_up, true, memory_order_relaxed);
		conn->protocol->end(conn->state, conn_half_in(conn), &sink->base);
		if (conn->role == ROLE_CLIENT)
			exchange_abandon(conn, BYTES("response_truncated"), BYTES_NONE, clock_now());
		return;
	}
	if (name.len == 0)
		return;
	if (conn->connecting) {
		conn->connecting = false;
		exchange_connect_failed(conn, name);
	}
	conn->reset = true;
	exchange_abandon(conn, name, BYTES_NONE, clock_now());
}

/* What these bytes say about this thread. */
static void take_evidence(struct conn *conn)
{
	const struct given *given = given_within();
	/* The session in it knows better, or the library on it. */
	if (conn->carries || asked_tells(conn) || (given && given_delivers(given)))
		return;
	if (conn->mode == CONN_OPAQUE) { /* of a client's bytes nobody knows which request they are */
		activity_read_answer(conn, conn->mixed ? SPAN_NOBODY : conn->writer);
		return;
	}
	/* Of pipelined requests the first that is not answered yet is being worked on. */
	const struct span *span = exchange_first(conn);
	if (!span)
		return;
	if (conn->protocol->multiplexed) /* its events say whose bytes they are */
		return;
	if (conn->role == ROLE_CLIENT) {
		if (span->identified)
			exchange_answer_read(conn, span);
		else /* whose it will be is not always known yet */
			activity_read_answer(conn, conn->opener);
	} else if (span->identified && !span_inherited(span))
		activity_read_request(conn, span_reference(span));
}

void conn_received(struct conn *conn, const struct iovec *iov, int iovcnt, ssize_t got, int error)
{
	if (got < 0 && exchange_error_name(error).len == 0)
		return;
	if (conn->expired)
		conn->expired = false;
	if (conn->mode == CONN_OPAQUE) {
		if (got > 0)
			take_evidence(conn);
		if (got > 0 && conn->role == ROLE_SERVER && !conn->tls)
			conn_sniffed(conn, iov, iovcnt, (size_t)got); /* a ClientHello may come in pieces */
		return;
	}
	/* What is read may be the next request of a client that has our answer already, while the thread that
	 * wrote it has not come back from the kernel: give it the moment to say so. */
	for (int i = 0; i < 20 && got > 0 && atomic_load(&conn->sending) && conn->role == ROLE_SERVER &&
			conn->first && !conn->protocol->multiplexed;
	     i++)
		sched_yield();
	if (!conn_lock(conn))
		return;
	if (still_followed(conn)) {
		struct exchange_sink sink;
		conn_sink(&sink, conn);
		if (got <= 0) {
			received_nothing(conn, got, error, &sink);
		} else {
			if (conn->role == ROLE_UNKNOWN)
				conn->role = ROLE_SERVER;
			if (conn->connecting) {
				conn->connecting = false;
				conn->connect_end = clock_now();
			}
			if (conn->first)
				take_evidence(conn);
			bool early = conn->role == ROLE_SERVER && conn->early_len != EARLY_DONE;
			if (early)
				conn_sniff(conn, iov, iovcnt, (size_t)got);
			conn_feed(conn, conn_half_in(conn), iov, iovcnt, (size_t)got, &sink);
			if (early)
				conn_sniffed(conn, iov, iovcnt, (size_t)got);
			if (!sink.headed)
				exchange_end_overdue(conn, 0, sink.now);
		}
	}
	conn_unlock(conn);
}

static void unseen(struct conn *conn, enum protocol_half half, uint64_t count)
{
	if (conn->mode != CONN_FOLLOWED || count == 0 || !conn_lock(conn))
		return;
	if (still_followed(conn)) {
		struct exchange_sink sink;
		conn_sink(&sink, conn);
		conn->version[half]++;
		struct span *answered = conn->role == ROLE_SERVER ? exchange_first(conn) : NULL;
		if (answered && half == HALF_RESPONSES) /* a file: how much more of it nobody knows */
			atomic_store_explicit(&answered->stuck, true, memory_order_relaxed);
		conn->protocol->skip(conn->state, half, count, &sink.base);
		if (!sink.headed)
			exchange_end_overdue(conn, 0, sink.now);
	}
	conn_unlock(conn);
}

void conn_received_unseen(struct conn *conn, uint64_t count)
{
	unseen(conn, conn_half_in(conn), count);
}

void conn_sent_unseen(struct conn *conn, uint64_t count)
{
	unseen(conn, conn_half_out(conn), count);
}

/* --- out ---------------------------------------------------------------------------------------------- */

static size_t iov_length(const struct iovec *iov, int iovcnt)
{
	size_t total = 0;
	for (int i = 0; i < iovcnt; i++)
		total += iov[i].iov_len;
	return total;
}

/* A header may be spread over several pieces of a writev; looked at in one, it can still be overwritten. */
static void feed_in_one(struct outgoing *out, struct conn *conn, struct exchange_sink *sink)
{
	char *block = out->iovcnt > 1 && out->length <= BLOCK_SIZE ? block_take() : NULL;
	struct iovec whole = {block, 0};

	for (int i = 0; block && i < out->iovcnt; i++) {
		memcpy(block + whole.iov_len, out->iov[i].iov_base, out->iov[i].iov_len);
		whole.iov_len += out->iov[i].iov_len;
	}
	conn_feed(conn, HALF_REQUESTS, block ? &whole : out->iov, block ? 1 : out->iovcnt, out->length, sink);
	block_give(block);
}

static void choose_ahead(const struct outgoing *out, struct conn *conn)
{
	char first[320]; /* memcached's is known by its whole first line, with a key of 250 bytes */
	size_t len = 0;
	for (int i = 0; i < out->iovcnt && len < sizeof(first); i++) {
		size_t take = out->iov[i].iov_len;
		if (take > sizeof(first) - len)
			take = sizeof(first) - len;
		if (take)
			memcpy(first + len, out->iov[i].iov_base, take);
		len += take;
	}
	conn_choose(conn, HALF_REQUESTS, (struct bytes){first, len});
}

/* Lets the parser run ahead over what is about to be written, to learn where it may be edited. */
static void look_ahead(struct outgoing *out, struct conn *conn)
{
	struct exchange_sink sink;
	struct span *last = exchange_last(conn);

	out->planned = true;
	out->saved = last ? last->saved : NULL;
	/* Chosen here, so that there is a state of its own to go back to: the server may speak meanwhile. */
	if (!conn->fed)
		choose_ahead(out, conn);
	out->protocol = conn->protocol;
	out->fed = conn->fed;
	memcpy(out->state, conn->state, conn->protocol->state_size);
	/* The parser may rearrange what it stashed of a cut head: kept as well, for the way back. */
	out->stashed = conn->stash.block != NULL;
	if (out->stashed && (out->stash = block_take()) != NULL)
		memcpy(out->stash, conn->stash.block, PROTOCOL_STASH_SIZE);
	if (conn->over_left) {
		size_t take = conn->over_left < out->length ? conn->over_left : out->length;
		out->edit[out->edits++] = (struct outgoing_edit){
			.replaces = true,
			.text = {conn->over + sizeof(conn->over) - conn->over_left, take},
		};
	}
	conn_sink(&sink, conn);
	sink.out = out;
	feed_in_one(out, conn, &sink);
	memcpy(out->version, conn->version, sizeof(out->version));
}

static void note_writer(struct conn *conn)
{
	span_ref current = activity_current();
	bool busy = conn->writer != SPAN_NOBODY && conn->writer != current && span_alive(conn->writer);
	conn->mixed = busy || (conn->mixed && span_alive(conn->writer));
	conn->writer = current;
}

bool conn_sending(struct outgoing *out, struct conn *conn, const struct iovec *iov, int iovcnt)
{
	out->conn = conn;
	out->iov = iov;
	out->iovcnt = iovcnt;
	out->edits = 0;
	out->edit = out->few;
	out->edit_room = OUTGOING_FEW;
	out->many = NULL;
	out->planned = false;
	out->owing = false;
	out->texts = 0;
	out->opaque = 0;
	out->stash = NULL;
	atomic_fetch_add(&conn->sending, 1);
	if (conn->mode == CONN_OPAQUE) {
		if (!conn->carries)
			note_writer(conn);
		if (conn->early_len != EARLY_DONE && conn->protocol->database)
			conn_sniffed(conn, iov, iovcnt, iov_length(iov, iovcnt));
		out->length = conn->owed ? iov_length(iov, iovcnt) : 0;
		return owed_plan(out);
	}
	if (conn->role == ROLE_SERVER)
		return false;
	out->length = iov_length(iov, iovcnt);
	if (out->length == 0 || !conn_lock(conn))
		return false;
	if (still_followed(conn)) {
		conn->role = ROLE_CLIENT;
		conn_sniff(conn, iov, iovcnt, out->length);
		out->begun = conn->requests;
		look_ahead(out, conn);
	} else {
		owed_plan(out);
	}
	conn_unlock(conn);
	return out->edits > 0;
}

/* Remembers, for each edit, how much of it the kernel took. */
static void account_edits(struct outgoing *out, size_t sent)
{
	struct outgoing_runs runs = {.out = out};
	struct outgoing_run run;
	struct conn *conn = out->conn;

	while (sent > 0 && outgoing_next(&runs, &run)) {
		const struct outgoing_edit *edit = run.edit;
		size_t took = sent < run.len ? sent : run.len;
		sent -= took;
		if (!edit || took == 0)
			continue;
		if (edit->replaces && edit->span == 0) {
			conn->over_left -= (uint8_t)took;
		} else if (edit->replaces) {
			conn->over_left = (uint8_t)(edit->text.len - took);
			memcpy(conn->over + sizeof(conn->over) - conn->over_left, edit->text.ptr + took,
			       conn->over_left);
		}
		struct span *span = exchange_find(conn, edit->span);
		if (span && edit->patch) {
			span->patch_begun = true;
			if (!edit->replaces)
				span->patch_more = (uint8_t)(span->patch_more + took);
		} else if (span) {
			span->exposed = true;
			/* What is left of a replacement is in conn->over. */
			span->inject_sent += (uint32_t)(edit->replaces ? edit->text.len : took);
		}
	}
}

/* The kernel took less than was looked at: back to where the parser stood, and on by what went. */
static void step_back(struct outgoing *out, size_t callers)
{
	struct conn *conn = out->conn;
	bool one_half = conn->protocol->put_back && out->protocol == conn->protocol;
	bool moved = conn->version[HALF_REQUESTS] != out->version[HALF_REQUESTS] ||
		     (conn->version[HALF_RESPONSES] != out->version[HALF_RESPONSES] && !one_half);
	/* Moved: the answer is being read already, or another thread has written. */
	if (moved || (out->stashed && !out->stash)) {
		conn_opaque(conn, OPAQUE_LOST, 0);
		return;
	}
	if (one_half) {
		conn->protocol->put_back(conn->state, out->state);
	} else if (!out->fed && callers > 0) {
		conn_open_protocol(conn); /* its first bytes chose it, as they would not if cut */
	} else {
		conn->protocol = out->protocol;
		conn->fed = out->fed;
		memcpy(conn->state, out->state, conn->protocol->state_size);
	}
	if (out->stash && one_half && conn->stash.block) { /* the other part of it may be the answer's */
		memcpy(conn->stash.block, out->stash, conn->protocol->stash_requests);
	} else if (out->stash) {
		block_give(conn->stash.block);
		conn->stash.block = out->stash;
		out->stash = NULL;
	} else if (conn->protocol->stash_requests == PROTOCOL_STASH_SIZE) {
		block_give(conn->stash.block); /* there was none */
		conn->stash.block = NULL;
	}
	struct span *last = exchange_last(conn);
	if (last && last->exchange == out->begun)
		last->saved = out->saved;
	exchange_spare_doomed(conn);

	struct exchange_sink sink;
	conn_sink(&sink, conn);
	sink.replay = true;
	sink.replayed = out->begun;
	conn_feed(conn, HALF_REQUESTS, out->iov, out->iovcnt, callers, &sink);
	conn->requests = sink.replayed;
	exchange_drop_after(conn, sink.replayed);
}

/* Given up with an edit under way: the rest of it is owed. */
static void settle(struct outgoing *out, ssize_t sent, size_t callers)
{
	struct conn *conn = out->conn;
	if (out->edits && sent > 0 && callers < out->length &&
	    (conn->mode == CONN_OPAQUE || atomic_load(&conn->lost)))
		owed_by_write(out, (size_t)sent);
}

static void client_sent(struct outgoing *out, ssize_t sent, size_t callers, int error)
{
	struct conn *conn = out->conn;
	if (!conn_lock(conn)) {
		settle(out, sent, callers);
		return;
	}
	if (still_followed(conn)) {
		if (sent > 0 && conn->connecting) {
			conn->connecting = false;
			conn->connect_end = clock_now();
		}
		if (out->edits)
			account_edits(out, sent > 0 ? (size_t)sent : 0);
		conn_sniffed(conn, out->iov, out->iovcnt, callers);
		if (callers < out->length)
			step_back(out, callers);
		else if (out->opaque)
			conn_opaque(conn, out->opaque, 0);
		if (conn->doomed)
			exchange_end_doomed(conn, clock_now());
		if (conn->requests == out->begun)
			exchange_end_overdue(conn, 1, 0);
		struct bytes name = sent < 0 ? exchange_error_name(error) : BYTES_NONE;
		if (name.len && conn->connecting) {
			conn->connecting = false;
			exchange_connect_failed(conn, name);
		} else if (name.len) {
			conn->reset = true;
			exchange_abandon(conn, name, BYTES_NONE, clock_now());
		}
	}
	settle(out, sent, callers);
	conn_unlock(conn);
}

/* Its reader has nothing more to do for it: what it takes up now is no sign of a request given away. */
static void answer_refused(struct conn *conn, struct span *answered)
{
	conn->reset = true;
	if (answered && answered->reader == &thread && !conn->protocol->multiplexed)
		activity_ended(span_reference(answered));
}

static void server_sent(struct outgoing *out, ssize_t sent, int error)
{
	struct conn *conn = out->conn;
	bool refused = sent < 0 && exchange_error_name(error).len == 0;
	if (sent == 0 || !conn_lock(conn))
		return;
	struct span *answered = exchange_first(conn);
	if (answered)
		atomic_store_explicit(&answered->stuck,
				      refused ||
					      (sent > 0 && (size_t)sent < iov_length(out->iov, out->iovcnt)),
				      memory_order_relaxed);
	if (!refused && still_followed(conn)) {
		struct exchange_sink sink;
		conn_sink(&sink, conn);
		if (sent < 0)
			answer_refused(conn, answered); /* the end comes with close */
		else
			conn_feed(conn, HALF_RESPONSES, out->iov, out->iovcnt, (size_t)sent, &sink);
		if (!sink.headed)
			exchange_end_overdue(conn, 1, sink.now);
	}
	conn_unlock(conn);
}

ssize_t conn_sent(struct outgoing *out, ssize_t sent, int *error)
{
	struct conn *conn = out->conn;
	ssize_t result = sent;

	if (out->planned || out->owing) {
		size_t callers = sent <= 0    ? 0
				 : out->edits ? outgoing_callers(out, (size_t)sent)
					      : (size_t)sent;
		if (out->owing)
			owed_sent(out, sent > 0 ? (size_t)sent : 0);
		else
			client_sent(out, sent, callers, *error);
		struct given *given = callers > 0 ? given_within() : NULL;
		if (given)
			given_sent(given, callers);
		if (sent > 0 && callers == 0) {
			if (*error == 0)
				*error = EAGAIN;
			result = -1;
		} else if (sent > 0) {
			result = (ssize_t)callers;
		}
	} else if (conn->mode == CONN_FOLLOWED && conn->role == ROLE_SERVER) {
		server_sent(out, sent, *error);
	} else if (conn->mode == CONN_FOLLOWED && sent > 0 && conn->role != ROLE_SERVER) {
		atomic_store(&conn->lost, true); /* the lock could not be had before the write */
	}
	block_give(out->stash);
	wide_give(out->many);
	atomic_fetch_sub(&conn->sending, 1);
	return result;
}

void conn_send_misled(struct outgoing *out)
{
	if (out->planned && conn_lock(out->conn)) {
		exchange_drop_after(out->conn, out->begun);
		conn_unlock(out->conn);
	}
	conn_send_abandoned(out);
}

void conn_send_abandoned(struct outgoing *out)
{
	atomic_store(&out->conn->lost, true);
	block_give(out->stash);
	wide_give(out->many);
	atomic_fetch_sub(&out->conn->sending, 1);
}
