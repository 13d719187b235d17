/* sql_words.h - the words of SQL that the summary or the quoting depends on; everything else is a name. */
#ifndef TAGALONG_SQL_WORDS_H
#define TAGALONG_SQL_WORDS_H

#include "preload/bytes.h"

enum sql_word {
	WORD_NONE,
	/* first words, and what follows them */
	WORD_SELECT,
	WORD_INSERT, /* a target follows: INSERT, MERGE */
	WORD_REPLACE,
	WORD_UPDATE,
	WORD_DELETE,
	WORD_MERGE,
	WORD_CALL,   /* a target follows: CALL, EXEC, CLOSE, USE, ... */
	WORD_OBJECT, /* TRUNCATE [TABLE] x */
	WORD_LOAD,
	WORD_DDL,   /* CREATE, ALTER */
	WORD_DROP,  /* a list of them */
	WORD_QUIET, /* GRANT, ...: nothing of what follows counts */
	WORD_START, /* the second word belongs to it */
	WORD_EXPLAIN,
	WORD_BEGIN,
	WORD_FETCH,
	WORD_COPY,
	WORD_ANALYZE,
	WORD_WITH,
	WORD_VALUES,
	WORD_SET,
	/* inside */
	WORD_FROM,
	WORD_JOIN,
	WORD_INTO,
	WORD_USING,
	WORD_ON,
	WORD_AS,
	WORD_CLAUSE, /* ends FROM's list: WHERE, GROUP, ... */
	WORD_SETOP,  /* UNION, ... */
	WORD_ALL,
	WORD_DISTINCT,
	WORD_TOP,
	WORD_SKIP, /* between a verb and its target */
	WORD_OR,   /* and the word behind it too */
	WORD_IF,
	WORD_RECURSIVE,
	WORD_TABLE,
	WORD_TYPE, /* of an object */
	WORD_ROUTINE,
	WORD_TRANSACTION,
	WORD_END,
	WORD_CASE,
	WORD_LOOP,
	WORD_IDENTIFIED,
	/* a value follows */
	WORD_SECRET, /* BY, of IDENTIFIED BY: Oracle's passwords look like names */
	WORD_IN,
	WORD_VALUE,
	WORD_BETWEEN,
	WORD_AND,
	WORD_BOOLEAN, /* is one */
};

#define SQL_WORD_MAX 13

struct sql_word_entry {
	char text[SQL_WORD_MAX + 1];
	uint8_t len, word;
};

struct sql_word_group {
	const struct sql_word_entry *entries; /* ended by an empty one */
	uint32_t lengths, lasts;              /* a bit for each that occurs */
};

extern const struct sql_word_group sql_word_groups[32]; /* by the low bits of the first letter */
enum sql_word sql_word_find(const struct sql_word_group *group, struct bytes text);

static inline enum sql_word sql_word_of(struct bytes text)
{
	const struct sql_word_group *group = &sql_word_groups[text.ptr[0] & 31];

	if (text.len > SQL_WORD_MAX || !(group->lengths >> text.len & 1) ||
	    !(group->lasts >> (text.ptr[text.len - 1] & 31) & 1))
		return WORD_NONE;
	return sql_word_find(group, text);
}

#endif
