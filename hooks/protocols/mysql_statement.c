/* mysql_statement.c - texts of statements: made safe while they are sent, kept by those that were prepared.
 */
#include "hooks/protocols/mysql_statement.h"

#include "hooks/protocols/db_prepared.h"
#include "hooks/protocols/mysql_heap.h"
#include "hooks/protocols/sql_text.h"

#define START_MAX 96
#define ATTRIBUTES_MAX 16

enum attribute_field {
	ATTRIBUTE_COUNT,
	ATTRIBUTE_SETS,
	ATTRIBUTE_NULLS,
	ATTRIBUTE_TYPED,
	ATTRIBUTE_TYPE,
	ATTRIBUTE_FLAGS,
	ATTRIBUTE_NAME_LENGTH,
	ATTRIBUTE_NAME,
	ATTRIBUTE_VALUE,
	ATTRIBUTE_VALUE_REST,
};

/* In the stash: the statement that is being sent. */
struct draft {
	struct sql_text sql;
	struct mysql_number number;
	uint8_t field, attributes, attribute, nulls[ATTRIBUTES_MAX / 8], types[ATTRIBUTES_MAX];
	uint8_t start_len; /* of the text's beginning */
	uint8_t tail;      /* semicolons and blanks at its end, up to 255 */
	bool longer;       /* than its beginning */
	bool nul;
	char start[START_MAX]; /* of the text, as it is */
	char summary[SQL_SUMMARY_MAX];
	char text[PROTOCOL_STASH_SIZE - 800];
};

_Static_assert(sizeof(struct draft) <= PROTOCOL_STASH_SIZE, "one block");

static struct draft *draft_of(const struct mysql_run *run)
{
	return (struct draft *)(void *)run->sink->stash->block;
}

static bool texts_are_on(void)
{
	return protocol_settings.db_text != DB_TEXT_OFF;
}

void mysql_statement_return(struct mysql_run *run)
{
	struct draft *draft = draft_of(run);
	struct mysql_state *state = run->state;

	if (!state->drafted)
		return;
	if (draft) {
		draft->sql.text.ptr = draft->text;
		draft->sql.summary.ptr = draft->summary;
	} else { /* nobody keeps a span for this call: the block was given back */
		mysql_statement_drop(run);
	}
}

void mysql_statement_drop(struct mysql_run *run)
{
	struct mysql_state *state = run->state;

	state->drafted = false;
	if (state->sending == SENDING_TEXT || state->sending == SENDING_ATTRIBUTES)
		state->sending = SENDING_NOTHING;
}

void mysql_statement_begin(struct mysql_run *run)
{
	struct draft *draft = draft_of(run);
	struct mysql_state *state = run->state;
	unsigned flags = protocol_settings.db_text == DB_TEXT_RAW ? SQL_RAW : 0;

	if (!draft)
		draft = (struct draft *)(void *)run->sink->stash->take(run->sink->stash);
	if (!draft) {
		state->sending = SENDING_NOTHING;
		return;
	}
	if (state->status & STATUS_NO_BACKSLASH)
		flags |= SQL_NO_BACKSLASH;
	if (state->multibyte)
		flags |= SQL_MULTIBYTE;
	struct sql_room text = {draft->text, texts_are_on() ? sizeof(draft->text) : 0};
	struct sql_room summary = {draft->summary, sizeof(draft->summary)};
	sql_text_begin(&draft->sql, SQL_MYSQL, flags, text, summary);
	draft->start_len = draft->tail = 0;
	draft->longer = draft->nul = false;
	draft->field = ATTRIBUTE_COUNT;
	draft->number.begun = false;
	state->drafted = true;
}

static bool is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static void look_at_end(struct draft *draft, struct bytes piece)
{
	size_t tail = 0;

	while (tail < piece.len && tail < UINT8_MAX &&
	       (is_blank(piece.ptr[piece.len - 1 - tail]) || piece.ptr[piece.len - 1 - tail] == ';'))
		tail++;
	if (tail == piece.len)
		tail += draft->tail;
	draft->tail = tail < UINT8_MAX ? (uint8_t)tail : UINT8_MAX;
	draft->nul |= memchr(piece.ptr, '\0', piece.len) != NULL;
}

