/* sql_summary.c - operations and their targets, in the order of the text (otel.md 5.4).
 *
 * No grammar: a bit for each open parenthesis says whether a table's name is wanted there, whether a comma
 * asks for another one, whether FROM is a clause or part of a function's arguments. What the text means is
 * for the server; here it is enough never to take a column, an alias or a value for a table. */
#include "hooks/protocols/sql_internal.h"

static inline void saw(struct sql_text *sql, enum sql_prev what, enum sql_word word)
{
	sql->prev = (uint8_t)what;
	sql->prev_word = (uint8_t)word;
	sql->blank = false;
	sql->begun = true;
	sql->list_state = LIST_NONE;
}

/* Is there nothing to be seen in a word that means nothing by itself? */
static inline void settle(struct sql_text *sql)
{
	uint64_t level = sql->level;

	sql->alert = sql->target || sql->naming || !(sql->verb & level) || sql->want & level ||
		     sql->prev_word == WORD_IDENTIFIED || sql->prev_word == WORD_SECRET;
}

static inline void complete(struct sql_text *sql)
{
	if (sql->target)
		sql_target_complete(sql);
}

void sql_saw_literal(struct sql_text *sql)
{
	uint8_t list = sql->list_state;

	complete(sql);
	sql->want &= ~sql->level;
	saw(sql, PREV_LITERAL, WORD_NONE);
	if (list == LIST_OPEN)
		sql->list = sql->pos;
	if (list == LIST_OPEN || list == LIST_COMMA)
		sql->list_state = LIST_LITERAL;
	settle(sql);
}

void sql_saw_param(struct sql_text *sql)
{
	complete(sql);
	if (sql->prev_word != WORD_CALL) /* EXEC @result = name */
		sql->want &= ~sql->level;
	saw(sql, PREV_PARAM, WORD_NONE);
	settle(sql);
}

void sql_saw_operator(struct sql_text *sql)
{
	complete(sql);
	saw(sql, PREV_OPERATOR, WORD_NONE);
	settle(sql);
}

void sql_saw_dot(struct sql_text *sql)
{
	sql_target_dot(sql);
	saw(sql, PREV_DOT, WORD_NONE);
	settle(sql);
}

void sql_saw_name(struct sql_text *sql)
{
	saw(sql, PREV_NAME, WORD_NONE);
	settle(sql);
}

void sql_saw_comma(struct sql_text *sql)
{
	bool list = sql->list_state == LIST_LITERAL;
	uint64_t level = sql->level;

	complete(sql);
	saw(sql, PREV_COMMA, WORD_NONE);
	if (list)
		sql->list_state = LIST_COMMA;
	if (sql->with & level)
		sql->naming = true;
	else if (sql->from & level)
		sql->want |= level;
	settle(sql);
}

/* Do values stand in the parenthesis that opens here? Those of a function, too, but for what looks like one
 * in INSERT INTO t("a"). */
static bool opens_values(const struct sql_text *sql)
{
	if (sql->values & sql->level || sql->prev == PREV_OPERATOR)
		return true;
	if (sql->prev != PREV_WORD)
		return sql->prev == PREV_NAME && sql->target && sql->operation == WORD_CALL;
	if (sql->target)
		return sql->operation != WORD_INSERT && sql->operation != WORD_REPLACE &&
		       sql->operation != WORD_DDL && sql->operation != WORD_COPY;
	return (sql->prev_word >= WORD_SECRET && sql->prev_word != WORD_AND) ||
	       (sql->prev_word == WORD_NONE && !sql->blank);
}

void sql_saw_open(struct sql_text *sql)
{
	uint64_t level = sql->level;
	uint8_t word = sql->prev_word;
	bool values = opens_values(sql), names = sql->with & level && !sql->naming;
	bool tables = sql->want & sql->from & level && word != WORD_TOP && word != WORD_USING;

	complete(sql);
	if (word != WORD_TOP && word != WORD_ANALYZE)
		sql->want &= ~level;
	sql->naming = false;
	saw(sql, PREV_OPEN, WORD_NONE);
	if (word == WORD_IN)
		sql->list_state = LIST_OPEN;
	sql->alert = true;
	if (sql->depth == UINT16_MAX)
		return;
	sql->depth++;
	level = sql->level <<= 1;
	sql->verb = names ? sql->verb & ~level : sql->verb | level;
	sql->query &= ~level;
	sql->with &= ~level;
	sql->want = tables ? sql->want | level : sql->want & ~level;
	sql->from = tables ? sql->from | level : sql->from & ~level;
	sql->values = values ? sql->values | level : sql->values & ~level;
	settle(sql);
}

