/* Whose call is a request that is passed on as it is? By its parts, and then through connections, as a proxy
 * has them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "hooks/protocols/http_describe.h"
#include "preload/conn_internal.h"
#include "preload/config.h"
#include "preload/correlate.h"
#include "preload/counters.h"
#include "preload/queue.h"

extern const struct protocol protocol_http1;
static const struct protocol *const protocols[] = {&protocol_http1, NULL};

#define SPANS 32

/* --- parts ------------------------------------------------------------------------------------------------
 */

static const struct {
	enum protocol_part part;
	const char *text;
} * parts;
static enum protocol_identified known;

static enum protocol_identified identify(const void *state, struct protocol_identity *to)
{
	(void)state;
	for (int i = 0; parts[i].text; i++)
		to->part(to, parts[i].part, bytes_of(parts[i].text));
	return known;
}
static const struct protocol with_parts = {.identify = identify};

#define PARTS(...)                                                                           \
	do {                                                                                 \
		static const __typeof__(*parts) list[] = {__VA_ARGS__, {PART_METHOD, NULL}}; \
		parts = list;                                                                \
		known = IDENTIFIED;                                                          \
	} while (0)

static struct span *noted(void)
{
	struct span *span = span_begin(SPAN_SERVER, 1);
	assert_non_null(span);
	correlate_note_request(span, &with_parts, NULL);
	span_identify(span, NULL);
	correlate_index(span);
	return span;
}

static void over(struct span *span)
{
	correlate_unindex(span);
	span_discard(span);
}

static uint8_t ask_for(span_ref *with)
{
	struct correlated answer = {SPAN_NOBODY, CORRELATES_NOT};
	correlate_ask_request(&answer, &with_parts, NULL);
	*with = answer.with;
	return answer.found;
}

static void expect_not(enum correlates found)
{
	span_ref with;
	assert_int_equal(ask_for(&with), found);
}

static void expect_one(const struct span *span)
{
	span_ref with;
	assert_int_equal(ask_for(&with), CORRELATES_ONE);
	assert_int_equal(with, span_reference(span));
}

/* By OpenSSL's SIPHASH of the same words, of 16 bytes. */
static void test_hash(void **state)
{
	static const uint64_t key[2] = {0x0706050403020100u, 0x0f0e0d0c0b0a0908u};
	(void)state;
	correlate_key(key);
	PARTS({PART_METHOD, "GET"}, {PART_TARGET, "/a/long/target?q=1"}, {PART_FIELD, "x=1"},
	      {PART_FIELD, "y=2"}, {PART_FIELD + 1, "Mozilla/5.0 (X11)"});
	struct span *span = noted();
	assert_int_equal(span->correlates, 1);
	assert_memory_equal(span->correlate[0].text,
			    "\xBE\xB1\xC5\x38\x1B\x3C\x34\xC7\x4C\xB5\x4F\x75\x1A\xE2\x7C\xBD", 16);
	over(span);
}

