/* session.h - TLS sessions: a connection whose bytes are the plaintext of another one.
 *
 * A session is a struct conn of its own (protocol, spans, edits: all as for a socket), found by the library's
 * handle instead of an fd. The socket underneath is its carrier: opaque, and silent about whose turn it is,
 * because the session says that better. Sessions come out of the same pool as sockets, so
 * TAGALONG_MAX_CONNECTIONS bounds both.
 *
 * The carrier is known by its fd where the library has one; else by the random of the ClientHello that it
 * carried, which both sides of a session know and nobody else has. Without a carrier a session lacks
 * addresses, nothing more.
 *
 * As in conn.h, all expect hook_enter() to be in force unless said otherwise; none allocates, blocks or calls
 * the library. */
#ifndef TAGALONG_SESSION_H
#define TAGALONG_SESSION_H

#include "preload/conn.h"

bool session_init(uint32_t max_connections);

/* The session of this handle with a reference taken, or NULL. Does not need hook_enter(). */
struct conn *session_get(const void *handle);
/* A new one, with a reference taken. Not followed: application bytes went by already, it is opaque. NULL: no
 * room. */
struct conn *session_begin(const void *handle, enum conn_role role, bool followed);
/* The handle is made ready for another session. */
void session_end(const void *handle);
/* One of its owners has freed it. */
void session_freed(const void *handle);

/* Who carries it; nothing happens when it has a carrier already or none can be found. */
void session_on_fd(struct conn *session, int fd);
void session_on_hello(struct conn *session, const unsigned char random[32]);
/* The session that a socket carries, with a reference, or NULL. */
struct conn *session_above(const struct conn *carrier);
/* A socket's first bytes: is it a ClientHello? Takes nothing else as one. */
void session_note_hello(struct conn *conn, struct bytes first);

void session_server_name(struct conn *session, const char *name); /* where the program looked none up */
/* The handshake failed for good: of a client, a call that failed. Once. error: the socket's, if it was that.
 */
void session_failed(struct conn *session, struct bytes error_type, int error);
/* This side has said that it sends no more. */
void session_shutdown(struct conn *session);

/* A client is about to write early data, of which the server takes `most` bytes. Where there is no room for
 * edits, it goes out as it is. Does not need hook_enter(). */
void session_early(struct conn *session, size_t count, size_t most);
/* The server did not take it: those requests failed, and the session's bytes begin anew. */
void session_early_rejected(struct conn *session);

/* session_facts.c: what the handshake agreed on, as the library names it; kept when it is to be told. */
struct session_facts {
	struct bytes version, cipher, alpn, server_name;
	bool resumed;
};
bool session_wants_facts(void);
void session_facts(struct conn *session, const struct session_facts *facts);

/* For conn.c: the end of a session's slot; the end of a carrier; the child of a fork. */
void session_cleanup(struct conn *conn);
void session_carrier_closed(const struct conn *carrier);
void session_forked(void);

/* --- writing: session_write.c
 * ------------------------------------------------------------------------------------- */
/* The library's write of `count` bytes: how many went, or <= 0 when it must be asked again with the same
 * bytes, or never. */
typedef ssize_t (*session_real_write)(void *arg, const void *bytes, size_t count);

/* A write of the host's, edited where context is to be put in; what is edited is written from memory of ours,
 * which stays until the library has taken it. partial: the library may take less than it is given, and so may
 * we. Returns the caller's bytes that went, or what the last real call answered. Does not need hook_enter().
 */
ssize_t session_write(struct conn *session, const void *bytes, size_t count, bool partial,
		      session_real_write real, void *arg);
/* The host asks for what was held back without handing over its bytes again. Only when session->kept. */
ssize_t session_write_on(struct conn *session, session_real_write real, void *arg);
/* Gives up what session_write() keeps. */
void session_drop_write(struct conn *session);

#endif
