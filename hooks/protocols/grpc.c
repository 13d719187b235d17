/* grpc.c - a call as attributes of its span. Rules: gRPC over HTTP/2; semantic conventions: RPC. */
#include "hooks/protocols/grpc.h"

#define KEY                           \
	{                             \
		"rpc.status_code", 15 \
	}
#define FAILS(name)                                                                       \
	{                                                                                 \
		.key = KEY, .value = {#name, sizeof(#name) - 1}, .failed = { true, true } \
	}
/* The server did what it should: the client asked for what it could not have. */
#define ANSWERS(name)                                                                               \
	{                                                                                           \
		.key = KEY, .value = {#name, sizeof(#name) - 1}, .failed = { [SIDE_CLIENT] = true } \
	}

static const struct protocol_outcome outcomes[GRPC_STATUSES] = {
	[GRPC_OK] = {.key = KEY, .value = {"OK", 2}},
	[GRPC_CANCELLED] = ANSWERS(CANCELLED),
	[GRPC_UNKNOWN] = FAILS(UNKNOWN),
	[GRPC_INVALID_ARGUMENT] = ANSWERS(INVALID_ARGUMENT),
	[GRPC_DEADLINE_EXCEEDED] = FAILS(DEADLINE_EXCEEDED),
	[GRPC_NOT_FOUND] = ANSWERS(NOT_FOUND),
	[GRPC_ALREADY_EXISTS] = ANSWERS(ALREADY_EXISTS),
	[GRPC_PERMISSION_DENIED] = ANSWERS(PERMISSION_DENIED),
	[GRPC_RESOURCE_EXHAUSTED] = ANSWERS(RESOURCE_EXHAUSTED),
	[GRPC_FAILED_PRECONDITION] = ANSWERS(FAILED_PRECONDITION),
	[GRPC_ABORTED] = ANSWERS(ABORTED),
	[GRPC_OUT_OF_RANGE] = ANSWERS(OUT_OF_RANGE),
	[GRPC_UNIMPLEMENTED] = {.key = KEY,
				.value = {"UNIMPLEMENTED", 13},
				.failed = {true, true},
				.unknown = true},
	[GRPC_INTERNAL] = FAILS(INTERNAL),
	[GRPC_UNAVAILABLE] = FAILS(UNAVAILABLE),
	[GRPC_DATA_LOSS] = FAILS(DATA_LOSS),
	[GRPC_UNAUTHENTICATED] = ANSWERS(UNAUTHENTICATED),
};

/* A client that goes cancels what it asked for; one whose server goes will not know whether it was done. */
static const struct protocol_call call = {
	.operation = {"rpc.method", 10},
	.original = {"rpc.method_original", 19},
	.other = {"_OTHER", 6},
	.name = {"grpc", 4},
	.lost = {[SIDE_SERVER] = &outcomes[GRPC_CANCELLED], [SIDE_CLIENT] = &outcomes[GRPC_UNAVAILABLE]},
	.left = {[SIDE_SERVER] = &outcomes[GRPC_UNAVAILABLE], [SIDE_CLIENT] = NULL},
};

bool grpc_is_call(struct bytes content_type, struct bytes path)
{
	static const struct bytes prefix = {"application/grpc", 16};

	if (!bytes_equal_nocase(bytes_until(content_type, prefix.len), prefix))
		return false;
	if (content_type.len > prefix.len && !memchr("+; \t", content_type.ptr[prefix.len], 4))
		return false;
	/* "/package.Service/Method" */
	if (path.len < 2 || path.ptr[0] != '/')
		return false;
	path = bytes_from(path, 1);
	size_t slash = bytes_find(path, '/');
	return slash > 0 && slash + 1 < path.len;
}

uint8_t grpc_read_status(struct bytes value)
{
	unsigned status = 0;

	if (value.len == 0 || value.len > 2)
		return GRPC_UNKNOWN;
	for (size_t i = 0; i < value.len; i++) {
		if (value.ptr[i] < '0' || value.ptr[i] > '9')
			return GRPC_UNKNOWN;
		status = status * 10 + (unsigned)(value.ptr[i] - '0');
	}
	return status < GRPC_STATUSES ? (uint8_t)status : GRPC_UNKNOWN;
}

uint64_t grpc_timeout(struct bytes value)
{
	static const struct {
		char unit;
		uint64_t ns;
	} units[] = {{'n', 1},          {'u', 1000},        {'m', 1000000},
		     {'S', 1000000000}, {'M', 60000000000}, {'H', 3600000000000}};
	uint64_t amount = 0;

	if (value.len < 2 || value.len > 9)
		return 0;
	for (size_t i = 0; i + 1 < value.len; i++) {
		if (value.ptr[i] < '0' || value.ptr[i] > '9')
			return 0;
		amount = amount * 10 + (uint64_t)(value.ptr[i] - '0');
	}
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (units[i].unit == value.ptr[value.len - 1] && amount <= INT64_MAX / 2 / units[i].ns)
			return amount * units[i].ns;
	return 0;
}

uint8_t grpc_of_http(uint16_t status)
{
	switch (status) {
	case 400:
		return GRPC_INTERNAL;
	case 401:
		return GRPC_UNAUTHENTICATED;
	case 403:
		return GRPC_PERMISSION_DENIED;
	case 404:
		return GRPC_UNIMPLEMENTED;
	case 429:
	case 502:
	case 503:
	case 504:
		return GRPC_UNAVAILABLE;
	default:
		return GRPC_UNKNOWN;
	}
}

uint8_t grpc_of_reset(uint32_t code)
{
	static const uint8_t statuses[] = {
		GRPC_INTERNAL,           /* NO_ERROR */
		GRPC_INTERNAL,           /* PROTOCOL_ERROR */
		GRPC_INTERNAL,           /* INTERNAL_ERROR */
		GRPC_INTERNAL,           /* FLOW_CONTROL_ERROR */
		GRPC_INTERNAL,           /* SETTINGS_TIMEOUT */
		GRPC_UNKNOWN,            /* STREAM_CLOSED */
		GRPC_INTERNAL,           /* FRAME_SIZE_ERROR */
		GRPC_UNAVAILABLE,        /* REFUSED_STREAM */
		GRPC_CANCELLED,          /* CANCEL */
		GRPC_INTERNAL,           /* COMPRESSION_ERROR */
		GRPC_INTERNAL,           /* CONNECT_ERROR */
		GRPC_RESOURCE_EXHAUSTED, /* ENHANCE_YOUR_CALM */
		GRPC_PERMISSION_DENIED,  /* INADEQUATE_SECURITY */
	};
	return code < sizeof(statuses) ? statuses[code] : GRPC_UNKNOWN;
}

const struct protocol_outcome *grpc_outcome(uint8_t status)
{
	return &outcomes[status < GRPC_STATUSES ? status : GRPC_UNKNOWN];
}

static void describe_server_address(const struct http_message *message, enum protocol_side side,
				    const struct protocol_endpoint *endpoint, struct attrs *attrs)
{
	uint16_t port = 0;
	struct bytes host = http_split_port(message->host, &port);

	if (side == SIDE_CLIENT && endpoint->is_unix) {
		attrs_string(attrs, BYTES("server.address"), endpoint->peer_address);
		return;
	}
	if (side == SIDE_CLIENT && host.len == 0)
		host = endpoint->name.len ? endpoint->name : endpoint->peer_address;
	if (side == SIDE_CLIENT && port == 0)
		port = endpoint->peer_port;
	if (host.len == 0)
		return;
	attrs_string(attrs, BYTES("server.address"), host);
	if (port)
		attrs_int(attrs, BYTES("server.port"), port);
}

void grpc_describe_request(const struct http_message *message, enum protocol_side side,
			   const struct protocol_endpoint *endpoint, struct protocol_facts *facts)
{
	struct bytes path = bytes_from(message->target, 1);

	facts->call = &call;
	facts->operation = facts->name = bytes_until(path, bytes_find(path, '?'));
	attrs_string(facts->attrs, BYTES("rpc.system.name"), BYTES("grpc"));
	describe_server_address(message, side, endpoint, facts->attrs);
	http_describe_peer(endpoint, facts->attrs);
	http_describe_captures(message, protocol_settings.capture_request[side],
			       BYTES("rpc.request.metadata."), facts->attrs);
}

void grpc_describe_response(const struct http_message *message, enum protocol_side side,
			    struct protocol_facts *facts)
{
	http_describe_captures(message, protocol_settings.capture_response[side],
			       BYTES("rpc.response.metadata."), facts->attrs);
}
