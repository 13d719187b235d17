/* HTTP/2 through a connection: what a server reads of requests that we edit, whatever the kernel takes at a
 * time and whatever is read in the meantime; and whose bytes a thread has read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <arpa/inet.h>

#include <cmocka.h>

#include "preload/activity.h"
#include "preload/config.h"
#include "preload/conn.h"
#include "preload/conn_internal.h"
#include "preload/overdue.h"
#include "preload/queue.h"
#include "tests/support/http2_talk.h"

extern const struct protocol protocol_http1, protocol_http2;
static const struct protocol *const protocols[] = {&protocol_http1, &protocol_http2, NULL};

enum kernel { TAKES_ALL, TAKES_ONE, TAKES_HALF, TAKES_ALL_BUT_ONE, REFUSES_FIRST, KERNELS, TAKES_SOME };

static char wire[300000];
static size_t wire_len;
static enum kernel kernel;
static unsigned calls;
static struct bytes incoming; /* comes bit by bit while writes are under way */
static size_t at_a_time = 5;
static bool scribbles; /* other spans are begun then */

static size_t kernel_takes(size_t offered)
{
	calls++;
	switch (kernel) {
	case TAKES_ONE: /* and steps through what is long, which is looked at anew each time */
		return offered > 2000 && calls % 16 == 0 ? 997 : 1;
	case TAKES_HALF:
		return (offered + 1) / 2;
	case TAKES_ALL_BUT_ONE:
		return offered > 1 ? offered - 1 : 1;
	case TAKES_SOME:
		return offered < 3333 ? offered : 3333;
	case REFUSES_FIRST:
		return calls % 2 ? 0 : offered;
	default:
		return offered;
	}
}

static void receive(struct conn *conn, size_t most)
{
	struct bytes piece = bytes_until(incoming, most);
	struct iovec iov = {(char *)(uintptr_t)piece.ptr, piece.len};
	incoming = bytes_from(incoming, piece.len);
	if (piece.len)
		conn_received(conn, &iov, 1, (ssize_t)piece.len, 0);
}

static void scribble(void)
{
	struct span *span = span_begin(SPAN_CLIENT, 1);
	assert_non_null(span);
	memset(span->text, '!', sizeof(span->text));
	span_discard(span);
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
	size_t take = kernel_takes(edited ? outgoing_length(&out) : len), left = take;
	int count = edited ? outgoing_iov(&out, 0, pieces, 64) : 2;
	const struct iovec *from = edited ? pieces : iov;
	receive(conn, at_a_time);
	if (scribbles)
		scribble();
	for (int i = 0; i < count && left > 0; i++) {
		size_t part = from[i].iov_len < left ? from[i].iov_len : left;
		memcpy(wire + wire_len, from[i].iov_base, part);
		wire_len += part;
		left -= part;
	}
	assert_int_equal(left, 0);
	if (take)
		sent = (ssize_t)take;
	return conn_sent(&out, sent, error);
}

static void write_fully(struct conn *conn, struct bytes text)
{
	for (size_t tries = 0, len = text.len; text.len; tries++) {
		int error;
		ssize_t wrote = host_write(conn, text.ptr, text.len, &error);
		assert_true(wrote > 0 || (wrote == -1 && error == EAGAIN));
		if (wrote > 0)
			text = bytes_from(text, (size_t)wrote);
		assert_true(tries < 10 * len + 100);
	}
}

static struct conn *connected(int *fd)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(80)};
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	*fd = socket(AF_INET, SOCK_STREAM, 0);
	conn_connecting(*fd, (struct sockaddr *)&address, sizeof(address));
	conn_connected(*fd, 0, 0);
	struct conn *conn = conn_get(*fd);
	assert_non_null(conn);
	return conn;
}

/* How many spans came of it. */
static size_t disconnect(struct conn *conn, int fd)
{
	struct queue_record records[64];
	size_t n, all = 0;
	conn_put(conn);
	conn_closing(fd);
	close(fd);
	while ((n = queue_peek(records, 64, SIZE_MAX)) > 0) {
		queue_release(n);
		all += n;
	}
	return all;
}