void sql_saw_close(struct sql_text *sql)
{
	complete(sql);
	saw(sql, PREV_CLOSE, WORD_NONE);
	sql->naming = false;
	if (sql->depth)
		sql->depth--;
	sql->level = sql->depth < 64 ? 1ull << sql->depth : 0;
	if (sql->operation && !(sql->with & sql->level))
		sql->verb |= sql->level; /* (SELECT ...) UNION ... */
	settle(sql);
}

bool sql_value_here(const struct sql_text *sql)
{
	switch (sql->prev) {
	case PREV_OPERATOR:
		return true;
	case PREV_WORD:
		return sql->prev_word >= WORD_SECRET && sql->prev_word != WORD_AND;
	case PREV_OPEN:
	case PREV_COMMA:
		return sql->values & sql->level;
	default:
		return false;
	}
}

/* --- words ------------------------------------------------------------------------------------------- */

/* May it stand between a verb and its target? */
static bool in_between(const struct sql_text *sql, enum sql_word word)
{
	switch (word) {
	case WORD_SELECT:
	case WORD_VALUES:
	case WORD_WITH:
	case WORD_SKIP:
	case WORD_OR:
	case WORD_IF:
	case WORD_INTO:
	case WORD_FROM:
	case WORD_SET:
	case WORD_TOP:
	case WORD_ON:
		return true;
	case WORD_TABLE:
		return sql->prev_word == WORD_OBJECT || sql->prev_word == WORD_ANALYZE;
	case WORD_ANALYZE:
		return sql->prev_word == WORD_ANALYZE;
	case WORD_TRANSACTION:
		return sql->operation == WORD_CALL; /* EXECUTE IMMEDIATE */
	case WORD_VALUE:
		return sql->ddl == DDL_NAME; /* IF NOT EXISTS */
	default:
		return false;
	}
}

static bool is_name(const struct sql_text *sql, enum sql_word word)
{
	if (sql->naming)
		return word != WORD_RECURSIVE;
	if (!(sql->want & sql->level) || sql->ddl == DDL_TYPE)
		return false;
	if (sql->operation == WORD_BEGIN)
		return word == WORD_NONE;
	return sql->prev_word != WORD_OR && !in_between(sql, word);
}

/* A routine's body has statements of its own, which are not ours to count. */
static void in_routine(struct sql_text *sql, enum sql_word word)
{
	bool ended = sql->prev == PREV_WORD && sql->prev_word == WORD_END;

	if (word == WORD_BEGIN || (word == WORD_CASE && !ended) ||
	    ((word == WORD_IF || word == WORD_LOOP) && ended))
		sql->block++;
	else if (word == WORD_END && sql->block)
		sql->block--;
}

static void select_begins(struct sql_text *sql, struct bytes word)
{
	uint64_t level = sql->level;

	if (!sql->setop)
		sql_operation(sql, word);
	if (!sql->operation)
		sql->operation = WORD_SELECT;
	sql->setop = false;
	sql->verb |= level;
	sql->query |= level;
	sql->from &= ~level;
	sql->want &= ~level;
	sql->with &= ~level;
	sql->values &= ~level;
}

static bool changes_data(enum sql_word word)
{
	return word >= WORD_INSERT && word <= WORD_MERGE;
}

static bool plain_word(struct bytes word)
{
	for (size_t i = 0; i < word.len; i++)
		if ((word.ptr[i] | 0x20) < 'a' || (word.ptr[i] | 0x20) > 'z')
			return false;
	return word.len < 32; /* as much as is kept of one that is cut */
}

