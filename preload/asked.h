/* asked.h - what a database's client library was asked to do, and by whom: its handles as evidence.
 *
 * Such a library (libpq, hiredis, ...) keeps what it is asked in the handle, and writes it when it likes: in
 * a pipeline, together with others' and in the middle of somebody else's request. Whose it is was certain
 * when it was asked. So its hooks tell of each call as it is asked, and the connection beneath keeps them in
 * order: an exchange that begins on the wire is the next one's, whoever flushes. And while answers are
 * awaited, the wire says nothing of whose turn it is: what was read lies in the handle, and the program
 * learns of it when it takes an answer from there, oldest first, which the hooks tell as well.
 *
 * The wire has the spans: it is what every other client of the protocol goes by, and knows the server and how
 * each call ended. Only where it cannot follow the connection (GSS encryption, TLS of a library that we do
 * not see, a connection older than us) the library's hooks make them, held here until they are answered.
 *
 * A handle is used by one thread at a time, which is these libraries' rule. Kept in runs: any number of calls
 * in a row of one activity takes one place. Bounded; beyond that (counted) a connection's calls are judged as
 * if nobody had told of them, and of an event loop's the wire says that they are ambiguous, until the handle
 * has nothing under way. No allocation, no lock, no system call; all expect hook_enter(). */
#ifndef TAGALONG_ASKED_H
#define TAGALONG_ASKED_H

#include "preload/activity.h"
#include "preload/conn.h"

enum asked_flags {
	ASKED_PART = 1,  /* not executed: an exchange only if it fails */
	ASKED_ALONE = 2, /* the library has nothing else under way, whatever we know */
	ASKED_BLIND = 4, /* the wire is not followed, whatever it may believe yet */
};

/* Of a call whose span is the library's. */
struct asked_own {
	bool own;                                 /* it is: the wire is not followed */
	struct span *span;                        /* to be described; NULL: none */
	const struct protocol_endpoint *endpoint; /* of the server */
};

/* --- the library's hooks ------------------------------------------------------------------------------ */

/* Before the real call. False: nobody knows this descriptor, or there is no room: do without. */
bool asked_push(int fd, unsigned flags, struct asked_own *own);
/* Is the wire of this descriptor followed, as this protocol, so that the spans are its own? */
bool asked_followed(int fd, const char *protocol);
/* The library has refused what was pushed last. */
void asked_pull(int fd);
/* The program is given an answer to the oldest, or a part of it (!whole). */
void asked_answer(struct conn *conn, bool whole);
/* There is no more of an answer: if any of it was given, the oldest is over, and its span, if it has one,
 * ends when the last was given. */
void asked_over(struct conn *conn);
void asked_end_span(struct conn *conn); /* its span ends now, though it is not over */

/* The connection of this descriptor with a reference, if there is something under way. */
struct conn *asked_get(int fd);
/* Has any connection's calls' spans? If not, nothing below is of interest. */
bool asked_owns(void);
struct span *asked_span(const struct conn *conn); /* of the oldest, where the library has the spans; NULL */
/* From here on the connection's end leaves what is under way. */
void asked_hold(struct conn *conn);
void asked_put(struct conn *conn); /* and gives back the reference */

/* --- the connection ----------------------------------------------------------------------------------- */

size_t asked_memory(uint32_t connections); /* address space that asked_init() takes */
bool asked_init(uint32_t connections);
/* Whose is the exchange that begins? False: nobody told. part: it is not executed (so far). */
bool asked_next(struct conn *conn, struct span *span, bool part, struct activity_verdict *verdict);
/* It will be tried again. */
void asked_again(struct conn *conn, const struct span *span);
/* Do the library's hooks say who is given what is read now? */
bool asked_tells(const struct conn *conn);
/* The connection is closed: nothing will be answered. */
void asked_closed(struct conn *conn);
void asked_forked(struct conn *conn);

#endif
