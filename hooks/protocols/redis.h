/* redis.h - Redis and Valkey: RESP2 and RESP3, seen by the client's side. Source: Redis serialization
 * protocol specification (redis.io, RESP), CLIENT REPLY, HELLO, MULTI.
 *
 * redis.c           commands, how they are put together to calls, events
 * redis_whole.c     a command that was written in one piece
 * redis_command.c   what of a command's arguments may be told
 * redis_response.c  replies
 *
 * A call is what one write of the program holds: a command, or a pipeline of them. A write that ends inside a
 * command is not over yet. Where answers are counted, a call is one entry of a queue in the arena; entries
 * are written once and for all from what was fed, so that feeding the same again writes the same. */
#ifndef TAGALONG_REDIS_H
#define TAGALONG_REDIS_H

#include "hooks/protocols/db_describe.h"

#define REDIS_TEXT 1024    /* of one call's text */
#define REDIS_CALLS 4096   /* in flight on one connection */
#define REDIS_NAME 24      /* of a command */
#define REDIS_DEPTH 16     /* of aggregates in a reply */
#define REDIS_ARGUMENT 128 /* bytes of one argument that are told */
#define REDIS_PROCEDURE 48 /* a script's SHA1 has 40 */

/* Which arguments are told; all others are replaced by a question mark, also those that are too many: a value
 * with a blank that nobody quoted. In raw text all are told but those of the first two. */
enum redis_keep {
	REDIS_NONE,      /* none, and not even how many: AUTH */
	REDIS_VERB,      /* the first, if it is a subcommand that is known; the rest may be passwords */
	REDIS_PAIRS,     /* key value key value ... */
	REDIS_KEY_PAIRS, /* key, then field value field value ... */
	REDIS_HIDE,      /* all are replaced */
	REDIS_FIRST,     /* the first: a key */
	REDIS_TWO,
	REDIS_THREE,
	REDIS_KEYS, /* all: keys and names of fields */
};

/* What a command does to the connection. */
enum redis_effect {
	REDIS_PLAIN,
	REDIS_MULTI,
	REDIS_EXEC,
	REDIS_SELECT,
	REDIS_LEAVES, /* from its first answer on the server speaks unasked: SUBSCRIBE, MONITOR, PSYNC */
	REDIS_SCRIPT, /* its first argument names what runs */
	REDIS_CLIENT, /* CLIENT: REPLY makes answers disappear */
};

struct redis_command {
	const char *name;
	uint8_t keep, effect;
	const char *verbs; /* REDIS_VERB's */
};

/* Never NULL: what is not known has its arguments hidden. */
const struct redis_command *redis_command(struct bytes name);
/* The same; often it is what it was before (or NULL). */
const struct redis_command *redis_command_again(const struct redis_command *before, struct bytes name);
/* May argument number `index` of `arguments` (the command's name is 0, and counts) be told? Not of
 * REDIS_VERB. */
bool redis_told(const struct redis_command *command, uint32_t arguments, uint32_t index);
/* May the first one of REDIS_VERB? */
bool redis_verb_told(const struct redis_command *command, struct bytes word);
/* What is told of the name: what is not known must look like one. */
struct bytes redis_name_told(const struct redis_command *command, struct bytes name);

enum redis_step { REDIS_START, REDIS_COUNT, REDIS_LENGTH, REDIS_DATA, REDIS_INLINE };

/* The requests' half. */
struct redis_request {
	uint32_t arguments, index; /* of the command under way */
	uint32_t length, left;     /* of the argument; left with its line's end */
	uint32_t number;           /* being read */
	uint8_t step, digits;
	uint8_t name_len, word_len;
	bool told, cr;
	char name[REDIS_NAME];
	char word[REDIS_PROCEDURE]; /* the first argument, where its meaning counts */
	const struct redis_command *command;
};

/* The call that is being put together. */
struct redis_call {
	uint32_t commands;
	uint16_t text;    /* bytes of it */
	uint16_t select;  /* 1 + the database that is to be used from then on, 0: the same */
	uint8_t name_len; /* the command that they all are, unless mixed; MULTI and EXEC do not count */
	uint8_t procedure_len;
	bool begun, mixed, multi, exec, full, quiet;
	char name[REDIS_NAME];
	char procedure[REDIS_PROCEDURE];
};

enum redis_reply_step { REDIS_TYPE, REDIS_LINE, REDIS_SIZE, REDIS_BULK };

/* The responses' half, and the call that is being answered. */
struct redis_reply {
	uint64_t left; /* of a bulk string with its line's end */
	uint64_t number;
	uint32_t open[REDIS_DEPTH]; /* items still to come, per level; with REDIS_ASIDE */
	uint8_t depth, step, type, digits, code_len;
	bool minus, push, failed, begun, coding;
	char code[32];
};

#define REDIS_ASIDE (1u << 31) /* an attribute: no item of what it stands in */

/* An entry of the queue. */
#define REDIS_REPLIES_MOST ((1u << 19) - 1)
#define REDIS_TRANSACTION (1u << 19)
#define REDIS_SELECT_SHIFT 20

struct redis_heap;
struct redis_state {
	struct redis_request request;
	struct redis_call call;
	struct redis_reply reply;
	uint32_t head, tail;          /* the queue: calls answered, calls written; exchange n is call n - 1 */
	uint32_t pending;             /* replies that the head call waits for; 0: to be looked up */
	uint32_t transaction, select; /* its entry's */
	uint32_t selecting;           /* calls in flight that change the database */
	uint16_t space;               /* the database's index */
	bool leaving, opaque;
	const struct redis_heap *heap; /* only during REQUEST_HEAD */
};

_Static_assert(sizeof(struct redis_state) <= PROTOCOL_STATE_MAX, "too large");

struct redis_heap {
	char text[REDIS_TEXT];
	uint32_t replies[REDIS_CALLS];
};

/* One feed, on the stack. */
struct redis_run {
	struct redis_state *state;
	struct protocol_sink *sink;
	struct bytes in;
	size_t at;
	struct redis_heap *heap; /* once it was asked for */
};

/* NULL: no room, and the connection was given up. */
struct redis_heap *redis_heap(struct redis_run *run);
void redis_tell(struct redis_run *run, enum protocol_event_type type, uint32_t exchange, bool quiet);
void redis_opaque(struct redis_run *run, enum protocol_opaque why);
/* What was written so far is a call, if it is anything: nothing joins it any more. */
void redis_call_ends(struct redis_run *run);
void redis_note_name(struct redis_call *call, struct bytes name);
/* redis_whole.c: the command that begins here, where it stands there whole and does nothing to the
 * connection. False: nothing was read. */
bool redis_whole(struct redis_run *run);
/* Copies, controls as question marks; returns behind what was written. */
char *redis_copy(char *to, struct bytes from);
/* redis_response.c */
void redis_replies(struct redis_run *run);

#endif
