/* scgi.c - Simple CGI: a netstring of NUL-ended names and values, CONTENT_LENGTH first; then the body. */
#include "hooks/protocols/cgi.h"

extern const struct protocol protocol_scgi;

static const char first_name[] = "CONTENT_LENGTH"; /* with its NUL */

enum scgi_phase { SCGI_LENGTH, SCGI_FIRST, SCGI_NAME, SCGI_VALUE, SCGI_COMMA, SCGI_BODY };

struct scgi_state {
	struct cgi_single single; /* first */
	struct cgi_run *run;      /* only during a feed */
	uint32_t length, left;    /* of the netstring */
	size_t length_end;        /* where its digits end in this feed */
	bool length_here, end_here;
	uint8_t phase, digits, matched;
};

_Static_assert(sizeof(struct scgi_state) <= PROTOCOL_STATE_MAX, "too large");

static void malformed(struct scgi_state *state, struct cgi_run *run)
{
	cgi_single_opaque(&state->single, run, OPAQUE_MALFORMED);
}

static void length_digit(struct scgi_state *state, struct cgi_run *run)
{
	char c = run->in.ptr[run->at];

	if (state->digits == 0)
		state->length_here = true;
	if (c >= '1' && c <= '9')
		cgi_single_begin(&state->single, run);
	state->length_end = run->at++;
	if (c == ':' && state->length > sizeof(first_name)) {
		state->phase = SCGI_FIRST;
		state->end_here = true;
		state->left = state->length;
		return;
	}
	/* No leading zero: a netstring has none. */
	if (c < '0' || c > '9' || (c == '0' && state->length == 0) || state->digits == 7) {
		malformed(state, run);
		return;
	}
	state->digits++;
	state->length = state->length * 10 + (uint32_t)(c - '0');
	if (state->length > CGI_HEAD_MAX)
		cgi_single_opaque(&state->single, run, OPAQUE_NOT_MINE);
}

/* The first name proves the protocol. */
static void first(struct scgi_state *state, struct cgi_run *run)
{
	if (run->in.ptr[run->at] != first_name[state->matched]) {
		malformed(state, run);
		return;
	}
	run->at++;
	state->left--;
	if (++state->matched < sizeof(first_name))
		return;
	state->single.proven = true;
	cgi_begin(run);
	cgi_name(run, BYTES("CONTENT_LENGTH"));
	cgi_named(run);
	state->phase = SCGI_VALUE;
}

static void text(struct scgi_state *state, struct cgi_run *run)
{
	struct bytes rest = bytes_from(run->in, run->at);
	rest = bytes_until(rest, state->left);
	size_t end = bytes_find(rest, '\0');
	bool name = state->phase == SCGI_NAME;

	if (name)
		cgi_name(run, bytes_until(rest, end));
	else
		cgi_value(run, bytes_until(rest, end));
	bool complete = end < rest.len;
	run->at += end + complete;
	state->left -= (uint32_t)(end + complete);
	if (complete && name)
		cgi_named(run);
	else if (complete)
		cgi_valued(run);
	if (complete)
		state->phase = name ? SCGI_VALUE : state->left ? SCGI_NAME : SCGI_COMMA;
	else if (state->left == 0)
		malformed(state, run); /* the netstring ends inside a variable */
}

static void comma(struct scgi_state *state, struct cgi_run *run)
{
	if (run->in.ptr[run->at] != ',' || !run->half->has_length) {
		malformed(state, run);
		return;
	}
	cgi_tell(run, EVENT_INSERT, 0, run->at);
	run->at++;
	state->phase = SCGI_BODY;
	cgi_single_head_done(&state->single, run);
}

