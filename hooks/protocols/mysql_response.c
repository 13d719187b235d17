/* mysql_response.c - what a MySQL server answers, packet by packet. Of rows only their number is looked at.
 */
#include "hooks/protocols/mysql.h"
#include "hooks/protocols/mysql_statement.h"

#define PROGRESS 0xffff /* MariaDB: no error, but how far a statement is */

/* --- commands under way ----------------------------------------------------------------------------------
 */

bool mysql_wait(struct mysql_state *state, enum mysql_kind kind)
{
	uint8_t at = (uint8_t)((state->first + state->waiting) % MYSQL_WAITING);
	uint8_t *pair = &state->kinds[at / 2];

	if (state->waiting == MYSQL_WAITING)
		return false;
	*pair = (uint8_t)(at % 2 ? (*pair & 0x0f) | kind << 4 : (*pair & 0xf0) | kind);
	state->waiting++;
	state->begun++;
	return true;
}

enum mysql_kind mysql_waiting(const struct mysql_state *state)
{
	if (state->waiting == 0)
		return KIND_NONE;
	return (enum mysql_kind)(state->kinds[state->first / 2] >> (state->first % 2 ? 4 : 0) & 0x0f);
}

static uint32_t exchange_of(const struct mysql_state *state)
{
	return state->begun - state->waiting + 1;
}

/* --- how an answer begins and ends -----------------------------------------------------------------------
 */

static void answer_begins(struct mysql_run *run)
{
	struct mysql_state *state = run->state;

	state->answering = true;
	state->failed = state->has_rows = false;
	state->rows = 0;
	mysql_tell(run, EVENT_RESPONSE_BEGIN, exchange_of(state), false);
}

/* Quiet, but the program waits for a result: if it fails that is to be seen. */
static bool is_heard(enum mysql_kind kind)
{
	return kind == KIND_SPACE || kind == KIND_USER || kind == KIND_FETCH;
}

static void answer_ends(struct mysql_run *run)
{
	struct mysql_state *state = run->state;
	enum mysql_kind kind = mysql_waiting(state);
	uint32_t exchange = exchange_of(state);
	bool call = kind == KIND_QUERY || kind == KIND_EXECUTE || (state->failed && kind == KIND_PREPARE);

	/* Refused before it was sent whole. */
	if (exchange == state->begun && !state->headed) {
		mysql_statement_end(run, exchange);
		mysql_statement_drop(run);
		mysql_request_head(run, exchange, kind);
		run->text = run->summary = BYTES_NONE;
		state->headed = true;
	}
	if (state->failed && is_heard(kind)) {
		run->kind = kind;
		mysql_tell(run, EVENT_REQUEST_HEAD, exchange, false);
		run->kind = KIND_NONE;
		call = true;
	}
	if (call)
		mysql_tell(run, EVENT_RESPONSE_HEAD, exchange, false);
	mysql_tell(run, EVENT_RESPONSE_END, exchange, !call);
	if (!state->failed && state->spacing)
		mysql_space_granted(state, exchange);
	state->first = (uint8_t)((state->first + 1) % MYSQL_WAITING);
	state->waiting--;
	state->answering = state->filing = false;
	state->phase = PHASE_IDLE;
}

/* The server refuses the login: nobody had asked anything yet, and still a call fails. */
static void login_refused(struct mysql_run *run)
{
	struct mysql_state *state = run->state;

	if (state->waiting || !mysql_wait(state, KIND_USER)) {
		mysql_opaque(run, OPAQUE_MALFORMED);
		return;
	}
	mysql_tell(run, EVENT_REQUEST_BEGIN, state->begun, false);
	state->headed = true;
	answer_begins(run);
	state->failed = true;
	answer_ends(run);
}

/* --- packets ---------------------------------------------------------------------------------------------
 */

static enum mysql_packet login_packet(struct mysql_run *run, uint8_t first)
{
	if (first == 0x00)
		return PACKET_OK;
	if (first == 0xff)
		return PACKET_ERROR;
	if (first > 0x02 && first != 0xfe) /* more data; another method */
		mysql_opaque(run, OPAQUE_MALFORMED);
	return PACKET_PASSED;
}

