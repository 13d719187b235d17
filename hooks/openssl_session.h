/* openssl_session.h - a session of OpenSSL's, told by whichever of its calls the host makes: SSL_read() and
 * the like (openssl.c), or the BIO in front of it (openssl_bio.c).
 *
 * None of these holds the guard over a real call. All keep errno. */
#ifndef TAGALONG_HOOKS_OPENSSL_SESSION_H
#define TAGALONG_HOOKS_OPENSSL_SESSION_H

#include "hooks/openssl.h"
#include "preload/session.h"

void openssl_release(struct conn **session);
#define SESSION __attribute__((cleanup(openssl_release))) struct conn *

/* The session behind a read or write; made when the handshake is still to come. NULL: not to be told. *lib:
 * the library that made it, or NULL. */
struct conn *openssl_session(const SSL *ssl, const struct openssl **lib);
/* The session whose handshake this is; server < 0: ask. */
struct conn *openssl_handshaking(const SSL *ssl, const struct openssl **lib, int server);

/* After the real read, or handshake: how many bytes it gave, and what it answered. */
void openssl_was_read(const struct openssl *lib, const SSL *ssl, struct conn *session, void *buf, ssize_t got,
		      int answer);
void openssl_shaken(const struct openssl *lib, const SSL *ssl, struct conn *session, int done);

/* A write. `real` gets this struct, and leaves in `answer` what the library answered last. Returns the host's
 * bytes that went, or what `real` answered. */
struct openssl_write {
	const struct openssl *lib;
	SSL *ssl;
	int answer;
};
ssize_t openssl_write(struct conn *session, struct openssl_write *call, const void *buf, size_t num,
		      session_real_write real);

/* This side is about to say that it sends no more; about to be cleared; has lost an owner. */
void openssl_shutting(const SSL *ssl);
void openssl_clearing(const SSL *ssl);
void openssl_freeing(const SSL *ssl);

#endif
