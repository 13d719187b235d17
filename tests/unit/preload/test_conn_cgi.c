/* What is put into FastCGI, SCGI and uwsgi requests, against a kernel that takes what it likes.
 *
 * Whatever is cut and refused, what arrives is a request as its protocol has it: the lengths count what is
 * there, the context stands in it at most once, the body is whole. */
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
#include "preload/config.h"
#include "preload/conn.h"
#include "preload/counters.h"
#include "preload/queue.h"
#include "tests/support/connection.h"

extern const struct protocol protocol_http1, protocol_fastcgi, protocol_scgi, protocol_uwsgi;
static const struct protocol *const protocols[] = {&protocol_http1, &protocol_fastcgi, &protocol_scgi,
						   &protocol_uwsgi, NULL};

enum kernel { TAKES_ALL, TAKES_ONE, TAKES_TWO, TAKES_HALF, TAKES_ALL_BUT_ONE, REFUSES_FIRST, KERNELS };

static char wire[4096];
static size_t wire_len;
static enum kernel kernel;
static unsigned calls;

static size_t kernel_takes(size_t offered)
{
	calls++;
	switch (kernel) {
	case TAKES_ONE:
		return 1;
	case TAKES_TWO:
		return offered > 2 ? 2 : offered;
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

static ssize_t host_write(struct conn *conn, const char *data, size_t len, int *error)
{
	struct iovec iov[2] = {{(char *)(uintptr_t)data, len / 2},
			       {(char *)(uintptr_t)data + len / 2, len - len / 2}};
	struct iovec pieces[64];
	struct outgoing out;
	ssize_t sent = -1;

	out.frozen = false;
	*error = EAGAIN;
	bool edited = conn_sending(&out, conn, iov, 2);
	size_t take = kernel_takes(edited ? outgoing_length(&out) : len);
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
		if (tries >= 10 * len + 200) {
			print_error("never done, kernel %d: %.*s\n", kernel, (int)wire_len, wire);
			fail();
		}
	}
}

static void disconnect(struct conn *conn, int fd)
{
	struct queue_record records[64];
	size_t n;
	conn_put(conn);
	conn_closing(fd);
	close(fd);
	while ((n = queue_peek(records, 64, SIZE_MAX)) > 0)
		queue_release(n);
}

/* --- what the peer makes of it ----------------------------------------------------------------------------
 */

struct peer {
	struct protocol_sink sink; /* first */
	struct protocol_stash stash;
	int heads, contexts, opaque;
	size_t end;
	uint64_t state[PROTOCOL_STATE_MAX / 8];
	char block[PROTOCOL_STASH_SIZE];
};

static char *peer_take(struct protocol_stash *stash)
{
	return stash->block = (char *)stash - offsetof(struct peer, stash) + offsetof(struct peer, block);
}

static void peer_event(struct protocol_sink *sink, const struct protocol_event *event)
{
	struct peer *peer = (struct peer *)(void *)sink;
	peer->heads += event->type == EVENT_REQUEST_HEAD;
	peer->opaque += event->type == EVENT_OPAQUE;
	peer->contexts += event->type == EVENT_FIELD && event->number == FIELD_TRACEPARENT;
	if (event->type == EVENT_REQUEST_END)
		peer->end = event->offset;
}

/* How many contexts the peer finds; -1: it cannot read it. */
static int read_by_peer(const struct protocol *protocol, const char *body, size_t len)
{
	static struct peer peer;
	memset(&peer, 0, sizeof(peer));
	peer.sink = (struct protocol_sink){.event = peer_event, .stash = &peer.stash};
	peer.stash.take = peer_take;
	protocol->open(peer.state);
	protocol->feed(peer.state, HALF_REQUESTS, (struct bytes){wire, wire_len}, &peer.sink);
	bool whole = wire_len >= len && memcmp(wire + wire_len - len, body, len) == 0;
	return peer.heads == 1 && !peer.opaque && whole && peer.end == wire_len ? peer.contexts : -1;
}

/* --- requests ---------------------------------------------------------------------------------------------
 */

#define S(text) text, sizeof(text) - 1

static const struct request {
	const char *name;
	const struct protocol *protocol;
	const char *bytes;
	size_t len;
	const char *body; /* its last bytes */
	size_t body_len;
} requests[] = {
	{"fastcgi", &protocol_fastcgi,
	 S("\1\1\0\1\0\10\0\0\0\1\1\0\0\0\0\0"
	   "\1\4\0\1\0\23\5\0\16\3REQUEST_METHODGET\0\0\0\0\0"
	   "\1\4\0\1\0\0\0\0\1\5\0\1\0\4\0\0body\1\5\0\1\0\0\0\0"),
	 S("body\1\5\0\1\0\0\0\0")},
	{"scgi, two digits", &protocol_scgi,
	 S("43:CONTENT_LENGTH\0004\0SCGI\0001\0REQUEST_METHOD\0GET\0,body"), S("body")},
	{"scgi, three digits", &protocol_scgi,
	 S("104:CONTENT_LENGTH\0004\0SCGI\0001\0REQUEST_METHOD\0GET\0HTTP_COOKIE\0"
	   "cccccccccccccccccccccccccccccccccccccccccccccccc\0,body"),
	 S("body")},
	{"uwsgi", &protocol_uwsgi,
	 S("\0\56\0\0\16\0REQUEST_METHOD\3\0GET\16\0CONTENT_LENGTH\1\0004"
	   "\2\0ZZ\0\0body"),
	 S("body")},
};

static int play(const struct request *r, size_t cut)
{
	int fd;
	struct conn *conn = connected(&fd, 9000);
	wire_len = 0;
	calls = 0;
	write_fully(conn, r->bytes, cut);
	write_fully(conn, r->bytes + cut, r->len - cut);
	assert_ptr_equal(conn->protocol, r->protocol);
	assert_int_equal(conn->mode, CONN_FOLLOWED);
	int found = read_by_peer(r->protocol, r->body, r->body_len);
	disconnect(conn, fd);
	return found;
}

static void test_every_cut_with_every_kernel(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
		for (kernel = TAKES_ALL; kernel < KERNELS; kernel++)
			for (size_t cut = 0; cut <= requests[i].len; cut++) {
				int found = play(&requests[i], cut);
				bool once = kernel == TAKES_ALL && (cut == 0 || cut == requests[i].len);
				if (found < 0 || found > 1 || (once && found != 1)) {
					print_error("%s, cut at %zu, kernel %d: %d\n", requests[i].name, cut,
						    kernel, found);
					fail();
				}
			}
}

static void test_what_cannot_be_put_in_is_counted(void **state)
{
	(void)state;
	kernel = TAKES_ALL;
	uint64_t before = count_get(edits_skipped);
	assert_int_equal(play(&requests[1], 20), 0); /* the length went before */
	assert_int_equal(count_get(edits_skipped), before + 1);
	assert_int_equal(play(&requests[0], 50), 0); /* the empty record's header is cut */
	assert_int_equal(count_get(edits_skipped), before + 2);
}

/* Bytes that http1 took for the beginning of a method are fed to the protocol that they are of. */
static void test_server_side_byte_by_byte(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(9000)};
		int fd = socket(AF_INET, SOCK_STREAM, 0);
		conn_accepted(fd, (struct sockaddr *)&address, sizeof(address));
		struct conn *conn = conn_get(fd);
		for (size_t at = 0; at < requests[i].len; at++) {
			struct iovec iov = {(char *)(uintptr_t)requests[i].bytes + at, 1};
			conn_received(conn, &iov, 1, 1, 0);
		}
		assert_ptr_equal(conn->protocol, requests[i].protocol);
		assert_int_equal(conn->mode, CONN_FOLLOWED);
		assert_int_equal(conn->requests, 1);
		const struct span *span = span_slot(conn->first - 1);
		assert_true(span->identified && span->head_seen && span->request_ended);
		disconnect(conn, fd);
	}
}

