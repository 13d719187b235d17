/* Marks of client libraries' calls: a head that carries one gives its identity to the span, whatever the
 * kernel takes of it, and nothing is changed on the wire; the next attempt has an identity of its own. */
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
#include "preload/transfer.h"
#include "tests/support/connection.h"

extern const struct protocol protocol_http1;
static const struct protocol *const protocols[] = {&protocol_http1, NULL};
static const enum context_format w3c[] = {FORMAT_TRACECONTEXT, FORMAT_BAGGAGE, 0};

static char handles[1000];
static char wire[20000];
static size_t wire_len;

static void disconnect(struct conn *conn, int fd)
{
	conn_put(conn);
	conn_closing(fd);
	close(fd);
}

/* One write of which the kernel takes so much. */
static ssize_t write_some(struct conn *conn, const char *data, size_t len, size_t takes)
{
	struct iovec iov = {(char *)(uintptr_t)data, len};
	struct outgoing out;
	int error = EAGAIN;
	out.frozen = false;
	assert_false(conn_sending(&out, conn, &iov, 1)); /* nothing is put in, nothing is changed */
	if (takes > len)
		takes = len;
	assert_true(wire_len + takes <= sizeof(wire));
	memcpy(wire + wire_len, data, takes);
	wire_len += takes;
	return conn_sent(&out, takes ? (ssize_t)takes : -1, &error);
}

/* A request as a library makes it of its list. */
static size_t make_head(const struct transfer *transfer, char *text, size_t size)
{
	int len = snprintf(text, size, "GET /x HTTP/1.1\r\nHost: here\r\n");
	for (const struct transfer_line *line = transfer->line; line; line = line->next)
		len += snprintf(text + len, size - (size_t)len, "%s\r\n", line->text);
	return (size_t)(len + snprintf(text + len, size - (size_t)len, "\r\n"));
}

static struct span *serve(const char *state, const char *baggage)
{
	struct span *span = span_begin(SPAN_SERVER, 1);
	struct context parent = {.valid = true, .remote = true, .flags = FLAG_SAMPLED};
	memset(parent.trace_id, 7, sizeof(parent.trace_id));
	memset(parent.span_id, 7, sizeof(parent.span_id));
	parent.tracestate = bytes_of(state);
	parent.baggage = bytes_of(baggage);
	span_identify(span, &parent);
	atomic_fetch_add(&activities_live, 1);
	activity_read_request(NULL, span_reference(span));
	return span;
}

static void served(struct span *span)
{
	activity_ended(span_reference(span));
	atomic_fetch_sub(&activities_live, 1);
	span_discard(span);
}

static const struct span *only_span(const struct conn *conn)
{
	assert_true(conn->first != 0);
	assert_int_equal(conn->first, conn->last);
	return span_slot(conn->first - 1);
}

static bool stands_in(const char *text, const uint8_t id[8])
{
	char digits[17] = "";
	hex_encode(digits, id, 8);
	return strstr(text, digits) != NULL;
}

static void test_every_cut(void **state)
{
	(void)state;
	struct transfer *transfer = transfer_open(&handles[0]);
	struct span *request = serve("a=b", "k=v");
	char head[2000];
	uint8_t parent[8];

	memcpy(parent, request->context.span_id, sizeof(parent));
	assert_true(transfer_mark(transfer, 0));
	transfer_chain(transfer, NULL);
	served(request); /* the call is its child all the same */
	size_t len = make_head(transfer, head, sizeof(head));
	for (size_t cut = 0; cut <= len; cut++) {
		int fd;
		struct conn *conn = connected(&fd, 80);
		make_head(transfer, head, sizeof(head));
		uint32_t attempts = transfer->attempts;
		wire_len = 0;
		write_some(conn, head, len, cut);
		write_some(conn, head + cut, len - cut, 0);
		if (cut < len)
			write_some(conn, head + cut, len - cut, SIZE_MAX);
		assert_int_equal(wire_len, len);
		assert_memory_equal(wire, head, len);
		const struct span *span = only_span(conn);
		assert_true(span->identified && span->recording && span->has_parent && !span->aside);
		assert_memory_equal(span->parent_id, parent, 8);
		assert_true(stands_in(head, span->context.span_id));
		assert_int_equal(span->context.tracestate.len, 3);
		assert_int_equal(span->resend, attempts);
		assert_int_equal(transfer->attempts, attempts + 1);
		make_head(transfer, head, sizeof(head));
		assert_false(stands_in(head, span->context.span_id));
		disconnect(conn, fd);
	}
	assert_int_equal(transfer->passed, transfer->size * (len + 1));
	transfer_close(transfer);
	assert_false(transfer_any());
}

