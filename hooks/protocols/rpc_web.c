/* rpc_web.c - which HTTP requests are calls of gRPC-Web or Connect; see rpc_web.h. */
#include "hooks/protocols/rpc_web.h"

#include "hooks/protocols/grpc.h"

#define CALL(system)                                                                      \
	{                                                                                 \
		.operation = {"rpc.method", 10}, .original = {"rpc.method_original", 19}, \
		.other = {"_OTHER", 6}, .name = {#system, sizeof(#system) - 1},           \
	}
static const struct protocol_call grpc = CALL(grpc), connect = CALL(connectrpc);

/* Not found, not implemented: the method, or what it was asked for. Nobody can tell. */
static const struct protocol_outcome unknown = {.unknown = true};

/* "/package.Service/Method", or longer: a prefix of the server's own is no part of it. */
static struct bytes method_of(struct bytes target)
{
	struct bytes path = bytes_until(target, bytes_find(target, '?'));
	const char *last = path.ptr && path.len ? memrchr(path.ptr, '/', path.len) : NULL;
	const char *before =
		last && last > path.ptr ? memrchr(path.ptr, '/', (size_t)(last - path.ptr)) : NULL;

	if (!before || last == before + 1 || last + 1 == path.ptr + path.len)
		return BYTES_NONE;
	return bytes_from(path, (size_t)(before + 1 - path.ptr));
}

static bool is_one_of(struct bytes type, struct bytes prefix, const char *behind)
{
	if (!bytes_equal_nocase(bytes_until(type, prefix.len), prefix))
		return false;
	return type.len == prefix.len || memchr(behind, type.ptr[prefix.len], strlen(behind)) != NULL;
}

static const struct protocol_call *call_of(const struct http_message *message)
{
	struct bytes type = message->content_type;

	if (type.len < 16 || !bytes_equal(message->method, BYTES("POST")))
		return NULL;
	if (is_one_of(type, BYTES("application/grpc-web"), "+-; \t"))
		return &grpc;
	if (bytes_equal_nocase(bytes_until(type, 20), BYTES("application/connect+")))
		return &connect;
	if (!bytes_equal(message->connect_version, BYTES("1")))
		return NULL;
	return is_one_of(type, BYTES("application/proto"), "; \t") ||
			       is_one_of(type, BYTES("application/json"), "; \t")
		       ? &connect
		       : NULL;
}

void rpc_web_describe(const struct http_message *message, struct protocol_facts *facts)
{
	const struct protocol_call *call = call_of(message);
	struct bytes method = call ? method_of(message->target) : BYTES_NONE;

	if (!method.len)
		return;
	attrs_string(facts->attrs, BYTES("rpc.system.name"), call->name);
	facts->call = call;
	facts->operation = facts->name = method;
}

const struct protocol_outcome *rpc_web_outcome(const struct http_message *message)
{
	if (message->grpc_status.len)
		return grpc_outcome(grpc_read_status(bytes_trim(message->grpc_status)));
	return message->status == 404 || message->status == 501 ? &unknown : NULL;
}