/* What a server reads of the wire, without our fields, which are counted. */
static char *read_wire(int *ours)
{
	struct talk other;
	talk_open(&other);
	other.mute = true;
	const uint8_t *data;
	nghttp2_submit_settings(other.server, 0, NULL, 0);
	while (nghttp2_session_mem_send(other.server, &data) > 0)
		;
	ssize_t took = nghttp2_session_mem_recv(other.server, (const uint8_t *)wire, wire_len);
	if (took != (ssize_t)wire_len || !nghttp2_session_want_read(other.server))
		fail_msg("the server took %zd of %zu", took, wire_len);
	fflush(other.seen);
	char *seen = calloc(1, other.seen_size + 1);
	*ours = 0;
	for (const char *line = other.seen_text; *line; line = strchr(line, '\n') + 1) {
		if (strncmp(line + strcspn(line, " "), " traceparent: 00-", 17) == 0)
			++*ours;
		else
			strncat(seen, line, (size_t)(strchr(line, '\n') - line + 1));
	}
	talk_close(&other);
	return seen;
}

static void play(const struct talk *talk, size_t which, size_t cut, bool meanwhile, int heads, int spans)
{
	int fd, ours;
	struct conn *conn = connected(&fd);
	wire_len = 0;
	calls = 0;
	incoming = meanwhile ? BYTES("\0\0\0\4\0\0\0\0\0") : BYTES_NONE; /* a server may speak first */
	for (size_t i = 0; i < talk->pieces; i++) {
		struct bytes text = talk->piece[i].text;
		if (talk->piece[i].half == HALF_RESPONSES) {
			receive(conn, SIZE_MAX);
			incoming = text;
			/* Settings are always read before they are acknowledged. */
			if (!meanwhile || i < 3)
				receive(conn, SIZE_MAX);
			continue;
		}
		write_fully(conn, i == which ? bytes_until(text, cut) : text);
		if (i == which)
			write_fully(conn, bytes_from(text, cut));
	}
	receive(conn, SIZE_MAX);
	if (conn->mode != CONN_FOLLOWED)
		fail_msg("piece %zu cut at %zu, kernel %d, meanwhile %d: given up", which, cut, kernel,
			 meanwhile);
	char *seen = read_wire(&ours);
	if (strcmp(seen, talk->seen_text) != 0 || (heads >= 0 && ours != heads))
		fail_msg("piece %zu cut at %zu, kernel %d, %d of ours\n%s\nexpected\n%s", which, cut, kernel,
			 ours, seen, talk->seen_text);
	free(seen);
	assert_int_equal(disconnect(conn, fd), spans);
}

static const char *const fields[] = {"user-agent", "talk/1", "x-one", "first", "x-two", "second", NULL};

static void play_all(struct talk *talk, int requests)
{
	fflush(talk->seen);
	for (kernel = TAKES_ALL; kernel < KERNELS; kernel++)
		for (int meanwhile = 0; meanwhile < 2; meanwhile++)
			for (size_t i = 0; i < talk->pieces; i++) {
				size_t len = talk->piece[i].text.len, step = len > 2000            ? 1331
									     : kernel == TAKES_ONE ? 29
									     : kernel == TAKES_ALL ? 1
												   : 3;
				if (len > 2000 && kernel == TAKES_ONE)
					continue;
				for (size_t cut = 0; cut < len && talk->piece[i].half == HALF_REQUESTS;
				     cut += step) {
					if (i == 0 && cut > 0 && cut < 4) /* "PRI " decides */
						continue;
					/* A frame that is cut between two writes of the program's stays as it
					 * is; what the kernel does changes nothing. */
					play(talk, i, cut, meanwhile, cut == 0 ? requests : -1, requests);
				}
			}
}

static void test_every_cut_with_every_kernel(void **state)
{
	(void)state;
	struct talk talk;
	talk_open(&talk);
	talk_pump(&talk);
	talk_request(&talk, "/one", fields);
	talk_request(&talk, "/two", NULL);
	talk_pump(&talk);
	for (int i = 0; i < 3; i++) {
		talk_request(&talk, "/more", fields);
		talk_pump(&talk);
	}
	play_all(&talk, 5);
	talk_close(&talk);
}

static void test_every_cut_of_padded_frames_and_bodies(void **state)
{
	(void)state;
	struct talk talk;
	talk_open(&talk);
	talk.padding = 20;
	talk.body = 50;
	talk.trailers = talk.early = true;
	talk_request(&talk, "/one", fields);
	talk_pump(&talk);
	talk_request(&talk, "/two", fields);
	talk_pump(&talk);
	play_all(&talk, 2);
	talk_close(&talk);
}

