/* The client that posts to a collector, against a server that answers in every form and breaks in every
 * place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "exporter/http.h"
#include "exporter/ownfds.h"
#include "preload/clock.h"
#include "tests/support/receiver.h"

struct script {
	const char *text;
	bool slowly; /* byte by byte */
	enum receiver_end end;
};

static struct receiver receiver;
static struct script next_script;
static pthread_mutex_t script_lock = PTHREAD_MUTEX_INITIALIZER;

static struct script script_is(const struct script *set)
{
	pthread_mutex_lock(&script_lock);
	if (set)
		next_script = *set;
	struct script now = next_script;
	pthread_mutex_unlock(&script_lock);
	return now;
}

static enum receiver_end follow(struct receiver *me, int fd, const char *head, const char *body, size_t len)
{
	(void)me, (void)head, (void)body, (void)len;
	struct script now = script_is(NULL);
	if (!now.slowly) {
		receiver_say(fd, now.text);
		return now.end;
	}
	for (const char *c = now.text; *c; c++) {
		(void)!send(fd, c, 1, MSG_NOSIGNAL);
		usleep(200);
	}
	return now.end;
}

static struct http_client client;

static enum http_result post_within(struct http_response *response, size_t size, unsigned ms)
{
	char *body = calloc(1, size);
	char head[100];
	int len = snprintf(head, sizeof(head), "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n",
			   size);
	enum http_result result =
		http_post(&client, (struct bytes){head, (size_t)len}, (struct bytes){body, size},
			  clock_now() + ms * 1000000ull, response);
	free(body);
	return result;
}

static enum http_result post(struct http_response *response)
{
	return post_within(response, 10, 5000);
}

static int set_up(void **state)
{
	(void)state;
	client = (struct http_client){.host = "127.0.0.1", .port = (uint16_t)receiver.port, .slot = -1};
	receiver.ignore_bodies = false;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	http_close(&client);
	return 0;
}

static void expect_body(const char *text, bool slowly, enum receiver_end end, const char *body)
{
	struct http_response response = {0};
	script_is(&(struct script){text, slowly, end});
	assert_int_equal(post(&response), HTTP_DONE);
	assert_int_equal(response.status, 200);
	assert_int_equal(response.body.len, strlen(body));
	assert_memory_equal(response.body.data ? response.body.data : "", body, strlen(body));
	buffer_free(&response.body);
}

static void test_bodies_of_every_framing(void **state)
{
	(void)state;
	static const char *const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
					   "3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n";
	for (int slowly = 0; slowly < 2; slowly++) {
		expect_body("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", slowly, RECEIVER_KEEP,
			    "hello");
		expect_body(chunked, slowly, RECEIVER_KEEP, "abc0123456789");
		expect_body("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\nContent-Length: 1\n\nx", slowly,
			    RECEIVER_KEEP, "x");
		expect_body("HTTP/1.0 200 OK\r\n\r\nuntil the end", slowly, RECEIVER_CLOSE, "until the end");
	}
}

static void test_connection_is_kept_and_made_anew(void **state)
{
	(void)state;
	static const char *const empty = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
	int before = atomic_load(&receiver.connections);
	for (int i = 0; i < 5; i++)
		expect_body(empty, false, i == 4 ? RECEIVER_CLOSE : RECEIVER_KEEP, "");
	assert_int_equal(atomic_load(&receiver.connections), before + 1);
	usleep(20000); /* the server has closed it: no failure, a new one */
	expect_body(empty, false, RECEIVER_KEEP, "");
	assert_int_equal(atomic_load(&receiver.connections), before + 2);
	expect_body("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", false, RECEIVER_KEEP,
		    "");
	assert_int_equal(client.slot, -1);
}

static void test_answers_that_are_none(void **state)
{
	static const char *const broken[] = {
		"hello\r\n\r\n",
		"HTTP/1.1 2x0 OK\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 5000000\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc",
		"HTTP/1.1 200 OK\r\nContent-Le",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffff\r\n"};
	(void)state;
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		struct http_response response = {0};
		script_is(&(struct script){broken[i], false, RECEIVER_CLOSE});
		assert_int_equal(post(&response), HTTP_BROKEN);
		assert_int_equal(client.slot, -1);
		buffer_free(&response.body);
	}
}

static void test_no_answer(void **state)
{
	struct http_response response = {0};
	(void)state;
	script_is(&(struct script){"", false, RECEIVER_CLOSE});
	assert_int_equal(post(&response), HTTP_UNREACHABLE);
	script_is(&(struct script){"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", false, RECEIVER_KEEP});
	uint64_t from = clock_now();
	assert_int_equal(post_within(&response, 10, 150), HTTP_TIMEOUT);
	assert_in_range((clock_now() - from) / 1000000, 149, 1000);
	client.port = 1;
	assert_int_equal(post(&response), HTTP_UNREACHABLE);
	buffer_free(&response.body);
}

/* The server refuses a large body from its head alone and hangs up: the answer counts, else the same batch
 * would be sent for ever. */
static void test_refused_before_it_was_sent(void **state)
{
	struct http_response response = {0};
	(void)state;
	receiver.ignore_bodies = true;
	script_is(&(struct script){"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n", false,
				   RECEIVER_CLOSE});
	assert_int_equal(post_within(&response, (size_t)32 << 20, 5000), HTTP_DONE);
	assert_int_equal(response.status, 413);
	assert_int_equal(client.slot, -1);
	buffer_free(&response.body);
}

static void test_fields(void **state)
{
	struct http_response response = {0};
	(void)state;
	script_is(&(struct script){"HTTP/1.1 503 Busy\r\nRETRY-AFTER:  7 \r\nContent-Encoding: "
				   "gzip\r\nContent-Length: 0\r\n\r\n",
				   false, RECEIVER_KEEP});
	assert_int_equal(post(&response), HTTP_DONE);
	assert_int_equal(response.status, 503);
	assert_int_equal(response.retry_after, 7000);
	assert_true(response.gzip);
	assert_true(response.keep);
	/* Nothing is left over from the last one. */
	script_is(&(struct script){"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false, RECEIVER_KEEP});
	assert_int_equal(post(&response), HTTP_DONE);
	assert_int_equal(response.retry_after, -1);
	assert_false(response.gzip);
}

static void test_hosts(void **state)
{
	(void)state;
	static const char *const empty = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
	client.host = "localhost";
	expect_body(empty, false, RECEIVER_CLOSE, "");
	http_close(&client);
	struct http_response response = {0};
	client.host = "no-such-host.invalid";
	assert_int_equal(post(&response), HTTP_UNREACHABLE);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_bodies_of_every_framing),
		TEST(test_connection_is_kept_and_made_anew),
		TEST(test_answers_that_are_none),
		TEST(test_no_answer),
		TEST(test_refused_before_it_was_sent),
		TEST(test_fields),
		TEST(test_hosts),
	};
	receiver.answer = follow;
	if (!receiver_start(&receiver))
		return 1;
	clock_adjust();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
