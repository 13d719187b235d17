/* test_uwsgi.c - requests as nginx sends them, cut everywhere; what is put in; what is refused. */
#include "tests/support/cgi_talk.h"

extern const struct protocol protocol_uwsgi;

static void add_text(struct talk *talk, const char *text, size_t len)
{
	const char size[2] = {(char)(len & 0xff), (char)(len >> 8)};
	talk_add(talk, size, 2);
	talk_add(talk, text, len);
}

static void add_variable(struct talk *talk, const char *name, const char *value)
{
	add_text(talk, name, strlen(name));
	add_text(talk, value, strlen(value));
}

static void begin(struct talk *talk)
{
	talk->len = 0;
	talk_add(talk, "\0\0\0", 4);
	add_variable(talk, "QUERY_STRING", "q=1");
	add_variable(talk, "REQUEST_METHOD", "PUT");
	add_variable(talk, "SCRIPT_NAME", "/app");
	add_variable(talk, "HTTPS", "on");
	add_variable(talk, "SERVER_NAME", "shop.example");
	add_variable(talk, "SERVER_PORT", "8443");
	add_variable(talk, "SERVER_PROTOCOL", "HTTP/2.0");
}

static struct bytes finish(struct talk *talk, const char *body)
{
	size_t size = talk->len - 4;
	assert_true(size <= 65535);
	talk->text[1] = (char)(size & 0xff);
	talk->text[2] = (char)(size >> 8);
	talk_add(talk, body, strlen(body));
	return talk_bytes(talk);
}

static const char expected[] =
	"REQUEST_BEGIN 1\n"
	"FIELD 1 #1 traceparent=short\n"
	"REQUEST_HEAD 1\n"
	"  server name=PUT failed=0\n"
	"    http.request.method=\"PUT\"\n"
	"    url.path=\"/app\"\n"
	"    url.query=\"q=1\"\n"
	"    url.scheme=\"https\"\n"
	"    server.address=\"shop.example\"\n"
	"    server.port=8443\n"
	"    client.address=\"192.0.2.7\"\n"
	"    network.peer.address=\"192.0.2.7\"\n"
	"    network.peer.port=9000\n"
	"    network.protocol.version=\"2\"\n"
	"  client name=PUT failed=0\n"
	"    http.request.method=\"PUT\"\n"
	"    server.address=\"shop.example\"\n"
	"    server.port=8443\n"
	"    url.full=\"https://shop.example:8443/app?q=1\"\n"
	"    network.peer.address=\"192.0.2.7\"\n"
	"    network.peer.port=9000\n"
	"    network.protocol.version=\"2\"\n"
	"REQUEST_END 1 @%zu\n"
	"RESPONSE_BEGIN 1\n"
	"RESPONSE_HEAD 1 503\n"
	"  server name= failed=1\n    http.response.status_code=503\n"
	"  client name= failed=1\n    http.response.status_code=503\n"
	"RESPONSE_END 1 @%zu\n";

static void test_conversation_cut_everywhere(void **unused)
{
	(void)unused;
	static struct talk talk;
	begin(&talk);
	add_variable(&talk, "HTTP_TRACEPARENT", "short");
	add_variable(&talk, "CONTENT_LENGTH", "3");
	add_variable(&talk, "CONTENT_TYPE", "");
	struct bytes request = finish(&talk, "abc");
	struct bytes response = BYTES("HTTP/1.1 503 Service Unavailable\r\nX: y\r\n\r\nbody");
	char log[sizeof(expected) + 32];
	snprintf(log, sizeof(log), expected, request.len, response.len);
	talk_everywhere(&protocol_uwsgi, request, response, log);
}

