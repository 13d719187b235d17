/* test_scgi.c - requests as lighttpd and nginx send them, cut everywhere; what is put in; what is refused. */
#include "tests/support/cgi_talk.h"

extern const struct protocol protocol_scgi;

static struct bytes request_of(struct talk *talk, struct bytes more, const char *body)
{
	static const char fixed[] =
		"SCGI\0001\0REQUEST_METHOD\0POST\0REQUEST_URI\0/form?q=1\0HTTP_HOST\0shop.example\0"
		"SERVER_PROTOCOL\0HTTP/1.1\0REMOTE_ADDR\000198.51.100.4\0HTTP_USER_AGENT\0probe\0HTTP_X_CAPTURED\0yes\0";
	char head[32], length[32];
	int n = snprintf(length, sizeof(length), "CONTENT_LENGTH%c%zu", '\0', strlen(body)) + 1;
	int digits = snprintf(head, sizeof(head), "%zu:", (size_t)n + sizeof(fixed) - 1 + more.len);

	talk->len = 0;
	talk_add(talk, head, (size_t)digits);
	talk_add(talk, length, (size_t)n);
	talk_add(talk, fixed, sizeof(fixed) - 1);
	talk_add(talk, more.ptr, more.len);
	talk_add(talk, ",", 1);
	talk_add(talk, body, strlen(body));
	return talk_bytes(talk);
}

static const char expected[] =
	"REQUEST_BEGIN 1\n"
	"FIELD 1 #2 tracestate=x=y\n"
	"REQUEST_HEAD 1\n"
	"  server name=POST failed=0\n"
	"    http.request.method=\"POST\"\n"
	"    url.path=\"/form\"\n"
	"    url.query=\"q=1\"\n"
	"    url.scheme=\"http\"\n"
	"    server.address=\"shop.example\"\n"
	"    server.port=80\n"
	"    client.address=\"198.51.100.4\"\n"
	"    network.peer.address=\"192.0.2.7\"\n"
	"    network.peer.port=9000\n"
	"    network.protocol.version=\"1.1\"\n"
	"    user_agent.original=\"probe\"\n"
	"    http.request.header.x-captured=[\"yes\"]\n"
	"  client name=POST failed=0\n"
	"    http.request.method=\"POST\"\n"
	"    server.address=\"shop.example\"\n"
	"    server.port=80\n"
	"    url.full=\"http://shop.example/form?q=1\"\n"
	"    network.peer.address=\"192.0.2.7\"\n"
	"    network.peer.port=9000\n"
	"    network.protocol.version=\"1.1\"\n";

static char *whole_log(size_t request_end, const char *response)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	fprintf(out, "%sREQUEST_END 1 @%zu\n%s", expected, request_end, response);
	fclose(out);
	return text;
}

static void test_conversation_cut_everywhere(void **unused)
{
	(void)unused;
	static struct talk talk;
	struct bytes request = request_of(&talk, (struct bytes){"HTTP_TRACESTATE\0x=y\0", 20}, "a=b&c");
	struct bytes response = BYTES("Status: 404 Not Found\r\nContent-Type: text/plain\r\n\r\nnot here");
	char *log = whole_log(request.len, "RESPONSE_BEGIN 1\nRESPONSE_HEAD 1 404\n"
					   "  server name= failed=0\n    http.response.status_code=404\n"
					   "  client name= failed=1\n    http.response.status_code=404\n"
					   "    http.response.header.content-type=[\"text/plain\"]\n"
					   "RESPONSE_END 1 @59\n");
	talk_everywhere(&protocol_scgi, request, response, log);
	free(log);
}

static void test_response_ends_with_its_length(void **unused)
{
	(void)unused;
	static struct talk talk;
	struct bytes request = request_of(&talk, BYTES_NONE, "");
	struct bytes response = BYTES("Content-Length: 3\nLocation: http://x.example/\n\nabc and more");
	char *log = talk_play(&protocol_scgi, request, response, request.len, 20, false);
	talk_expect(log, "RESPONSE_HEAD 1 302\n", NULL);
	log = talk_play(&protocol_scgi, request, response, request.len, response.len, false);
	talk_expect(log, "RESPONSE_END 1 @50\n", "OPAQUE");
}

static void test_insert_makes_a_netstring_again(void **unused)
{
	(void)unused;
	static struct talk talk;
	static char edited[TALK_MAX], again[64];
	/* 985 + 104 bytes: the length gains a digit. */
	static char filler[800];
	memset(filler, 'f', sizeof(filler));
	memcpy(filler, "HTTP_FILLER", 12);
	for (size_t more = 0; more < 2; more++) {
		size_t len = more ? sizeof(filler) : 0;
		filler[sizeof(filler) - 1] = '\0';
		struct bytes request = request_of(&talk, (struct bytes){filler, len}, "body");
		struct cgi_replay replay;
		cgi_replay_open(&replay, &protocol_scgi);
		cgi_replay_feed(&replay, HALF_REQUESTS, request);
		assert_int_equal(replay.inserts, 1);
		assert_true(replay.patched && !replay.patch.begun);
		assert_int_equal(replay.patch.replaces, 3);
		assert_int_equal(replay.patch.len, more ? 4 : 3);
		size_t size = cgi_replay_edited(&replay, request, edited);
		free(cgi_replay_close(&replay));
		size_t promised = strtoul(edited, NULL, 10), digits = strcspn(edited, ":") + 1;
		assert_int_equal(edited[digits + promised], ',');
		assert_int_equal(digits + promised + 1 + 4, size);
		snprintf(again, sizeof(again), "REQUEST_END 1 @%zu\n", size);
		char *log = talk_requests(&protocol_scgi, (struct bytes){edited, size}, size);
		assert_non_null(strstr(log, "FIELD 1 #1 traceparent=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\n"));
		assert_non_null(strstr(log, "FIELD 1 #2 tracestate=a=b\n"));
		talk_expect(log, again, "OPAQUE");
	}
}

