/* session_write.c - writes into a TLS session, edited; see session.h.
 *
 * A library that could not write must be asked again with the very same bytes. So an edited write is planned
 * once, and its plan and the bytes that stand in for the host's live on in blocks of the session's until all
 * of it has gone; only then the connection hears of it. The host's own bytes behind the last edit are written
 * from where they are. */
#include "preload/session.h"

#include <string.h>

#include "preload/conn_internal.h"
#include "preload/hook.h"

struct session_kept {
	struct outgoing out;
	struct iovec iov; /* what out.iov points to */
	size_t done;      /* edited bytes that went */
	size_t edits_end; /* edited bytes up to the end of the last edit */
	char *bytes;      /* a block: what is being written now ... */
	size_t at, len;   /* ... of which [at, len) has not gone */
	size_t room;      /* used of text[] */
	char text[];      /* of edits whose text would not live long enough */
};

#define TEXT_ROOM (BLOCK_SIZE - sizeof(struct session_kept))

static void give(struct conn *session)
{
	struct session_kept *kept = session->kept;
	session->kept = NULL;
	block_give(kept->bytes);
	block_give((char *)kept);
}

void session_drop_write(struct conn *session)
{
	if (!session->kept)
		return;
	conn_send_abandoned(&session->kept->out);
	give(session);
}

/* Texts that stand in a span are gone with it, and that may end before all of a refused write has gone. */
static void keep_texts(struct session_kept *kept)
{
	struct outgoing *out = &kept->out;
	for (int i = 0; i < out->edits; i++) {
		struct bytes *text = &out->edit[i].text;
		bool inside = text->ptr >= out->text && text->ptr < out->text + sizeof(out->text);
		if (inside || text->len > TEXT_ROOM - kept->room)
			continue;
		memcpy(kept->text + kept->room, text->ptr, text->len);
		text->ptr = kept->text + kept->room;
		kept->room += text->len;
	}
}

static size_t end_of_edits(const struct outgoing *out)
{
	struct outgoing_runs runs = {.out = out};
	struct outgoing_run run;
	size_t at = 0, end = 0;
	while (outgoing_next(&runs, &run)) {
		at += run.len;
		if (run.edit)
			end = at;
	}
	return end;
}

/* Plans the write. NULL: it goes out as it is, and *out was begun, which goes on reading *iov. */
static struct session_kept *plan(struct conn *session, const struct iovec *iov, struct outgoing *out)
{
	bool plain = session->role == ROLE_SERVER || session->plain_kept || session->early_full ||
		     (session->mode == CONN_OPAQUE && !session->owed);
	struct session_kept *kept = plain ? NULL : (struct session_kept *)(void *)block_take();
	char *block = kept ? block_take() : NULL;

	if (!block) { /* a server's write, or one that may not be edited */
		block_give((char *)kept);
		out->frozen = true;
		conn_sending(out, session, iov, 1);
		return NULL;
	}
	kept->iov = *iov;
	kept->out.frozen = false;
	kept->bytes = block;
	kept->done = kept->edits_end = kept->at = kept->len = kept->room = 0;
	session->kept = kept;
	if (conn_sending(&kept->out, session, &kept->iov, 1)) {
		keep_texts(kept);
		kept->edits_end = end_of_edits(&kept->out);
	}
	return kept;
}

/* What to write next: more of the edited bytes into the block, or (all edits behind) the host's own. */
static struct bytes next_piece(struct session_kept *kept, const void *bytes)
{
	struct outgoing *out = &kept->out;
	struct iovec pieces[256];

	/* The host may have moved its bytes since the last try. */
	kept->iov.iov_base = (void *)(uintptr_t)bytes;
	out->iov = &kept->iov;
	if (kept->at < kept->len)
		return (struct bytes){kept->bytes + kept->at, kept->len - kept->at};
	if (kept->done >= kept->edits_end) {
		size_t from = outgoing_callers(out, kept->done);
		return (struct bytes){(const char *)bytes + from, out->length - from};
	}
	kept->at = kept->len = 0;
	int n = outgoing_iov(out, kept->done, pieces, 256);
	for (int i = 0; i < n && kept->len < BLOCK_SIZE; i++) {
		size_t take = pieces[i].iov_len;
		if (take > BLOCK_SIZE - kept->len)
			take = BLOCK_SIZE - kept->len;
		memcpy(kept->bytes + kept->len, pieces[i].iov_base, take);
		kept->len += take;
	}
	return (struct bytes){kept->bytes, kept->len};
}

