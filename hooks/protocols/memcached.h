/* memcached.h - memcached's protocols, ASCII with its meta commands, and binary, seen by the client's side.
 * Source: memcached's doc/protocol.txt, and its protocol_binary.h for the numbers.
 *
 * memcached.c         calls: which commands make up one, events
 * memcached_line.c    a command's line
 * memcached_text.c    ASCII: commands with their data, replies
 * memcached_binary.c  the same for binary
 *
 * A call is what one write of the program holds: a command, or a pipeline of them. A write that ends inside a
 * command is not over yet, nor is one that ends with quiet reads: what ends their answers (a no-op, mostly)
 * is still to come. What is answered has an entry in a queue in the arena; entries are written once and for
 * all from what was fed, so that feeding the same again writes the same. What is not answered (noreply, quiet
 * writes) has none: a call of nothing else ends with its write. Should the server complain of it
 * nevertheless, that may stand where another command's answer is waited for: each entry knows what of that
 * kind went ahead of it, and where it cannot be told apart the connection is given up. */
#ifndef TAGALONG_MEMCACHED_H
#define TAGALONG_MEMCACHED_H

#include "hooks/protocols/db_describe.h"

#define MEMCACHED_IN_FLIGHT 16384 /* commands that wait for their answers on one connection */
#define MEMCACHED_KEY 250
#define MEMCACHED_HEADER 24 /* binary */

/* What answers a command. */
enum memcached_kind {
	MEMCACHED_ONE,    /* a line */
	MEMCACHED_VALUES, /* VALUE lines with their data, END */
	MEMCACHED_STATS,  /* STAT lines, END; binary: until the empty one */
	MEMCACHED_META,   /* a line; VA has data */
	MEMCACHED_NOOP,   /* MN, behind what quiet ones had to say */
	MEMCACHED_QUIT,   /* the connection's end */
};

enum memcached_shape {
	MEMCACHED_STORE, /* key flags exptime bytes */
	MEMCACHED_CAS,   /* and one more */
	MEMCACHED_GET,   /* keys */
	MEMCACHED_GAT,   /* exptime keys */
	MEMCACHED_KEY_ONLY,
	MEMCACHED_NUMBER, /* key number */
	MEMCACHED_FLAGS,  /* key flags, of the meta commands */
	MEMCACHED_DATA,   /* key bytes flags */
	MEMCACHED_WORDS,  /* anything */
	MEMCACHED_FLUSH,  /* anything, and noreply may be the first of it */
};

struct memcached_verb {
	struct bytes name;
	uint8_t shape, kind;
	uint8_t least, most; /* words in its line; 0: any number */
};

struct memcached_line {
	const struct memcached_verb *verb;
	uint64_t bytes; /* of the data that follow */
	uint64_t number;
	uint32_t words;
	uint16_t len; /* of the word under way */
	char word[10];
	bool digits, minus, cr;
	bool over;           /* its end was seen */
	bool noreply, quiet; /* quiet: flag q */
	bool bad;            /* nobody knows what the server makes of it */
	bool doubtful; /* the server understands it, or says that it does not; other protocols may have it */
};

/* Up to its end, if that is there: so many bytes. To be set to 0 before a line. */
size_t memcached_line(struct memcached_line *line, struct bytes in);

/* What went unanswered ahead of a command. Binary: bits 0 to 29 for the commands as numbered in answers. */
#define MEMCACHED_NOREPLY (1u << 0)
#define MEMCACHED_QUIET_WRITE (1u << 1)
#define MEMCACHED_QUIET_READ (1u << 2)
#define MEMCACHED_OWN (1u << 30)       /* in the same call */
#define MEMCACHED_FORGOTTEN (1u << 31) /* in one that is over */

struct memcached_entry {
	uint32_t exchange;
	uint32_t ahead;
	uint32_t opaque; /* binary, as these: */
	uint8_t kind, op;
	bool clash; /* something ahead of it has the same number and opaque */
};

/* A command that was seen. */
struct memcached_wish {
	struct bytes name;
	uint32_t opaque, ahead; /* ahead: what it leaves to those behind it. 0: it is answered */
	uint8_t kind, op;
	bool closes; /* only there to end the answers of those before it */
	bool reads;  /* quiet, and what it says is waited for */
};

/* The call that is being put together. */
struct memcached_call {
	struct bytes name; /* the command that they all are, unless mixed; a literal */
	uint32_t commands;
	bool begun, mixed, quiet, open, silent;
};

enum memcached_step { MEMCACHED_START, MEMCACHED_BODY, MEMCACHED_SPENT };

struct memcached_request {
	struct memcached_line line;
	uint64_t left;
	uint8_t step, used;
	unsigned char header[MEMCACHED_HEADER];
};

enum memcached_next { MEMCACHED_GOES_ON, MEMCACHED_LAST, MEMCACHED_BLOCK, MEMCACHED_BAD, MEMCACHED_DOUBT };

struct memcached_reply {
	uint64_t left, number;
	uint32_t words;
	uint8_t step, used, len, next, code_len;
	bool digits, first_digits, begun, failed;
	char word[14]; /* the first */
	char code[14];
	unsigned char header[MEMCACHED_HEADER];
};

struct memcached_heap;
struct memcached_state {
	struct memcached_request request;
	struct memcached_call call;
	struct memcached_reply reply;
	uint32_t head, tail;             /* the queue */
	uint32_t told;                   /* calls: exchange told + 1 is being put together */
	uint32_t ahead, lowest, highest; /* of quiet ones since the last entry; opaques */
	bool binary, spoken, sure, quit, opaque;
};

_Static_assert(sizeof(struct memcached_state) <= PROTOCOL_STATE_MAX, "too large");

struct memcached_heap {
	struct memcached_entry entry[MEMCACHED_IN_FLIGHT];
};

/* One feed, on the stack. */
struct memcached_run {
	struct memcached_state *state;
	struct protocol_sink *sink;
	struct bytes in;
	size_t at;
};

/* --- memcached.c */
void memcached_opaque(struct memcached_run *run, enum protocol_opaque why);
/* A command's first bytes were seen. */
void memcached_begins(struct memcached_run *run);
void memcached_asked(struct memcached_run *run, const struct memcached_wish *wish);
/* What was written so far is a call, if it is anything: nothing joins it any more. */
void memcached_call_ends(struct memcached_run *run);
/* What the next reply belongs to, or NULL. */
const struct memcached_entry *memcached_awaited(struct memcached_run *run);
void memcached_failed(struct memcached_run *run, struct bytes code);
/* Something failed that `ahead` speaks of. False: nobody knows what. */
bool memcached_failed_ahead(struct memcached_run *run, uint32_t ahead, struct bytes code);
/* A reply, or a piece of one that has data behind it, was understood. */
void memcached_understood(struct memcached_run *run, const struct memcached_entry *entry);
/* The entry's answer is complete. */
void memcached_answered(struct memcached_run *run);
/* What was seen of an answer cannot be: of the protocol, or of the calls that wait. */
void memcached_refuse(struct memcached_run *run, enum memcached_next why);
/* --- memcached_text.c, memcached_binary.c */
void memcached_text_requests(struct memcached_run *run);
void memcached_text_replies(struct memcached_run *run);
void memcached_text_early(struct memcached_run *run);
void memcached_binary_requests(struct memcached_run *run);
void memcached_binary_replies(struct memcached_run *run);
void memcached_binary_early(struct memcached_run *run);
bool memcached_binary_begins(struct bytes first);

#endif
