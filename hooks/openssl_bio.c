/* openssl_bio.c - a session read and written through the BIO that has it (BIO_f_ssl).
 *
 * That BIO's methods call libssl's inner functions, which nobody can stand in front of; and where another BIO
 * stands in front of it (BIO_f_buffer) even the calls of its methods are libcrypto's own. So its methods
 * themselves are ours: a copy of libssl's table, in memory of ours, in which four functions lead here and on
 * to libssl's. What the session gets is told exactly, whatever stands in front, and no other BIO costs
 * anything.
 *
 * Libraries that call their own BIO_f_ssl() by name take ours; in what another one has made, the pointer to
 * the table is exchanged, which is the first or second word of a BIO: where it is neither, nothing is. */
#include <limits.h>
#include <sched.h>
#include <string.h>

#include "hooks/openssl_session.h"
#include "preload/counters.h"
#include "preload/hook.h"
#include "preload/object.h"
#include "preload/readable.h"

#define SYMBOLS(WRAP, CALL)       \
	WRAP(BIO_f_ssl)           \
	WRAP(BIO_new_ssl)         \
	WRAP(BIO_new_ssl_connect) \
	WRAP(BIO_new_buffer_ssl_connect)

HOOK_LATE_LIBRARY(openssl_bio, SYMBOLS);

enum { CTRL_RESET = 1, CTRL_GET_CLOSE = 8, C_DO_STATE_MACHINE = 101, C_SET_SSL = 109, C_GET_SSL = 110 };

#define LIB(name) (lib && lib->name ? lib->name : REAL(name))

/* --- the methods
 * ---------------------------------------------------------------------------------------------------------
 */

static SSL *inside(const struct openssl *lib, BIO *bio)
{
	SSL *ssl = NULL;
	lib->bio.ctrl(bio, C_GET_SSL, 0, &ssl);
	return ssl;
}

static int read_session(BIO *bio, char *buf, size_t num, size_t *readbytes)
{
	const struct openssl *lib = openssl_of_bio(bio), *owner;
	SSL *ssl = buf && num ? inside(lib, bio) : NULL;
	SESSION session = ssl ? openssl_session(ssl, &owner) : NULL;
	int done = lib->bio.read(bio, buf, num, readbytes);
	if (session)
		openssl_was_read(lib, ssl, session, buf, done > 0 ? (ssize_t)*readbytes : -1, done);
	return done;
}

struct bio_write {
	struct openssl_write base;
	BIO *bio;
};

static ssize_t really_write(void *arg, const void *bytes, size_t count)
{
	struct bio_write *call = arg;
	size_t written = 0;
	call->base.answer = call->base.lib->bio.write(call->bio, bytes, count, &written);
	return call->base.answer > 0 ? (ssize_t)written : call->base.answer - 1;
}

static int write_session(BIO *bio, const char *buf, size_t num, size_t *written)
{
	const struct openssl *lib = openssl_of_bio(bio), *owner;
	SSL *ssl = buf && num && num <= INT_MAX ? inside(lib, bio) : NULL;
	SESSION session = ssl ? openssl_session(ssl, &owner) : NULL;
	if (!session)
		return lib->bio.write(bio, buf, num, written);
	struct bio_write call = {.base = {.lib = lib, .ssl = ssl}, .bio = bio};
	ssize_t sent = openssl_write(session, &call.base, buf, num, really_write);
	if (sent <= 0)
		return call.base.answer;
	*written = (size_t)sent;
	return 1;
}

/* The handle goes with the BIO, or with its next one. */
static void let_go(const struct openssl *lib, BIO *bio, const SSL *ssl)
{
	if (ssl && !lib->bio.frees_by_name && lib->bio.ctrl(bio, CTRL_GET_CLOSE, 0, NULL))
		openssl_freeing(ssl);
}

static long shake_session(const struct openssl *lib, BIO *bio, SSL *ssl, long larg, void *parg)
{
	const struct openssl *owner;
	SESSION session = openssl_handshaking(ssl, &owner, -1);
	long done = lib->bio.ctrl(bio, C_DO_STATE_MACHINE, larg, parg);
	if (session)
		openssl_shaken(lib, ssl, session, (int)done);
	return done;
}

static long control_session(BIO *bio, int cmd, long larg, void *parg)
{
	const struct openssl *lib = openssl_of_bio(bio);
	if (cmd != CTRL_RESET && cmd != C_DO_STATE_MACHINE && cmd != C_SET_SSL)
		return lib->bio.ctrl(bio, cmd, larg, parg);
	SSL *ssl = inside(lib, bio);
	if (ssl && cmd == C_DO_STATE_MACHINE && !lib->bio.shakes_by_name)
		return shake_session(lib, bio, ssl, larg, parg);
	if (cmd == C_SET_SSL)
		let_go(lib, bio, ssl);
	if (ssl && cmd == CTRL_RESET && !lib->bio.shuts_by_name)
		openssl_shutting(ssl);
	if (ssl && cmd == CTRL_RESET && !lib->bio.clears_by_name)
		openssl_clearing(ssl);
	return lib->bio.ctrl(bio, cmd, larg, parg);
}

