/* http1_head.c - start lines and field lines, from wherever the last feed left off. */
#include "hooks/protocols/http1.h"
#include "hooks/protocols/http1_scan.h"

#define ROW(a, b, c, d, e, f, g, h) a, b, c, d, e, f, g, h
#define NONE8 ROW(0, 0, 0, 0, 0, 0, 0, 0)
#define ALL8 ROW(1, 1, 1, 1, 1, 1, 1, 1)

/* RFC 9110 5.6.2: ! # $ % & ' * + - . ^ _ ` | ~ digits letters */
const uint8_t http1_token[256] = {
	NONE8,
	NONE8,
	NONE8,
	NONE8,
	ROW(0, 1, 0, 1, 1, 1, 1, 1),
	ROW(0, 0, 1, 1, 0, 1, 1, 0), /* space to / */
	ALL8,
	ROW(1, 1, 0, 0, 0, 0, 0, 0), /* 0 to ? */
	ROW(0, 1, 1, 1, 1, 1, 1, 1),
	ALL8,
	ALL8,
	ROW(1, 1, 1, 0, 0, 0, 1, 1), /* @ to _ */
	ALL8,
	ALL8,
	ALL8,
	ROW(1, 1, 1, 0, 1, 0, 1, 0), /* ` to DEL */
};

/* Runs to the end of the line. True when its LF was taken; `stop` is where the text in this feed ends. */
static bool to_line_end(struct http1_run *run)
{
	struct http1_half *half = run->half;
	const char *p = run->in.ptr;

	run->stop = run->at;
	if (half->cr) {
		half->cr = false;
		if (p[run->at] == '\n')
			return http1_consume(run, 1);
		http1_malformed(run);
		return false;
	}
	size_t at = scan_control(run->in, run->at);
	run->stop = at;
	if (at < run->in.len && p[at] == '\r') {
		at++;
		half->cr = at == run->in.len;
	}
	if (at < run->in.len && p[at] != '\n') {
		if (http1_consume(run, at - run->at))
			http1_malformed(run);
		return false;
	}
	bool ended = at < run->in.len;
	return http1_consume(run, at - run->at + ended) && ended;
}

/* --- start lines -------------------------------------------------------------------------------------- */

static void request_line_text(struct http1_run *run, size_t end)
{
	struct http1_half *half = run->half;
	struct bytes text = {run->in.ptr + run->mark, end - run->mark};

	if (half->open || half->overflow) {
		http1_stash_append(run, text);
		if (half->overflow)
			half->cut++;
		text = (struct bytes){http1_stash_open(run), half->open};
	}
	run->message.method = bytes_until(text, half->name_len);
	run->message.target = bytes_from(text, half->name_len + 1u);
	half->overflow = false;
	http1_stash_commit(run, HTTP1_START_LINE, false, true);
}

/* Takes what it can of "HTTP/1.", a digit; `left` counts. True when all of it was there. */
static bool version(struct http1_run *run)
{
	static const char text[] = "HTTP/1.";
	struct http1_half *half = run->half;

	if (half->left == 0 && run->in.len - run->at >= 8 && memcmp(run->in.ptr + run->at, text, 7) == 0) {
		char digit = run->in.ptr[run->at + 7];
		if (digit >= '0' && digit <= '9') {
			half->minor = (uint8_t)(digit - '0');
			half->left = 8;
			return http1_consume(run, 8);
		}
	}
	while (run->at < run->in.len && half->left < 8) {
		char c = run->in.ptr[run->at];
		if (half->left < 7 ? c != text[half->left] : c < '0' || c > '9') {
			http1_malformed(run);
			return false;
		}
		if (half->left == 7)
			half->minor = (uint8_t)(c - '0');
		half->left++;
		if (!http1_consume(run, 1))
			return false;
	}
	return half->left == 8;
}

void http1_line_done(struct http1_half *half)
{
	half->phase = PHASE_FIELD;
	half->left = 0;
	half->dull = false;
	half->name_len = 0;
}

static void method(struct http1_run *run)
{
	struct http1_half *half = run->half;
	size_t at = run->at;

	while (at < run->in.len && http1_token[(uint8_t)run->in.ptr[at]] &&
	       half->name_len <= HTTP1_METHOD_MAX) {
		at++;
		half->name_len++;
	}
	bool more = at == run->in.len && half->name_len <= HTTP1_METHOD_MAX;
	if (!more && (half->name_len == 0 || half->name_len > HTTP1_METHOD_MAX || run->in.ptr[at] != ' ')) {
		http1_malformed(run);
		return;
	}
	if (!more) {
		at++;
		half->step = STEP_TARGET;
	}
	http1_consume(run, at - run->at);
}

