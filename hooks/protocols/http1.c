/* http1.c - HTTP/1.0 and 1.1, followed from the first byte of a connection. Rules: RFC 9112. */
#include "hooks/protocols/http1.h"
#include "hooks/protocols/http1_scan.h"

extern const struct protocol protocol_http1;

_Static_assert(sizeof(struct http1_state) <= 320, "copied for each request that is sent");

uint32_t http1_exchange(const struct http1_run *run)
{
	return run->requests ? run->state->begun : run->state->answered + 1;
}

void http1_tell(struct http1_run *run, enum protocol_event_type type, uint32_t number, size_t offset)
{
	struct protocol_event *event = &run->event;

	if (run->sink->deaf & 1u << type)
		return;
	event->type = type;
	event->exchange = http1_exchange(run);
	event->number = number;
	event->offset = offset;
	run->sink->event(run->sink, event);
}

void http1_opaque(struct http1_run *run, enum protocol_opaque why)
{
	if (run->state->opaque)
		return;
	run->state->opaque = true;
	http1_tell(run, EVENT_OPAQUE, why, run->at);
}

void http1_malformed(struct http1_run *run)
{
	http1_opaque(run, run->state->proven ? OPAQUE_MALFORMED : OPAQUE_NOT_MINE);
}

void http1_set_kind(struct http1_state *state, enum http1_kind kind)
{
	uint32_t index = (state->begun - 1) % HTTP1_IN_FLIGHT;
	unsigned shift = index % 32 * 2;
	uint64_t *word = &state->kinds[index / 32];
	*word = (*word & ~(UINT64_C(3) << shift)) | ((uint64_t)kind << shift);
}

static enum http1_kind newest_kind(const struct http1_state *state)
{
	uint32_t index = (state->begun - 1) % HTTP1_IN_FLIGHT;
	return (state->kinds[index / 32] >> (index % 32 * 2)) & 3;
}

/* --- beginnings ---------------------------------------------------------------------------------------- */

static void begin_head(struct http1_run *run)
{
	struct http1_half *half = run->half;
	uint32_t head = half->head;

	*half = (struct http1_half){.phase = PHASE_LINE, .head = head};
	http_message_init(&run->message);
	http1_stash_begin(run);
	run->mark = run->stop = run->at;
	run->spare_to = 0;
}

static void idle(struct http1_run *run)
{
	struct http1_half *half = run->half;
	struct http1_state *state = run->state;
	char c = run->in.ptr[run->at];

	if (state->closed) {
		half->phase = PHASE_IGNORE;
		return;
	}
	if (!run->requests) {
		begin_head(run);
		return;
	}
	if (half->cr || c == '\r' || c == '\n') { /* empty lines before a request */
		if (half->cr && c != '\n') {
			http1_malformed(run);
			return;
		}
		half->cr = c == '\r';
		http1_consume(run, 1);
		return;
	}
	if (!http1_token[(uint8_t)c]) {
		http1_malformed(run);
		return;
	}
	if (state->begun - state->answered >= HTTP1_IN_FLIGHT) {
		http1_opaque(run, OPAQUE_TOO_LARGE);
		return;
	}
	state->begun++;
	http1_set_kind(state, KIND_PLAIN);
	begin_head(run);
	http1_tell(run, EVENT_REQUEST_BEGIN, 0, run->at);
}

/* --- ends of heads and messages ------------------------------------------------------------------------ */

void http1_message_done(struct http1_run *run)
{
	struct http1_half *half = run->half;
	struct http1_state *state = run->state;
	bool close = half->close || (half->minor == 0 && !half->keep);

	half->phase = PHASE_IDLE;
	half->head = 0;
	half->trailer = false;
	half->used = half->from;
	if (run->requests) {
		http1_tell(run, EVENT_REQUEST_END, 0, run->at);
		if (newest_kind(state) == KIND_CONNECT && state->begun != state->answered)
			half->phase = PHASE_TUNNEL;
		return;
	}
	http1_tell(run, EVENT_RESPONSE_END, 0, run->at);
	state->answered++;
	if (close) {
		state->closed = true;
		half->phase = PHASE_IGNORE;
	}
}

