/* db_prepared.c - prepared statements: a log of entries that bites its own tail. Of those with one key the
 * youngest holds, and leads to the older ones; where that leads to what is gone, it ends. */
#include "hooks/protocols/db_prepared.h"

#include <string.h>

#define BUCKETS 1024

/* Followed by key, summary and text. */
struct entry {
	db_prepared_ref next; /* in its chain, older */
	uint32_t serial;      /* ascends by one */
	uint32_t size;        /* the whole, a multiple of 8 */
	uint32_t before;      /* where the one before it is */
	uint32_t hash;
	uint32_t number;
	uint16_t text_len;
	uint8_t key_len, summary_len;
	bool nothing; /* this key was dropped */
};

struct db_prepared {
	uint32_t size;       /* of the log */
	uint32_t head, tail; /* where the next one goes, and the oldest is */
	uint32_t end;        /* of the entries before the log began again at 0; 0: it has not */
	uint32_t last;       /* where the youngest is */
	uint32_t serial;     /* and which */
	uint32_t count;
	db_prepared_ref bucket[BUCKETS];
	_Alignas(8) char log[];
};

static struct entry *entry_at(const struct db_prepared *table, uint32_t place)
{
	return (struct entry *)(void *)((char *)(uintptr_t)table->log + place);
}

/* Whether it is there still is told by its serial number alone: others may stand in its place. */
static struct entry *entry_of(const struct db_prepared *table, db_prepared_ref ref)
{
	uint32_t age = table->serial - (uint32_t)(ref >> 32);
	return ref && age < table->count ? entry_at(table, (uint32_t)ref) : NULL;
}

static db_prepared_ref reference(const struct db_prepared *table, const struct entry *entry)
{
	return (uint64_t)entry->serial << 32 | (uint32_t)((const char *)entry - table->log);
}

static char *key_of(struct entry *entry)
{
	return (char *)(entry + 1);
}

static uint32_t hash_of(struct bytes key)
{
	uint32_t hash = 2166136261u;
	for (size_t i = 0; i < key.len; i++)
		hash = (hash ^ (uint8_t)key.ptr[i]) * 16777619u;
	return hash ^ hash >> 15;
}

struct db_prepared *db_prepared_init(void *memory, size_t size)
{
	struct db_prepared *table = memory;

	if (size < sizeof(*table) + 64)
		return NULL;
	memset(table, 0, sizeof(*table));
	table->size = (uint32_t)(size - sizeof(*table)) & ~7u;
	return table;
}

static void emptied(struct db_prepared *table)
{
	if (table->count == 0)
		table->head = table->tail = table->end = table->last = 0;
}

static void evict(struct db_prepared *table)
{
	table->tail += entry_at(table, table->tail)->size;
	table->count--;
	if (table->tail == table->end)
		table->tail = table->end = 0;
	emptied(table);
}

/* So many bytes in one piece; the log is large enough for them. */
static uint32_t room(struct db_prepared *table, uint32_t size)
{
	while (size > (table->end ? table->tail : table->size) - table->head) {
		if (table->end) {
			evict(table);
		} else {
			table->end = table->head;
			table->head = 0;
		}
	}
	uint32_t place = table->head;
	table->head += size;
	table->count++;
	return place;
}

static struct entry *search(const struct db_prepared *table, struct bytes key)
{
	uint32_t hash = hash_of(key);
	struct entry *entry = entry_of(table, table->bucket[hash % BUCKETS]);

	while (entry && (entry->hash != hash || entry->key_len != key.len ||
			 (key.len && memcmp(key_of(entry), key.ptr, key.len) != 0)))
		entry = entry_of(table, entry->next);
	return entry;
}

static void read_entry(struct entry *entry, struct db_statement *statement)
{
	const char *at = key_of(entry) + entry->key_len;

	statement->summary = (struct bytes){at, entry->summary_len};
	statement->text = (struct bytes){at + entry->summary_len, entry->text_len};
	statement->number = entry->number;
}

static bool same(struct entry *entry, const struct db_statement *statement)
{
	struct db_statement is;

	read_entry(entry, &is);
	return !entry->nothing && bytes_equal(is.text, statement->text) &&
	       bytes_equal(is.summary, statement->summary) && is.number == statement->number;
}

static void put_bytes(char **at, struct bytes bytes)
{
	if (bytes.len)
		memcpy(*at, bytes.ptr, bytes.len);
	*at += bytes.len;
}

static struct entry *append(struct db_prepared *table, struct bytes key, const struct db_statement *statement)
{
	struct bytes text = statement->text, summary = statement->summary;
	size_t size = (sizeof(struct entry) + key.len + summary.len + text.len + 7) & ~(size_t)7;

	if (key.len > DB_PREPARED_KEY_MAX || summary.len > UINT8_MAX || text.len > DB_PREPARED_TEXT_MAX ||
	    size > table->size)
		return NULL;
	uint32_t place = room(table, (uint32_t)size), hash = hash_of(key);
	db_prepared_ref *bucket = &table->bucket[hash % BUCKETS];
	struct entry *entry = entry_at(table, place);
	*entry = (struct entry){
		.next = *bucket,
		.serial = ++table->serial,
		.size = (uint32_t)size,
		.before = table->last,
		.hash = hash,
		.number = statement->number,
		.text_len = (uint16_t)text.len,
		.key_len = (uint8_t)key.len,
		.summary_len = (uint8_t)summary.len,
	};
	char *at = key_of(entry);
	put_bytes(&at, key);
	put_bytes(&at, summary);
	put_bytes(&at, text);
	table->last = place;
	*bucket = reference(table, entry);
	return entry;
}

