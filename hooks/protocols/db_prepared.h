/* db_prepared.h - what is known of a connection's prepared statements, by the names that its calls use.
 *
 * A table in memory that the caller gives (an arena): bounded in bytes, and what was put in first is the
 * first to go. All changes are entries of a log: a caller that has looked ahead over what was not sent after
 * all takes them back. One thread at a time; no allocation. */
#ifndef TAGALONG_DB_PREPARED_H
#define TAGALONG_DB_PREPARED_H

#include "preload/bytes.h"

#define DB_PREPARED_KEY_MAX 255
#define DB_PREPARED_TEXT_MAX 8192 /* what is longer is not kept */

struct db_prepared; /* at the beginning of that memory */

struct db_statement {
	struct bytes text, summary; /* in the table, until something is put in */
	uint32_t number;            /* the caller's own */
};

/* A statement's place: stays good when it is dropped, and until it had to go. 0: none. */
typedef uint64_t db_prepared_ref;

/* `memory` is aligned to 8, `size` at most 1 GiB; what stood there is forgotten. NULL: too small. */
struct db_prepared *db_prepared_init(void *memory, size_t size);
/* Replaces what had this key. 0: too large; then nothing has it. The texts may stand anywhere but in the
 * table. */
db_prepared_ref db_prepared_put(struct db_prepared *table, struct bytes key,
				const struct db_statement *statement);
db_prepared_ref db_prepared_find(const struct db_prepared *table, struct bytes key);
bool db_prepared_get(const struct db_prepared *table, db_prepared_ref ref, struct db_statement *statement);
void db_prepared_drop(struct db_prepared *table, struct bytes key);
/* Those whose number that is never were: looks at every one. */
void db_prepared_drop_number(struct db_prepared *table, uint32_t number);
/* How many changes there were; and back to where there were so many. What had to go meanwhile stays away. */
uint32_t db_prepared_changes(const struct db_prepared *table);
void db_prepared_go_back(struct db_prepared *table, uint32_t changes);

/* What it has by name, packed into `size` bytes aligned to 8; false: it is more than that. And a table with
 * that again, in as much memory as it was in: after as many changes, of which none is taken back, and no
 * older reference is good but `kept` (or NULL), which becomes what it will be then; 0: nothing has its name
 * any more. */
bool db_prepared_fold(const struct db_prepared *table, void *to, size_t size, db_prepared_ref *kept);
void db_prepared_unfold(void *memory, size_t size, const void *from);
/* One with nothing in it, after so many changes. */
void db_prepared_forget(void *memory, size_t size, uint32_t changes);

#endif
