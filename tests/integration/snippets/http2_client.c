/* http2_client.c PORT REQUESTS IN_FLIGHT COOKIE: GETs over one HTTP/2 connection, non-blocking, with a small send buffer,
 * so that writes end anywhere. COOKIE: its length, so that heads are as long. Prints how many were answered well. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int fd, begun, total, done, good;
static char *cookie;

static ssize_t send_some(nghttp2_session *session, const uint8_t *data, size_t length, int flags, void *arg)
{
	(void)session, (void)flags, (void)arg;
	ssize_t sent = send(fd, data, length, MSG_NOSIGNAL);
	return sent >= 0 ? sent : errno == EAGAIN ? NGHTTP2_ERR_WOULDBLOCK : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static ssize_t receive_some(nghttp2_session *session, uint8_t *data, size_t length, int flags, void *arg)
{
	(void)session, (void)flags, (void)arg;
	ssize_t got = recv(fd, data, length, 0);
	return got > 0 ? got : got < 0 && errno == EAGAIN ? NGHTTP2_ERR_WOULDBLOCK : NGHTTP2_ERR_EOF;
}

static nghttp2_nv field(const char *name, const char *value)
{
	return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name), strlen(value),
			    NGHTTP2_NV_FLAG_NONE};
}

static void request(nghttp2_session *session)
{
	char path[64];
	snprintf(path, sizeof(path), "/1k?n=%d", begun++);
	nghttp2_nv fields[] = {field(":method", "GET"), field(":scheme", "http"), field(":authority", "a.example"),
			       field(":path", path), field("user-agent", "http2_client"), field("cookie", cookie)};
	nghttp2_submit_request(session, NULL, fields, cookie[0] ? 6 : 5, NULL, NULL);
}

static int header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
		  const uint8_t *value, size_t value_len, uint8_t flags, void *arg)
{
	(void)session, (void)frame, (void)flags, (void)arg;
	good += name_len == 7 && memcmp(name, ":status", 7) == 0 && value_len == 3 && memcmp(value, "200", 3) == 0;
	return 0;
}

static int closed(nghttp2_session *session, int32_t stream, uint32_t error, void *arg)
{
	(void)stream, (void)error, (void)arg;
	done++;
	if (begun < total)
		request(session);
	return 0;
}

int main(int argc, char **argv)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	nghttp2_session_callbacks *callbacks;
	nghttp2_session *session;
	if (argc < 5)
		return 2;
	address.sin_port = htons((uint16_t)atoi(argv[1]));
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	total = atoi(argv[2]);
	size_t length = (size_t)atoi(argv[4]);
	cookie = malloc(length + 1);
	memset(cookie, 'c', length);
	cookie[length] = '\0';
	fd = socket(AF_INET, SOCK_STREAM, 0);
	int small = 4096, one = 1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		return 1;
	nghttp2_session_callbacks_new(&callbacks);
	nghttp2_session_callbacks_set_send_callback(callbacks, send_some);
	nghttp2_session_callbacks_set_recv_callback(callbacks, receive_some);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, header);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, closed);
	nghttp2_session_client_new(&session, callbacks, NULL);
	nghttp2_submit_settings(session, 0, NULL, 0);
	for (int i = atoi(argv[3]); i > 0 && begun < total; i--)
		request(session);
	while (done < total) {
		struct pollfd wait = {fd, (short)(POLLIN | (nghttp2_session_want_write(session) ? POLLOUT : 0)), 0};
		if (poll(&wait, 1, 5000) <= 0 || nghttp2_session_recv(session) != 0 || nghttp2_session_send(session) != 0)
			break;
	}
	printf("%d\n", good);
	nghttp2_session_del(session);
	nghttp2_session_callbacks_del(callbacks);
	close(fd);
	free(cookie);
	return 0;
}
