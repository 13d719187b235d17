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
typedef struct ssl_session_st SSL_SESSION;
typedef struct ssl_cipher_st SSL_CIPHER;
typedef struct ssl_ctx_st SSL_CTX;
typedef struct bio_st BIO;
typedef struct bio_method_st BIO_METHOD;

int SSL_read(SSL *ssl, void *buf, int num);
int SSL_read_ex(SSL *ssl, void *buf, size_t num, size_t *readbytes);
int SSL_write(SSL *ssl, const void *buf, int num);
int SSL_write_ex(SSL *s, const void *buf, size_t num, size_t *written);
int SSL_write_ex2(SSL *s, const void *buf, size_t num, uint64_t flags, size_t *written);
int SSL_read_early_data(SSL *s, void *buf, size_t num, size_t *readbytes);
int SSL_write_early_data(SSL *s, const void *buf, size_t num, size_t *written);
ssize_t SSL_sendfile(SSL *s, int fd, off_t offset, size_t size, int flags);
int SSL_do_handshake(SSL *s);
int SSL_connect(SSL *ssl);
int SSL_accept(SSL *ssl);
int SSL_shutdown(SSL *s);
int SSL_clear(SSL *s);
SSL *SSL_dup(SSL *ssl);
int SSL_up_ref(SSL *s);
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
SSL_SESSION *SSL_get_session(const SSL *ssl);
uint32_t SSL_SESSION_get_max_early_data(const SSL_SESSION *s);
int SSL_get_early_data_status(const SSL *s);
const char *SSL_get_version(const SSL *ssl);
const SSL_CIPHER *SSL_get_current_cipher(const SSL *ssl);
const char *SSL_CIPHER_standard_name(const SSL_CIPHER *c);
void SSL_get0_alpn_selected(const SSL *ssl, const unsigned char **data, unsigned int *len);
int SSL_session_reused(const SSL *s);
BIO *SSL_get_rbio(const SSL *s);

/* The BIO that has a session in it: openssl_bio.c. */
const BIO_METHOD *BIO_f_ssl(void);
BIO *BIO_new_ssl(SSL_CTX *ctx, int client);
BIO *BIO_new_ssl_connect(SSL_CTX *ctx);
BIO *BIO_new_buffer_ssl_connect(SSL_CTX *ctx);
/* libcrypto's. */
BIO *BIO_next(BIO *b);
uint64_t BIO_number_read(BIO *bio);
int (*BIO_meth_get_write_ex(const BIO_METHOD *biom))(BIO *, const char *, size_t, size_t *);
int (*BIO_meth_get_read_ex(const BIO_METHOD *biom))(BIO *, char *, size_t, size_t *);
long (*BIO_meth_get_ctrl(const BIO_METHOD *biom))(BIO *, int, long, void *);
int (*BIO_meth_get_destroy(const BIO_METHOD *biom))(BIO *);

/* It finds no layout of these that it keeps. */
/* clang-format off */
#define OPENSSL_HOOKED(NAME) \
	NAME(SSL_read) NAME(SSL_read_ex) NAME(SSL_write) NAME(SSL_write_ex) NAME(SSL_write_ex2) \
	NAME(SSL_sendfile) NAME(SSL_do_handshake) NAME(SSL_connect) NAME(SSL_accept) NAME(SSL_shutdown) \
	NAME(SSL_clear) NAME(SSL_free) NAME(SSL_read_early_data) NAME(SSL_write_early_data) NAME(SSL_dup) \
	NAME(SSL_up_ref)
#define OPENSSL_ASKED(NAME) \
	NAME(SSL_get_error) NAME(SSL_in_before) NAME(SSL_is_init_finished) NAME(SSL_is_server) \
	NAME(SSL_get_fd) NAME(SSL_get_client_random) NAME(SSL_get_servername) NAME(SSL_get_verify_result) \
	NAME(SSL_ctrl)
/* Where they are missing, so is what they tell. */
#define OPENSSL_OPTIONAL(NAME) \
	NAME(SSL_get_session) NAME(SSL_SESSION_get_max_early_data) NAME(SSL_get_early_data_status) \
	NAME(SSL_get_version) NAME(SSL_get_current_cipher) NAME(SSL_CIPHER_standard_name) \
	NAME(SSL_get0_alpn_selected) NAME(SSL_session_reused) NAME(SSL_get_rbio) \
	NAME(BIO_f_ssl) NAME(BIO_new_ssl) NAME(BIO_new_ssl_connect) NAME(BIO_new_buffer_ssl_connect)
/* clang-format on */

/* The methods of its BIO with ours in their places; see openssl_bio.c. */
#define OPENSSL_BIO_WORDS 16
struct openssl_bio {
	bool known;
	bool shakes_by_name, clears_by_name, shuts_by_name, frees_by_name; /* the BIO's own calls */
	const BIO_METHOD *original;
	uintptr_t methods[OPENSSL_BIO_WORDS];
	int (*write)(BIO *, const char *, size_t, size_t *);
	int (*read)(BIO *, char *, size_t, size_t *);
	long (*ctrl)(BIO *, int, long, void *);
	int (*destroy)(BIO *);
	__typeof__(&BIO_next) next;
	__typeof__(&BIO_number_read) number_read; /* or NULL */
};

struct openssl {
	uintptr_t low, high;                /* where it is loaded */
	bool whole;                         /* has all that we ask */
	bool reads_by_name, writes_by_name; /* of its own functions: these come by here a second time */
#define OPENSSL_POINTER(name) __typeof__(&name) name;
	OPENSSL_HOOKED(OPENSSL_POINTER)
	OPENSSL_ASKED(OPENSSL_POINTER)
	OPENSSL_OPTIONAL(OPENSSL_POINTER)
#undef OPENSSL_POINTER
	struct openssl_bio bio;
};

/* Fills library->bio, of a library whose functions are known; for inside dl_iterate_phdr(). */
struct object;
void openssl_bio_fill(struct openssl_bio *bio, const struct openssl *library, const struct object *object);
/* The library that made this session. NULL: there is none that has SSL_read, and nobody can have called us.
 * look: a library may have been loaded since (asked once for each connection, not for each byte). */
const struct openssl *openssl_of(const SSL *ssl, bool look);
/* The one that a caller of its functions is bound to; NULL: as above. */
const struct openssl *openssl_for(const void *caller);
/* The one with this table of methods, which is the first or second word of a BIO. */
const struct openssl *openssl_of_bio(const BIO *bio);

#endif
