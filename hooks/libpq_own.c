/* libpq_own.c - what a span of libpq's own says, where the wire cannot; and the copies of that library.
 *
 * As the wire tells it (hooks/protocols/postgres*.c), from what the program gave and was given. What a
 * statement's name stands for is kept as a description, found by the connection and the name. */
#include "hooks/libpq.h"

#include <string.h>

#include "hooks/protocols/sql_comment.h"
#include "preload/call.h"
#include "preload/pool.h"
#include "preload/readable.h"

#define LIBPQ_NAME(name) #name,
static const char *const names[] = {LIBPQ_FUNCTIONS(LIBPQ_NAME)};
static struct libpq room[COPIES_MOST];
struct copies libpq_copies = {
	.names = names,
	.count = sizeof(names) / sizeof(names[0]),
	.room = room,
	.size = sizeof(room[0]),
};
_Static_assert(sizeof(struct libpq) == sizeof(struct copy) + sizeof(names), "in the order of the names");

const struct libpq *libpq_of(const void *caller, bool look)
{
	return (const struct libpq *)(const void *)copies_of(&libpq_copies, caller, look);
}

/* --- statements ---------------------------------------------------------------------------------------- */

/* What stands for (connection, name) among the handles of calls. Two that are alike are too rare to come by.
 */
static const void *key_of(const PGconn *conn, const char *name)
{
	uint64_t hash = 0xcbf29ce484222325u ^ (uintptr_t)conn;

	for (size_t i = 0; name && name[i]; i++)
		hash = (hash ^ (uint8_t)name[i]) * 0x100000001b3u;
	hash = (hash ^ hash >> 29) * 0x9e3779b97f4a7c15u;
	return (const void *)(uintptr_t)(hash | 1u << 1); /* NOLINT(performance-no-int-to-ptr) */
}

static void keep(const PGconn *conn, const char *name, const struct span *span)
{
	struct call *call = call_open(key_of(conn, name));

	if (!call)
		return;
	call->own[0] = (uintptr_t)conn;
	if (span->recording)
		call_keep(call, span);
	call_release(call);
}

static bool recall(const PGconn *conn, const char *name, struct span *span)
{
	struct call *call = call_find(key_of(conn, name));
	bool known = call && call->own[0] == (uintptr_t)conn && call_recall(call, span);

	if (call)
		call_release(call);
	return known;
}

void libpq_forget(const PGconn *conn)
{
	call_close_owned((uintptr_t)conn);
}

static unsigned flags_of(const struct libpq *lib, const PGconn *conn)
{
	const char *value =
		lib->PQparameterStatus ? lib->PQparameterStatus(conn, "standard_conforming_strings") : NULL;
	return value && strcmp(value, "off") == 0 ? SQL_BACKSLASH : 0;
}

static void describe_function(struct span *span, const struct db_call *call,
			      const struct protocol_endpoint *endpoint)
{
	struct protocol_facts facts = {.attrs = &span->attrs, .name_room = span->name};
	db_describe_call(call, endpoint, &facts);
	call_told(span, &facts);
}

static struct bytes digits_of(int function, char *digits, size_t size)
{
	size_t at = size;
	uint32_t number = (uint32_t)function;