static void test_heads_at_the_longest_frame(void **state)
{
	(void)state;
	static char cookie[16501];
	const char *const more[] = {"cookie", cookie, NULL};
	for (size_t len = 16220; len < 16400; len += 45) {
		struct talk talk;
		memset(cookie, 'X', len);
		cookie[len] = '\0';
		talk_open(&talk);
		talk_pump(&talk);
		talk_request(&talk, "/long", more);
		talk_pump(&talk);
		talk_request(&talk, "/", fields);
		talk_pump(&talk);
		play_all(&talk, 2);
		talk_close(&talk);
	}
}

/* More heads in one write than the kernel takes in many. */
static void test_many_long_heads_in_one_write(void **state)
{
	(void)state;
	static char cookie[20001];
	const char *const more[] = {"cookie", cookie, NULL};
	struct talk talk;
	memset(cookie, 'c', sizeof(cookie) - 1);
	talk_open(&talk);
	talk_pump(&talk);
	for (int i = 0; i < 15; i++)
		talk_request(&talk, "/long", more);
	talk_pump(&talk);
	fflush(talk.seen);
	kernel = TAKES_SOME;
	play(&talk, SIZE_MAX, 0, false, 15, 15);
	play(&talk, SIZE_MAX, 0, true, 15, 15);
	talk_close(&talk);
}

/* Writes that never go whole, and always have heads behind them: what was recorded of those that have gone is
 * forgotten all the same. */
static void test_backlog_of_heads(void **state)
{
	(void)state;
	static char backlog[60000];
	static uint8_t block[4000];
	struct talk talk;
	int fd, error;
	size_t have = 0, next = 0;
	struct conn *conn = connected(&fd);
	nghttp2_hd_deflater *deflater;
	assert_int_equal(nghttp2_hd_deflate_new(&deflater, 4096), 0);
	talk_open(&talk);
	talk_drain(&talk, HALF_REQUESTS);
	memcpy(backlog, talk.piece[0].text.ptr, have = talk.piece[0].text.len);
	kernel = TAKES_SOME;
	wire_len = 0;
	incoming = BYTES("\0\0\0\4\0\0\0\0\0");
	receive(conn, SIZE_MAX);
	while (next < 240) {
		while (have < 30000 && next < 240) {
			char path[500] = "/";
			memset(path + 1, 'p', sizeof(path) - 2);
			path[sizeof(path) - 1] = '\0';
			nghttp2_nv nv[] = {TALK_NV(":method", "GET"), TALK_NV(":scheme", "http"),
					   TALK_NV(":path", path), TALK_NV("x-name", "value")};
			nv[2].flags = NGHTTP2_NV_FLAG_NO_INDEX;
			ssize_t len = nghttp2_hd_deflate_hd(deflater, block, sizeof(block), nv, 4);
			uint32_t id = (uint32_t)next++ * 2 + 1;
			char head[9] = {0, (char)(len >> 8), (char)len, 1, 5, 0,
					0, (char)(id >> 8),  (char)id};
			memcpy(backlog + have, head, 9);
			memcpy(backlog + have + 9, block, (size_t)len);
			have += 9 + (size_t)len;
		}
		ssize_t wrote = host_write(conn, backlog, have, &error);
		assert_true(wrote > 0);
		memmove(backlog, backlog + wrote, have -= (size_t)wrote);
		assert_int_equal(conn->mode, CONN_FOLLOWED);
	}
	nghttp2_hd_deflate_del(deflater);
	disconnect(conn, fd);
	talk_close(&talk);
}