static void test_all_parts_count(void **state)
{
	(void)state;
	PARTS({PART_METHOD, "GET"}, {PART_TARGET, "/a"}, {PART_FIELD, "x"}, {PART_FIELD + 1, "y"});
	struct span *span = noted();
	expect_one(span);
	PARTS({PART_METHOD, "HEAD"}, {PART_TARGET, "/a"}, {PART_FIELD, "x"}, {PART_FIELD + 1, "y"});
	expect_not(CORRELATES_NOT);
	PARTS({PART_METHOD, "GET"}, {PART_TARGET, "/b"}, {PART_FIELD, "x"}, {PART_FIELD + 1, "y"});
	expect_not(CORRELATES_NOT);
	PARTS({PART_METHOD, "GET"}, {PART_TARGET, "/a"}, {PART_FIELD, "x"});
	expect_not(CORRELATES_NOT);
	PARTS({PART_METHOD, "GET"}, {PART_TARGET, "/a"}, {PART_FIELD, "x"}, {PART_FIELD + 2, "y"});
	expect_not(CORRELATES_NOT);
	PARTS({PART_METHOD, "GET"}, {PART_TARGET, "/a"}, {PART_FIELD, "x"}, {PART_FIELD, "y"});
	expect_not(CORRELATES_NOT);
	PARTS({PART_METHOD, "GET/a"}, {PART_TARGET, ""}, {PART_FIELD, "x"}, {PART_FIELD + 1, "y"});
	expect_not(CORRELATES_NOT);
	PARTS({PART_METHOD, "GET"}, {PART_TARGET, "/a"}, {PART_FIELD, "x"}, {PART_FIELD + 1, "y"},
	      {PART_WITHHELD, "z"});
	expect_not(CORRELATES_NOT);
	over(span);
	PARTS({PART_METHOD, "GET"}, {PART_TARGET, "/a"}, {PART_FIELD, "x"}, {PART_FIELD + 1, "y"});
	expect_not(CORRELATES_NOT);
}

static void test_two_alike(void **state)
{
	(void)state;
	PARTS({PART_METHOD, "GET"}, {PART_TARGET, "/a"});
	struct span *a = noted(), *b = noted();
	expect_not(CORRELATES_MANY);
	over(a);
	expect_one(b);
	over(b);
}

/* A call without it may be of either, where the proxy keeps it to itself. */
static void test_what_is_withheld(void **state)
{
	(void)state;
	PARTS({PART_METHOD, "GET"}, {PART_TARGET, "/a"}, {PART_FIELD, "x"}, {PART_WITHHELD, "1"});
	struct span *one = noted();
	PARTS({PART_METHOD, "GET"}, {PART_TARGET, "/a"}, {PART_FIELD, "x"}, {PART_WITHHELD, "2"});
	struct span *two = noted();
	PARTS({PART_METHOD, "GET"}, {PART_TARGET, "/a"}, {PART_FIELD, "y"});
	struct span *other = noted();
	expect_one(other);
	PARTS({PART_METHOD, "GET"}, {PART_TARGET, "/a"}, {PART_FIELD, "x"}, {PART_WITHHELD, "2"});
	expect_one(two);
	PARTS({PART_METHOD, "GET"}, {PART_TARGET, "/a"}, {PART_FIELD, "x"});
	expect_not(CORRELATES_MANY);
	struct span *bare = noted();
	expect_not(CORRELATES_MANY);
	over(one);
	over(two);
	expect_one(bare);
	over(bare);
	over(other);
}

/* One that is known in part only makes those of its method and target doubtful, one that is lost all. */
static void test_what_is_not_known(void **state)
{
	(void)state;
	uint64_t before = count_get(requests_unidentified);
	PARTS({PART_METHOD, "GET"}, {PART_TARGET, "/a"}, {PART_FIELD, "cut"});
	known = IDENTIFIED_IN_PART;
	struct span *part = noted();
	PARTS({PART_METHOD, "GET"}, {PART_TARGET, "/a"}, {PART_FIELD, "x"});
	struct span *a = noted();
	expect_not(CORRELATES_MANY);
	PARTS({PART_METHOD, "GET"}, {PART_TARGET, "/b"}, {PART_FIELD, "x"});
	struct span *b = noted();
	expect_one(b);
	known = IDENTIFIED_LOST;
	struct span *lost = noted();
	known = IDENTIFIED;
	expect_not(CORRELATES_MANY);
	struct correlated header = {SPAN_NOBODY, CORRELATES_NOT};
	correlate_ask(&header, FIELD_COUNT, BYTES("id")); /* of headers nothing was lost */
	assert_int_equal(header.found, CORRELATES_NOT);
	over(lost);
	expect_one(b);
	known = IDENTIFIED_IN_PART; /* the call itself */
	expect_not(CORRELATES_NOT);
	assert_int_equal(count_get(requests_unidentified) - before, 3);
	over(part);
	PARTS({PART_METHOD, "GET"}, {PART_TARGET, "/a"}, {PART_FIELD, "x"});
	expect_one(a);
	over(a);
	over(b);
}