db_prepared_ref db_prepared_put(struct db_prepared *table, struct bytes key,
				const struct db_statement *statement)
{
	struct entry *entry = search(table, key);

	if (entry && same(entry, statement))
		return reference(table, entry);
	entry = append(table, key, statement);
	if (!entry)
		db_prepared_drop(table, key);
	return entry ? reference(table, entry) : 0;
}

db_prepared_ref db_prepared_find(const struct db_prepared *table, struct bytes key)
{
	const struct entry *entry = search(table, key);
	return entry && !entry->nothing ? reference(table, entry) : 0;
}

bool db_prepared_get(const struct db_prepared *table, db_prepared_ref ref, struct db_statement *statement)
{
	struct entry *entry = entry_of(table, ref);

	if (entry)
		read_entry(entry, statement);
	return entry != NULL;
}

void db_prepared_drop(struct db_prepared *table, struct bytes key)
{
	const struct db_statement none = {.number = 0};
	struct entry *entry = search(table, key);

	if (!entry || entry->nothing)
		return;
	entry = append(table, key, &none);
	if (entry)
		entry->nothing = true;
}

void db_prepared_drop_number(struct db_prepared *table, uint32_t number)
{
	uint32_t place = table->last;

	for (uint32_t left = table->count; left > 0; left--) {
		struct entry *entry = entry_at(table, place);
		if (entry->number == number)
			entry->nothing = true;
		place = entry->before;
	}
}

uint32_t db_prepared_changes(const struct db_prepared *table)
{
	return table->serial;
}

void db_prepared_go_back(struct db_prepared *table, uint32_t changes)
{
	while (table->count && table->serial != changes) {
		const struct entry *entry = entry_at(table, table->last);
		table->bucket[entry->hash % BUCKETS] = entry->next;
		if (table->last == 0 && table->end) { /* the first since the log began again */
			table->head = table->end;
			table->end = 0;
		} else {
			table->head = table->last;
		}
		table->last = entry->before;
		table->serial--;
		table->count--;
		emptied(table);
	}
	table->serial = changes;
}

/* --- packed ----------------------------------------------------------------------------------------------
 */

/* Followed by the entries, the oldest first. */
struct folded {
	uint32_t serial, size;
};

static uint32_t after(const struct db_prepared *table, uint32_t place)
{
	uint32_t next = place + entry_at(table, place)->size;
	return table->end && next == table->end ? 0 : next;
}

/* Could a call still find it? */
static bool is_found(const struct db_prepared *table, struct entry *entry)
{
	return !entry->nothing && search(table, (struct bytes){key_of(entry), entry->key_len}) == entry;
}

bool db_prepared_fold(const struct db_prepared *table, void *to, size_t size, db_prepared_ref *kept)
{
	struct folded *folded = to;
	const struct entry *wanted = kept ? entry_of(table, *kept) : NULL;
	uint32_t place = table->tail, place_then = 0, younger = 0;
	bool found = false;

	if (size < sizeof(*folded))
		return false;
	*folded = (struct folded){.serial = table->serial};
	size -= sizeof(*folded);
	for (uint32_t left = table->count; left > 0; left--, place = after(table, place)) {
		struct entry *entry = entry_at(table, place);
		if (!is_found(table, entry))
			continue;
		if (entry->size > size - folded->size)
			return false;
		memcpy((char *)(folded + 1) + folded->size, entry, entry->size);
		younger++;
		if (entry == wanted) {
			found = true;
			place_then = folded->size;
			younger = 0;
		}
		folded->size += entry->size;
	}
	/* The youngest keeps the table's serial number. */
	if (kept)
		*kept = found ? (uint64_t)(table->serial - younger) << 32 | place_then : 0;
	return true;
}

void db_prepared_forget(void *memory, size_t size, uint32_t changes)
{
	struct db_prepared *table = db_prepared_init(memory, size);

	if (table)
		table->serial = changes;
}

void db_prepared_unfold(void *memory, size_t size, const void *from)
{
	const struct folded *folded = from;
	struct db_prepared *table = db_prepared_init(memory, size);

	if (!table || folded->size > table->size)
		return;
	memcpy(table->log, folded + 1, folded->size);
	for (; table->head < folded->size; table->count++)
		table->head += entry_at(table, table->head)->size;
	table->serial = folded->serial - table->count;
	for (uint32_t place = 0; place < table->head; place += entry_at(table, place)->size) {
		struct entry *entry = entry_at(table, place);
		db_prepared_ref *bucket = &table->bucket[entry->hash % BUCKETS];
		entry->next = *bucket;
		entry->serial = ++table->serial;
		entry->before = table->last;
		*bucket = reference(table, entry);
		table->last = place;
	}
}