/* What an operation makes of what follows. */
static void operation_begins(struct sql_text *sql, enum sql_word kind)
{
	uint64_t level = sql->level;

	sql->operation = (uint8_t)kind;
	sql->verb |= level;
	sql->with &= ~level;
	switch (kind) {
	case WORD_UPDATE:
	case WORD_DELETE:
		sql->query |= level; /* FROM */
		sql->deleting = kind == WORD_DELETE;
		/* fall through */
	case WORD_OBJECT:
		sql->from |= level; /* a list */
				    /* fall through */
	case WORD_INSERT:
	case WORD_REPLACE:
	case WORD_MERGE:
	case WORD_CALL:
	case WORD_COPY:
	case WORD_ANALYZE:
	case WORD_TABLE:
		sql->want |= level;
		break;
	case WORD_DDL:
	case WORD_DROP:
		sql->ddl = DDL_TYPE;
		break;
	case WORD_FETCH:
		sql->query |= level;
		break;
	case WORD_VALUES:
		sql->values |= level;
		break;
	case WORD_QUIET:
		sql->quiet = true;
		break;
	case WORD_BEGIN:
		/* Of a block, perhaps: BEGIN name(...); END; */
		if (sql->dialect == SQL_GENERIC) {
			sql->want |= level;
			sql->hush = true;
		}
		break;
	default:
		break;
	}
}

/* The first word at its level that can be an operation. */
static void verb(struct sql_text *sql, enum sql_word kind, struct bytes word)
{
	uint64_t level = sql->level;
	bool known = changes_data(kind) || kind == WORD_VALUES;

	if (kind == WORD_WITH) {
		sql->with |= level;
		sql->naming = true;
	} else if (kind == WORD_EXPLAIN) {
		sql->explain = true;
		sql_operation(sql, word);
	} else if (sql->with & level) {
		if (known) {
			sql_operation(sql, word);
			operation_begins(sql, kind);
		}
	} else if (sql->depth) {
		if (known && kind != WORD_VALUES)
			sql_operation(sql, word);
		if (known)
			operation_begins(sql, kind);
		sql->verb |= level;
	} else if (!sql->explain || known || kind == WORD_DDL || kind == WORD_CALL) {
		if (plain_word(word))
			sql_operation(sql, word);
		operation_begins(sql, kind);
	}
}

static void object_type(struct sql_text *sql, enum sql_word kind, struct bytes word)
{
	if (kind != WORD_TYPE && kind != WORD_ROUTINE && kind != WORD_TABLE)
		return;
	sql_operation(sql, word);
	sql->ddl = DDL_NAME;
	sql->want |= sql->level;
	if (sql->operation == WORD_DROP) {
		sql->from |= sql->level;
	} else {
		sql->routine = kind == WORD_ROUTINE;
		sql->hush = kind != WORD_TABLE;
	}
}

static void from(struct sql_text *sql)
{
	uint64_t level = sql->level;

	if (!(sql->query & level) || sql->prev_word == WORD_DISTINCT) /* IS DISTINCT FROM */
		return;
	if (sql->deleting)
		sql_target_forget(sql); /* DELETE a FROM table a */
	sql->deleting = false;
	sql->want |= level;
	if (sql->operation != WORD_FETCH)
		sql->from |= level;
}

/* Words behind the operation. */
static void clause(struct sql_text *sql, enum sql_word kind, struct bytes word)
{
	uint64_t level = sql->level;

	switch (kind) {
	case WORD_FROM:
		from(sql);
		break;
	case WORD_JOIN:
		if (sql->from & level)
			sql->want |= level;
		break;
	case WORD_USING:
		if (sql->depth == 0 && (sql->operation == WORD_DELETE || sql->operation == WORD_MERGE))
			sql->want |= level;
		break;
	case WORD_TABLE:
		if (sql->want & level)
			sql_operation(sql, word); /* TRUNCATE TABLE */
		else if (sql->operation == WORD_LOAD && sql->prev_word == WORD_INTO)
			sql->want |= level;
		break;
	case WORD_TRANSACTION:
		if (sql->prev_word == WORD_START)
			sql_operation(sql, word);
		break;
	case WORD_VALUES:
		sql->values |= level;
		sql->want &= ~level;
		break;
	case WORD_WITH:
		if (sql->prev == PREV_OPEN ||
		    ((sql->operation == WORD_INSERT || sql->operation == WORD_REPLACE) &&
		     !(sql->query & level))) {
			sql->with |= level;
			sql->want &= ~level;
			sql->naming = true;
		}
		break;
	case WORD_SETOP:
		sql->setop = true;
		/* fall through */
	case WORD_SET:
	case WORD_CLAUSE:
	case WORD_FETCH:
		sql->from &= ~level;
		sql->want &= ~level;
		/* fall through */
	case WORD_ON:
		sql->values &= ~level;
		break;
	case WORD_BETWEEN:
		sql->between = true;
		break;
	default:
		break;
	}
}

