/* cgi_single.c - SCGI and uwsgi behind their request heads: one request, one response, then close. */
#include "hooks/protocols/cgi.h"

void cgi_single_opaque(struct cgi_single *single, struct cgi_run *run, enum protocol_opaque why)
{
	if (single->opaque)
		return;
	single->opaque = true;
	if (why == OPAQUE_MALFORMED && !single->proven)
		why = OPAQUE_NOT_MINE;
	cgi_tell(run, EVENT_OPAQUE, why, run->at);
}

/* At the very first byte, though it proves nothing yet: a length in front may be the first thing that
 * changes, and what is promised by it must find its exchange again after a short write. */
void cgi_single_begin(struct cgi_single *single, struct cgi_run *run)
{
	if (single->begun)
		return;
	single->begun = true;
	cgi_tell(run, EVENT_REQUEST_BEGIN, 0, run->at);
}

void cgi_single_body(struct cgi_single *single, struct cgi_run *run, uint64_t count)
{
	struct cgi_half *half = run->half;
	bool requests = run->which == HALF_REQUESTS;

	if (requests ? single->requested : single->responded)
		return;
	if (!requests && !half->has_length)
		return;
	if (count < half->length) {
		half->length -= count;
		return;
	}
	if (requests)
		single->requested = true;
	else
		single->responded = true;
	size_t end = count ? run->at + (size_t)half->length : run->at;
	if (end > run->in.len)
		end = run->in.len;
	half->length = 0;
	cgi_tell(run, requests ? EVENT_REQUEST_END : EVENT_RESPONSE_END, 0, end);
}

void cgi_single_head_done(struct cgi_single *single, struct cgi_run *run)
{
	run->half->step = CGI_DONE;
	cgi_message(run);
	if (run->which == HALF_REQUESTS)
		cgi_tell(run, EVENT_REQUEST_HEAD, 0, run->at);
	else
		cgi_tell(run, EVENT_RESPONSE_HEAD, run->half->status, run->at);
	if (run->half->length == 0)
		cgi_single_body(single, run, 0);
}

void cgi_single_response(struct cgi_single *single, struct cgi_run *run)
{
	struct cgi_half *half = run->half;

	if (single->half[HALF_REQUESTS].step != CGI_DONE) {
		cgi_single_opaque(single, run, OPAQUE_MALFORMED); /* an answer before the question */
		return;
	}
	if (!single->responding) {
		single->responding = true;
		cgi_begin(run);
		cgi_tell(run, EVENT_RESPONSE_BEGIN, 0, 0);
	}
	if (half->step != CGI_DONE) {
		run->at += cgi_response(run, run->in);
		if (run->why) {
			cgi_single_opaque(single, run, run->why);
			return;
		}
		if (half->step == CGI_DONE)
			cgi_single_head_done(single, run);
	}
	if (half->step == CGI_DONE && run->at < run->in.len)
		cgi_single_body(single, run, run->in.len - run->at);
}

void cgi_single_skip(struct cgi_single *single, struct cgi_run *run, uint64_t count)
{
	if (single->opaque || count == 0)
		return;
	if (run->half->step == CGI_DONE)
		cgi_single_body(single, run, count);
	else
		cgi_single_opaque(single, run, OPAQUE_LOST);
}

void cgi_single_end(struct cgi_single *single, struct cgi_run *run)
{
	if (single->opaque || run->which == HALF_REQUESTS || run->half->step != CGI_DONE || single->responded)
		return;
	single->responded = true;
	cgi_tell(run, EVENT_RESPONSE_END, 0, 0);
}
