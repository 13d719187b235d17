/* protocol_event.h - what a protocol tells of the bytes that it is fed with.
 *
 * Exchanges are numbered from 1 in order of their requests (multiplexed protocols: any unique number).
 * For each exchange the events come in this order:
 *
 *   REQUEST_BEGIN  first byte of a request was seen
 *   FIELD*         a carrier field (see protocol_settings.carrier), as often as it stands there
 *   INSERT         here, before the byte at `offset`, fields of our own may be put. Always followed, in
 *                  the same feed, by at least one more byte that belongs to this head; comes after all
 *                  FIELDs, once per head; may come a second time for the same exchange when the
 *                  connection restored a copied state
 *   REQUEST_HEAD   the head is complete; describe() may be asked about it during the callback
 *   REQUEST_END    the request's last byte
 *   RESPONSE_BEGIN first byte of the response (of the final one: 1xx are told as INTERIM)
 *   INTERIM        a 1xx response, status in `number`
 *   RESPONSE_HEAD  final head complete; describe() may be asked
 *   RESPONSE_END   last byte of the response
 *
 * Multiplexed protocols have two more, of which the second is also told by one whose server does not answer
 * (CANCELLED: the exchange ends when what was looked at ahead has been sent):
 *
 *   BODY           bytes of this exchange's body are in this feed, of the half that `number` says
 *   RESET          the exchange ends here, early; `number`: an enum protocol_reset, `value`: the error
 *
 * VOID says that the exchange was none after all, whatever was told of it: nothing is exported. Its number is
 * not given to another.
 *
 * SWITCH ends the parsing of both halves too: from `offset` on the connection speaks `next`, with this
 * exchange, the only one and its request complete, under way; `value` is what next->take_over() is to be
 * told.
 *
 * REQUEST_END may come after RESPONSE_END (a response before the request ended). OPAQUE ends the
 * parsing of both halves: `number` is an enum protocol_opaque. After OPAQUE a protocol ignores feeds. */
#ifndef TAGALONG_PROTOCOL_EVENT_H
#define TAGALONG_PROTOCOL_EVENT_H

#include <stdint.h>

#include "preload/bytes.h"

enum protocol_half { HALF_REQUESTS, HALF_RESPONSES };

enum protocol_event_type {
	EVENT_REQUEST_BEGIN,
	EVENT_FIELD,
	EVENT_INSERT,
	EVENT_REQUEST_HEAD,
	EVENT_REQUEST_END,
	EVENT_RESPONSE_BEGIN,
	EVENT_INTERIM,
	EVENT_RESPONSE_HEAD,
	EVENT_RESPONSE_END,
	EVENT_BODY,
	EVENT_RESET,
	EVENT_VOID,
	EVENT_OPAQUE, /* this and the next: of the connection, not of an exchange */
	EVENT_SWITCH,
};

enum protocol_reset {
	RESET_FAILED,
	RESET_CANCELLED, /* the client wanted no more of it: for that side no error */
};

enum protocol_opaque {
	OPAQUE_NOT_MINE = 1, /* the first bytes are not this protocol */
	OPAQUE_HANDED_OVER,  /* CONNECT or Upgrade: the protocol ended as it should */
	OPAQUE_MALFORMED,    /* broke the protocol's rules, or an ambiguity an attacker could use */
	OPAQUE_TOO_LARGE,    /* beyond the budget: head too long, too many requests in flight */
	OPAQUE_LOST,         /* bytes went by that we did not see */
};

struct protocol;
struct protocol_outcome;

struct protocol_event {
	enum protocol_event_type type;
	uint32_t exchange;
	uint32_t number;    /* INTERIM, RESPONSE_HEAD: status; FIELD: the carrier's number; OPAQUE: why */
	size_t offset;      /* INSERT, FIELD, *_END: where in this feed (END: just past the last byte) */
	struct bytes value; /* FIELD: the value, trimmed; borrowed for the callback only */
	struct bytes name;  /* FIELD: its name as it stood there; borrowed likewise */
	uint64_t *mark; /* a word that a multiplexed protocol keeps with the exchange for who is told, 0 at
			 * first; valid during the callback. NULL: none */
	/* RESPONSE_END and RESET of a call: how it ended, and how if the time for it is up (NULL: likewise).
	 */
	const struct protocol_outcome *outcome, *late;
	const struct protocol *next; /* SWITCH */
	uint64_t framed; /* FIELD: what rewrite() takes to change the value where it stands; 0: it cannot */
	bool quiet; /* REQUEST_HEAD: whose it is counts, but it is no span of its own (so far: it may be told
		     * again, and then be one). RESPONSE_END: nothing came of it that is to be told */
	bool part;  /* REQUEST_HEAD: preparation only, of which nothing is told unless it fails */
	bool whole; /* FIELD: the value stands in this feed from `offset` to offset + value.len;
		     * false: it began in an earlier feed, and `offset` means nothing */
};

#endif
