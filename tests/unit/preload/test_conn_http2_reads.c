/* HTTP/2 through a connection: whose bytes a thread has read, how it is upgraded to, and what ends its
 * streams. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "preload/overdue.h"
#include "tests/support/http2_conn.h"

/* --- whose bytes were read? ------------------------------------------------------------------------------
 */

static struct conn *accepted(int *fd)
{
	*fd = socket(AF_INET, SOCK_STREAM, 0);
	conn_accepted(*fd, NULL, 0);
	struct conn *conn = conn_get(*fd);
	assert_non_null(conn);
	return conn;
}

static void serve(struct conn *conn, const struct talk *talk, size_t from)
{
	for (size_t i = from; i < talk->pieces; i++) {
		if (talk->piece[i].half == HALF_REQUESTS) {
			incoming = talk->piece[i].text;
			receive(conn, SIZE_MAX);
		} else {
			struct iovec iov = {(char *)(uintptr_t)talk->piece[i].text.ptr,
					    talk->piece[i].text.len};
			struct outgoing out;
			int error = 0;
			out.frozen = false;
			assert_false(conn_sending(&out, conn, &iov, 1));
			assert_int_equal(conn_sent(&out, (ssize_t)iov.iov_len, &error), iov.iov_len);
		}
	}
}

static void test_evidence_is_the_one_request_that_was_read(void **state)
{
	(void)state;
	struct talk talk;
	int fd;
	struct conn *conn = accepted(&fd);
	talk_open(&talk);
	talk.mute = true;
	talk_pump(&talk);
	serve(conn, &talk, 0);
	assert_int_equal(activity_current(), SPAN_NOBODY);
	size_t seen = talk.pieces;
	talk_request(&talk, "/one", fields);
	talk_drain(&talk, HALF_REQUESTS);
	serve(conn, &talk, seen);
	span_ref first = span_reference(exchange_find(conn, 1));
	assert_int_equal(activity_current(), first);
	nghttp2_submit_ping(talk.client, 0, NULL); /* nobody's bytes change nothing */
	seen = talk.pieces;
	talk_drain(&talk, HALF_REQUESTS);
	serve(conn, &talk, seen);
	assert_int_equal(activity_current(), first);
	activity_wait(false); /* the next one, after a wait */
	seen = talk.pieces;
	talk_request(&talk, "/two", fields);
	talk_drain(&talk, HALF_REQUESTS);
	serve(conn, &talk, seen);
	assert_int_equal(activity_current(), span_reference(exchange_find(conn, 3)));
	activity_wait(false); /* two at a time */
	seen = talk.pieces;
	talk_request(&talk, "/three", fields);
	talk_request(&talk, "/four", fields);
	talk_drain(&talk, HALF_REQUESTS);
	serve(conn, &talk, seen);
	assert_int_equal(activity_current(), SPAN_NOBODY);
	assert_true(thread.ambiguous);
	activity_wait(false);
	assert_int_equal(disconnect(conn, fd), 4);
	talk_close(&talk);
}

/* The end of one stream makes nobody work for another. */
static void test_end_of_a_response_starts_nothing(void **state)
{
	(void)state;
	struct talk talk;
	int fd;
	struct conn *conn = accepted(&fd);
	talk_open(&talk);
	talk.mute = true;
	talk_request(&talk, "/one", fields);
	talk_request(&talk, "/two", fields);
	talk_pump(&talk);
	serve(conn, &talk, 0);
	activity_wait(false);
	size_t seen = talk.pieces;
	talk_respond(&talk, 3);
	talk_drain(&talk, HALF_RESPONSES);
	serve(conn, &talk, seen);
	assert_null(exchange_find(conn, 3));
	assert_non_null(exchange_find(conn, 1));
	assert_int_equal(activity_current(), SPAN_NOBODY);
	assert_int_equal(disconnect(conn, fd), 2);
	talk_close(&talk);
}

static struct span *serving(void)
{
	struct span *span = span_begin(SPAN_SERVER, 1);
	assert_non_null(span);
	span_identify(span, NULL);
	return span;
}

static void ask(struct conn *conn, struct talk *talk, const struct span *activity)
{
	activity_wait(false);
	activity_read_request(NULL, span_reference(activity));
	talk_request(talk, "/", fields);
	size_t from = talk->pieces;
	talk_drain(talk, HALF_REQUESTS);
	write_fully(conn, talk->piece[from].text);
	activity_wait(false);
}

static void answer(struct conn *conn, struct talk *talk)
{
	size_t from = talk->pieces;
	talk_drain(talk, HALF_RESPONSES);
	incoming = talk->piece[from].text;
	receive(conn, SIZE_MAX);
}

