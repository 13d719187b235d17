/* h2_exact CERTIFICATE: HTTP/2 from this program to itself, over a socket with a small buffer and through OpenSSL over a pipe that
 * is full all the time: heads of every shape (padded, with priority, in CONTINUATIONs, indexed, never indexed, tables that
 * change their size) between other frames, written in pieces from one byte up. Sees to it that every frame arrives as it was
 * sent and every head means what it meant but for ours, and that the decoder's table is the encoder's in the end, entry by
 * entry. Prints how many requests there were, and how many had one traceparent more, for each way. */
#include <errno.h>
#include <fcntl.h>
#include <nghttp2/nghttp2.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHECK(what) ((what) ? (void)0 : (fprintf(stderr, "line %d, round %d: %s\n", __LINE__, round_now, #what), exit(1)))

static int round_now;
static unsigned seed;
static unsigned dice(unsigned sides)
{
	seed = seed * 1103515245u + 12345u;
	return seed / 65536u % sides;
}

static char sent[400000], got[600000];
static size_t sent_len, got_len;

/* --- what is sent */

static nghttp2_hd_deflater *deflater;
static char names[32][24], values[32][2000];

static void frame(unsigned type, unsigned flags, unsigned stream, const char *payload, size_t len)
{
	char *at = sent + sent_len;
	char head[9] = {(char)(len >> 16), (char)(len >> 8), (char)len, (char)type, (char)flags,
			(char)(stream >> 24), (char)(stream >> 16), (char)(stream >> 8), (char)stream};
	memcpy(at, head, 9);
	memcpy(at + 9, payload, len);
	sent_len += 9 + len;
}

static nghttp2_nv field(const char *name, const char *value, uint8_t flags)
{
	return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name), strlen(value), flags};
}

static size_t random_block(char *block, size_t room)
{
	nghttp2_nv nv[40];
	size_t count = 0;
	nv[count++] = field(":method", dice(2) ? "GET" : "POST", 0);
	nv[count++] = field(":scheme", "http", 0);
	nv[count++] = field(":authority", "a.example", 0);
	sprintf(values[0], "/%u", dice(1000));
	nv[count++] = field(":path", values[0], dice(2) ? NGHTTP2_NV_FLAG_NO_INDEX : 0);
	for (unsigned n = dice(14); n > 0; n--) {
		sprintf(names[count], "x-%c%u", 'a' + (char)dice(20), dice(3));
		size_t len = dice(5) ? dice(8) : dice(1500);
		for (size_t i = 0; i < len; i++)
			values[count][i] = len < 8 ? "ab"[dice(2)] : (char)(33 + dice(90));
		values[count][len] = '\0';
		nv[count] = field(names[count], values[count], dice(4) ? 0 : NGHTTP2_NV_FLAG_NO_INDEX);
		count++;
	}
	if (dice(20) == 0)
		CHECK(nghttp2_hd_deflate_change_table_size(deflater, dice(4097)) == 0);
	ssize_t len = nghttp2_hd_deflate_hd(deflater, (uint8_t *)block, room, nv, count);
	CHECK(len > 0);
	return (size_t)len;
}

static void request(unsigned stream)
{
	static char block[30000], payload[40000];
	size_t len = random_block(block, sizeof(block)), at = 0;
	unsigned flags = 0x01;
	unsigned pad = dice(3) ? 0 : dice(100);
	if (pad) {
		flags |= 0x08;
		payload[at++] = (char)pad;
	}
	if (dice(4) == 0) {
		flags |= 0x20;
		memcpy(payload + at, "\0\0\0\0\7", 5);
		at += 5;
	}
	size_t part = dice(3) && len < 16000 ? len : dice((unsigned)(len < 16000 ? len : 16000) + 1);
	memcpy(payload + at, block, part);
	memset(payload + at + part, 0, pad);
	frame(1, flags | (part == len ? 4 : 0), stream, payload, at + part + pad);
	while (part < len) {
		size_t more = 1 + dice((unsigned)(len - part));
		if (more > 16384)
			more = 16384;
		frame(9, part + more == len ? 4 : 0, stream, block + part, more);
		part += more;
	}
}

static int make(void)
{
	static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
	int requests = 2 + (int)dice(40);
	memcpy(sent, preface, sizeof(preface) - 1);
	sent_len = sizeof(preface) - 1;
	frame(4, 0, 0, "", 0);
	for (int i = 0; i < requests; i++) {
		request((unsigned)i * 2 + 1);
		if (dice(4) == 0)
			frame(6, 0, 0, "12345678", 8);
		if (dice(6) == 0)
			frame(8, 0, 0, "\0\0\1\0", 4);
		if (dice(6) == 0)
			frame(2, 0, (unsigned)i * 2 + 1, "\0\0\0\0\3", 5);
	}
	return requests;
}

