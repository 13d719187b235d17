/* The edit of outgoing bytes, against a kernel that takes what it likes.
 *
 * Every conversation is written with cuts at every position (and every pair of positions for short ones),
 * while the "kernel" takes all, one byte, half, all but one, or refuses at first. What the peer has got at
 * the end must be the original bytes and, in each request head, exactly one header block of ours between
 * header lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <arpa/inet.h>

#include <cmocka.h>

#include "preload/activity.h"
#include "preload/clock.h"
#include "preload/config.h"
#include "preload/conn.h"
#include "preload/queue.h"
#include "tests/support/connection.h"

extern const struct protocol protocol_http1;
static const struct protocol *const protocols[] = {&protocol_http1, NULL};

enum kernel { TAKES_ALL, TAKES_ONE, TAKES_HALF, TAKES_ALL_BUT_ONE, REFUSES_FIRST, KERNELS };

static char wire[300000];
static size_t wire_len;
static enum kernel kernel;
static unsigned calls;

static size_t kernel_takes(size_t offered)
{
	calls++;
	switch (kernel) {
	case TAKES_ONE:
		return 1;
	case TAKES_HALF:
		return (offered + 1) / 2;
	case TAKES_ALL_BUT_ONE:
		return offered > 1 ? offered - 1 : 1;
	case REFUSES_FIRST:
		return calls % 2 ? 0 : offered;
	default:
		return offered;
	}
}

/* One non-blocking write as the hook does it; what the host sees. */
static ssize_t host_write(struct conn *conn, const char *data, size_t len, int *error)
{
	/* Two pieces, to have an iovec to cut through. */
	struct iovec iov[2] = {{(char *)(uintptr_t)data, len / 2},
			       {(char *)(uintptr_t)data + len / 2, len - len / 2}};
	struct iovec pieces[64];
	struct outgoing out;
	ssize_t sent = -1;

	out.frozen = false;
	*error = EAGAIN;
	bool edited = conn_sending(&out, conn, iov, 2);
	size_t total = edited ? outgoing_length(&out) : len;
	size_t take = kernel_takes(total);
	if (take > 0) {
		size_t left = take;
		int count = edited ? outgoing_iov(&out, 0, pieces, 64) : 2;
		const struct iovec *from = edited ? pieces : iov;
		for (int i = 0; i < count && left > 0; i++) {
			size_t part = from[i].iov_len < left ? from[i].iov_len : left;
			memcpy(wire + wire_len, from[i].iov_base, part);
			wire_len += part;
			left -= part;
		}
		assert_int_equal(left, 0);
		sent = (ssize_t)take;
	}
	ssize_t result = conn_sent(&out, sent, error);
	assert_true(result == -1 || (result > 0 && (size_t)result <= len));
	return result;
}

static void write_fully(struct conn *conn, const char *data, size_t len)
{
	for (size_t done = 0, tries = 0; done < len; tries++) {
		int error;
		ssize_t wrote = host_write(conn, data + done, len - done, &error);
		if (wrote < 0)
			assert_int_equal(error, EAGAIN);
		else
			done += (size_t)wrote;
		assert_true(tries < 10 * len + 100);
	}
}

static void disconnect(struct conn *conn, int fd)
{
	conn_put(conn);
	conn_closing(fd);
	close(fd);
	struct queue_record records[64];
	size_t n;
	while ((n = queue_peek(records, 64, SIZE_MAX)) > 0)
		queue_release(n);
}

static bool is_ours(const char *line, size_t len)
{
	if (len != 70 || memcmp(line, "traceparent: 00-", 16) != 0 || memcmp(line + 68, "\r\n", 2) != 0)
		return false;
	return line[48] == '-' && line[65] == '-';
}

