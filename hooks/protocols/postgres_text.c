/* postgres_text.c - the statement that a call is about: its text made safe, its summary, its names.
 *
 * The text of a Parse that has parameters ($1) is told as it came: what is secret in such a statement is in
 * the parameters, which are never looked at. Any other loses its literals. */
#include "hooks/protocols/postgres_comment.h"

#include "preload/attrs.h"

/* The sanitiser has so many bytes of a statement; what follows is passed over. */
#define SCAN_MAX (1u << 20)
#define HALF (POSTGRES_TEXT / 2)

struct postgres_stash *postgres_stash(struct postgres_run *run)
{
	const struct protocol_stash *stash = run->sink->stash;
	return postgres_asks(run)->stashed && stash ? (struct postgres_stash *)(void *)stash->block : NULL;
}

void postgres_text_feed(struct postgres_run *run)
{
	struct postgres_requests *asks = postgres_asks(run);
	const struct protocol_stash *stash = run->sink->stash;
	struct db_prepared *table = run->state->heap ? postgres_table(run) : NULL;

	if (table && db_prepared_changes(table) != asks->changes) /* put back */
		db_prepared_go_back(table, asks->changes);
	if (!stash || !stash->block) { /* given up between two feeds */
		asks->stashed = asks->parsed = false;
		if (asks->source == SOURCE_STASH)
			asks->source = SOURCE_NONE;
		return;
	}
	/* Put back, it may be another block with the same content. */
	struct postgres_stash *kept = (struct postgres_stash *)(void *)stash->block;
	if (asks->stashed) {
		kept->sql.text.ptr = kept->text;
		kept->sql.summary.ptr = kept->summary;
	}
}

static struct bytes key_of(char *room, char kind, const struct postgres_name *name)
{
	room[0] = kind;
	memcpy(room + 1, name->text, name->len);
	return (struct bytes){room, name->len + 1u};
}

/* Something was not put into the table, or not taken out: what is folded of it holds no longer. */
static void missed(struct postgres_run *run)
{
	const struct protocol_arena *arena = run->sink->arena;

	if (arena && arena->folded)
		run->state->missed = true;
}

static void drop(struct postgres_run *run, char kind, const struct postgres_name *name)
{
	struct db_prepared *table = postgres_table(run);
	char room[POSTGRES_NAME + 1];

	if (!table) {
		missed(run);
		return;
	}
	db_prepared_drop(table, key_of(room, kind, name));
	postgres_asks(run)->changes = db_prepared_changes(table);
}

void postgres_text_begin(struct postgres_run *run)
{
	struct postgres_requests *asks = postgres_asks(run);
	struct protocol_stash *stash = run->sink->stash;

	asks->stashed = stash && (stash->block || stash->take(stash));
	struct postgres_stash *kept = postgres_stash(run);
	if (!kept)
		return;
	kept->statement.len = kept->portal.len = 0;
	asks->scanned = 0;
	if (asks->frame.type != 'P' && asks->frame.type != 'Q')
		return;
	asks->parsed = false;
	if (asks->frame.type == 'Q')
		drop(run, 'S', &kept->statement); /* so does the server */
	bool raw = protocol_settings.db_text == DB_TEXT_RAW, off = protocol_settings.db_text == DB_TEXT_OFF;
	unsigned flags = postgres_answers(run)->flags | (raw ? SQL_RAW : 0);
	size_t room = off ? 0 : asks->frame.type == 'P' ? HALF : POSTGRES_TEXT;
	kept->raw_len = 0;
	kept->tail = 0;
	kept->commentable = false;
	sql_text_begin(&kept->sql, SQL_POSTGRESQL, flags, (struct sql_room){kept->text, room},
		       (struct sql_room){kept->summary, sizeof(kept->summary)});
}

/* A message that is cut may belong to no exchange yet. */
void postgres_text_fed(struct postgres_run *run)
{
	const struct postgres_requests *asks = postgres_asks(run);

	if (run->sink->stash)
		run->sink->stash->keep =
			asks->stashed && asks->frame.phase == PHASE_BODY && asks->step != STEP_PASS;
}

void postgres_text_name(struct postgres_run *run, struct postgres_name *name, struct bytes piece)
{
	(void)run;
	piece = bytes_until(piece, sizeof(name->text) - name->len);
	if (piece.len)
		memcpy(name->text + name->len, piece.ptr, piece.len);
	name->len = (uint8_t)(name->len + piece.len);
}

bool postgres_name_equal(const struct postgres_name *a, const struct postgres_name *b)
{
	return a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
}