void mysql_statement_add(struct mysql_run *run, struct bytes piece)
{
	struct draft *draft = draft_of(run);

	sql_text_feed(&draft->sql, piece);
	if (protocol_settings.sqlcommenter)
		look_at_end(draft, piece);
	size_t room = START_MAX - draft->start_len;
	if (piece.len > room) {
		draft->longer = true;
		piece.len = room;
	}
	memcpy(draft->start + draft->start_len, piece.ptr, piece.len);
	draft->start_len = (uint8_t)(draft->start_len + piece.len);
}

/* --- two statements that change how others are understood ------------------------------------------------
 */

static struct bytes trim(struct bytes text)
{
	while (text.len && is_blank(text.ptr[0]))
		text = bytes_from(text, 1);
	while (text.len && (is_blank(text.ptr[text.len - 1]) || text.ptr[text.len - 1] == ';'))
		text.len--;
	return text;
}

static struct bytes unquoted(struct bytes name)
{
	if (name.len >= 2 && name.ptr[0] == '`' && name.ptr[name.len - 1] == '`')
		return (struct bytes){name.ptr + 1, name.len - 2};
	return name;
}

/* USE name: the server says so again only to clients that asked for it. */
static void use(struct mysql_state *state, struct bytes name, uint32_t exchange)
{
	name = unquoted(trim(name));
	state->spacing = exchange;
	state->wanted_len = MYSQL_SPACE_MAX + 1; /* not known, unless it is plain */
	if (name.len == 0 || name.len > MYSQL_SPACE_MAX)
		return;
	for (size_t i = 0; i < name.len; i++)
		if (is_blank(name.ptr[i]) || name.ptr[i] == '`' || name.ptr[i] == '/' || name.ptr[i] == '#' ||
		    name.ptr[i] == ';')
			return;
	memcpy(state->wanted, name.ptr, name.len);
	state->wanted_len = (uint8_t)name.len;
}

/* SET NAMES gbk: from here on a backslash may be half a character. */
static bool names_treacherous(struct bytes text)
{
	static const struct bytes sets[] = {
		{"gbk", 3}, {"big5", 4}, {"sjis", 4}, {"cp932", 5}, {"gb18030", 7},
	};
	for (size_t at = 0; at < text.len; at++)
		for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++)
			if (text.len - at >= sets[i].len &&
			    bytes_equal_nocase(bytes_until(bytes_from(text, at), sets[i].len), sets[i]))
				return true;
	return false;
}

static void understand(struct mysql_state *state, struct bytes text, uint32_t exchange)
{
	text = trim(text);
	if (text.len < 5 || !is_blank(text.ptr[3]))
		return;
	struct bytes verb = bytes_until(text, 3);
	if (bytes_equal_nocase(verb, BYTES("use")))
		use(state, bytes_from(text, 4), exchange);
	else if (bytes_equal_nocase(verb, BYTES("set")) && names_treacherous(bytes_from(text, 4)))
		state->multibyte = true;
}

/* One that is read and forgotten: what defines something would keep the comment with it. */
static bool is_passing(const struct draft *draft)
{
	static const struct bytes verbs[] = {
		{"select", 6},  {"insert", 6}, {"update", 6}, {"delete", 6},
		{"replace", 7}, {"with", 4},   {"call", 4},
	};
	struct bytes text = trim((struct bytes){draft->start, draft->start_len});
	size_t len = 0;

	while (len < text.len && bytes_lower(text.ptr[len]) >= 'a' && bytes_lower(text.ptr[len]) <= 'z')
		len++;
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (bytes_equal_nocase(bytes_until(text, len), verbs[i]))
			return true;
	return false;
}

