/* mysql.c - MySQL's and MariaDB's client/server protocol: packets, events, what a call says of its span. */
#include "hooks/protocols/mysql.h"

#include "hooks/protocols/db_describe.h"
#include "hooks/protocols/mysql_heap.h"
#include "hooks/protocols/mysql_statement.h"

extern const struct protocol protocol_mysql;

void mysql_tell(struct mysql_run *run, enum protocol_event_type type, uint32_t exchange, bool quiet)
{
	struct protocol_event event = {.type = type, .exchange = exchange, .offset = run->at, .quiet = quiet};
	run->sink->event(run->sink, &event);
}

void mysql_opaque(struct mysql_run *run, enum protocol_opaque why)
{
	struct protocol_event event = {.type = EVENT_OPAQUE, .number = why, .offset = run->at};

	if (run->state->opaque)
		return;
	run->state->opaque = true;
	run->sink->event(run->sink, &event);
}

bool mysql_number(struct mysql_number *number, uint8_t byte)
{
	if (!number->begun) {
		number->begun = true;
		number->have = 0;
		number->value = 0;
		number->need = byte == 0xfc ? 2 : byte == 0xfd ? 3 : byte == 0xfe ? 8 : 0;
		if (number->need == 0)
			number->value = byte < 0xfb ? byte : 0; /* FB: NULL */
	} else {
		if (number->have < 4)
			number->value |= (uint32_t)byte << (8 * number->have);
		else if (byte)
			number->value = UINT32_MAX;
		number->have++;
	}
	if (number->have < number->need)
		return false;
	number->begun = false;
	return true;
}

/* --- packets ---------------------------------------------------------------------------------------------
 */

static void payload_begin(struct mysql_run *run)
{
	run->half->at = 0;
	run->half->inside = true;
	if (run->requests)
		mysql_request_begin(run);
	else
		mysql_response_begin(run);
}

static void payload_end(struct mysql_run *run)
{
	run->half->inside = false;
	if (run->requests)
		mysql_request_end(run);
	else
		mysql_response_end(run);
}

static void packet_end(struct mysql_run *run)
{
	run->half->got = 0;
	if (run->half->length < MYSQL_PACKET_FULL)
		payload_end(run);
}

/* As many bytes of a packet's header as there are; nearly always all four. */
static size_t header(struct mysql_run *run, struct bytes in)
{
	struct mysql_half *half = run->half;
	size_t take = sizeof(half->head) - half->got;

	if (take > in.len)
		take = in.len;
	if (take == sizeof(half->head))
		memcpy(half->head, in.ptr, sizeof(half->head));
	else
		memcpy(half->head + half->got, in.ptr, take);
	half->got = (uint8_t)(half->got + take);
	return take;
}

static void header_complete(struct mysql_run *run)
{
	struct mysql_half *half = run->half;

	half->length = half->head[0] | (uint32_t)half->head[1] << 8 | (uint32_t)half->head[2] << 16;
	half->left = half->length;
	half->sequence = half->head[3];
	if (!half->inside)
		payload_begin(run);
	if (half->left == 0 && !run->state->opaque)
		packet_end(run);
}

static size_t payload(struct mysql_run *run, struct bytes in)
{
	struct mysql_half *half = run->half;

	in = bytes_until(in, half->left);
	if (run->requests)
		mysql_request_bytes(run, in);
	else
		mysql_response_bytes(run, in);
	half->left -= (uint32_t)in.len;
	half->at = half->at + in.len < half->at ? UINT32_MAX : half->at + (uint32_t)in.len;
	return in.len;
}

size_t mysql_stream(struct mysql_run *run, struct bytes in)
{
	struct mysql_half *half = run->half;
	const size_t before = run->at;
	const bool zipped = half->zipped;
	size_t used = 0;

	while (used < in.len && !run->state->opaque && half->zipped == zipped) {
		if (half->got == 0 && !half->inside && run->state->phase >= PHASE_COLUMNS && !run->requests &&
		    (used += mysql_response_passed(run, bytes_from(in, used))) == in.len)
			break;
		if (half->got < sizeof(half->head)) {
			used += header(run, bytes_from(in, used));
			run->at = zipped ? before : before + used;
			if (half->got == sizeof(half->head))
				header_complete(run);
			continue;
		}
		struct bytes rest = bytes_until(bytes_from(in, used), half->left);
		run->at = zipped ? before : before + used + rest.len;
		used += payload(run, rest);
		if (half->left == 0 && !run->state->opaque)
			packet_end(run);
	}
	return used;
}

/* --- the protocol ----------------------------------------------------------------------------------------
 */

static void start(struct mysql_run *run, struct mysql_state *state, enum protocol_half which, struct bytes in,
		  struct protocol_sink *sink)
{
	*run = (struct mysql_run){
		.state = state,
		.half = &state->half[which],
		.sink = sink,
		.in = in,
		.requests = which == HALF_REQUESTS,
	};
	state->run = run;
}

static void mysql_open(void *opaque)
{
	struct mysql_state *state = opaque;
	memset(state, 0, sizeof(*state));
	state->server = UINT32_MAX; /* what is not known is left to the client */
	state->server_more = UINT8_MAX;
}