/* --- what arrives */

struct reader {
	const char *at, *end;
	nghttp2_hd_inflater *inflater;
	char text[60000]; /* the head that was read last */
	size_t len;
	int ours;
};

static void inflate(struct reader *reader, const char *block, size_t len)
{
	int flags = 0;
	reader->len = 0;
	reader->ours = 0;
	while (!(flags & NGHTTP2_HD_INFLATE_FINAL)) {
		nghttp2_nv nv;
		flags = 0;
		ssize_t used = nghttp2_hd_inflate_hd2(reader->inflater, &nv, &flags, (const uint8_t *)block, len, 1);
		CHECK(used >= 0);
		block += used;
		len -= (size_t)used;
		if (!(flags & NGHTTP2_HD_INFLATE_EMIT))
			continue;
		if (nv.namelen == 11 && !memcmp(nv.name, "traceparent", 11)) {
			CHECK(nv.valuelen == 55);
			reader->ours++;
			continue;
		}
		reader->len += (size_t)sprintf(reader->text + reader->len, "%.*s: %.*s\n", (int)nv.namelen, nv.name, (int)nv.valuelen, nv.value);
	}
	CHECK(nghttp2_hd_inflate_end_headers(reader->inflater) == 0);
}

/* The next frame that is no part of a head, or a whole head: its type; the rest in *what. */
struct thing {
	unsigned type, flags, stream;
	char bytes[60000];
	size_t len;
};

static bool next(struct reader *reader, struct thing *what)
{
	what->len = 0;
	if (reader->at == reader->end)
		return false;
	for (bool first = true;; first = false) {
		const unsigned char *at = (const unsigned char *)reader->at;
		CHECK(reader->end - reader->at >= 9);
		size_t len = (size_t)at[0] << 16 | (size_t)at[1] << 8 | at[2];
		CHECK((size_t)(reader->end - reader->at) >= 9 + len && len <= 16384);
		unsigned type = at[3], flags = at[4], skip = 0, pad = 0;
		if (first) {
			what->type = type;
			what->flags = flags & ~4u;
			what->stream = at[7] << 8 | at[8];
			if (type == 1) {
				skip = (flags & 8 ? 1 : 0) + (flags & 0x20 ? 5 : 0);
				pad = flags & 8 ? at[9] : 0;
			}
		} else {
			CHECK(type == 9 && what->stream == (unsigned)(at[7] << 8 | at[8]));
		}
		memcpy(what->bytes + what->len, at + 9 + skip, len - skip - pad);
		what->len += len - skip - pad;
		reader->at += 9 + len;
		if ((type != 1 && type != 9) || flags & 4)
			break;
	}
	if (what->type == 1)
		inflate(reader, what->bytes, what->len);
	return true;
}

static int compare(void)
{
	static struct reader was, is;
	static struct thing a, b;
	int ours = 0;
	CHECK(got_len >= 24 && memcmp(got, sent, 24) == 0);
	was.at = sent + 24, was.end = sent + sent_len;
	is.at = got + 24, is.end = got + got_len;
	nghttp2_hd_inflate_new(&was.inflater);
	nghttp2_hd_inflate_new(&is.inflater);
	while (next(&was, &a)) {
		CHECK(next(&is, &b));
		CHECK(a.type == b.type && a.flags == b.flags && a.stream == b.stream);
		if (a.type != 1) {
			CHECK(a.len == b.len && memcmp(a.bytes, b.bytes, a.len) == 0);
			continue;
		}
		CHECK(was.len == is.len && memcmp(was.text, is.text, was.len) == 0);
		CHECK(is.ours <= 1);
		ours += is.ours;
	}
	CHECK(!next(&is, &b));
	size_t entries = nghttp2_hd_deflate_get_num_table_entries(deflater);
	CHECK(nghttp2_hd_inflate_get_num_table_entries(is.inflater) == entries);
	CHECK(nghttp2_hd_inflate_get_dynamic_table_size(is.inflater) == nghttp2_hd_deflate_get_dynamic_table_size(deflater));
	for (size_t i = 1; i <= entries; i++) {
		const nghttp2_nv *there = nghttp2_hd_inflate_get_table_entry(is.inflater, i);
		const nghttp2_nv *here = nghttp2_hd_deflate_get_table_entry(deflater, i);
		CHECK(there->namelen == here->namelen && there->valuelen == here->valuelen);
		CHECK(memcmp(there->name, here->name, here->namelen) == 0 && memcmp(there->value, here->value, here->valuelen) == 0);
	}
	nghttp2_hd_inflate_del(was.inflater);
	nghttp2_hd_inflate_del(is.inflater);
	return ours;
}