static void request_line(struct http1_run *run)
{
	struct http1_half *half = run->half;

	if (half->step == STEP_METHOD)
		method(run);
	if (half->step == STEP_TARGET && run->at < run->in.len && !run->state->opaque) {
		size_t end = scan_target(run->in, run->at);
		half->begun |= end > run->at;
		if (!http1_consume(run, end - run->at) || end == run->in.len)
			return;
		if (!half->begun || run->in.ptr[end] != ' ') {
			http1_malformed(run);
			return;
		}
		request_line_text(run, end);
		if (!http1_consume(run, 1))
			return;
		half->step = STEP_VERSION;
		struct bytes name = run->message.method;
		http1_set_kind(run->state, bytes_equal(name, BYTES("HEAD"))      ? KIND_HEAD
					   : bytes_equal(name, BYTES("CONNECT")) ? KIND_CONNECT
										 : KIND_PLAIN);
	}
	if (half->step == STEP_VERSION && run->at < run->in.len && version(run))
		half->step = STEP_LINE_END;
	if (half->step == STEP_LINE_END && run->at < run->in.len && !run->state->opaque) {
		size_t at = run->at;
		char c = run->in.ptr[at];
		if (!half->cr && c != '\r' && c != '\n') {
			http1_malformed(run);
			return;
		}
		if (to_line_end(run)) {
			run->state->proven = true;
			http1_line_done(run->half);
		}
	}
}

/* Three digits; the first says whether a final response has begun. */
static bool status_code(struct http1_run *run)
{
	struct http1_half *half = run->half;

	while (run->at < run->in.len && half->left < 12) {
		char c = run->in.ptr[run->at];
		bool right =
			half->left == 8 ? c == ' ' : c >= '0' && c <= '9' && (half->left > 9 || c != '0');
		if (!right) {
			http1_malformed(run);
			return false;
		}
		if (half->left > 8)
			half->status = (uint16_t)(half->status * 10 + (c - '0'));
		half->left++;
		if (!http1_consume(run, 1))
			return false;
	}
	return half->left == 12;
}

void http1_status_known(struct http1_run *run)
{
	struct http1_half *half = run->half;
	struct http1_state *state = run->state;

	half->step = STEP_LINE_END;
	if (state->answered == state->begun) {
		if (half->status == 408) { /* a server that is tired of an idle connection */
			half->phase = PHASE_IGNORE;
			state->closed = true;
		} else {
			http1_malformed(run);
		}
		return;
	}
	if (half->status >= 200 || half->status == 101)
		http1_tell(run, EVENT_RESPONSE_BEGIN, 0, run->at);
}

static void status_line(struct http1_run *run)
{
	struct http1_half *half = run->half;

	if (half->left < 8 && !version(run))
		return;
	if (half->step < STEP_LINE_END) {
		if (run->at == run->in.len || !status_code(run))
			return;
		http1_status_known(run);
	}
	if (run->at == run->in.len || run->state->opaque || half->phase != PHASE_LINE)
		return;
	if (half->left == 12) { /* a reason may be missing, with or without the space before it */
		char c = run->in.ptr[run->at];
		if (c != ' ' && c != '\r' && c != '\n') {
			http1_malformed(run);
			return;
		}
		half->left++;
	}
	if (to_line_end(run))
		http1_line_done(run->half);
}

void http1_start_line(struct http1_run *run)
{
	const struct http1_half *half = run->half;
	bool fresh = half->step == STEP_METHOD && half->name_len == 0 && half->left == 0;

	if (run->requests) {
		if (!fresh || !http1_whole_request_line(run))
			request_line(run);
	} else if (!fresh || !http1_whole_status_line(run)) {
		status_line(run);
	}
}

/* --- field lines --------------------------------------------------------------------------------------- */

static void blank_line(struct http1_run *run, bool cr)
{
	struct http1_half *half = run->half;

	if (cr && run->at + 1 < run->in.len && run->in.ptr[run->at + 1] != '\n') {
		http1_malformed(run);
		return;
	}
	if (half->head + 1u + cr > HTTP1_HEAD_MAX) { /* before an edit, not after it */
		http1_opaque(run, OPAQUE_TOO_LARGE);
		return;
	}
	if (!half->trailer && !http1_framing_sound(run)) {
		http1_malformed(run);
		return;
	}
	if (run->requests && !half->trailer)
		http1_tell(run, EVENT_INSERT, 0, run->at);
	bool whole = !cr || run->at + 1 < run->in.len;
	if (!http1_consume(run, whole ? 1u + cr : 1))
		return;
	if (whole)
		http1_head_done(run);
	else
		half->phase = PHASE_BLANK;
}

void http1_blank(struct http1_run *run)
{
	if (run->in.ptr[run->at] != '\n')
		http1_malformed(run);
	else if (http1_consume(run, 1))
		http1_head_done(run);
}

