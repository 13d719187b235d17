/* test_rpc_web.c - which HTTP requests are calls, of which method, and which answers say how they ended. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "hooks/protocols/grpc.h"
#include "hooks/protocols/rpc_web.h"

/* "system method", or "none". */
static const char *told(const char *method, const char *target, const char *type, const char *version)
{
	static const struct attrs_limits limits = {128, UINT32_MAX};
	static uint8_t room[1024];
	static char text[200];
	struct attrs attrs;
	struct protocol_facts facts = {.attrs = &attrs};
	struct http_message message;

	http_message_init(&message);
	message.method = bytes_of(method);
	message.target = bytes_of(target);
	message.content_type = bytes_of(type);
	if (version)
		message.connect_version = bytes_of(version);
	attrs_init(&attrs, room, sizeof(room), &limits);
	rpc_web_describe(&message, &facts);
	if (!facts.call) {
		assert_int_equal(attrs.count, 0);
		assert_null(facts.name.ptr);
		return "none";
	}
	assert_true(attrs_has(&attrs, BYTES("rpc.system.name")));
	assert_true(bytes_equal(facts.name, facts.operation));
	snprintf(text, sizeof(text), "%.*s %.*s", (int)facts.call->name.len, facts.call->name.ptr, (int)facts.operation.len,
		 facts.operation.ptr);
	return text;
}

static void test_describe_knows_calls_by_their_content_type(void **unused)
{
	(void)unused;
	static const char path[] = "/a.B/C";
	assert_string_equal(told("POST", path, "application/grpc-web", NULL), "grpc a.B/C");
	assert_string_equal(told("POST", path, "application/grpc-web+proto", NULL), "grpc a.B/C");
	assert_string_equal(told("POST", path, "application/grpc-web-text", NULL), "grpc a.B/C");
	assert_string_equal(told("POST", path, "Application/gRPC-Web; charset=x", NULL), "grpc a.B/C");
	assert_string_equal(told("POST", path, "application/connect+proto", NULL), "connectrpc a.B/C");
	assert_string_equal(told("POST", path, "application/connect+json", NULL), "connectrpc a.B/C");
	assert_string_equal(told("POST", path, "application/proto", "1"), "connectrpc a.B/C");
	assert_string_equal(told("POST", path, "application/json; charset=utf-8", "1"), "connectrpc a.B/C");
	assert_string_equal(told("POST", path, "application/json", NULL), "none");
	assert_string_equal(told("POST", path, "application/json", "2"), "none");
	assert_string_equal(told("POST", path, "application/jsonp", "1"), "none");
	assert_string_equal(told("POST", path, "application/xml", "1"), "none");
	assert_string_equal(told("POST", path, "application/grpc", NULL), "none"); /* it has a span of its own, over HTTP/2 */
	assert_string_equal(told("POST", path, "application/grpc-webby", NULL), "none");
	assert_string_equal(told("POST", path, "application/grpc-we", NULL), "none");
	assert_string_equal(told("OPTIONS", path, "application/grpc-web", NULL), "none");
}

static void test_describe_takes_the_method_from_the_end_of_the_path(void **unused)
{
	(void)unused;
	static const char type[] = "application/grpc-web+proto";
	assert_string_equal(told("POST", "/api/v1/a.B/C?x=/y/z", type, NULL), "grpc a.B/C");
	assert_string_equal(told("POST", "/B", type, NULL), "none");
	assert_string_equal(told("POST", "/a.B/", type, NULL), "none");
	assert_string_equal(told("POST", "//C", type, NULL), "none");
	assert_string_equal(told("POST", "C", type, NULL), "none");
	assert_string_equal(told("POST", "", type, NULL), "none");
}

static void test_outcome_is_what_the_head_says(void **unused)
{
	(void)unused;
	struct http_message message;
	http_message_init(&message);
	message.status = 200;
	assert_null(rpc_web_outcome(&message));
	message.grpc_status = BYTES(" 13 ");
	assert_ptr_equal(rpc_web_outcome(&message), grpc_outcome(GRPC_INTERNAL));
	message.grpc_status = BYTES_NONE;
	message.status = 503;
	assert_null(rpc_web_outcome(&message));
	for (uint16_t status = 404; status <= 501; status += 501 - 404) {
		message.status = status;
		assert_true(rpc_web_outcome(&message)->unknown);
		assert_int_equal(rpc_web_outcome(&message)->key.len, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_describe_knows_calls_by_their_content_type),
		cmocka_unit_test(test_describe_takes_the_method_from_the_end_of_the_path),
		cmocka_unit_test(test_outcome_is_what_the_head_says),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
