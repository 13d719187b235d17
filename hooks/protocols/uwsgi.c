/* uwsgi.c - the uwsgi protocol: a 4-byte header (modifier 0: a request), variables with 16-bit lengths, the
 * body; the answer is HTTP/1 or CGI, ended by close. */
#include "hooks/protocols/cgi.h"

extern const struct protocol protocol_uwsgi;

#define SIZE_MOST 65535
#define FIRST_NAME_MOST 64

enum uwsgi_phase { UWSGI_HEADER, UWSGI_NAME_LEN, UWSGI_NAME, UWSGI_VALUE_LEN, UWSGI_VALUE, UWSGI_BODY };

struct uwsgi_state {
	struct cgi_single single; /* first */
	struct cgi_run *run;      /* only during a feed */
	size_t size_at, pair_at;  /* in this feed */
	bool size_here, pair_here;
	bool first; /* the first variable is being looked at */
	uint8_t phase, got, small[4];
	uint16_t size, left, need; /* of the variables, of what is left of them, of the name or value */
};

_Static_assert(sizeof(struct uwsgi_state) <= PROTOCOL_STATE_MAX, "too large");

static void malformed(struct uwsgi_state *state, struct cgi_run *run)
{
	cgi_single_opaque(&state->single, run, OPAQUE_MALFORMED);
}

static uint16_t little_endian(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] | bytes[1] << 8);
}

static void header(struct uwsgi_state *state, struct cgi_run *run)
{
	uint8_t c = (uint8_t)run->in.ptr[run->at];

	if ((state->got == 0 || state->got == 3) && c != 0) {
		malformed(state, run);
		return;
	}
	cgi_single_begin(&state->single, run);
	if (state->got == 1) {
		state->size_at = run->at;
		state->size_here = true;
	}
	state->small[state->got++] = c;
	run->at++;
	if (state->got < 4)
		return;
	state->size = state->left = little_endian(state->small + 1);
	state->got = 0;
	state->first = true;
	state->phase = UWSGI_NAME_LEN;
	if (state->size < 6)
		malformed(state, run);
}

static void pair_length(struct uwsgi_state *state, struct cgi_run *run)
{
	bool name = state->phase == UWSGI_NAME_LEN;

	if (name && state->got == 0) {
		state->pair_at = run->at;
		state->pair_here = true;
	}
	state->small[state->got++] = (uint8_t)run->in.ptr[run->at++];
	state->left--;
	if (state->got == 2) {
		state->got = 0;
		state->need = little_endian(state->small);
		state->phase = name ? UWSGI_NAME : UWSGI_VALUE;
		if (state->need + (name ? 2 : 0) > state->left || (name && state->need == 0) ||
		    (state->first && name && state->need > FIRST_NAME_MOST))
			malformed(state, run);
	} else if (state->left == 0) {
		malformed(state, run);
	}
}

