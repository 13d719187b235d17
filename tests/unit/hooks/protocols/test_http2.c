/* test_http2.c - conversations of a real client and server, in one piece and cut everywhere, also after
 * having been looked at ahead; limits; what no client or server of good will sends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/support/http2_replay.h"
#include "tests/support/http2_talk.h"

enum cutting { CUT_NONE, CUT_ONCE, CUT_FOLD, CUT_AHEAD, CUT_BYTES };

static unsigned folds;

static void perform(struct replay *replay, enum protocol_half half, struct bytes text, enum cutting how,
		    size_t cut)
{
	bool ahead = how >= CUT_AHEAD && half == HALF_REQUESTS; /* only requests are ever looked at ahead */

	if (how == CUT_BYTES) {
		for (size_t i = 0; i < text.len; i++) {
			if (ahead)
				replay_ahead(replay, half, bytes_from(text, i));
			replay_feed(replay, half, bytes_until(bytes_from(text, i), 1));
		}
		return;
	}
	if (ahead)
		replay_ahead(replay, half, text);
	replay_feed(replay, half, bytes_until(text, cut));
	if (how == CUT_FOLD)
		folds += replay_fold(replay);
	if (ahead)
		replay_ahead(replay, half, bytes_from(text, cut));
	replay_feed(replay, half, bytes_from(text, cut));
}

static char *play(const struct talk *talk, enum cutting how, size_t which, size_t cut)
{
	struct replay replay;
	replay_open(&replay);
	for (size_t i = 0; i < talk->pieces; i++) {
		bool this = how == CUT_BYTES || i == which;
		perform(&replay, talk->piece[i].half, talk->piece[i].text, this ? how : CUT_NONE,
			this ? cut : talk->piece[i].text.len);
		if (how == CUT_FOLD)
			folds += replay_fold(&replay);
	}
	return replay_close(&replay);
}

static void same(const char *got, const char *expected, const char *how, size_t piece, size_t cut)
{
	if (strcmp(got, expected) != 0)
		fail_msg("%s, piece %zu cut at %zu:\n--- got\n%.6000s--- expected\n%.6000s", how, piece, cut,
			 got, expected);
}

/* Whatever way it is cut it says the same. Returns what. */
static char *told_alike(const struct talk *talk)
{
	static const char *const names[] = {"whole", "cut", "folded", "looked ahead and cut", "byte by byte"};
	char *expected = play(talk, CUT_NONE, SIZE_MAX, 0);
	bool small = true;

	folds = 0;

	for (size_t i = 0; i < talk->pieces; i++) {
		size_t len = talk->piece[i].text.len, stride = len > 4000 ? 37 : 1;
		small &= len <= 4000;
		for (enum cutting how = CUT_ONCE; how <= CUT_AHEAD; how++)
			for (size_t cut = 1; cut < len; cut += stride) {
				char *got = play(talk, how, i, cut);
				same(got, expected, names[how], i, cut);
				free(got);
			}
	}
	if (small) {
		char *got = play(talk, CUT_BYTES, SIZE_MAX, 0);
		same(got, expected, names[CUT_BYTES], 0, 0);
		free(got);
	}
	assert_int_not_equal(folds, 0);
	return expected;
}

static void expect(const char *log, const char *there)
{
	if (!strstr(log, there))
		fail_msg("no %s in:\n%.2000s ... %s", there, log,
			 log + (strlen(log) > 2000 ? strlen(log) - 2000 : 0));
}

static void expect_not(const char *log, const char *there)
{
	if (strstr(log, there))
		fail_msg("%s in:\n%.2000s ... %s", there, log,
			 log + (strlen(log) > 2000 ? strlen(log) - 2000 : 0));
}

static size_t count(const char *log, const char *what)
{
	size_t found = 0;
	for (; (log = strstr(log, what)); log++)
		found++;
	return found;
}

static const char *const traced[] = {"traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
				     "user-agent",  "talk/1",
				     "x-captured",  "yes",
				     "tracestate",  "a=b",
				     NULL};

/* --- conversations ---------------------------------------------------------------------------------------
 */

static void test_feed_tells_requests_and_responses(void **unused)
{
	(void)unused;
	struct talk talk;
	talk_open(&talk);
	talk_request(&talk, "/one?x=1", traced);
	talk_request(&talk, "/two", traced);
	talk_pump(&talk);
	talk_request(&talk, "/three", NULL);
	talk_pump(&talk);
	char *log = told_alike(&talk);
	expect(log, "REQUEST_BEGIN 1\nFIELD 1 #1 "
		    "traceparent=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\n"
		    "FIELD 1 #2 tracestate=a=b\nINSERT 1 ");
	expect(log, "server name=GET\n");
	expect(log, "url.path=\"/one\"");
	expect(log, "url.query=\"x=1\"");
	expect(log, "url.full=\"http://a.example:8080/one?x=1\"");
	expect(log, "server.address=\"a.example\"");
	expect(log, "network.protocol.version=\"2\"");
	expect(log, "user_agent.original=\"talk/1\"");
	expect(log, "http.request.header.x-captured=[\"yes\"]");
	expect(log, "http.response.header.content-type=[\"text/plain\"]");
	expect(log, "RESPONSE_BEGIN 3\nRESPONSE_HEAD 3 404\n");
	expect(log, "client name= failed=404");
	expect(log, "REQUEST_BEGIN 5\nINSERT 5 ");
	assert_int_equal(count(log, "RESPONSE_END "), 3);
	assert_int_equal(count(log, "REQUEST_END "), 3);
	expect_not(log, "OPAQUE");
	free(log);
	talk_close(&talk);
}