void postgres_text_add(struct postgres_run *run, struct bytes piece)
{
	struct postgres_requests *asks = postgres_asks(run);
	struct postgres_stash *kept = postgres_stash(run);

	if (!kept)
		return;
	piece = bytes_until(piece, SCAN_MAX - asks->scanned);
	asks->scanned += (uint32_t)piece.len;
	sql_text_feed(&kept->sql, piece);
	postgres_comment_text(kept, piece);
	if (asks->frame.type != 'P' || protocol_settings.db_text != DB_TEXT_SANITIZED)
		return;
	piece = bytes_until(piece, HALF - kept->raw_len);
	if (piece.len)
		memcpy(kept->text + HALF + kept->raw_len, piece.ptr, piece.len);
	kept->raw_len += (uint32_t)piece.len;
}

/* Not in the middle of a character. */
static uint32_t whole_characters(const char *text, uint32_t len, bool cut)
{
	while (cut && len > 0 && ((uint8_t)text[len] & 0xc0) == 0x80)
		len--;
	return len;
}

void postgres_text_end(struct postgres_run *run)
{
	const struct postgres_requests *asks = postgres_asks(run);
	struct postgres_stash *kept = postgres_stash(run);
	struct sql_text_result result;

	if (!kept)
		return;
	sql_text_end(&kept->sql, &result);
	postgres_comment_judge(kept, &result);
	kept->text_from = 0;
	kept->text_len = (uint32_t)result.text.len;
	kept->summary_len = (uint32_t)result.summary.len;
	kept->statements = result.doubtful || asks->scanned == SCAN_MAX ? 0 : result.statements;
	if (kept->raw_len && sql_has_parameters(result.text)) {
		bool cut = asks->scanned > kept->raw_len;
		kept->text_from = HALF;
		/* The byte behind it is the room's own, or the first that did not fit. */
		kept->text_len =
			cut ? whole_characters(kept->text + HALF, kept->raw_len - 1, true) : kept->raw_len;
	}
}

/* --- by name -------------------------------------------------------------------------------------------- */

static void stashed(struct postgres_stash *kept, struct db_statement *statement)
{
	statement->text = (struct bytes){kept->text + kept->text_from, kept->text_len};
	statement->summary = (struct bytes){kept->summary, kept->summary_len};
}

static void put(struct postgres_run *run, char kind, const struct postgres_name *name)
{
	struct postgres_stash *kept = postgres_stash(run);
	struct db_prepared *table = postgres_heap(run) ? postgres_table(run) : NULL;
	struct db_statement statement = {.number = postgres_asks(run)->exchange};
	char room[POSTGRES_NAME + 1];

	if (!table)
		missed(run);
	if (!table || !kept)
		return;
	stashed(kept, &statement);
	db_prepared_put(table, key_of(room, kind, name), &statement);
	postgres_asks(run)->changes = db_prepared_changes(table);
}

static db_prepared_ref find(struct postgres_run *run, char kind, const struct postgres_name *name)
{
	const struct db_prepared *table = postgres_table(run);
	char room[POSTGRES_NAME + 1];

	return table ? db_prepared_find(table, key_of(room, kind, name)) : 0;
}

void postgres_text_parsed(struct postgres_run *run)
{
	struct postgres_requests *asks = postgres_asks(run);
	struct postgres_stash *kept = postgres_stash(run);

	asks->source = SOURCE_NONE;
	if (!kept)
		return;
	kept->parsed = kept->statement;
	asks->parsed = true;
	asks->source = SOURCE_STASH;
	if (kept->parsed.len || postgres_table(run))
		put(run, 'S', &kept->parsed);
}

/* Only when it is not executed at once is an unnamed one worth the memory. */
void postgres_text_keep_unnamed(struct postgres_run *run)
{
	const struct postgres_stash *kept = postgres_stash(run);
	if (kept && postgres_asks(run)->parsed && kept->parsed.len == 0)
		put(run, 'S', &kept->parsed);
}

static void from_table(struct postgres_run *run, db_prepared_ref ref)
{
	struct postgres_requests *asks = postgres_asks(run);
	asks->ref = ref;
	asks->source = ref ? SOURCE_TABLE : SOURCE_NONE;
}

void postgres_text_of_statement(struct postgres_run *run)
{
	struct postgres_requests *asks = postgres_asks(run);
	const struct postgres_stash *kept = postgres_stash(run);

	if (!kept)
		asks->source = SOURCE_NONE;
	else if (asks->parsed && postgres_name_equal(&kept->parsed, &kept->statement))
		asks->source = SOURCE_STASH;
	else
		from_table(run, find(run, 'S', &kept->statement));
}

