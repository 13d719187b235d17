/* openssl.c - what programs read and write in the clear through OpenSSL.
 *
 * Early data comes by here a second time where libssl calls its own SSL_read_ex and SSL_write_ex by name:
 * whether it does is read from its relocations, so that nothing is told twice, or not at all. SSL_peek
 * consumes nothing. The guard is not held over the real calls: they run BIOs and callbacks of the host's. */
#include "hooks/openssl.h"

#include <limits.h>

#include "hooks/openssl_session.h"
#include "preload/hook.h"

#define SYMBOLS(WRAP, CALL)        \
	WRAP(SSL_read)             \
	WRAP(SSL_read_ex)          \
	WRAP(SSL_read_early_data)  \
	WRAP(SSL_write)            \
	WRAP(SSL_write_ex)         \
	WRAP(SSL_write_ex2)        \
	WRAP(SSL_write_early_data) \
	WRAP(SSL_sendfile)         \
	WRAP(SSL_do_handshake)     \
	WRAP(SSL_connect)          \
	WRAP(SSL_accept)           \
	WRAP(SSL_shutdown)         \
	WRAP(SSL_clear)            \
	WRAP(SSL_dup)              \
	WRAP(SSL_up_ref)           \
	WRAP(SSL_free)

HOOK_LATE_LIBRARY(openssl, SYMBOLS);

enum { READ_EARLY_DATA_SUCCESS = 1 };

/* Whose call it is when nobody was found: the next definition's, as for any other hook. */
#define LIB(name) (lib && lib->name ? lib->name : REAL(name))

int SSL_read(SSL *ssl, void *buf, int num)
{
	const struct openssl *lib;
	SESSION session = openssl_session(ssl, &lib);
	int got = LIB(SSL_read)(ssl, buf, num);
	if (session && num > 0)
		openssl_was_read(lib, ssl, session, buf, got, got);
	return got;
}

int SSL_read_ex(SSL *ssl, void *buf, size_t num, size_t *readbytes)
{
	const struct openssl *lib;
	SESSION session = openssl_session(ssl, &lib);
	int done = LIB(SSL_read_ex)(ssl, buf, num, readbytes);
	if (session && num > 0)
		openssl_was_read(lib, ssl, session, buf, done == 1 ? (ssize_t)*readbytes : -1, done);
	return done;
}

int SSL_read_early_data(SSL *ssl, void *buf, size_t num, size_t *readbytes)
{
	const struct openssl *lib;
	SESSION session = openssl_session(ssl, &lib);
	if (session)
		session->early_reading = true;
	int done = LIB(SSL_read_early_data)(ssl, buf, num, readbytes);
	if (session)
		session->early_reading = false;
	if (session && num > 0 && !lib->reads_by_name && done == READ_EARLY_DATA_SUCCESS)
		openssl_was_read(lib, ssl, session, buf, (ssize_t)*readbytes, 1);
	return done;
}

/* --- writing
 * ---------------------------------------------------------------------------------------------------------
 */

struct write_call {
	struct openssl_write base;
	uint64_t flags;
	enum { FORM_WRITE, FORM_EX, FORM_EX2, FORM_EARLY } form;
};

static ssize_t really_write(void *arg, const void *bytes, size_t count)
{
	struct write_call *call = arg;
	const struct openssl *lib = call->base.lib;
	SSL *ssl = call->base.ssl;
	size_t written = 0;
	int *answer = &call->base.answer;
	if (call->form == FORM_WRITE)
		return *answer = LIB(SSL_write)(ssl, bytes, (int)count);
	if (call->form == FORM_EX)
		*answer = LIB(SSL_write_ex)(ssl, bytes, count, &written);
	else if (call->form == FORM_EARLY)
		*answer = LIB(SSL_write_early_data)(ssl, bytes, count, &written);
	else
		*answer = LIB(SSL_write_ex2)(ssl, bytes, count, call->flags, &written);
	return *answer == 1 ? (ssize_t)written : *answer - 1; /* 0 is no success here */
}

int SSL_write(SSL *ssl, const void *buf, int num)
{
	const struct openssl *lib;
	SESSION session = openssl_session(ssl, &lib);
	if (!session || num <= 0)
		return LIB(SSL_write)(ssl, buf, num);
	struct write_call call = {.base = {.lib = lib, .ssl = ssl}, .form = FORM_WRITE};
	ssize_t sent = openssl_write(session, &call.base, buf, (size_t)num, really_write);
	return sent > 0 ? (int)sent : call.base.answer;
}

