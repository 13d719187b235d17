/* openssl.c - what programs read and write in the clear through OpenSSL.
 *
 * SSL_read_early_data, SSL_write_early_data and the BIO forms come by here as well: inside libssl they call
 * SSL_read_ex and SSL_write_ex by name. SSL_peek consumes nothing. The guard is not held over the real calls:
 * they run BIOs and callbacks of the host's. */
#include "hooks/openssl.h"

#include <limits.h>
#include <sys/socket.h>

#include "preload/hook.h"
#include "preload/session.h"

#define SYMBOLS(WRAP, CALL)    \
	WRAP(SSL_read)         \
	WRAP(SSL_read_ex)      \
	WRAP(SSL_write)        \
	WRAP(SSL_write_ex)     \
	WRAP(SSL_write_ex2)    \
	WRAP(SSL_sendfile)     \
	WRAP(SSL_do_handshake) \
	WRAP(SSL_connect)      \
	WRAP(SSL_accept)       \
	WRAP(SSL_shutdown)     \
	WRAP(SSL_clear)        \
	WRAP(SSL_free)

HOOK_LATE_LIBRARY(openssl, SYMBOLS);

enum { ERROR_SSL = 1, ERROR_SYSCALL = 5, ERROR_ZERO_RETURN = 6 }; /* of SSL_get_error() */
enum { CTRL_MODE = 33, MODE_ENABLE_PARTIAL_WRITE = 1 };

/* Whose call it is when nobody was found: the next definition's, as for any other hook. */
#define LIB(name) (lib && lib->name ? lib->name : REAL(name))

static void release(struct conn **session)
{
	if (!*session)
		return;
	int saved = hook_enter();
	conn_put(*session);
	hook_leave(saved);
}
#define SESSION __attribute__((cleanup(release))) struct conn *

/* Looks for the socket, whose first bytes or number the session knows. */
static void find_carrier(const struct openssl *lib, const SSL *ssl, struct conn *session)
{
	unsigned char random[32];
	session_on_fd(session, lib->SSL_get_fd(ssl));
	if (!session->carrier && lib->SSL_get_client_random(ssl, random, sizeof(random)) == sizeof(random))
		session_on_hello(session, random);
}

static struct conn *begin(const struct openssl *lib, const SSL *ssl, bool server)
{
	bool finished = lib->SSL_is_init_finished(ssl) != 0;
	struct conn *session = session_begin(ssl, server ? ROLE_SERVER : ROLE_CLIENT, !finished);
	if (session)
		session_on_fd(session, lib->SSL_get_fd(ssl));
	return session;
}

/* The session behind a read or write; made when the handshake is still to come. */
static struct conn *session_of(const SSL *ssl, const struct openssl **lib)
{
	*lib = openssl_of(ssl, false);
	if (!hook_live())
		return NULL;
	struct conn *session = session_get(ssl);
	if (session || !ssl)
		return session;
	int saved = hook_enter();
	*lib = openssl_of(ssl, true);
	if (*lib && (*lib)->whole)
		session = begin(*lib, ssl, (*lib)->SSL_is_server(ssl) != 0);
	hook_leave(saved);
	return session;
}

static void established(const struct openssl *lib, const SSL *ssl, struct conn *session)
{
	session->established = true;
	find_carrier(lib, ssl, session);
	if (session->role == ROLE_CLIENT)
		session_server_name(session, lib->SSL_get_servername(ssl, 0));
}

/* After a call that moved the handshake on, or may have done. */
static void moved(const struct openssl *lib, const SSL *ssl, struct conn *session)
{
	if (session->established || !lib->whole || !lib->SSL_is_init_finished(ssl))
		return;
	int saved = hook_enter();
	established(lib, ssl, session);
	hook_leave(saved);
}

/* --- reading
 * ---------------------------------------------------------------------------------------------------------
 */

/* got <= 0: is it the end, and which? */
static void read_nothing(const struct openssl *lib, const SSL *ssl, struct conn *session, int answer)
{
	int error = errno, why = lib->SSL_get_error(ssl, answer);
	int saved = hook_enter();
	if (why == ERROR_ZERO_RETURN || (why == ERROR_SYSCALL && error == 0) || why == ERROR_SSL)
		conn_received(session, NULL, 0, 0, 0);
	else if (why == ERROR_SYSCALL)
		conn_received(session, NULL, 0, -1, error);
	hook_leave(saved);
	errno = error;
}