static enum mysql_packet end_packet(const struct mysql_run *run, uint8_t first)
{
	bool short_end = !mysql_can(run->state, CAPABLE_DEPRECATE_EOF);

	if (first == 0xff)
		return PACKET_ERROR;
	if (first != 0xfe || run->half->length >= (short_end ? 9 : MYSQL_PACKET_FULL))
		return PACKET_PASSED;
	return short_end ? PACKET_END : PACKET_OK;
}

static enum mysql_packet result_packet(struct mysql_run *run, uint8_t first)
{
	struct mysql_state *state = run->state;

	if (first == 0x00 && run->half->length >= 7)
		return PACKET_OK;
	if (first == 0xff)
		return PACKET_ERROR;
	if (first != 0xfb)
		return PACKET_COUNT;
	state->filing = true; /* LOCAL INFILE: the file comes, then this once more */
	return PACKET_PASSED;
}

/* The first packet of an answer to a command of this kind. */
static enum mysql_packet first_packet(struct mysql_run *run, uint8_t first)
{
	struct mysql_state *state = run->state;

	switch (mysql_waiting(state)) {
	case KIND_QUERY:
	case KIND_EXECUTE:
	case KIND_ROWS:
		state->phase = PHASE_RESULT;
		return result_packet(run, first);
	case KIND_PREPARE:
		state->phase = PHASE_PREPARED;
		state->definitions = 0;
		if (first == 0xff)
			return PACKET_ERROR;
		if (first != 0x00 || run->half->length < 12)
			mysql_opaque(run, OPAQUE_MALFORMED);
		return PACKET_STATEMENT;
	case KIND_FETCH:
	case KIND_FIELDS:
		state->phase = PHASE_ROWS;
		return end_packet(run, first);
	case KIND_USER:
		state->phase = PHASE_LOGIN;
		return login_packet(run, first);
	case KIND_PLAIN:
	case KIND_SPACE:
		if (first == 0xff)
			return PACKET_ERROR;
		if (first == 0xfe && run->half->length < 9)
			return PACKET_END;
		return first == 0x00 || first == 0xfe ? PACKET_OK
						      : PACKET_PASSED; /* a text: COM_STATISTICS */
	case KIND_NONE:
		break;
	}
	return PACKET_PASSED;
}

static enum mysql_packet packet_of(struct mysql_run *run, uint8_t first)
{
	struct mysql_state *state = run->state;

	switch ((enum mysql_phase)state->phase) {
	case PHASE_GREETING:
		if (first == 0xff)
			return PACKET_ERROR;
		if (first != 0x0a)
			mysql_opaque(run, OPAQUE_NOT_MINE);
		state->field = 0;
		return PACKET_GREETING;
	case PHASE_LOGIN:
		return login_packet(run, first);
	case PHASE_RESULT:
		return result_packet(run, first);
	case PHASE_ROWS:
	case PHASE_COLUMNS_END:
		return end_packet(run, first);
	case PHASE_IDLE:
		return first_packet(run, first);
	case PHASE_COLUMNS:
	case PHASE_PREPARED:
		break;
	}
	return PACKET_PASSED;
}

void mysql_response_begin(struct mysql_run *run)
{
	struct mysql_state *state = run->state;

	state->packet = PACKET_PASSED;
	if (state->phase != PHASE_IDLE || state->answering)
		return;
	if (state->waiting)
		answer_begins(run);
	/* Unasked: good-bye, before it closes. */
	else if (run->half->length < 9)
		mysql_opaque(run, OPAQUE_MALFORMED);
}

