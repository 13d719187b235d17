/* grpc.h - gRPC over HTTP/2: which requests are calls, what they call, how they ended. Pure. */
#ifndef TAGALONG_GRPC_H
#define TAGALONG_GRPC_H

#include "hooks/protocols/http_describe.h"

enum grpc_status {
	GRPC_OK,
	GRPC_CANCELLED,
	GRPC_UNKNOWN,
	GRPC_INVALID_ARGUMENT,
	GRPC_DEADLINE_EXCEEDED,
	GRPC_NOT_FOUND,
	GRPC_ALREADY_EXISTS,
	GRPC_PERMISSION_DENIED,
	GRPC_RESOURCE_EXHAUSTED,
	GRPC_FAILED_PRECONDITION,
	GRPC_ABORTED,
	GRPC_OUT_OF_RANGE,
	GRPC_UNIMPLEMENTED,
	GRPC_INTERNAL,
	GRPC_UNAVAILABLE,
	GRPC_DATA_LOSS,
	GRPC_UNAUTHENTICATED,
	GRPC_STATUSES,
	GRPC_NONE = 255, /* none was given */
};

/* application/grpc with or without +format; not gRPC-Web, which speaks otherwise. */
bool grpc_is_call(struct bytes content_type, struct bytes path);
uint8_t grpc_read_status(struct bytes value); /* grpc-status; what is none of them is UNKNOWN */
uint64_t grpc_timeout(struct bytes value); /* grpc-timeout in ns; 0: none that can be read, or lived to see */
/* What a client makes of an answer without grpc-status, and of RST_STREAM. */
uint8_t grpc_of_http(uint16_t status);
uint8_t grpc_of_reset(uint32_t code);
const struct protocol_outcome *grpc_outcome(uint8_t status);

void grpc_describe_request(const struct http_message *message, enum protocol_side side,
			   const struct protocol_endpoint *endpoint, struct protocol_facts *facts);
void grpc_describe_response(const struct http_message *message, enum protocol_side side,
			    struct protocol_facts *facts);

#endif
