/* interop_server CERTIFICATE: an HTTP/2 server on nghttp2 and OpenSSL. Prints its port; answers each request with x-sum, a checksum of
 * the fields that it read, whatever their order, without the tracer's, and x-ours, how many traceparent fields there were.
 * One connection after the other; ends with its standard input. */
#include <nghttp2/nghttp2.h>
#include <openssl/ssl.h>
#include <netinet/tcp.h>
#include <poll.h>

#include "interop.h"
#include "net.h"

struct request {
	uint64_t sum;
	int ours;
};

static int on_begin(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
	(void)user;
	struct request *request = calloc(1, sizeof(*request));
	return nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, request);
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
		     const uint8_t *value, size_t value_len, uint8_t flags, void *user)
{
	(void)flags, (void)user;
	struct request *request = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
	if (name_len == 11 && !memcmp(name, "traceparent", 11))
		request->ours += value_len == 55;
	else if (name[0] != ':')
		request->sum += interop_hash((const char *)name, name_len, (const char *)value, value_len);
	return 0;
}

static nghttp2_nv field(const char *name, const char *value)
{
	return (nghttp2_nv){(uint8_t *)name, (uint8_t *)value, strlen(name), strlen(value), 0};
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
	(void)user;
	if (frame->hd.type != NGHTTP2_HEADERS || !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
		return 0;
	struct request *request = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
	char sum[32], ours[16];
	snprintf(sum, sizeof(sum), "%016llx", (unsigned long long)request->sum);
	snprintf(ours, sizeof(ours), "%d", request->ours);
	nghttp2_nv answer[] = {field(":status", "200"), field("x-sum", sum), field("x-ours", ours)};
	return nghttp2_submit_response(session, frame->hd.stream_id, answer, 3, NULL);
}

static int on_close(nghttp2_session *session, int32_t stream, uint32_t error, void *user)
{
	(void)error, (void)user;
	free(nghttp2_session_get_stream_user_data(session, stream));
	return 0;
}

static ssize_t on_send(nghttp2_session *session, const uint8_t *data, size_t len, int flags, void *user)
{
	(void)session, (void)flags;
	int n = SSL_write(user, data, (int)len);
	return n <= 0 ? NGHTTP2_ERR_CALLBACK_FAILURE : n;
}

static int choose(SSL *ssl, const unsigned char **out, unsigned char *len, const unsigned char *in, unsigned in_len, void *arg)
{
	(void)ssl, (void)in, (void)in_len, (void)arg;
	*out = (const unsigned char *)"h2";
	*len = 2;
	return SSL_TLSEXT_ERR_OK;
}

static SSL_CTX *context(const char *certificate)
{
	SSL_CTX *made = SSL_CTX_new(TLS_server_method());
	if (SSL_CTX_use_certificate_file(made, certificate, SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_use_PrivateKey_file(made, certificate, SSL_FILETYPE_PEM) != 1)
		exit(93);
	SSL_CTX_set_alpn_select_cb(made, choose, NULL);
	return made;
}

static void serve(int fd, SSL *ssl, nghttp2_session_callbacks *callbacks)
{
	nghttp2_session *session;
	static uint8_t bytes[70000];
	/* Frames cut where it suits nobody. */
	size_t cut = 1;

	int one = 1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	SSL_set_fd(ssl, fd);
	SSL_accept(ssl);
	nghttp2_session_server_new(&session, callbacks, ssl);
	nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 100}};
	nghttp2_submit_settings(session, 0, settings, 1);
	while (nghttp2_session_send(session) == 0) {
		int n = SSL_read(ssl, bytes, (int)cut);
		if (n <= 0 || nghttp2_session_mem_recv(session, bytes, (size_t)n) != n)
			break;
		cut = cut * 7 % 65521 + 1;
	}
	nghttp2_session_del(session);
	SSL_free(ssl);
	close(fd);
}

int main(int argc, char **argv)
{
	SSL_CTX *tls = context(argc > 1 ? argv[1] : "");
	int port, listening = net_listen(&port);
	nghttp2_session_callbacks *callbacks;

	printf("%d\n", port);
	fflush(stdout);
	nghttp2_session_callbacks_new(&callbacks);
	nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
	nghttp2_session_callbacks_set_send_callback(callbacks, on_send);
	for (;;) {
		struct pollfd events[2] = {{.fd = listening, .events = POLLIN}, {.fd = 0, .events = POLLIN}};
		if (poll(events, 2, -1) < 0 || events[1].revents)
			return 0;
		serve(accept(listening, NULL, NULL), SSL_new(tls), callbacks);
	}
}