static void test_insert_keeps_lengths_right(void **unused)
{
	(void)unused;
	static struct talk talk;
	static char edited[TALK_MAX];
	begin(&talk);
	add_variable(&talk, "CONTENT_LENGTH", "4");
	add_variable(&talk, "CONTENT_TYPE", "");
	struct bytes request = finish(&talk, "body");
	struct cgi_replay replay;
	cgi_replay_open(&replay, &protocol_uwsgi);
	cgi_replay_feed(&replay, HALF_REQUESTS, request);
	assert_int_equal(replay.inserts, 1);
	assert_true(replay.patched && !replay.patch.begun);
	size_t size = cgi_replay_edited(&replay, request, edited);
	free(cgi_replay_close(&replay));
	size_t promised = (uint8_t)edited[1] | (size_t)(uint8_t)edited[2] << 8;
	assert_int_equal(promised + 4 + 4, size);
	assert_memory_equal(edited + size - 4, "body", 4);
	char *log = talk_requests(&protocol_uwsgi, (struct bytes){edited, size}, size);
	assert_non_null(strstr(log, "FIELD 1 #1 traceparent=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\n"));
	assert_non_null(strstr(log, "FIELD 1 #2 tracestate=a=b\n"));
	talk_expect(log, "REQUEST_END 1", "OPAQUE");
}

static void test_insert_knows_its_limits(void **unused)
{
	(void)unused;
	static struct talk talk;
	static char huge[64950];
	struct cgi_replay replay;
	memset(huge, 'h', sizeof(huge) - 1);
	begin(&talk);
	add_variable(&talk, "HTTP_COOKIE", huge);
	add_variable(&talk, "LAST", "");
	struct bytes request = finish(&talk, "");
	cgi_replay_open(&replay, &protocol_uwsgi);
	cgi_replay_feed(&replay, HALF_REQUESTS, request);
	assert_int_equal(replay.inserts, 1);
	assert_true(replay.patched); /* 64 KiB just hold it */
	free(cgi_replay_close(&replay));

	begin(&talk);
	add_variable(&talk, "HTTP_COOKIE", huge);
	add_variable(&talk, "HTTP_OTHER", "0123456789012345678901234567890123456789012345678901234567890123456789"
					  "0123456789012345678901234567890123456789012345678901234567890123456789"
					  "0123456789012345678901234567890123456789012345678901234567890123456789"
					  "0123456789012345678901234567890123456789012345678901234567890123456789"
					  "0123456789012345678901234567890123456789012345678901234567890123456789");
	request = finish(&talk, "");
	cgi_replay_open(&replay, &protocol_uwsgi);
	cgi_replay_feed(&replay, HALF_REQUESTS, request);
	assert_int_equal(replay.inserts, 1);
	assert_false(replay.patched);
	free(cgi_replay_close(&replay));

	/* Cut inside the size, or behind it: it is gone. */
	for (size_t cut = 2; cut < 40; cut++) {
		cgi_replay_open(&replay, &protocol_uwsgi);
		cgi_replay_feed(&replay, HALF_REQUESTS, bytes_until(request, cut));
		cgi_replay_feed(&replay, HALF_REQUESTS, bytes_from(request, cut));
		assert_int_equal(replay.inserts, 1);
		talk_expect(cgi_replay_close(&replay), "REQUEST_HEAD", "OPAQUE");
	}
}

static void test_feed_refuses_what_is_no_uwsgi(void **unused)
{
	(void)unused;
	static const struct bytes foreign[] = {
		{"GET / HTTP/1.1\r\n", 16},  {"\5\1\0\0", 4},			{"\0\1\0\0\1\0", 6},
		{"\0\100\0\1\5\0HELLO", 11}, {"\0\100\0\0\0\0\0\0\0\0", 10},	{"\0\100\0\0\5\0hello", 11},
		{"\0\100\0\0\177\0HE", 8},   {"\0\10\0\0\7\0HELLOHELLO", 16}, {"\0\0\0\0", 4},
	};
	for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
		for (size_t piece = 1; piece <= foreign[i].len; piece++)
			talk_expect(talk_requests(&protocol_uwsgi, foreign[i], piece), "OPAQUE NOT_MINE", "REQUEST_HEAD");
}

static void test_garbage(void **unused)
{
	(void)unused;
	static struct talk talk;
	begin(&talk);
	talk_garbage(&protocol_uwsgi, finish(&talk, ""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_conversation_cut_everywhere),
		cmocka_unit_test(test_insert_keeps_lengths_right),
		cmocka_unit_test(test_insert_knows_its_limits),
		cmocka_unit_test(test_feed_refuses_what_is_no_uwsgi),
		cmocka_unit_test(test_garbage),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