static void test_root_has_a_trace_for_each_attempt(void **state)
{
	(void)state;
	struct transfer *transfer = transfer_open(&handles[1]);
	uint8_t trace[16];
	char head[2000];
	int fd[2];

	assert_true(transfer_mark(transfer, 0));
	transfer_chain(transfer, NULL);
	for (int i = 0; i < 2; i++) {
		struct conn *conn = connected(&fd[i], 80);
		size_t len = make_head(transfer, head, sizeof(head));
		write_some(conn, head, len, 0); /* refused, and asked again */
		write_some(conn, head, len, SIZE_MAX);
		const struct span *span = only_span(conn);
		assert_false(span->has_parent);
		assert_true(stands_in(head, span->context.span_id));
		if (i)
			assert_memory_not_equal(trace, span->context.trace_id, 16);
		memcpy(trace, span->context.trace_id, 16);
		disconnect(conn, fd[i]);
	}
	assert_int_equal(transfer->attempts, 2);
	transfer_close(transfer);
}

static void test_each_format_and_much_baggage(void **state)
{
	static const enum context_format formats[] = {FORMAT_TRACECONTEXT, FORMAT_B3,   FORMAT_B3MULTI,
						      FORMAT_JAEGER,       FORMAT_XRAY, FORMAT_OTTRACE};
	static char baggage[4000], head[9000];
	(void)state;
	memset(baggage, 'x', sizeof(baggage) - 1);
	memcpy(baggage, "k=", 2);
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		const enum context_format chosen[] = {formats[i], FORMAT_BAGGAGE, 0};
		context_configure(chosen);
		protocol_settings.carrier_lengths = context_field_lengths();
		protocol_settings_done();
		struct transfer *transfer = transfer_open(&handles[2]);
		struct span *request = serve(NULL, baggage);
		int fd;
		struct conn *conn = connected(&fd, 80);
		assert_true(transfer_mark(transfer, 0));
		transfer_chain(transfer, NULL);
		wire_len = 0;
		for (int attempt = 0; attempt < 2; attempt++) {
			size_t len = make_head(transfer, head, sizeof(head));
			assert_non_null(strstr(head, baggage));
			write_some(conn, head, len, SIZE_MAX);
			const struct span *span = span_slot(conn->last - 1);
			assert_true(stands_in(head, span->context.span_id));
			assert_memory_equal(span->parent_id, request->context.span_id, 8);
			assert_memory_equal(span->context.trace_id, request->context.trace_id, 16);
		}
		transfer_close(transfer);
		served(request);
		disconnect(conn, fd);
	}
	context_configure(w3c);
	protocol_settings.carrier_lengths = context_field_lengths();
	protocol_settings_done();
}

static void test_what_is_not_marked(void **state)
{
	(void)state;
	struct transfer *transfer = transfer_open(&handles[3]);
	char head[2000];
	int fd;

	assert_false(transfer_mark(transfer,
				   CONTEXT_PRESENT(FIELD_TRACEPARENT))); /* the program speaks for itself */
	assert_true(transfer_mark(transfer, CONTEXT_PRESENT(FIELD_TRACESTATE)));
	transfer_chain(transfer, NULL);
	size_t len = make_head(transfer, head, sizeof(head));
	transfer_unmark(transfer);
	/* Too late: whose it is cannot be known, so it stands aside. */
	struct conn *conn = connected(&fd, 80);
	write_some(conn, head, len, SIZE_MAX);
	assert_true(only_span(conn)->aside);
	disconnect(conn, fd);

	static const enum context_format none[] = {FORMAT_BAGGAGE, 0};
	uint64_t before = count_get(transfers_no_room);
	context_configure(none);
	struct span *request = serve(NULL, "k=v");
	assert_false(transfer_mark(transfer, 0));
	assert_int_equal(count_get(transfers_no_room), before);
	served(request);
	/* A field for each member of the baggage, and too many of them. */
	static const enum context_format jaeger[] = {FORMAT_JAEGER, 0};
	context_configure(jaeger);
	request = serve(NULL, "a=1,b=1,c=1,d=1,e=1,f=1,g=1,h=1,i=1,j=1,k=1,l=1,m=1,n=1,o=1,p=1,q=1");
	assert_false(transfer_mark(transfer, 0));
	assert_int_equal(count_get(transfers_no_room), before + 1);
	served(request);
	context_configure(w3c);
	transfer_close(transfer);
	assert_false(transfer_any());
}