static void body_begins(struct http1_run *run)
{
	struct http1_half *half = run->half;

	if (half->has_coding && half->chunked) {
		half->phase = PHASE_SIZE;
		half->step = 0;
		half->head = 0;
		half->left = 0;
	} else if (half->has_length) {
		half->phase = PHASE_LENGTH;
		if (half->left == 0)
			http1_message_done(run);
	} else if (run->requests) {
		http1_message_done(run);
	} else {
		half->phase = PHASE_CLOSE;
	}
}

static void fill_message(struct http1_run *run)
{
	static const char versions[] = "1.01.11.21.31.41.51.61.71.81.9";
	const struct http1_half *half = run->half;
	struct http_message *message = &run->message;

	message->version = (struct bytes){versions + (size_t)3 * half->minor, 3};
	message->cut = half->cut;
	message->status = half->status;
	if (message->same)
		message->same |= half->minor;
	for (int i = 0, rest = half->status; i < 3 && half->status >= 400; i++, rest /= 10)
		message->status_text[2 - i] = (char)('0' + rest % 10);
}

static void request_head_done(struct http1_run *run)
{
	struct http1_state *state = run->state;
	struct http1_half *half = run->half;

	if (half->upgrade && newest_kind(state) == KIND_PLAIN)
		http1_set_kind(state, KIND_UPGRADE);
	fill_message(run);
	http1_tell(run, EVENT_REQUEST_HEAD, 0, run->at);
	body_begins(run);
}

static void response_head_done(struct http1_run *run)
{
	struct http1_state *state = run->state;
	struct http1_half *half = run->half;
	enum http1_kind kind = http1_kind(state);
	bool tunnel =
		half->status == 101 || (kind == KIND_CONNECT && half->status >= 200 && half->status < 300);

	if (half->status < 200 && half->status != 101) {
		http1_tell(run, EVENT_INTERIM, half->status, run->at);
		half->phase = PHASE_IDLE;
		half->head = 0;
		half->used = half->from;
		return;
	}
	if (half->status == 101 && kind != KIND_UPGRADE) { /* nobody asked for it */
		http1_malformed(run);
		return;
	}
	if (half->status == 101 && http1_upgrade(run))
		return;
	fill_message(run);
	http1_tell(run, EVENT_RESPONSE_HEAD, half->status, run->at);
	if (tunnel) {
		http1_tell(run, EVENT_RESPONSE_END, 0, run->at);
		http1_opaque(run, OPAQUE_HANDED_OVER);
		return;
	}
	if (kind == KIND_CONNECT && state->half[HALF_REQUESTS].phase == PHASE_TUNNEL) {
		if (state->tunnel_bytes) { /* were they a request after all? */
			http1_opaque(run, OPAQUE_LOST);
			return;
		}
		state->half[HALF_REQUESTS].phase = PHASE_IDLE;
	}
	if (kind == KIND_HEAD || half->status == 204 || half->status == 304)
		http1_message_done(run);
	else
		body_begins(run);
}

void http1_head_done(struct http1_run *run)
{
	if (run->half->trailer)
		http1_message_done(run);
	else if (run->requests)
		request_head_done(run);
	else
		response_head_done(run);
}

/* --- bodies --------------------------------------------------------------------------------------------- */