static void number_byte(struct mysql_run *run, uint32_t at, uint8_t byte)
{
	struct mysql_state *state = run->state;
	struct mysql_number *number = &state->number[HALF_RESPONSES];

	if (state->packet == PACKET_STATEMENT) {
		if (at >= 1 && at <= 4)
			state->columns |= (uint32_t)byte << (8 * (at - 1));
		else if (at >= 5 && at <= 8) /* 16 bits each: kept apart until the end */
			state->definitions |= (uint32_t)byte << (8 * (at - 5));
		else if (at == 12 && mysql_can(state, CAPABLE_OPTIONAL_METADATA) && byte == 0)
			state->definitions = 0;
		return;
	}
	/* PACKET_COUNT: whether columns are described stands before (MySQL) or behind (MariaDB). */
	if (at == 0 && mysql_can(state, CAPABLE_OPTIONAL_METADATA)) {
		state->field = byte == 0;
	} else if (state->entry) {
		if (mysql_number(number, byte)) {
			state->columns = number->value > UINT16_MAX ? UINT16_MAX : (uint32_t)number->value;
			state->entry = 0;
		}
	} else if (state->client_more & state->server_more & MARIADB_CACHE_METADATA) {
		state->field = byte == 0;
	}
}

static void first_byte(struct mysql_run *run, uint8_t byte)
{
	struct mysql_state *state = run->state;

	if (state->phase == PHASE_IDLE && !state->answering) {
		if (byte != 0xff)
			mysql_opaque(run, OPAQUE_MALFORMED);
		return;
	}
	state->packet = packet_of(run, byte);
	if (state->packet == PACKET_STATEMENT || state->packet == PACKET_COUNT) {
		state->columns = 0;
		state->entry = 1;
		state->field = 0;
		state->number[HALF_RESPONSES].begun = false;
	} else if (state->packet != PACKET_PASSED && state->packet != PACKET_GREETING) {
		mysql_result_begin(state);
	}
}

/* Most of these packets are short and come whole. */
static bool read_whole(struct mysql_state *state, struct bytes piece)
{
	const uint8_t *at = (const uint8_t *)piece.ptr;

	switch ((enum mysql_packet)state->packet) {
	case PACKET_OK: /* numbers of one byte, and nothing behind the warnings */
		if (piece.len != 7 || at[1] >= 0xfb || at[2] >= 0xfb)
			return false;
		state->status = (uint16_t)(at[3] | at[4] << 8);
		return true;
	case PACKET_END:
		if (piece.len < 5)
			return false;
		state->status = (uint16_t)(at[3] | at[4] << 8);
		return true;
	case PACKET_COUNT:
		if (piece.len != 1 || at[0] >= 0xfb || mysql_can(state, CAPABLE_OPTIONAL_METADATA))
			return false;
		state->columns = at[0];
		state->entry = 0;
		return true;
	default:
		return false;
	}
}

void mysql_response_bytes(struct mysql_run *run, struct bytes piece)
{
	struct mysql_state *state = run->state;
	uint32_t at = run->half->at;

	if (at == 0 && piece.len)
		first_byte(run, (uint8_t)piece.ptr[0]);
	if (state->packet == PACKET_PASSED ||
	    (at == 0 && piece.len == run->half->length && read_whole(state, piece)))
		return;
	for (size_t i = 0; i < piece.len && !state->opaque; i++, at++) {
		uint8_t byte = (uint8_t)piece.ptr[i];
		if (state->packet == PACKET_GREETING)
			mysql_greeting_byte(run, byte);
		else if (state->packet == PACKET_COUNT || state->packet == PACKET_STATEMENT)
			number_byte(run, at, byte);
		else
			mysql_result_byte(state, at, byte);
	}
}

/* --- and then --------------------------------------------------------------------------------------------
 */

static void result_ends(struct mysql_run *run)
{
	if (run->state->status & STATUS_CURSOR) /* they are fetched */
		run->state->has_rows = false;
	if (run->state->status & STATUS_MORE_RESULTS)
		run->state->phase = PHASE_RESULT;
	else
		answer_ends(run);
}

