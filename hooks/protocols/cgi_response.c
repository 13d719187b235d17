/* cgi_response.c - the head of a CGI response (RFC 3875 6.2), or of an HTTP/1 one: only its status line is
 * different. */
#include "hooks/protocols/cgi.h"

static size_t until(struct bytes piece, size_t at, const char *stops)
{
	while (at < piece.len && piece.ptr[at] != stops[0] && piece.ptr[at] != stops[1])
		at++;
	return at;
}

/* A line without a colon: "HTTP/1.1 404 Not Found" is what can be meant. */
static void lone_line(struct cgi_run *run)
{
	struct cgi_half *half = run->half;
	struct bytes line = cgi_unnamed(run);
	const char *code = line.ptr + 9;

	if (line.len >= 12 && bytes_starts(line, BYTES("HTTP/")) && line.ptr[8] == ' ' && code[0] >= '1' &&
	    code[0] <= '5' && code[1] >= '0' && code[1] <= '9' && code[2] >= '0' && code[2] <= '9')
		half->status = (uint16_t)((code[0] - '0') * 100 + (code[1] - '0') * 10 + code[2] - '0');
}

static void finished(struct cgi_run *run)
{
	struct cgi_half *half = run->half;

	half->step = CGI_DONE;
	if (half->status == 0)
		half->status = half->located ? 302 : 200;
}

static size_t name_part(struct cgi_run *run, struct bytes piece, size_t at)
{
	struct cgi_half *half = run->half;
	size_t end = until(piece, at, ":\n");

	cgi_name(run, (struct bytes){piece.ptr + at, end - at});
	if (end == piece.len)
		return end;
	if (piece.ptr[end] == ':') {
		cgi_named(run);
		half->step = half->name_len ? CGI_VALUE : CGI_DULL;
	} else {
		lone_line(run);
		half->step = CGI_LINE;
	}
	return end + 1;
}

static size_t value_part(struct cgi_run *run, struct bytes piece, size_t at)
{
	size_t end = until(piece, at, "\r\n");
	bool dull = run->half->step == CGI_DULL;

	if (!dull)
		cgi_value(run, (struct bytes){piece.ptr + at, end - at});
	if (end == piece.len)
		return end;
	if (piece.ptr[end] == '\n') {
		if (!dull)
			cgi_valued(run);
		run->half->step = CGI_LINE;
	}
	return end + 1;
}

size_t cgi_response(struct cgi_run *run, struct bytes piece)
{
	struct cgi_half *half = run->half;
	size_t at = 0;

	while (at < piece.len && half->step != CGI_DONE && !run->why) {
		char c = piece.ptr[at];
		switch ((enum cgi_step)half->step) {
		case CGI_LINE:
		case CGI_LINE_CR:
			if (c == '\n') {
				at++;
				finished(run);
			} else if (c == '\r' && half->step == CGI_LINE) {
				at++;
				half->step = CGI_LINE_CR;
			} else {
				half->step = CGI_NAME;
			}
			break;
		case CGI_NAME:
			at = name_part(run, piece, at);
			break;
		case CGI_VALUE:
		case CGI_DULL:
			at = value_part(run, piece, at);
			break;
		case CGI_DONE:
			break;
		}
	}
	cgi_consume(run, at);
	cgi_suspend(run);
	return at;
}