static void was_read(const struct openssl *lib, const SSL *ssl, struct conn *session, void *buf, ssize_t got,
		     int answer)
{
	moved(lib, ssl, session);
	if (got <= 0) {
		if (lib->whole && session->established)
			read_nothing(lib, ssl, session, answer);
		return;
	}
	struct iovec iov = {buf, (size_t)got};
	int saved = hook_enter();
	conn_received(session, &iov, 1, got, 0);
	hook_leave(saved);
}

int SSL_read(SSL *ssl, void *buf, int num)
{
	const struct openssl *lib;
	SESSION session = session_of(ssl, &lib);
	int got = LIB(SSL_read)(ssl, buf, num);
	if (session && num > 0)
		was_read(lib, ssl, session, buf, got, got);
	return got;
}

int SSL_read_ex(SSL *ssl, void *buf, size_t num, size_t *readbytes)
{
	const struct openssl *lib;
	SESSION session = session_of(ssl, &lib);
	int done = LIB(SSL_read_ex)(ssl, buf, num, readbytes);
	if (session && num > 0)
		was_read(lib, ssl, session, buf, done == 1 ? (ssize_t)*readbytes : -1, done);
	return done;
}

/* --- writing
 * ---------------------------------------------------------------------------------------------------------
 */

struct write_call {
	const struct openssl *lib;
	SSL *ssl;
	uint64_t flags;
	enum { FORM_WRITE, FORM_EX, FORM_EX2 } form;
	int answer; /* of the last real call */
};

static ssize_t really_write(void *arg, const void *bytes, size_t count)
{
	struct write_call *call = arg;
	const struct openssl *lib = call->lib;
	size_t written = 0;
	if (call->form == FORM_WRITE)
		return call->answer = LIB(SSL_write)(call->ssl, bytes, (int)count);
	if (call->form == FORM_EX)
		call->answer = LIB(SSL_write_ex)(call->ssl, bytes, count, &written);
	else
		call->answer = LIB(SSL_write_ex2)(call->ssl, bytes, count, call->flags, &written);
	return call->answer == 1 ? (ssize_t)written : call->answer - 1; /* 0 is no success here */
}

static ssize_t write_session(struct conn *session, struct write_call *call, const void *buf, size_t num)
{
	const struct openssl *lib = call->lib;
	bool partial =
		lib->whole && (lib->SSL_ctrl(call->ssl, CTRL_MODE, 0, NULL) & MODE_ENABLE_PARTIAL_WRITE);
	ssize_t sent = session_write(session, buf, num, partial, really_write, call);
	if (!session->established) {
		moved(lib, call->ssl, session);
		if (!session->established)
			session->plain_kept = false; /* only the handshake has moved on */
	}
	if (sent <= 0 && lib->whole && errno) {
		int error = errno;
		if (lib->SSL_get_error(call->ssl, call->answer) == ERROR_SYSCALL) {
			int saved = hook_enter();
			conn_received(session, NULL, 0, -1, error);
			hook_leave(saved);
		}
		errno = error;
	}
	return sent;
}

int SSL_write(SSL *ssl, const void *buf, int num)
{
	const struct openssl *lib;
	SESSION session = session_of(ssl, &lib);
	if (!session || num <= 0)
		return LIB(SSL_write)(ssl, buf, num);
	struct write_call call = {.lib = lib, .ssl = ssl, .form = FORM_WRITE};
	ssize_t sent = write_session(session, &call, buf, (size_t)num);
	return sent > 0 ? (int)sent : call.answer;
}

static int write_ex(struct conn *session, struct write_call *call, const void *buf, size_t num,
		    size_t *written)
{
	ssize_t sent = write_session(session, call, buf, num);
	if (sent <= 0)
		return call->answer;
	*written = (size_t)sent;
	return 1;
}

int SSL_write_ex(SSL *ssl, const void *buf, size_t num, size_t *written)
{
	const struct openssl *lib;
	SESSION session = session_of(ssl, &lib);
	if (!session || num == 0 || num > INT_MAX)
		return LIB(SSL_write_ex)(ssl, buf, num, written);
	struct write_call call = {.lib = lib, .ssl = ssl, .form = FORM_EX};
	return write_ex(session, &call, buf, num, written);
}

