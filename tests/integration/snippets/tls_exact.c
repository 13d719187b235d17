/* tls_exact CERTIFICATE: HTTP/1 requests through OpenSSL to itself, over pipes of a few bytes that are full all the time, in
 * every mode of SSL_write, with records of all sizes. Sees to it that what arrives is what was sent, and that each call
 * answers what it must. Prints how many requests there were and how many traceparent lines arrived with them. */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(what) ((what) ? (void)0 : (fprintf(stderr, "line %d, round %d: %s\n", __LINE__, round_now, #what), exit(1)))

static int round_now;
static unsigned seed;
static unsigned dice(unsigned sides)
{
	seed = seed * 1103515245u + 12345u;
	return seed / 65536u % sides;
}

static char sent[200000], got[400000];
static size_t got_len;

static size_t make_requests(int count, int body)
{
	size_t len = 0;
	for (int i = 0; i < count; i++) {
		int size = (int)dice((unsigned)body);
		len += (size_t)sprintf(sent + len, "POST /%d/%d HTTP/1.1\r\nHost: there\r\nX-Pad: %0*d\r\nContent-Length: %d\r\n\r\n",
				       round_now, i, (int)dice(300) + 1, 7, size);
		for (int k = 0; k < size; k++)
			sent[len++] = (char)('a' + dice(26));
	}
	return len;
}

/* The far side reads a little. */
static void far_side(SSL *server)
{
	size_t room = 1 + dice(5000);
	if (got_len + room >= sizeof(got))
		room = sizeof(got) - got_len - 1;
	if (dice(2)) {
		int n = SSL_read(server, got + got_len, (int)room);
		if (n > 0)
			got_len += (size_t)n;
		else
			CHECK(SSL_get_error(server, n) == SSL_ERROR_WANT_READ);
	} else {
		size_t n = 0;
		if (SSL_read_ex(server, got + got_len, room, &n) == 1)
			got_len += n;
		else
			CHECK(SSL_get_error(server, 0) == SSL_ERROR_WANT_READ);
	}
	ERR_clear_error();
}

static int write_some(SSL *client, const char *bytes, size_t len)
{
	size_t wrote = 0;
	if (dice(2))
		return SSL_write(client, bytes, (int)len);
	int done = SSL_write_ex(client, bytes, len, &wrote);
	return done == 1 ? (int)wrote : 0;
}

static void send_all(SSL *client, SSL *server, size_t len, long mode)
{
	static char moved[sizeof(sent)];
	size_t at = 0, asked = 0;
	for (int tries = 0; at < len; tries++) {
		CHECK(tries < 2000000);
		if (!asked)
			asked = dice(3) ? len - at : 1 + dice((unsigned)(len - at));
		const char *bytes = sent + at;
		if ((mode & SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER) && dice(2)) {
			memcpy(moved, bytes, asked);
			bytes = moved;
		}
		int n = write_some(client, bytes, asked);
		if (n <= 0) {
			CHECK(SSL_get_error(client, n) == SSL_ERROR_WANT_WRITE);
			CHECK(ERR_peek_error() == 0);
		} else {
			CHECK((size_t)n <= asked);
			CHECK((mode & SSL_MODE_ENABLE_PARTIAL_WRITE) || (size_t)n == asked);
			at += (size_t)n;
			asked = 0;
		}
		far_side(server);
	}
	while (SSL_pending(server) || BIO_pending(SSL_get_rbio(server)))
		far_side(server);
}

/* Takes the lines out that were put in; how many there were. */
static int strip(void)
{
	static const char name[] = "traceparent: ";
	int found = 0;
	char *at;
	while ((at = memmem(got, got_len, name, sizeof(name) - 1)) != NULL) {
		size_t line = sizeof(name) - 1 + 55 + 2;
		CHECK(at + line <= got + got_len && at[line - 2] == '\r');
		memmove(at, at + line, (size_t)(got + got_len - at) - line);
		got_len -= line;
		found++;
	}
	return found;
}

int main(int argc, char **argv)
{
	int requests = 0, ours = 0;
	SSL_CTX *there = SSL_CTX_new(TLS_server_method()), *here = SSL_CTX_new(TLS_client_method());

	if (argc < 2 || SSL_CTX_use_certificate_file(there, argv[1], SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_use_PrivateKey_file(there, argv[1], SSL_FILETYPE_PEM) != 1)
		return 2;
	for (round_now = 1; round_now <= 240; round_now++) {
		static const long modes[] = {0, SSL_MODE_ENABLE_PARTIAL_WRITE, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER,
					     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER};
		long mode = modes[round_now % 4];
		seed = (unsigned)round_now * 7919;
		SSL_CTX_set_max_proto_version(there, round_now % 3 ? TLS1_3_VERSION : TLS1_2_VERSION);
		SSL *server = SSL_new(there), *client = SSL_new(here);
		BIO *near = NULL, *far = NULL;
		size_t pipe = round_now % 5 == 0 ? 1 + dice(20) : 1 + dice(30000);
		BIO_new_bio_pair(&near, pipe, &far, 20000);
		SSL_set_bio(client, near, near);
		SSL_set_bio(server, far, far);
		SSL_set_connect_state(client);
		SSL_set_accept_state(server);
		SSL_clear_mode(client, SSL_MODE_AUTO_RETRY);
		SSL_set_mode(client, mode);
		SSL_set_max_send_fragment(client, 512 + dice(15000));
		while (!SSL_is_init_finished(client) || !SSL_is_init_finished(server)) {
			SSL_do_handshake(client);
			SSL_do_handshake(server);
		}
		ERR_clear_error();
		int count = 1 + (int)dice(5);
		size_t len = make_requests(count, round_now % 5 == 0 ? 300 : 30000);
		got_len = 0;
		send_all(client, server, len, mode);
		requests += count;
		ours += strip();
		CHECK(got_len == len);
		CHECK(memcmp(got, sent, len) == 0);
		SSL_shutdown(client);
		SSL_free(client);
		SSL_free(server);
	}
	printf("%d %d\n", requests, ours);
	return 0;
}
