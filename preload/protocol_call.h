/* protocol_call.h - a request that calls a procedure: what it was for and how it ended. Static texts all. */
#ifndef TAGALONG_PROTOCOL_CALL_H
#define TAGALONG_PROTOCOL_CALL_H

#include "preload/bytes.h"

struct protocol_outcome {
	struct bytes key, value; /* the attribute that tells it; NONE: only the following */
	bool failed[2];          /* [enum protocol_side]: an error there, with the value as its type */
	bool unknown;            /* the server knows nothing of the name that it was called by */
};

struct protocol_call {
	struct bytes operation,
		original;   /* attributes: what was called; what the caller said where that is */
	struct bytes other; /* unknown, and this its value */
	struct bytes name;  /* and this the span's name */
	const struct protocol_outcome *lost[2]; /* [side]: the connection broke, or the peer closed it */
	const struct protocol_outcome *left[2]; /* this side closed it. NULL: nobody knows */
};

#endif
