/* HTTP/2 through a connection: what a server reads of requests that we edit, whatever the kernel takes at a
 * time and whatever is read in the meantime. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/http2_conn.h"

static void play(const struct talk *talk, size_t which, size_t cut, bool meanwhile, int heads, int spans)
{
	int fd, ours;
	struct conn *conn = connected(&fd, 80);
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
	struct conn *conn = connected(&fd, 80);
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
			struct conn *conn = connected(&fd, 80);
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
		struct conn *conn = connected(&fd, 80);
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
	struct conn *conn = connected(&fd, 80);
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
	};
	return cmocka_run_group_tests(tests, set_up, NULL);
}