void http1_field_event(struct http1_run *run, struct bytes name, struct bytes value, size_t offset,
		       bool whole)
{
	struct protocol_event *event = &run->event;

	event->name = name;
	event->value = value;
	event->whole = whole;
	http1_tell(run, EVENT_FIELD, run->half->carrier, offset);
	event->name = event->value = BYTES_NONE;
	event->whole = false;
}

void http1_field_start(struct http1_run *run)
{
	struct http1_half *half = run->half;

	if (!half->trailer)
		http1_whole_fields(run);
	if (run->at == run->in.len || run->state->opaque)
		return;
	char c = run->in.ptr[run->at];

	if (c == '\r' || c == '\n') {
		blank_line(run, c == '\r');
		return;
	}
	if (c == ' ' || c == '\t') {
		/* A folded line. Its meaning is defined for responses only, and needed only if the field is.
		 */
		if (run->requests || !half->dull)
			http1_malformed(run);
		else
			half->phase = PHASE_DULL;
		return;
	}
	half->phase = PHASE_NAME;
	half->name_len = 0;
	half->open = 0;
	half->overflow = false;
	half->begun = false;
	run->mark = run->at;
	run->stop = run->at;
	run->name = BYTES_NONE;
	run->here = false;
}

void http1_name(struct http1_run *run)
{
	struct http1_half *half = run->half;
	const uint8_t *p = (const uint8_t *)run->in.ptr;
	size_t at = run->at;

	while (at < run->in.len && http1_token[p[at]])
		at++;
	run->stop = at;
	size_t length = half->name_len + (at - run->at);
	half->name_len = (uint16_t)(length < UINT16_MAX ? length : UINT16_MAX);
	if (at < run->in.len && (p[at] != ':' || length == 0)) {
		if (http1_consume(run, at - run->at))
			http1_malformed(run);
		return;
	}
	bool ended = at < run->in.len;
	if (!http1_consume(run, at - run->at + ended))
		return;
	if (!ended)
		return;
	struct bytes name = {run->in.ptr + run->mark, at - run->mark};
	if (half->open) {
		http1_stash_append(run, name);
		if (half->overflow) {
			http1_opaque(run, OPAQUE_TOO_LARGE);
			return;
		}
		name = (struct bytes){http1_stash_open(run), half->open};
	} else {
		run->name = name;
	}
	http1_classify(run, name);
	bool wanted = half->field != HTTP1_OTHER || half->captured || half->carrier;
	half->dull = !wanted || half->trailer;
	half->phase = half->dull ? PHASE_DULL : PHASE_VALUE;
	if (half->dull)
		half->open = 0;
	run->stop = run->at;
}

void http1_dull(struct http1_run *run)
{
	if (to_line_end(run))
		run->half->phase = PHASE_FIELD;
}

static void field_done(struct http1_run *run)
{
	struct http1_half *half = run->half;
	struct bytes here = {run->in.ptr + run->mark, run->stop - run->mark};
	struct bytes name = run->name, value = bytes_trim(here);
	bool whole = run->here;

	if (half->open) {
		if (half->begun)
			http1_stash_append(run, here);
		name = (struct bytes){http1_stash_open(run), half->name_len};
		value = bytes_trim(
			(struct bytes){name.ptr + name.len, (size_t)(half->open - half->name_len)});
		if (half->overflow)
			half->cut++;
	}
	if (!half->begun)
		value.len = 0;
	half->phase = PHASE_FIELD;
	if (half->field >= HTTP1_CONTENT_LENGTH && half->field <= HTTP1_UPGRADE) {
		if (half->overflow && half->field == HTTP1_SETTINGS)
			half->settings_len = HTTP1_SETTINGS_BAD;
		else if (half->overflow)
			half->broken = true;
		http1_framing(half, half->field, value);
	}
	http1_keep(&run->message, half->field, half->captured, name, value);
	bool keep = half->captured || half->field >= HTTP1_HOST;
	struct bytes told = whole ? bytes_trim(here) : value;
	if (!whole && half->overflow)
		told = BYTES_NONE; /* a list that is cut says something else */
	http1_stash_commit(run, half->field, half->captured, keep);
	if (half->carrier)
		http1_field_event(run, name, told,
				  !whole     ? 0
				  : told.len ? (size_t)(told.ptr - run->in.ptr)
					     : run->stop,
				  whole);
}

void http1_value(struct http1_run *run)
{
	struct http1_half *half = run->half;

	if (!half->begun && !half->cr) {
		size_t at = run->at;
		while (at < run->in.len && (run->in.ptr[at] == ' ' || run->in.ptr[at] == '\t'))
			at++;
		if (!http1_consume(run, at - run->at))
			return;
		run->mark = run->stop = at;
		if (at == run->in.len)
			return;
		char c = run->in.ptr[at];
		half->begun = c != '\r' && c != '\n' && c != '\0';
		run->here = true;
	}
	if (to_line_end(run))
		field_done(run);
}
