/* conn.h - connections: what travels over a socket, turned into spans.
 *
 * A connection is made when the host's accept, connect or socketpair succeeded, found through its fd, and
 * given up when the last fd of it is closed. State is one fixed slot (plus at most one stash block), so
 * memory is bounded by TAGALONG_MAX_CONNECTIONS. Safe against close and reuse of the fd in another thread:
 * conn_get() takes a reference, conn_put() gives it back. What happens to one connection is serialised by a
 * lock that is never held over a real call and never waited for long: when it cannot be had the connection
 * goes opaque.
 *
 * All functions here expect hook_enter() to be in force (thread.busy set), unless said otherwise, and none
 * allocates or blocks. Fds that are no tracked sockets cost a table look-up. */
#ifndef TAGALONG_CONN_H
#define TAGALONG_CONN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <netinet/in.h>

#include "preload/fdtable.h"
#include "preload/pool.h"
#include "preload/protocol.h"
#include "preload/span.h"

enum conn_role {
	ROLE_UNKNOWN, /* socketpair, an fd that was passed in or inherited: the first bytes decide */
	ROLE_SERVER,
	ROLE_CLIENT,
};

enum conn_mode {
	CONN_FOLLOWED, /* parsed from its first byte */
	CONN_OPAQUE,   /* carries something we do not follow; only its lineage is kept */
};

union conn_address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_un un;
};

#define EARLY_MAX 48
#define EARLY_DONE 255

struct conn {
	_Atomic uint32_t refs; /* 0: free slot */
	_Atomic uint32_t lock;
	_Atomic bool lost;       /* bytes went by unseen (nested call, stdio): opaque at the next look */
	_Atomic uint8_t mode;    /* enum conn_mode */
	_Atomic uint8_t sending; /* real writes under way */
	_Atomic uint32_t fds;    /* descriptors that lead here */
	/* Reads and writes that a ring has, or of which we have not seen the end yet (hooks/uring.h). */
	_Atomic uint16_t ring_reads, ring_writes;
	uint32_t version[2]; /* counts feeds of each half: has anybody moved the state since? */
	uint8_t role;
	bool editable;   /* proven to be seen from the first byte it carried */
	bool connecting; /* connect() is under way */
	bool peer_known, local_known, endpoint_known;
	bool spoke;  /* a request was followed on it */
	bool doomed; /* one of its exchanges is */
	bool fed;    /* its first bytes have decided which protocol it is */
	bool reset, peer_closed, sent_end;
	bool connect_failed; /* told */
	bool expired;      /* the last wait for it alone ended with its timeout, and nothing was read since */
	uint8_t early_len; /* of early[]; EARLY_DONE: the protocol is settled */
	bool mixed;        /* opaque: several activities wrote to it and may wait for answers */
	span_ref opener;   /* activity it was made in, by exact evidence; SPAN_NOBODY */
	span_ref asker;    /* made in its window: counted there until its first call begins (loop.h) */
	uint32_t made_in;  /* the turn of the loop that made it; 0: no loop, or before it served anybody */
	span_ref writer;   /* opaque: activity that last wrote */
	uint32_t first, last; /* exchanges under way, oldest first: span index + 1 */
	uint32_t requests;    /* exchanges begun so far */
	uint32_t voided;      /* those that were none after all */
	uint32_t unseen;      /* requests under way without a span, where these are counted (correlate.h) */
	uint64_t connect_start, connect_end;
	uint64_t established_at; /* a session: the end of the handshake */
	/* Sessions and their carriers, see session.h. */
	_Atomic uintptr_t handle; /* of a session: the library's; 0: a socket */
	_Atomic uint32_t chain;
	bool tls;                     /* a session */
	bool carries;                 /* a socket that carries one */
	bool established;             /* the handshake is done */
	bool plain_kept;              /* the library holds back a write that was not edited */
	_Atomic uint8_t owners;       /* of the handle, besides the first */
	bool early_full;              /* no room for edits before the handshake is done */
	bool early_reading;           /* a read that fails now is no end */
	uint32_t early_sent;          /* early data: all that may have gone, with room for edits */
	size_t gone;                  /* the host's bytes of a write to be repeated that went already */
	struct conn *carrier;         /* of a session, with a reference; NULL: not known */
	struct conn *_Atomic carried; /* of a carrier; without */
	struct session_kept *kept;    /* an edited write that the library has not taken whole */
	struct asked *asked;          /* of a client library on it, see asked.h; NULL: none */
	uint64_t hello;               /* a socket's first bytes: from the ClientHello's random; 0: none */
	/* The rest of a value that is being overwritten and was only partly accepted. */
	uint8_t over_left;
	char over[24];
	char early[EARLY_MAX]; /* the first bytes of the requests, until the protocol is settled */
	const struct protocol *protocol;
	struct protocol_stash stash;
	struct protocol_arena arena;
	char *owed; /* NULL, or a block: see conn_owed.c */
	union conn_address peer, local;
	uint16_t peer_len, local_len;
	char peer_text[64], local_text[48], name[128];
	struct protocol_endpoint endpoint; /* of the five above, if endpoint_known */
	struct protocol_memo memo;
	/* What was agreed on, where that is to be told; see session.h. */
	struct {
		bool known, resumed;
		uint8_t version_len, cipher_len, alpn_len, name_len;
		char version[8], cipher[48], alpn[32], name[64];
	} agreed;
	uint64_t state[PROTOCOL_STATE_MAX / 8];
	_Alignas(8) char notes[2][PROTOCOL_NOTES_SIZE];
};

