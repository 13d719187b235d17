/* tls_fake: a library that has OpenSSL's names and no cryptography, for what the installed one or this kernel has not:
 * SSL_write_ex2 (3.3), SSL_sendfile (a kernel with TLS), and one whose functions do not call each other by name. Built
 * as a library, and with -DPROGRAM as the program that uses it: requests go from one end of a socketpair to the other, and
 * what arrives is printed. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

typedef struct ssl_st SSL;
SSL *SSL_new(void *context);
void fake_set(SSL *ssl, int fd, int server), fake_done(SSL *ssl);
int SSL_write(SSL *ssl, const void *buf, int num);
int SSL_write_ex(SSL *ssl, const void *buf, size_t num, size_t *written);
int SSL_write_ex2(SSL *ssl, const void *buf, size_t num, uint64_t flags, size_t *written);
int SSL_write_early_data(SSL *ssl, const void *buf, size_t num, size_t *written);
int SSL_read_early_data(SSL *ssl, void *buf, size_t num, size_t *got);
ssize_t SSL_sendfile(SSL *ssl, int fd, off_t offset, size_t size, int flags);
int SSL_read(SSL *ssl, void *buf, int num);
void SSL_free(SSL *ssl);

#ifndef PROGRAM
static const int method;
struct ssl_st {
	long version;
	const int *method;
	void *more[4];
	int fd, server, done;
};
struct ssl_session_st {
	int early;
};
static struct ssl_session_st ticket = {50000};
#define EXPORT __attribute__((visibility("default")))

EXPORT SSL *SSL_new(void *context)
{
	SSL *ssl = calloc(1, sizeof(*ssl));
	(void)context;
	ssl->method = &method;
	return ssl;
}
EXPORT void fake_set(SSL *ssl, int fd, int server) { ssl->fd = fd, ssl->server = server; }
EXPORT void fake_done(SSL *ssl) { ssl->done = 1; }
EXPORT int SSL_write_ex(SSL *ssl, const void *buf, size_t num, size_t *written)
{
	ssize_t n = send(ssl->fd, buf, num, 0);
	*written = n > 0 ? (size_t)n : 0;
	return n > 0;
}
EXPORT int SSL_write(SSL *ssl, const void *buf, int num) { return (int)send(ssl->fd, buf, (size_t)num, 0); }
EXPORT int SSL_write_ex2(SSL *ssl, const void *buf, size_t num, uint64_t flags, size_t *written)
{
	if (flags != 7)
		abort();
	ssize_t n = send(ssl->fd, buf, num, 0);
	*written = n > 0 ? (size_t)n : 0;
	return n > 0;
}
EXPORT int SSL_write_early_data(SSL *ssl, const void *buf, size_t num, size_t *written)
{
	ssize_t n = send(ssl->fd, buf, num, 0);
	*written = n > 0 ? (size_t)n : 0;
	return n > 0;
}
EXPORT int SSL_read(SSL *ssl, void *buf, int num) { return (int)recv(ssl->fd, buf, (size_t)num, MSG_DONTWAIT); }
EXPORT int SSL_read_early_data(SSL *ssl, void *buf, size_t num, size_t *got)
{
	ssize_t n = recv(ssl->fd, buf, num, MSG_DONTWAIT);
	*got = n > 0 ? (size_t)n : 0;
	return n > 0 ? 1 : 2;
}
EXPORT ssize_t SSL_sendfile(SSL *ssl, int fd, off_t offset, size_t size, int flags)
{
	char bytes[4096];
	(void)flags;
	ssize_t n = pread(fd, bytes, size < sizeof(bytes) ? size : sizeof(bytes), offset);
	return n > 0 ? send(ssl->fd, bytes, (size_t)n, 0) : n;
}
EXPORT void SSL_free(SSL *ssl) { free(ssl); }
EXPORT int SSL_get_error(const SSL *ssl, int code) { return (void)ssl, code > 0 ? 0 : 2; }
EXPORT int SSL_in_before(const SSL *ssl) { return !ssl->done; }
EXPORT int SSL_is_init_finished(const SSL *ssl) { return ssl->done; }
EXPORT int SSL_is_server(const SSL *ssl) { return ssl->server; }
EXPORT int SSL_get_fd(const SSL *ssl) { return ssl->fd; }
EXPORT size_t SSL_get_client_random(const SSL *ssl, unsigned char *out, size_t len) { return (void)ssl, (void)out, (void)len, 0; }
EXPORT const char *SSL_get_servername(const SSL *ssl, const int type) { return (void)ssl, (void)type, NULL; }
EXPORT long SSL_get_verify_result(const SSL *ssl) { return (void)ssl, 0; }
EXPORT long SSL_ctrl(SSL *ssl, int cmd, long larg, void *parg) { return (void)ssl, (void)cmd, (void)larg, (void)parg, 0; }
EXPORT struct ssl_session_st *SSL_get_session(const SSL *ssl) { return (void)ssl, &ticket; }
EXPORT uint32_t SSL_SESSION_get_max_early_data(const struct ssl_session_st *session) { return (uint32_t)session->early; }
EXPORT int SSL_get_early_data_status(const SSL *ssl) { return (void)ssl, 2; }
#else

static SSL *client, *server;
static void reads(int early)
{
	static char bytes[70000];
	size_t all = 0, n = 0;
	int got;
	if (early) {
		while (SSL_read_early_data(server, bytes + all, 100, &n) == 1)
			all += n;
	} else {
		while ((got = SSL_read(server, bytes + all, 100)) > 0)
			all += (size_t)got;
	}
	fwrite(bytes, 1, all, stdout);
}

static void answer(void)
{
	static const char text[] = "HTTP/1.1 204 No\r\n\r\n";
	char back[100];
	SSL_write(server, text, sizeof(text) - 1);
	SSL_read(client, back, sizeof(back));
}

int main(void)
{
	int fds[2];
	size_t n = 0;
	const char early[] = "GET /early HTTP/1.1\r\nHost: a\r\n\r\n", late[] = "GET /ex2 HTTP/1.1\r\nHost: a\r\n\r\n";
	const char head[] = "PUT /file HTTP/1.1\r\nHost: a\r\nContent-Length: 3000\r\n\r\n", last[] = "GET /last HTTP/1.1\r\nHost: a\r\n\r\n";
	FILE *file = tmpfile();

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0)
		return 1;
	client = SSL_new(NULL), server = SSL_new(NULL);
	fake_set(client, fds[0], 0), fake_set(server, fds[1], 1);
	if (SSL_write_early_data(client, early, sizeof(early) - 1, &n) != 1 || n != sizeof(early) - 1)
		return 2;
	reads(1);
	fake_done(client), fake_done(server);
	answer();
	if (SSL_write_ex2(client, late, sizeof(late) - 1, 7, &n) != 1 || n != sizeof(late) - 1)
		return 3;
	reads(0);
	answer();
	for (int i = 0; i < 3000; i++)
		fputc("0123456789\n"[i % 11], file);
	fflush(file);
	if (SSL_write(client, head, sizeof(head) - 1) != sizeof(head) - 1)
		return 4;
	for (off_t at = 0; at < 3000; at += 1000)
		if (SSL_sendfile(client, fileno(file), at, 1000, 0) != 1000)
			return 5;
	reads(0);
	answer();
	if (SSL_write(client, last, sizeof(last) - 1) != sizeof(last) - 1)
		return 6;
	reads(0);
	answer();
	SSL_free(client), SSL_free(server);
	return 0;
}
#endif