static void test_feed_passes_over_padding_interim_heads_trailers_and_pushes(void **unused)
{
	(void)unused;
	struct talk talk;
	talk_open(&talk);
	talk.body = 300;
	talk.padding = 60;
	talk.early = talk.trailers = talk.push = true;
	for (int i = 0; i < 3; i++) {
		talk_request(&talk, "/up", traced);
		talk_pump(&talk);
	}
	char *log = told_alike(&talk);
	assert_int_equal(count(log, "INTERIM 3 103\nRESPONSE_BEGIN 3\nRESPONSE_HEAD 3 404\n"), 1);
	assert_int_equal(count(log, "RESPONSE_END "), 3);
	assert_int_equal(count(log, "REQUEST_END "), 3);
	assert_int_equal(count(log, "REQUEST_BEGIN "), 3);
	assert_int_equal(count(log, "FIELD 1 #1"), 1);
	expect(log, "http.request.method=\"POST\"");
	expect_not(log, "not-in-a-trailer");
	expect_not(log, "/pushed");
	expect_not(log, "OPAQUE");
	free(log);
	talk_close(&talk);
}

static void test_feed_follows_table_sizes(void **unused)
{
	(void)unused;
	static const uint32_t sizes[] = {0, 4096, 100, 65536, 50, 4096};
	struct talk talk;
	talk_open(&talk);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		talk_setting(talk.server, NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, sizes[i]);
		if (i % 2)
			talk_setting(talk.client, NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, sizes[i]);
		talk_request(&talk, "/before", traced); /* goes out before the acknowledgement */
		talk_pump(&talk);
		talk_request(&talk, "/after", traced);
		talk_pump(&talk);
	}
	talk_setting(talk.server, NGHTTP2_SETTINGS_HEADER_TABLE_SIZE,
		     0); /* two, and a request, in one write */
	talk_setting(talk.server, NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, 4096);
	talk_drain(&talk, HALF_RESPONSES);
	talk_request(&talk, "/filling", traced);
	talk_pump(&talk);
	talk_request(&talk, "/last", traced);
	talk_pump(&talk);
	char *log = told_alike(&talk);
	assert_int_equal(count(log, "RESPONSE_END "), 14);
	assert_int_equal(count(log, "#2 tracestate=a=b"), 14);
	expect(log, "url.path=\"/last\"");
	expect_not(log, "OPAQUE");
	free(log);
	talk_close(&talk);
}

static void test_feed_joins_continuations(void **unused)
{
	(void)unused;
	struct talk talk;
	char cookie[40001];
	const char *const more[] = {"cookie", cookie, "traceparent", "late", NULL};
	memset(cookie, 'X', sizeof(cookie));
	cookie[sizeof(cookie) - 1] = '\0';
	talk_open(&talk);
	talk_request(&talk, "/", traced);
	talk_request(&talk, "/big", more);
	talk_request(&talk, "/", traced);
	talk_pump(&talk);
	char *log = told_alike(&talk);
	expect(log, "FIELD 3 #1 traceparent=late\n");
	expect(log, "url.path=\"/big\"");
	assert_int_equal(count(log, "RESPONSE_END "), 3);
	expect_not(log, "OPAQUE");
	free(log);
	talk_close(&talk);
}

static void test_feed_tells_resets(void **unused)
{
	(void)unused;
	struct talk talk;
	talk_open(&talk);
	talk.mute = true;
	int32_t first = talk_request(&talk, "/cancelled", NULL),
		second = talk_request(&talk, "/refused", NULL);
	talk_pump(&talk);
	talk_request(&talk, "/too-late", NULL);
	nghttp2_submit_rst_stream(talk.client, 0, first, NGHTTP2_CANCEL);
	nghttp2_submit_rst_stream(talk.server, 0, second, NGHTTP2_REFUSED_STREAM);
	talk_pump(&talk);
	nghttp2_submit_goaway(talk.server, 0, 3, NGHTTP2_NO_ERROR, (const uint8_t *)"why", 3);
	talk_pump(&talk);
	char *log = told_alike(&talk);
	expect(log, "RESET 1 cancelled cancel\n");
	expect(log, "RESET 3 failed refused_stream\n");
	expect(log, "RESET 5 failed goaway\n");
	assert_int_equal(count(log, "RESET"), 3);
	expect_not(log, "OPAQUE");
	free(log);
	talk_close(&talk);
}