	do {
		digits[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	return (struct bytes){digits + at, size - at};
}

void libpq_describe(const struct libpq *lib, PGconn *conn, const struct libpq_call *call,
		    const struct asked_own *own)
{
	struct span *span = own->span;
	span->authority =
		call->kind; /* this, and where rows are counted: only the wire's exchanges use them */
	const char *db = lib->PQdb ? lib->PQdb(conn) : NULL;
	char digits[10];

	/* What follows it in a pipeline may be the next statement of that name. */
	if (call->kind == KIND_CLOSE)
		call_close(key_of(conn, call->name), true);
	if (!span->recording)
		return;
	if (call->kind == KIND_PREPARED && recall(conn, call->name, span))
		return;
	if (call->kind == KIND_FUNCTION || !call->text) {
		describe_function(
			span,
			&(struct db_call){
				.system = BYTES("postgresql"),
				.space = db ? bytes_of(db) : BYTES_NONE,
				.procedure = call->kind == KIND_FUNCTION
						     ? digits_of(call->function, digits, sizeof(digits))
						     : BYTES_NONE,
				.batch = 1,
				.usual_port = 5432,
				.space_in_name = true,
				.unknown = call->kind == KIND_PREPARED,
			},
			own->endpoint);
		return;
	}
	struct statement statement = {
		.system = BYTES("postgresql"),
		.space = db ? bytes_of(db) : BYTES_NONE,
		.text = {call->text, readable(call->text, 1) ? strnlen(call->text, STATEMENT_MAX) : 0},
		.dialect = SQL_POSTGRESQL,
		.flags = flags_of(lib, conn),
		.prepared = call->kind != KIND_QUERY,
		.endpoint = own->endpoint,
		.usual_port = 5432,
	};
	statement_describe(span, &statement);
	if (call->kind == KIND_PREPARE)
		keep(conn, call->name, span);
}

/* --- the context as a comment -------------------------------------------------------------------------- */

char *libpq_commented(const struct libpq *lib, const PGconn *conn, const char *query, struct span *span)
{
	const size_t most = BLOCK_SIZE - SQL_COMMENT_MAX - 1;
	size_t at, len = query && protocol_settings.sqlcommenter ? strnlen(query, most) : most;
	struct bytes summary = {span->name, span->name_len};
	char *lines, *text;

	if (len == most || !span->context.valid || !sql_comment_wanted(summary) ||
	    !sql_comment_place(SQL_POSTGRESQL, flags_of(lib, conn), (struct bytes){query, len}, &at) ||
	    !(lines = block_take()))
		return NULL;
	text = block_take();
	if (text) {
		struct bytes found = {lines, context_inject_lines(&span->context, 0, lines, BLOCK_SIZE)};
		size_t added = sql_comment_lines(found, text + at, SQL_COMMENT_MAX);
		memcpy(text, query, at);
		memcpy(text + at + added, query + at, len - at + 1);
		if (added)
			span->exposed = true;
	}
	block_give(lines);
	return text;
}

/* --- answers ------------------------------------------------------------------------------------------- */

/* Class 01 are warnings, 00 is success (otel.md 5.4). */
static bool is_error(struct bytes code)
{
	return code.len != 5 || code.ptr[0] != '0' || code.ptr[1] > '1';
}

static void fail(const struct libpq *lib, struct span *span, const PGconn *conn, const PGresult *result)
{
	const char *field = lib->PQresultErrorField(result, FIELD_SQLSTATE);
	struct bytes code = field ? bytes_of(field) : BYTES_NONE;
	bool lost = lib->PQstatus && lib->PQstatus(conn) != CONNECTED;
	struct db_answer answer = {
		.code = code,
		.error = code.len ? BYTES_NONE
			 : lost   ? BYTES("response_truncated")
				  : BYTES("_OTHER"),
		.failed = is_error(code),
	};
	struct protocol_facts facts = {.attrs = &span->attrs};

	if (span->failed) /* the server has said why, and then it was gone */
		return;
	db_describe_answer(&answer, &facts);
	call_told(span, &facts);
}

void libpq_tell_failure(struct span *span)
{
	struct db_answer answer = {.error = BYTES("_OTHER"), .failed = true};
	struct protocol_facts facts = {.attrs = &span->attrs};

	if (span->failed)
		return;
	db_describe_answer(&answer, &facts);
	call_told(span, &facts);
}

bool libpq_has_one(const struct span *span)
{
	return span->authority != KIND_QUERY;
}

void libpq_tell_result(const struct libpq *lib, struct span *span, const PGconn *conn, const PGresult *result)
{
	int rows;

	switch ((int)lib->PQresultStatus(result)) {
	case STATUS_BAD_RESPONSE:
	case STATUS_FATAL:
		fail(lib, span, conn, result);
		break;
	case STATUS_PIPELINE_ABORTED: /* it never ran */
		span->aside = true;
		break;
	case STATUS_TUPLES_OK:
	case STATUS_SINGLE_TUPLE:
	case STATUS_CHUNK:
		rows = lib->PQntuples ? lib->PQntuples(result) : 0;
		span->exchange += rows > 0 ? (uint32_t)rows : 0;
		span->head_seen = true;
		break;
	default:
		break;
	}
}

void libpq_tell_end(struct span *span)
{
	struct db_answer answer = {.has_rows = span->head_seen, .rows = span->exchange};
	struct protocol_facts facts = {.attrs = &span->attrs};

	if (span->recording)
		db_describe_answer(&answer, &facts);
}
