/* h2_websocket PORT PATH: a WebSocket over HTTP/2 (RFC 8441): says "as sent" when it is open, prints what
 * comes back, goes on until its input ends, and closes. */
#include <arpa/inet.h>
#include <nghttp2/nghttp2.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *path;
static int32_t stream = -1;
static int asked, open_now, ended;
static char out[64], in[256];
static size_t out_len, in_len;

#define NV(n, v)                                                                           \
	{                                                                                  \
		(uint8_t *)(n), (uint8_t *)(v), strlen(n), strlen(v), NGHTTP2_NV_FLAG_NONE \
	}

static ssize_t more(nghttp2_session *session, int32_t id, uint8_t *buf, size_t len, uint32_t *flags,
		    nghttp2_data_source *source, void *arg)
{
	(void)session, (void)id, (void)source, (void)arg;
	if (out_len == 0 && !ended)
		return NGHTTP2_ERR_DEFERRED;
	size_t n = out_len < len ? out_len : len;
	memcpy(buf, out, n);
	out_len -= n;
	if (ended)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)n;
}

/* A frame of its own; the mask is zeros. */
static void say(nghttp2_session *session, int type, const char *text)
{
	out[0] = (char)(0x80 | type);
	out[1] = (char)(0x80 | strlen(text));
	memset(out + 2, 0, 4);
	memcpy(out + 6, text, strlen(text));
	out_len = 6 + strlen(text);
	nghttp2_session_resume_data(session, stream);
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	(void)arg;
	if (frame->hd.type == NGHTTP2_SETTINGS && !(frame->hd.flags & NGHTTP2_FLAG_ACK) && !asked) {
		nghttp2_nv head[] = {NV(":method", "CONNECT"),      NV(":protocol", "websocket"),
				     NV(":scheme", "http"),         NV(":path", path),
				     NV(":authority", "localhost"), NV("sec-websocket-version", "13")};
		nghttp2_data_provider body = {.read_callback = more};
		asked = 1;
		stream = nghttp2_submit_request(session, NULL, head, 6, &body, NULL);
	} else if (frame->hd.type == NGHTTP2_HEADERS && frame->hd.stream_id == stream && !open_now) {
		open_now = 1;
		say(session, 1, "as sent");
	}
	return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data, size_t len,
		   void *arg)
{
	(void)session, (void)flags, (void)id, (void)arg;
	if (len > sizeof(in) - in_len)
		len = sizeof(in) - in_len;
	memcpy(in + in_len, data, len);
	in_len += len;
	if (in_len >= 2 && in_len >= 2u + (unsigned char)in[1] && (unsigned char)in[0] == 0x81) {
		printf("%.*s\n", in[1], in + 2);
		fflush(stdout);
		in_len = 0;
	}
	return 0;
}

static int flush(nghttp2_session *session, int fd)
{
	const uint8_t *data;
	ssize_t len;
	while ((len = nghttp2_session_mem_send(session, &data)) > 0)
		for (ssize_t at = 0, n; at < len; at += n)
			if ((n = write(fd, data + at, (size_t)(len - at))) <= 0)
				return -1;
	return (int)len;
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons((uint16_t)atoi(argv[1])),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	nghttp2_session_callbacks *callbacks;
	nghttp2_session *session;
	uint8_t buf[16384];
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	if (argc != 3 || connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0)
		return 2;
	path = argv[2];
	nghttp2_session_callbacks_new(&callbacks);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
	nghttp2_session_client_new(&session, callbacks, NULL);
	nghttp2_submit_settings(session, 0, NULL, 0);
	while (flush(session, fd) == 0 && nghttp2_session_want_read(session)) {
		struct pollfd fds[] = {{fd, POLLIN, 0}, {ended ? -1 : 0, POLLIN, 0}};
		if (poll(fds, 2, 20000) <= 0)
			return 3;
		if (fds[1].revents && read(0, buf, sizeof(buf)) <= 0) {
			ended = 1;
			say(session, 8, "\x03\xe8");
			continue;
		}
		if (!fds[0].revents)
			continue;
		ssize_t got = read(fd, buf, sizeof(buf));
		if (got <= 0 || nghttp2_session_mem_recv(session, buf, (size_t)got) < 0 || (ended && got > 0))
			break;
	}
	return !open_now;
}
