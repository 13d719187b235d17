/* interop_nghttp2 PORT COUNT: as interop_client, on nghttp2: 20 requests in flight at a time, fields with and without indexing,
 * over several connections. */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <openssl/ssl.h>
#include <stdbool.h>

#include "interop.h"
#include "net.h"

static unsigned seed = 7;
static int begun, done, upto, agree, ours;
static SSL *ssl;

static unsigned dice(unsigned sides)
{
	seed = seed * 1103515245u + 12345u;
	return seed / 65536u % sides;
}

struct request {
	uint64_t sum;
	bool agrees, ours;
};

static nghttp2_nv field(const char *name, const char *value, uint8_t flags)
{
	return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name), strlen(value), flags};
}

static void submit(nghttp2_session *session)
{
	static char names[20][16], values[20][3000];
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~!#$&'*+;=/ ";
	struct request *request = calloc(1, sizeof(*request));
	nghttp2_nv nv[24] = {field(":method", "GET", 0), field(":scheme", "https", 0), field(":authority", "a.example", 0),
			     field(":path", "/", 0)};
	size_t count = 4;
	for (unsigned n = dice(15); n > 0; n--) {
		char *value = values[count];
		snprintf(names[count], sizeof(names[0]), "x-%c%u", 'a' + (char)dice(20), dice(3));
		size_t len = dice(60) == 0 ? dice(2900) : dice(4) ? dice(6) : dice(300);
		for (size_t i = 0; i < len; i++)
			value[i] = len < 4 ? "ab"[dice(2)] : i == 0 || i == len - 1 ? 'v' : letters[dice(sizeof(letters) - 1)];
		value[len] = '\0';
		nv[count] = field(names[count], value, dice(3) ? 0 : NGHTTP2_NV_FLAG_NO_INDEX);
		request->sum += interop_hash(names[count], strlen(names[count]), value, len);
		count++;
	}
	begun++;
	nghttp2_submit_request(session, NULL, nv, count, NULL, request);
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
		     const uint8_t *value, size_t value_len, uint8_t flags, void *user)
{
	(void)flags, (void)user;
	struct request *request = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
	char text[40] = "";
	memcpy(text, value, value_len < sizeof(text) - 1 ? value_len : sizeof(text) - 1);
	if (name_len == 5 && !memcmp(name, "x-sum", 5))
		request->agrees = strtoull(text, NULL, 16) == request->sum;
	if (name_len == 6 && !memcmp(name, "x-ours", 6))
		request->ours = atoi(text) == 1;
	return 0;
}

static int on_close(nghttp2_session *session, int32_t stream, uint32_t error, void *user)
{
	(void)user;
	struct request *request = nghttp2_session_get_stream_user_data(session, stream);
	done++;
	agree += error == 0 && request->agrees;
	ours += request->ours;
	free(request);
	if (begun < upto)
		submit(session);
	return 0;
}

static ssize_t on_send(nghttp2_session *session, const uint8_t *data, size_t len, int flags, void *user)
{
	(void)session, (void)flags, (void)user;
	int n = SSL_write(ssl, data, (int)len);
	return n <= 0 ? NGHTTP2_ERR_CALLBACK_FAILURE : n;
}

static void talk(SSL_CTX *context, int port, nghttp2_session_callbacks *callbacks)
{
	static uint8_t bytes[70000];
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	nghttp2_session *session;
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		exit(94);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	ssl = SSL_new(context);
	SSL_set_fd(ssl, fd);
	if (SSL_connect(ssl) != 1)
		exit(95);
	nghttp2_session_client_new(&session, callbacks, NULL);
	nghttp2_submit_settings(session, 0, NULL, 0);
	for (int i = 0; i < 20 && begun < upto; i++)
		submit(session);
	while (done < upto && nghttp2_session_send(session) == 0) {
		int n = SSL_read(ssl, bytes, sizeof(bytes));
		if (n <= 0 || nghttp2_session_mem_recv(session, bytes, (size_t)n) != n)
			break;
	}
	nghttp2_session_del(session);
	SSL_shutdown(ssl);
	SSL_free(ssl);
	close(fd);
}

int main(int argc, char **argv)
{
	nghttp2_session_callbacks *callbacks;
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	if (argc < 3)
		return 1;
	SSL_CTX_set_alpn_protos(context, (const unsigned char *)"\2h2", 3);
	nghttp2_session_callbacks_new(&callbacks);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
	nghttp2_session_callbacks_set_send_callback(callbacks, on_send);
	int count = atoi(argv[2]);
	for (upto = 2500; upto <= count; upto += 2500)
		talk(context, atoi(argv[1]), callbacks);
	printf("%d %d\n", agree, ours);
	return 0;
}