int SSL_write_ex2(SSL *ssl, const void *buf, size_t num, uint64_t flags, size_t *written)
{
	const struct openssl *lib;
	SESSION session = session_of(ssl, &lib);
	if (!session || num == 0 || num > INT_MAX)
		return LIB(SSL_write_ex2)(ssl, buf, num, flags, written);
	struct write_call call = {.lib = lib, .ssl = ssl, .flags = flags, .form = FORM_EX2};
	return write_ex(session, &call, buf, num, written);
}

ssize_t SSL_sendfile(SSL *ssl, int fd, off_t offset, size_t size, int flags)
{
	const struct openssl *lib;
	SESSION session = session_of(ssl, &lib);
	ssize_t sent = LIB(SSL_sendfile)(ssl, fd, offset, size, flags);
	if (session && sent > 0) {
		int saved = hook_enter();
		conn_sent_unseen(session, (uint64_t)sent);
		hook_leave(saved);
	}
	return sent;
}

/* --- the handshake, and the end
 * ---------------------------------------------------------------------------------------- */

static void handshake_done(const struct openssl *lib, const SSL *ssl, struct conn *session, int done)
{
	if (done == 1) {
		moved(lib, ssl, session);
		return;
	}
	int error = errno, why = lib->SSL_get_error(ssl, done);
	if (why == ERROR_SSL || why == ERROR_SYSCALL) {
		int saved = hook_enter();
		find_carrier(lib, ssl, session);
		session_server_name(session, lib->SSL_get_servername(ssl, 0));
		session_failed(session,
			       lib->SSL_get_verify_result(ssl) != 0 ? BYTES("server_certificate_invalid")
								    : BYTES("tls_handshake_failed"),
			       why == ERROR_SYSCALL ? error : 0);
		hook_leave(saved);
	}
	errno = error;
}

/* The session whose handshake this is; a handle at its very beginning is a new one, whatever we knew of it.
 */
static struct conn *handshaking(const SSL *ssl, const struct openssl **lib, int server)
{
	*lib = openssl_of(ssl, true);
	if (!hook_live() || !ssl || !*lib || !(*lib)->whole)
		return NULL;
	struct conn *session = session_get(ssl);
	int saved = hook_enter();
	if (session && session->established && (*lib)->SSL_in_before(ssl)) {
		conn_put(session);
		session = NULL;
		session_end(ssl);
	}
	if (!session)
		session = begin(*lib, ssl, server < 0 ? (*lib)->SSL_is_server(ssl) != 0 : server != 0);
	hook_leave(saved);
	return session;
}

#define HANDSHAKE(name, server)                                   \
	int name(SSL *ssl)                                        \
	{                                                         \
		const struct openssl *lib;                        \
		SESSION session = handshaking(ssl, &lib, server); \
		int done = LIB(name)(ssl);                        \
		if (session)                                      \
			handshake_done(lib, ssl, session, done);  \
		return done;                                      \
	}
HANDSHAKE(SSL_do_handshake, -1)
HANDSHAKE(SSL_connect, 0)
HANDSHAKE(SSL_accept, 1)

int SSL_shutdown(SSL *ssl)
{
	const struct openssl *lib = openssl_of(ssl, false);
	SESSION session = hook_live() ? session_get(ssl) : NULL;
	if (session) {
		int saved = hook_enter();
		session_shutdown(session);
		hook_leave(saved);
	}
	return LIB(SSL_shutdown)(ssl);
}

static void gone(const SSL *ssl)
{
	if (!hook_live())
		return;
	int saved = hook_enter();
	session_end(ssl);
	hook_leave(saved);
}

/* libssl calls this itself at the beginning of a handshake: there it ends nothing. */
int SSL_clear(SSL *ssl)
{
	const struct openssl *lib = openssl_of(ssl, false);
	SESSION session = hook_live() ? session_get(ssl) : NULL;
	if (session && session->established)
		gone(ssl);
	return LIB(SSL_clear)(ssl);
}

void SSL_free(SSL *ssl)
{
	const struct openssl *lib = openssl_of(ssl, false);
	gone(ssl);
	LIB(SSL_free)(ssl);
}