/* Answers, and pieces of them, belong to whoever asked; two in one read to nobody. */
static void test_evidence_is_the_one_answer_that_was_read(void **state)
{
	(void)state;
	struct talk talk;
	int fd;
	thread.loop =
		false; /* as the tests before may have left it: the connection is made before any turn */
	struct conn *conn = connected(&fd, 80);
	struct span *a = serving(), *b = serving();
	talk_open(&talk);
	talk.mute = true;
	kernel = TAKES_ALL;
	wire_len = 0;
	incoming = BYTES_NONE;
	for (int i = 0; i < 2; i++) {
		ask(conn, &talk, a);
		ask(conn, &talk, b);
	}
	answer(conn, &talk); /* settings */
	assert_int_equal(activity_current(), SPAN_NOBODY);
	assert_int_equal(exchange_find(conn, 1)->activity, span_reference(a));
	assert_int_equal(exchange_find(conn, 3)->activity, span_reference(b));
	talk_respond(&talk, 3);
	answer(conn, &talk);
	assert_int_equal(activity_current(), span_reference(b));
	activity_wait(false);
	talk_respond(&talk, 1);
	talk_respond(&talk, 5);
	answer(conn, &talk);
	assert_int_equal(activity_current(), span_reference(a)); /* both are its */
	activity_wait(false);
	ask(conn, &talk, a);
	talk_respond(&talk, 7);
	talk_respond(&talk, 9);
	answer(conn, &talk);
	assert_int_equal(activity_current(), SPAN_NOBODY);
	assert_true(thread.ambiguous);
	activity_wait(false);
	assert_int_equal(disconnect(conn, fd), 5);
	span_discard(a);
	span_discard(b);
	talk_close(&talk);
}

/* --- Upgrade: h2c ------------------------------------------------------------------------------------------
 */

/* A conversation that begins in HTTP/1: its pieces are the request, the 101 with what comes at once, and so
 * on. */
static void upgrade_talk(struct talk *talk, const char *request, bool body)
{
	static const uint8_t settings[] = {0, 1, 0, 0, 0, 100, 0, 4, 0, 1, 0, 0}; /* a table of 100 bytes */
	static const char switching[] =
		"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
	talk_open(talk);
	assert_int_equal(nghttp2_session_upgrade2(talk->client, settings, sizeof(settings), 0, NULL), 0);
	assert_int_equal(nghttp2_session_upgrade2(talk->server, settings, sizeof(settings), 0, NULL), 0);
	talk->body = body ? 5000 : 0;
	talk->trailers = body;
	talk_respond(talk, 1);
	talk->piece[talk->pieces].half = HALF_REQUESTS;
	talk->piece[talk->pieces++].text = (struct bytes){strdup(request), strlen(request)};
	talk->piece[talk->pieces].half = HALF_RESPONSES;
	talk->piece[talk->pieces++].text = (struct bytes){strdup(switching), strlen(switching)};
	/* What the server says at once comes together with the 101. */
	talk_drain(talk, HALF_RESPONSES);
	struct bytes head = talk->piece[1].text, first = talk->piece[2].text;
	char *both = malloc(head.len + first.len);
	memcpy(both, head.ptr, head.len);
	memcpy(both + head.len, first.ptr, first.len);
	free((char *)(uintptr_t)head.ptr);
	free((char *)(uintptr_t)first.ptr);
	talk->piece[1].text = (struct bytes){both, head.len + first.len};
	talk->pieces = 2;
	talk_pump(talk);
	talk->body = 0;
	for (int i = 0; i < 2; i++) {
		talk_request(talk, "/more", fields);
		talk_pump(talk);
	}
}

static const char upgrading[] =
	"GET /one HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
	"HTTP2-Settings: AAEAAABkAAQAAQAA\r\n\r\n";
static const char upgrading_body[] =
	"POST /one HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nContent-Length: 4\r\n"
	"HTTP2-Settings: AAEAAABkAAQAAQAA\r\nUpgrade: foo, h2c\r\n\r\nbody";

static void serve_cut(const struct talk *talk, size_t which, size_t cut)
{
	int fd;
	struct conn *conn = accepted(&fd);
	for (size_t i = 0; i < talk->pieces; i++) {
		struct bytes text[2] = {talk->piece[i].text, BYTES_NONE};
		if (i == which) {
			text[1] = bytes_from(text[0], cut);
			text[0] = bytes_until(text[0], cut);
		}
		for (int part = 0; part < 2 && text[part].len; part++) {
			struct talk one = {.pieces = 1};
			one.piece[0].half = talk->piece[i].half;
			one.piece[0].text = text[part];
			serve(conn, &one, 0);
		}
		if (i == 0)
			assert_int_equal(exchange_first(conn)->exchange, 1);
	}
	if (conn->mode != CONN_FOLLOWED)
		fail_msg("served piece %zu cut at %zu: given up", which, cut);
	assert_int_equal(disconnect(conn, fd), 3);
}