/* What goes through a tunnel (a WebSocket over HTTP/2 as well) is no part of the exchange that opened it. */
static void test_feed_ends_a_tunnels_exchange_with_its_acceptance(void **unused)
{
	(void)unused;
	struct talk talk;
	nghttp2_nv ask[] = {TALK_NV(":method", "CONNECT"), TALK_NV(":authority", "a.example:443")};
	nghttp2_nv yes[] = {TALK_NV(":status", "200")}, no[] = {TALK_NV(":status", "403")};
	nghttp2_data_provider body = {.read_callback = talk_read};
	talk_open(&talk);
	int32_t first = nghttp2_submit_headers(talk.client, 0, -1, NULL, ask, 2, NULL);
	int32_t second = nghttp2_submit_headers(talk.client, 0, -1, NULL, ask, 2, NULL);
	talk_pump(&talk);
	nghttp2_submit_headers(talk.server, 0, first, NULL, yes, 1, NULL);
	nghttp2_submit_headers(talk.server, 0, second, NULL, no, 1, NULL);
	talk_pump(&talk);
	talk.mute = true;
	talk.body = 1000;
	nghttp2_submit_data(talk.client, NGHTTP2_FLAG_END_STREAM, first, &body);
	nghttp2_submit_data(talk.client, NGHTTP2_FLAG_END_STREAM, second, &body);
	talk_pump(&talk);
	nghttp2_submit_data(talk.server, NGHTTP2_FLAG_END_STREAM, first, &body);
	nghttp2_submit_data(talk.server, NGHTTP2_FLAG_END_STREAM, second, &body);
	talk_pump(&talk);
	talk.body = 0;
	talk.mute = false;
	talk_request(&talk, "/after", NULL);
	talk_pump(&talk);
	char *log = told_alike(&talk);
	expect(log, "RESPONSE_HEAD 1 200\n");
	expect(log, "RESPONSE_END 1 @");
	assert_true(strstr(log, "RESPONSE_END 1 ") < strstr(log, "RESPONSE_BEGIN 3"));
	expect_not(log, "REQUEST_END 1 ");
	assert_true(strstr(log, "REQUEST_END 3 ") < strstr(log, "RESPONSE_END 3 "));
	expect(log, "RESPONSE_END 5 @");
	assert_int_equal(count(log, "RESPONSE_END "), 3);
	expect_not(log, "OPAQUE");
	free(log);
	talk_close(&talk);
}

/* A WebSocket over HTTP/2 (RFC 8441) is asked for by a CONNECT that has a protocol, and a path. */
static void test_feed_takes_a_websocket_for_its_handshake(void **unused)
{
	(void)unused;
	struct talk talk;
	nghttp2_nv ask[] = {TALK_NV(":method", "CONNECT"),
			    TALK_NV(":protocol", "websocket"),
			    TALK_NV(":scheme", "http"),
			    TALK_NV(":path", "/chat?room=1"),
			    TALK_NV(":authority", "a.example:8080"),
			    TALK_NV("sec-websocket-version", "13")};
	nghttp2_nv yes[] = {TALK_NV(":status", "200"), TALK_NV("sec-websocket-protocol", "x")};
	nghttp2_data_provider body = {.read_callback = talk_read};
	talk_open(&talk);
	talk_setting(talk.server, NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1);
	talk_pump(&talk);
	int32_t stream = nghttp2_submit_headers(talk.client, 0, -1, NULL, ask, 6, NULL);
	talk_pump(&talk);
	nghttp2_submit_headers(talk.server, 0, stream, NULL, yes, 2, NULL);
	talk_pump(&talk);
	talk.mute = true;
	talk.body = 1000;
	nghttp2_submit_data(talk.client, NGHTTP2_FLAG_END_STREAM, stream, &body);
	talk_pump(&talk);
	nghttp2_submit_data(talk.server, NGHTTP2_FLAG_END_STREAM, stream, &body);
	talk_pump(&talk);
	char *log = told_alike(&talk);
	expect(log, "RESPONSE_HEAD 1 200\n");
	expect(log, "url.path=\"/chat\"");
	expect(log, "url.full=\"http://a.example:8080/chat?room=1\"");
	expect(log, "server name=CONNECT\n");
	assert_int_equal(count(log, "RESPONSE_END "), 1);
	expect_not(log, "REQUEST_END");
	expect_not(log, "OPAQUE");
	free(log);
	talk_close(&talk);
}

static const char *const called[] = {"content-type",
				     "application/grpc+proto",
				     "te",
				     "trailers",
				     "grpc-timeout",
				     "150m",
				     "x-captured",
				     "yes",
				     NULL};

static void test_feed_tells_calls_and_how_they_end(void **unused)
{
	(void)unused;
	static const struct {
		const char *status, *told;
		bool only;
	} ends[] = {{"0", " OK\n", false},
		    {"5", " NOT_FOUND\n", false},
		    {"12", " UNIMPLEMENTED\n", true},
		    {"", " UNKNOWN\n", false},
		    {"17", " UNKNOWN\n", true},
		    {"007", " UNKNOWN\n", false},
		    {"16", " UNAUTHENTICATED\n", true}};
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		struct talk talk;
		talk_open(&talk);
		talk.grpc = ends[i].status;
		talk.only = ends[i].only;
		talk.trailers = true;
		talk.body = 20;
		talk_request(&talk, "/demo.v1.Stock/Take", called);
		talk_pump(&talk);
		char *log = told_alike(&talk);
		expect(log, "server name=demo.v1.Stock/Take calls=demo.v1.Stock/Take for=150000000\n");
		expect(log, "rpc.system.name=\"grpc\"");
		expect(log, "server.address=\"a.example\"");
		expect(log, "server.port=8080");
		expect(log, "rpc.request.metadata.x-captured=[\"yes\"]");
		expect(log, "rpc.response.metadata.content-type=[\"application/grpc\"]");
		expect(log, ends[i].told);
		expect_not(log, "http.");
		expect_not(log, "not-in-a-trailer");
		free(log);
		talk_close(&talk);
	}
}

