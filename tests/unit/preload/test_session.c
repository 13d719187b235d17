/* Sessions: found by their handle, carried by the socket that spoke their ClientHello; and writes into a library that keeps
 * OpenSSL's rules: what it refuses must come again as it was, and may have gone in part. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <arpa/inet.h>

#include <cmocka.h>

#include "preload/activity.h"
#include "preload/config.h"
#include "preload/context.h"
#include "preload/conn_internal.h"
#include "preload/queue.h"
#include "preload/session.h"

extern const struct protocol protocol_http1, protocol_http2;
static const struct protocol *const protocols[] = {&protocol_http1, &protocol_http2, NULL};

static char wire[400000];
static size_t wire_len;
static unsigned seed;

static unsigned dice(unsigned sides)
{
	seed = seed * 1103515245u + 12345u;
	return seed / 65536u % sides;
}

/* The library. */
static struct {
	bool partial;
	unsigned patience; /* one of so many calls succeeds at once */
	size_t held, gone; /* a refused write: how long it was, and how much of it went all the same */
	char first[100000];
} library;

static ssize_t library_write(void *arg, const void *bytes, size_t count)
{
	const char *at = bytes;
	(void)arg;
	assert_true(count > 0);
	if (library.held) { /* a repetition: the same bytes, and not fewer */
		assert_true(count >= library.held);
		assert_memory_equal(at, library.first, library.held);
	}
	if (dice(library.patience)) {
		size_t goes = library.gone + dice((unsigned)(count - library.gone) + 1);
		if (goes == count)
			goes--;
		if (goes < library.gone)
			goes = library.gone;
		memcpy(wire + wire_len, at + library.gone, goes - library.gone);
		wire_len += goes - library.gone;
		library.gone = goes;
		library.held = count;
		memcpy(library.first, at, count);
		return -1;
	}
	size_t takes = library.partial ? 1 + dice((unsigned)count) : count;
	if (takes < library.gone)
		takes = library.gone;
	memcpy(wire + wire_len, at + library.gone, takes - library.gone);
	wire_len += takes - library.gone;
	library.held = library.gone = 0;
	return (ssize_t)takes;
}

/* The host: repeats what was refused, now and then from elsewhere, now and then with more behind it. */
static void host_write(struct conn *session, const char *text, size_t len)
{
	static char moved[2][100000];
	size_t asked = 0;
	int which = 0;
	while (len > 0) {
		size_t least = asked ? asked : 1;
		asked = least + dice((unsigned)(len - least) + 1);
		if (dice(3) == 0)
			asked = len;
		which ^= (int)dice(2);
		memset(moved, '?', sizeof(moved));
		memcpy(moved[which], text, asked);
		ssize_t went = session_write(session, moved[which], asked, library.partial, library_write, NULL);
		if (went <= 0)
			continue;
		assert_true((size_t)went <= asked);
		if (!library.partial)
			assert_int_equal(went, asked);
		text += went;
		len -= (size_t)went;
		asked = 0;
	}
}

static size_t drain(void)
{
	struct queue_record records[64];
	size_t n, all = 0;
	while ((n = queue_peek(records, 64, SIZE_MAX)) > 0) {
		queue_release(n);
		all += n;
	}
	return all;
}

/* Takes our lines out of the wire; returns how many there were. */
static int strip(void)
{
	static const char name[] = "traceparent: ";
	int found = 0;
	char *at;
	wire[wire_len] = '\0';
	while ((at = memmem(wire, wire_len, name, sizeof(name) - 1)) != NULL) {
		size_t line = sizeof(name) - 1 + 55 + 2;
		assert_true(at + line <= wire + wire_len && at[line - 2] == '\r');
		memmove(at, at + line, (size_t)(wire + wire_len - at) - line);
		wire_len -= line;
		found++;
	}
	return found;
}

static size_t requests(char *text, int count, size_t body)
{
	size_t len = 0;
	for (int i = 0; i < count; i++) {
		size_t size = body ? dice((unsigned)body) : 0;
		len += (size_t)sprintf(text + len, "POST /%d HTTP/1.1\r\nHost: there\r\nX-Pad: %0*d\r\nContent-Length: %zu\r\n\r\n", i,
				       (int)dice(900) + 1, 7, size);
		for (size_t k = 0; k < size; k++)
			text[len++] = (char)('a' + dice(26));
	}
	return len;
}