static void test_headers_and_the_whole(void **state)
{
	(void)state;
	PARTS({PART_METHOD, "GET"}, {PART_TARGET, "/a"});
	struct span *a = noted(), *b = span_begin(SPAN_SERVER, 1);
	struct correlated answer = {span_reference(a), CORRELATES_ONE};
	correlate_ask_request(&answer, &with_parts, NULL);
	assert_int_equal(answer.found, CORRELATES_ONE);
	answer = (struct correlated){span_reference(b), CORRELATES_ONE};
	correlate_ask_request(&answer, &with_parts, NULL);
	assert_int_equal(answer.found, CORRELATES_MANY);
	struct span *same = noted(); /* says nothing: nor against the header */
	const struct span *either[] = {a, same};
	for (int i = 0; i < 2; i++) {
		answer = (struct correlated){span_reference(either[i]), CORRELATES_ONE};
		correlate_ask_request(&answer, &with_parts, NULL);
		assert_int_equal(answer.found, CORRELATES_ONE);
		assert_int_equal(answer.with, span_reference(either[i]));
	}
	over(a);
	answer = (struct correlated){SPAN_NOBODY, CORRELATES_MANY};
	correlate_ask_request(&answer, &with_parts, NULL);
	assert_int_equal(answer.found, CORRELATES_MANY);
	over(same);
	span_discard(b);
}

/* --- connections ------------------------------------------------------------------------------------------
 */

struct end {
	int fd;
	struct conn *conn;
};

static struct end connected(bool server)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(80)};
	struct end end = {.fd = socket(AF_INET, SOCK_STREAM, 0)};
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (server) {
		conn_accepted(end.fd, (struct sockaddr *)&address, sizeof(address));
	} else {
		conn_connecting(end.fd, (struct sockaddr *)&address, sizeof(address));
		conn_connected(end.fd, 0, 0);
	}
	end.conn = conn_get(end.fd);
	assert_non_null(end.conn);
	return end;
}

static void closed(struct end end)
{
	struct queue_record records[64];
	size_t n;
	conn_put(end.conn);
	conn_closing(end.fd);
	close(end.fd);
	while ((n = queue_peek(records, 64, SIZE_MAX)) > 0)
		queue_release(n);
}

static void hears(struct end end, const char *text)
{
	struct iovec iov = {(char *)(uintptr_t)text, strlen(text)};
	conn_received(end.conn, &iov, 1, (ssize_t)iov.iov_len, 0);
}

static void says(struct end end, const char *text)
{
	struct iovec iov = {(char *)(uintptr_t)text, strlen(text)};
	struct outgoing out;
	int error = 0;
	out.frozen = false;
	bool edited = conn_sending(&out, end.conn, &iov, 1);
	conn_sent(&out, (ssize_t)(edited ? outgoing_length(&out) : iov.iov_len), &error);
}

static struct end request(const char *head)
{
	struct end end = connected(true);
	hears(end, head);
	return end;
}

static span_ref ref(struct end end)
{
	return span_reference(exchange_last(end.conn));
}

static void expect_call(const char *head, span_ref whose, enum ambiguity why)
{
	struct end end = connected(false);
	says(end, head);
	const struct span *span = exchange_last(end.conn);
	assert_non_null(span);
	assert_int_equal(span->activity, whose);
	if (whose != SPAN_NOBODY)
		assert_int_equal(span->evidence, PARENT_HEADER);
	assert_int_equal(span->ambiguous, why);
	closed(end);
}

#define A "GET /a HTTP/1.1\r\nHost: front\r\nUser-Agent: u\r\n\r\n"
#define A_ON "GET /a HTTP/1.0\r\nuser-agent: u\r\nVia: p\r\n\r\n"
#define B "GET /b HTTP/1.1\r\nHost: front\r\n\r\n"
#define DONE "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

