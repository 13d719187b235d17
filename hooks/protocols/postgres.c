/* postgres.c - PostgreSQL, followed from a connection's first byte: framing, and how a connection begins.
 *
 * Where the server agrees to TLS or GSS encryption this connection's part is over: a TLS session has its own
 * state and begins with the startup message. Nothing of an authentication is looked at. */
#include "hooks/protocols/postgres_comment.h"

extern const struct protocol protocol_postgres;

_Static_assert(sizeof(struct postgres_state) <= PROTOCOL_STATE_MAX, "fits a connection");

#define STARTUP_MAX 10000 /* as the server has it */
#define CODE_CANCEL 80877102u
#define CODE_TLS 80877103u
#define CODE_GSS 80877104u

void postgres_tell(struct postgres_run *run, enum protocol_event_type type, uint32_t exchange)
{
	struct protocol_event event = {.type = type, .exchange = exchange, .offset = run->at};
	run->sink->event(run->sink, &event);
}

void postgres_opaque(struct postgres_run *run, enum protocol_opaque why)
{
	struct protocol_event event = {.type = EVENT_OPAQUE, .number = why, .offset = run->at};

	if (run->state->opaque)
		return;
	run->state->opaque = true;
	run->sink->event(run->sink, &event);
}

static void header_next(struct postgres_frame *frame)
{
	frame->phase = PHASE_HEADER;
	frame->got = 0;
}

/* --- the first bytes -------------------------------------------------------------------------------------
 */

static void first_done(struct postgres_run *run, uint32_t length, uint32_t code)
{
	struct postgres_requests *asks = postgres_asks(run);

	run->frame->left = length - 8;
	if (code >> 16 == 3) {
		run->state->started = true;
		postgres_tell(run, EVENT_REQUEST_BEGIN, ++asks->exchange);
		postgres_push(run, ITEM_STARTUP);
		asks->param = 0;
		run->frame->got = 0;
		run->frame->phase = run->frame->left ? PHASE_PARAMS : PHASE_HEADER;
	} else if ((code == CODE_TLS || code == CODE_GSS) && length == 8) {
		run->state->started = true;
		asks->upgrades++;
		run->frame->type = code == CODE_TLS ? 'S' : 'G';
		run->frame->got = 0;
	} else if (code == CODE_CANCEL && length >= 16) {
		run->state->started = true;
		run->frame->phase = PHASE_OVER;
	} else {
		postgres_opaque(run, run->state->started ? OPAQUE_MALFORMED : OPAQUE_NOT_MINE);
	}
}

/* Eight bytes, each of which may say that this is another protocol. */
static void first_byte(struct postgres_run *run)
{
	struct postgres_frame *frame = run->frame;
	const struct postgres_state *state = run->state;
	/* Before the answer to the last such message nothing may come; after a yes it is no longer ours. */
	bool early = state->requests.upgrades != state->responses.upgrades;

	frame->head[frame->got++] = (uint8_t)run->in.ptr[run->at++];
	uint32_t length = frame->got < 4 ? 0 : postgres_number(frame->head);
	if (early || (frame->got <= 2 && frame->head[frame->got - 1] != 0) ||
	    (frame->got == 4 && (length < 8 || length > STARTUP_MAX)) ||
	    (frame->got == 5 && frame->head[4] != 0 && frame->head[4] != CODE_TLS >> 24))
		postgres_opaque(run, state->started ? OPAQUE_MALFORMED : OPAQUE_NOT_MINE);
	else if (frame->got == 8)
		first_done(run, length, postgres_number(frame->head + 4));
}

/* One byte: the answer to whether the connection may be encrypted. */
static void upgrade_answer(struct postgres_run *run)
{
	const struct postgres_requests *asks = postgres_asks(run);
	uint8_t asked = asks->frame.type, answer = (uint8_t)run->in.ptr[run->at++];

	if (postgres_answers(run)->upgrades == asks->upgrades) {
		postgres_opaque(run, OPAQUE_MALFORMED);
		return;
	}
	postgres_answers(run)->upgrades++;
	if (answer == 'N')
		return;
	/* An E is an error of a server that does not know the question: the client goes elsewhere. */
	postgres_opaque(run, answer == asked || answer == 'E' ? OPAQUE_HANDED_OVER : OPAQUE_MALFORMED);
}

