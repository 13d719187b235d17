/* rig.h - the byte-exactness rig: a host that sends and reads (through whatever is preloaded), a peer that stores what
 * arrived (straight to libc, past anything preloaded), and a checker that knows only the conversation's text.
 * Nothing of the project is included here. */
#ifndef RIG_H
#define RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "../../support/fault.h"

/* --- conversations ------------------------------------------------------------------------------------ */
#define MOST_TURNS 16
#define MOST_HEADS 16

enum expect { EXPECT_LINE, EXPECT_NOTHING, EXPECT_EITHER };

struct turn {
	bool client;
	size_t from, len; /* in the stream of its side */
};

struct head {
	size_t from, to; /* in the client's stream: from the request line to past the blank line */
	enum expect expect;
};

struct conversation {
	char name[64];
	char *stream[2]; /* the server's, the client's */
	size_t len[2];
	struct turn turn[MOST_TURNS];
	struct head head[MOST_HEADS];
	int turns, heads;
};

bool conversation_load(struct conversation *conversation, const char *path);

/* --- the libc functions as they are without any preloading -------------------------------------------- */
struct raw {
	int (*socket)(int, int, int);
	int (*accept)(int, void *, void *);
	int (*connect)(int, const void *, unsigned);
	ssize_t (*recv)(int, void *, size_t, int);
	ssize_t (*send)(int, const void *, size_t, int);
	int (*close)(int);
};
extern struct raw raw;

enum transport { OVER_UNIX, OVER_TCP, OVER_PAIR, TRANSPORTS };

void ends_init(void);
/* A connection: the host's end, made by connect() (or accept(), or socketpair()), and the raw one. */
void ends_make(enum transport transport, bool host_accepts, int *host, int *peer);

/* --- ways of sending ---------------------------------------------------------------------------------- */
enum method {
	BY_WRITE, BY_WRITEV, BY_SEND, BY_SENDTO, BY_SENDMSG, BY_SENDMMSG, BY_MORE, BY_DONTWAIT, BY_PWRITEV2,
	METHODS_EDITED,
	BY_SENDFILE = METHODS_EDITED, BY_SPLICE, METHODS
};
extern const char *const method_name[METHODS];

struct way {
	enum transport transport;
	bool nonblocking;
	enum method method;
	size_t cut[2]; /* 0: none */
	struct fault_step step[FAULT_STEPS];
	int steps;
	bool repeat; /* the last step stands for all calls to come */
};

/* Where the peer puts what it got. */
struct store {
	char *bytes;
	size_t len, room;
};
void store_take(struct store *store, int peer, bool to_the_end);

struct sender {
	const struct way *way;
	int host, peer;
	struct store *store; /* taken from the peer after each call; NULL: somebody else does */
	char why[200]; /* not empty: what the caller saw could not have come from the kernel */
};
/* All of it, by the way's method; `more` follows at once. */
bool sender_send(struct sender *sender, const char *bytes, size_t len, bool more);

/* --- the checker -------------------------------------------------------------------------------------- */
/* NULL: got is the client's stream with exactly the lines that are expected. Else what is wrong. */
const char *check_stream(const struct conversation *conversation, const enum expect *expect, const char *got, size_t len);
/* Got and expected of the same length, and differing in the 16 digits at `at` only, which must differ. */
const char *check_replaced(const char *sent, const char *got, size_t len, size_t at);

/* --- what is played ----------------------------------------------------------------------------------- */
extern struct fault_plan *faults; /* NULL: no fault layer is loaded */
extern bool bare;                 /* nothing of ours is preloaded: expect no line at all */
extern long plays, failures;
void plan_faults(const struct way *way, int fd);
void complain(const char *name, const struct way *way, const char *why);
void play_requests(const struct conversation *conversation);
void play_responses(const struct conversation *conversation);
void play_reads(const struct conversation *conversation, const char *log);
void play_proxy(void);
void play_pressure(const struct conversation *conversation);

#endif