/* Of so many connections so few can have an arena at a time, of either size: those that are at work, and the
 * little ones hold what the others have to keep meanwhile (protocol.h). */
#define CONN_ARENAS(connections) ((connections) / 64 + 1)
#define CONN_LITTLE_ARENAS(connections) ((connections) / 4 + 1)

bool conn_init(uint32_t max_connections, const struct protocol *const *protocols);

void conn_look_at_requests(void); /* as a whole, before they are judged: exchange_request.c */

/* The connection of fd with a reference taken, or NULL. Does not need hook_enter(). */
struct conn *conn_get(int fd);
struct conn *conn_get_known(int fd, uintptr_t entry); /* the table has just answered that, a pointer */
void conn_gone(struct conn *conn);                    /* for conn_put(): that was the last one */
static inline bool conn_put_was_last(struct conn *conn)
{
	return atomic_fetch_sub_explicit(&conn->refs, 1, memory_order_acq_rel) == 1;
}
static inline void conn_put(struct conn *conn)
{
	if (__builtin_expect(conn_put_was_last(conn), 0))
		conn_gone(conn);
}

/* --- life ------------------------------------------------------------------------------------------- */
void conn_accepted(int fd, const struct sockaddr *peer, socklen_t len);   /* peer NULL: asked for later */
void conn_connecting(int fd, const struct sockaddr *peer, socklen_t len); /* before the real connect */
void conn_connected(int fd, int result, int error); /* after it; error: errno if result < 0 */
void conn_connect_result(int fd, int so_error);     /* the host asked SO_ERROR */
void conn_pair(int fd0, int fd1);                   /* socketpair, both ends here */
/* An fd that arrived over a unix socket or was inherited. Asks the kernel what it is (a system call or
 * two); anything but a connected stream socket is not tracked. */
void conn_adopted(int fd);
void conn_duplicated(int fd, int copy); /* dup: one connection, two fds; whatever copy was is dropped */
void conn_closing(int fd);           /* before the real close: last fd of it ends the exchanges under way */
void conn_forget(int fd);            /* the fd is gone or became something else, without an end we can date */
void conn_shutdown(int fd, int how); /* after a successful shutdown */
/* A wait for this descriptor alone ended with its timeout. */
void conn_wait_expired(int fd);
void conn_bypassed(int fd); /* stdio or anything unseen took over: opaque */
void conn_closing_range(unsigned first, unsigned last);
void conn_forked(void); /* child: exchanges under way belong to the parent */

/* A socket of which the session in it tells all there is to tell: what passes here is nobody's but its. */
static inline bool conn_only_carries(const struct conn *conn)
{
	return conn->carries && !conn->owed &&
	       atomic_load_explicit(&conn->mode, memory_order_relaxed) == CONN_OPAQUE;
}

/* --- bytes in --------------------------------------------------------------------------------------- */
/* After a real read of any form. got: its result, error: errno when got < 0. A peek is not told. */
void conn_received(struct conn *conn, const struct iovec *iov, int iovcnt, ssize_t got, int error);
/* Bytes that were consumed unread (MSG_TRUNC on a stream, splice, tee is no consumption). */
void conn_received_unseen(struct conn *conn, uint64_t count);

#include "preload/outgoing.h"

#endif