static void test_feed_tells_calls_that_end_without_a_status(void **unused)
{
	(void)unused;
	struct talk talk;
	talk_open(&talk);
	talk.mute = true;
	int32_t first = talk_request(&talk, "/a.B/Cancelled", called),
		second = talk_request(&talk, "/a.B/Refused", called);
	int32_t third = talk_request(&talk, "/a.B/Calm", called);
	talk_pump(&talk);
	talk_request(&talk, "/a.B/TooLate", called);
	nghttp2_submit_rst_stream(talk.client, 0, first, NGHTTP2_CANCEL);
	nghttp2_submit_rst_stream(talk.server, 0, second, NGHTTP2_REFUSED_STREAM);
	nghttp2_submit_rst_stream(talk.server, 0, third, NGHTTP2_ENHANCE_YOUR_CALM);
	talk_pump(&talk);
	nghttp2_submit_goaway(talk.server, 0, 5, NGHTTP2_NO_ERROR, (const uint8_t *)"why", 3);
	talk_pump(&talk);
	char *log = told_alike(&talk);
	expect(log, "RESET 1 cancelled cancel CANCELLED late=DEADLINE_EXCEEDED\n");
	expect(log, "RESET 3 failed refused_stream UNAVAILABLE\n");
	expect(log, "RESET 5 failed enhance_your_calm RESOURCE_EXHAUSTED\n");
	expect(log, "RESET 7 failed goaway UNAVAILABLE\n");
	free(log);
	talk_close(&talk);
}

/* Answered in HTTP by something on the way: the client makes of it what gRPC says. */
static void test_feed_tells_calls_that_http_answers(void **unused)
{
	(void)unused;
	struct talk talk;
	talk_open(&talk);
	talk_request(&talk, "/a.B/C", called); /* 200 and text */
	talk_request(&talk, "/a.B/D", called); /* 404 */
	talk_pump(&talk);
	char *log = told_alike(&talk);
	expect(log, "RESPONSE_HEAD 1 200\n  server name=\n");
	expect(log, " UNKNOWN\n");
	expect(log, " UNIMPLEMENTED\n");
	expect_not(log, "failed=404");
	free(log);
	talk_close(&talk);
}

static void test_feed_leaves_http_what_only_looks_like_a_call(void **unused)
{
	(void)unused;
	static const struct {
		const char *type, *path;
	} http[] = {{"application/grpc-web+proto", "/a.B/C"}, {"application/grpc-web", "/a.B/C"},
		    {"application/grpcish", "/a.B/C"},        {"application/connect+proto", "/a.B/C"},
		    {"application/grpc", "/no-method"},       {"application/grpc", "/a.B/"},
		    {"text/application/grpc", "/a.B/C"},      {"application/grp", "/a.B/C"}};
	for (size_t i = 0; i < sizeof(http) / sizeof(http[0]); i++) {
		struct talk talk;
		const char *const more[] = {"content-type", http[i].type, NULL};
		talk_open(&talk);
		talk.trailers = true;
		talk_request(&talk, http[i].path, more);
		talk_pump(&talk);
		char *log = play(&talk, CUT_NONE, SIZE_MAX, 0);
		expect(log, "http.request.method=");
		expect(log, "http.response.status_code=200");
		expect_not(log, "rpc.");
		expect_not(log, " OK\n");
		free(log);
		talk_close(&talk);
	}
}

struct wire {
	FILE *out;
	char *text;
	size_t size;
};

static void wire_open(struct wire *wire)
{
	wire->out = open_memstream(&wire->text, &wire->size);
}

static void wire_frame(struct wire *wire, enum http2_type type, unsigned flags, uint32_t stream,
		       const void *payload, size_t len)
{
	char head[9] = {(char)(len >> 16),    (char)(len >> 8),    (char)len,
			(char)type,           (char)flags,         (char)(stream >> 24),
			(char)(stream >> 16), (char)(stream >> 8), (char)stream};
	fwrite(head, 1, sizeof(head), wire->out);
	fwrite(payload, 1, len, wire->out);
}

static void wire_start(struct wire *wire)
{
	wire_open(wire);
	fputs("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", wire->out);
	wire_frame(wire, FRAME_SETTINGS, 0, 0, "", 0);
}

/* What the client said with its Upgrade holds from the first answer on. */
static void test_take_over_obeys_the_settings(void **unused)
{
	(void)unused;
	static const char hello[] = "\0\1\0\1\0\0\0\5\0\0\x50\0"; /* a table of 64 KiB, frames of 20 KiB */
	static char big[20480] = "\x3f\xe1\xff\x03\x88";          /* the table grows; 200 */
	for (int obeyed = 0; obeyed < 2; obeyed++) {
		struct replay replay;
		struct wire wire;
		memset(big + 5, 0x88, sizeof(big) - 5);
		replay_open(&replay);
		protocol_http2.take_over(replay.state, (struct bytes){hello, obeyed ? 12 : 0}, &replay.sink);
		wire_open(&wire);
		wire_frame(&wire, FRAME_SETTINGS, 0, 0, "", 0);
		wire_frame(&wire, FRAME_HEADERS, 4, 1, big, 6);
		wire_frame(&wire, FRAME_DATA, 1, 1, big, sizeof(big));
		fclose(wire.out);
		replay_feed(&replay, HALF_RESPONSES, (struct bytes){wire.text, wire.size});
		replay_feed(&replay, HALF_REQUESTS,
			    BYTES("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"));
		free(wire.text);
		char *log = replay_close(&replay);
		if (obeyed) {
			expect(log, "RESPONSE_BEGIN 1\nRESPONSE_HEAD 1 200\n");
			expect(log, "RESPONSE_END 1 ");
		}
		assert_int_equal(strstr(log, "OPAQUE MALFORMED") == NULL, obeyed);
		free(log);
	}
}

