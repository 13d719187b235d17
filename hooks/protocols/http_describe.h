/* http_describe.h - what an HTTP message says about its span, whatever carried it.
 *
 * HTTP/1 fills this from lines; HTTP/2 and FastCGI can from their own fields. All text is borrowed for the
 * call. Semantic conventions: HTTP client and server spans. No allocation, no lock, no system call. */
#ifndef TAGALONG_HTTP_DESCRIBE_H
#define TAGALONG_HTTP_DESCRIBE_H

#include "preload/protocol.h"

#define HTTP_CAPTURES 32 /* header lines kept for header capture; more are counted as dropped */

struct http_captured {
	struct bytes name, value;
};

struct http_message {
	struct bytes method;
	struct bytes target;  /* origin, absolute, authority or asterisk form */
	struct bytes scheme;  /* where the protocol names it (:scheme), else NONE */
	struct bytes host;    /* Host or :authority */
	struct bytes version; /* "1.1" */
	struct bytes user_agent, forwarded, forwarded_proto, forwarded_host, forwarded_for;
	struct bytes location;
	struct bytes content_type, connect_version; /* of a request */
	struct bytes grpc_status;                   /* of a response */
	uint16_t status;
	char status_text[4];
	uint16_t captures; /* used of captured[] */
	uint16_t missed;   /* captured lines that found no room */
	uint16_t cut;      /* values that are shorter than they were */
	uint32_t same;     /* version, host and user_agent are those of the messages before that said so; 0 */
	struct http_captured captured[HTTP_CAPTURES];
};

/* Fresh, without touching what `captures` guards. */
static inline void http_message_init(struct http_message *message)
{
	memset(message, 0, offsetof(struct http_message, captured));
}

/* Splits "host:port", "[v6]:port", "v6" and "host"; port 0 if there is none (or no valid one). */
struct bytes http_split_port(struct bytes authority, uint16_t *port);

/* The value of `name` in the first (left-most) element of a Forwarded field, unquoted; NONE if not there. */
struct bytes http_forwarded(struct bytes field, struct bytes name);

void http_describe_request(const struct http_message *message, enum protocol_side side,
			   const struct protocol_endpoint *endpoint, struct protocol_facts *facts);
void http_describe_response(const struct http_message *message, enum protocol_side side,
			    struct protocol_facts *facts);

/* The target without what a proxy that is asked as one takes away: scheme and authority. NONE: CONNECT. */
struct bytes http_path(const struct http_message *message);

/* http_identity.c: see protocol_identity.h. `cut`: something that was kept is shorter than it was. */
extern const struct bytes http_identity_fields[];
bool http_is_identity(struct bytes name); /* is it of these, and are they wanted? */
enum protocol_identified http_identify(const struct http_message *message, bool cut,
				       struct protocol_identity *to);

/* Parts of it, for what travels in HTTP and says more. */
void http_describe_captures(const struct http_message *message, const struct bytes *list, struct bytes prefix,
			    struct attrs *attrs);
void http_describe_peer(const struct protocol_endpoint *endpoint, struct attrs *attrs);

#endif
