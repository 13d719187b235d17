/* mysql_request.c - what a client of MySQL sends: commands, and what belongs to them. */
#include "hooks/protocols/mysql.h"
#include "hooks/protocols/mysql_statement.h"

enum {
	COM_QUIT = 0x01,
	COM_INIT_DB,
	COM_QUERY,
	COM_FIELD_LIST,
	COM_CREATE_DB,
	COM_DROP_DB,
	COM_REFRESH,
	COM_SHUTDOWN,
	COM_STATISTICS,
	COM_PROCESS_INFO,
	COM_PROCESS_KILL = 0x0c,
	COM_DEBUG,
	COM_PING,
	COM_CHANGE_USER = 0x11,
	COM_BINLOG_DUMP,
	COM_REGISTER_SLAVE = 0x15,
	COM_STMT_PREPARE,
	COM_STMT_EXECUTE,
	COM_STMT_SEND_LONG_DATA,
	COM_STMT_CLOSE,
	COM_STMT_RESET,
	COM_SET_OPTION,
	COM_STMT_FETCH,
	COM_BINLOG_DUMP_GTID = 0x1e,
	COM_RESET_CONNECTION,
	COM_STMT_BULK_EXECUTE = 0xfa, /* MariaDB's */
};

/* KIND_NONE: unknown, or followed no further. */
static enum mysql_kind kind_of(uint8_t command)
{
	switch (command) {
	case COM_QUERY:
		return KIND_QUERY;
	case COM_STMT_EXECUTE:
	case COM_STMT_BULK_EXECUTE:
		return KIND_EXECUTE;
	case COM_STMT_PREPARE:
		return KIND_PREPARE;
	case COM_STMT_FETCH:
		return KIND_FETCH;
	case COM_INIT_DB:
		return KIND_SPACE;
	case COM_CHANGE_USER:
		return KIND_USER;
	case COM_FIELD_LIST:
		return KIND_FIELDS;
	case COM_PROCESS_INFO:
		return KIND_ROWS;
	case COM_CREATE_DB:
	case COM_DROP_DB:
	case COM_REFRESH:
	case COM_SHUTDOWN:
	case COM_STATISTICS:
	case COM_PROCESS_KILL:
	case COM_DEBUG:
	case COM_PING:
	case COM_REGISTER_SLAVE:
	case COM_STMT_RESET:
	case COM_SET_OPTION:
	case COM_RESET_CONNECTION:
		return KIND_PLAIN;
	default:
		return KIND_NONE;
	}
}

static enum mysql_sending sending_of(const struct mysql_state *state, uint8_t command)
{
	switch (command) {
	case COM_QUERY:
		return mysql_can(state, CAPABLE_QUERY_ATTRIBUTES) ? SENDING_ATTRIBUTES : SENDING_TEXT;
	case COM_STMT_PREPARE:
		return SENDING_TEXT;
	case COM_STMT_EXECUTE:
	case COM_STMT_BULK_EXECUTE:
	case COM_STMT_CLOSE:
		return SENDING_NUMBER;
	case COM_INIT_DB:
		return SENDING_SPACE;
	case COM_CHANGE_USER:
		return SENDING_LOGIN;
	default:
		return SENDING_NOTHING;
	}
}

static void unanswered(struct mysql_run *run, uint8_t command)
{
	if (command == COM_QUIT || command == COM_STMT_CLOSE || command == COM_STMT_SEND_LONG_DATA)
		return;
	if (command == COM_BINLOG_DUMP || command == COM_BINLOG_DUMP_GTID)
		mysql_opaque(run, OPAQUE_HANDED_OVER); /* a replica's stream from here on */
	else
		mysql_opaque(run, OPAQUE_MALFORMED);
}

static void command(struct mysql_run *run, uint8_t byte)
{
	struct mysql_state *state = run->state;
	enum mysql_kind kind = kind_of(byte);

	state->command = byte;
	state->statement = 0;
	state->sending = sending_of(state, byte);
	if (kind == KIND_NONE) {
		unanswered(run, byte);
		return;
	}
	if (!mysql_wait(state, kind)) {
		mysql_opaque(run, OPAQUE_TOO_LARGE);
		return;
	}
	state->headed = false;
	mysql_tell(run, EVENT_REQUEST_BEGIN, state->begun, false);
	if (kind == KIND_SPACE) {
		state->spacing = state->begun;
		state->wanted_len = 0;
	} else if (kind == KIND_USER) {
		mysql_change_user_begin(state);
	} else if (kind == KIND_QUERY || kind == KIND_PREPARE) {
		mysql_statement_begin(run);
	}
}