static void test_feed_follows_many_streams(void **unused)
{
	(void)unused;
	struct talk talk;
	char path[32];
	talk_open(&talk);
	talk_setting(talk.server, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1000);
	talk_pump(&talk);
	for (int round = 0; round < 12; round++) {
		for (int i = 0; i < 100; i++) {
			snprintf(path, sizeof(path), "/%d/%d", round, i);
			talk_request(&talk, path, traced);
		}
		talk_pump(&talk);
	}
	char *log = play(&talk, CUT_NONE, SIZE_MAX, 0);
	assert_int_equal(count(log, "RESPONSE_END "), 1200);
	expect(log, "url.path=\"/11/99\"");
	expect_not(log, "OPAQUE");
	free(log);
	talk_close(&talk);
}

/* --- the ways in which it ends ----------------------------------------------------------------------------
 */

/* GET http / in static table entries. */
static const char tiny[] = {(char)0x82, (char)0x86, (char)0x84};

static void expect_wire(struct wire *wire, const char *there, const char *not_there)
{
	struct replay replay;
	static const size_t steps[] = {SIZE_MAX / 2, 1, 13};
	fclose(wire->out);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct bytes text = {wire->text, wire->size};
		replay_open(&replay);
		for (; text.len; text = bytes_from(text, steps[i]))
			replay_feed(&replay, HALF_REQUESTS, bytes_until(text, steps[i]));
		char *log = replay_close(&replay);
		expect(log, there);
		if (not_there)
			expect_not(log, not_there);
		free(log);
	}
	free(wire->text);
}

static void test_feed_refuses_what_is_not_http2(void **unused)
{
	(void)unused;
	static const char *const texts[] = {"GET / HTTP/1.1\r\n\r\n", "PRI * HTTP/2.1\r\n\r\nSM\r\n\r\n",
					    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nGET / HTTP/1.1\r\n\r\n", "\n"};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct wire wire;
		wire_open(&wire);
		fputs(texts[i], wire.out);
		expect_wire(&wire, "OPAQUE NOT_MINE\n", "REQUEST");
	}
}

static void test_feed_refuses_broken_frames(void **unused)
{
	(void)unused;
	static const struct {
		enum http2_type type;
		unsigned flags;
		uint32_t stream;
		const char *payload;
		size_t len;
	} bad[] = {
		{FRAME_HEADERS, 4, 0, tiny, 3},          /* no stream */
		{FRAME_HEADERS, 4, 2, tiny, 3},          /* the server's */
		{FRAME_HEADERS, 4 | 8, 1, "\x04xxx", 4}, /* more padding than there is */
		{FRAME_HEADERS, 4 | 8, 1, "", 0},
		{FRAME_HEADERS, 4 | 32, 1, "xxxx", 4},
		{FRAME_HEADERS, 4, 1, "\xff\xff\xff\xff\xff\xff", 6}, /* no HPACK */
		{FRAME_HEADERS, 4, 1, "\x40\x7f\xff\xff\xff\x0f", 6},
		{FRAME_HEADERS, 4, 1, "\xbe", 1}, /* an empty table */
		{FRAME_DATA, 0, 0, "x", 1},
		{FRAME_DATA, 0, 1, "x", 1}, /* no such stream yet */
		{FRAME_RST_STREAM, 0, 1, "\0\0\0\0", 4},
		{FRAME_CONTINUATION, 4, 1, tiny, 3},
		{FRAME_SETTINGS, 0, 1, "", 0},
		{FRAME_SETTINGS, 0, 0, "12345", 5},
		{FRAME_SETTINGS, 1, 0, "123456", 6},
		{FRAME_SETTINGS, 0, 0, "\0\x05\0\0\x3f\xff", 6}, /* frames too small */
		{FRAME_PUSH_PROMISE, 4, 1, "\0\0\0\2\x82", 5},
		{FRAME_PING, 0, 0, "1234567", 7},
		{FRAME_PING, 0, 1, "12345678", 8},
		{FRAME_GOAWAY, 0, 0, "1234567", 7},
		{FRAME_WINDOW_UPDATE, 0, 0, "123", 3},
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct wire wire;
		wire_start(&wire);
		wire_frame(&wire, bad[i].type, bad[i].flags, bad[i].stream, bad[i].payload, bad[i].len);
		expect_wire(&wire, "OPAQUE MALFORMED\n", "REQUEST_HEAD");
	}
}

static void test_feed_refuses_other_frames_within_a_block(void **unused)
{
	(void)unused;
	static const struct {
		enum http2_type type;
		uint32_t stream;
	} between[] = {{FRAME_HEADERS, 3}, {FRAME_PING, 0}, {FRAME_CONTINUATION, 3}, {FRAME_DATA, 1}};
	for (size_t i = 0; i < sizeof(between) / sizeof(between[0]); i++) {
		struct wire wire;
		wire_start(&wire);
		wire_frame(&wire, FRAME_HEADERS, 0, 1, tiny, 2);
		wire_frame(&wire, between[i].type, 4, between[i].stream, "12345678", 8);
		expect_wire(&wire, "OPAQUE MALFORMED\n", "REQUEST_HEAD");
	}
}

static void test_feed_passes_over_unknown_frames(void **unused)
{
	(void)unused;
	struct wire wire;
	wire_start(&wire);
	wire_frame(&wire, 0xfa, 0xff, 77, "whatever", 8);
	wire_frame(&wire, FRAME_PRIORITY, 0, 5, "12345", 5);
	wire_frame(&wire, FRAME_WINDOW_UPDATE, 0, 0, "\0\0\0\1", 4);
	wire_frame(&wire, FRAME_PING, 0, 0, "12345678", 8);
	wire_frame(&wire, FRAME_HEADERS, 4 | 1 | 32 | 8, 1, "\x02\x80\0\0\0\x10\x82\x86\x84\0\0", 11);
	expect_wire(&wire, "REQUEST_END 1 @114\n", "OPAQUE");
}

