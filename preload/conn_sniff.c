/* conn_sniff.c - which protocol a connection speaks: the first of the list that its first bytes fit. */
#include "preload/conn_internal.h"

#include <string.h>

#include "preload/session.h"

/* A trial that nobody hears: only whether the bytes are refused. */
struct trial {
	struct protocol_sink base; /* first */
	struct protocol_stash stash;
	struct protocol_arena arena;
	bool refused;
};

static void trial_event(struct protocol_sink *sink, const struct protocol_event *event)
{
	struct trial *trial = (struct trial *)(void *)sink;
	if (event->type == EVENT_OPAQUE && event->number == OPAQUE_NOT_MINE)
		trial->refused = true;
}

static char *no_block(struct protocol_stash *stash)
{
	(void)stash;
	return NULL;
}

static char *no_arena(struct protocol_arena *arena)
{
	(void)arena;
	return NULL;
}

static bool fits(const struct protocol *protocol, struct bytes bytes)
{
	uint64_t state[PROTOCOL_STATE_MAX / 8];
	struct trial trial = {.base.event = trial_event, .stash.take = no_block, .arena.take = no_arena};

	trial.base.stash = &trial.stash;
	trial.base.arena = &trial.arena;
	protocol->open(state);
	protocol->feed(state, HALF_REQUESTS, bytes, &trial.base);
	return !trial.refused;
}

static size_t gather(char *room, size_t size, const struct iovec *iov, int iovcnt, size_t count)
{
	size_t used = 0;
	for (int i = 0; i < iovcnt && count > 0 && used < size; i++) {
		size_t take = iov[i].iov_len < count ? iov[i].iov_len : count;
		count -= take;
		if (take > size - used)
			take = size - used;
		if (take)
			memcpy(room + used, iov[i].iov_base, take);
		used += take;
	}
	return used;
}

static void change(struct conn *conn, const struct protocol *protocol)
{
	struct exchange_sink sink;
	struct iovec early = {conn->early, conn->early_len};

	exchange_drop_after(conn, 0); /* what the wrong one took for a request */
	conn->requests = 0;
	block_give(conn->stash.block);
	conn->stash.block = NULL;
	conn->protocol = protocol;
	protocol->open(conn->state);
	if (conn->early_len == 0)
		return;
	conn_sink(&sink, conn);
	conn_feed(conn, HALF_REQUESTS, &early, 1, conn->early_len, &sink);
}

void conn_sniff(struct conn *conn, const struct iovec *iov, int iovcnt, size_t count)
{
	char room[2 * EARLY_MAX];

	if (conn->early_len == EARLY_DONE)
		return;
	memcpy(room, conn->early, conn->early_len);
	struct bytes bytes = {room, conn->early_len};
	bytes.len += gather(room + bytes.len, sizeof(room) - bytes.len, iov, iovcnt, count);
	session_note_hello(conn, bytes);
	if (bytes.len == 0 || fits(conn->protocol, bytes))
		return;
	for (const struct protocol *const *at = conn_protocols(); *at; at++) {
		/* One that knows its first bytes for certain is chosen by conn_choose(). */
		if (*at == conn->protocol || (*at)->begins ||
		    ((*at)->database && conn->role == ROLE_SERVER) || !fits(*at, bytes))
			continue;
		change(conn, *at);
		return;
	}
}

void conn_sniffed(struct conn *conn, const struct iovec *iov, int iovcnt, size_t count)
{
	if (conn->early_len == EARLY_DONE)
		return;
	size_t used = conn->early_len;
	used += gather(conn->early + used, EARLY_MAX - used, iov, iovcnt, count);
	session_note_hello(conn, (struct bytes){conn->early, used});
	conn->early_len = used < EARLY_MAX ? (uint8_t)used : EARLY_DONE;
}

void conn_switch(struct conn *conn, enum protocol_half half, struct bytes piece, struct exchange_sink *sink)
{
	const struct protocol *next = sink->next;
	struct span *span = exchange_first(conn);

	sink->next = NULL;
	sink->recent = NULL;
	if (span && (span->exchange != sink->next_exchange || exchange_last(conn) != span)) {
		conn_opaque(conn, OPAQUE_HANDED_OVER, 0);
		return;
	}
	if (span)
		span->exchange = 1;
	conn->requests = 1;
	conn->early_len = EARLY_DONE;
	block_give(conn->stash.block);
	conn->stash.block = NULL;
	conn->protocol = next;
	next->take_over(conn->state, (struct bytes){sink->hello, sink->hello_len}, &sink->base);
	piece = bytes_from(piece, sink->next_at);
	if (piece.len)
		next->feed(conn->state, half, piece, &sink->base);
}
