/* fastcgi.h - what the files of the FastCGI parser share with each other and nobody else.
 *
 * fastcgi.c         records, and what they mean for their requests
 * fastcgi_params.c  the stream of names and values; variables to put in */
#ifndef TAGALONG_FASTCGI_H
#define TAGALONG_FASTCGI_H

#include "hooks/protocols/cgi.h"

#define FASTCGI_REQUESTS 16 /* at once on one connection */
#define FASTCGI_NOBODY 255

enum fastcgi_type {
	FASTCGI_BEGIN_REQUEST = 1,
	FASTCGI_ABORT_REQUEST,
	FASTCGI_END_REQUEST,
	FASTCGI_PARAMS,
	FASTCGI_STDIN,
	FASTCGI_STDOUT,
	FASTCGI_STDERR,
	FASTCGI_DATA,
	FASTCGI_GET_VALUES,
	FASTCGI_GET_VALUES_RESULT,
	FASTCGI_UNKNOWN_TYPE,
};

struct fastcgi_request {
	uint32_t exchange; /* 0: no PARAMS came yet */
	uint16_t id;
	bool used : 1, head_done : 1, ended : 1, responding : 1, answered : 1;
};

struct fastcgi_half {
	uint8_t header[8], got; /* of the record under way */
	uint8_t body[8];        /* of BEGIN_REQUEST and END_REQUEST */
	uint8_t body_got, padding;
	uint8_t slot;     /* of the record's request, or FASTCGI_NOBODY */
	uint8_t head;     /* slot of the request whose head is under way, or FASTCGI_NOBODY */
	uint16_t content; /* what is left of the record's */
};

enum fastcgi_pair_step { PAIR_LENGTHS, PAIR_NAME, PAIR_VALUE };

/* A name-value pair under way. */
struct fastcgi_pair {
	uint32_t name, value; /* lengths, then what is left of them */
	uint8_t step, got, lengths[8];
};

struct fastcgi_state {
	struct cgi_run *run; /* only during a feed */
	uint32_t begun;
	bool opaque, proven;
	uint16_t insert_id;
	struct fastcgi_pair pair;
	struct fastcgi_half record[2];
	struct cgi_half half[2];
	struct fastcgi_request request[FASTCGI_REQUESTS];
};

_Static_assert(sizeof(struct fastcgi_state) <= PROTOCOL_STATE_MAX, "too large");

/* fastcgi_params.c: `piece` lies in run->in. False: it breaks the rules (or run->why). */
bool fastcgi_pairs(struct fastcgi_pair *pair, struct cgi_run *run, struct bytes piece);
bool fastcgi_pairs_complete(const struct fastcgi_pair *pair);
size_t fastcgi_encode(const void *state, struct bytes lines, char *out, size_t cap);

#endif