static void test_feed_bounds_header_blocks(void **unused)
{
	(void)unused;
	static char big[HTTP2_FRAME_MIN];
	struct wire wire;
	memset(big, 0x82, sizeof(big));
	wire_start(&wire); /* too long, as long as it ends not */
	wire_frame(&wire, FRAME_HEADERS, 0, 1, big, sizeof(big));
	for (int i = 0; i < 4; i++)
		wire_frame(&wire, FRAME_CONTINUATION, 0, 1, big, sizeof(big));
	expect_wire(&wire, "OPAQUE TOO_LARGE\n", "REQUEST_HEAD");
	wire_start(&wire); /* too many pieces */
	wire_frame(&wire, FRAME_HEADERS, 0, 1, big, 1);
	for (int i = 0; i <= HTTP2_CONTINUATIONS_MAX; i++)
		wire_frame(&wire, FRAME_CONTINUATION, 0, 1, big, 0);
	expect_wire(&wire, "OPAQUE TOO_LARGE\n", "REQUEST_HEAD");
	wire_start(&wire); /* short, and long when inflated */
	char bomb[12000];
	memset(bomb, 0xbe, sizeof(bomb));
	memcpy(bomb, "\x40\x01x\x7f\xa1\x1e", 6);
	memset(bomb + 6, 'x', 127 + 0xa1 - 128 + 0x1e * 128);
	wire_frame(&wire, FRAME_HEADERS, 4, 1, bomb, sizeof(bomb));
	expect_wire(&wire, "OPAQUE TOO_LARGE\n", "REQUEST_HEAD");
	wire_start(&wire); /* one string of more than the arena has */
	wire_frame(&wire, FRAME_HEADERS, 4, 1, "\x40\x81\x07\xff\x80\xfe\x03", 7);
	expect_wire(&wire, "OPAQUE", "REQUEST_HEAD");
	wire_start(&wire); /* a frame beyond what the other side accepts */
	fwrite("\x00\x40\x01\x01\x04\x00\x00\x00\x01", 1, 9, wire.out);
	expect_wire(&wire, "OPAQUE MALFORMED\n", NULL);
}

/* Where the other side accepts large frames a block stands in one, and takes no memory that would bound it.
 */
static void test_feed_bounds_header_blocks_in_one_frame(void **unused)
{
	(void)unused;
	static char block[HTTP2_BLOCK_MAX + 1];
	for (size_t more = 0; more < 2; more++) {
		struct wire wire;
		struct replay replay;
		size_t size = HTTP2_BLOCK_MAX + more;
		memset(block, 'v', sizeof(block));
		memcpy(block, "\x82\x86\x84\x00\x01x\x7f\xc1\xb7\x02", 10); /* of 40 000 bytes */
		size_t at = 10 + 40000, rest = size - at - 7 - 127;
		memcpy(block + at, "\x00\x01y\x7f", 4);
		block[at + 4] = (char)(0x80 | (rest & 127));
		block[at + 5] = (char)(0x80 | (rest >> 7 & 127));
		block[at + 6] = (char)(rest >> 14);
		wire_start(&wire);
		wire_frame(&wire, FRAME_HEADERS, 4 | 1, 1, block, size);
		fclose(wire.out);
		replay_open(&replay);
		replay_feed(&replay, HALF_RESPONSES, BYTES("\0\0\6\4\0\0\0\0\0\0\5\0\2\0\0"));
		replay_feed(&replay, HALF_REQUESTS, (struct bytes){wire.text, wire.size});
		char *log = replay_close(&replay);
		expect(log, more ? "OPAQUE TOO_LARGE\n" : "REQUEST_HEAD 1\n");
		expect_not(log, more ? "REQUEST_HEAD" : "OPAQUE");
		free(log);
		free(wire.text);
	}
}

static void test_feed_bounds_streams_and_settings(void **unused)
{
	(void)unused;
	struct wire wire;
	wire_start(&wire);
	for (uint32_t i = 0; i < HTTP2_STREAMS; i++)
		wire_frame(&wire, FRAME_HEADERS, 4 | 1, 2 * i + 1, tiny, 3);
	expect_wire(&wire, "REQUEST_END 511 ", "OPAQUE");
	wire_start(&wire);
	for (uint32_t i = 0; i <= HTTP2_STREAMS; i++)
		wire_frame(&wire, FRAME_HEADERS, 4 | 1, 2 * i + 1, tiny, 3);
	expect_wire(&wire, "OPAQUE TOO_LARGE\n", "REQUEST_END 513 ");
	wire_start(&wire); /* those that the client gave up are not in flight */
	for (uint32_t i = 0; i <= 2 * HTTP2_STREAMS; i++) {
		wire_frame(&wire, FRAME_HEADERS, 4 | 1, 2 * i + 1, tiny, 3);
		wire_frame(&wire, FRAME_RST_STREAM, 0, 2 * i + 1, "\0\0\0\x08", 4);
	}
	expect_wire(&wire, "RESET 1025 cancelled cancel\n", "OPAQUE");
	wire_start(&wire);
	for (int i = 0; i < HTTP2_SETTINGS_WAITING; i++)
		wire_frame(&wire, FRAME_SETTINGS, 0, 0, "", 0);
	expect_wire(&wire, "OPAQUE TOO_LARGE\n", NULL);
	wire_start(&wire);
	for (int i = 0; i <= HTTP2_SETTINGS_WAITING; i++) /* acknowledges what was never said */
		wire_frame(&wire, FRAME_SETTINGS, FLAG_ACK, 0, "", 0);
	expect_wire(&wire, "OPAQUE MALFORMED\n", NULL);
}