/* Tells the connection. What of the edited bytes has not gone comes with the host's next write. */
static ssize_t settle(struct conn *session)
{
	struct session_kept *kept = session->kept;
	int error = 0;
	ssize_t callers = conn_sent(&kept->out, (ssize_t)kept->done, &error);
	give(session);
	return callers;
}

/* A host that was told of some of its bytes is free to write what it likes next: so after a success nothing
 * may be held back in the library, and a partial write ends with the first call that took bytes of the
 * host's. */
static ssize_t write_kept(struct conn *session, const void *bytes, size_t count, bool partial,
			  session_real_write real, void *arg)
{
	struct session_kept *kept = session->kept;
	size_t total = outgoing_length(&kept->out);

	if (count < kept->out.length) /* no repetition: the library will not have it either */
		return real(arg, bytes, count);
	for (;;) {
		int saved = hook_enter();
		struct bytes piece = next_piece(kept, bytes);
		bool own = kept->at < kept->len;
		hook_leave(saved);
		ssize_t sent = real(arg, piece.ptr, piece.len);
		if (sent <= 0)
			return sent;
		saved = hook_enter();
		kept->done += (size_t)sent;
		kept->at += own ? (size_t)sent : 0;
		if (kept->done >= total || (partial && outgoing_callers(&kept->out, kept->done) > 0))
			sent = settle(session);
		hook_leave(saved);
		if (session->kept != kept)
			return sent;
	}
}

ssize_t session_write_on(struct conn *session, session_real_write real, void *arg)
{
	struct session_kept *kept = session->kept;
	if (kept->at == kept->len) /* the host's own */
		return real(arg, NULL, 0);
	ssize_t sent = real(arg, kept->bytes + kept->at, kept->len - kept->at);
	if (sent <= 0)
		return sent;
	int saved = hook_enter();
	kept->done += (size_t)sent;
	kept->at += (size_t)sent;
	ssize_t callers = (ssize_t)outgoing_callers(&kept->out, kept->done);
	if (kept->done == outgoing_length(&kept->out)) {
		session->early_len = EARLY_DONE; /* the host's bytes are not here to be looked at */
		settle(session);
	} else {
		session_drop_write(session);
	}
	hook_leave(saved);
	return callers;
}

static void plain_abandoned(struct outgoing *out)
{
	if (!out->conn)
		return;
	int saved = hook_enter();
	conn_send_abandoned(out);
	hook_leave(saved);
}

/* A write that is not edited is told at once. If it must be repeated, the library may have sent part of it
 * already: nothing may be put in then. */
static ssize_t write_plain(struct conn *session, struct outgoing *out, const void *bytes, size_t count,
			   session_real_write real, void *arg)
{
	ssize_t sent = real(arg, bytes, count);
	int saved = hook_enter(), error = saved;
	session->plain_kept = sent <= 0;
	conn_sent(out, sent > 0 ? sent : -1, &error);
	out->conn = NULL;
	hook_leave(saved);
	return sent;
}

static ssize_t write_once(struct conn *session, const void *bytes, size_t count, bool partial,
			  session_real_write real, void *arg)
{
	if (session->kept)
		return write_kept(session, bytes, count, partial, real, arg);
	struct iovec iov = {(void *)(uintptr_t)bytes, count};
	__attribute__((cleanup(plain_abandoned))) struct outgoing out;
	out.conn = NULL;
	int saved = hook_enter();
	struct session_kept *kept = plan(session, &iov, &out);
	hook_leave(saved);
	if (!kept)
		return write_plain(session, &out, bytes, count, real, arg);
	if (kept->out.edits)
		return write_kept(session, bytes, count, partial, real, arg);
	ssize_t sent = real(arg, bytes, count);
	saved = hook_enter();
	int error = saved;
	session->plain_kept = sent <= 0;
	if (session->kept == kept) {
		conn_sent(&kept->out, sent > 0 ? sent : -1, &error);
		give(session);
	}
	hook_leave(saved);
	return sent;
}

ssize_t session_write(struct conn *session, const void *bytes, size_t count, bool partial,
		      session_real_write real, void *arg)
{
	/* A repeated write may be longer than what was planned; without `partial` all of it has to go. */
	for (;;) {
		size_t gone = session->gone;
		if (gone >= count)
			gone = 0;
		ssize_t sent =
			write_once(session, (const char *)bytes + gone, count - gone, partial, real, arg);
		if (sent <= 0)
			return sent;
		gone += (size_t)sent;
		session->gone = 0;
		if (partial || gone >= count)
			return (ssize_t)gone;
		session->gone = gone;
	}
}
