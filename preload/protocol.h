/* protocol.h - what a wire protocol looks like to a connection.
 *
 * A protocol is a pure state machine over bytes. It is fed each half of a conversation in order, in
 * pieces cut anywhere, and answers through a sink with events. It does no I/O, takes no lock, keeps no
 * pointer into the fed bytes past the call, and allocates nothing: its state is a fixed-size struct
 * that the connection owns, copyable with memcpy (the connection does that to look ahead), plus one
 * stash block that it may ask for when a message head is cut between two feeds. Who copies the state to look
 * ahead copies a stash block that is there as well, and puts both back.
 *
 * A protocol whose memory is neither small nor plain (decompression tables) keeps that in an arena, which is
 * never copied: it must tell from its copied state what it has done to the arena already, and not do it a
 * second time when bytes that were looked at ahead are fed again.
 *
 * The same code serves both roles: `requests` is fed with what the client sends, `responses` with what the
 * server sends. Whether that is read or written, and edited, is the connection's business. The events and
 * their order: protocol_event.h. Source of the HTTP rules: RFC 9110, RFC 9112, RFC 9113, RFC 7541. */
#ifndef TAGALONG_PROTOCOL_H
#define TAGALONG_PROTOCOL_H

#include <stdint.h>

#include "preload/attrs.h"
#include "preload/bytes.h"
#include "preload/protocol_call.h"
#include "preload/protocol_event.h"
#include "preload/protocol_identity.h"
#include "preload/protocol_memo.h"
#include "preload/protocol_memory.h"
#include "preload/protocol_settings.h"

#define PROTOCOL_STATE_MAX 384 /* bytes of state a connection has room for */
#define PROTOCOL_HELLO_MAX 48  /* of a SWITCH */
#define PROTOCOL_NAME_MAX 128

struct protocol_sink {
	void (*event)(struct protocol_sink *sink, const struct protocol_event *event);
	uint32_t deaf; /* bit n: nobody listens to events of type n, which need not be told */
	struct protocol_stash *stash;
	struct protocol_arena *arena;
	/* Does a call end with the command that ends at this offset, though more is sent along? NULL: no. */
	bool (*parts)(struct protocol_sink *sink, size_t offset);
	char (*notes)[PROTOCOL_NOTES_SIZE]; /* two, aligned to 8; or NULL */
};

/* One change to the bytes of a feed. An insertion stands before the byte at `offset`; a replacement for as
 * many bytes as it has. An offset below 0 lies in an earlier feed. */
#define PROTOCOL_EDITS 5
struct protocol_edit {
	ptrdiff_t offset;
	bool replaces;
	struct bytes text;
};

/* The value of a field that is framed, anew: as long as it was, and different only in `len` bytes from `at`
 * on. */
struct protocol_rewrite {
	uint64_t framed;
	struct bytes value;
	size_t at, len;
};

/* What the connection knows of its two ends; text is borrowed for the call, NONE where unknown. */
struct protocol_endpoint {
	struct bytes name;         /* host name the program looked up (client side) */
	struct bytes peer_address; /* numeric, or unix path */
	struct bytes local_address;
	uint16_t peer_port, local_port; /* 0: none */
	bool tls;
	bool is_unix;
	struct protocol_memo
		*memo; /* the connection's, for what depends on this and on the message; or NULL */
};

/* What describe() fills in. Attributes go to `attrs`; the rest is copied by the caller at once. */
struct protocol_facts {
	struct attrs *attrs;
	struct bytes name;       /* span name; NONE: leave as it is */
	char *name_room;         /* PROTOCOL_NAME_MAX bytes where a name may be put together; NULL: none */
	struct bytes error_type; /* NONE: no error */
	bool failed;             /* status ERROR */
	uint16_t status;         /* the protocol's status code, 0: none */
	/* MOMENT_REQUEST, client side: a statement, of which a request may make many that are named alike. */
	bool statement;
	bool unknown; /* of such a call: its text is not known any more */
	/* Client side, to know a redirect's next request again. MOMENT_REQUEST: hashes of where the request
	 * goes (host and port) and of what it asks for. MOMENT_RESPONSE: `again` when the answer redirects,
	 * and where to (0: the same as asked before). */
	uint64_t authority, target;
	bool again;
	/* MOMENT_REQUEST: it calls a procedure, this one, and waits so many ns for it (0: for ever). */
	const struct protocol_call *call;
	struct bytes operation;
	uint64_t timeout;
	const struct protocol_outcome *outcome; /* MOMENT_RESPONSE: how it ended, where the head says so */
};