/* The thread that wrote SETTINGS is not back from the kernel yet when their acknowledgement is read. */
static void test_feed_takes_acknowledgements_that_come_first(void **unused)
{
	(void)unused;
	struct talk talk;
	struct replay replay;
	talk_open(&talk);
	talk_pump(&talk);
	talk_setting(talk.server, NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, 65536);
	talk_pump(&talk);
	size_t acknowledged = talk.pieces - 1;
	assert_int_equal(talk.piece[acknowledged].half, HALF_REQUESTS);
	talk_request(&talk, "/bigger-table", traced);
	talk_pump(&talk);
	replay_open(&replay);
	for (size_t i = 0; i < talk.pieces; i++) {
		size_t which = i == acknowledged - 1 ? acknowledged
			       : i == acknowledged   ? acknowledged - 1
						     : i;
		replay_feed(&replay, talk.piece[which].half, talk.piece[which].text);
	}
	char *log = replay_close(&replay);
	expect(log, "RESPONSE_END 1 ");
	expect_not(log, "OPAQUE");
	free(log);
	talk_close(&talk);
}

/* --- the rest --------------------------------------------------------------------------------------------
 */

static void test_feed_notices_other_bytes_in_place_of_a_block(void **unused)
{
	(void)unused;
	struct wire wire;
	struct replay replay;
	wire_start(&wire);
	wire_frame(&wire, FRAME_HEADERS, 4 | 1, 1, tiny, 3);
	fclose(wire.out);
	replay_open(&replay);
	replay_ahead(&replay, HALF_REQUESTS, (struct bytes){wire.text, wire.size});
	wire.text[wire.size - 1] = (char)0x85; /* the path */
	replay_feed(&replay, HALF_REQUESTS, (struct bytes){wire.text, wire.size});
	char *log = replay_close(&replay);
	expect(log, "OPAQUE LOST\n");
	expect_not(log, "REQUEST_HEAD");
	free(log);
	free(wire.text);
}

static void test_skip_takes_what_data_carries(void **unused)
{
	(void)unused;
	struct wire wire;
	struct replay replay;
	wire_start(&wire);
	wire_frame(&wire, FRAME_HEADERS, 4, 1, tiny, 3);
	wire_frame(&wire, FRAME_DATA, 1, 1, "0123456789", 10);
	fclose(wire.out);
	for (size_t skip = 1; skip <= 11; skip++) {
		replay_open(&replay);
		replay_feed(&replay, HALF_REQUESTS,
			    bytes_until((struct bytes){wire.text, wire.size}, wire.size - 10));
		replay_skip(&replay, HALF_REQUESTS, skip);
		if (skip < 10)
			replay_feed(&replay, HALF_REQUESTS,
				    bytes_from((struct bytes){wire.text, wire.size}, wire.size - 10 + skip));
		char *log = replay_close(&replay);
		expect(log, skip <= 10 ? "REQUEST_END 1 @" : "OPAQUE LOST\n");
		expect_not(log, skip <= 10 ? "OPAQUE" : "REQUEST_END");
		free(log);
	}
	free(wire.text);
}

static void test_feed_gives_up_without_an_arena(void **unused)
{
	(void)unused;
	struct wire wire;
	struct replay replay;
	wire_start(&wire);
	fclose(wire.out);
	replay_open(&replay);
	replay.sink.arena = NULL;
	replay_feed(&replay, HALF_REQUESTS, (struct bytes){wire.text, wire.size});
	char *log = replay_close(&replay);
	expect(log, "OPAQUE TOO_LARGE\n");
	free(log);
	free(wire.text);
}

/* Against a plain array; ids far apart share slots. */
static void test_streams_are_found_until_they_are_closed(void **unused)
{
	(void)unused;
	static _Alignas(64) uint64_t arena[PROTOCOL_ARENA_SIZE / 8];
	static bool there[8192];
	struct http2_heap *heap = http2_heap_new((char *)arena);
	uint32_t seed = 7, open = 0;
	assert_non_null(heap);
	for (int round = 0; round < 60000; round++) {
		uint32_t id = ((seed = seed * 1664525u + 1013904223u) >> 16) % 4096 * 2 + 1;
		struct http2_stream *stream = http2_stream_find(heap, id);
		assert_int_equal(stream != NULL, there[id]);
		if (stream && seed >> 31) {
			stream->gone = !stream->gone;
			heap->gone += stream->gone ? 1 : -1u;
		} else if (stream) {
			http2_stream_close(heap, id);
			there[id] = false;
			open--;
		} else if (open < 200) {
			assert_non_null(http2_stream_open(heap, id));
			there[id] = true;
			open++;
		}
		if (round % 1000 == 0) {
			for (uint32_t i = 1; i < 8192; i += 2)
				if ((stream = http2_stream_find(heap, i)) && stream->gone) {
					there[i] = false;
					open--;
				}
			http2_streams_sweep(heap);
		}
		assert_int_equal(heap->streams, open);
	}
}

