/* tls_calls CERTIFICATE NAME...: the rarer calls of OpenSSL, each in a conversation of HTTP/1 between two handles of this
 * program. For each NAME a line: what the server read, in heads, how many of these had one traceparent, and "whole" when
 * all that arrived, without ours, is what was sent. */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(what) ((what) ? (void)0 : (fprintf(stderr, "%s, line %d: %s\n", now, __LINE__, #what), ERR_print_errors_fp(stderr), exit(1)))

static const char *now = "";
static SSL_CTX *there, *here;
static SSL *server, *client;
static char sent[100000], got[100000];
static size_t sent_len, got_len;

static void pair(void)
{
	BIO *near = NULL, *far = NULL;
	BIO_new_bio_pair(&near, 60000, &far, 60000);
	server = SSL_new(there);
	client = SSL_new(here);
	SSL_set_bio(client, near, near);
	SSL_set_bio(server, far, far);
	SSL_set_connect_state(client);
	SSL_set_accept_state(server);
	sent_len = got_len = 0;
}

static void shake(void)
{
	for (int i = 0; i < 20; i++) {
		SSL_do_handshake(client);
		SSL_do_handshake(server);
	}
	CHECK(SSL_is_init_finished(client) && SSL_is_init_finished(server));
	ERR_clear_error();
}

static const char *make(const char *path, int pad)
{
	static char text[20000];
	sprintf(text, "GET /%s HTTP/1.1\r\nHost: there\r\nX-Pad: %0*d\r\n\r\n", path, pad, 7);
	return text;
}

static const char *note(const char *text)
{
	sent_len += (size_t)sprintf(sent + sent_len, "%s", text);
	return text;
}

static void get(const char *path)
{
	const char *text = note(make(path, 10));
	CHECK(SSL_write(client, text, (int)strlen(text)) == (int)strlen(text));
}

static void reads(void)
{
	int n;
	while ((n = SSL_read(server, got + got_len, (int)(sizeof(got) - got_len))) > 0)
		got_len += (size_t)n;
	ERR_clear_error();
}

/* The client reads it as it likes, by now. */
static void answer(void)
{
	static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
	char back[200];
	CHECK(SSL_write(server, text, sizeof(text) - 1) == sizeof(text) - 1);
	CHECK(SSL_read(client, back, sizeof(back)) == sizeof(text) - 1 && memcmp(back, text, sizeof(text) - 1) == 0);
}

static void tell(void)
{
	int heads = 0, ours = 0;
	size_t at = 0, len = got_len;
	char *copy = malloc(got_len + 1);
	memcpy(copy, got, got_len);
	copy[len] = '\0';
	while (at < len) {
		char *end = memmem(copy + at, len - at, "\r\n\r\n", 4), *line;
		CHECK(end);
		int found = 0;
		while ((line = memmem(copy + at, (size_t)(end - copy) - at, "traceparent: ", 13)) != NULL) {
			size_t size = 13 + 55 + 2;
			memmove(line, line + size, len - (size_t)(line - copy) - size);
			len -= size;
			end -= size;
			found++;
		}
		heads++;
		ours += found == 1;
		at = (size_t)(end - copy) + 4;
	}
	printf("%s: %d %d %s\n", now, heads, ours, len == sent_len && !memcmp(copy, sent, len) ? "whole" : "DIFFERENT");
	free(copy);
}

static void over(void)
{
	SSL_shutdown(client);
	SSL_free(client);
	SSL_free(server);
}

/* --- the calls */

static void peek(void)
{
	char ahead[300];
	size_t n = 0;
	pair();
	shake();
	get("peek");
	CHECK(SSL_peek(server, ahead, 20) == 20 && SSL_peek(server, ahead, sizeof(ahead)) > 40);
	CHECK(SSL_peek_ex(server, ahead, sizeof(ahead), &n) == 1 && n > 40);
	reads();
	static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
	SSL_write(server, text, sizeof(text) - 1);
	CHECK(SSL_peek(client, ahead, sizeof(ahead)) == sizeof(text) - 1);
	CHECK(SSL_read(client, ahead, sizeof(ahead)) == sizeof(text) - 1);
	get("again");
	CHECK(SSL_peek_ex(server, ahead, sizeof(ahead), &n) == 1);
	reads();
	answer();
	tell();
	over();
}

static void dup_before(void)
{
	BIO *near = NULL;
	pair();
	SSL *copy = SSL_new(here), *first = copy;
	SSL_set_connect_state(copy);
	copy = SSL_dup(first);
	CHECK(copy && copy != first);
	SSL_free(first);
	near = SSL_get_rbio(client);
	BIO_up_ref(near);
	SSL_free(client);
	client = copy;
	SSL_set_bio(client, near, near);
	shake();
	get("dup");
	reads();
	answer();
	tell();
	over();
}

/* Of a session under way SSL_dup() is the same handle once more: the first SSL_free() ends nothing. */
static void dup_after(void)
{
	pair();
	shake();
	get("one");
	CHECK(SSL_dup(client) == client && SSL_up_ref(client) == 1);
	SSL_free(client);
	SSL_free(client);
	reads();
	answer();
	get("two");
	reads();
	answer();
	tell();
	over();
}

static void clear(void)
{
	pair();
	shake();
	get("first");
	reads();
	answer();
	size_t before = got_len;
	CHECK(SSL_shutdown(client) >= 0 && SSL_clear(client) == 1 && SSL_clear(server) == 1);
	BIO *near = NULL, *far = NULL;
	BIO_new_bio_pair(&near, 60000, &far, 60000);
	SSL_set_bio(client, near, near);
	SSL_set_bio(server, far, far);
	SSL_set_connect_state(client);
	SSL_set_accept_state(server);
	shake();
	get("second");
	reads();
	CHECK(got_len > before);
	answer();
	tell();
	over();
}

static void bio(void)
{
	pair();
	shake();
	BIO *plain = BIO_new(BIO_f_ssl()), *end = BIO_new(BIO_f_ssl());
	BIO_set_ssl(plain, client, BIO_NOCLOSE);
	BIO_set_ssl(end, server, BIO_NOCLOSE);
	const char *text = note(make("bio", 10));
	CHECK(BIO_write(plain, text, (int)strlen(text)) == (int)strlen(text));
	int n;
	while ((n = BIO_read(end, got + got_len, 1000)) > 0)
		got_len += (size_t)n;
	ERR_clear_error();
	answer();
	tell();
	BIO_free(plain);
	BIO_free(end);
	over();
}

/* A session with a ticket that allows early data. */
static SSL_SESSION *ticket(void)
{
	char none;
	pair();
	shake();
	SSL_read(client, &none, 1);
	ERR_clear_error();
	SSL_SESSION *session = SSL_get1_session(client);
	CHECK(SSL_SESSION_is_resumable(session));
	over();
	return session;
}

static int read_early(void)
{
	size_t n = 0;
	int done = SSL_read_early_data(server, got + got_len, sizeof(got) - got_len, &n);
	if (done == SSL_READ_EARLY_DATA_SUCCESS)
		got_len += n;
	return done;
}

/* room: what the server takes; accepted: whether it does. */
static void early_with(uint32_t room, int accepted, int pad)
{
	static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
	char back[200];
	size_t n = 0;
	SSL_CTX_set_max_early_data(there, room);
	SSL_CTX_set_recv_max_early_data(there, room);
	SSL_SESSION *session = ticket();
	pair();
	SSL_set_session(client, session);
	if (!accepted)
		SSL_set_max_early_data(server, 0);
	const char *request = note(make("early", pad));
	CHECK(SSL_write_early_data(client, request, strlen(request), &n) == 1 && n == strlen(request));
	int done, answered = 0;
	while ((done = read_early()) == SSL_READ_EARLY_DATA_SUCCESS || done == SSL_READ_EARLY_DATA_ERROR) {
		if (done == SSL_READ_EARLY_DATA_ERROR)
			CHECK(SSL_get_error(server, 0) == SSL_ERROR_WANT_READ);
		/* The answer may be early as well. */
		if (done == SSL_READ_EARLY_DATA_SUCCESS && !answered++)
			CHECK(SSL_write_early_data(server, text, sizeof(text) - 1, &n) == 1);
		SSL_do_handshake(client);
	}
	shake();
	CHECK(SSL_get_early_data_status(client) == (accepted ? SSL_EARLY_DATA_ACCEPTED : SSL_EARLY_DATA_REJECTED));
	if (!accepted) { /* once more, then */
		CHECK(got_len == 0);
		CHECK(SSL_write(client, request, (int)strlen(request)) == (int)strlen(request));
		reads();
		answer();
	} else {
		CHECK(answered && SSL_read(client, back, sizeof(back)) == sizeof(text) - 1);
	}
	get("late");
	reads();
	answer();
	tell();
	over();
	SSL_SESSION_free(session);
	SSL_CTX_set_max_early_data(there, 0);
}

static void early(void)
{
	early_with(16384, 1, 10);
}

static void early_rejected(void)
{
	early_with(16384, 0, 10);
}

/* Where ours would be too much, the request goes without it. */
static void early_full(void)
{
	early_with(400, 1, 400 - 53);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} calls[] = {{"peek", peek}, {"dup_before", dup_before}, {"dup_after", dup_after}, {"clear", clear}, {"bio", bio},
		     {"early", early}, {"early_rejected", early_rejected}, {"early_full", early_full}};

	there = SSL_CTX_new(TLS_server_method());
	here = SSL_CTX_new(TLS_client_method());
	if (argc < 3 || SSL_CTX_use_certificate_file(there, argv[1], SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_use_PrivateKey_file(there, argv[1], SSL_FILETYPE_PEM) != 1)
		return 2;
	SSL_CTX_set_session_cache_mode(here, SSL_SESS_CACHE_CLIENT);
	SSL_CTX_set_options(there, SSL_OP_NO_ANTI_REPLAY);
	for (int i = 2; i < argc; i++)
		for (size_t k = 0; k < sizeof(calls) / sizeof(calls[0]); k++)
			if (!strcmp(argv[i], calls[k].name)) {
				now = calls[k].name;
				calls[k].run();
			}
	return 0;
}