/* A request that is taken back in the same write: its edit must live as long as the write. */
static void test_requests_that_are_reset_at_once(void **state)
{
	(void)state;
	struct talk talk;
	static char joined[1000];
	size_t len = 0;
	int ours;
	talk_open(&talk);
	talk.mute = true;
	talk_request(&talk, "/one", fields);
	talk_drain(&talk, HALF_REQUESTS);
	nghttp2_submit_rst_stream(talk.client, 0, 1, NGHTTP2_CANCEL);
	talk_request(&talk, "/two", fields);
	talk_drain(&talk, HALF_REQUESTS);
	for (size_t i = 0; i < talk.pieces; i++) {
		memcpy(joined + len, talk.piece[i].text.ptr, talk.piece[i].text.len);
		len += talk.piece[i].text.len;
	}
	fflush(talk.seen);
	for (kernel = TAKES_ALL; kernel < KERNELS; kernel++)
		for (size_t cut = 4; cut <= len; cut++) {
			int fd;
			struct conn *conn = connected(&fd);
			wire_len = 0;
			calls = 0;
			incoming = BYTES_NONE;
			scribbles = true;
			write_fully(conn, (struct bytes){joined, cut});
			write_fully(conn, (struct bytes){joined + cut, len - cut});
			scribbles = false;
			assert_null(exchange_find(conn, 1));
			assert_non_null(exchange_find(conn, 3));
			char *seen = read_wire(&ours);
			assert_string_equal(seen, talk.seen_text);
			free(seen);
			assert_int_equal(disconnect(conn, fd), 2);
		}
	talk_close(&talk);
}

/* Another thread reads that the server is going away while this one writes. */
static void test_going_away_leaves_edits_alone(void **state)
{
	(void)state;
	struct talk talk;
	int fd, ours;
	talk_open(&talk);
	talk.mute = true;
	talk_request(&talk, "/one", fields);
	talk_pump(&talk);
	size_t seen = talk.pieces;
	talk_request(&talk, "/two", fields);
	talk_drain(&talk, HALF_REQUESTS);
	nghttp2_submit_goaway(talk.server, 0, 1, NGHTTP2_NO_ERROR, NULL, 0);
	talk_drain(&talk, HALF_RESPONSES);
	fflush(talk.seen);
	for (kernel = TAKES_ALL; kernel < KERNELS; kernel++) {
		struct conn *conn = connected(&fd);
		wire_len = 0;
		calls = 0;
		for (size_t i = 0; i < seen; i++) {
			incoming = talk.piece[i].half == HALF_RESPONSES ? talk.piece[i].text : BYTES_NONE;
			receive(conn, SIZE_MAX);
			if (talk.piece[i].half == HALF_REQUESTS)
				write_fully(conn, talk.piece[i].text);
		}
		incoming = talk.piece[seen + 1].text;
		at_a_time = SIZE_MAX;
		scribbles = true;
		write_fully(conn, talk.piece[seen].text);
		at_a_time = 5;
		scribbles = false;
		char *got = read_wire(&ours);
		assert_string_equal(got, talk.seen_text);
		free(got);
		assert_non_null(exchange_find(conn, 1));
		disconnect(conn, fd);
	}
	talk_close(&talk);
}

/* What was under way ends, and the arena is free for others, when the connection is given up. */
static void test_malformed_connection_gives_its_arena_back(void **state)
{
	(void)state;
	struct talk talk;
	int fd;
	struct conn *conn = connected(&fd);
	talk_open(&talk);
	kernel = TAKES_ALL;
	wire_len = 0;
	incoming = BYTES_NONE;
	talk_request(&talk, "/one", fields);
	talk_drain(&talk, HALF_REQUESTS);
	write_fully(conn, talk.piece[0].text);
	assert_non_null(conn->arena.base);
	incoming = BYTES("HTTP/1.1 400 Bad Request\r\n\r\n");
	receive(conn, SIZE_MAX);
	assert_int_equal(conn->mode, CONN_OPAQUE);
	assert_null(conn->arena.base);
	assert_null(exchange_find(conn, 1));
	assert_int_equal(disconnect(conn, fd), 1);
	talk_close(&talk);
}

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
	struct conn *conn = connected(&fd);
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
				struct conn *conn = connected(&fd);
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
	struct conn *conn = connected(&fd);
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

/* --- a proxy that passes on what it received */

#define RECEIVED "0af7651916cd43dd8448eb211c80319c"
#define PARENT "b7ad6b7169203331"

static struct span *proxying(void)
{
	struct context parent = {.valid = true, .remote = true, .flags = FLAG_SAMPLED};
	assert_true(hex_decode(parent.trace_id, RECEIVED, 16));
	assert_true(hex_decode(parent.span_id, PARENT, 8));
	struct span *server = span_begin(SPAN_SERVER, 1);
	span_identify(server, &parent);
	memcpy(server->received_id, parent.span_id, 8);
	activity_index(span_reference(server), &parent);
	return server;
}