static void exactly_once(bool partial, size_t body, int count)
{
	static char text[100000];
	for (unsigned round = 1; round <= 150; round++) {
		seed = round * 7919;
		memset(&library, 0, sizeof(library));
		library.partial = partial;
		library.patience = 1 + round % 4;
		wire_len = 0;
		struct conn *session = session_begin(&library, ROLE_CLIENT, true);
		assert_non_null(session);
		size_t len = requests(text, count, body);
		host_write(session, text, len);
		assert_null(session->kept);
		assert_int_equal(session->gone, 0);
		int ours = strip();
		assert_int_equal(wire_len, len);
		assert_memory_equal(wire, text, len);
		/* A request that first stood in a refused, unedited write goes without. */
		assert_true(ours <= count);
		if (library.patience == 1)
			assert_int_equal(ours, count);
		conn_put(session);
		session_end(&library);
		drain();
	}
}

static void test_whole_writes(void **state)
{
	(void)state;
	exactly_once(false, 0, 1);
	exactly_once(false, 300, 5);
	exactly_once(false, 30000, 2);
}

static void test_partial_writes(void **state)
{
	(void)state;
	exactly_once(true, 0, 1);
	exactly_once(true, 300, 5);
	exactly_once(true, 30000, 2);
}

/* Freed in the middle of a refused write: nothing is left behind. */
static void test_dropped(void **state)
{
	static char text[100000];
	(void)state;
	for (unsigned round = 1; round <= 3000; round++) {
		seed = round;
		memset(&library, 0, sizeof(library));
		library.patience = 1000000;
		wire_len = 0;
		struct conn *session = session_begin(&library, ROLE_CLIENT, true);
		assert_non_null(session);
		size_t len = requests(text, 2, 200);
		session_write(session, text, len, false, library_write, NULL);
		conn_put(session);
		session_end(&library);
		assert_null(session_get(&library));
	}
	drain();
	char *blocks[64];
	for (int i = 0; i < 64; i++)
		assert_non_null(blocks[i] = block_take());
	for (int i = 0; i < 64; i++)
		block_give(blocks[i]);
}

static void test_found_by_handle(void **state)
{
	static char handles[3000];
	(void)state;
	assert_null(session_get(NULL));
	assert_null(session_get(handles));
	for (int turn = 0; turn < 3; turn++) {
		for (int i = 0; i < 1000; i++) {
			struct conn *session = session_begin(&handles[i * 3], ROLE_SERVER, i % 2);
			assert_non_null(session);
			assert_int_equal(session->mode, i % 2 ? CONN_FOLLOWED : CONN_OPAQUE);
			conn_put(session);
		}
		for (int i = 0; i < 3000; i++) {
			struct conn *session = session_get(&handles[i]);
			assert_int_equal(session != NULL, i % 3 == 0);
			if (session) {
				assert_int_equal(session->handle, (uintptr_t)&handles[i]);
				conn_put(session);
			}
		}
		for (int i = 999; i >= 0; i--)
			session_end(&handles[(i * 7 % 1000) * 3]);
		assert_null(session_get(handles));
		session_end(handles);
	}
}

/* A ClientHello in pieces, then the session that knows its random. */
static void test_carrier_by_hello(void **state)
{
	unsigned char hello[64] = {22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3};
	unsigned char other[32] = {1, 2, 3};
	struct sockaddr_in peer = {.sin_family = AF_INET, .sin_port = htons(4711)};
	int handle, fd = socket(AF_INET, SOCK_STREAM, 0);
	(void)state;
	peer.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	for (int i = 11; i < 64; i++)
		hello[i] = (unsigned char)(i * 37);
	for (size_t cut = 1; cut < 64; cut++) {
		conn_accepted(fd, (struct sockaddr *)&peer, sizeof(peer));
		struct conn *socket = conn_get(fd);
		struct iovec first = {hello, cut}, rest = {hello + cut, 64 - cut};
		conn_received(socket, &first, 1, (ssize_t)cut, 0);
		conn_received(socket, &rest, 1, (ssize_t)(64 - cut), 0);
		assert_int_equal(socket->mode, CONN_OPAQUE);
		struct conn *session = session_begin(&handle, ROLE_SERVER, true);
		session_on_hello(session, other);
		assert_null(session->carrier);
		session_on_hello(session, hello + 11);
		assert_ptr_equal(session->carrier, socket);
		assert_true(socket->carries);
		assert_int_equal(session->peer.in.sin_port, htons(4711));
		conn_put(session);
		if (cut % 2) /* either may go first */
			session_end(&handle);
		conn_put(socket);
		conn_closing(fd);
		if (cut % 2 == 0)
			session_end(&handle);
	}
	close(fd);
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
	return span_init(256) && blocks_init(64) && conn_init(1200, protocols) && session_init(1200) &&
			       queue_open(1 << 20, 0)
		       ? 0
		       : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_found_by_handle),   cmocka_unit_test(test_carrier_by_hello),
		cmocka_unit_test(test_whole_writes),      cmocka_unit_test(test_partial_writes),
		cmocka_unit_test(test_dropped),
	};
	return cmocka_run_group_tests(tests, set_up, NULL);
}