static void requests(struct scgi_state *state, struct cgi_run *run)
{
	while (run->at < run->in.len && !state->single.opaque && state->phase != SCGI_BODY) {
		if (state->phase == SCGI_LENGTH)
			length_digit(state, run);
		else if (state->phase == SCGI_FIRST)
			first(state, run);
		else if (state->phase == SCGI_COMMA)
			comma(state, run);
		else
			text(state, run);
		if (run->why)
			cgi_single_opaque(&state->single, run, run->why);
	}
	if (state->single.opaque)
		return;
	if (state->phase == SCGI_VALUE) {
		cgi_suspend(run);
		if (run->why)
			cgi_single_opaque(&state->single, run, run->why);
	} else if (state->phase == SCGI_BODY && run->at < run->in.len) {
		cgi_single_body(&state->single, run, run->in.len - run->at);
	}
}

static void scgi_open(void *opaque)
{
	memset(opaque, 0, sizeof(struct scgi_state));
}

static void start(struct cgi_run *run, struct scgi_state *state, enum protocol_half which, struct bytes in,
		  struct protocol_sink *sink)
{
	cgi_start(run, &state->single.half[which], which, in, sink);
	run->exchange = 1;
}

static void scgi_feed(void *opaque, enum protocol_half which, struct bytes in, struct protocol_sink *sink)
{
	struct scgi_state *state = opaque;
	struct cgi_run run;

	if (state->single.opaque || in.len == 0)
		return;
	start(&run, state, which, in, sink);
	state->run = &run;
	if (which == HALF_RESPONSES) {
		cgi_single_response(&state->single, &run);
	} else {
		state->length_here = state->end_here = false;
		requests(state, &run);
	}
	state->run = NULL;
}

static void scgi_skip(void *opaque, enum protocol_half which, uint64_t count, struct protocol_sink *sink)
{
	struct scgi_state *state = opaque;
	struct cgi_run run;
	start(&run, state, which, BYTES_NONE, sink);
	cgi_single_skip(&state->single, &run, count);
}

static void scgi_end(void *opaque, enum protocol_half which, struct protocol_sink *sink)
{
	struct scgi_state *state = opaque;
	struct cgi_run run;
	start(&run, state, which, BYTES_NONE, sink);
	cgi_single_end(&state->single, &run);
}

static void scgi_describe(const void *opaque, enum protocol_side side, enum protocol_moment moment,
			  const struct protocol_endpoint *endpoint, struct protocol_facts *facts)
{
	const struct scgi_state *state = opaque;
	if (state->run)
		cgi_describe(state->run, side, moment, endpoint, facts);
}

static size_t scgi_encode(const void *opaque, struct bytes lines, char *out, size_t cap)
{
	char name[CGI_NAME_MAX];
	size_t name_len, used = 0;
	struct bytes value;

	(void)opaque;
	while (cgi_next_line(&lines, name, &name_len, &value)) {
		if (name_len + value.len + 2 > cap - used)
			return 0;
		memcpy(out + used, name, name_len);
		used += name_len;
		out[used++] = '\0';
		memcpy(out + used, value.ptr, value.len);
		used += value.len;
		out[used++] = '\0';
	}
	return used;
}

/* The netstring's length, which may gain a digit. */
static bool scgi_patch(const void *opaque, size_t len, struct protocol_patch *patch)
{
	const struct scgi_state *state = opaque;
	char digits[8];
	uint8_t n = 0;

	if (len > CGI_HEAD_MAX - state->length)
		return false;
	for (size_t length = state->length + len; length > 0; length /= 10)
		digits[n++] = (char)('0' + length % 10);
	*patch = (struct protocol_patch){
		.end = state->length_end,
		.replaces = state->digits,
		.len = n,
		.begun = !state->length_here,
		.gone = !state->end_here,
	};
	for (uint8_t i = 0; i < n; i++)
		patch->bytes[i] = digits[n - 1 - i];
	return true;
}

const struct protocol protocol_scgi = {
	.name = "scgi",
	.state_size = sizeof(struct scgi_state),
	.open = scgi_open,
	.feed = scgi_feed,
	.skip = scgi_skip,
	.end = scgi_end,
	.describe = scgi_describe,
	.encode = scgi_encode,
	.patch = scgi_patch,
};
