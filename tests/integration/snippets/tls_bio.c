/* tls_bio CERTIFICATE: HTTP/1 read and written through the BIOs of OpenSSL's sessions, never by SSL_read or SSL_write.
 *
 * tls_bio CERTIFICATE exact: between two chains of this program whose pipe takes few bytes at a time, so that every write
 * must be repeated. Prints how many heads arrived, how many of these had one traceparent, and "whole" when all that
 * arrived, without ours, is what was sent.
 * tls_bio CERTIFICATE serve COUNT: listens, prints its port, then what it reads: so many connections.
 * tls_bio CERTIFICATE get PORT plain|buffer|waits|again: a call or two to that. */
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(what) ((what) ? (void)0 : (fprintf(stderr, "%s, line %d: %s\n", now, __LINE__, #what), ERR_print_errors_fp(stderr), exit(1)))

static const char *now = "";
static SSL_CTX *there, *here;
static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/* --- exact */

enum { FORM_WRITE, FORM_EX, FORM_PUTS, FORMS };
static struct chain {
	BIO *end, *ssl;
} client, server;
static char sent[200000], got[200000];
static size_t sent_len, got_len;

static struct chain chain_of(SSL_CTX *ctx, int is_client, int handmade, int buffered, BIO *pipe)
{
	struct chain chain;
	if (handmade) {
		SSL *ssl = SSL_new(ctx);
		is_client ? SSL_set_connect_state(ssl) : SSL_set_accept_state(ssl);
		chain.ssl = BIO_new(BIO_f_ssl());
		BIO_set_ssl(chain.ssl, ssl, BIO_CLOSE);
	} else {
		chain.ssl = BIO_new_ssl(ctx, is_client);
	}
	CHECK(chain.ssl && BIO_method_type(chain.ssl) == BIO_TYPE_SSL && !strcmp(BIO_method_name(chain.ssl), "ssl"));
	chain.end = BIO_push(chain.ssl, pipe);
	if (buffered)
		chain.end = BIO_push(BIO_new(BIO_f_buffer()), chain.end);
	CHECK(BIO_find_type(chain.end, BIO_TYPE_SSL) == chain.ssl);
	return chain;
}

static void reads(void)
{
	int n;
	while ((n = BIO_read(server.end, got + got_len, 300)) > 0)
		got_len += (size_t)n;
	CHECK(BIO_should_retry(server.end));
}

static void writes(struct chain *chain, const char *text, int form)
{
	size_t len = strlen(text), at = 0, n;
	for (int tries = 0; at < len; tries++) {
		CHECK(tries < 100000);
		n = 0;
		if (form == FORM_EX) {
			if (BIO_write_ex(chain->end, text + at, len - at, &n) != 1)
				n = 0;
		} else {
			int done = form == FORM_WRITE ? BIO_write(chain->end, text + at, (int)(len - at)) : BIO_puts(chain->end, text + at);
			n = done > 0 ? (size_t)done : 0;
		}
		CHECK(n || BIO_should_retry(chain->end));
		CHECK(n <= len - at);
		at += n;
		if (chain == &client)
			reads();
	}
	for (int tries = 0; BIO_flush(chain->end) <= 0; tries++) {
		CHECK(tries < 100000 && BIO_should_retry(chain->end));
		if (chain == &client)
			reads();
	}
}

static void converse(int form, int pad)
{
	char text[30000], back[100];
	size_t before = got_len, n = 0;
	snprintf(text, sizeof(text), "POST /%d HTTP/1.1\r\nHost: there\r\nX-Pad: %0*d\r\nContent-Length: %d\r\n\r\n%0*d", pad, pad, 7, pad, pad, 8);
	memcpy(sent + sent_len, text, strlen(text));
	sent_len += strlen(text);
	writes(&client, text, form);
	for (int i = 0; i < 100; i++)
		reads();
	CHECK(got_len - before >= strlen(text));
	for (int tries = 0; n < sizeof(answer) - 1; tries++) {
		CHECK(tries < 100000);
		if (tries == 0)
			CHECK(BIO_write(server.end, answer, sizeof(answer) - 1) == sizeof(answer) - 1);
		CHECK(BIO_flush(server.end) == 1 || BIO_should_retry(server.end));
		int done = BIO_read(client.end, back + n, (int)(sizeof(back) - n));
		n += done > 0 ? (size_t)done : 0;
	}
	CHECK(n == sizeof(answer) - 1 && !memcmp(back, answer, n));
}

static int heads, ours;
static void count(void)
{
	size_t at = 0;
	while (at < got_len) {
		char *end = memmem(got + at, got_len - at, "\r\n\r\n", 4), *line;
		CHECK(end);
		int found = 0;
		while ((line = memmem(got + at, (size_t)(end - got) - at, "traceparent: ", 13)) != NULL) {
			size_t size = 13 + 55 + 2;
			memmove(line, line + size, got_len - (size_t)(line - got) - size);
			got_len -= size;
			end -= size;
			found++;
		}
		char *length = memmem(got + at, (size_t)(end - got) - at, "Content-Length: ", 16);
		heads++;
		ours += found == 1;
		at = (size_t)(end - got) + 4 + (size_t)atoi(length + 16);
	}
}

static int exact(void)
{
	static const int sizes[] = {37, 1000, 50000};
	int whole = 1;
	for (int round = 0; round < FORMS * 3 * 2 * 2 * 2; round++) {
		int form = round % FORMS, size = sizes[round / FORMS % 3], handmade = round / 9 % 2, buffered = round / 18 % 2, partial = round / 36;
		BIO *near = NULL, *far = NULL;
		char name[100];
		snprintf(name, sizeof(name), "form %d, pipe %d, handmade %d, buffered %d, partial %d", form, size, handmade, buffered, partial);
		now = name;
		CHECK(BIO_new_bio_pair(&near, (size_t)size, &far, 50000) == 1);
		client = chain_of(here, 1, handmade, buffered, near);
		server = chain_of(there, 0, handmade, 0, far);
		SSL *ssl = NULL;
		BIO_get_ssl(client.end, &ssl);
		SSL_set_mode(ssl, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | (partial ? SSL_MODE_ENABLE_PARTIAL_WRITE : 0));
		for (int i = 0, done = 0; i < 20000 && done != 2; i++)
			done = (BIO_do_handshake(client.end) == 1) + (BIO_do_handshake(server.end) == 1);
		CHECK(SSL_is_init_finished(ssl));
		sent_len = got_len = 0;
		for (int pad = 1; pad < 9000; pad = pad * 5 + 1)
			converse(form, pad);
		count();
		whole = whole && got_len == sent_len && !memcmp(got, sent, got_len);
		BIO_free_all(client.end);
		BIO_free_all(server.end);
	}
	printf("%d %d %s\n", heads, ours, whole ? "whole" : "DIFFERENT");
	return 0;
}

/* --- over sockets */

static int serve(int connections)
{
	BIO *pattern = BIO_new_ssl(there, 0), *buffer = BIO_new(BIO_f_buffer()), *listener = BIO_new_accept("127.0.0.1:0");
	CHECK(pattern && buffer && listener);
	CHECK(BIO_set_accept_bios(listener, BIO_push(buffer, pattern)) == 1);
	CHECK(BIO_do_accept(listener) == 1);
	printf("port %s\n", BIO_get_accept_port(listener));
	fflush(stdout);
	while (connections--) {
		char line[2000];
		CHECK(BIO_do_accept(listener) == 1);
		BIO *end = BIO_pop(listener);
		while (BIO_gets(end, line, sizeof(line)) > 0) {
			fputs(line, stdout);
			if (strcmp(line, "\r\n"))
				continue;
			CHECK(BIO_write(end, answer, sizeof(answer) - 1) == sizeof(answer) - 1 && BIO_flush(end) == 1);
		}
		fflush(stdout);
		ERR_clear_error();
		BIO_free_all(end);
	}
	BIO_free(listener);
	return 0;
}

static void wait_for(BIO *bio)
{
	struct pollfd look = {.events = BIO_should_write(bio) || BIO_should_io_special(bio) ? POLLOUT : POLLIN};
	CHECK(BIO_should_retry(bio));
	if (BIO_get_fd(bio, &look.fd) >= 0)
		poll(&look, 1, 1000);
}

static void ask(BIO *bio, const char *path)
{
	char request[200], back[200];
	size_t n = 0;
	int done;
	snprintf(request, sizeof(request), "GET /%s HTTP/1.1\r\nHost: there\r\n\r\n", path);
	while ((done = BIO_puts(bio, request)) <= 0)
		wait_for(bio);
	CHECK(done == (int)strlen(request));
	while (BIO_flush(bio) != 1)
		wait_for(bio);
	while (n < sizeof(answer) - 1) {
		/* A buffer's read waits for all that was asked for. */
		if ((done = BIO_read(bio, back + n, (int)(sizeof(answer) - 1 - n))) <= 0)
			wait_for(bio);
		n += done > 0 ? (size_t)done : 0;
	}
	CHECK(n == sizeof(answer) - 1 && !memcmp(back, answer, n));
}

static int get(const char *port, const char *how)
{
	BIO *bio = strcmp(how, "buffer") ? BIO_new_ssl_connect(here) : BIO_new_buffer_ssl_connect(here);
	char where[100];
	snprintf(where, sizeof(where), "127.0.0.1:%s", port);
	now = how;
	BIO_set_conn_hostname(bio, where);
	BIO_set_nbio(bio, !strcmp(how, "waits"));
	if (strcmp(how, "plain")) /* which does it on the way */
		while (BIO_do_handshake(bio) <= 0) {
			if (!BIO_should_retry(bio))
				return 3;
			wait_for(bio);
		}
	ask(bio, how);
	if (!strcmp(how, "again")) { /* the same handle, another session, made by the write */
		CHECK(BIO_reset(bio) >= 0);
		ask(bio, "more");
	}
	BIO_ssl_shutdown(bio);
	BIO_free_all(bio);
	return 0;
}

int main(int argc, char **argv)
{
	there = SSL_CTX_new(TLS_server_method());
	here = SSL_CTX_new(TLS_client_method());
	if (argc < 3 || SSL_CTX_use_certificate_file(there, argv[1], SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_use_PrivateKey_file(there, argv[1], SSL_FILETYPE_PEM) != 1)
		return 2;
	if (!strcmp(argv[2], "exact"))
		return exact();
	if (!strcmp(argv[2], "serve") && argc == 4)
		return serve(atoi(argv[3]));
	return argc == 5 ? get(argv[3], argv[4]) : 2;
}
