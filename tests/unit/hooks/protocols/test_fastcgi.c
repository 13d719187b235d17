/* test_fastcgi.c - records as nginx and PHP-FPM send them, cut everywhere; interleaved; what is put in; what is
 * refused. */
#include "hooks/protocols/fastcgi.h"
#include "tests/support/cgi_talk.h"

extern const struct protocol protocol_fastcgi;

static void record(struct talk *talk, uint8_t type, uint16_t id, const void *content, size_t len, uint8_t padding)
{
	const uint8_t header[8] = {1, type, (uint8_t)(id >> 8), (uint8_t)id, (uint8_t)(len >> 8), (uint8_t)len, padding};
	static const char zeroes[255];
	talk_add(talk, header, 8);
	talk_add(talk, content, len);
	talk_add(talk, zeroes, padding);
}

static void begin(struct talk *talk, uint16_t id)
{
	static const uint8_t responder[8] = {0, 1, 1};
	record(talk, FASTCGI_BEGIN_REQUEST, id, responder, 8, 0);
}

static void add_length(struct talk *talk, size_t len, bool wide)
{
	uint8_t bytes[4] = {(uint8_t)(0x80 | len >> 24), (uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len};
	talk_add(talk, wide ? bytes : bytes + 3, wide ? 4 : 1);
}

static void add_pair(struct talk *talk, const char *name, const char *value)
{
	size_t name_len = strlen(name), value_len = strlen(value);
	add_length(talk, name_len, name_len > 127 || name_len == 5);
	add_length(talk, value_len, value_len > 127 || value_len == 7); /* four bytes where one would do, too */
	talk_add(talk, name, name_len);
	talk_add(talk, value, value_len);
}

static void params_of(struct talk *talk, const char *uri)
{
	talk->len = 0;
	add_pair(talk, "REQUEST_METHOD", "GET");
	add_pair(talk, "REQUEST_URI", uri);
	add_pair(talk, "HTTP_HOST", "shop.example");
	add_pair(talk, "HTTP_X_FORWARDED_FOR", "203.0.113.9, 10.0.0.1");
	add_pair(talk, "REQUEST_SCHEME", "https");
	add_pair(talk, "SERVER_PROTOCOL", "HTTP/1.0");
	add_pair(talk, "EMPTY", "");
	add_pair(talk, "HTTP_TRACEPARENT", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
}

static void end_request(struct talk *talk, uint16_t id, uint8_t why)
{
	const uint8_t body[8] = {0, 0, 0, 0, why};
	record(talk, FASTCGI_END_REQUEST, id, body, 8, 0);
}

static const char head_events[] =
	"FIELD %u #1 traceparent=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\n"
	"REQUEST_HEAD %u\n"
	"  server name=GET failed=0\n"
	"    http.request.method=\"GET\"\n"
	"    url.path=\"%s\"\n"
	"    url.scheme=\"https\"\n"
	"    server.address=\"shop.example\"\n"
	"    server.port=443\n"
	"    client.address=\"203.0.113.9\"\n"
	"    network.peer.address=\"192.0.2.7\"\n"
	"    network.peer.port=9000\n"
	"    network.protocol.version=\"1.0\"\n"
	"  client name=GET failed=0\n"
	"    http.request.method=\"GET\"\n"
	"    server.address=\"shop.example\"\n"
	"    server.port=443\n"
	"    url.full=\"https://shop.example%s\"\n"
	"    network.peer.address=\"192.0.2.7\"\n"
	"    network.peer.port=9000\n"
	"    network.protocol.version=\"1.0\"\n";

/* Two requests on a kept connection; the params of the first in three records, cut at `first` and `second`. */
static void requests_of(struct talk *talk, size_t first, size_t second, size_t ends[2])
{
	static struct talk params;
	talk->len = 0;
	begin(talk, 1);
	params_of(&params, "/a");
	record(talk, FASTCGI_PARAMS, 1, params.text, first, 5);
	record(talk, FASTCGI_PARAMS, 1, params.text + first, second - first, 0);
	record(talk, FASTCGI_PARAMS, 1, params.text + second, params.len - second, 7);
	record(talk, FASTCGI_PARAMS, 1, "", 0, 0);
	record(talk, FASTCGI_STDIN, 1, "some body", 9, 3);
	record(talk, FASTCGI_STDIN, 1, "", 0, 0);
	ends[0] = talk->len;
	record(talk, FASTCGI_GET_VALUES, 0, "\017\0FCGI_MPXS_CONNS", 17, 0);
	begin(talk, 513);
	params_of(&params, "/b");
	record(talk, FASTCGI_PARAMS, 513, params.text, params.len, 0);
	record(talk, FASTCGI_PARAMS, 513, "", 0, 8);
	record(talk, FASTCGI_STDIN, 513, "", 0, 0);
	ends[1] = talk->len;
}

static char *expected_log(const size_t ends[2], const size_t answers[2])
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	fprintf(out, "REQUEST_BEGIN 1\n");
	fprintf(out, head_events, 1u, 1u, "/a", "/a");
	fprintf(out, "REQUEST_END 1 @%zu\nREQUEST_BEGIN 2\n", ends[0]);
	fprintf(out, head_events, 2u, 2u, "/b", "/b");
	fprintf(out, "REQUEST_END 2 @%zu\n", ends[1]);
	fprintf(out, "RESPONSE_BEGIN 1\nRESPONSE_HEAD 1 404\n"
		     "  server name= failed=0\n    http.response.status_code=404\n"
		     "  client name= failed=1\n    http.response.status_code=404\n"
		     "    http.response.header.content-type=[\"text/html; charset=UTF-8\"]\n"
		     "RESPONSE_END 1 @%zu\n"
		     "RESPONSE_BEGIN 2\nRESPONSE_HEAD 2 200\n"
		     "  server name= failed=0\n    http.response.status_code=200\n"
		     "  client name= failed=0\n    http.response.status_code=200\n"
		     "RESPONSE_END 2 @%zu\n",
		answers[0], answers[1]);
	fclose(out);
	return text;
}

static void responses_of(struct talk *talk, size_t ends[2])
{
	talk->len = 0;
	record(talk, FASTCGI_STDERR, 1, "PHP Warning", 11, 5);
	record(talk, FASTCGI_STDOUT, 1, "Status: 404 Not F", 17, 1);
	record(talk, FASTCGI_STDOUT, 1, "ound\r\nContent-type: text/html; charset=UTF-8\r\n\r\nbody", 52, 4);
	record(talk, FASTCGI_STDOUT, 1, "more body", 9, 0);
	record(talk, FASTCGI_STDOUT, 1, "", 0, 0);
	end_request(talk, 1, 0);
	ends[0] = talk->len;
	record(talk, FASTCGI_STDOUT, 513, "X: y\n\nb", 7, 0);
	end_request(talk, 513, 0);
	ends[1] = talk->len;
}

static void test_conversation_cut_everywhere(void **unused)
{
	(void)unused;
	static struct talk requests, responses;
	size_t ends[2], answers[2];
	responses_of(&responses, answers);
	requests_of(&requests, 20, 60, ends);
	char *expected = expected_log(ends, answers);
	talk_everywhere(&protocol_fastcgi, talk_bytes(&requests), talk_bytes(&responses), expected);
	free(expected);
}

static void test_params_cut_between_records_everywhere(void **unused)
{
	(void)unused;
	static struct talk params, requests, responses;
	size_t ends[2], answers[2];
	params_of(&params, "/a");
	responses_of(&responses, answers);
	for (size_t cut = 1; cut + 3 < params.len; cut++) {
		requests_of(&requests, cut, cut + 2, ends);
		char *expected = expected_log(ends, answers);
		talk_same(talk_play(&protocol_fastcgi, talk_bytes(&requests), talk_bytes(&responses), requests.len,
				    responses.len, false), expected, "records", cut);
		free(expected);
	}
}

static void test_requests_may_be_interleaved(void **unused)
{
	(void)unused;
	static struct talk talk, params, back;
	struct cgi_replay replay;
	talk.len = back.len = 0;
	for (uint16_t id = 1; id <= FASTCGI_REQUESTS; id++)
		begin(&talk, id);
	params_of(&params, "/");
	for (uint16_t id = FASTCGI_REQUESTS; id > 0; id--) {
		record(&talk, FASTCGI_PARAMS, id, params.text, params.len, 0);
		record(&talk, FASTCGI_PARAMS, id, "", 0, 0);
	}
	for (uint16_t id = 1; id <= FASTCGI_REQUESTS; id++)
		record(&back, FASTCGI_STDOUT, id, "Status: 201\n\n", 13, 0);
	for (uint16_t id = 1; id <= FASTCGI_REQUESTS; id++) {
		record(&back, FASTCGI_STDOUT, id, "body", 4, 0);
		end_request(&back, id, 0);
		record(&talk, FASTCGI_STDIN, id, "", 0, 0);
	}
	cgi_replay_open(&replay, &protocol_fastcgi);
	cgi_replay_feed(&replay, HALF_REQUESTS, talk_bytes(&talk));
	cgi_replay_feed(&replay, HALF_RESPONSES, talk_bytes(&back));
	talk.len = 0;
	begin(&talk, 7);
	record(&talk, FASTCGI_PARAMS, 7, params.text, params.len, 0);
	record(&talk, FASTCGI_PARAMS, 7, "", 0, 0);
	cgi_replay_feed(&replay, HALF_REQUESTS, talk_bytes(&talk));
	char *log = cgi_replay_close(&replay);
	assert_int_equal(replay.inserts, FASTCGI_REQUESTS + 1);
	assert_non_null(strstr(log, "RESPONSE_HEAD 16 201\n"));
	assert_non_null(strstr(log, "RESPONSE_END 16 @"));
	assert_non_null(strstr(log, "RESPONSE_END 1 @"));
	talk_expect(log, "REQUEST_HEAD 17\n", "OPAQUE");
}

static void test_feed_refuses_more_than_it_can_hold(void **unused)
{
	(void)unused;
	static struct talk talk, params;
	talk.len = 0;
	for (uint16_t id = 1; id <= FASTCGI_REQUESTS + 1; id++)
		begin(&talk, id);
	talk_expect(talk_requests(&protocol_fastcgi, talk_bytes(&talk), 100), "OPAQUE TOO_LARGE", NULL);
	/* Two heads at once. */
	params_of(&params, "/");
	talk.len = 0;
	begin(&talk, 1);
	begin(&talk, 2);
	record(&talk, FASTCGI_PARAMS, 1, params.text, params.len, 0);
	record(&talk, FASTCGI_PARAMS, 2, params.text, params.len, 0);
	talk_expect(talk_requests(&protocol_fastcgi, talk_bytes(&talk), 100), "OPAQUE TOO_LARGE", "REQUEST_HEAD");
	/* A length that no web server would write. */
	talk.len = 0;
	begin(&talk, 1);
	record(&talk, FASTCGI_PARAMS, 1, "\377\377\377\377\1", 5, 0);
	talk_expect(talk_requests(&protocol_fastcgi, talk_bytes(&talk), 3), "OPAQUE TOO_LARGE", "REQUEST_HEAD");
}

static void test_huge_params(void **unused)
{
	(void)unused;
	static struct talk talk, params;
	static char huge[30000];
	memset(huge, 'h', sizeof(huge) - 1);
	params_of(&params, "/huge");
	add_pair(&params, "HTTP_COOKIE", huge);
	add_pair(&params, "HTTP_BAGGAGE", "k=v");
	talk.len = 0;
	begin(&talk, 1);
	record(&talk, FASTCGI_PARAMS, 1, params.text, 20000, 0);
	record(&talk, FASTCGI_PARAMS, 1, params.text + 20000, params.len - 20000, 0);
	record(&talk, FASTCGI_PARAMS, 1, "", 0, 0);
	const size_t pieces[] = {TALK_MAX, 4096, 17, 1};
	for (size_t i = 0; i < 4; i++) {
		char *log = talk_requests(&protocol_fastcgi, talk_bytes(&talk), pieces[i]);
		assert_non_null(strstr(log, "FIELD 1 #3 baggage=k=v\n"));
		talk_expect(log, "url.path=\"/huge\"", "OPAQUE");
	}
}

static void test_insert_is_a_record_of_its_own(void **unused)
{
	(void)unused;
	static struct talk talk, params;
	static char edited[TALK_MAX];
	struct cgi_replay replay;
	params.len = talk.len = 0;
	add_pair(&params, "REQUEST_METHOD", "GET");
	begin(&talk, 300);
	record(&talk, FASTCGI_PARAMS, 300, params.text, params.len, 3);
	size_t at = talk.len;
	record(&talk, FASTCGI_PARAMS, 300, "", 0, 0);
	size_t end = talk.len;
	record(&talk, FASTCGI_STDIN, 300, "", 0, 0);
	cgi_replay_open(&replay, &protocol_fastcgi);
	cgi_replay_feed(&replay, HALF_REQUESTS, talk_bytes(&talk));
	assert_int_equal(replay.inserts, 1);
	assert_int_equal(replay.insert_at, at);
	assert_false(replay.patched);
	size_t size = cgi_replay_edited(&replay, talk_bytes(&talk), edited);
	free(cgi_replay_close(&replay));
	assert_memory_equal(edited + at, "\1\4\1\54", 4);
	char *log = talk_requests(&protocol_fastcgi, (struct bytes){edited, size}, size);
	assert_non_null(strstr(log, "FIELD 1 #1 traceparent=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\n"));
	assert_non_null(strstr(log, "FIELD 1 #2 tracestate=a=b\n"));
	talk_expect(log, "REQUEST_END 1", "OPAQUE");
	/* Told only where the whole header of the empty record is in the feed. */
	for (size_t cut = 1; cut < talk.len; cut++) {
		cgi_replay_open(&replay, &protocol_fastcgi);
		cgi_replay_feed(&replay, HALF_REQUESTS, bytes_until(talk_bytes(&talk), cut));
		cgi_replay_feed(&replay, HALF_REQUESTS, bytes_from(talk_bytes(&talk), cut));
		assert_int_equal(replay.inserts, cut > at && cut < end ? 0 : 1);
		free(cgi_replay_close(&replay));
	}
}

static void test_feed_refuses_what_is_no_fastcgi(void **unused)
{
	(void)unused;
	static const struct bytes foreign[] = {
		{"GET / HTTP/1.1\r\n", 16}, {"\1\2\0\1\0\10\0\0", 8}, {"\2\1\0\1\0\10\0\0", 8}, {"\1\1\0\1\0\11\0\0", 8},
		{"\1\1\0\1\0\10\0\0\0\4\0\0\0\0\0\0", 16}, {"\1\1\0\0\0\10\0\0\0\1\0\0\0\0\0\0", 16},
		{"\1\1\0\1\0\10\0\0\1\1\0\0\0\0\0\0", 16},
	};
	for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
		for (size_t piece = 1; piece <= foreign[i].len; piece++)
			talk_expect(talk_requests(&protocol_fastcgi, foreign[i], piece), "OPAQUE NOT_MINE", "REQUEST_BEGIN");
	static struct talk talk;
	talk.len = 0;
	begin(&talk, 1);
	record(&talk, FASTCGI_PARAMS, 1, "\5\5ABC", 5, 0);
	record(&talk, FASTCGI_PARAMS, 1, "", 0, 0);
	talk_expect(talk_requests(&protocol_fastcgi, talk_bytes(&talk), 9), "OPAQUE MALFORMED", "REQUEST_HEAD");
}

static void test_a_refused_request_is_answered(void **unused)
{
	(void)unused;
	static struct talk talk, back;
	struct cgi_replay replay;
	talk.len = back.len = 0;
	begin(&talk, 1);
	record(&talk, FASTCGI_PARAMS, 1, "\5\1HTTPS1", 8, 0);
	record(&talk, FASTCGI_PARAMS, 1, "", 0, 0);
	record(&talk, FASTCGI_STDIN, 1, "0123456789", 10, 2);
	end_request(&back, 1, 2);
	cgi_replay_open(&replay, &protocol_fastcgi);
	cgi_replay_feed(&replay, HALF_REQUESTS, bytes_until(talk_bytes(&talk), talk.len - 8));
	cgi_replay_skip(&replay, HALF_REQUESTS, 6);
	cgi_replay_feed(&replay, HALF_REQUESTS, bytes_from(talk_bytes(&talk), talk.len - 2));
	cgi_replay_feed(&replay, HALF_RESPONSES, talk_bytes(&back));
	char *log = cgi_replay_close(&replay);
	assert_non_null(strstr(log, "RESPONSE_HEAD 1 503\n"));
	talk_expect(log, "RESPONSE_END 1 @16\n", "OPAQUE");
	cgi_replay_open(&replay, &protocol_fastcgi);
	cgi_replay_feed(&replay, HALF_REQUESTS, bytes_until(talk_bytes(&talk), 27));
	cgi_replay_skip(&replay, HALF_REQUESTS, 3);
	talk_expect(cgi_replay_close(&replay), "OPAQUE LOST", NULL);
}

static void test_garbage(void **unused)
{
	(void)unused;
	static struct talk talk;
	size_t ends[2];
	requests_of(&talk, 20, 60, ends);
	talk_garbage(&protocol_fastcgi, talk_bytes(&talk));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_conversation_cut_everywhere),
		cmocka_unit_test(test_params_cut_between_records_everywhere),
		cmocka_unit_test(test_requests_may_be_interleaved),
		cmocka_unit_test(test_feed_refuses_more_than_it_can_hold),
		cmocka_unit_test(test_huge_params),
		cmocka_unit_test(test_insert_is_a_record_of_its_own),
		cmocka_unit_test(test_feed_refuses_what_is_no_fastcgi),
		cmocka_unit_test(test_a_refused_request_is_answered),
		cmocka_unit_test(test_garbage),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
