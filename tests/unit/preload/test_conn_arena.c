/* test_conn_arena.c - more connections than there are arenas: who waits for nothing has none, and stays
 * followed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <arpa/inet.h>

#include <cmocka.h>

#include "preload/config.h"
#include "preload/conn_internal.h"
#include "preload/counters.h"
#include "preload/queue.h"
#include "tests/support/http2_talk.h"

extern const struct protocol protocol_redis, protocol_memcached, protocol_http2;
static const struct protocol *const protocols[] = {&protocol_redis, &protocol_memcached, &protocol_http2,
						   NULL};

#define CONNECTIONS 64

static struct conn *conns[CONNECTIONS];
static int fds[CONNECTIONS];

static void connect_all(int count)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(6379)};
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	for (int i = 0; i < count; i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM, 0);
		conn_connecting(fds[i], (struct sockaddr *)&address, sizeof(address));
		conn_connected(fds[i], 0, 0);
		conns[i] = conn_get(fds[i]);
		assert_non_null(conns[i]);
	}
}

static void disconnect_all(int count)
{
	for (int i = 0; i < count; i++) {
		conn_put(conns[i]);
		conn_closing(fds[i]);
		close(fds[i]);
	}
}

/* The kernel takes so many of them, and our edits. */
static void ask(struct conn *conn, struct bytes text, size_t takes)
{
	struct iovec iov = {(char *)(uintptr_t)text.ptr, text.len};
	struct outgoing out;
	int error = EAGAIN;
	out.frozen = false;
	if (conn_sending(&out, conn, &iov, 1))
		takes += outgoing_length(&out) - text.len;
	conn_sent(&out, takes ? (ssize_t)takes : -1, &error);
}

static void answer(struct conn *conn, struct bytes text)
{
	struct iovec iov = {(char *)(uintptr_t)text.ptr, text.len};
	conn_received(conn, &iov, 1, (ssize_t)iov.iov_len, 0);
}

static const struct {
	struct bytes call, answer;
} talks[] = {
	{BYTES("*2\r\n$3\r\nGET\r\n$1\r\na\r\n"), BYTES("$1\r\nx\r\n")},
	{BYTES("get a\r\n"), BYTES("VALUE a 0 1\r\nx\r\nEND\r\n")},
};

static void test_all_are_followed_that_wait_for_nothing(void **state)
{
	(void)state;
	assert_in_range(CONN_ARENAS(CONNECTIONS) + CONN_LITTLE_ARENAS(CONNECTIONS), 1, CONNECTIONS / 2);
	for (size_t t = 0; t < 2; t++) {
		connect_all(CONNECTIONS);
		for (int turn = 0; turn < 3; turn++)
			for (int i = 0; i < CONNECTIONS; i++) {
				ask(conns[i], talks[t].call, talks[t].call.len);
				assert_non_null(exchange_first(conns[i]));
				assert_non_null(conns[i]->arena.base);
				answer(conns[i], talks[t].answer);
				assert_null(exchange_first(conns[i]));
				assert_null(conns[i]->arena.base);
				assert_int_equal(conns[i]->mode, CONN_FOLLOWED);
			}
		disconnect_all(CONNECTIONS);
	}
}

/* Of Redis more calls are under way than others have arenas; who comes too late is counted. */
static void test_as_many_calls_as_there_are_arenas(void **state)
{
	(void)state;
	int most = CONN_ARENAS(CONNECTIONS) + CONN_LITTLE_ARENAS(CONNECTIONS);
	for (int turn = 0; turn < 2; turn++) {
		uint64_t before = count_get(parser_too_large);
		connect_all(most + 1);
		for (int i = 0; i <= most; i++)
			ask(conns[i], talks[0].call, talks[0].call.len);
		for (int i = 0; i <= most; i++)
			assert_int_equal(conns[i]->mode, i < most ? CONN_FOLLOWED : CONN_OPAQUE);
		assert_int_equal(count_get(parser_too_large), before + 1);
		disconnect_all(most + 1);
	}
}

/* What was written of a command is kept while the rest is missing, and not when nothing was. */
static void test_a_write_that_is_cut(void **state)
{
	(void)state;
	connect_all(2);
	for (size_t t = 0; t < 2; t++)
		for (size_t cut = 0; cut < talks[t].call.len; cut++) {
			struct bytes call = talks[t].call;
			ask(conns[t], call, cut);
			if (cut == 0)
				assert_null(conns[t]->arena.base);
			ask(conns[t], bytes_from(call, cut), call.len - cut);
			assert_non_null(exchange_first(conns[t]));
			answer(conns[t], talks[t].answer);
			assert_null(exchange_first(conns[t]));
			assert_null(conns[t]->arena.base);
			assert_int_equal(conns[t]->mode, CONN_FOLLOWED);
		}
	/* The text that was put into the arena is still there for its end. */
	ask(conns[0], talks[0].call, 17);
	const char *base = conns[0]->arena.base;
	assert_non_null(base);
	ask(conns[1], talks[1].call, talks[1].call.len);
	ask(conns[0], bytes_from(talks[0].call, 17), talks[0].call.len - 17);
	assert_ptr_equal(conns[0]->arena.base, base);
	disconnect_all(2);
}