static void block_begins(struct sql_text *sql, enum sql_word kind)
{
	sql->want = 0;
	sql->hush = false;
	if (kind == WORD_TRANSACTION)
		return;
	sql->quiet = sql->routine = true;
	sql->block = 1;
}

static void keyword(struct sql_text *sql, enum sql_word kind, struct bytes word)
{
	if (sql->quiet) {
		if (sql->routine)
			in_routine(sql, kind);
	} else if (sql->ddl == DDL_TYPE) {
		object_type(sql, kind, word);
	} else if (sql->hush && sql->operation == WORD_BEGIN) {
		block_begins(sql, kind);
	} else if (kind == WORD_SELECT) {
		select_begins(sql, word);
	} else if (!(sql->verb & sql->level)) {
		verb(sql, kind, word);
	} else {
		clause(sql, kind, word);
	}
}

static void name(struct sql_text *sql, struct bytes word, bool split)
{
	if (!split) {
		sql_target_begin(sql);
		sql_target_part(sql, word);
	}
	sql_target_end(sql);
	if (sql->quiet && sql->operation == WORD_BEGIN) {
		sql->routine = true;
		sql->block = 1;
	}
}

bool sql_saw_word(struct sql_text *sql, enum sql_word kind, struct bytes word, bool split)
{
	if (sql->prev == PREV_DOT) {
		kind = WORD_NONE; /* whatever it is called */
		if (sql->target)
			name(sql, word, split);
	} else if (is_name(sql, kind)) {
		name(sql, word, split);
	} else {
		if (split)
			sql_target_undo(sql);
		if (kind == WORD_BOOLEAN || sql->prev_word == WORD_SECRET)
			return true;
		complete(sql);
		if (sql->prev_word == WORD_IDENTIFIED && bytes_equal_nocase(word, BYTES("by"))) {
			kind = WORD_SECRET;
		} else if (kind == WORD_AND && sql->between) {
			kind = WORD_VALUE;
			sql->between = false;
		} else if (kind != WORD_NONE || !(sql->verb & sql->level)) {
			keyword(sql, kind, word);
		}
	}
	saw(sql, PREV_WORD, kind);
	settle(sql);
	return false;
}

/* --- statements --------------------------------------------------------------------------------------- */

static void statement_end(struct sql_text *sql)
{
	complete(sql);
	if (sql->begun) {
		sql_statement_told(sql);
		sql->statements += sql->statements < UINT32_MAX;
	}
	saw(sql, PREV_NONE, WORD_NONE);
	sql->begun = false;
	sql->verb = sql->query = sql->from = sql->want = sql->with = sql->values = 0;
	sql->depth = sql->block = 0;
	sql->level = 1;
	sql->operation = sql->ddl = sql->named = 0;
	sql->naming = sql->quiet = sql->hush = sql->routine = sql->explain = false;
	sql->setop = sql->between = sql->deleting = false;
	settle(sql);
}

void sql_saw_end(struct sql_text *sql)
{
	if (!sql->block) {
		statement_end(sql);
		return;
	}
	complete(sql);
	saw(sql, PREV_OPERATOR, WORD_NONE);
	settle(sql);
}

void sql_summary_begin(struct sql_text *sql)
{
	sql->told_differs = UINT16_MAX;
	sql->alert = true;
	sql->level = 1;
}

struct bytes sql_summary_end(struct sql_text *sql)
{
	statement_end(sql);
	return sql_told(sql);
}