/* The first name proves the protocol: upper case letters, as CGI variables have them. */
static bool plausible(struct bytes name)
{
	for (size_t i = 0; i < name.len; i++) {
		char c = name.ptr[i];
		if (!((c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'))
			return false;
	}
	return true;
}

static void head_done(struct uwsgi_state *state, struct cgi_run *run)
{
	/* Not behind the last variable, which may be the last byte of the request: before it. */
	if (state->pair_here)
		cgi_tell(run, EVENT_INSERT, 0, state->pair_at);
	state->phase = UWSGI_BODY;
	cgi_single_head_done(&state->single, run);
}

static void named(struct uwsgi_state *state, struct cgi_run *run)
{
	state->first = false;
	state->single.proven = true;
	cgi_named(run);
	state->phase = UWSGI_VALUE_LEN;
}

static void text(struct uwsgi_state *state, struct cgi_run *run)
{
	struct bytes piece = bytes_until(bytes_from(run->in, run->at), state->need);

	if (state->phase == UWSGI_NAME) {
		if (state->first && !plausible(piece)) {
			malformed(state, run);
			return;
		}
		cgi_name(run, piece);
	} else {
		cgi_value(run, piece);
	}
	run->at += piece.len;
	state->need = (uint16_t)(state->need - piece.len);
	state->left = (uint16_t)(state->left - piece.len);
	if (state->need > 0)
		return;
	if (state->phase == UWSGI_NAME) {
		named(state, run);
		return;
	}
	cgi_valued(run);
	state->phase = UWSGI_NAME_LEN;
	if (state->left == 0)
		head_done(state, run);
}

static void requests(struct uwsgi_state *state, struct cgi_run *run)
{
	while (run->at < run->in.len && !state->single.opaque && state->phase != UWSGI_BODY) {
		if (state->phase == UWSGI_HEADER) {
			header(state, run);
			if (state->phase == UWSGI_NAME_LEN)
				cgi_begin(run);
		} else if (state->phase == UWSGI_NAME_LEN || state->phase == UWSGI_VALUE_LEN) {
			pair_length(state, run);
			if (state->phase == UWSGI_VALUE && state->need == 0 && !state->single.opaque)
				text(state, run);
		} else {
			text(state, run);
		}
		if (run->why)
			cgi_single_opaque(&state->single, run, run->why);
	}
	if (state->single.opaque)
		return;
	if (state->phase == UWSGI_VALUE) {
		cgi_suspend(run);
		if (run->why)
			cgi_single_opaque(&state->single, run, run->why);
	} else if (state->phase == UWSGI_BODY && run->at < run->in.len) {
		cgi_single_body(&state->single, run, run->in.len - run->at);
	}
}

static void uwsgi_open(void *opaque)
{
	memset(opaque, 0, sizeof(struct uwsgi_state));
}

static void start(struct cgi_run *run, struct uwsgi_state *state, enum protocol_half which, struct bytes in,
		  struct protocol_sink *sink)
{
	cgi_start(run, &state->single.half[which], which, in, sink);
	run->exchange = 1;
}

static void uwsgi_feed(void *opaque, enum protocol_half which, struct bytes in, struct protocol_sink *sink)
{
	struct uwsgi_state *state = opaque;
	struct cgi_run run;

	if (state->single.opaque || in.len == 0)
		return;
	start(&run, state, which, in, sink);
	state->run = &run;
	if (which == HALF_RESPONSES) {
		cgi_single_response(&state->single, &run);
	} else {
		state->size_here = state->pair_here = false;
		requests(state, &run);
	}
	state->run = NULL;
}

static void uwsgi_skip(void *opaque, enum protocol_half which, uint64_t count, struct protocol_sink *sink)
{
	struct uwsgi_state *state = opaque;
	struct cgi_run run;
	start(&run, state, which, BYTES_NONE, sink);
	cgi_single_skip(&state->single, &run, count);
}

static void uwsgi_end(void *opaque, enum protocol_half which, struct protocol_sink *sink)
{
	struct uwsgi_state *state = opaque;
	struct cgi_run run;
	start(&run, state, which, BYTES_NONE, sink);
	cgi_single_end(&state->single, &run);
}

static void uwsgi_describe(const void *opaque, enum protocol_side side, enum protocol_moment moment,
			   const struct protocol_endpoint *endpoint, struct protocol_facts *facts)
{
	const struct uwsgi_state *state = opaque;
	if (state->run)
		cgi_describe(state->run, side, moment, endpoint, facts);
}

static char *put_text(char *at, struct bytes text)
{
	*at++ = (char)(text.len & 0xff);
	*at++ = (char)(text.len >> 8);
	memcpy(at, text.ptr, text.len);
	return at + text.len;
}

static size_t uwsgi_encode(const void *opaque, struct bytes lines, char *out, size_t cap)
{
	char name[CGI_NAME_MAX], *at = out;
	size_t name_len;
	struct bytes value;

	(void)opaque;
	while (cgi_next_line(&lines, name, &name_len, &value)) {
		if (value.len > SIZE_MOST || name_len + value.len + 4 > cap - (size_t)(at - out))
			return 0;
		at = put_text(at, (struct bytes){name, name_len});
		at = put_text(at, value);
	}
	return (size_t)(at - out);
}

static bool uwsgi_patch(const void *opaque, size_t len, struct protocol_patch *patch)
{
	const struct uwsgi_state *state = opaque;
	size_t size = state->size + len;

	if (size > SIZE_MOST)
		return false;
	*patch = (struct protocol_patch){
		.end = state->size_at + 2,
		.replaces = 2,
		.len = 2,
		.begun = !state->size_here,
		.gone = !state->size_here,
		.bytes = {(char)(size & 0xff), (char)(size >> 8)},
	};
	return true;
}

const struct protocol protocol_uwsgi = {
	.name = "uwsgi",
	.state_size = sizeof(struct uwsgi_state),
	.open = uwsgi_open,
	.feed = uwsgi_feed,
	.skip = uwsgi_skip,
	.end = uwsgi_end,
	.describe = uwsgi_describe,
	.encode = uwsgi_encode,
	.patch = uwsgi_patch,
};