/* One turn: every connection asks, and then every one is answered, so that a stream of each is in flight. */
static void talk_in_turn(struct talk *talks, size_t *done, int count, const char *path)
{
	static const char *const fields[] = {"user-agent", "talk/1", "x-more", "that is put into the table",
					     NULL};

	for (int i = 0; i < count; i++) {
		talk_request(&talks[i], path, fields);
		talk_drain(&talks[i], HALF_REQUESTS);
		ask(conns[i], talks[i].piece[done[i]].text, talks[i].piece[done[i]].text.len);
		done[i]++;
		assert_non_null(exchange_first(conns[i]));
	}
	for (int i = 0; i < count; i++) {
		assert_non_null(exchange_first(conns[i]));
		for (talk_pump(&talks[i]); done[i] < talks[i].pieces; done[i]++) {
			struct bytes text = talks[i].piece[done[i]].text;
			if (talks[i].piece[done[i]].half == HALF_REQUESTS)
				ask(conns[i], text, text.len);
			else
				answer(conns[i], text);
		}
		assert_null(exchange_first(conns[i]));
		assert_int_equal(conns[i]->mode, CONN_FOLLOWED);
	}
}

/* HTTP/2 keeps something as long as it lives, also with streams in flight: folded while others need the
 * arena. */
static void test_http2_shares_its_arenas(void **state)
{
	enum { TALKS = 15 };
	static struct talk talks[TALKS];
	size_t done[TALKS] = {0};
	uint64_t before = count_get(parser_too_large);
	int folded = 0;

	(void)state;
	assert_in_range(CONN_ARENAS(CONNECTIONS), 1, TALKS / 3);
	assert_in_range(CONN_LITTLE_ARENAS(CONNECTIONS), TALKS, CONNECTIONS);
	connect_all(TALKS);
	for (int i = 0; i < TALKS; i++)
		talk_open(&talks[i]);
	for (int turn = 0; turn < 4; turn++)
		talk_in_turn(talks, done, TALKS, turn % 2 ? "/odd" : "/even");
	for (int i = 0; i < TALKS; i++)
		folded += conns[i]->arena.folded;
	assert_int_equal(folded, TALKS - CONN_ARENAS(CONNECTIONS));
	assert_int_equal(count_get(parser_too_large), before);
	/* Who is gone leaves everything to the next ones. */
	disconnect_all(TALKS);
	connect_all(2);
	ask(conns[0], talks[0].piece[0].text, talks[0].piece[0].text.len);
	assert_false(conns[0]->arena.little);
	disconnect_all(2);
	for (int i = 0; i < TALKS; i++)
		talk_close(&talks[i]);
}

/* A block that is not complete keeps its arena, and so does what was looked at ahead of a write. */
static void test_http2_keeps_an_arena_that_is_at_work(void **state)
{
	struct talk talks[3];
	struct outgoing out[2];
	struct iovec iov[2];

	(void)state;
	connect_all(3);
	for (int i = 0; i < 3; i++) {
		talk_open(&talks[i]);
		talk_request(&talks[i], "/", NULL);
		talk_drain(&talks[i], HALF_REQUESTS);
	}
	ask(conns[0], talks[0].piece[0].text, talks[0].piece[0].text.len - 1);
	iov[1] = (struct iovec){(char *)(uintptr_t)talks[1].piece[0].text.ptr, talks[1].piece[0].text.len};
	out[1].frozen = false;
	(void)conn_sending(&out[1], conns[1], &iov[1], 1);
	ask(conns[2], talks[2].piece[0].text, talks[2].piece[0].text.len);
	assert_int_equal(conns[2]->mode, CONN_OPAQUE);
	assert_false(conns[0]->arena.folded);
	assert_false(conns[1]->arena.folded);
	conn_send_abandoned(&out[1]);
	ask(conns[0], bytes_from(talks[0].piece[0].text, talks[0].piece[0].text.len - 1), 1);
	assert_non_null(exchange_first(conns[0]));
	disconnect_all(3);
	for (int i = 0; i < 3; i++)
		talk_close(&talks[i]);
}

static int set_up(void **state)
{
	char *env[] = {"OTEL_TRACES_EXPORTER=none", NULL};
	(void)state;
	config_load(env, "test");
	return span_init(256) && blocks_init(64) && conn_init(CONNECTIONS, protocols) &&
			       queue_open(1 << 20, 0)
		       ? 0
		       : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_are_followed_that_wait_for_nothing),
		cmocka_unit_test(test_as_many_calls_as_there_are_arenas),
		cmocka_unit_test(test_a_write_that_is_cut),
		cmocka_unit_test(test_http2_shares_its_arenas),
		cmocka_unit_test(test_http2_keeps_an_arena_that_is_at_work),
	};
	return cmocka_run_group_tests(tests, set_up, NULL);
}
