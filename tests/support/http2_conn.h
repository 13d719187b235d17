/* http2_conn.h - a connection that speaks HTTP/2 for a unit test: what the program writes goes over a kernel
 * that takes what it likes, what comes meanwhile is read, and a server of nghttp2's reads the wire. Included
 * behind cmocka.h. */
#ifndef TAGALONG_HTTP2_CONN_H
#define TAGALONG_HTTP2_CONN_H

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "preload/activity.h"
#include "preload/config.h"
#include "preload/conn.h"
#include "preload/conn_internal.h"
#include "preload/queue.h"
#include "tests/support/connection.h"
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

static inline size_t kernel_takes(size_t offered)
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

static inline void receive(struct conn *conn, size_t most)
{
	struct bytes piece = bytes_until(incoming, most);
	struct iovec iov = {(char *)(uintptr_t)piece.ptr, piece.len};
	incoming = bytes_from(incoming, piece.len);
	if (piece.len)
		conn_received(conn, &iov, 1, (ssize_t)piece.len, 0);
}

static inline void scribble(void)
{
	struct span *span = span_begin(SPAN_CLIENT, 1);
	assert_non_null(span);
	memset(span->text, '!', sizeof(span->text));
	span_discard(span);
}

static inline ssize_t host_write(struct conn *conn, const char *data, size_t len, int *error)
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

static inline void write_fully(struct conn *conn, struct bytes text)
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

/* How many spans came of it. */
static inline size_t disconnect(struct conn *conn, int fd)
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
static inline char *read_wire(int *ours)
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

static const char *const fields[] = {"user-agent", "talk/1", "x-one", "first", "x-two", "second", NULL};

static inline int set_up(void **state)
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

#endif
