/* mysql.h - what the files of the MySQL and MariaDB parser share with each other and nobody else.
 *
 * mysql.c           the protocol: packets, events, descriptions
 * mysql_login.c     greeting, the client's answer, what both agree on
 * mysql_request.c   commands
 * mysql_response.c  their answers
 * mysql_result.c    OK, error and end packets
 * mysql_zip.c       the compressed protocol
 * mysql_statement.c texts: of the statement that is being sent, and of those that were prepared
 *
 * A call is a COM_QUERY, COM_STMT_EXECUTE or COM_STMT_BULK_EXECUTE: what the server counts in `Questions` and
 * logs as Query and Execute. A COM_STMT_PREPARE that the server takes is a step of the calls to come, and
 * untold; one that it refuses is a call that failed. The other commands (COM_PING, COM_INIT_DB, ...) are
 * quiet: their answers say whose turn it is, and no more, unless one that the program waits for a result with
 * fails.
 *
 * What the plain state holds may be put back, see preload/protocol.h. What stands in the arena is written
 * again with the same bytes: statements by the number of the exchange that prepared them, inflated bytes by
 * their place (mysql_zip.c). Only the client's half is ever looked at ahead.
 *
 * Sources: MySQL's and MariaDB's published descriptions of the client/server protocol. */
#ifndef TAGALONG_MYSQL_H
#define TAGALONG_MYSQL_H

#include "hooks/protocols/mysql_wire.h"
#include "preload/protocol.h"

#define MYSQL_SPACE_MAX 64 /* bytes of a database's name; a longer one is not told */
#define MYSQL_WAITING 128  /* commands sent ahead of their answers */

/* What is to be answered, and how. */
enum mysql_kind {
	KIND_NONE,
	KIND_QUERY,
	KIND_EXECUTE,
	KIND_PREPARE,
	KIND_ROWS,   /* quiet: like a query */
	KIND_FETCH,  /* quiet: rows at once */
	KIND_PLAIN,  /* quiet: one packet */
	KIND_SPACE,  /* quiet: likewise, then another database is in use */
	KIND_USER,   /* quiet: a login */
	KIND_FIELDS, /* quiet: columns until their end */
};

/* Requests: what the payload under way is. */
enum mysql_sending {
	SENDING_NOTHING, /* passed over */
	SENDING_LOGIN,
	SENDING_COMMAND, /* its first byte */
	SENDING_ATTRIBUTES,
	SENDING_TEXT,
	SENDING_NUMBER, /* a statement's id */
	SENDING_SPACE,
};

enum mysql_phase {
	PHASE_GREETING,
	PHASE_LOGIN,
	PHASE_IDLE,
	PHASE_RESULT, /* the first packet of a result */
	PHASE_COLUMNS,
	PHASE_COLUMNS_END,
	PHASE_ROWS,
	PHASE_PREPARED, /* what describes a statement's parameters and columns */
};

struct mysql_half {
	uint32_t left, length; /* of the packet: to come, and all */
	uint32_t at;           /* bytes of the payload so far */
	uint8_t head[4], got;
	uint8_t sequence;
	bool inside; /* a payload is under way, be it between two packets of it */
	bool zipped;
	uint8_t zip_head[7], zip_got;
	bool zip_plain;
	uint32_t zip_left, zip_size; /* of the compressed packet: to come; inflated, to come */
	uint32_t zip_packets, zip_done;
};

struct mysql_run;

