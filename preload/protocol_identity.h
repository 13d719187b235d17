/* protocol_identity.h - what of a request stays as it is where a proxy passes it on:
 * TAGALONG_CORRELATE=:request. */
#ifndef TAGALONG_PROTOCOL_IDENTITY_H
#define TAGALONG_PROTOCOL_IDENTITY_H

#include "preload/bytes.h"

enum protocol_part {
	PART_METHOD,
	PART_TARGET,
	PART_FIELD,         /* and those behind it: one number for each name */
	PART_WITHHELD = 31, /* some proxies keep it to themselves; comes last */
};

/* Who is told. Of several parts with one number the order is that of the message. */
struct protocol_identity {
	void (*part)(struct protocol_identity *to, enum protocol_part part, struct bytes text);
};

enum protocol_identified {
	IDENTIFIED_NOT,     /* it is none that is passed on: nothing was told */
	IDENTIFIED,         /* that is all */
	IDENTIFIED_IN_PART, /* method and target are right, of the rest something is not known any more */
	IDENTIFIED_LOST,    /* nothing of it is certain */
};

#endif