/* Two activities were read: the call is neither's, also when one of them is all that is left when it goes. */
static void test_ambiguous_stays_ambiguous(void **state)
{
	(void)state;
	struct transfer *transfer = transfer_open(&handles[4]);
	struct span *one = serve(NULL, NULL), *other = serve(NULL, NULL);
	char head[2000];
	int fd;

	assert_true(thread.ambiguous);
	assert_true(transfer_mark(transfer, 0));
	transfer_chain(transfer, NULL);
	served(one);
	activity_wait(false);
	activity_read_request(NULL, span_reference(other));
	struct conn *conn = connected(&fd, 80);
	write_some(conn, head, make_head(transfer, head, sizeof(head)), SIZE_MAX);
	assert_true(only_span(conn)->ambiguous);
	assert_false(only_span(conn)->has_parent);
	served(other);
	disconnect(conn, fd);
	transfer_close(transfer);
}

/* What the queue holds of the next span: its span id (hex) and error.type, by eye. */
static bool exported(const uint8_t id[8], const char *error)
{
	struct queue_record record;
	if (queue_peek(&record, 1, SIZE_MAX) != 1)
		return false;
	bool is = memmem(record.payload.ptr, record.payload.len, id, 8) &&
		  (error ? memmem(record.payload.ptr, record.payload.len, error, strlen(error)) != NULL
			 : !memmem(record.payload.ptr, record.payload.len, "error.type", 10));
	queue_release(1);
	return is;
}

static void receive(struct conn *conn, const char *text)
{
	struct iovec iov = {(char *)(uintptr_t)text, strlen(text)};
	conn_received(conn, &iov, 1, (ssize_t)iov.iov_len, 0);
}