void mysql_statement_end(struct mysql_run *run, uint32_t exchange)
{
	struct draft *draft = draft_of(run);
	struct mysql_state *state = run->state;
	struct sql_text_result result;

	run->unknown = !state->drafted || !draft;
	if (run->unknown)
		return;
	state->drafted = false;
	sql_text_end(&draft->sql, &result);
	run->text = result.text;
	run->summary = result.summary;
	run->statements = result.doubtful ? 0 : result.statements;
	run->tail = draft->tail;
	run->commentable = protocol_settings.sqlcommenter && result.statements == 1 && !result.doubtful &&
			   !result.open && !result.commented && !draft->nul && draft->tail < UINT8_MAX &&
			   is_passing(draft);
	if (!draft->longer)
		understand(state, (struct bytes){draft->start, draft->start_len}, exchange);
}

/* --- attributes of a query: MySQL 8.0.23 -----------------------------------------------------------------
 */

static void text_begins(struct mysql_state *state)
{
	state->sending = SENDING_TEXT;
}

/* Too many, or a type that nobody knows: where the text begins cannot be told. */
static void no_text(struct mysql_state *state)
{
	state->sending = SENDING_NOTHING;
	state->drafted = false;
}

static bool is_null(const struct draft *draft)
{
	return draft->nulls[draft->attribute / 8] >> (draft->attribute % 8) & 1;
}

/* Bytes of a value of this type; 0: as many as it says first. */
static uint8_t size_of(uint8_t type)
{
	static const uint8_t sizes[] = {
		[1] = 1, [2] = 2, [3] = 4, [4] = 4, [5] = 8, [8] = 8, [9] = 4, [13] = 2};
	return type < sizeof(sizes) ? sizes[type] : 0;
}

static void next_value(struct mysql_state *state, struct draft *draft)
{
	while (draft->attribute < draft->attributes &&
	       (is_null(draft) || draft->types[draft->attribute] == 6))
		draft->attribute++;
	if (draft->attribute == draft->attributes) {
		text_begins(state);
		return;
	}
	draft->number.value = size_of(draft->types[draft->attribute++]);
	draft->field = draft->number.value ? ATTRIBUTE_VALUE_REST : ATTRIBUTE_VALUE;
}

static void name_ends(struct mysql_state *state, struct draft *draft)
{
	draft->field = ATTRIBUTE_TYPE;
	if (++draft->attribute < draft->attributes)
		return;
	draft->attribute = 0;
	next_value(state, draft);
}

static void attribute_head(struct mysql_state *state, struct draft *draft, uint8_t byte)
{
	switch ((enum attribute_field)draft->field) {
	case ATTRIBUTE_COUNT:
		if (!mysql_number(&draft->number, byte))
			break;
		if (draft->number.value > ATTRIBUTES_MAX) {
			no_text(state);
			break;
		}
		draft->attributes = (uint8_t)draft->number.value;
		draft->field = ATTRIBUTE_SETS;
		break;
	case ATTRIBUTE_SETS:
		if (!mysql_number(&draft->number, byte))
			break;
		draft->attribute = 0;
		draft->field = ATTRIBUTE_NULLS;
		if (draft->attributes == 0)
			text_begins(state);
		break;
	case ATTRIBUTE_NULLS:
		draft->nulls[draft->attribute++] = byte;
		if (draft->attribute == (draft->attributes + 7) / 8)
			draft->field = ATTRIBUTE_TYPED;
		break;
	default:
		if (byte != 1)
			no_text(state);
		draft->attribute = 0;
		draft->field = ATTRIBUTE_TYPE;
		break;
	}
}