static int destroy_session(BIO *bio)
{
	const struct openssl *lib = openssl_of_bio(bio);
	SSL *ssl = bio ? inside(lib, bio) : NULL;
	if (ssl && !lib->bio.shuts_by_name)
		openssl_shutting(ssl);
	let_go(lib, bio, ssl);
	return lib->bio.destroy(bio);
}

/* --- the table
 * ---------------------------------------------------------------------------------------------------------
 */

struct crypto {
	const struct object *ssl;
	__typeof__(&BIO_meth_get_write_ex) write;
	__typeof__(&BIO_meth_get_read_ex) read;
	__typeof__(&BIO_meth_get_ctrl) ctrl;
	__typeof__(&BIO_meth_get_destroy) destroy;
	__typeof__(&BIO_next) next;
	__typeof__(&BIO_number_read) number_read;
};

/* libssl's own libcrypto, of which there may be others. */
static int find_crypto(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct crypto *crypto = arg;
	struct object object;
	(void)size;
	if (!object_read(&object, info))
		return 0;
	const char *name = object_name(&object);
	if (object.low != crypto->ssl->low && !(name && object_needs(crypto->ssl, name)))
		return 0;
#define FIND(field, symbol) *(void **)(void *)&crypto->field = object_function(&object, #symbol)
	FIND(write, BIO_meth_get_write_ex);
	FIND(read, BIO_meth_get_read_ex);
	FIND(ctrl, BIO_meth_get_ctrl);
	FIND(destroy, BIO_meth_get_destroy);
	FIND(next, BIO_next);
	FIND(number_read, BIO_number_read);
#undef FIND
	return crypto->write != NULL;
}

/* True: it stood there once, and ours stands there now. */
static bool replaced(uintptr_t *words, uintptr_t original, uintptr_t ours)
{
	int found = 0;
	for (int i = 0; original && i < OPENSSL_BIO_WORDS; i++) {
		if (words[i] != original)
			continue;
		words[i] = ours;
		found++;
	}
	return found == 1;
}

/* An older library reads its sessions by name from here: those calls come by our hooks as they are. */
void openssl_bio_fill(struct openssl_bio *bio, const struct openssl *library, const struct object *object)
{
	struct crypto crypto = {.ssl = object};
	if (!library->whole || !library->BIO_f_ssl || object_imports(object, "SSL_read") ||
	    object_imports(object, "SSL_write"))
		return;
	dl_iterate_phdr(find_crypto, &crypto);
	bio->number_read = crypto.number_read;
	if (!crypto.write || !crypto.read || !crypto.ctrl || !crypto.destroy || !crypto.next)
		return;
	const BIO_METHOD *original = library->BIO_f_ssl();
	if (!original || !readable(original, sizeof(bio->methods)))
		return;
	memcpy(bio->methods, original, sizeof(bio->methods));
	bio->original = original;
	bio->write = crypto.write(original);
	bio->read = crypto.read(original);
	bio->ctrl = crypto.ctrl(original);
	bio->destroy = crypto.destroy(original);
	bio->next = crypto.next;
	bio->shakes_by_name = object_imports(object, "SSL_do_handshake");
	bio->clears_by_name = object_imports(object, "SSL_clear");
	bio->shuts_by_name = object_imports(object, "SSL_shutdown");
	bio->frees_by_name = object_imports(object, "SSL_free");
	bio->known = replaced(bio->methods, (uintptr_t)bio->write, (uintptr_t)write_session) &&
		     replaced(bio->methods, (uintptr_t)bio->read, (uintptr_t)read_session) &&
		     replaced(bio->methods, (uintptr_t)bio->ctrl, (uintptr_t)control_session) &&
		     replaced(bio->methods, (uintptr_t)bio->destroy, (uintptr_t)destroy_session);
}

/* --- who makes one
 * ---------------------------------------------------------------------------------------------------------
 */

const BIO_METHOD *BIO_f_ssl(void)
{
	const struct openssl *lib = openssl_for(__builtin_return_address(0));
	if (!hook_live() || !lib || !lib->bio.known)
		return LIB(BIO_f_ssl)();
	return (const BIO_METHOD *)(const void *)lib->bio.methods;
}

/* A chain that the library made with its own table. */
static BIO *made(const struct openssl *lib, BIO *chain)
{
	if (!hook_live() || !lib || !lib->bio.known)
		return chain;
	for (BIO *bio = chain; bio; bio = lib->bio.next(bio)) {
		uintptr_t *words = (uintptr_t *)(void *)bio;
		for (int k = 0; k < 2; k++)
			if (words[k] == (uintptr_t)lib->bio.original)
				words[k] = (uintptr_t)lib->bio.methods;
	}
	return chain;
}

#define MAKES(name, parameters, ...)                                                  \
	BIO *name parameters                                                          \
	{                                                                             \
		const struct openssl *lib = openssl_for(__builtin_return_address(0)); \
		return made(lib, LIB(name)(__VA_ARGS__));                             \
	}
MAKES(BIO_new_ssl, (SSL_CTX * ctx, int client), ctx, client)
MAKES(BIO_new_ssl_connect, (SSL_CTX * ctx), ctx)
MAKES(BIO_new_buffer_ssl_connect, (SSL_CTX * ctx), ctx)