/* An attempt waits for what becomes of the call: the next attempt, a failure, the end of the process. */
static void test_ends(void **state)
{
	(void)state;
	struct transfer *transfer = transfer_open(&handles[5]);
	char head[2000];
	uint8_t id[8];
	int fd;
	struct conn *conn = connected(&fd, 80);

	for (int i = 0; i < 5; i++) {
		if (i != 1) {
			assert_true(transfer_mark(transfer, 0));
			transfer_chain(transfer, NULL);
		}
		write_some(conn, head, make_head(transfer, head, sizeof(head)), SIZE_MAX);
		if (i == 1) /* the redirect's own end */
			assert_true(exported(id, NULL));
		memcpy(id, only_span(conn)->context.span_id, 8);
		if (i == 4) { /* the library knows before the wire does */
			transfer_failed(transfer, BYTES("CURLE_LATE"));
			transfer_unmark(transfer);
		}
		receive(conn, i == 0   ? "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n"
			      : i == 2 ? "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"
				       : "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
		assert_int_equal(conn->first, 0);
		if (i < 4)
			assert_int_equal(queue_records(), 0);
		if (i == 1) {
			transfer_failed(transfer, BYTES("CURLE_FAILED"));
			assert_true(exported(id, "CURLE_FAILED"));
		} else if (i == 2) {
			transfer_failed(transfer, BYTES("CURLE_OTHER")); /* the answer says more */
			assert_true(exported(id, "404"));
		} else if (i == 3) {
			transfer_flush();
			assert_true(exported(id, NULL));
		} else if (i == 4) {
			assert_true(exported(id, "CURLE_LATE"));
		}
	}
	assert_true(transfer_mark(transfer, 0));
	struct span *span = transfer_unsent(transfer, 1);
	assert_int_equal(transfer->attempts, 1);
	memcpy(id, span->context.span_id, 8);
	span_error(span, BYTES("CURLE_NEVER"));
	span_end(span, 2);
	assert_true(exported(id, "CURLE_NEVER"));
	transfer_close(transfer);
	disconnect(conn, fd);
}

static void test_events(void **state)
{
	static const char *const names[] = {"connect.end", "response.first_byte"};
	(void)state;
	struct transfer *transfer = transfer_open(&handles[6]);
	char head[2000];
	int fd;
	assert_true(transfer_mark(transfer, 0));
	transfer_chain(transfer, NULL);
	struct conn *conn = connected(&fd, 80);
	write_some(conn, head, make_head(transfer, head, sizeof(head)), SIZE_MAX);
	struct span *span = span_slot(conn->first - 1);
	receive(conn, "HTTP/1.1 200 OK\r\n");
	assert_int_equal(span->events, 2);
	for (int i = 0; i < 2; i++)
		assert_string_equal(span->event[i].name, names[i]);
	assert_true(span->event[0].at >= transfer->begun && span->event[1].at >= span->event[0].at);
	for (int i = 0; i < 10; i++)
		span_event(span, "more", 1);
	assert_int_equal(span->events, SPAN_EVENTS);
	assert_int_equal(span->events_dropped, 12 - SPAN_EVENTS);
	transfer_close(transfer);
	disconnect(conn, fd);
}

static void test_handles(void **state)
{
	(void)state;
	uint64_t before = count_get(transfers_no_slot);
	size_t known = 0;

	for (size_t i = 0; i < sizeof(handles); i++)
		known += transfer_open(&handles[i]) != NULL;
	assert_int_equal(known, 64);
	assert_int_equal(count_get(transfers_no_slot) - before, sizeof(handles) - known);
	for (size_t i = 0; i < sizeof(handles); i++) {
		struct transfer *transfer = transfer_get(&handles[i]);
		if (transfer)
			transfer_close(transfer);
		assert_null(transfer_get(&handles[i]));
	}
	/* The end of a handle went by unseen, and another one stands at its address. */
	struct transfer *transfer = transfer_open(&handles[0]);
	assert_true(transfer_mark(transfer, 0));
	assert_false(transfer_open(&handles[0])->marked);
	assert_false(transfer_any());
	transfer_leave(transfer);
	assert_null(transfer_get(&handles[0]));
	assert_null(transfer_get((void *)1));
	transfer_close(transfer);
}

static int fresh_thread(void **state)
{
	(void)state;
	struct queue_record records[64];
	size_t n;
	memset(&thread, 0, sizeof(thread));
	while ((n = queue_peek(records, 64, SIZE_MAX)) > 0)
		queue_release(n);
	return 0;
}

/* What the program's own list says counts for more than the thread. */
static void test_correlated(void **state)
{
	(void)state;
	struct transfer *transfer = transfer_open(&handles[6]);
	struct span *other = serve("", "");
	struct span *request = serve("", ""); /* two were read: nobody knows */
	transfer->correlated = (struct correlated){span_reference(other), CORRELATES_ONE};
	assert_true(transfer_mark(transfer, 0));
	assert_int_equal(transfer->activity, span_reference(other));
	assert_int_equal(transfer->evidence, PARENT_HEADER);
	assert_false(transfer->ambiguous);
	transfer->correlated.found = CORRELATES_MANY;
	activity_wait_one(false);
	assert_true(transfer_mark(transfer, 0));
	assert_int_equal(transfer->activity, SPAN_NOBODY);
	assert_true(transfer->ambiguous);
	transfer_close(transfer);
	served(request);
	served(other);
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
	return span_init(256) && blocks_init(64) && conn_init(64, protocols) && queue_open(1 << 20, 0) &&
			       transfer_init(64)
		       ? 0
		       : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_every_cut, fresh_thread),
		cmocka_unit_test_setup(test_root_has_a_trace_for_each_attempt, fresh_thread),
		cmocka_unit_test_setup(test_each_format_and_much_baggage, fresh_thread),
		cmocka_unit_test_setup(test_what_is_not_marked, fresh_thread),
		cmocka_unit_test_setup(test_ambiguous_stays_ambiguous, fresh_thread),
		cmocka_unit_test_setup(test_ends, fresh_thread),
		cmocka_unit_test_setup(test_events, fresh_thread),
		cmocka_unit_test_setup(test_handles, fresh_thread),
		cmocka_unit_test_setup(test_correlated, fresh_thread),
	};
	return cmocka_run_group_tests(tests, set_up, NULL);
}