static int write_ex(struct conn *session, struct write_call *call, const void *buf, size_t num,
		    size_t *written)
{
	ssize_t sent = openssl_write(session, &call->base, buf, num, really_write);
	if (sent <= 0)
		return call->base.answer;
	*written = (size_t)sent;
	return 1;
}

int SSL_write_ex(SSL *ssl, const void *buf, size_t num, size_t *written)
{
	const struct openssl *lib;
	SESSION session = openssl_session(ssl, &lib);
	if (!session || num == 0 || num > INT_MAX)
		return LIB(SSL_write_ex)(ssl, buf, num, written);
	struct write_call call = {.base = {.lib = lib, .ssl = ssl}, .form = FORM_EX};
	return write_ex(session, &call, buf, num, written);
}

int SSL_write_ex2(SSL *ssl, const void *buf, size_t num, uint64_t flags, size_t *written)
{
	const struct openssl *lib;
	SESSION session = openssl_session(ssl, &lib);
	if (!session || num == 0 || num > INT_MAX)
		return LIB(SSL_write_ex2)(ssl, buf, num, flags, written);
	struct write_call call = {.base = {.lib = lib, .ssl = ssl}, .flags = flags, .form = FORM_EX2};
	return write_ex(session, &call, buf, num, written);
}

/* How much early data the server takes was laid down with the ticket; more ends the connection. */
static uint32_t early_room(const struct openssl *lib, const SSL *ssl)
{
	const SSL_SESSION *ticket = lib->SSL_get_session ? lib->SSL_get_session(ssl) : NULL;
	return ticket && lib->SSL_SESSION_get_max_early_data ? lib->SSL_SESSION_get_max_early_data(ticket)
							     : 0;
}

int SSL_write_early_data(SSL *ssl, const void *buf, size_t num, size_t *written)
{
	const struct openssl *lib;
	SESSION session = openssl_session(ssl, &lib);
	if (!session || num == 0 || num > INT_MAX || !lib->whole)
		return LIB(SSL_write_early_data)(ssl, buf, num, written);
	if (session->role == ROLE_CLIENT)
		session_early(session, num, early_room(lib, ssl));
	if (lib->writes_by_name)
		return lib->SSL_write_early_data(ssl, buf, num, written);
	struct write_call call = {.base = {.lib = lib, .ssl = ssl}, .form = FORM_EARLY};
	return write_ex(session, &call, buf, num, written);
}

ssize_t SSL_sendfile(SSL *ssl, int fd, off_t offset, size_t size, int flags)
{
	const struct openssl *lib;
	SESSION session = openssl_session(ssl, &lib);
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

#define HANDSHAKE(name, server)                                           \
	int name(SSL *ssl)                                                \
	{                                                                 \
		const struct openssl *lib;                                \
		SESSION session = openssl_handshaking(ssl, &lib, server); \
		int done = LIB(name)(ssl);                                \
		if (session)                                              \
			openssl_shaken(lib, ssl, session, done);          \
		return done;                                              \
	}
HANDSHAKE(SSL_do_handshake, -1)
HANDSHAKE(SSL_connect, 0)
HANDSHAKE(SSL_accept, 1)

int SSL_shutdown(SSL *ssl)
{
	const struct openssl *lib = openssl_of(ssl, false);
	openssl_shutting(ssl);
	return LIB(SSL_shutdown)(ssl);
}

int SSL_clear(SSL *ssl)
{
	const struct openssl *lib = openssl_of(ssl, false);
	openssl_clearing(ssl);
	return LIB(SSL_clear)(ssl);
}

static void shared(const SSL *ssl)
{
	SESSION session = hook_live() ? session_get(ssl) : NULL;
	if (session)
		atomic_fetch_add(&session->owners, 1);
}

int SSL_up_ref(SSL *ssl)
{
	const struct openssl *lib = openssl_of(ssl, false);
	int done = LIB(SSL_up_ref)(ssl);
	if (done == 1)
		shared(ssl);
	return done;
}

/* Of a handshake that has begun it is the same handle once more. */
SSL *SSL_dup(SSL *ssl)
{
	const struct openssl *lib = openssl_of(ssl, false);
	SSL *copy = LIB(SSL_dup)(ssl);
	if (copy && copy == ssl)
		shared(ssl);
	return copy;
}

void SSL_free(SSL *ssl)
{
	const struct openssl *lib = openssl_of(ssl, false);
	openssl_freeing(ssl);
	LIB(SSL_free)(ssl);
}
