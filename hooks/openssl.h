/* openssl.h - which libssl a session belongs to, and its functions.
 *
 * No header of OpenSSL's is needed: the few prototypes stand here, and tests/lint/vendor.sh compares them
 * with the vendor's where that is installed. OpenSSL 1.1 and 3.x, and what keeps to their names; a library
 * that lacks one of the functions that we ask is passed through. */
#ifndef TAGALONG_HOOKS_OPENSSL_H
#define TAGALONG_HOOKS_OPENSSL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct ssl_st SSL;

int SSL_read(SSL *ssl, void *buf, int num);
int SSL_read_ex(SSL *ssl, void *buf, size_t num, size_t *readbytes);
int SSL_write(SSL *ssl, const void *buf, int num);
int SSL_write_ex(SSL *s, const void *buf, size_t num, size_t *written);
int SSL_write_ex2(SSL *s, const void *buf, size_t num, uint64_t flags, size_t *written);
ssize_t SSL_sendfile(SSL *s, int fd, off_t offset, size_t size, int flags);
int SSL_do_handshake(SSL *s);
int SSL_connect(SSL *ssl);
int SSL_accept(SSL *ssl);
int SSL_shutdown(SSL *s);
int SSL_clear(SSL *s);
void SSL_free(SSL *ssl);

/* Called only. */
int SSL_get_error(const SSL *s, int ret_code);
int SSL_in_before(const SSL *s);
int SSL_is_init_finished(const SSL *s);
int SSL_is_server(const SSL *s);
int SSL_get_fd(const SSL *s);
size_t SSL_get_client_random(const SSL *ssl, unsigned char *out, size_t outlen);
const char *SSL_get_servername(const SSL *s, const int type);
long SSL_get_verify_result(const SSL *ssl);
long SSL_ctrl(SSL *ssl, int cmd, long larg, void *parg);

/* It finds no layout of these that it keeps. */
/* clang-format off */
#define OPENSSL_HOOKED(NAME) \
	NAME(SSL_read) NAME(SSL_read_ex) NAME(SSL_write) NAME(SSL_write_ex) NAME(SSL_write_ex2) \
	NAME(SSL_sendfile) NAME(SSL_do_handshake) NAME(SSL_connect) NAME(SSL_accept) NAME(SSL_shutdown) \
	NAME(SSL_clear) NAME(SSL_free)
#define OPENSSL_ASKED(NAME) \
	NAME(SSL_get_error) NAME(SSL_in_before) NAME(SSL_is_init_finished) NAME(SSL_is_server) \
	NAME(SSL_get_fd) NAME(SSL_get_client_random) NAME(SSL_get_servername) NAME(SSL_get_verify_result) \
	NAME(SSL_ctrl)
/* clang-format on */

struct openssl {
	uintptr_t low, high; /* where it is loaded */
	bool whole;          /* has all that we ask */
#define OPENSSL_POINTER(name) __typeof__(&name) name;
	OPENSSL_HOOKED(OPENSSL_POINTER) OPENSSL_ASKED(OPENSSL_POINTER)
#undef OPENSSL_POINTER
};

/* The library that made this session. NULL: there is none that has SSL_read, and nobody can have called us.
 * look: a library may have been loaded since (asked once for each connection, not for each byte). */
const struct openssl *openssl_of(const SSL *ssl, bool look);

#endif
