/* postgres_response.c - what the server answers, to whom, and how that ended. */
#include "hooks/protocols/postgres.h"

/* --- exchanges -------------------------------------------------------------------------------------------
 */

static uint32_t current(const struct postgres_run *run)
{
	return run->state->responses.exchange + 1;
}

static bool is_open(struct postgres_run *run, uint8_t item)
{
	const struct postgres_requests *asks = postgres_asks(run);
	return item & ITEM_GROUP && asks->group && asks->exchange == current(run);
}

/* Of the next exchange nothing is known yet. */
static void forget(struct postgres_responses *answers)
{
	answers->rows = 0;
	answers->parts = answers->copy = answers->code_len = 0;
	answers->begun = answers->told = answers->held = answers->failed = answers->has_rows = false;
}

static void void_exchange(struct postgres_run *run)
{
	struct postgres_responses *answers = postgres_answers(run);

	postgres_tell(run, EVENT_VOID, ++answers->exchange);
	forget(answers);
}

static void response_begins(struct postgres_run *run)
{
	struct postgres_responses *answers = postgres_answers(run);

	if (!answers->begun)
		postgres_tell(run, EVENT_RESPONSE_BEGIN, current(run));
	answers->begun = true;
}

/* Class 01 are warnings, 00 is success (SQL standard; otel.md 5.4). */
static bool is_error(const struct postgres_responses *answers)
{
	return answers->failed && (answers->code_len < sizeof(answers->code) || answers->code[0] != '0' ||
				   answers->code[1] > '1');
}

/* `item`: what it is, if its request was not told yet; ITEM_NONE: it was. */
static void outcome(struct postgres_run *run, uint8_t item)
{
	struct postgres_responses *answers = postgres_answers(run);
	bool known = answers->code_len == sizeof(answers->code);

	if (answers->told)
		return;
	answers->told = true;
	if (item != ITEM_NONE)
		postgres_text_tell(run, current(run), item);
	response_begins(run);
	run->answer = (struct db_answer){
		.code = known ? (struct bytes){answers->code, sizeof(answers->code)} : BYTES_NONE,
		.error = known ? BYTES_NONE : BYTES("_OTHER"),
		.failed = is_error(answers),
		.has_rows = answers->has_rows,
		.rows = answers->rows,
	};
	postgres_tell(run, EVENT_RESPONSE_HEAD, current(run));
}

static void finish(struct postgres_run *run)
{
	struct postgres_responses *answers = postgres_answers(run);

	outcome(run, ITEM_NONE);
	postgres_tell(run, EVENT_RESPONSE_END, current(run));
	answers->exchange++;
	forget(answers);
}

/* --- the queue's front -----------------------------------------------------------------------------------
 */

static bool is_call(uint8_t item)
{
	return item & ITEM_GROUP || item == ITEM_QUERY || item == ITEM_FUNCTION || item == ITEM_STARTUP;
}

static void pop(struct postgres_run *run)
{
	postgres_answers(run)->answered++;
}

/* What needs no more answer goes: the end of a copy, a call that was not executed and did not fail. */
static uint8_t front(struct postgres_run *run)
{
	struct postgres_responses *answers = postgres_answers(run);

	for (;;) {
		uint8_t item = postgres_front(run);
		bool idle = item & ITEM_GROUP && !(item & ITEM_EXECUTE) && answers->parts == item;
		if (answers->held || (item != ITEM_COPY_END && !(idle && !is_open(run, item))))
			return item;
		if (idle)
			void_exchange(run);
		pop(run);
	}
}

/* Where a COPY from the client ended, the Syncs before that had no effect. */
static bool pop_copied(struct postgres_run *run, bool surplus)
{
	struct postgres_responses *answers = postgres_answers(run);
	uint32_t asked = postgres_asks(run)->asked;

	for (uint32_t i = answers->answered; i != asked; i++) {
		uint8_t item = *postgres_item(run, i);
		if (item == ITEM_SYNC)
			continue;
		if (item != ITEM_COPY_END)
			return false;
		if (surplus && i != answers->answered)
			answers->surplus = 1; /* or had: nobody knows where the server stopped reading */
		answers->answered = i + 1;
		return true;
	}
	return false;
}

static void executed(struct postgres_run *run)
{
	struct postgres_responses *answers = postgres_answers(run);

	pop(run);
	if (answers->copy == COPY_IN)
		pop_copied(run, false);
	answers->copy = COPY_NONE;
	if (postgres_front(run) == ITEM_SYNC)
		answers->held = true;
	else
		finish(run);
}

/* --- errors ----------------------------------------------------------------------------------------------
 */