static void test_upgrade_goes_on_in_stream_one(void **state)
{
	(void)state;
	static const char *const requests[] = {upgrading, upgrading_body};
	int fd;
	for (int body = 0; body < 2; body++) {
		struct talk talk;
		upgrade_talk(&talk, requests[body], body);
		for (size_t i = 0; i < talk.pieces; i++)
			for (size_t cut = 1; cut<talk.piece[i].text.len; cut += cut> 400 ? 97 : 1)
				serve_cut(&talk, i, cut);
		/* And the client, whose writes are edited: the kernel takes what it likes. */
		for (kernel = TAKES_ALL; kernel < KERNELS; kernel++)
			for (size_t step = 1; step < 200; step += 13) {
				struct conn *conn = connected(&fd, 80);
				wire_len = 0;
				incoming = BYTES_NONE;
				for (size_t i = 0; i < talk.pieces; i++) {
					if (talk.piece[i].half == HALF_REQUESTS) {
						write_fully(conn, talk.piece[i].text);
						if (i == 0)
							assert_non_null(memmem(wire, wire_len,
									       "traceparent: 00-", 16));
						continue;
					}
					for (incoming = talk.piece[i].text; incoming.len;)
						receive(conn, step);
					if (i == 1)
						assert_ptr_equal(conn->protocol, &protocol_http2);
				}
				if (conn->mode != CONN_FOLLOWED)
					fail_msg("kernel %d, read %zu at a time: given up", kernel, step);
				assert_int_equal(disconnect(conn, fd), 3);
			}
		talk_close(&talk);
	}
	kernel = TAKES_ALL;
}

/* Whoever sends on before the answer, or leaves out the settings, gets no HTTP/2 of ours. */
static void test_upgrade_that_is_none(void **state)
{
	(void)state;
	static const char *const requests[] = {
		"GET / HTTP/1.1\r\nUpgrade: h2c\r\n\r\n",
		"GET / HTTP/1.1\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEA\r\n\r\n",
		"GET / HTTP/1.1\r\nUpgrade: h2c\r\nHTTP2-Settings: !\r\n\r\n",
		"GET / HTTP/1.1\r\nUpgrade: h2c\r\nHTTP2-Settings: \r\nHTTP2-Settings: \r\n\r\n",
		"GET / HTTP/1.1\r\nUpgrade: websocket\r\nHTTP2-Settings: \r\n\r\n",
		"GET / HTTP/1.1\r\nUpgrade: h2c\r\nHTTP2-Settings: \r\n\r\nGET /next HTTP/1.1\r\n\r\n",
	};
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		int fd;
		struct conn *conn = accepted(&fd);
		struct talk talk = {.pieces = 2};
		talk.piece[0].half = HALF_REQUESTS;
		talk.piece[0].text = (struct bytes){requests[i], strlen(requests[i])};
		talk.piece[1].half = HALF_RESPONSES;
		talk.piece[1].text = BYTES("HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n");
		serve(conn, &talk, 0);
		assert_int_equal(conn->mode, CONN_OPAQUE);
		assert_null(conn->first);
		assert_null(conn->arena.base);
		disconnect(conn, fd);
	}
}

static void test_reset_ends_the_span(void **state)
{
	(void)state;
	struct talk talk;
	int fd;
	struct conn *conn = connected(&fd, 80);
	talk_open(&talk);
	talk.mute = true;
	kernel = TAKES_ALL;
	wire_len = 0;
	talk_request(&talk, "/one", fields);
	talk_request(&talk, "/two", fields);
	talk_pump(&talk);
	for (size_t i = 0; i < talk.pieces; i++) {
		incoming = BYTES_NONE;
		if (talk.piece[i].half == HALF_REQUESTS)
			write_fully(conn, talk.piece[i].text);
		else
			incoming = talk.piece[i].text;
		receive(conn, SIZE_MAX);
	}
	size_t seen = talk.pieces;
	nghttp2_submit_rst_stream(talk.server, 0, 1, NGHTTP2_INTERNAL_ERROR);
	talk_drain(&talk, HALF_RESPONSES);
	assert_non_null(exchange_find(conn, 1));
	incoming = talk.piece[seen].text;
	receive(conn, SIZE_MAX);
	assert_null(exchange_find(conn, 1));
	struct queue_record records[8];
	assert_int_equal(queue_peek(records, 8, SIZE_MAX), 1);
	queue_release(1);
	assert_int_equal(disconnect(conn, fd), 1);
	talk_close(&talk);
}