static void served(struct span *server)
{
	struct context parent = {.valid = true};
	hex_decode(parent.trace_id, RECEIVED, 16);
	hex_decode(parent.span_id, PARENT, 8);
	activity_unindex(span_reference(server), &parent);
	span_discard(server);
}

/* How many of the lines have other digits than those received; puts these back. */
static int others(char *seen)
{
	int replaced = 0;
	for (char *at = seen; (at = strstr(at, "traceparent: 00-" RECEIVED "-")); at++) {
		char *digits = at + strlen("traceparent: 00-" RECEIVED "-");
		uint8_t id[8];
		assert_true(hex_decode(id, digits, 8));
		replaced += memcmp(digits, PARENT, 16) != 0;
		memcpy(digits, PARENT, 16);
	}
	return replaced;
}

static int pass_on(const struct talk *talk, size_t which, size_t cut)
{
	int fd;
	struct conn *conn = connected(&fd);
	wire_len = calls = 0;
	incoming = BYTES_NONE;
	for (size_t i = 0; i < talk->pieces; i++) {
		struct bytes text = talk->piece[i].text;
		if (talk->piece[i].half == HALF_RESPONSES) {
			incoming = text;
			receive(conn, SIZE_MAX);
			continue;
		}
		write_fully(conn, i == which ? bytes_until(text, cut) : text);
		if (i == which)
			write_fully(conn, bytes_from(text, cut));
	}
	assert_int_equal(conn->mode, CONN_FOLLOWED);
	disconnect(conn, fd);
	struct talk other;
	const uint8_t *data;
	talk_open(&other);
	other.mute = true;
	nghttp2_submit_settings(other.server, 0, NULL, 0);
	while (nghttp2_session_mem_send(other.server, &data) > 0)
		;
	if (nghttp2_session_mem_recv(other.server, (const uint8_t *)wire, wire_len) != (ssize_t)wire_len ||
	    !nghttp2_session_want_read(other.server))
		fail_msg("piece %zu cut at %zu, kernel %d: the server gave up", which, cut, kernel);
	fflush(other.seen);
	int replaced = others(other.seen_text);
	if (strcmp(other.seen_text, talk->seen_text) != 0)
		fail_msg("piece %zu cut at %zu, kernel %d\n%s\nexpected\n%s", which, cut, kernel,
			 other.seen_text, talk->seen_text);
	talk_close(&other);
	return replaced;
}

/* What stands in no table is written anew, whatever its code; the rest of the conversation means what it
 * meant. */
static void test_passed_on_parent_is_replaced(void **state)
{
	(void)state;
	static const char *const passing[] = {
		"user-agent", "talk/1", "traceparent", "00-" RECEIVED "-" PARENT "-01",
		"x-one",      "first",  NULL};
	static const char *const last[] = {"x-one", "second", "traceparent", "00-" RECEIVED "-" PARENT "-01",
					   NULL};
	struct span *server = proxying();
	for (size_t padding = 0; padding < 30; padding += 29) {
		struct talk talk;
		talk_open(&talk);
		talk.unindexed = true;
		talk.padding = padding;
		for (int i = 0; i < 3; i++) {
			talk_request(&talk, i % 2 ? "/odd" : "/even", passing);
			talk_request(&talk, "/last", last);
			talk_pump(&talk);
		}
		fflush(talk.seen);
		for (kernel = TAKES_ALL; kernel < KERNELS; kernel++)
			for (size_t i = 0; i < talk.pieces; i++)
				for (size_t cut = 0;
				     talk.piece[i].half == HALF_REQUESTS && cut < talk.piece[i].text.len;
				     cut += kernel == TAKES_ALL ? 1 : 3) {
					if (i == 0 && cut > 0 && cut < 4)
						continue;
					int replaced = pass_on(&talk, i, cut);
					assert_true(cut == 0 ? replaced == 6 : replaced >= 5);
				}
		talk_close(&talk);
	}
	served(server);
}