/* --- messages ------------------------------------------------------------------------------------------- */

static bool is_requests(const struct postgres_run *run)
{
	return run->frame == &run->state->requests.frame;
}

static void message_end(struct postgres_run *run)
{
	bool params = run->frame->phase == PHASE_PARAMS;

	header_next(run->frame);
	if (params)
		return;
	if (is_requests(run))
		postgres_request_end(run);
	else
		postgres_response_end(run);
}

static void header(struct postgres_run *run)
{
	struct postgres_frame *frame = run->frame;
	struct bytes rest = bytes_until(bytes_from(run->in, run->at), 5u - frame->got);

	if (rest.len)
		memcpy(frame->head + frame->got, rest.ptr, rest.len);
	frame->got = (uint8_t)(frame->got + rest.len);
	run->at += rest.len;
	if (frame->got < 5)
		return;
	uint32_t length = postgres_number(frame->head + 1);
	if (length < 4 || length > INT32_MAX) {
		postgres_opaque(run, OPAQUE_MALFORMED);
		return;
	}
	frame->type = frame->head[0];
	frame->left = length - 4;
	frame->phase = PHASE_BODY;
	if (is_requests(run))
		postgres_request_begin(run);
	else
		postgres_response_begin(run);
	if (frame->left == 0 && !run->state->opaque)
		message_end(run);
}

static void body(struct postgres_run *run)
{
	struct postgres_frame *frame = run->frame;
	struct bytes piece = bytes_until(bytes_from(run->in, run->at), frame->left);

	run->at += piece.len;
	frame->left -= (uint32_t)piece.len;
	if (frame->phase == PHASE_PARAMS)
		postgres_startup_param(run, piece);
	else if (is_requests(run))
		postgres_request_body(run, piece);
	else
		postgres_response_body(run, piece);
	if (frame->left == 0 && !run->state->opaque)
		message_end(run);
}

/* Nearly always a message is there as a whole: no state between its parts. False: it is not, or not for here.
 */
static inline bool whole(struct postgres_run *run, bool requests)
{
	struct postgres_frame *frame = run->frame;
	size_t left = run->in.len - run->at;

	if (frame->phase != PHASE_HEADER || frame->got || left < 5)
		return false;
	const char *at = run->in.ptr + run->at;
	uint32_t length = postgres_number((const uint8_t *)at + 1);
	if (length < 4 || length > left - 1 || length > INT32_MAX)
		return false;
	struct bytes piece = {at + 5, length - 4};
	memcpy(frame->head, at, 5);
	frame->type = frame->head[0];
	frame->left = length - 4;
	frame->got = 5;
	frame->phase = PHASE_BODY;
	run->at += 5;
	if (requests)
		postgres_request_begin(run);
	else
		postgres_response_begin(run);
	run->at += piece.len;
	frame->left = 0;
	if (piece.len && !run->state->opaque) {
		if (requests)
			postgres_request_body(run, piece);
		else
			postgres_response_body(run, piece);
	}
	if (run->state->opaque)
		return true;
	header_next(frame);
	if (requests)
		postgres_request_end(run);
	else
		postgres_response_end(run);
	return true;
}

/* Rows behind the first, whole ones: told apart from nothing else, only counted. */
static inline bool rows(struct postgres_run *run)
{
	const struct postgres_frame *frame = run->frame;
	size_t from = run->at;

	if (frame->type != 'D' || frame->phase != PHASE_HEADER || frame->got)
		return false;
	while (run->in.len - run->at >= 5 && run->in.ptr[run->at] == 'D') {
		uint32_t length = postgres_number((const uint8_t *)run->in.ptr + run->at + 1);
		if (length < 4 || length > run->in.len - run->at - 1 || length > INT32_MAX)
			break;
		run->at += length + 1;
		run->state->responses.rows++;
	}
	return run->at > from;
}

