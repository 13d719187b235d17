/* postgres_memory.h - what the PostgreSQL parser keeps outside of its state, and how much; how it reads a
 * number. */
#ifndef TAGALONG_POSTGRES_MEMORY_H
#define TAGALONG_POSTGRES_MEMORY_H

#include "hooks/protocols/db_prepared.h"
#include "hooks/protocols/sql_text.h"
#include "preload/protocol.h"

#define POSTGRES_NAME 63    /* the server tells names apart by so many bytes */
#define POSTGRES_QUEUE 64   /* messages in flight without an arena, a power of two */
#define POSTGRES_LONG 16384 /* and with one */

struct postgres_name {
	uint8_t len;
	char text[POSTGRES_NAME];
};

/* In the stash. */
struct postgres_stash {
	struct sql_text sql;
	/* Of the message under way; of the last Parse and Bind. */
	struct postgres_name statement, portal, parsed, bound;
	uint32_t statements; /* in the text; 0: nobody knows */
	uint8_t tail;        /* semicolons and blanks at its end */
	bool commentable;
	uint32_t text_from, text_len, summary_len, raw_len;
	char summary[SQL_SUMMARY_MAX];
	char text[]; /* to the block's end; of a Parse, its second half has the text as it came */
};

#define POSTGRES_TEXT ((PROTOCOL_STASH_SIZE - sizeof(struct postgres_stash)) & ~(size_t)1)

/* In the arena. */
struct postgres_heap {
	uint8_t queue[POSTGRES_LONG];
	_Alignas(8) char table[];
};

/* On the wire, numbers are big-endian. */
static inline uint32_t postgres_number(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* postgres_queue.c */
struct postgres_run;
struct postgres_heap *postgres_heap(struct postgres_run *run); /* NULL: none to be had */
/* Of named statements and portals; NULL: nothing was put into it, or it is not to be had. */
struct db_prepared *postgres_table(struct postgres_run *run);
/* See preload/protocol.h. */
bool postgres_fold(void *state, char *arena, char *to, size_t size);
bool postgres_unfold(void *state, const char *from, char *arena);

#endif