/* Where it is in a table, it stays: both sides know it by its place there. */
static void test_passed_on_parent_stays_in_its_table(void **state)
{
	(void)state;
	static const char *const passing[] = {"traceparent", "00-" RECEIVED "-" PARENT "-01", NULL};
	struct span *server = proxying();
	struct talk talk;
	talk_open(&talk);
	for (int i = 0; i < 4; i++) {
		talk_request(&talk, "/", passing);
		talk_pump(&talk);
	}
	fflush(talk.seen);
	kernel = TAKES_ALL;
	assert_int_equal(pass_on(&talk, 0, 0), 0);
	talk_close(&talk);
	served(server);
}

/* Without Huffman code sixteen digits change and nothing else. */
static void test_passed_on_parent_is_replaced_in_place(void **state)
{
	(void)state;
	static const char text[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"
				   "\0\0\117\1\5\0\0\0\1\202\206\204\101\5there\20\13traceparent\67"
				   "00-" RECEIVED "-" PARENT "-01";
	size_t len = sizeof(text) - 1, digits = len - 19;
	struct span *server = proxying();
	for (kernel = TAKES_ALL; kernel < KERNELS; kernel++)
		for (size_t cut = 4; cut <= len; cut++) {
			int fd;
			struct conn *conn = connected(&fd);
			wire_len = calls = 0;
			incoming = BYTES_NONE;
			write_fully(conn, (struct bytes){text, cut});
			write_fully(conn, (struct bytes){text + cut, len - cut});
			assert_int_equal(conn->mode, CONN_FOLLOWED);
			disconnect(conn, fd);
			assert_int_equal(wire_len, len);
			bool replaced = memcmp(wire + digits, PARENT, 16) != 0;
			assert_true(replaced == (cut <= digits || cut == len));
			memcpy(wire + digits, PARENT, 16);
			assert_memory_equal(wire, text, len);
		}
	served(server);
}

/* Streams that stay open: looked at when bytes pass, each by its own age; the connection is followed on. */
static void test_what_takes_too_long_is_let_go(void **state)
{
	(void)state;
	struct talk talk;
	struct queue_record records[8];
	int fd;
	struct conn *conn = connected(&fd);
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

static int set_up(void **state)
{
	char *env[] = {"OTEL_TRACES_EXPORTER=none", NULL};
	(void)state;
	config_load(env, "test");
	protocol_settings.carrier = context_field;
	protocol_settings.carrier_lengths = context_field_lengths();
	protocol_settings_done();
	protocol_settings.known_methods = config.known_method_list;
	/* Less than any machine has been up: what is older began before its clock otherwise. */
	config.max_span_duration = 20000;
	return span_init(256) && blocks_init(64) && conn_init(64, protocols) && queue_open(1 << 20, 0) ? 0
												       : -1;
}

/* Where nothing passes any more only the exporter's thread looks, and not at what is half on its way. */
static void test_what_is_silent_too_long_is_let_go(void **state)
{
	(void)state;
	struct talk talk;
	struct queue_record records[8];
	int fd;
	struct conn *conn = connected(&fd);
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
		cmocka_unit_test(test_every_cut_with_every_kernel),
		cmocka_unit_test(test_every_cut_of_padded_frames_and_bodies),
		cmocka_unit_test(test_heads_at_the_longest_frame),
		cmocka_unit_test(test_many_long_heads_in_one_write),
		cmocka_unit_test(test_backlog_of_heads),
		cmocka_unit_test(test_requests_that_are_reset_at_once),
		cmocka_unit_test(test_going_away_leaves_edits_alone),
		cmocka_unit_test(test_malformed_connection_gives_its_arena_back),
		cmocka_unit_test(test_evidence_is_the_one_request_that_was_read),
		cmocka_unit_test(test_evidence_is_the_one_answer_that_was_read),
		cmocka_unit_test(test_end_of_a_response_starts_nothing),
		cmocka_unit_test(test_upgrade_goes_on_in_stream_one),
		cmocka_unit_test(test_upgrade_that_is_none),
		cmocka_unit_test(test_reset_ends_the_span),
		cmocka_unit_test(test_what_takes_too_long_is_let_go),
		cmocka_unit_test(test_what_is_silent_too_long_is_let_go),
		cmocka_unit_test(test_passed_on_parent_is_replaced),
		cmocka_unit_test(test_passed_on_parent_stays_in_its_table),
		cmocka_unit_test(test_passed_on_parent_is_replaced_in_place),
	};
	return cmocka_run_group_tests(tests, set_up, NULL);
}
