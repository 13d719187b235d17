/* test_http_describe.c - the corners of addresses, schemes and redaction that conversations do not show. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/mman.h>
#include <cmocka.h>

#include "hooks/protocols/http_describe.h"
#include "tests/support/attrs_text.h"

static const struct attrs_limits limits = {128, UINT32_MAX};

static char *describe(const struct http_message *message, enum protocol_side side,
		      const struct protocol_endpoint *endpoint, struct protocol_facts *facts)
{
	static uint8_t room[4096];
	static struct attrs attrs;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	attrs_init(&attrs, room, sizeof(room), &limits);
	*facts = (struct protocol_facts){.attrs = &attrs};
	http_describe_request(message, side, endpoint, facts);
	attrs_text(&attrs, "", out);
	fclose(out);
	return text;
}

static void expect(const struct http_message *message, enum protocol_side side,
		   const struct protocol_endpoint *endpoint, const char *there, const char *not_there)
{
	struct protocol_facts facts;
	char *text = describe(message, side, endpoint, &facts);
	if (there && !strstr(text, there))
		fail_msg("no %s in:\n%s", there, text);
	if (not_there && strstr(text, not_there))
		fail_msg("%s in:\n%s", not_there, text);
	free(text);
}

static struct http_message get(const char *target, const char *host)
{
	struct http_message message = {.captures = 0};
	message.method = BYTES("GET");
	message.target = bytes_of(target);
	message.host = bytes_of(host);
	message.version = BYTES("1.1");
	return message;
}

static void test_split_port(void **unused)
{
	(void)unused;
	static const struct {
		const char *in, *host;
		uint16_t port;
	} rows[] = {
		{"a:80", "a", 80},           {"a", "a", 0},       {"a:", "a", 0},
		{"a:65536", "a", 0},         {"a:x", "a", 0},     {"a:000080", "a", 0},
		{"[::1]:8080", "::1", 8080}, {"[::1]", "::1", 0}, {"::1", "::1", 0},
		{"[::1", "[::1", 0},         {"", "", 0},         {":80", "", 80},
		{"[::1]x", "::1", 0},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint16_t port = 1;
		struct bytes host = http_split_port(bytes_of(rows[i].in), &port);
		if (!bytes_equal(host, bytes_of(rows[i].host)) || port != rows[i].port)
			fail_msg("%s: %.*s %u", rows[i].in, (int)host.len, host.ptr, port);
	}
}

static void test_forwarded_reads_the_first_element(void **unused)
{
	(void)unused;
	static const struct {
		const char *in, *name, *value;
	} rows[] = {
		{"for=1.2.3.4;proto=https", "proto", "https"},
		{"For=\"[::1]\" ; PROTO=http", "proto", "http"},
		{"for=a, for=b;proto=https", "proto", ""},
		{"for=\"a;b,c\";host=h", "host", "h"},
		{"for=\"a\\\"b\";host=h", "host", "h"},
		{"for", "for", ""},
		{"=;;for=x", "for", "x"},
		{"for=\"open", "for", "open"},
		{"", "for", ""},
		{"for=\"x\\", "host", ""},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bytes value = http_forwarded(bytes_of(rows[i].in), bytes_of(rows[i].name));
		if (!bytes_equal(value, bytes_of(rows[i].value)))
			fail_msg("%s: %s is %.*s", rows[i].in, rows[i].name, (int)value.len, value.ptr);
	}
}

static void test_describe_unix_sockets(void **unused)
{
	(void)unused;
	struct protocol_endpoint client = {.peer_address = BYTES("/run/docker.sock"), .is_unix = true};
	struct protocol_endpoint server = {.local_address = BYTES("/run/app.sock"), .is_unix = true};
	struct http_message message = get("/v1", "docker");
	expect(&message, SIDE_CLIENT, &client, "server.address=\"/run/docker.sock\"\n", "server.port");
	expect(&message, SIDE_CLIENT, &client, "url.full=\"http://docker/v1\"\n", "network.peer");
	expect(&message, SIDE_SERVER, &server, "server.address=\"docker\"\n", "client.address");
	message = get("/v1", "");
	expect(&message, SIDE_SERVER, &server, "server.address=\"/run/app.sock\"\n", "server.port");
	expect(&message, SIDE_CLIENT, &client, "url.full=\"http://localhost/v1\"\n", NULL);
}

static void test_describe_without_host(void **unused)
{
	(void)unused;
	struct protocol_endpoint endpoint = {
		.peer_address = BYTES("fe80::1%eth0"), .peer_port = 8443, .tls = true};
	struct http_message message = get("/", "");
	expect(&message, SIDE_CLIENT, &endpoint, "url.full=\"https://[fe80::1]:8443/\"\n", "eth0");
	expect(&message, SIDE_CLIENT, &endpoint, "server.address=\"fe80::1\"\nserver.port=8443\n", NULL);
	endpoint.name = BYTES("name.example");
	endpoint.peer_port = 443;
	expect(&message, SIDE_CLIENT, &endpoint, "url.full=\"https://name.example/\"\n", NULL);
	expect(&message, SIDE_SERVER, &endpoint, "url.scheme=\"https\"\n", "server.address");
}

static void test_describe_redacts(void **unused)
{
	(void)unused;
	struct protocol_endpoint endpoint = {.peer_port = 80};
	struct http_message message =
		get("/?sig=a&SIG=b&Signature=&xsig=c&sig&X-Amz-Credential=d=e#sig=f", "h");
	const char *query =
		"sig=REDACTED&SIG=b&Signature=REDACTED&xsig=c&sig&X-Amz-Credential=REDACTED#sig=f\"\n";
	char text[1024];
	snprintf(text, sizeof(text), "url.query=\"%s", query);
	expect(&message, SIDE_SERVER, &endpoint, text, NULL);
	snprintf(text, sizeof(text), "url.full=\"http://h/?%s", query);
	expect(&message, SIDE_CLIENT, &endpoint, text, NULL);
	/* More secrets than there is room for pieces: none may come out. */
	size_t len = 0;
	text[len++] = '/';
	text[len++] = '?';
	for (int i = 0; i < 60; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "sig=secret&");
	message = get(text, "h");
	expect(&message, SIDE_CLIENT, &endpoint, "sig=REDACTED", "secret");
	expect(&message, SIDE_SERVER, &endpoint, "sig=REDACTED", "secret");
	message = get("http://u:p@x@h:81/", "other");
	expect(&message, SIDE_CLIENT, &endpoint, "url.full=\"http://REDACTED:REDACTED@h:81/\"\n", "u:p");
}

