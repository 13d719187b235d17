/* HTTP/2 through a connection: a proxy that passes on the context that it received. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/http2_conn.h"

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
	struct conn *conn = connected(&fd, 80);
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
			struct conn *conn = connected(&fd, 80);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_passed_on_parent_is_replaced),
		cmocka_unit_test(test_passed_on_parent_stays_in_its_table),
		cmocka_unit_test(test_passed_on_parent_is_replaced_in_place),
	};
	return cmocka_run_group_tests(tests, set_up, NULL);
}