struct mysql_state {
	struct mysql_run *run; /* only during a feed */
	struct mysql_half half[2];
	uint32_t client, server; /* capabilities; before the greeting the server has all */
	uint32_t begun;          /* exchanges */
	uint32_t prepared;       /* the last one that prepared a statement */
	uint32_t statement;      /* of the command under way */
	uint32_t spacing;        /* the exchange that asked for `wanted` */
	/* The answer under way. */
	uint64_t rows;
	struct mysql_number number[2]; /* each half's */
	uint32_t columns, definitions; /* to come */
	uint16_t status, error;
	uint8_t phase, packet, field, entry;
	uint8_t sending, command, login, matched; /* of "MariaDB" */
	uint8_t waiting, first; /* commands without their answers, and where the oldest stands */
	uint8_t space_len, wanted_len;
	uint8_t client_more, server_more; /* MariaDB's capabilities */
	bool opaque : 1, mariadb : 1;
	bool session : 1; /* in TLS: the greeting went before it */
	bool told : 1;    /* the client has answered the greeting */
	bool answering : 1, has_rows : 1, failed : 1;
	bool filing : 1;    /* the server wants a file */
	bool headed : 1;    /* the newest exchange's head was told */
	bool drafted : 1;   /* a statement is in the stash */
	bool tabled : 1;    /* there is a table of statements */
	bool missed : 1;    /* a change to it, when it was folded */
	bool multibyte : 1; /* the client writes in a character set that must be read with care */
	uint8_t kinds[MYSQL_WAITING / 2]; /* two in each */
	char space[MYSQL_SPACE_MAX], wanted[MYSQL_SPACE_MAX];
};

_Static_assert(sizeof(struct mysql_state) <= PROTOCOL_STATE_MAX, "too large");

/* One feed, on the stack. */
struct mysql_run {
	struct mysql_state *state;
	struct mysql_half *half;
	struct protocol_sink *sink;
	struct bytes in; /* as it came */
	size_t at;       /* in it: for what is told */
	bool requests;
	enum mysql_kind kind; /* of the call that is being told */
	struct bytes text, summary;
	uint32_t statements; /* in it */
	bool unknown;        /* its text is not there any more */
	bool commentable;    /* a comment may be put in */
	uint8_t tail;        /* before so many bytes of its end */
	char digits[5];      /* of an error's number */
};

/* mysql.c */
void mysql_tell(struct mysql_run *run, enum protocol_event_type type, uint32_t exchange, bool quiet);
void mysql_opaque(struct mysql_run *run, enum protocol_opaque why);
/* Bytes of the packets' stream; returns how many were used: less when compression begins there. */
size_t mysql_stream(struct mysql_run *run, struct bytes in);
static inline bool mysql_can(const struct mysql_state *state, uint32_t capability)
{
	return state->client & state->server & capability;
}

/* mysql_login.c: byte by byte. */
void mysql_greeting_byte(struct mysql_run *run, uint8_t byte);
void mysql_login_begin(struct mysql_state *state);       /* the client's first packet */
void mysql_change_user_begin(struct mysql_state *state); /* COM_CHANGE_USER */
void mysql_login_byte(struct mysql_run *run, uint32_t at, uint8_t byte);
void mysql_login_sent(struct mysql_run *run);
void mysql_logged_in(struct mysql_run *run);

/* mysql_request.c */
void mysql_request_begin(struct mysql_run *run);
void mysql_request_bytes(struct mysql_run *run, struct bytes piece);
void mysql_request_end(struct mysql_run *run);
void mysql_request_head(struct mysql_run *run, uint32_t exchange, enum mysql_kind kind);

/* mysql_response.c */
void mysql_response_begin(struct mysql_run *run);
void mysql_response_bytes(struct mysql_run *run, struct bytes piece);
void mysql_response_end(struct mysql_run *run);
/* Between two packets: how many bytes are whole ones of columns and rows, which only count. */
size_t mysql_response_passed(struct mysql_run *run, struct bytes in);
enum mysql_kind mysql_waiting(const struct mysql_state *state); /* the oldest's kind */
bool mysql_wait(struct mysql_state *state, enum mysql_kind kind);

/* mysql_result.c: the bytes of packets that say how it went. */
void mysql_result_begin(struct mysql_state *state);
void mysql_result_byte(struct mysql_state *state, uint32_t at, uint8_t byte);
/* The exchange's request for another database was granted. */
void mysql_space_granted(struct mysql_state *state, uint32_t exchange);

/* mysql_zip.c: as mysql_stream(), all of it. */
void mysql_zip(struct mysql_run *run, struct bytes in);

#endif