/* Removes our lines from what arrived; -1 when one stands where it may not. */
static int strip(const char *original, size_t len)
{
	static char plain[300000];
	size_t n = 0;
	int found = 0;
	for (size_t i = 0; i < wire_len;) {
		bool line_start = i >= 2 && wire[i - 2] == '\r' && wire[i - 1] == '\n';
		if (line_start && wire_len - i >= 70 && is_ours(wire + i, 70) &&
		    (n + 70 > len || memcmp(original + n, wire + i, 70) != 0)) {
			found++;
			i += 70;
			if (i >= wire_len || wire[i] != '\r') /* must be followed by what it was put before */
				return -1;
			continue;
		}
		plain[n++] = wire[i++];
	}
	return n == len && memcmp(plain, original, len) == 0 ? found : -1;
}

struct conversation {
	const char *name;
	const char *bytes;
	int heads;  /* that get a header */
	bool pairs; /* short enough for all pairs of cuts */
};

static const struct conversation conversations[] = {
	{"get", "GET /a?b=c HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n", 1, true},
	{"no fields", "GET / HTTP/1.0\r\n\r\n", 1, true},
	{"post", "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\nhello\r\n\r\nxy", 1, true},
	{"chunked with trailers",
	 "PUT /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTrailer: "
	 "T\r\n\r\n5\r\nab\r\n\r\r\n0\r\nT: v\r\n\r\n"
	 "GET /next HTTP/1.1\r\nHost: x\r\n\r\n",
	 2, false},
	{"pipelined pair", "GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n", 2, false},
	{"expect continue",
	 "POST /e HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc", 1, false},
	{"absolute form", "GET http://y:81/z HTTP/1.1\r\nHost: y:81\r\n\r\n", 1, false},
	{"options star", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 1, false},
	{"connect", "CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n\x16\x03\x01\x02\x00GET / HTTP/1.1\r\n\r\n",
	 1, false},
	{"foreign traceparent",
	 "GET /f HTTP/1.1\r\ntraceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\nHost: "
	 "x\r\n\r\n",
	 0, false},
	{"not http: smtp", "EHLO there\r\nMAIL FROM:<a@b>\r\n\r\n", 0, false},
	{"not http: tls", "\x16\x03\x01\x01\x02GET / HTTP/1.1\r\nHost: x\r\n\r\n", 0, false},
	{"not http: redis", "*1\r\n$4\r\nPING\r\n", 0, false},
	{"two lengths",
	 "POST /s HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcGET / HTTP/1.1\r\nHost: "
	 "x\r\n\r\n",
	 -1, false},
};

static void play(const struct conversation *c, size_t len, size_t cut1, size_t cut2)
{
	int fd;
	struct conn *conn = connected(&fd, 80);
	wire_len = 0;
	calls = 0;
	write_fully(conn, c->bytes, cut1);
	write_fully(conn, c->bytes + cut1, cut2 - cut1);
	write_fully(conn, c->bytes + cut2, len - cut2);
	int found = strip(c->bytes, len);
	bool good = c->heads < 0 ? found >= 0 && found <= 1 : found == c->heads;
	if (!good) {
		print_error("%s, cut at %zu and %zu, kernel %d: %d headers\n%.*s\n", c->name, cut1, cut2,
			    kernel, found, (int)wire_len, wire);
		fail();
	}
	disconnect(conn, fd);
}

static size_t length_of(const struct conversation *c)
{
	/* The TLS and CONNECT ones hold a NUL. */
	if (strstr(c->name, "connect") && strcmp(c->name, "connect") == 0)
		return strlen(c->bytes) + 1 + strlen("GET / HTTP/1.1\r\n\r\n");
	return strlen(c->bytes);
}

static void test_every_cut_with_every_kernel(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(conversations) / sizeof(conversations[0]); i++) {
		const struct conversation *c = &conversations[i];
		size_t len = length_of(c);
		for (kernel = TAKES_ALL; kernel < KERNELS; kernel++)
			for (size_t cut = 0; cut <= len; cut++) {
				if (!c->pairs) {
					play(c, len, cut, cut);
					continue;
				}
				for (size_t second = cut; second <= len; second++)
					play(c, len, cut, second);
			}
	}
}