enum protocol_moment { MOMENT_REQUEST, MOMENT_RESPONSE };

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

	/* Only during INSERT and REQUEST_HEAD: tells the parts of this request, in order. NULL: what is asked
	 * by this protocol is nothing that is passed on. */
	enum protocol_identified (*identify)(const void *state, struct protocol_identity *to);

	/* A database's: followed where this side is its client, opaque where it is the server. Context is put
	 * in only where INSERT is told. */
	bool database;
	/* Several exchanges are under way at a time, in any order. */
	bool multiplexed;
	/* Back to where the copy stands with what the client sends, and only with that: of what the server
	 * sends more may have been fed since. NULL: a copy is put back whole, and only when nothing was. */
	void (*put_back)(void *state, const void *copy);
	size_t stash_requests; /* with put_back: so many bytes of a stash, from its beginning, are the
				  requests' */
	/* Are these, the first bytes of a connection, certainly this protocol's? NULL: never certain. The
	 * first protocol of the list has all that nobody is certain of. */
	bool (*begins)(enum protocol_half half, struct bytes first);
	/* Does the arena hold nothing that is still to be read? There are fewer of them than connections, and
	 * most of a pool's wait for their next call. NULL: it does as long as the connection lives. */
	bool (*at_rest)(const void *state);
	/* Together. Packs what the arena holds into `size` bytes, aligned to 64, so that the arena can go;
	 * false: it cannot, now. Then, into an arena with undefined contents, from what fold() left; false:
	 * it cannot, and the connection is followed no longer. Never within a feed or while what was looked
	 * at ahead may come again. NULL: the arena stays. */
	bool (*fold)(void *state, char *arena, char *to, size_t size);
	bool (*unfold)(void *state, const char *from, char *arena);
	/* After open(), in a session whose carrier was followed as this protocol, and handed over: what is
	 * known from there. */
	void (*resume)(void *state, const void *carrier);
	/* Instead of open(): begins in the middle of a connection, after SWITCH. Exchange 1 is under way. */
	void (*take_over)(void *state, struct bytes hello, struct protocol_sink *sink);
	/* Only during INSERT. How the lines ("name: value" CRLF ...) are put in where that takes more than
	 * putting them there: fills `edit`, in order of offset, with texts that stand in `room` one after the
	 * other, and returns how many; 0: it cannot be done. Asked again for the same head and lines it
	 * answers the same, in the new feed's offsets. The caller must drop the edit when part of it lies in
	 * an earlier feed and has not been made. NULL: the lines go in as they are, at the event's offset. */
	int (*insert)(const void *state, struct bytes lines, char *room, size_t size,
		      struct protocol_edit edit[PROTOCOL_EDITS]);
	/* Only during INSERT, with what a FIELD of this head said in `framed`. As insert(), for a value in
	 * place of the one that is there. */
	int (*rewrite)(const void *state, const struct protocol_rewrite *what, char *room, size_t size,
		       struct protocol_edit edit[PROTOCOL_EDITS]);
	/* Only during INSERT. NULL: fields are put in as "name: value\r\n" lines. Otherwise turns such lines
	 * into what this protocol puts there, and tells what that changes before it. Answers the length, 0:
	 * it does not fit. The same lines give the same bytes, however often it is asked. */
	size_t (*encode)(const void *state, struct bytes lines, char *out, size_t cap);
	/* Only together with encode, during INSERT: for `len` encoded bytes. False: the message would be too
	 * long. NULL: nothing changes. */
	bool (*patch)(const void *state, size_t len, struct protocol_patch *patch);
};

#endif
