/* protocol.h - what a wire protocol looks like to a connection.
 *
 * A protocol is a pure state machine over bytes. It is fed each half of a conversation in order, in
 * pieces cut anywhere, and answers through a sink with events. It does no I/O, takes no lock, keeps no
 * pointer into the fed bytes past the call, and allocates nothing: its state is a fixed-size struct
 * that the connection owns, copyable with memcpy (the connection does that to look ahead), plus one
 * stash block that it may ask for when a message head is cut between two feeds. Who copies the state to look
 * ahead copies a stash block that is there as well, and puts both back.
 *
 * The same code serves both roles: `requests` is fed with what the client sends, `responses` with what
 * the server sends. Whether that is read or written, and whether anything may be edited, is the
 * connection's business.
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
 * REQUEST_END may come after RESPONSE_END (a response before the request ended). OPAQUE ends the
 * parsing of both halves: `number` is an enum protocol_opaque. After OPAQUE a protocol ignores feeds.
 *
 * Source of the HTTP/1 rules: RFC 9110, RFC 9112. */
#ifndef TAGALONG_PROTOCOL_H
#define TAGALONG_PROTOCOL_H

#include <stdint.h>

#include "preload/attrs.h"
#include "preload/bytes.h"

#define PROTOCOL_STATE_MAX 384   /* bytes of state a connection has room for */
#define PROTOCOL_STASH_SIZE 8192 /* bytes of one stash block */

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
	EVENT_OPAQUE,
};

enum protocol_opaque {
	OPAQUE_NOT_MINE = 1, /* the first bytes are not this protocol */
	OPAQUE_HANDED_OVER,  /* CONNECT or Upgrade: the protocol ended as it should */
	OPAQUE_MALFORMED,    /* broke the protocol's rules, or an ambiguity an attacker could use */
	OPAQUE_TOO_LARGE,    /* beyond the budget: head too long, too many requests in flight */
	OPAQUE_LOST,         /* bytes went by that we did not see */
};

struct protocol_event {
	enum protocol_event_type type;
	uint32_t exchange;
	uint32_t number;    /* INTERIM, RESPONSE_HEAD: status; FIELD: the carrier's number; OPAQUE: why */
	size_t offset;      /* INSERT, FIELD, *_END: where in this feed (END: just past the last byte) */
	struct bytes value; /* FIELD: the value, trimmed; borrowed for the callback only */
	struct bytes name;  /* FIELD: its name as it stood there; borrowed likewise */
	bool whole;         /* FIELD: the value stands in this feed from `offset` to offset + value.len;
			     * false: it began in an earlier feed, and `offset` means nothing */
};

/* A block for what must outlive a feed. The connection provides `take`; the protocol calls it at most
 * once per head when `block` is NULL and sets nothing else; the connection frees the block after the
 * exchange's head event, or with the connection. take() answers NULL when the budget is used up. */
struct protocol_stash {
	char *block;
	char *(*take)(struct protocol_stash *stash);
};

struct protocol_sink {
	void (*event)(struct protocol_sink *sink, const struct protocol_event *event);
	struct protocol_stash *stash;
};

/* What the connection knows of its two ends; text is borrowed for the call, NONE where unknown. */
struct protocol_endpoint {
	struct bytes name;         /* host name the program looked up (client side) */
	struct bytes peer_address; /* numeric, or unix path */
	struct bytes local_address;
	uint16_t peer_port, local_port; /* 0: none */
	bool tls;
	bool is_unix;
};

/* What describe() fills in. Attributes go to `attrs`; the rest is copied by the caller at once. */
struct protocol_facts {
	struct attrs *attrs;
	struct bytes name;       /* span name; NONE: leave as it is */
	struct bytes error_type; /* NONE: no error */
	bool failed;             /* status ERROR */
	uint16_t status;         /* the protocol's status code, 0: none */
	/* Client side, to know a redirect's next request again. MOMENT_REQUEST: hashes of where the request
	 * goes (host and port) and of what it asks for. MOMENT_RESPONSE: `again` when the answer redirects,
	 * and where to (0: the same as asked before). */
	uint64_t authority, target;
	bool again;
};

enum protocol_side { SIDE_SERVER, SIDE_CLIENT };
enum protocol_moment { MOMENT_REQUEST, MOMENT_RESPONSE };

/* Set once at start, before any feed; read-only afterwards. Lists are arrays ended by a NONE item. */
struct protocol_settings {
	/* 0: not a carrier field; else its number, given back in FIELD. Must be fast for "host". */
	uint32_t (*carrier)(struct bytes name);
	/* Letters (bit 0: 'a') that a carrier field's name can begin with; 0: any. Saves asking for the
	 * others. */
	uint32_t carrier_letters;
	const struct bytes *known_methods;      /* case-sensitive */
	const struct bytes *capture_request[2]; /* [enum protocol_side], lower case header names */
	const struct bytes *capture_response[2];
	const struct bytes *redacted_query_keys;
};

extern struct protocol_settings protocol_settings; /* defined in preload/protocol.c */

/* Bytes of this feed that must change when something is put in behind them (a length): the `replaces` bytes
 * (at least one) before `end` become the first ones of `bytes`, the rest of the `len` is put in at `end`. */
struct protocol_patch {
	size_t end;
	uint8_t replaces, len;
	bool begun; /* the first of them stands in an earlier feed: too late to begin with it */
	bool gone;  /* and so does what follows them: `end` means nothing */
	char bytes[8];
};

struct protocol {
	const char *name;
	size_t state_size;
	void (*open)(void *state);
	/* Never reads outside `in`. */
	void (*feed)(void *state, enum protocol_half half, struct bytes in, struct protocol_sink *sink);
	/* `count` bytes of this half went by unread (sendfile, splice, MSG_TRUNC). Inside a body whose
	 * length is known that is as good as feeding them; elsewhere the protocol goes opaque (LOST). */
	void (*skip)(void *state, enum protocol_half half, uint64_t count, struct protocol_sink *sink);
	/* This half was closed. A response delimited by close ends here. */
	void (*end)(void *state, enum protocol_half half, struct protocol_sink *sink);
	/* Only during REQUEST_HEAD (MOMENT_REQUEST) or RESPONSE_HEAD (MOMENT_RESPONSE) callbacks. */
	void (*describe)(const void *state, enum protocol_side side, enum protocol_moment moment,
			 const struct protocol_endpoint *endpoint, struct protocol_facts *facts);
	/* Only during INSERT. NULL: fields are put in as "name: value\r\n" lines. Otherwise turns such lines
	 * into what this protocol puts there, and tells what that changes before it. Answers the length, 0:
	 * it does not fit. The same lines give the same bytes, however often it is asked. */
	size_t (*encode)(const void *state, struct bytes lines, char *out, size_t cap);
	/* Only together with encode, during INSERT: for `len` encoded bytes. False: the message would be too
	 * long. NULL: nothing changes. */
	bool (*patch)(const void *state, size_t len, struct protocol_patch *patch);
};

#endif