/* A named portal outlives its statement's name: what it will do when executed is kept under its own. */
void postgres_text_bound(struct postgres_run *run)
{
	struct postgres_requests *asks = postgres_asks(run);
	struct postgres_stash *kept = postgres_stash(run);
	const struct db_prepared *table;
	struct db_statement statement;

	if (!kept)
		return;
	kept->bound = kept->portal;
	if (kept->portal.len == 0)
		return;
	if (asks->source == SOURCE_TABLE && (table = postgres_table(run)) != NULL &&
	    db_prepared_get(table, asks->ref, &statement) && statement.text.len <= POSTGRES_TEXT &&
	    statement.summary.len <= sizeof(kept->summary)) {
		/* By way of the stash: in the table it may have to go for its own copy. */
		memcpy(kept->text, statement.text.ptr, statement.text.len);
		memcpy(kept->summary, statement.summary.ptr, statement.summary.len);
		kept->text_from = 0;
		kept->text_len = (uint32_t)statement.text.len;
		kept->summary_len = (uint32_t)statement.summary.len;
		asks->parsed = false;
		asks->source = SOURCE_STASH;
	}
	if (asks->source == SOURCE_STASH)
		put(run, 'P', &kept->portal);
	else
		drop(run, 'P', &kept->portal);
}

void postgres_text_of_portal(struct postgres_run *run)
{
	const struct postgres_stash *kept = postgres_stash(run);

	from_table(run, kept && kept->portal.len ? find(run, 'P', &kept->portal) : 0);
}

void postgres_text_closed(struct postgres_run *run)
{
	const struct postgres_requests *asks = postgres_asks(run);
	const struct postgres_stash *kept = postgres_stash(run);

	if (kept)
		drop(run, (char)asks->kind, asks->kind == 'S' ? &kept->statement : &kept->portal);
}

void postgres_text_failed(struct postgres_run *run, uint32_t exchange)
{
	struct db_prepared *table = postgres_table(run);
	if (table)
		db_prepared_drop_number(table, exchange);
	else
		missed(run);
}

/* --- told ------------------------------------------------------------------------------------------------
 */

static void namespace(struct postgres_run *run)
{
	const struct postgres_requests *asks = postgres_asks(run);
	const struct postgres_responses *answers = postgres_answers(run);
	size_t len = asks->db_len;

	memcpy(run->space, asks->db, len);
	if (answers->schema_len) {
		if (len)
			run->space[len++] = '|';
		memcpy(run->space + len, answers->schema, answers->schema_len);
		len += answers->schema_len;
	}
	run->call.space = (struct bytes){run->space, len};
}

/* Of what is not executed nobody misses it. */
static void text(struct postgres_run *run, bool query, bool executed)
{
	struct postgres_requests *asks = postgres_asks(run);
	struct postgres_stash *kept = postgres_stash(run);
	const struct db_prepared *table = asks->source == SOURCE_TABLE ? postgres_table(run) : NULL;
	struct db_statement statement = {0};
	bool known = false;

	if (asks->source == SOURCE_STASH && kept) {
		stashed(kept, &statement);
		known = true;
	} else if (table) {
		known = db_prepared_get(table, asks->ref, &statement);
	}
	run->call.unknown = executed && !known;
	run->call.text = statement.text;
	run->call.summary = statement.summary;
	if (query && kept && kept->statements > 1)
		run->call.batch = kept->statements;
}

/* There are only numbers of functions on the wire. */
static void function(struct postgres_run *run)
{
	uint32_t oid = postgres_number(run->frame->head);
	size_t at = sizeof(run->digits);

	do {
		run->digits[--at] = (char)('0' + oid % 10);
		oid /= 10;
	} while (oid);
	run->call.procedure = (struct bytes){run->digits + at, sizeof(run->digits) - at};
}

void postgres_text_tell(struct postgres_run *run, uint32_t exchange, uint8_t item)
{
	run->call = (struct db_call){
		.system = BYTES("postgresql"), .batch = 1, .usual_port = 5432, .space_in_name = true};
	namespace(run);
	if (item == ITEM_STARTUP)
		run->call.operation = BYTES("connect");
	else if (item == ITEM_FUNCTION)
		function(run);
	else
		text(run, item == ITEM_QUERY, item == ITEM_QUERY || item & ITEM_EXECUTE);
	struct protocol_event head = {
		.type = EVENT_REQUEST_HEAD,
		.exchange = exchange,
		.offset = run->at,
		.part = item == ITEM_STARTUP || (item & ITEM_GROUP && !(item & ITEM_EXECUTE)),
	};
	run->sink->event(run->sink, &head);
	postgres_tell(run, EVENT_REQUEST_END, exchange);
}