static void error(struct postgres_run *run)
{
	struct postgres_responses *answers = postgres_answers(run);
	uint8_t item = front(run);

	if (answers->skipping)
		return;
	answers->failed = true;
	if (answers->held) {
		outcome(run, ITEM_NONE); /* of the transaction's end */
	} else if (item == ITEM_QUERY || item == ITEM_FUNCTION) {
		outcome(run, ITEM_NONE);
	} else if (item == ITEM_STARTUP) {
		outcome(run, item);
		finish(run);
		pop(run);
	} else if (item & ITEM_GROUP) {
		answers->in_copy = answers->copy == COPY_IN;
		bool parses = item & ITEM_PARSE && !(answers->parts & ITEM_PARSE);
		if (parses)
			postgres_text_failed(run, current(run));
		outcome(run, is_open(run, item) ? item : ITEM_NONE);
		finish(run);
		pop(run);
		answers->skipping = true;
	} else {
		forget(answers);
		answers->skipping = item == ITEM_CLOSE;
	}
}

/* The server has passed over all that was asked before the Sync. */
static void skip_to_sync(struct postgres_run *run)
{
	struct postgres_responses *answers = postgres_answers(run);
	uint8_t item;

	answers->skipping = false;
	if (answers->in_copy)
		pop_copied(run, true);
	answers->in_copy = false;
	while ((item = postgres_front(run)) != ITEM_NONE && item != ITEM_SYNC) {
		if (item & ITEM_PARSE && item & ITEM_GROUP)
			postgres_text_failed(run, current(run));
		if (is_call(item))
			void_exchange(run);
		pop(run);
	}
	if (item == ITEM_SYNC)
		pop(run);
	else if (!answers->surplus)
		postgres_opaque(run, OPAQUE_MALFORMED);
}

static void ready(struct postgres_run *run)
{
	struct postgres_responses *answers = postgres_answers(run);
	uint8_t item = front(run);

	if (answers->skipping) {
		skip_to_sync(run);
	} else if (answers->held) {
		pop(run);
		finish(run);
	} else if (item == ITEM_QUERY || item == ITEM_FUNCTION) {
		pop(run);
		finish(run);
	} else if (item == ITEM_STARTUP) {
		pop(run);
		void_exchange(run);
	} else if (item == ITEM_SYNC) {
		pop(run);
	} else if (answers->surplus) {
		answers->surplus = 0;
	} else {
		postgres_opaque(run, OPAQUE_MALFORMED);
	}
}

/* --- messages --------------------------------------------------------------------------------------------
 */

/* Is this what the front waits for? Sets what follows from it at once. */
static bool part_of_group(struct postgres_run *run, uint8_t item, uint8_t type)
{
	struct postgres_responses *answers = postgres_answers(run);
	uint8_t left = item & (uint8_t)~answers->parts & ITEM_GROUP, part = ITEM_NONE;

	if (type == '1')
		part = left & ITEM_PARSE;
	else if (left & ITEM_PARSE)
		part = ITEM_NONE;
	else if (type == '2')
		part = left & ITEM_BIND;
	else if (left & ITEM_DESCRIBE)
		part = ITEM_DESCRIBE;
	else
		part = left & ITEM_DESCRIBE_TOO;
	if (type != 't') /* comes before a T or n */
		answers->parts |= part;
	if (type == 'T')
		answers->has_rows = true;
	return part != ITEM_NONE;
}

/* Only the Execute, or a simple query, is waited for. */
static bool runs(const struct postgres_run *run, uint8_t item)
{
	if (item & ITEM_GROUP)
		return item & ITEM_EXECUTE && (item & (uint8_t)~run->state->responses.parts) == ITEM_EXECUTE;
	return item == ITEM_QUERY;
}

static bool rows_begin(struct postgres_run *run, uint8_t item, uint8_t type)
{
	struct postgres_responses *answers = postgres_answers(run);

	if (!runs(run, item))
		return false;
	answers->has_rows = true;
	if (type == 'D')
		answers->rows++;
	return true;
}

static bool copy_begins(struct postgres_run *run, uint8_t item, uint8_t type)
{
	if (!runs(run, item))
		return false;
	postgres_answers(run)->copy = type == 'G' ? COPY_IN : type == 'H' ? COPY_OUT : COPY_BOTH;
	return true;
}