static void step(struct postgres_run *run)
{
	switch ((enum postgres_phase)run->frame->phase) {
	case PHASE_FIRST:
		if (is_requests(run))
			first_byte(run);
		else
			upgrade_answer(run);
		break;
	case PHASE_HEADER:
		header(run);
		break;
	case PHASE_PARAMS:
	case PHASE_BODY:
		body(run);
		break;
	case PHASE_OVER:
		run->at = run->in.len;
		break;
	}
}

static void postgres_open(void *opaque)
{
	memset(opaque, 0, sizeof(struct postgres_state));
}

static void start(struct postgres_run *run, struct postgres_state *state, enum protocol_half half,
		  struct bytes in, struct protocol_sink *sink)
{
	run->state = state;
	run->frame = half == HALF_REQUESTS ? &state->requests.frame : &state->responses.frame;
	run->sink = sink;
	run->in = in;
	run->at = 0;
}

static void postgres_feed(void *opaque, enum protocol_half half, struct bytes in, struct protocol_sink *sink)
{
	struct postgres_state *state = opaque;
	struct postgres_run run;

	if (state->opaque || in.len == 0)
		return;
	start(&run, state, half, in, sink);
	state->run = &run;
	if (half == HALF_REQUESTS) {
		postgres_text_feed(&run);
	} else if (run.frame->phase == PHASE_FIRST && state->requests.exchange) {
		header_next(run.frame); /* there is no more to agree on */
	} else if (run.frame->phase == PHASE_FIRST && !state->started) {
		postgres_opaque(&run, OPAQUE_NOT_MINE); /* a server never speaks first */
	}
	if (half == HALF_REQUESTS) {
		while (run.at < in.len && !state->opaque)
			if (!whole(&run, true))
				step(&run);
		postgres_text_fed(&run);
	} else {
		while (run.at < in.len && !state->opaque)
			if (!rows(&run) && !whole(&run, false))
				step(&run);
	}
	state->run = NULL;
}

/* Only what nobody looks at may go by unread. */
static void postgres_skip(void *opaque, enum protocol_half half, uint64_t count, struct protocol_sink *sink)
{
	struct postgres_state *state = opaque;
	struct postgres_run run;

	if (state->opaque || count == 0)
		return;
	start(&run, state, half, BYTES_NONE, sink);
	struct postgres_frame *frame = run.frame;
	bool plain = half == HALF_REQUESTS ? state->requests.step == STEP_PASS
					   : !strchr("ENSC", frame->type); /* see postgres_response.c */
	if (frame->phase == PHASE_OVER)
		return;
	if (frame->phase != PHASE_BODY || !plain || count > frame->left) {
		postgres_opaque(&run, OPAQUE_LOST);
		return;
	}
	state->run = &run;
	frame->left -= (uint32_t)count;
	if (frame->left == 0)
		message_end(&run);
	state->run = NULL;
}

/* What is under way when the connection ends has no answer. */
static void postgres_end(void *opaque, enum protocol_half half, struct protocol_sink *sink)
{
	(void)opaque;
	(void)half;
	(void)sink;
}

static void postgres_describe(const void *opaque, enum protocol_side side, enum protocol_moment moment,
			      const struct protocol_endpoint *endpoint, struct protocol_facts *facts)
{
	const struct postgres_state *state = opaque;

	if (!state->run || side != SIDE_CLIENT)
		return;
	if (moment == MOMENT_REQUEST)
		db_describe_call(&state->run->call, endpoint, facts);
	else
		db_describe_answer(&state->run->answer, facts);
}

/* What the server has said since stays, and the arena knows by itself. */
static void postgres_put_back(void *opaque, const void *copy)
{
	struct postgres_state *state = opaque;
	const struct postgres_state *before = copy;

	state->requests = before->requests;
	state->opaque = before->opaque;
	state->started = before->started;
}

const struct protocol protocol_postgres = {
	.name = "postgres",
	.state_size = sizeof(struct postgres_state),
	.open = postgres_open,
	.feed = postgres_feed,
	.skip = postgres_skip,
	.end = postgres_end,
	.describe = postgres_describe,
	.database = true,
	.put_back = postgres_put_back,
	.stash_requests = PROTOCOL_STASH_SIZE,
	.fold = postgres_fold,
	.unfold = postgres_unfold,
	.insert = postgres_comment_insert,
};