/* Of a body whose length is known, or of a chunk. */
static void data(struct http1_run *run)
{
	struct http1_half *half = run->half;
	size_t here = run->in.len - run->at;
	if (here > half->left)
		here = (size_t)half->left;
	run->at += here;
	half->left -= here;
	if (half->left)
		return;
	if (half->phase == PHASE_DATA)
		half->phase = PHASE_DATA_CR;
	else
		http1_message_done(run);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = bytes_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool chunk_line_fits(struct http1_run *run, size_t count)
{
	run->at += count;
	if (count > HTTP1_CHUNK_LINE_MAX - run->half->head) {
		http1_opaque(run, OPAQUE_TOO_LARGE);
		return false;
	}
	run->half->head += (uint32_t)count;
	return true;
}

enum { SIZE_EMPTY, SIZE_DIGITS, SIZE_SPACE };

static void chunk_size(struct http1_run *run)
{
	struct http1_half *half = run->half;
	char c = run->in.ptr[run->at];
	int digit = hex_digit(c);

	if (digit >= 0 && half->step != SIZE_SPACE) {
		if (half->left >> 59) {
			http1_malformed(run);
			return;
		}
		half->left = half->left * 16 + (uint64_t)digit;
		half->step = SIZE_DIGITS;
	} else if (half->step == SIZE_EMPTY) {
		http1_malformed(run);
		return;
	} else if (c == ';') {
		half->phase = PHASE_EXTENSION;
	} else if (c == '\r' && half->step == SIZE_DIGITS) {
		half->phase = PHASE_SIZE_LF;
	} else if (c == ' ' || c == '\t') {
		half->step = SIZE_SPACE;
	} else {
		http1_malformed(run);
		return;
	}
	chunk_line_fits(run, 1);
}

static void chunk_extension(struct http1_run *run)
{
	size_t at = scan_control(run->in, run->at);
	if (!chunk_line_fits(run, at - run->at) || at == run->in.len)
		return;
	if (run->in.ptr[at] != '\r') {
		http1_malformed(run);
		return;
	}
	run->half->phase = PHASE_SIZE_LF;
	chunk_line_fits(run, 1);
}

static void chunk_size_lf(struct http1_run *run)
{
	struct http1_half *half = run->half;
	if (run->in.ptr[run->at] != '\n') {
		http1_malformed(run);
		return;
	}
	run->at++;
	half->head = 0;
	half->step = SIZE_EMPTY;
	half->phase = half->left ? PHASE_DATA : PHASE_FIELD;
	if (half->left == 0) {
		half->trailer = true;
		half->dull = false;
	}
}

static void chunk_data_end(struct http1_run *run, char expected, enum http1_phase next)
{
	if (run->in.ptr[run->at] != expected) {
		http1_malformed(run);
		return;
	}
	run->at++;
	run->half->phase = next;
}

/* A head goes from its start line to its end in one step, where it is here. */
static bool goes_on(const struct http1_run *run, enum http1_phase phase)
{
	return run->half->phase == phase && run->at < run->in.len && !run->state->opaque;
}

static void step(struct http1_run *run)
{
	switch ((enum http1_phase)run->half->phase) {
	case PHASE_IDLE:
		idle(run);
		if (!goes_on(run, PHASE_LINE))
			break;
		__attribute__((fallthrough));
	case PHASE_LINE:
		http1_start_line(run);
		if (!goes_on(run, PHASE_FIELD))
			break;
		run->fresh = true;
		__attribute__((fallthrough));
	case PHASE_FIELD:
		http1_field_start(run);
		break;
	case PHASE_NAME:
		http1_name(run);
		break;
	case PHASE_VALUE:
		http1_value(run);
		break;
	case PHASE_DULL:
		http1_dull(run);
		break;
	case PHASE_BLANK:
		http1_blank(run);
		break;
	case PHASE_LENGTH:
	case PHASE_DATA:
		data(run);
		break;
	case PHASE_SIZE:
		chunk_size(run);
		break;
	case PHASE_EXTENSION:
		chunk_extension(run);
		break;
	case PHASE_SIZE_LF:
		chunk_size_lf(run);
		break;
	case PHASE_DATA_CR:
		chunk_data_end(run, '\r', PHASE_DATA_LF);
		break;
	case PHASE_DATA_LF:
		chunk_data_end(run, '\n', PHASE_SIZE);
		break;
	case PHASE_TUNNEL:
		run->state->tunnel_bytes = true;
		run->at = run->in.len;
		break;
	case PHASE_CLOSE:
	case PHASE_IGNORE:
		run->at = run->in.len;
		break;
	}
}

/* --- the protocol --------------------------------------------------------------------------------------- */

static bool in_head(const struct http1_half *half)
{
	return half->phase >= PHASE_LINE && half->phase <= PHASE_BLANK && !half->trailer;
}

static void run_start(struct http1_run *run, struct http1_state *state, enum protocol_half which,
		      struct protocol_sink *sink)
{
	/* The message is made when a head is: most feeds of bodies need none. */
	memset(run, 0, offsetof(struct http1_run, message));
	run->state = state;
	run->half = &state->half[which];
	run->requests = which == HALF_REQUESTS;
	run->sink = sink;
}

static void http1_open(void *opaque)
{
	memset(opaque, 0, sizeof(struct http1_state));
}

static void http1_feed(void *opaque, enum protocol_half which, struct bytes in, struct protocol_sink *sink)
{
	struct http1_state *state = opaque;
	struct http1_run run;

	if (state->opaque || in.len == 0)
		return;
	run_start(&run, state, which, sink);
	run.in = in;
	state->run = &run;
	if (in_head(run.half)) {
		http_message_init(&run.message);
		if (!http1_stash_load(&run))
			http1_opaque(&run, OPAQUE_LOST);
	}
	while (run.at < in.len && !state->opaque)
		step(&run);
	if (!state->opaque && in_head(run.half) && !http1_stash_save(&run))
		http1_opaque(&run, OPAQUE_TOO_LARGE);
	state->run = NULL;
}

static void http1_skip(void *opaque, enum protocol_half which, uint64_t count, struct protocol_sink *sink)
{
	struct http1_state *state = opaque;
	struct http1_run run;

	if (state->opaque || count == 0)
		return;
	run_start(&run, state, which, sink);
	struct http1_half *half = run.half;
	if (half->phase == PHASE_TUNNEL) {
		state->tunnel_bytes = true;
	} else if ((half->phase == PHASE_LENGTH || half->phase == PHASE_DATA) && count <= half->left) {
		half->left -= count;
		if (half->left == 0 && half->phase == PHASE_LENGTH)
			http1_message_done(&run);
		else if (half->left == 0)
			half->phase = PHASE_DATA_CR;
	} else if (half->phase != PHASE_CLOSE && half->phase != PHASE_IGNORE) {
		http1_opaque(&run, OPAQUE_LOST);
	}
}

static void http1_end(void *opaque, enum protocol_half which, struct protocol_sink *sink)
{
	struct http1_state *state = opaque;
	struct http1_run run;

	if (state->opaque)
		return;
	run_start(&run, state, which, sink);
	bool closes = run.half->phase == PHASE_CLOSE;
	run.half->phase = PHASE_IGNORE;
	if (closes) {
		run.half->close = true;
		http1_message_done(&run);
	}
}

static void http1_describe(const void *opaque, enum protocol_side side, enum protocol_moment moment,
			   const struct protocol_endpoint *endpoint, struct protocol_facts *facts)
{
	const struct http1_state *state = opaque;

	if (!state->run)
		return;
	if (moment == MOMENT_REQUEST)
		http_describe_request(&state->run->message, side, endpoint, facts);
	else
		http_describe_response(&state->run->message, side, facts);
}

static enum protocol_identified http1_identify(const void *opaque, struct protocol_identity *to)
{
	const struct http1_run *run = ((const struct http1_state *)opaque)->run;
	return run ? http_identify(&run->message, run->half->cut > 0, to) : IDENTIFIED_NOT;
}

/* What responses have changed since the copy stays: `answered`, `closed`, their half. */
static void http1_put_back(void *opaque, const void *before)
{
	struct http1_state *state = opaque;
	const struct http1_state *copy = before;

	state->half[HALF_REQUESTS] = copy->half[HALF_REQUESTS];
	memcpy(state->kinds, copy->kinds, sizeof(state->kinds));
	state->begun = copy->begun;
	state->proven = copy->proven;
	state->tunnel_bytes = copy->tunnel_bytes;
	state->opaque = copy->opaque; /* of a response's making it would have ended the following */
}

const struct protocol protocol_http1 = {
	.name = "http1",
	.state_size = sizeof(struct http1_state),
	.open = http1_open,
	.feed = http1_feed,
	.skip = http1_skip,
	.end = http1_end,
	.describe = http1_describe,
	.identify = http1_identify,
	.put_back = http1_put_back,
	.stash_requests = HTTP1_REQUESTS_SHARE,
};
