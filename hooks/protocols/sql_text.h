/* sql_text.h - what a span may say of an SQL text: the text without its literals, and a short summary.
 *
 * One pass over the bytes, which may come in pieces cut anywhere; no allocation, nothing kept but what the
 * struct holds. Written are only the caller's two rooms, and what stands in them never depends on the cuts: a
 * smaller room holds the beginning of what a larger one would.
 *
 * Literals become `?`, comments go (a blank takes their place where there was none), the literals of an IN
 * list become one. What cannot be told for sure (a backslash before a quote when nobody said whether it
 * escapes, a bracket that may be a subscript) ends the text there: `doubtful`. No byte of a literal is ever
 * written, neither when it is open at the end. See sql_summary.c for the summary. */
#ifndef TAGALONG_SQL_TEXT_H
#define TAGALONG_SQL_TEXT_H

#include "preload/bytes.h"

enum sql_dialect {
	SQL_GENERIC, /* anything behind ODBC: SQL Server's and Oracle's quoting too */
	SQL_POSTGRESQL,
	SQL_MYSQL, /* and MariaDB */
	SQL_SQLITE,
};

/* What a connection knows; without any the server's defaults hold. */
enum sql_flags {
	SQL_RAW = 1,          /* the text as it is; the summary all the same */
	SQL_ANSI_QUOTES = 2,  /* MySQL: "x" is a name */
	SQL_NO_BACKSLASH = 4, /* MySQL's NO_BACKSLASH_ESCAPES; generic: known not to escape */
	SQL_BACKSLASH = 8,    /* PostgreSQL: standard_conforming_strings=off; generic: known to escape */
	SQL_MULTIBYTE = 16,   /* a character set in which 5C may end a character (GBK, SJIS, Big5, GB18030) */
	SQL_DOUBLE_STRING = 32 /* generic: "x" is known to be a string */
};

#define SQL_SUMMARY_MAX 255

struct sql_room {
	char *ptr;
	size_t cap; /* 0: not wanted */
};

struct sql_text_result {
	struct bytes text, summary; /* in the rooms; the text ends on a UTF-8 boundary when it was cut */
	uint32_t statements;        /* that are not empty */
	bool cut;                   /* the text did not fit, or was given up */
	bool doubtful;              /* given up: neither the rest nor the number of statements is known */
	bool open;                  /* the last byte is inside a string, a quoted name or a comment */
	bool commented;             /* some comment, hints included */
};

/* Private, but plain memory: may be copied and thrown away at any time. */
struct sql_text {
	struct sql_room text, summary;
	size_t pos;     /* in the text, also beyond its room */
	size_t raw;     /* bytes fed */
	size_t mark;    /* where the token under way begins in the text */
	size_t list;    /* behind an IN list's first literal */
	uint64_t level; /* the bit of the innermost parenthesis; 0: too deep */
	uint64_t verb, query, from, want, with, values; /* a bit for each that is open */
	uint32_t names[8];                              /* of WITH, hashed */
	char word[32];                                  /* cut between two feeds; or a dollar quote's tag */
	uint32_t word_len, hash, statements;
	uint16_t depth, nest, block;
	uint16_t told, told_mark, told_verb, told_edge, told_first, told_differs; /* in the summary */
	uint8_t dialect, flags, state, plain, quote, escape, need, swallow, number, matched;
	uint8_t prev, prev_word, list_state; /* and blank: together, as every token sets them */
	bool blank, newline;
	uint8_t operation, ddl, role, parts, named;
	bool begun, hint, hint_star, doubtful, commented, gap, strange, valued;
	bool naming, target, quiet, hush, routine, explain, setop, between, deleting, full, differs, alert;
};

_Static_assert(sizeof(struct sql_text) <= 288, "lives inside connections");

void sql_text_begin(struct sql_text *sql, enum sql_dialect dialect, unsigned flags, struct sql_room text,
		    struct sql_room summary);
void sql_text_feed(struct sql_text *sql, struct bytes piece);
void sql_text_end(struct sql_text *sql, struct sql_text_result *result); /* nothing after it but begin */

/* Does a text that has lost its literals have a parameter as PostgreSQL writes them ($1)? */
bool sql_has_parameters(struct bytes text);

#endif
