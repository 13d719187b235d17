/* cgi.h - what FastCGI, SCGI and uwsgi have in common: a request is a set of CGI variables (RFC 3875), its
 * response begins with header lines.
 *
 * cgi_params.c    variables and response fields, collected from pieces cut anywhere, as one HTTP message
 * cgi_response.c  the lines of a response head
 * cgi_single.c    bodies and ends where a connection carries one request (SCGI, uwsgi)
 * cgi_encode.c    injected header lines as variables
 *
 * What a head says is copied into the connection's stash: requests use its first part, responses the rest. A
 * value that stands in one piece in this feed is told from there, so that it can be overwritten. */
#ifndef TAGALONG_CGI_H
#define TAGALONG_CGI_H

#include "hooks/protocols/http_describe.h"

#define CGI_HEAD_MAX (256 * 1024)
#define CGI_NAME_MAX 256
#define CGI_SCRATCH 1536

enum cgi_field {
	CGI_OTHER,
	CGI_METHOD,
	CGI_URI,
	CGI_SCRIPT,
	CGI_QUERY,
	CGI_PROTOCOL,
	CGI_HOST,
	CGI_SERVER_NAME,
	CGI_SERVER_PORT,
	CGI_SCHEME,
	CGI_HTTPS,
	CGI_REMOTE_ADDR,
	CGI_CONTENT_LENGTH,
	CGI_USER_AGENT,
	CGI_FORWARDED,
	CGI_FORWARDED_PROTO,
	CGI_FORWARDED_HOST,
	CGI_FORWARDED_FOR,
	CGI_STATUS, /* of responses */
	CGI_LOCATION,
};

enum cgi_step { CGI_LINE, CGI_LINE_CR, CGI_NAME, CGI_VALUE, CGI_DULL, CGI_DONE };

/* One half's head, between feeds. */
struct cgi_half {
	uint64_t length;            /* Content-Length, then what is left of the body */
	uint32_t head;              /* bytes of this head */
	uint32_t carrier;           /* number of the variable under way */
	uint16_t from, used, limit; /* our part of the stash: records in [from, used) */
	uint16_t open;              /* bytes of the unfinished record behind them */
	uint16_t name_len;          /* of these, the name */
	uint16_t status, cut;
	uint8_t field, step;
	bool captured, overflow, has_length, located;
};

/* One feed, on the stack. */
struct cgi_run {
	struct cgi_half *half;
	struct protocol_sink *sink;
	struct bytes in;
	size_t at;
	uint32_t exchange;
	enum protocol_half which;
	enum protocol_opaque why; /* not 0: this must be the end */
	struct bytes pending;     /* first piece of the value under way, not copied yet */
	size_t scratched;
	struct http_message message;
	char scratch[CGI_SCRATCH];
};

void cgi_start(struct cgi_run *run, struct cgi_half *half, enum protocol_half which, struct bytes in,
	       struct protocol_sink *sink);
void cgi_tell(struct cgi_run *run, enum protocol_event_type type, uint32_t number, size_t offset);

/* cgi_params.c: begin; then for each variable name*, named, value*, valued; suspend at the end of a feed in
 * the middle of it. Pieces must lie in run->in. */
void cgi_begin(struct cgi_run *run);
void cgi_name(struct cgi_run *run, struct bytes piece);
void cgi_named(struct cgi_run *run);
/* It was no name after all: gives up what was collected of it; borrowed until the next call. */
struct bytes cgi_unnamed(struct cgi_run *run);
void cgi_value(struct cgi_run *run, struct bytes piece);
void cgi_valued(struct cgi_run *run);
void cgi_suspend(struct cgi_run *run);
/* Fills run->message from what was collected; valid until the end of the feed. */
void cgi_message(struct cgi_run *run);
bool cgi_consume(struct cgi_run *run, size_t count); /* false: the head is too long */

/* cgi_response.c: takes bytes of `piece` until the head is complete (then half->step is CGI_DONE); returns
 * how many. */
size_t cgi_response(struct cgi_run *run, struct bytes piece);

/* cgi_single.c: protocols with one request a connection, its response ended by close or Content-Length. */
struct cgi_single {
	struct cgi_half half[2];
	bool opaque, begun, proven, requested, responding, responded;
};
struct cgi_run;
void cgi_single_opaque(struct cgi_single *single, struct cgi_run *run, enum protocol_opaque why);
void cgi_single_begin(struct cgi_single *single, struct cgi_run *run);
void cgi_single_head_done(struct cgi_single *single, struct cgi_run *run); /* at run->at */
void cgi_single_body(struct cgi_single *single, struct cgi_run *run, uint64_t count);
void cgi_single_response(struct cgi_single *single, struct cgi_run *run);
void cgi_single_skip(struct cgi_single *single, struct cgi_run *run, uint64_t count);
void cgi_single_end(struct cgi_single *single, struct cgi_run *run);

/* cgi_encode.c: next of "name: value\r\n" lines as variable; the name goes to `name` (CGI_NAME_MAX). */
bool cgi_next_line(struct bytes *lines, char *name, size_t *name_len, struct bytes *value);

void cgi_describe(const struct cgi_run *run, enum protocol_side side, enum protocol_moment moment,
		  const struct protocol_endpoint *endpoint, struct protocol_facts *facts);

#endif