static void columns_counted(struct mysql_run *run)
{
	struct mysql_state *state = run->state;

	if (state->entry || state->columns == 0) {
		mysql_opaque(run, OPAQUE_MALFORMED);
		return;
	}
	state->has_rows = true;
	if (state->field) /* known to the client already */
		state->columns = 0;
	state->phase = state->columns ? PHASE_COLUMNS : PHASE_COLUMNS_END;
	if (state->columns == 0 && mysql_can(state, CAPABLE_DEPRECATE_EOF))
		state->phase = PHASE_ROWS;
}

static void column_passed(struct mysql_state *state)
{
	if (--state->columns == 0)
		state->phase = mysql_can(state, CAPABLE_DEPRECATE_EOF) ? PHASE_ROWS : PHASE_COLUMNS_END;
}

size_t mysql_response_passed(struct mysql_run *run, struct bytes in)
{
	struct mysql_state *state = run->state;
	size_t used = 0;

	while (in.len - used >= 5) {
		const uint8_t *at = (const uint8_t *)in.ptr + used;
		uint32_t length = at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16;
		if (length == 0 || length == MYSQL_PACKET_FULL || length > in.len - used - 4)
			break;
		if (state->phase == PHASE_ROWS && at[4] < 0xfe)
			state->rows++;
		else if (state->phase == PHASE_COLUMNS)
			column_passed(state);
		else
			break;
		used += 4 + length;
	}
	return used;
}

/* Parameters and columns, with an end packet behind each of the two where that is not deprecated. */
static void statement_answered(struct mysql_run *run)
{
	struct mysql_state *state = run->state;
	uint32_t columns = state->definitions & 0xffff, parameters = state->definitions >> 16;

	mysql_prepared_named(run, exchange_of(state), state->columns);
	state->definitions = columns + parameters;
	if (!mysql_can(state, CAPABLE_DEPRECATE_EOF))
		state->definitions += (columns > 0) + (parameters > 0);
	if (state->definitions == 0)
		answer_ends(run);
}

static void error_ends(struct mysql_run *run)
{
	struct mysql_state *state = run->state;

	if (state->error == PROGRESS && state->phase != PHASE_GREETING)
		return; /* and the answer is where it was */
	state->failed = true;
	if (!state->answering)
		login_refused(run);
	else
		answer_ends(run);
}

static void ok_ends(struct mysql_run *run)
{
	struct mysql_state *state = run->state;

	if (state->phase == PHASE_LOGIN) {
		bool first = !state->answering;
		if (first)
			mysql_space_granted(state, 0);
		else
			answer_ends(run);
		state->phase = PHASE_IDLE;
		if (first)
			mysql_logged_in(run);
	} else if (state->phase == PHASE_COLUMNS_END && !(state->status & STATUS_CURSOR)) {
		state->phase = PHASE_ROWS;
	} else {
		result_ends(run);
	}
}

static void passed_ends(struct mysql_run *run)
{
	struct mysql_state *state = run->state;

	switch ((enum mysql_phase)state->phase) {
	case PHASE_ROWS:
		state->rows++;
		break;
	case PHASE_COLUMNS:
		column_passed(state);
		break;
	case PHASE_PREPARED:
		if (--state->definitions == 0)
			answer_ends(run);
		break;
	case PHASE_IDLE:
		if (state->answering)
			answer_ends(run);
		break;
	case PHASE_COLUMNS_END:
		mysql_opaque(run, OPAQUE_MALFORMED);
		break;
	default:
		break;
	}
}

void mysql_response_end(struct mysql_run *run)
{
	struct mysql_state *state = run->state;

	switch ((enum mysql_packet)state->packet) {
	case PACKET_GREETING:
		state->phase = PHASE_LOGIN;
		break;
	case PACKET_OK:
	case PACKET_END:
		ok_ends(run);
		break;
	case PACKET_ERROR:
		error_ends(run);
		break;
	case PACKET_COUNT:
		columns_counted(run);
		break;
	case PACKET_STATEMENT:
		statement_answered(run);
		break;
	case PACKET_PASSED:
		passed_ends(run);
		break;
	}
}
