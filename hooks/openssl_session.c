/* openssl_session.c - what becomes of a session of OpenSSL's; see openssl_session.h. */
#include "hooks/openssl_session.h"

#include <errno.h>
#include <sys/socket.h>

#include "preload/clock.h"
#include "preload/hook.h"

enum { ERROR_SSL = 1, ERROR_SYSCALL = 5, ERROR_ZERO_RETURN = 6 }; /* of SSL_get_error() */
enum { CTRL_MODE = 33, MODE_ENABLE_PARTIAL_WRITE = 1 };
enum { EARLY_DATA_REJECTED = 1 };

void openssl_release(struct conn **session)
{
	if (!*session)
		return;
	int saved = hook_enter();
	conn_put(*session);
	hook_leave(saved);
}

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
struct conn *openssl_session(const SSL *ssl, const struct openssl **lib)
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

static void note_facts(const struct openssl *lib, const SSL *ssl, struct conn *session)
{
	const unsigned char *alpn = NULL;
	unsigned int alpn_len = 0;
	if (!session_wants_facts() || !lib->SSL_get_version)
		return;
	struct session_facts facts = {.version = bytes_of(lib->SSL_get_version(ssl))};
	const SSL_CIPHER *cipher = lib->SSL_get_current_cipher ? lib->SSL_get_current_cipher(ssl) : NULL;
	const char *name =
		cipher && lib->SSL_CIPHER_standard_name ? lib->SSL_CIPHER_standard_name(cipher) : NULL;
	const char *server = lib->SSL_get_servername(ssl, 0);
	if (name)
		facts.cipher = bytes_of(name);
	if (server)
		facts.server_name = bytes_of(server);
	if (lib->SSL_get0_alpn_selected)
		lib->SSL_get0_alpn_selected(ssl, &alpn, &alpn_len);
	if (alpn)
		facts.alpn = (struct bytes){(const char *)alpn, alpn_len};
	facts.resumed = lib->SSL_session_reused && lib->SSL_session_reused(ssl);
	session_facts(session, &facts);
}

static void established(const struct openssl *lib, const SSL *ssl, struct conn *session)
{
	session->established = true;
	session->established_at = clock_now();
	session->early_full = false;
	find_carrier(lib, ssl, session);
	if (session->role == ROLE_CLIENT)
		session_server_name(session, lib->SSL_get_servername(ssl, 0));
	if (session->early_sent && lib->SSL_get_early_data_status &&
	    lib->SSL_get_early_data_status(ssl) == EARLY_DATA_REJECTED)
		session_early_rejected(session);
	note_facts(lib, ssl, session);
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

void openssl_was_read(const struct openssl *lib, const SSL *ssl, struct conn *session, void *buf, ssize_t got,
		      int answer)
{
	moved(lib, ssl, session);
	if (got <= 0) {
		if (!lib->whole || session->early_reading)
			return;
		if (session->established)
			read_nothing(lib, ssl, session, answer);
		else
			openssl_shaken(lib, ssl, session, answer);
		return;
	}
	struct iovec iov = {buf, (size_t)got};
	int saved = hook_enter();
	conn_received(session, &iov, 1, got, 0);
	hook_leave(saved);
}

ssize_t openssl_write(struct conn *session, struct openssl_write *call, const void *buf, size_t num,
		      session_real_write real)
{
	const struct openssl *lib = call->lib;
	/* Nothing is put into what a server writes: what the library answers is the answer. */
	bool partial =
		session->role == ROLE_SERVER ||
		(lib->whole && (lib->SSL_ctrl(call->ssl, CTRL_MODE, 0, NULL) & MODE_ENABLE_PARTIAL_WRITE));
	ssize_t sent = session_write(session, buf, num, partial, real, call);
	if (!session->established) {
		moved(lib, call->ssl, session);
		if (!session->established)
			session->plain_kept = false; /* only the handshake has moved on */
	}
	if (sent <= 0 && lib->whole && !session->established) {
		openssl_shaken(lib, call->ssl, session, call->answer);
	} else if (sent <= 0 && lib->whole && errno) {
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

/* Has the peer said anything? A BIO that connects, and could not, has called nobody, or the socket has told
 * it. */
static bool answered(const struct openssl *lib, const SSL *ssl)
{
	BIO *from = lib->SSL_get_rbio ? lib->SSL_get_rbio(ssl) : NULL;
	return lib->SSL_get_verify_result(ssl) != 0 ||
	       (from && lib->bio.number_read && lib->bio.number_read(from) > 0);
}

void openssl_shaken(const struct openssl *lib, const SSL *ssl, struct conn *session, int done)
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
		if (session->role != ROLE_CLIENT || session->carrier || answered(lib, ssl))
			session_failed(session,
				       lib->SSL_get_verify_result(ssl) != 0
					       ? BYTES("server_certificate_invalid")
					       : BYTES("tls_handshake_failed"),
				       why == ERROR_SYSCALL ? error : 0);
		hook_leave(saved);
	}
	errno = error;
}

/* The session whose handshake this is; a handle at its very beginning is a new one, whatever we knew of it.
 */
struct conn *openssl_handshaking(const SSL *ssl, const struct openssl **lib, int server)
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

/* --- the end
 * ---------------------------------------------------------------------------------------------------------
 */

void openssl_shutting(const SSL *ssl)
{
	SESSION session = hook_live() ? session_get(ssl) : NULL;
	if (!session)
		return;
	int saved = hook_enter();
	session_shutdown(session);
	hook_leave(saved);
}

/* libssl clears a handle itself at the beginning of a handshake: there it ends nothing. */
void openssl_clearing(const SSL *ssl)
{
	SESSION session = hook_live() ? session_get(ssl) : NULL;
	if (!session || !session->established)
		return;
	int saved = hook_enter();
	session_end(ssl);
	hook_leave(saved);
}

void openssl_freeing(const SSL *ssl)
{
	if (!hook_live())
		return;
	int saved = hook_enter();
	session_freed(ssl);
	hook_leave(saved);
}
