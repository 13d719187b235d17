/* test_db_describe.c - names and attributes of database calls. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "hooks/protocols/db_describe.h"
#include "tests/support/attrs_text.h"

static const struct attrs_limits limits = {128, UINT32_MAX};
static char name[PROTOCOL_NAME_MAX + 1];

static struct protocol_memo memo;
static struct protocol_endpoint db1 = {
	.name = {"db1", 3}, .peer_address = {"10.0.0.1", 8}, .peer_port = 5433};

static char *describe(const struct db_call *call, const struct db_answer *answer, struct protocol_facts *facts)
{
	static uint8_t room[4096];
	static struct attrs attrs;
	static char name_room[PROTOCOL_NAME_MAX];
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	attrs_init(&attrs, room, sizeof(room), &limits);
	*facts = (struct protocol_facts){.attrs = &attrs, .name_room = name_room};
	if (call)
		db_describe_call(call, &db1, facts);
	if (answer)
		db_describe_answer(answer, facts);
	attrs_text(&attrs, "", out);
	fclose(out);
	assert_true(facts->name.len <= PROTOCOL_NAME_MAX || call->summary.len);
	memset(name, 0, sizeof(name));
	memcpy(name, facts->name.ptr ? facts->name.ptr : "", facts->name.len < 128 ? facts->name.len : 128);
	return text;
}

static void test_call_of_sql(void **unused)
{
	(void)unused;
	struct protocol_facts facts;
	struct db_call call = {.system = BYTES("postgresql"), .space = BYTES("shop"), .summary = BYTES("SELECT orders"),
			       .text = BYTES("SELECT * FROM orders WHERE id = ?"), .batch = 1, .usual_port = 5432,
			       .space_in_name = true};
	char *text = describe(&call, NULL, &facts);
	assert_string_equal(name, "SELECT orders");
	assert_string_equal(text, "db.system.name=\"postgresql\"\ndb.namespace=\"shop\"\ndb.query.summary=\"SELECT orders\"\n"
				  "server.address=\"db1\"\nserver.port=5433\n"
				  "db.query.text=\"SELECT * FROM orders WHERE id = ?\"\n");
	free(text);
}

static void test_call_names_its_target(void **unused)
{
	(void)unused;
	struct protocol_facts facts;
	struct db_call call = {.system = BYTES("redis"), .space = BYTES("0"), .operation = BYTES("GET"), .batch = 1,
			       .usual_port = 5433, .peer = true};
	char *text = describe(&call, NULL, &facts);
	assert_string_equal(name, "GET db1:5433");
	assert_non_null(strstr(text, "network.peer.address=\"10.0.0.1\"\nnetwork.peer.port=5433\n"));
	assert_null(strstr(text, "server.port"));
	free(text);

	call.space_in_name = true;
	free(describe(&call, NULL, &facts));
	assert_string_equal(name, "GET 0");
	call.operation = BYTES_NONE;
	free(describe(&call, NULL, &facts));
	assert_string_equal(name, "0");

	static char longest[300];
	memset(longest, 'x', sizeof(longest));
	call.operation = (struct bytes){longest, sizeof(longest)};
	free(describe(&call, NULL, &facts));
	assert_int_equal(facts.name.len, PROTOCOL_NAME_MAX);
}

/* What is kept of the calls before must never be told of another. */
static void test_calls_again_say_what_they_said(void **unused)
{
	(void)unused;
	struct protocol_facts facts;
	const struct db_call get = {.system = BYTES("redis"), .space = BYTES("0"), .operation = BYTES("GET"), .batch = 1,
				    .text = BYTES("GET one"), .bare = true, .peer = true};
	struct db_call calls[9] = {get, get, get, get, get, get, get, get, get};
	calls[1].text = BYTES("GET another");
	calls[2].operation = BYTES("SET");
	calls[3].space = BYTES("1");
	calls[4].procedure = BYTES("GET one");
	calls[5].operation = BYTES_NONE; /* the same words where SQL has them */
	calls[5].summary = BYTES("GET");
	calls[6].batch = 2;
	calls[7].collection = BYTES("GET");
	calls[8].system = BYTES("valkey");

	for (size_t i = 0; i < 9; i++)
		for (size_t j = 0; j < 9; j++) {
			db1.memo = NULL;
			char *expected = describe(&calls[j], NULL, &facts);
			db1.memo = &memo;
			memo.len = 0;
			free(describe(&calls[i], NULL, &facts));
			char *first = describe(&calls[j], NULL, &facts), *again = describe(&calls[j], NULL, &facts);
			db1.memo = NULL;
			assert_string_equal(first, expected);
			assert_string_equal(again, expected);
			free(expected);
			free(first);
			free(again);
		}
	/* It is put again, not written anew. */
	db1.memo = &memo;
	memo.len = 0;
	free(describe(&calls[0], NULL, &facts));
	assert_int_not_equal(memo.len, 0);
	memo.attrs[memo.len - 1]++;
	char *text = describe(&calls[1], NULL, &facts);
	assert_null(strstr(text, "network.peer.port=5433"));
	assert_non_null(strstr(text, "db.query.text=\"GET another\""));
	free(text);
	db1.memo = NULL;
}

static void test_text_is_off(void **unused)
{
	(void)unused;
	struct protocol_facts facts;
	struct db_call call = {.system = BYTES("mysql"), .text = BYTES("SELECT 1"), .batch = 3};
	protocol_settings.db_text = DB_TEXT_OFF;
	char *text = describe(&call, NULL, &facts);
	protocol_settings.db_text = DB_TEXT_SANITIZED;
	assert_null(strstr(text, "db.query.text"));
	assert_non_null(strstr(text, "db.operation.batch.size=3"));
	free(text);
}

static void test_answer(void **unused)
{
	(void)unused;
	struct protocol_facts facts;
	struct db_answer failed = {.code = BYTES("23505"), .failed = true};
	char *text = describe(NULL, &failed, &facts);
	assert_string_equal(text, "db.response.status_code=\"23505\"\n");
	assert_true(facts.failed);
	assert_true(bytes_equal(facts.error_type, BYTES("23505")));
	free(text);

	struct db_answer fine = {.has_rows = true, .rows = 7};
	text = describe(NULL, &fine, &facts);
	assert_string_equal(text, "db.response.returned_rows=7\n");
	assert_false(facts.failed);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_call_of_sql),
		cmocka_unit_test(test_call_names_its_target),
		cmocka_unit_test(test_calls_again_say_what_they_said),
		cmocka_unit_test(test_text_is_off),
		cmocka_unit_test(test_answer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