void mysql_attributes_byte(struct mysql_run *run, uint8_t byte)
{
	struct draft *draft = draft_of(run);
	struct mysql_state *state = run->state;

	switch ((enum attribute_field)draft->field) {
	case ATTRIBUTE_TYPE:
		draft->types[draft->attribute] = byte;
		draft->field = ATTRIBUTE_FLAGS;
		break;
	case ATTRIBUTE_FLAGS:
		draft->field = ATTRIBUTE_NAME_LENGTH;
		break;
	case ATTRIBUTE_NAME_LENGTH:
		if (!mysql_number(&draft->number, byte))
			break;
		draft->field = ATTRIBUTE_NAME;
		if (draft->number.value == 0)
			name_ends(state, draft);
		break;
	case ATTRIBUTE_NAME:
		if (--draft->number.value == 0)
			name_ends(state, draft);
		break;
	case ATTRIBUTE_VALUE:
		if (!mysql_number(&draft->number, byte))
			break;
		draft->field = ATTRIBUTE_VALUE_REST;
		if (draft->number.value == 0)
			next_value(state, draft);
		break;
	case ATTRIBUTE_VALUE_REST:
		if (--draft->number.value == 0)
			next_value(state, draft);
		break;
	default:
		attribute_head(state, draft, byte);
		break;
	}
}

/* --- prepared statements ---------------------------------------------------------------------------------
 */

/* By the exchange that prepared it, and from the server's number to that. */
struct key {
	char bytes[5];
};

static struct key key_of(char what, uint32_t number)
{
	struct key key = {{what}};
	memcpy(key.bytes + 1, &number, sizeof(number));
	return key;
}

static struct bytes key_bytes(const struct key *key)
{
	return (struct bytes){key->bytes, sizeof(key->bytes)};
}

static bool find(struct db_prepared *table, char what, uint32_t number, struct db_statement *statement)
{
	struct key key = key_of(what, number);
	db_prepared_ref ref = db_prepared_find(table, key_bytes(&key));
	return ref && db_prepared_get(table, ref, statement);
}

/* Something was not put into the table: what is folded of it holds no longer. */
static void missed(struct mysql_run *run)
{
	if (run->sink->arena->folded)
		run->state->missed = true;
}

void mysql_prepared_keep(struct mysql_run *run, uint32_t exchange)
{
	struct db_prepared *table = run->summary.len ? mysql_table(run) : NULL;
	struct key key = key_of('e', exchange);
	struct db_statement statement = {.text = run->text, .summary = run->summary};

	run->state->tabled = table != NULL;
	if (!table)
		missed(run);
	if (!table || db_prepared_put(table, key_bytes(&key), &statement) || !statement.text.len)
		return;
	statement.text = BYTES_NONE;
	db_prepared_put(table, key_bytes(&key), &statement);
}

void mysql_prepared_named(struct mysql_run *run, uint32_t exchange, uint32_t id)
{
	struct db_prepared *table = run->state->tabled ? mysql_table(run) : NULL;
	struct key key = key_of('i', id);
	struct db_statement statement = {.number = exchange};

	if (table)
		db_prepared_put(table, key_bytes(&key), &statement);
	else
		missed(run);
}

void mysql_prepared_find(struct mysql_run *run, uint32_t id)
{
	struct db_prepared *table = run->state->tabled ? mysql_table(run) : NULL;
	struct db_statement statement;

	run->unknown = true;
	if (!table)
		return;
	if (id == UINT32_MAX) { /* MariaDB: the one prepared last, whose number the client may not know yet */
		if (!find(table, 'e', run->state->prepared, &statement))
			return;
	} else if (!find(table, 'i', id, &statement) || !find(table, 'e', statement.number, &statement)) {
		return;
	}
	run->text = statement.text;
	run->summary = statement.summary;
	run->unknown = texts_are_on() && !statement.text.len; /* too long to be kept */
}

void mysql_prepared_close(struct mysql_run *run, uint32_t id)
{
	struct db_prepared *table = run->state->tabled ? mysql_table(run) : NULL;
	struct db_statement statement;

	if (!table || !find(table, 'i', id, &statement))
		return;
	struct key key = key_of('e', statement.number);
	db_prepared_drop(table, key_bytes(&key));
	key = key_of('i', id);
	db_prepared_drop(table, key_bytes(&key));
}
