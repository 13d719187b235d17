/* test_grpc.c - what calls say about themselves: statuses, time limits, addresses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "hooks/protocols/grpc.h"
#include "tests/support/attrs_text.h"

#define B(text) ((struct bytes){(text), sizeof(text) - 1})

static void test_timeout_reads_every_unit_and_nothing_else(void **unused)
{
	(void)unused;
	assert_int_equal(grpc_timeout(B("150m")), 150000000);
	assert_int_equal(grpc_timeout(B("1n")), 1);
	assert_int_equal(grpc_timeout(B("2u")), 2000);
	assert_int_equal(grpc_timeout(B("3S")), UINT64_C(3000000000));
	assert_int_equal(grpc_timeout(B("4M")), UINT64_C(240000000000));
	assert_int_equal(grpc_timeout(B("5H")), UINT64_C(18000000000000));
	assert_int_equal(grpc_timeout(B("99999999S")), UINT64_C(99999999000000000));
	assert_int_equal(grpc_timeout(B("99999999H")), 0); /* nobody waits so long */
	assert_int_equal(grpc_timeout(B("999999999m")), 0);
	assert_int_equal(grpc_timeout(B("m")), 0);
	assert_int_equal(grpc_timeout(B("15")), 0);
	assert_int_equal(grpc_timeout(B("-5m")), 0);
	assert_int_equal(grpc_timeout(BYTES_NONE), 0);
}

static void test_outcome_fails_as_the_side_sees_it(void **unused)
{
	(void)unused;
	static const uint8_t failing[] = {GRPC_UNKNOWN,  GRPC_DEADLINE_EXCEEDED, GRPC_UNIMPLEMENTED,
					  GRPC_INTERNAL, GRPC_UNAVAILABLE,       GRPC_DATA_LOSS};
	for (uint8_t status = 0; status < GRPC_STATUSES; status++) {
		const struct protocol_outcome *outcome = grpc_outcome(status);
		assert_true(bytes_equal(outcome->key, BYTES("rpc.status_code")));
		assert_int_equal(outcome->failed[SIDE_CLIENT], status != GRPC_OK);
		assert_int_equal(outcome->failed[SIDE_SERVER], memchr(failing, status, sizeof(failing)) != NULL);
	}
	assert_true(bytes_equal(grpc_outcome(GRPC_RESOURCE_EXHAUSTED)->value, BYTES("RESOURCE_EXHAUSTED")));
	assert_ptr_equal(grpc_outcome(200), grpc_outcome(GRPC_UNKNOWN));
}

static void test_answers_of_others_have_a_status(void **unused)
{
	(void)unused;
	assert_int_equal(grpc_of_http(400), GRPC_INTERNAL);
	assert_int_equal(grpc_of_http(401), GRPC_UNAUTHENTICATED);
	assert_int_equal(grpc_of_http(403), GRPC_PERMISSION_DENIED);
	assert_int_equal(grpc_of_http(404), GRPC_UNIMPLEMENTED);
	assert_int_equal(grpc_of_http(502), GRPC_UNAVAILABLE);
	assert_int_equal(grpc_of_http(200), GRPC_UNKNOWN);
	assert_int_equal(grpc_of_reset(0), GRPC_INTERNAL);
	assert_int_equal(grpc_of_reset(5), GRPC_UNKNOWN);
	assert_int_equal(grpc_of_reset(7), GRPC_UNAVAILABLE);
	assert_int_equal(grpc_of_reset(8), GRPC_CANCELLED);
	assert_int_equal(grpc_of_reset(0x100), GRPC_UNKNOWN);
}

static char *described(struct bytes host, enum protocol_side side, const struct protocol_endpoint *endpoint)
{
	static const struct attrs_limits limits = {128, UINT32_MAX};
	static uint8_t room[4096];
	static char *text;
	size_t size;
	struct attrs attrs;
	struct protocol_facts facts = {.attrs = &attrs};
	struct http_message message;

	free(text);
	http_message_init(&message);
	message.target = BYTES("/a.B/C");
	message.host = host;
	attrs_init(&attrs, room, sizeof(room), &limits);
	grpc_describe_request(&message, side, endpoint, &facts);
	FILE *out = open_memstream(&text, &size);
	attrs_text(&attrs, "", out);
	fclose(out);
	return text;
}

static void test_describe_names_the_target_and_not_the_socket(void **unused)
{
	(void)unused;
	struct protocol_endpoint tcp = {.name = BYTES("looked-up"), .peer_address = BYTES("192.0.2.7"), .peer_port = 50051};
	struct protocol_endpoint local = {.peer_address = BYTES("/run/stock"), .is_unix = true};

	assert_string_equal(described(BYTES("stock.example:443"), SIDE_CLIENT, &tcp),
			    "rpc.system.name=\"grpc\"\nserver.address=\"stock.example\"\nserver.port=443\n"
			    "network.peer.address=\"192.0.2.7\"\nnetwork.peer.port=50051\n");
	assert_string_equal(described(BYTES_NONE, SIDE_CLIENT, &tcp),
			    "rpc.system.name=\"grpc\"\nserver.address=\"looked-up\"\nserver.port=50051\n"
			    "network.peer.address=\"192.0.2.7\"\nnetwork.peer.port=50051\n");
	assert_string_equal(described(BYTES("localhost"), SIDE_CLIENT, &local),
			    "rpc.system.name=\"grpc\"\nserver.address=\"/run/stock\"\n");
	assert_string_equal(described(BYTES_NONE, SIDE_SERVER, &tcp),
			    "rpc.system.name=\"grpc\"\nnetwork.peer.address=\"192.0.2.7\"\nnetwork.peer.port=50051\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_timeout_reads_every_unit_and_nothing_else),
		cmocka_unit_test(test_outcome_fails_as_the_side_sees_it),
		cmocka_unit_test(test_answers_of_others_have_a_status),
		cmocka_unit_test(test_describe_names_the_target_and_not_the_socket),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