/* Where did the client begin? After the greeting, or, inside TLS, with its third packet. */
static void login(struct mysql_run *run)
{
	struct mysql_state *state = run->state;

	if (state->phase == PHASE_GREETING) {
		if (run->half->sequence != 2) {
			mysql_opaque(run, OPAQUE_NOT_MINE);
			return;
		}
		state->session = true;
		state->phase = PHASE_LOGIN;
	} else if (run->half->sequence != 1) { /* a proxy's header, say: where does it end? */
		mysql_opaque(run, OPAQUE_NOT_MINE);
		return;
	}
	state->sending = SENDING_LOGIN;
	mysql_login_begin(state);
}

void mysql_request_begin(struct mysql_run *run)
{
	struct mysql_state *state = run->state;

	state->sending = SENDING_NOTHING;
	if (!state->told)
		login(run);
	else if (state->phase == PHASE_LOGIN &&
		 run->half->sequence != 0) /* what the server asks for besides */
		return;
	else if (state->filing)
		state->filing = run->half->length > 0;
	else if (run->half->sequence == 0 && run->half->length > 0)
		state->sending = SENDING_COMMAND;
	else
		mysql_opaque(run, OPAQUE_MALFORMED);
}

static void space(struct mysql_state *state, struct bytes piece)
{
	if (piece.len > (size_t)(MYSQL_SPACE_MAX - state->wanted_len)) {
		state->wanted_len = MYSQL_SPACE_MAX + 1;
		state->sending = SENDING_NOTHING;
		return;
	}
	memcpy(state->wanted + state->wanted_len, piece.ptr, piece.len);
	state->wanted_len = (uint8_t)(state->wanted_len + piece.len);
}

/* A piece of the payload that has one meaning: returns how much of it. */
static size_t meant(struct mysql_run *run, struct bytes piece, uint32_t at)
{
	struct mysql_state *state = run->state;
	uint8_t byte = (uint8_t)piece.ptr[0];

	switch ((enum mysql_sending)state->sending) {
	case SENDING_COMMAND:
		command(run, byte);
		return 1;
	case SENDING_LOGIN:
		mysql_login_byte(run, at, byte);
		return 1;
	case SENDING_NUMBER:
		state->statement |= (uint32_t)byte << (8 * (at - 1));
		if (at == 4)
			state->sending = SENDING_NOTHING;
		return 1;
	case SENDING_ATTRIBUTES:
		mysql_attributes_byte(run, byte);
		return 1;
	case SENDING_TEXT:
		mysql_statement_add(run, piece);
		return piece.len;
	case SENDING_SPACE:
		space(state, piece);
		return piece.len;
	case SENDING_NOTHING:
		break;
	}
	return piece.len;
}

void mysql_request_bytes(struct mysql_run *run, struct bytes piece)
{
	uint32_t at = run->half->at;

	while (piece.len && !run->state->opaque) {
		size_t used = meant(run, piece, at);
		at += (uint32_t)used;
		piece = bytes_from(piece, used);
	}
}

void mysql_request_head(struct mysql_run *run, uint32_t exchange, enum mysql_kind kind)
{
	bool call = kind == KIND_QUERY || kind == KIND_EXECUTE || kind == KIND_PREPARE;

	run->kind = kind;
	mysql_tell(run, EVENT_REQUEST_HEAD, exchange, !call);
	run->kind = KIND_NONE;
}

static void command_sent(struct mysql_run *run)
{
	struct mysql_state *state = run->state;
	uint32_t exchange = state->begun;
	enum mysql_kind kind = kind_of(state->command);

	if (state->command == COM_STMT_CLOSE)
		mysql_prepared_close(run, state->statement);
	if (kind == KIND_NONE || state->headed)
		return;
	if (kind == KIND_QUERY || kind == KIND_PREPARE)
		mysql_statement_end(run, exchange);
	if (kind == KIND_PREPARE) {
		state->prepared = exchange;
		mysql_prepared_keep(run, exchange);
	} else if (kind == KIND_EXECUTE) {
		mysql_prepared_find(run, state->statement);
	}
	state->headed = true;
	if (kind == KIND_QUERY && run->commentable)
		mysql_comment_offer(run);
	mysql_request_head(run, exchange, kind);
	mysql_tell(run, EVENT_REQUEST_END, exchange, false);
	run->text = run->summary = BYTES_NONE;
	run->statements = 0;
	run->commentable = run->unknown = false;
}

void mysql_request_end(struct mysql_run *run)
{
	struct mysql_state *state = run->state;

	if (!state->told) {
		mysql_login_sent(run);
	} else if (state->command) {
		command_sent(run);
		state->command = 0;
	}
	state->sending = SENDING_NOTHING;
}