static char *guarded(size_t size)
{
	char *room = mmap(NULL, size + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(room != MAP_FAILED && mprotect(room + size, 4096, PROT_NONE) == 0);
	return room + size;
}

/* Most queries are looked through for lengths of secret keys only: where each piece of one begins and ends, a
 * target's end being that of what can be read. */
static void test_describe_redacts_by_lengths(void **unused)
{
	(void)unused;
	static const struct {
		const char *in, *out;
	} rows[] = {
		{"a=1&bb=2", "a=1&bb=2"},
		{"sig=1", "sig=REDACTED"},
		{"abc=1", "abc=1"},
		{"a=sig=1", "a=sig=1"},
		{"a&sig=1", "a&sig=REDACTED"},
		{"&&sig=1&", "&&sig=REDACTED&"},
		{"sig", "sig"},
		{"sig&", "sig&"},
		{"a#&sig=1", "a#&sig=1"},
		{"sig=1#sig=2", "sig=REDACTED#sig=2"},
		{"=", "="},
		{"=&=", "=&="},
		{"#", "#"},
		{"#sig=1", "#sig=1"},
		{"sig==", "sig=REDACTED"},
		{"a=b&Signature=x=y&c=d", "a=b&Signature=REDACTED&c=d"},
		{"AWSAccessKeyId=x", "AWSAccessKeyId=REDACTED"},
		{"SIG=1", "SIG=1"},
		{"signature=1", "signature=1"},
		{"a=0123456789abcdef0123456789abcdef&sig=1",
		 "a=0123456789abcdef0123456789abcdef&sig=REDACTED"},
		{"0123456789abcdef0123456789abcdef=0&a=1", "0123456789abcdef0123456789abcdef=0&a=1"},
	};
	struct protocol_endpoint endpoint = {.peer_port = 80};
	char *end = guarded(4096), target[256], expected[512];

	protocol_settings_done();
	assert_int_equal(protocol_settings.redacted_lengths & 1u << 5, 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (int pad = 0; pad < 20; pad++) { /* at each place of 16 */
			int len = snprintf(target, sizeof(target), "/%.*s?%s", pad, "0123456789abcdefghij",
					   rows[i].in);
			struct http_message message = get("", "h");
			message.target = (struct bytes){memcpy(end - len, target, (size_t)len), (size_t)len};
			snprintf(expected, sizeof(expected), "url.query=\"%s\"\n", rows[i].out);
			expect(&message, SIDE_SERVER, &endpoint, expected, NULL);
			snprintf(expected, sizeof(expected), "url.full=\"http://h/%.*s?%s\"\n", pad,
				 "0123456789abcdefghij", rows[i].out);
			expect(&message, SIDE_CLIENT, &endpoint, expected, NULL);
		}
	/* No list of keys: nothing is a secret. */
	const struct bytes *keys = protocol_settings.redacted_query_keys;
	static const struct bytes none[] = {{NULL, 0}};
	struct http_message message = get("/?sig=1", "h");
	protocol_settings.redacted_query_keys = none;
	protocol_settings_done();
	expect(&message, SIDE_SERVER, &endpoint, "url.query=\"sig=1\"\n", NULL);
	protocol_settings.redacted_query_keys = keys;
	protocol_settings_done();
	munmap(end - 4096, 8192);
}

static void test_describe_knows_whole_methods_only(void **unused)
{
	(void)unused;
	static const struct bytes known[] = {{"GET", 3}, {"GETX", 4}, {"POST", 4}, {NULL, 0}};
	static const char *const others[] = {"G", "GE", "GETXX", "get", "POS", "POSTS", "GOT"};
	const struct bytes *before = protocol_settings.known_methods;
	struct protocol_endpoint endpoint = {.peer_port = 80};
	struct http_message message = get("/", "h");
	char *end = guarded(4096);

	protocol_settings.known_methods = known;
	for (size_t i = 0; known[i].ptr; i++) {
		char expected[64];
		message.method =
			(struct bytes){memcpy(end - known[i].len, known[i].ptr, known[i].len), known[i].len};
		snprintf(expected, sizeof(expected), "http.request.method=\"%s\"\n", known[i].ptr);
		expect(&message, SIDE_SERVER, &endpoint, expected, "method_original");
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		char expected[64];
		message.method = bytes_of(others[i]);
		snprintf(expected, sizeof(expected), "http.request.method_original=\"%s\"\n", others[i]);
		expect(&message, SIDE_SERVER, &endpoint, expected, NULL);
	}
	protocol_settings.known_methods = before;
	munmap(end - 4096, 8192);
}

static void test_describe_redirects_are_known_again(void **unused)
{
	(void)unused;
	static const struct attrs_limits none = {0, 0};
	struct protocol_endpoint endpoint = {.name = BYTES("Shop.Example"), .peer_port = 80};
	struct http_message message = get("/long/path/to/thing?q=1", "shop.example");
	struct protocol_facts asked, told;
	struct attrs attrs;
	uint8_t room[8];
	free(describe(&message, SIDE_CLIENT, &endpoint, &asked));
	attrs_init(&attrs, room, sizeof(room), &none);

	static const struct {
		const char *location;
		uint16_t status;
		bool again, same_authority, same_target;
	} rows[] = {
		{"http://SHOP.example:80/long/path/to/thing?q=1#f", 301, true, true, true},
		{"https://shop.example/long/path/to/thing?q=1", 308, true, false, true},
		{"http://shop.example/long/path/to/thing?q=2", 302, true, true, false},
		{"/long/path/to/thing?q=1", 307, true, true, true},
		{"thing", 302, false, false, false},
		{"//shop.example/long", 302, false, false, false},
		{"/long/path/to/thing?q=1", 304, false, false, false},
		{"/long/path/to/thing?q=1", 200, false, false, false},
		{"", 301, false, false, false},
		{"", 401, true, true, true},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		message.location = bytes_of(rows[i].location);
		message.status = rows[i].status;
		told = (struct protocol_facts){.attrs = &attrs};
		http_describe_response(&message, SIDE_CLIENT, &told);
		bool authority = told.again && (told.authority == 0 || told.authority == asked.authority);
		bool target = told.again && (told.target == 0 || told.target == asked.target);
		if (told.again != rows[i].again || authority != rows[i].same_authority ||
		    target != rows[i].same_target)
			fail_msg("%u %s: %d %d %d", rows[i].status, rows[i].location, told.again, authority,
				 target);
	}
}

/* One after the other over one connection: each as if it were the first. */
static void test_describe_from_memory_is_the_same(void **unused)
{
	(void)unused;
	static struct protocol_memo memo;
	struct protocol_endpoint plain = {.peer_address = BYTES("192.0.2.7"), .peer_port = 4711},
				 with = plain;
	struct http_message messages[] = {
		get("/a", "one.example:81"),
		get("/b?x=1", "one.example:81"),
		get("/c", "one.example:81"),
		get("/d", "two.example"),
		get("/e", "two.example"),
		get("http://a@two.example/f", "x"),
		get("/g", "two.example"),
		get("/h", "two.example"),
		get("/i", "two.example"),
		get("/j", "two.example"),
		get("/k", "two.example"),
		get("/l", ""),
		get("https://two.example/m", "two.example"),
	};

	with.memo = &memo;
	messages[2].user_agent = BYTES("agent/1");
	messages[7].forwarded_for = BYTES("203.0.113.9");
	messages[8].forwarded = BYTES("host=shop.example;proto=https");
	messages[9].version = BYTES("1.0");
	messages[10].user_agent = BYTES("agent/2");
	for (size_t i = 0; i < 2 * sizeof(messages) / sizeof(messages[0]); i++) {
		const struct http_message *message = &messages[i / 2];
		struct protocol_facts facts;
		char *first = describe(message, SIDE_SERVER, &plain, &facts);
		char *again = describe(message, SIDE_SERVER, &with, &facts);
		assert_string_equal(first, again);
		free(first);
		free(again);
	}
	assert_int_not_equal(memo.len, 0);
}

/* What the protocol says to be as before is not looked at; but for what it does not speak of. */
static void test_describe_takes_the_protocols_word(void **unused)
{
	(void)unused;
	static struct protocol_memo memo;
	struct protocol_endpoint endpoint = {.memo = &memo};
	struct http_message message = get("/a", "one.example");

	message.same = 16;
	expect(&message, SIDE_SERVER, &endpoint, "server.address=\"one.example\"\n", NULL);
	assert_int_equal(memo.serial, 16);
	message.host = BYTES("two.example"); /* a lie, to see that it is believed */
	expect(&message, SIDE_SERVER, &endpoint, "server.address=\"one.example\"\n", NULL);
	message.same = 17; /* of another version */
	expect(&message, SIDE_SERVER, &endpoint, "server.address=\"two.example\"\n", NULL);
	message.target = BYTES("http://three.example/");
	expect(&message, SIDE_SERVER, &endpoint, "server.address=\"three.example\"\n", NULL);
	assert_int_equal(memo.serial, 0);
	message.method = BYTES("CONNECT");
	message.target = BYTES("four.example:443");
	expect(&message, SIDE_SERVER, &endpoint, "server.address=\"four.example\"\n", NULL);
	assert_int_equal(memo.serial, 0);
	message = get("/a", "two.example");
	message.same = 17;
	message.forwarded_host = BYTES("five.example");
	expect(&message, SIDE_SERVER, &endpoint, "server.address=\"five.example\"\n", NULL);
	message.forwarded_host = BYTES_NONE;
	expect(&message, SIDE_SERVER, &endpoint, "server.address=\"two.example\"\n", NULL);
	message.same = 0;
	message.host = BYTES("six.example");
	expect(&message, SIDE_SERVER, &endpoint, "server.address=\"six.example\"\n", NULL);
	expect(&message, SIDE_SERVER, &endpoint, "server.address=\"six.example\"\n", NULL);
	assert_int_equal(memo.serial, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_split_port),
		cmocka_unit_test(test_forwarded_reads_the_first_element),
		cmocka_unit_test(test_describe_unix_sockets),
		cmocka_unit_test(test_describe_without_host),
		cmocka_unit_test(test_describe_redacts),
		cmocka_unit_test(test_describe_redacts_by_lengths),
		cmocka_unit_test(test_describe_knows_whole_methods_only),
		cmocka_unit_test(test_describe_takes_the_protocols_word),
		cmocka_unit_test(test_describe_redirects_are_known_again),
		cmocka_unit_test(test_describe_from_memory_is_the_same),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