/* --- the two ways */

static int fds[2];
static SSL *client, *server;

static ssize_t put(const char *bytes, size_t len)
{
	if (!client) {
		ssize_t n = send(fds[0], bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		CHECK(n > 0 || errno == EAGAIN);
		return n;
	}
	int n = SSL_write(client, bytes, (int)len);
	CHECK(n > 0 || SSL_get_error(client, n) == SSL_ERROR_WANT_WRITE);
	return n;
}

static void take(void)
{
	size_t room = 1 + dice(3000);
	if (!client) {
		ssize_t n = recv(fds[1], got + got_len, room, MSG_DONTWAIT);
		got_len += n > 0 ? (size_t)n : 0;
		return;
	}
	int n = SSL_read(server, got + got_len, (int)room);
	got_len += n > 0 ? (size_t)n : 0;
	ERR_clear_error();
}

static void write_all(void)
{
	unsigned most = round_now % 4 == 0 ? 1 : round_now % 4 == 1 ? 400 : 0; /* 0: all that there is */
	for (size_t at = 0; at < sent_len;) {
		size_t asked = most ? 1 + dice(most) : sent_len - at;
		if (at < 24) /* "PRI " decides */
			asked = asked < 24 ? 24 : asked;
		if (asked > sent_len - at)
			asked = sent_len - at;
		ssize_t n;
		while ((n = put(sent + at, asked)) <= 0)
			take();
		at += (size_t)n;
		if (dice(3) == 0)
			take();
	}
	for (size_t before = got_len + 1; before != got_len;) {
		before = got_len;
		for (int i = 0; i < 100; i++)
			take();
	}
}

static void connect_plain(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	int size = 2048, listening = socket(AF_INET, SOCK_STREAM, 0);
	bind(listening, (struct sockaddr *)&address, len);
	listen(listening, 1);
	getsockname(listening, (struct sockaddr *)&address, &len);
	fds[0] = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	CHECK(connect(fds[0], (struct sockaddr *)&address, len) == 0);
	fds[1] = accept(listening, NULL, NULL);
	close(listening);
	client = NULL;
}

static void connect_tls(SSL_CTX *here, SSL_CTX *there)
{
	BIO *near = NULL, *far = NULL;
	BIO_new_bio_pair(&near, 1 + dice(9000), &far, 20000);
	client = SSL_new(here);
	server = SSL_new(there);
	SSL_set_bio(client, near, near);
	SSL_set_bio(server, far, far);
	SSL_set_connect_state(client);
	SSL_set_accept_state(server);
	SSL_set_mode(client, round_now % 2 ? SSL_MODE_ENABLE_PARTIAL_WRITE : 0);
	SSL_set_max_send_fragment(client, 512 + dice(15000));
	while (!SSL_is_init_finished(client) || !SSL_is_init_finished(server)) {
		SSL_do_handshake(client);
		SSL_do_handshake(server);
	}
	ERR_clear_error();
}

int main(int argc, char **argv)
{
	SSL_CTX *there = SSL_CTX_new(TLS_server_method()), *here = SSL_CTX_new(TLS_client_method());
	if (argc < 2 || SSL_CTX_use_certificate_file(there, argv[1], SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_use_PrivateKey_file(there, argv[1], SSL_FILETYPE_PEM) != 1)
		return 2;
	for (int tls = 0; tls < 2; tls++) {
		int requests[2] = {0}, ours[2] = {0};
		for (round_now = 1; round_now <= 80; round_now++) {
			bool torn = round_now % 4 < 2; /* most heads are cut by the program itself: these stay as they are */
			seed = (unsigned)round_now * 7919 + (unsigned)tls;
			got_len = 0;
			nghttp2_hd_deflate_new(&deflater, 4096);
			if (tls)
				connect_tls(here, there);
			else
				connect_plain();
			requests[torn] += make();
			write_all();
			if (client) {
				SSL_free(client);
				SSL_free(server);
				client = server = NULL;
			} else {
				close(fds[0]);
				while (recv(fds[1], got + got_len, 1, 0) == 1)
					got_len++;
				close(fds[1]);
			}
			ours[torn] += compare();
			nghttp2_hd_deflate_del(deflater);
		}
		CHECK(ours[1] <= requests[1]);
		printf("%d %d%s", requests[0], ours[0], tls ? "\n" : " ");
	}
	return 0;
}