/* False: not here. */
static bool belongs(struct postgres_run *run, uint8_t item, uint8_t type)
{
	const struct postgres_responses *answers = postgres_answers(run);
	bool starting = item == ITEM_STARTUP;

	if (answers->held || answers->skipping)
		return false;
	switch (type) {
	case '1':
	case '2':
	case 't':
	case 'n':
		return part_of_group(run, item, type);
	case 'T':
		return (item & ITEM_GROUP && !runs(run, item)) ? part_of_group(run, item, type)
							       : rows_begin(run, item, type);
	case '3':
		return item == ITEM_CLOSE;
	case 'D':
		return rows_begin(run, item, type);
	case 'C':
	case 'I':
		return runs(run, item);
	case 's':
		return item & ITEM_GROUP && runs(run, item);
	case 'G':
	case 'H':
	case 'W':
		return copy_begins(run, item, type);
	case 'd':
	case 'c':
		return runs(run, item) && answers->copy >= COPY_OUT;
	case 'V':
		return item == ITEM_FUNCTION;
	case 'R':
	case 'K':
	case 'v':
		return starting;
	default: /* passed over by its length: changes nothing of what we wait for */
		return (type >= 'a' && type <= 'z') || (type >= 'A' && type <= 'Z') ||
		       (type >= '0' && type <= '9');
	}
}

static bool length_fits(const struct postgres_frame *frame)
{
	static const bool bare[UINT8_MAX + 1] = {['1'] = true, ['2'] = true, ['3'] = true, ['n'] = true,
						 ['I'] = true, ['s'] = true, ['c'] = true};

	if (bare[frame->type])
		return frame->left == 0;
	return frame->type != 'Z' || frame->left == 1;
}

void postgres_response_begin(struct postgres_run *run)
{
	struct postgres_responses *answers = postgres_answers(run);
	uint8_t type = answers->frame.type, item = front(run);

	answers->field = answers->at = 0;
	answers->number = 0;
	answers->is_copy = answers->is_select = false;
	if (type == '\0' || !length_fits(&answers->frame)) {
		postgres_opaque(run, OPAQUE_MALFORMED);
		return;
	}
	if (type == 'E' || type == 'Z' || type == 'N' || type == 'A' || type == 'S') {
		if (type == 'E')
			answers->code_len = 0;
		return;
	}
	if (!belongs(run, item, type))
		postgres_opaque(run, OPAQUE_MALFORMED);
	else if ((item & ITEM_GROUP || item == ITEM_QUERY || item == ITEM_FUNCTION) && !is_open(run, item))
		response_begins(run);
}

/* A notice's code is kept when it is a warning's. */
static void code_byte(struct postgres_responses *answers, char c)
{
	char *room = answers->frame.type == 'E' ? answers->code : answers->word;
	size_t size = sizeof(answers->code);

	if (answers->at < size)
		room[answers->at] = c;
	if (answers->at <= size)
		answers->at++;
	if (answers->frame.type == 'E')
		answers->code_len = answers->at;
}

/* Pairs of a byte and a string. */
static void error_bytes(struct postgres_responses *answers, struct bytes piece)
{
	for (size_t i = 0; i < piece.len; i++) {
		char c = piece.ptr[i];
		if (answers->field == 0) {
			answers->field = (uint8_t)c;
			if (c == 'C')
				answers->at = 0;
		} else if (c == '\0') {
			answers->field = 0;
		} else if (answers->field == 'C') {
			code_byte(answers, c);
		} else {
			i += bytes_find(bytes_from(piece, i), '\0') - 1;
		}
	}
}

/* --- parameters ------------------------------------------------------------------------------------------
 */

static bool word_is(const struct postgres_responses *answers, const char *text)
{
	return strlen(text) == answers->at && memcmp(answers->word, text, answers->at) == 0;
}

static void keep(struct postgres_responses *answers, char c)
{
	if (answers->at < sizeof(answers->word))
		answers->word[answers->at] = c;
	if (answers->at <= sizeof(answers->word))
		answers->at++;
}

enum { NAMING, SCHEMA, STRINGS, ENCODING, UNWANTED };

static void param_named(struct postgres_responses *answers)
{
	answers->field = UNWANTED;
	if (word_is(answers, "search_path")) { /* told since PostgreSQL 18 */
		answers->field = SCHEMA;
		answers->schema_len = 0;
	} else if (word_is(answers, "standard_conforming_strings")) {
		answers->field = STRINGS;
	} else if (word_is(answers, "client_encoding")) {
		answers->field = ENCODING;
	}
	answers->at = 0;
}

