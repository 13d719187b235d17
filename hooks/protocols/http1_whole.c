/* http1_whole.c - lines that stand whole in one feed and are ended by CR LF, as nearly all are: taken in one
 * go.
 *
 * The same in effect as the steps of http1_head.c, to which every line is left that is anything else. Nothing
 * here takes part of a line. */
#include "hooks/protocols/http1.h"
#include "hooks/protocols/http1_scan.h"

static inline bool ends_line(struct bytes in, size_t at)
{
	return in.len - at >= 2 && memcmp(in.ptr + at, "\r\n", 2) == 0;
}

static inline bool is_at(struct bytes in, size_t at, char c)
{
	return at < in.len && in.ptr[at] == c;
}

static inline bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* "HTTP/1." and a digit. */
static inline bool is_version(const char *text)
{
	return memcmp(text, "HTTP/1.", 7) == 0 && is_digit(text[7]);
}

bool http1_whole_request_line(struct http1_run *run)
{
	struct http1_half *half = run->half;
	struct bytes in = run->in;
	const char *text = in.ptr;
	size_t from = run->at, space = from;

	if (in.len - from >= 4 && memcmp(text + from, "GET ", 4) == 0)
		space = from + 3;
	while (space < in.len && space - from <= HTTP1_METHOD_MAX && http1_token[(uint8_t)text[space]])
		space++;
	if (space == from || space - from > HTTP1_METHOD_MAX || space == in.len || text[space] != ' ')
		return false;
	size_t end = scan_target(in, space + 1);
	if (end == space + 1 || in.len - end < 11 || text[end] != ' ' || !is_version(text + end + 1) ||
	    !ends_line(in, end + 9) || end - from > HTTP1_HEAD_MAX / 2)
		return false;
	struct bytes name = {text + from, space - from};
	run->message.method = name;
	run->message.target = (struct bytes){text + space + 1, end - space - 1};
	half->minor = (uint8_t)(text[end + 8] - '0');
	half->step = STEP_LINE_END;
	run->state->proven = true;
	if (name.len == 4 && memcmp(name.ptr, "HEAD", 4) == 0)
		http1_set_kind(run->state, KIND_HEAD);
	else if (bytes_equal(name, BYTES("CONNECT")))
		http1_set_kind(run->state, KIND_CONNECT);
	http1_line_done(half);
	http1_consume(run, end + 11 - from);
	return true;
}

/* Such a line of `size` bytes. */
static inline bool status_taken(struct http1_run *run, size_t size)
{
	http1_status_known(run);
	if (run->state->opaque || run->half->phase != PHASE_LINE)
		return true;
	http1_line_done(run->half);
	http1_consume(run, size);
	return true;
}

bool http1_whole_status_line(struct http1_run *run)
{
	struct http1_half *half = run->half;
	const char *text = run->in.ptr + run->at;
	size_t left = run->in.len - run->at;

	if (left >= 17 && memcmp(text, "HTTP/1.1 200 OK\r\n", 17) == 0) { /* nearly always */
		half->minor = 1;
		half->status = 200;
		return status_taken(run, 17);
	}
	if (left < 14 || !is_version(text) || text[8] != ' ' || text[9] == '0' || !is_digit(text[9]) ||
	    !is_digit(text[10]) || !is_digit(text[11]) || (text[12] != ' ' && text[12] != '\r'))
		return false;
	size_t end = scan_control(run->in, run->at + 12);
	if (!ends_line(run->in, end) || end - run->at > HTTP1_HEAD_MAX / 2)
		return false;
	half->minor = (uint8_t)(text[7] - '0');
	half->status = (uint16_t)((text[9] - '0') * 100 + (text[10] - '0') * 10 + (text[11] - '0'));
	return status_taken(run, end + 2 - run->at);
}

/* One line, from `*from` on, which then is the next one's. False: it is not for us. */
static inline bool whole_line(struct bytes in, size_t *from, struct bytes *name, struct bytes *value)
{
	size_t colon = scan_usual(in, *from);
	if (!is_at(in, colon, ':'))
		colon = scan_token(in, colon);
	if (colon == *from || !is_at(in, colon, ':'))
		return false;
	size_t end = scan_low(in, colon + 1);
	if (!ends_line(in, end)) {
		end = scan_control(in, end);
		if (!ends_line(in, end))
			return false;
	}
	*name = (struct bytes){in.ptr + *from, colon - *from};
	*value = (struct bytes){in.ptr + colon + 1, end - colon - 1};
	*from = end + 2;
	return true;
}

void http1_whole_fields(struct http1_run *run)
{
	struct http1_half *half = run->half;
	enum protocol_half which = run->requests ? HALF_REQUESTS : HALF_RESPONSES;
	struct bytes in = run->in, name, value;
	size_t first = run->at, allowed = HTTP1_HEAD_MAX - half->head;
	bool keeping = run->fresh && http1_again_take(run);
	size_t from = run->at, next = from;
	bool dull = half->dull;

	run->fresh = false;
	if (in.len - first > allowed) /* what goes beyond it is refused step by step */
		in.len = first + allowed;
	while (!is_at(in, next, '\r') && whole_line(in, &next, &name, &value)) {
		bool wanted = http1_wanted(which, name);
		if (wanted && next - from > UINT16_MAX)
			break;
		if (keeping && (next - first > HTTP1_AGAIN_MAX || protocol_wanted(which, name))) {
			half->dull = dull;
			http1_again_keep(run, first, from, true);
			keeping = false;
		}
		from = next;
		dull = true;
		if (!wanted)
			continue;
		half->head += (uint32_t)(from - run->at);
		run->at = from;
		http1_field_line(run, name, value);
		dull = half->dull;
		if (run->state->opaque)
			return;
	}
	half->dull = dull;
	half->head += (uint32_t)(from - run->at);
	run->at = from;
	if (keeping)
		http1_again_keep(run, first, from, false);
}
