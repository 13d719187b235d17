/* rpc_web.h - calls that travel as plain HTTP requests: gRPC-Web and Connect. Pure.
 *
 * Their spans stay HTTP spans, with http.* and the HTTP status, and say besides which call it was. How it
 * ended is told where the head of the answer says so: gRPC-Web's grpc-status there, which an answer without a
 * body has. Where it stands in the body (gRPC-Web's last frame, Connect's error as JSON or at the end of a
 * stream), it is not told: bodies are not read. */
#ifndef TAGALONG_RPC_WEB_H
#define TAGALONG_RPC_WEB_H

#include "hooks/protocols/http_describe.h"

/* Of a request that has a content type. Nothing, if it is no such call. */
void rpc_web_describe(const struct http_message *message, struct protocol_facts *facts);
/* NULL: the head does not say. Means something only where the request was such a call. */
const struct protocol_outcome *rpc_web_outcome(const struct http_message *message);

#endif
