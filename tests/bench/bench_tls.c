/* bench_tls COUNT: ns of CPU for one SSL_write and one SSL_read of 100 bytes between two sessions in memory, that carry no HTTP
 * (the hooks alone), then for an HTTP request and its answer. */
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static SSL *server, *client;

static void make_sessions(void)
{
	SSL_CTX *there = SSL_CTX_new(TLS_server_method()), *here = SSL_CTX_new(TLS_client_method());
	BIO *near = NULL, *far = NULL;
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *own = X509_new();

	ASN1_INTEGER_set(X509_get_serialNumber(own), 1);
	X509_gmtime_adj(X509_getm_notBefore(own), 0);
	X509_gmtime_adj(X509_getm_notAfter(own), 86400);
	X509_set_pubkey(own, key);
	X509_sign(own, key, EVP_sha256());
	SSL_CTX_use_certificate(there, own);
	SSL_CTX_use_PrivateKey(there, key);
	SSL_CTX_set_num_tickets(there, 0);
	BIO_new_bio_pair(&near, 40000, &far, 40000);
	server = SSL_new(there);
	client = SSL_new(here);
	SSL_set_bio(client, near, near);
	SSL_set_bio(server, far, far);
	SSL_set_connect_state(client);
	SSL_set_accept_state(server);
	while (!SSL_is_init_finished(client) || !SSL_is_init_finished(server)) {
		SSL_do_handshake(client);
		SSL_do_handshake(server);
	}
}

static void pass(SSL *from, SSL *to, const char *text, int len)
{
	char got[2000];
	if (SSL_write(from, text, len) != len || SSL_read(to, got, sizeof(got)) < len)
		exit(1);
}

static double now(void)
{
	struct timespec at;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &at);
	return (double)at.tv_sec * 1e9 + (double)at.tv_nsec;
}

int main(int argc, char **argv)
{
	static const char question[] = "GET /1k HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n";
	static const char answer[] = "HTTP/1.1 200 OK\r\nServer: bench\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok";
	int count = argc > 1 ? atoi(argv[1]) : 100000;
	char plain[100];

	memset(plain, 0x80, sizeof(plain));
	make_sessions();
	double start = now();
	for (int i = 0; i < count; i++)
		pass(client, server, plain, sizeof(plain));
	double hooks = (now() - start) / (count ? count : 1);
	SSL_free(client);
	SSL_free(server);
	make_sessions();
	start = now();
	for (int i = 0; i < count; i++) {
		pass(client, server, question, sizeof(question) - 1);
		pass(server, client, answer, sizeof(answer) - 1);
	}
	printf("%.0f %.0f\n", hooks, (now() - start) / (count ? count : 1));
	return 0;
}