/* What none of the protocols is goes out as it is, wherever it is cut. */
static void test_foreign_bytes_stay_as_they_are(void **state)
{
	(void)state;
	static const struct {
		const char *bytes;
		size_t len;
	} foreign[] = {
		{S("EHLO there\r\nMAIL FROM:<a@b>\r\n\r\n")},
		{S("*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nPING\r\n")},
		{S("\x16\x03\x01\x01\x02\x01\0\0\x10HTTP/1.1")},
		{S("\0\0\0\x26\0\3\0\0user\0me\0database\0mine\0application_name\0")},
		{S("\0\x1d\xab\xcd\1\0\0\1\0\0\0\0\0\0\7example\3com\0\0\1\0\1")},
		{S("70:CONTENT_TYPE\0text\0,")},
		{S("\1\1\0\1\0\10\0\0\0\7\1\0\0\0\0\0\1\4\0\1\0\0\0\0")},
	};
	for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
		for (kernel = TAKES_ALL; kernel < KERNELS; kernel++)
			for (size_t cut = 0; cut <= foreign[i].len; cut++) {
				int fd;
				struct conn *conn = connected(&fd, 9000);
				wire_len = 0;
				calls = 0;
				write_fully(conn, foreign[i].bytes, cut);
				write_fully(conn, foreign[i].bytes + cut, foreign[i].len - cut);
				assert_int_equal(wire_len, foreign[i].len);
				assert_memory_equal(wire, foreign[i].bytes, wire_len);
				disconnect(conn, fd);
			}
}