static void test_long_heads_and_bodies(void **state)
{
	(void)state;
	static char big[200000];
	size_t n = (size_t)sprintf(big, "POST /big HTTP/1.1\r\nHost: x\r\nX-Long: ");
	memset(big + n, 'a', 65536);
	n += 65536;
	n += (size_t)sprintf(big + n, "\r\nContent-Length: 100000\r\n\r\n");
	size_t head = n;
	memset(big + n, 'b', 100000);
	n += 100000;
	const struct conversation c = {"big", big, 1, false};
	const size_t cuts[] = {0,        1,        18,       19,       20,   4096,     8192, 60000,
			       head - 4, head - 3, head - 2, head - 1, head, head + 1, n};
	for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++)
		for (kernel = TAKES_ALL; kernel < KERNELS; kernel++)
			if (kernel != TAKES_ONE)
				play(&c, n, cuts[i], cuts[i]);
}

/* A proxy that passes on what it received: 16 digits change, nothing else, wherever the write is cut; inside
 * them it stays as it is. */
static void test_passed_on_parent_is_replaced(void **state)
{
	(void)state;
	static const char request[] =
		"GET /p HTTP/1.1\r\nHost: x\r\ntraceparent: "
		"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\nX: y\r\n\r\n";
	size_t len = sizeof(request) - 1;
	size_t digits = (size_t)(strstr(request, "b7ad") - request);
	struct context parent = {.valid = true, .remote = true, .flags = FLAG_SAMPLED};
	assert_true(hex_decode(parent.trace_id, "0af7651916cd43dd8448eb211c80319c", 16));
	assert_true(hex_decode(parent.span_id, "b7ad6b7169203331", 8));
	struct span *server = span_begin(SPAN_SERVER, clock_now());
	span_identify(server, &parent);
	memcpy(server->received_id, parent.span_id, 8);
	activity_index(span_reference(server), &parent);
	for (kernel = TAKES_ALL; kernel < KERNELS; kernel++) {
		for (size_t cut = 0; cut <= len; cut++) {
			int fd;
			struct conn *conn = connected(&fd, 80);
			wire_len = 0;
			calls = 0;
			write_fully(conn, request, cut);
			write_fully(conn, request + cut, len - cut);
			assert_int_equal(wire_len, len);
			bool replaced = memcmp(wire + digits, request + digits, 16) != 0;
			memcpy(wire + digits, request + digits, 16);
			assert_memory_equal(wire, request, len);
			/* Replaced as long as the line arrives in one write (the next line's first byte says
			 * that it ended); a line that is cut goes out as it is. */
			if (kernel == TAKES_ALL && (cut <= digits - 49 || cut >= digits + 22))
				assert_true(replaced);
			if (cut > digits && cut < digits + 16)
				assert_false(replaced);
			disconnect(conn, fd);
		}
	}
	span_discard(server);
}

/* A write that is refused and never repeated leaves nothing behind. */
static void test_refused_and_given_up(void **state)
{
	(void)state;
	int fd, error;
	struct conn *conn = connected(&fd, 80);
	kernel = REFUSES_FIRST;
	calls = 0;
	wire_len = 0;
	assert_int_equal(host_write(conn, "GET /1 HTTP/1.1\r\n\r\n", 19, &error), -1);
	calls = 1;
	/* Something else instead: described as what it is, with a header of its own. */
	assert_int_equal(host_write(conn, "PUT /other HTTP/1.1\r\n\r\n", 23, &error), 23);
	assert_int_equal(wire_len, 23 + 70);
	disconnect(conn, fd);
}

static int set_up(void **state)
{
	char *env[] = {"OTEL_TRACES_EXPORTER=none", NULL};
	(void)state;
	config_load(env, "test");
	protocol_settings.carrier = context_field;
	protocol_settings.carrier_lengths = context_field_lengths();
	protocol_settings_done();
	protocol_settings.known_methods = config.known_method_list;
	return span_init(256) && blocks_init(64) && conn_init(64, protocols) && queue_open(1 << 20, 0) ? 0
												       : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_cut_with_every_kernel),
		cmocka_unit_test(test_long_heads_and_bodies),
		cmocka_unit_test(test_passed_on_parent_is_replaced),
		cmocka_unit_test(test_refused_and_given_up),
	};
	return cmocka_run_group_tests(tests, set_up, NULL);
}
