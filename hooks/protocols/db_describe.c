/* db_describe.c - a database call as a name and attributes. */
#include "hooks/protocols/db_describe.h"

#include "hooks/protocols/http_describe.h"

/* Inline, for the sake of keys that are constants. */
static inline __attribute__((always_inline)) void put(struct attrs *attrs, struct bytes key,
						      struct bytes value)
{
	if (value.len)
		attrs_string(attrs, key, value);
}

static struct bytes server_of(const struct protocol_endpoint *endpoint)
{
	return endpoint->name.len ? endpoint->name : endpoint->peer_address;
}

static size_t join(char *room, size_t used, size_t cap, struct bytes text)
{
	if (text.len > cap - used)
		text.len = utf8_prefix(text, UINT32_MAX, cap - used);
	if (text.len)
		memcpy(room + used, text.ptr, text.len);
	return used + text.len;
}

static size_t join_port(char *room, size_t used, size_t cap, uint16_t port)
{
	char digits[6];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + port % 10);
		port /= 10;
	} while (port);
	digits[--at] = ':';
	return join(room, used, cap, (struct bytes){digits + at, sizeof(digits) - at});
}

/* The first of collection, procedure, namespace, server. */
static size_t target(char *room, size_t used, size_t cap, const struct db_call *call,
		     const struct protocol_endpoint *endpoint)
{
	if (call->collection.len)
		return join(room, used, cap, call->collection);
	if (call->procedure.len)
		return join(room, used, cap, call->procedure);
	if (call->space.len && call->space_in_name)
		return join(room, used, cap, call->space);
	if (call->bare)
		return used;
	used = join(room, used, cap, server_of(endpoint));
	if (endpoint->peer_port && server_of(endpoint).len)
		used = join_port(room, used, cap, endpoint->peer_port);
	return used;
}

static struct bytes name_of(const struct db_call *call, const struct protocol_endpoint *endpoint, char *room)
{
	const size_t cap = PROTOCOL_NAME_MAX;
	size_t used = 0;

	if (call->summary.len)
		return call->summary;
	if (!room)
		return call->operation.len ? call->operation : call->system;
	if (call->operation.len) {
		used = join(room, 0, cap, call->operation);
		if (call->bare && !call->collection.len && !call->procedure.len && !call->space_in_name)
			return (struct bytes){room, used};
		size_t begin = join(room, used, cap, BYTES(" "));
		size_t all = target(room, begin, cap, call, endpoint);
		return (struct bytes){room, all > begin ? all : used};
	}
	used = target(room, 0, cap, call, endpoint);
	return used ? (struct bytes){room, used} : call->system;
}

static void describe(const struct db_call *call, const struct protocol_endpoint *endpoint,
		     struct attrs *attrs)
{
	struct bytes server = server_of(endpoint);

	put(attrs, BYTES("db.system.name"), call->system);
	put(attrs, BYTES("db.namespace"), call->space);
	put(attrs, BYTES("db.operation.name"), call->operation);
	put(attrs, BYTES("db.collection.name"), call->collection);
	put(attrs, BYTES("db.stored_procedure.name"), call->procedure);
	put(attrs, BYTES("db.query.summary"), call->summary);
	if (call->batch != 1)
		attrs_int(attrs, BYTES("db.operation.batch.size"), call->batch);
	put(attrs, BYTES("server.address"), server);
	if (server.len && endpoint->peer_port && endpoint->peer_port != call->usual_port)
		attrs_int(attrs, BYTES("server.port"), endpoint->peer_port);
	if (call->peer)
		http_describe_peer(endpoint, attrs);
}

/* The one that may not fit comes last. */
static void describe_text(const struct db_call *call, struct attrs *attrs)
{
	if (protocol_settings.db_text != DB_TEXT_OFF)
		put(attrs, BYTES("db.query.text"), call->text);
}

void db_describe_call(const struct db_call *call, const struct protocol_endpoint *endpoint,
		      struct protocol_facts *facts)
{
	struct attrs *attrs = facts->attrs;

	facts->statement = true;
	facts->unknown = call->unknown;
	facts->name = name_of(call, endpoint, facts->name_room);
	/* A statement that is executed again and again; a command, of which only the text changes. */
	bool command = call->operation.len > 0;
	const struct bytes texts[MEMO_TEXTS] = {call->system, call->space, call->summary, call->operation,
						command ? call->procedure : call->text};
	bool plain = call->batch == 1 && !call->collection.len && (command || !call->procedure.len);
	if (!plain || !endpoint->memo) {
		describe(call, endpoint, attrs);
		describe_text(call, attrs);
		return;
	}
	if (!protocol_memo_put(endpoint->memo, texts, attrs)) {
		struct attrs before = *attrs;
		describe(call, endpoint, attrs);
		if (!command)
			describe_text(call, attrs);
		protocol_memo_keep(endpoint->memo, texts, &before, attrs);
	}
	if (command)
		describe_text(call, attrs);
}

void db_describe_answer(const struct db_answer *answer, struct protocol_facts *facts)
{
	put(facts->attrs, BYTES("db.response.status_code"), answer->code);
	if (answer->has_rows)
		attrs_int(facts->attrs, BYTES("db.response.returned_rows"),
			  answer->rows > INT64_MAX ? INT64_MAX : (int64_t)answer->rows);
	if (!answer->failed)
		return;
	facts->failed = true;
	facts->error_type = answer->error.len ? answer->error : answer->code;
}