/* A web server that passes on what it received: 16 digits change and nothing else, the length neither. */
static void test_passed_on_parent_is_replaced(void **state)
{
	(void)state;
	static const struct request passing[] = {
		{"fastcgi", &protocol_fastcgi,
		 S("\1\1\0\1\0\10\0\0\0\1\1\0\0\0\0\0\1\4\0\1\0\111\0\0\20\67HTTP_TRACEPARENT"
		   "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
		   "\1\4\0\1\0\0\0\0\1\5\0\1\0\0\0\0"),
		 S("\1\5\0\1\0\0\0\0")},
		{"scgi", &protocol_scgi,
		 S("97:CONTENT_LENGTH\0004\0SCGI\0001\0HTTP_TRACEPARENT\000"
		   "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\0,body"),
		 S("body")},
	};
	struct context parent = {.valid = true, .remote = true, .flags = FLAG_SAMPLED};
	assert_true(hex_decode(parent.trace_id, "0af7651916cd43dd8448eb211c80319c", 16));
	assert_true(hex_decode(parent.span_id, "b7ad6b7169203331", 8));
	struct span *server = span_begin(SPAN_SERVER, 1);
	span_identify(server, &parent);
	memcpy(server->received_id, parent.span_id, 8);
	activity_index(span_reference(server), &parent);
	for (size_t i = 0; i < 2; i++)
		for (kernel = TAKES_ALL; kernel < KERNELS; kernel++)
			for (size_t cut = 0; cut <= passing[i].len; cut++) {
				const struct request *r = &passing[i];
				size_t digits = 0;
				while (memcmp(r->bytes + digits, "b7ad6b71", 8) != 0)
					digits++;
				assert_int_equal(play(r, cut), 1);
				assert_int_equal(wire_len, r->len);
				bool replaced = memcmp(wire + digits, r->bytes + digits, 16) != 0;
				if (kernel == TAKES_ALL && (cut == 0 || cut == r->len))
					assert_true(replaced);
				memcpy(wire + digits, r->bytes + digits, 16);
				assert_memory_equal(wire, r->bytes, wire_len);
			}
	span_discard(server);
}

static int set_up(void **state)
{
	char *env[] = {"OTEL_TRACES_EXPORTER=none", NULL};
	(void)state;
	config_load(env, "test");
	protocol_settings.carrier = context_field;
	protocol_settings.known_methods = config.known_method_list;
	return span_init(256) && blocks_init(64) && conn_init(64, protocols) && queue_open(1 << 20, 0) ? 0
												       : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_cut_with_every_kernel),
		cmocka_unit_test(test_what_cannot_be_put_in_is_counted),
		cmocka_unit_test(test_server_side_byte_by_byte),
		cmocka_unit_test(test_foreign_bytes_stay_as_they_are),
		cmocka_unit_test(test_passed_on_parent_is_replaced),
	};
	return cmocka_run_group_tests(tests, set_up, NULL);
}