/* Some encodings have bytes below 80 within characters. */
static bool multibyte(const struct postgres_responses *answers)
{
	static const char *const names[] = {"BIG5", "GB18030",        "GBK", "JOHAB",
					    "SJIS", "SHIFT_JIS_2004", "UHC"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (word_is(answers, names[i]))
			return true;
	return false;
}

static void set_flag(struct postgres_responses *answers, unsigned flag, bool on)
{
	answers->flags = (uint8_t)(on ? answers->flags | flag : answers->flags & ~flag);
}

static void param_valued(struct postgres_responses *answers)
{
	if (answers->field == STRINGS)
		set_flag(answers, SQL_BACKSLASH, word_is(answers, "off"));
	else if (answers->field == ENCODING)
		set_flag(answers, SQL_MULTIBYTE, multibyte(answers));
	/* "$user" may be there or not. */
	if (answers->field == SCHEMA && answers->schema_len && answers->schema[0] == '$')
		answers->schema_len = 0;
}

/* The first name of a search path, without its quotes. */
static void schema_byte(struct postgres_responses *answers, char c)
{
	enum { PLAIN, QUOTED, DONE };

	if (answers->at == DONE || (c == ',' && answers->at == PLAIN)) {
		answers->at = DONE;
	} else if (c == '"') {
		answers->at = answers->at == PLAIN ? QUOTED : PLAIN;
	} else if ((c != ' ' || answers->at == QUOTED) && answers->schema_len < sizeof(answers->schema)) {
		answers->schema[answers->schema_len++] = c;
	}
}

static void param_bytes(struct postgres_responses *answers, struct bytes piece)
{
	for (size_t i = 0; i < piece.len; i++) {
		char c = piece.ptr[i];
		if (c == '\0' && answers->field == NAMING) {
			param_named(answers);
		} else if (c == '\0') {
			param_valued(answers);
			answers->field = UNWANTED;
		} else if (answers->field == SCHEMA) {
			schema_byte(answers, c);
		} else {
			keep(answers, c);
		}
	}
}

static void tag_digit(struct postgres_responses *answers, char c)
{
	if (c >= '0' && c <= '9' && answers->number < INT64_MAX / 20)
		answers->number = answers->number * 10 + (uint64_t)(c - '0');
}

/* "COPY 5": the last word is a number of rows. */
static void whole_tag(struct postgres_responses *answers, struct bytes tag)
{
	size_t at = tag.len;

	answers->is_copy = bytes_equal(bytes_until(tag, 5), BYTES("COPY "));
	answers->is_select = bytes_equal(bytes_until(tag, 7), BYTES("SELECT "));
	while (at > 0 && tag.ptr[at - 1] != ' ')
		at--;
	for (; at < tag.len; at++)
		tag_digit(answers, tag.ptr[at]);
}

static void tag_bytes(struct postgres_responses *answers, struct bytes piece)
{
	if (answers->at == 0 && answers->frame.left == 0) {
		whole_tag(answers, bytes_until(piece, bytes_find(piece, '\0')));
		return;
	}
	for (size_t i = 0; i < piece.len && piece.ptr[i]; i++) {
		char c = piece.ptr[i];
		if (c == ' ' && answers->at == 4)
			answers->is_copy = memcmp(answers->word, "COPY", 4) == 0;
		else if (c == ' ' && answers->at == 6)
			answers->is_select = memcmp(answers->word, "SELECT", 6) == 0;
		keep(answers, c);
		if (c == ' ')
			answers->number = 0;
		else
			tag_digit(answers, c);
	}
}

void postgres_response_body(struct postgres_run *run, struct bytes piece)
{
	struct postgres_responses *answers = postgres_answers(run);

	switch (answers->frame.type) {
	case 'E':
	case 'N':
		error_bytes(answers, piece);
		break;
	case 'S':
		param_bytes(answers, piece);
		break;
	case 'C':
		tag_bytes(answers, piece);
		break;
	default:
		break;
	}
}

static void notice(struct postgres_run *run)
{
	struct postgres_responses *answers = postgres_answers(run);
	uint8_t item = front(run);
	bool asked = answers->held || item == ITEM_QUERY || item == ITEM_FUNCTION || item & ITEM_GROUP;

	if (!asked || answers->failed || answers->told || answers->at != sizeof(answers->code) ||
	    memcmp(answers->word, "01", 2) != 0)
		return;
	memcpy(answers->code, answers->word, sizeof(answers->code));
	answers->code_len = sizeof(answers->code);
}

static void command_complete(struct postgres_run *run)
{
	struct postgres_responses *answers = postgres_answers(run);

	if (answers->is_copy && answers->copy == COPY_OUT) {
		answers->has_rows = true;
		answers->rows += answers->number;
	}
	if (answers->is_select && answers->number == 0) /* or nobody asked for its columns */
		answers->has_rows = true;
	if (postgres_front(run) & ITEM_GROUP)
		executed(run);
	else
		answers->copy = COPY_NONE;
}

void postgres_response_end(struct postgres_run *run)
{
	struct postgres_responses *answers = postgres_answers(run);

	switch (answers->frame.type) {
	case '3':
		pop(run);
		break;
	case 'C':
		command_complete(run);
		break;
	case 'I':
	case 's':
		if (postgres_front(run) & ITEM_GROUP)
			executed(run);
		break;
	case 'E':
		error(run);
		break;
	case 'N':
		notice(run);
		break;
	case 'Z':
		ready(run);
		break;
	default:
		break;
	}
}
