/* parent.h - why a span has the parent that it has, or none. */
#ifndef TAGALONG_PARENT_H
#define TAGALONG_PARENT_H

#include <stdbool.h>
#include <stdint.h>

/* Who a span is, without keeping it: 0 is nobody. */
typedef uint64_t span_ref;
#define SPAN_NOBODY ((span_ref)0)

/* What gave a span its parent: tagalong.parent.evidence. Set at the point that decides, also where nobody
 * asks for it; a span without a parent has none, whatever stands here. */
enum parent_evidence {
	PARENT_NONE,
	PARENT_HEADER,     /* the message itself names it */
	PARENT_THREAD,     /* the thread read that request, and goes on with it */
	PARENT_CONNECTION, /* an answer to that request's call was read last; or the connection was made for
			      it */
	PARENT_LINEAGE,    /* the thread, process or coroutine was made, or gone on with, by its activity */
	PARENT_HANDOFF,    /* a hand-off between two threads was seen */
	PARENT_PROCESS,    /* the environment that the process was started with */
};

/* Why a call has no parent although there was evidence: tagalong.parent.ambiguity, and a counter for each. */
enum ambiguity {
	AMBIGUOUS_NOT,
	AMBIGUOUS_READ,       /* of two activities something was read since the thread waited last */
	AMBIGUOUS_LOOP,       /* an event loop that leaves requests waiting, see loop.h */
	AMBIGUOUS_TIMER,      /* a timer of the loop would go off about now */
	AMBIGUOUS_CONNECTION, /* the connection was made for another one, or in another turn of the loop */
	AMBIGUOUS_POOL,       /* threads that give back their requests, or were born in one */
	AMBIGUOUS_WAIT,       /* the thread waited where jobs are handed over, while others were under way */
	AMBIGUOUS_HANDOFF,    /* the same was handed over twice at one moment, see handoff.h */
	AMBIGUOUS_ID,         /* TAGALONG_CORRELATE: several requests in flight with that value, or alike */
	AMBIGUOUS_LIBRARY,    /* a client library sends it, and what it was given is not known any more */
	AMBIGUOUS_CUT,        /* a longjmp or a cancellation left one of our hooks */
	AMBIGUITIES
};

/* What the headers of TAGALONG_CORRELATE come to, of a request that goes out: see correlate.h. */
enum correlates { CORRELATES_NOT, CORRELATES_ONE, CORRELATES_MANY };
struct correlated {
	span_ref with;
	uint8_t found; /* enum correlates */
};
/* What a request brought in the headers of TAGALONG_CORRELATE: see correlate.h. */
#define CORRELATE_NAMES 4
#define SPAN_CORRELATES (CORRELATE_NAMES + 2) /* and of the request as a whole */
#define CORRELATE_VALUE 125
struct span_correlate {
	uint8_t field, len;
	bool placed;
	char text[CORRELATE_VALUE];
};

/* To whom something goes back that is nobody's child: Span.links. */
struct parent_link {
	uint8_t trace_id[16], span_id[8], flags;
	bool set;
};

#endif