/* A session begins where its carrier stopped: the greeting went over that. */
static void mysql_resume(void *opaque, const void *carrier)
{
	struct mysql_state *state = opaque;
	const struct mysql_state *before = carrier;
	state->server = before->server;
	state->server_more = before->server_more;
	state->mariadb = before->mariadb;
}

static void mysql_feed(void *opaque, enum protocol_half which, struct bytes in, struct protocol_sink *sink)
{
	struct mysql_state *state = opaque;
	struct mysql_run run;

	if (state->opaque || in.len == 0)
		return;
	start(&run, state, which, in, sink);
	mysql_statement_return(&run);
	if (!run.half->zipped)
		in = bytes_from(in, mysql_stream(&run, in));
	if (in.len && run.half->zipped && !state->opaque)
		mysql_zip(&run, in);
	state->run = NULL;
}

static void mysql_skip(void *opaque, enum protocol_half which, uint64_t count, struct protocol_sink *sink)
{
	struct mysql_state *state = opaque;
	struct mysql_run run;

	if (state->opaque || count == 0)
		return;
	start(&run, state, which, BYTES_NONE, sink);
	/* Only inside what would be passed over anyway. */
	bool passed =
		which == HALF_REQUESTS ? state->sending == SENDING_NOTHING : state->packet == PACKET_PASSED;
	if (run.half->zipped || run.half->got < sizeof(run.half->head) || !passed || count > run.half->left) {
		mysql_opaque(&run, OPAQUE_LOST);
	} else {
		run.half->left -= (uint32_t)count;
		if (run.half->left == 0)
			packet_end(&run);
	}
	state->run = NULL;
}

static void mysql_end(void *opaque, enum protocol_half which, struct protocol_sink *sink)
{
	(void)opaque;
	(void)which;
	(void)sink;
}

/* --- descriptions ----------------------------------------------------------------------------------------
 */

static void describe_call(const struct mysql_state *state, const struct protocol_endpoint *endpoint,
			  struct protocol_facts *facts)
{
	const struct mysql_run *run = state->run;
	struct db_call call = {
		.system = state->mariadb ? BYTES("mariadb") : BYTES("mysql"),
		.space = {state->space, state->space_len},
		.summary = run->summary,
		.text = run->text,
		.batch = run->statements > 1 ? run->statements : 1,
		.usual_port = 3306,
		.space_in_name = true,
		.unknown = run->unknown,
	};
	if (run->kind == KIND_SPACE)
		call.operation = BYTES("USE");
	else if (run->kind == KIND_FETCH)
		call.operation = BYTES("FETCH");
	db_describe_call(&call, endpoint, facts);
	if (run->kind == KIND_USER)
		facts->name = BYTES("connect");
}

static void describe_answer(const struct mysql_state *state, struct protocol_facts *facts)
{
	char *digits = state->run->digits; /* the facts outlive this function */
	size_t at = sizeof(state->run->digits);
	struct db_answer answer = {
		.failed = state->failed,
		.has_rows = state->has_rows && !state->failed,
		.rows = state->rows,
	};
	if (state->failed) {
		uint16_t error = state->error;
		do {
			digits[--at] = (char)('0' + error % 10);
			error /= 10;
		} while (error);
		answer.code = (struct bytes){digits + at, sizeof(state->run->digits) - at};
	}
	db_describe_answer(&answer, facts);
}

static void mysql_describe(const void *opaque, enum protocol_side side, enum protocol_moment moment,
			   const struct protocol_endpoint *endpoint, struct protocol_facts *facts)
{
	const struct mysql_state *state = opaque;

	(void)side;
	if (!state->run)
		return;
	if (moment == MOMENT_REQUEST)
		describe_call(state, endpoint, facts);
	else
		describe_answer(state, facts);
}

/* --- first bytes -----------------------------------------------------------------------------------------
 */

/* The server speaks first: a packet, the first of its connection, not long, that is a greeting (0A) or an
 * error (FF). No text begins with a NUL at its fourth place. */
static bool is_greeting(const uint8_t *at, size_t len)
{
	if (len < 4 || at[3] != 0 || at[2] != 0 || at[1] > 3 || (at[1] == 0 && at[0] < 9))
		return false;
	return len == 4 || at[4] == 0x0a || at[4] == 0xff;
}

/* Inside TLS the client goes on with its third packet. */
static bool is_login(const uint8_t *at, size_t len)
{
	if (len < 32 || at[2] != 0 || at[3] != 2 || (at[1] == 0 && at[0] < 34))
		return false;
	for (size_t i = 13; i < 32; i++)
		if (at[i] != 0)
			return false;
	return (at[5] & (CAPABLE_SSL >> 8)) && (at[5] & (CAPABLE_PROTOCOL_41 >> 8));
}

static bool mysql_begins(enum protocol_half half, struct bytes first)
{
	const uint8_t *at = (const uint8_t *)first.ptr;
	return half == HALF_RESPONSES ? is_greeting(at, first.len) : is_login(at, first.len);
}

const struct protocol protocol_mysql = {
	.name = "mysql",
	.database = true,
	.state_size = sizeof(struct mysql_state),
	.open = mysql_open,
	.feed = mysql_feed,
	.skip = mysql_skip,
	.end = mysql_end,
	.describe = mysql_describe,
	.begins = mysql_begins,
	.resume = mysql_resume,
	.fold = mysql_fold,
	.unfold = mysql_unfold,
	.insert = mysql_comment_insert,
};
