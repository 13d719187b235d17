/* outgoing.h - a write on its way out of a connection: looked at before the real call, edited, accounted for
 * after it.
 *
 * Included by conn.h, whose rules apply. */
#ifndef TAGALONG_OUTGOING_H
#define TAGALONG_OUTGOING_H

#include "preload/conn.h"

#define OUTGOING_FEW 8 /* edits of one write; for more, a wide block is taken */

struct outgoing_edit {
	size_t offset;     /* in the caller's bytes */
	bool replaces;     /* text stands in place of as many of the caller's bytes; else it is put in */
	bool patch;        /* of a length that counts what is put in */
	struct bytes text; /* lives in a span or in the connection */
	uint32_t span;     /* index + 1 of the span it belongs to; 0: the rest of conn->over */
};

/* One write under way: lives on the caller's stack between the two calls. */
struct outgoing {
	struct conn *conn;
	const struct iovec *iov; /* the caller's */
	int iovcnt;
	size_t length;  /* the caller's bytes */
	bool owing;     /* the edits are what the connection owes, see conn_owed.c */
	bool planned;   /* a followed client's write: the parser has run ahead, `state` is where it stood */
	bool frozen;    /* no edit (MSG_ZEROCOPY) */
	uint8_t opaque; /* enum protocol_opaque seen ahead, 0: none */
	uint32_t version[2];
	const struct protocol *protocol; /* and fed: as they were before */
	bool fed;
	uint32_t begun; /* conn->requests before */
	void *saved;    /* the unfinished head's saved fields before */
	bool stashed;   /* part of a head is in the connection's stash ... */
	char *stash;    /* ... of which this is a copy; NULL: there was no room for one */
	int edits, edit_room;
	struct outgoing_edit *edit;
	struct outgoing_edit few[OUTGOING_FEW];
	char *many;
	uint32_t texts; /* used of text[] */
	char text[384]; /* of the edits: a span may end while its bytes are on their way */
	uint64_t state[PROTOCOL_STATE_MAX / 8];
};

/* Before the real write; out->frozen is the caller's to set. True: the bytes must be sent edited, through
 * outgoing_iov(). Always followed by conn_sent(). */
bool conn_sending(struct outgoing *out, struct conn *conn, const struct iovec *iov, int iovcnt);
/* The edited bytes from `done` edited bytes on, as pieces. Returns how many (<= most). */
int outgoing_iov(const struct outgoing *out, size_t done, struct iovec *pieces, int most);
size_t outgoing_length(const struct outgoing *out); /* edited bytes in all */
/* Is there room for so many edits more? */
bool outgoing_room(struct outgoing *out, int count);
/* How many of the caller's bytes are in the first `sent` edited ones. */
size_t outgoing_callers(const struct outgoing *out, size_t sent);
/* After it. sent: edited bytes that the kernel took (-1 and errno in error: none). Returns the caller's
 * bytes that went, or -1 when the call must fail (*error: the kernel's, which is also what stopped a write of
 * which only our bytes went; EAGAIN if none is given). */
ssize_t conn_sent(struct outgoing *out, ssize_t sent, int *error);
/* The thread was cancelled in the real write: nobody knows what went. */
void conn_send_abandoned(struct outgoing *out);
/* The number was no socket any more: what was looked at ahead never was a request. */
void conn_send_misled(struct outgoing *out);
/* Bytes that went out without passing through memory of ours (sendfile, splice). */
void conn_sent_unseen(struct conn *conn, uint64_t count);

#endif