static void test_passed_on(void **state)
{
	(void)state;
	struct end a = request(A), b = request(B);
	expect_call(A_ON, ref(a), AMBIGUOUS_NOT);
	expect_call(B, ref(b), AMBIGUOUS_NOT);
	expect_call(A_ON, ref(a), AMBIGUOUS_NOT); /* tried again */
	expect_call("GET /c HTTP/1.1\r\n\r\n", SPAN_NOBODY, AMBIGUOUS_READ);
	expect_call("HEAD /b HTTP/1.1\r\n\r\n", SPAN_NOBODY, AMBIGUOUS_READ);
	struct end again = request(A);
	expect_call(A_ON, SPAN_NOBODY, AMBIGUOUS_ID);
	says(again, DONE);
	struct end c = request("GET /c HTTP/1.1\r\n\r\n"), d = request("GET /d HTTP/1.1\r\n\r\n");
	expect_call(A_ON, ref(a), AMBIGUOUS_NOT);
	says(a, DONE);
	hears(c, "");
	expect_call(A_ON, SPAN_NOBODY, AMBIGUOUS_READ);
	hears(a, A); /* the next on its connection */
	expect_call(A_ON, ref(a), AMBIGUOUS_NOT);
	closed(a);
	closed(b);
	closed(c);
	closed(d);
	closed(again);
}

/* Of one that had no span left, or whose connection is not followed any more, nobody knows what it is. */
static void test_unseen(void **state)
{
	(void)state;
	struct end many[SPANS];
	char head[64];
	for (int i = 0; i < SPANS; i++) {
		snprintf(head, sizeof(head), "GET /%d HTTP/1.1\r\n\r\n", i);
		many[i] = request(head);
	}
	struct end none = request(A);
	assert_null(exchange_last(none.conn));
	says(many[0], DONE);
	expect_call("GET /1 HTTP/1.1\r\n\r\n", SPAN_NOBODY, AMBIGUOUS_ID);
	says(none, DONE);
	expect_call("GET /1 HTTP/1.1\r\n\r\n", ref(many[1]), AMBIGUOUS_NOT);
	hears(none, "GET /lost HTTP/1.1\r\nContent-Length: x\r\n\r\n");
	assert_int_equal(none.conn->mode, CONN_OPAQUE);
	expect_call("GET /1 HTTP/1.1\r\n\r\n", SPAN_NOBODY, AMBIGUOUS_ID);
	closed(none);
	expect_call("GET /1 HTTP/1.1\r\n\r\n", ref(many[1]), AMBIGUOUS_NOT);
	for (int i = 0; i < SPANS; i++)
		closed(many[i]);
}

static int set_up(void **state)
{
	static char *env[] = {"OTEL_LOG_LEVEL=none", "OTEL_TRACES_EXPORTER=none",
			      "TAGALONG_CORRELATE=:request", NULL};
	(void)state;
	config_load(env, "test");
	if (correlate_configure(config.correlate_list) != 0 || !correlate_requests())
		return -1;
	protocol_settings.carrier = context_field;
	protocol_settings.carrier_lengths = context_field_lengths();
	protocol_settings.capture_request[CAPTURE_IDENTITY] = http_identity_fields;
	protocol_settings_done();
	conn_look_at_requests();
	return span_init(SPANS) && blocks_init(16) && conn_init(64, protocols) && correlate_init(SPANS) &&
			       queue_open(1 << 20, 0)
		       ? 0
		       : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_passed_on),
		cmocka_unit_test(test_unseen),
		cmocka_unit_test(test_all_parts_count),
		cmocka_unit_test(test_two_alike),
		cmocka_unit_test(test_what_is_withheld),
		cmocka_unit_test(test_what_is_not_known),
		cmocka_unit_test(test_headers_and_the_whole),
		cmocka_unit_test(test_hash),
	};
	return cmocka_run_group_tests(tests, set_up, NULL);
}