static void test_insert_knows_that_the_length_is_gone(void **unused)
{
	(void)unused;
	static struct talk talk;
	struct bytes request = request_of(&talk, BYTES_NONE, "body");
	for (size_t cut = 1; cut < 100; cut++) {
		struct cgi_replay replay;
		cgi_replay_open(&replay, &protocol_scgi);
		cgi_replay_feed(&replay, HALF_REQUESTS, bytes_until(request, cut));
		cgi_replay_feed(&replay, HALF_REQUESTS, bytes_from(request, cut));
		assert_int_equal(replay.inserts, 1);
		assert_true(replay.patch.begun);
		free(cgi_replay_close(&replay));
	}
}

static void test_feed_refuses_what_is_no_scgi(void **unused)
{
	(void)unused;
	static const struct bytes foreign[] = {
		{"GET / HTTP/1.1\r\n", 16}, {"012:CONTENT_LENGTH", 18}, {":CONTENT_LENGTH", 15}, {"70:CONTENT_TYPE\0", 16},
		{"70CONTENT", 9}, {"9:CONTENT", 9}, {"99999999:CONTENT", 16}, {"70:content_length\0", 18},
	};
	for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
		for (size_t piece = 1; piece <= foreign[i].len; piece++)
			talk_expect(talk_requests(&protocol_scgi, foreign[i], piece), "OPAQUE NOT_MINE", "REQUEST_HEAD");
	/* The netstring's end is not where it was promised, or in the middle of a variable. */
	talk_expect(talk_requests(&protocol_scgi, (struct bytes){"24:CONTENT_LENGTH\0000\0SCGI\0001\0;", 28}, 28), "OPAQUE MALFORMED", NULL);
	talk_expect(talk_requests(&protocol_scgi, (struct bytes){"22:CONTENT_LENGTH\0000\0SCGI\0001\0,", 28}, 28), "OPAQUE MALFORMED", NULL);
}

static void test_feed_takes_huge_variables(void **unused)
{
	(void)unused;
	static struct talk talk;
	static char huge[40000];
	memset(huge, 'h', sizeof(huge));
	memcpy(huge, "HTTP_COOKIE", 12);
	huge[sizeof(huge) - 1] = '\0';
	struct bytes request = request_of(&talk, (struct bytes){huge, sizeof(huge)}, "");
	const size_t pieces[] = {TALK_MAX, 4096, 17, 1};
	for (size_t i = 0; i < 4; i++)
		talk_expect(talk_requests(&protocol_scgi, request, pieces[i]), "REQUEST_END 1", "OPAQUE");
	/* A list of context that is cut says something else: it is there, and empty. */
	memcpy(huge, "HTTP_BAGGAGE", 13);
	request = request_of(&talk, (struct bytes){huge, sizeof(huge)}, "");
	talk_expect(talk_requests(&protocol_scgi, request, 1000), "FIELD 1 #3 baggage=\n", "OPAQUE");
}

static void test_skip_and_end(void **unused)
{
	(void)unused;
	static struct talk talk;
	struct bytes request = request_of(&talk, BYTES_NONE, "0123456789");
	struct cgi_replay replay;
	cgi_replay_open(&replay, &protocol_scgi);
	cgi_replay_feed(&replay, HALF_REQUESTS, bytes_until(request, request.len - 8));
	cgi_replay_skip(&replay, HALF_REQUESTS, 8);
	cgi_replay_feed(&replay, HALF_RESPONSES, BYTES("\r\n"));
	cgi_replay_skip(&replay, HALF_RESPONSES, 100000);
	cgi_replay_end(&replay, HALF_RESPONSES);
	char *log = cgi_replay_close(&replay);
	assert_non_null(strstr(log, "REQUEST_END 1 @"));
	talk_expect(log, "RESPONSE_END 1 @", "OPAQUE");
	cgi_replay_open(&replay, &protocol_scgi);
	cgi_replay_feed(&replay, HALF_REQUESTS, bytes_until(request, 40));
	cgi_replay_skip(&replay, HALF_REQUESTS, 5);
	talk_expect(cgi_replay_close(&replay), "OPAQUE LOST", NULL);
}

static void test_garbage(void **unused)
{
	(void)unused;
	static struct talk talk;
	talk_garbage(&protocol_scgi, request_of(&talk, BYTES_NONE, ""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_conversation_cut_everywhere),
		cmocka_unit_test(test_response_ends_with_its_length),
		cmocka_unit_test(test_insert_makes_a_netstring_again),
		cmocka_unit_test(test_insert_knows_that_the_length_is_gone),
		cmocka_unit_test(test_feed_refuses_what_is_no_scgi),
		cmocka_unit_test(test_feed_takes_huge_variables),
		cmocka_unit_test(test_skip_and_end),
		cmocka_unit_test(test_garbage),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