static void test_alloc_stays_in_its_arena(void **unused)
{
	(void)unused;
	static _Alignas(64) uint64_t arena[PROTOCOL_ARENA_SIZE / 8 + 1];
	struct http2_heap *heap = http2_heap_new((char *)arena);
	char *got[64] = {0};
	size_t size[64] = {0}, failed = 0;
	uint32_t seed = 3;
	arena[PROTOCOL_ARENA_SIZE / 8] = 0x1234567890;
	for (int round = 0; round < 100000; round++) {
		uint32_t i = (seed = seed * 1664525u + 1013904223u) >> 26;
		for (size_t j = 0; got[i] && j<size[i]; j += size[i]> 64 ? size[i] / 64 : 1)
			assert_int_equal((unsigned char)got[i][j], i + 1); /* nobody else wrote there */
		http2_free(&heap->memory, got[i]);
		size[i] = ((seed >> 8) % 4096) >> (seed % 10);
		got[i] = http2_alloc(&heap->memory, size[i]);
		failed += got[i] == NULL;
		if (got[i]) {
			assert_int_equal((uintptr_t)got[i] % 16, 0);
			memset(got[i], (int)i + 1, size[i]);
		}
	}
	assert_true(failed < 50000);
	assert_null(http2_alloc(&heap->memory, PROTOCOL_ARENA_SIZE));
	assert_int_equal(arena[PROTOCOL_ARENA_SIZE / 8], 0x1234567890);
}

static void test_begins_is_sure_or_not(void **unused)
{
	(void)unused;
	assert_true(protocol_http2.begins(HALF_REQUESTS, BYTES("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nxxx")));
	assert_true(protocol_http2.begins(HALF_REQUESTS, BYTES("PRI ")));
	assert_false(protocol_http2.begins(HALF_REQUESTS, BYTES("PRI")));
	assert_false(protocol_http2.begins(HALF_REQUESTS, BYTES("PRI x")));
	assert_false(protocol_http2.begins(HALF_REQUESTS, BYTES("GET / HTTP/1.1\r\n")));
	assert_true(protocol_http2.begins(HALF_RESPONSES, BYTES("\0\0\x06\x04\0\0\0\0\0\0\3\0\0\0\x64")));
	assert_false(protocol_http2.begins(HALF_RESPONSES, BYTES("\0\0\x06\x04\0\0\0\0\1")));
	assert_false(protocol_http2.begins(HALF_RESPONSES, BYTES("HTTP/1.1 200 OK\r\n")));
}

static void test_feed_survives_noise(void **unused)
{
	(void)unused;
	uint32_t seed = 1;
	for (int round = 0; round < 3000; round++) {
		struct wire wire;
		struct replay replay;
		wire_start(&wire);
		for (int i = 0; i < 20; i++) {
			char noise[64];
			for (size_t j = 0; j < sizeof(noise); j++)
				noise[j] = (char)((seed = seed * 1664525u + 1013904223u) >> 24);
			wire_frame(&wire, (unsigned)noise[0] % 11, (uint8_t)noise[1] | (i % 3 ? 4u : 0u),
				   noise[2] & 3u, noise, (uint8_t)noise[3] % 64);
		}
		fclose(wire.out);
		replay_open(&replay);
		replay_feed(&replay, HALF_REQUESTS, (struct bytes){wire.text, wire.size});
		replay_feed(&replay, HALF_RESPONSES, bytes_from((struct bytes){wire.text, wire.size}, 24));
		free(replay_close(&replay));
		free(wire.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_feed_tells_requests_and_responses),
		cmocka_unit_test(test_feed_passes_over_padding_interim_heads_trailers_and_pushes),
		cmocka_unit_test(test_feed_follows_table_sizes),
		cmocka_unit_test(test_feed_joins_continuations),
		cmocka_unit_test(test_feed_tells_resets),
		cmocka_unit_test(test_feed_ends_a_tunnels_exchange_with_its_acceptance),
		cmocka_unit_test(test_feed_takes_a_websocket_for_its_handshake),
		cmocka_unit_test(test_feed_tells_calls_and_how_they_end),
		cmocka_unit_test(test_feed_tells_calls_that_end_without_a_status),
		cmocka_unit_test(test_feed_tells_calls_that_http_answers),
		cmocka_unit_test(test_feed_leaves_http_what_only_looks_like_a_call),
		cmocka_unit_test(test_take_over_obeys_the_settings),
		cmocka_unit_test(test_feed_follows_many_streams),
		cmocka_unit_test(test_feed_refuses_what_is_not_http2),
		cmocka_unit_test(test_feed_refuses_broken_frames),
		cmocka_unit_test(test_feed_refuses_other_frames_within_a_block),
		cmocka_unit_test(test_feed_passes_over_unknown_frames),
		cmocka_unit_test(test_feed_bounds_header_blocks),
		cmocka_unit_test(test_feed_bounds_header_blocks_in_one_frame),
		cmocka_unit_test(test_feed_bounds_streams_and_settings),
		cmocka_unit_test(test_feed_takes_acknowledgements_that_come_first),
		cmocka_unit_test(test_feed_notices_other_bytes_in_place_of_a_block),
		cmocka_unit_test(test_skip_takes_what_data_carries),
		cmocka_unit_test(test_feed_gives_up_without_an_arena),
		cmocka_unit_test(test_streams_are_found_until_they_are_closed),
		cmocka_unit_test(test_alloc_stays_in_its_arena),
		cmocka_unit_test(test_begins_is_sure_or_not),
		cmocka_unit_test(test_feed_survives_noise),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