/* Streams that stay open: looked at when bytes pass, each by its own age; the connection is followed on. */
static void test_what_takes_too_long_is_let_go(void **state)
{
	(void)state;
	struct talk talk;
	struct queue_record records[8];
	int fd;
	struct conn *conn = connected(&fd, 80);
	uint64_t counted = count_get(spans_too_long);
	talk_open(&talk);
	talk.mute = true;
	kernel = TAKES_ALL;
	wire_len = 0;
	talk_request(&talk, "/old", fields);
	talk_request(&talk, "/young", fields);
	talk_pump(&talk);
	size_t at = 0;
	for (; at < talk.pieces; at++) {
		incoming = BYTES_NONE;
		if (talk.piece[at].half == HALF_REQUESTS)
			write_fully(conn, talk.piece[at].text);
		else
			incoming = talk.piece[at].text;
		receive(conn, SIZE_MAX);
	}
	exchange_find(conn, 1)->start -= (uint64_t)config.max_span_duration * 1000000;
	assert_int_equal(queue_peek(records, 8, SIZE_MAX), 0); /* nothing passes, nothing happens */
	nghttp2_submit_ping(talk.server, 0, NULL);
	talk_drain(&talk, HALF_RESPONSES);
	incoming = talk.piece[at++].text;
	receive(conn, SIZE_MAX);
	assert_null(exchange_find(conn, 1));
	assert_non_null(exchange_find(conn, 3));
	assert_int_equal(count_get(spans_too_long), counted + 1);
	assert_int_equal(queue_peek(records, 8, SIZE_MAX), 1);
	assert_non_null(memmem(records[0].payload.ptr, records[0].payload.len, "too_long", 8));
	queue_release(1);
	/* Its end is nobody's; the other one's is its own. */
	nghttp2_nv head[] = {TALK_NV(":status", "200")};
	nghttp2_submit_response(talk.server, 1, head, 1, NULL);
	nghttp2_submit_response(talk.server, 3, head, 1, NULL);
	talk_drain(&talk, HALF_RESPONSES);
	incoming = talk.piece[at++].text;
	receive(conn, SIZE_MAX);
	assert_int_equal(queue_peek(records, 8, SIZE_MAX), 1);
	queue_release(1);
	assert_int_equal(disconnect(conn, fd), 0);
	talk_close(&talk);
}

/* Where nothing passes any more only the exporter's thread looks, and not at what is half on its way. */
static void test_what_is_silent_too_long_is_let_go(void **state)
{
	(void)state;
	struct talk talk;
	struct queue_record records[8];
	int fd;
	struct conn *conn = connected(&fd, 80);
	uint64_t counted = count_get(spans_too_long);
	talk_open(&talk);
	talk.mute = true;
	kernel = TAKES_ALL;
	wire_len = 0;
	talk_request(&talk, "/old", fields);
	talk_request(&talk, "/young", fields);
	talk_pump(&talk);
	for (size_t at = 0; at < talk.pieces; at++) {
		incoming = BYTES_NONE;
		if (talk.piece[at].half == HALF_REQUESTS)
			write_fully(conn, talk.piece[at].text);
		else
			incoming = talk.piece[at].text;
		receive(conn, SIZE_MAX);
	}
	overdue_look(clock_now());
	assert_non_null(exchange_find(conn, 1));
	exchange_find(conn, 1)->start -= (uint64_t)config.max_span_duration * 1000000;
	overdue_look(clock_now()); /* too soon after the last one */
	assert_non_null(exchange_find(conn, 1));
	conn->over_left = 1;
	overdue_pressed();
	overdue_look(clock_now());
	assert_non_null(exchange_find(conn, 1));
	conn->over_left = 0;
	atomic_store(&conn->lock, 1);
	overdue_pressed();
	overdue_look(clock_now());
	assert_non_null(exchange_find(conn, 1));
	assert_false(conn->lost);
	atomic_store(&conn->lock, 0);
	overdue_pressed();
	overdue_look(clock_now());
	assert_null(exchange_find(conn, 1));
	assert_non_null(exchange_find(conn, 3));
	assert_int_equal(conn->lock, 0);
	assert_int_equal(conn->refs, 2);
	assert_int_equal(count_get(spans_too_long), counted + 1);
	assert_int_equal(queue_peek(records, 8, SIZE_MAX), 1);
	assert_non_null(memmem(records[0].payload.ptr, records[0].payload.len, "too_long", 8));
	queue_release(1);
	assert_int_equal(disconnect(conn, fd), 1);
	talk_close(&talk);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_evidence_is_the_one_request_that_was_read),
		cmocka_unit_test(test_evidence_is_the_one_answer_that_was_read),
		cmocka_unit_test(test_end_of_a_response_starts_nothing),
		cmocka_unit_test(test_upgrade_goes_on_in_stream_one),
		cmocka_unit_test(test_upgrade_that_is_none),
		cmocka_unit_test(test_reset_ends_the_span),
		cmocka_unit_test(test_what_takes_too_long_is_let_go),
		cmocka_unit_test(test_what_is_silent_too_long_is_let_go),
	};
	return cmocka_run_group_tests(tests, set_up, NULL);
}
