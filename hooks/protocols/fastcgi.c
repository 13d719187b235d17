/* fastcgi.c - FastCGI 1.0, from the first record of a connection.
 *
 * An exchange begins with the first PARAMS record of its request, so that the newest exchange is always the
 * one whose head is under way. Requests may be interleaved, their heads may not: no web server does that. */
#include "hooks/protocols/fastcgi.h"

extern const struct protocol protocol_fastcgi;

struct feed {
	struct fastcgi_state *state;
	struct fastcgi_half *record;
	struct cgi_run run;
	size_t header_at; /* where this record's header begins, if it does in this feed */
	bool header_here;
};

static void give_up(struct feed *feed, enum protocol_opaque why)
{
	if (feed->state->opaque)
		return;
	feed->state->opaque = true;
	if (why == OPAQUE_MALFORMED && !feed->state->proven)
		why = OPAQUE_NOT_MINE;
	cgi_tell(&feed->run, EVENT_OPAQUE, why, feed->run.at);
}

static void tell(struct feed *feed, const struct fastcgi_request *request, enum protocol_event_type type,
		 uint32_t number)
{
	feed->run.exchange = request->exchange;
	cgi_tell(&feed->run, type, number, feed->run.at);
}

static uint16_t record_id(const struct fastcgi_half *record)
{
	return (uint16_t)(record->header[2] << 8 | record->header[3]);
}

static uint8_t find(const struct fastcgi_state *state, uint16_t id)
{
	for (uint8_t i = 0; i < FASTCGI_REQUESTS; i++)
		if (state->request[i].used && state->request[i].id == id)
			return i;
	return FASTCGI_NOBODY;
}

static struct fastcgi_request *request_of(struct feed *feed)
{
	uint8_t slot = feed->record->slot;
	return slot == FASTCGI_NOBODY ? NULL : &feed->state->request[slot];
}

/* --- what the client sends ------------------------------------------------------------------------------ */

static void begin_request(struct feed *feed)
{
	struct fastcgi_state *state = feed->state;
	const uint8_t *body = feed->record->body;
	uint16_t role = (uint16_t)(body[0] << 8 | body[1]), id = record_id(feed->record);
	uint8_t slot = 0;

	if (role < 1 || role > 3 || id == 0 || find(state, id) != FASTCGI_NOBODY) {
		give_up(feed, OPAQUE_MALFORMED);
		return;
	}
	while (slot < FASTCGI_REQUESTS && state->request[slot].used)
		slot++;
	if (slot == FASTCGI_REQUESTS) {
		give_up(feed, OPAQUE_TOO_LARGE);
		return;
	}
	state->proven = true;
	state->request[slot] = (struct fastcgi_request){.id = id, .used = true, .ended = role == 2};
}

/* Makes this record's request the one whose head is under way. */
static void take_head(struct feed *feed, struct fastcgi_request *request)
{
	struct fastcgi_state *state = feed->state;

	if (feed->record->head == feed->record->slot)
		return;
	if (feed->record->head != FASTCGI_NOBODY) {
		give_up(feed, OPAQUE_TOO_LARGE);
		return;
	}
	feed->record->head = feed->record->slot;
	cgi_begin(&feed->run);
	if (feed->run.which == HALF_REQUESTS) {
		request->exchange = ++state->begun;
		state->pair = (struct fastcgi_pair){0};
		tell(feed, request, EVENT_REQUEST_BEGIN, 0);
	} else {
		request->responding = true;
		tell(feed, request, EVENT_RESPONSE_BEGIN, 0);
	}
	feed->run.exchange = request->exchange;
}

static void params_end(struct feed *feed, struct fastcgi_request *request)
{
	struct fastcgi_state *state = feed->state;

	if (!fastcgi_pairs_complete(&state->pair)) {
		give_up(feed, OPAQUE_MALFORMED);
		return;
	}
	request->head_done = true;
	feed->record->head = FASTCGI_NOBODY;
	feed->run.exchange = request->exchange;
	cgi_message(&feed->run);
	if (feed->header_here) {
		state->insert_id = request->id;
		cgi_tell(&feed->run, EVENT_INSERT, 0, feed->header_at);
	}
	tell(feed, request, EVENT_REQUEST_HEAD, 0);
	if (request->ended)
		tell(feed, request, EVENT_REQUEST_END, 0);
}

static void request_record(struct feed *feed)
{
	const struct fastcgi_half *record = feed->record;
	struct fastcgi_request *request = request_of(feed);

	switch (record->header[1]) {
	case FASTCGI_BEGIN_REQUEST:
		if (record->content != 8)
			give_up(feed, OPAQUE_MALFORMED);
		break;
	case FASTCGI_PARAMS:
		if (!request)
			break;
		if (request->head_done) {
			give_up(feed, OPAQUE_MALFORMED);
			break;
		}
		take_head(feed, request);
		if (record->content == 0 && !feed->state->opaque)
			params_end(feed, request);
		break;
	case FASTCGI_STDIN:
		if (request && !request->head_done) {
			give_up(feed, OPAQUE_MALFORMED);
		} else if (request && record->content == 0 && !request->ended) {
			request->ended = true;
			tell(feed, request, EVENT_REQUEST_END, 0);
		}
		break;
	case FASTCGI_ABORT_REQUEST:
	case FASTCGI_DATA:
	case FASTCGI_GET_VALUES:
		break;
	default:
		if (record_id(record) != 0)
			give_up(feed, OPAQUE_MALFORMED);
	}
}

/* --- what the server sends ------------------------------------------------------------------------------ */

static void answer_head(struct feed *feed, struct fastcgi_request *request)
{
	request->answered = true;
	feed->record->head = FASTCGI_NOBODY;
	cgi_message(&feed->run);
	tell(feed, request, EVENT_RESPONSE_HEAD, feed->run.half->status);
}

static void end_request(struct feed *feed)
{
	struct fastcgi_request *request = request_of(feed);
	uint8_t refused = feed->record->body[4];

	if (!request)
		return;
	if (!request->answered && request->exchange && refused) { /* never run: overloaded, or unwilling */
		take_head(feed, request);
		if (feed->state->opaque)
			return;
		feed->run.half->status = refused == 2 ? 503 : 500;
		answer_head(feed, request);
	}
	if (request->exchange)
		tell(feed, request, EVENT_RESPONSE_END, 0);
	if (feed->record->head == feed->record->slot)
		feed->record->head = FASTCGI_NOBODY;
	struct fastcgi_half *asked = &feed->state->record[HALF_REQUESTS];
	if (asked->head == feed->record->slot) { /* refused in the middle of its head */
		give_up(feed, OPAQUE_LOST);
		return;
	}
	if (asked->slot == feed->record->slot)
		asked->slot = FASTCGI_NOBODY;
	request->used = false;
}

static void response_record(struct feed *feed)
{
	const struct fastcgi_half *record = feed->record;
	struct fastcgi_request *request = request_of(feed);

	switch (record->header[1]) {
	case FASTCGI_STDOUT:
		if (request && !request->exchange)
			give_up(feed, OPAQUE_MALFORMED); /* an answer before the question */
		else if (request && record->content && !request->answered)
			take_head(feed, request);
		break;
	case FASTCGI_END_REQUEST:
		if (record->content != 8)
			give_up(feed, OPAQUE_MALFORMED);
		break;
	case FASTCGI_STDERR:
	case FASTCGI_GET_VALUES_RESULT:
	case FASTCGI_UNKNOWN_TYPE:
		break;
	default:
		if (record_id(record) != 0)
			give_up(feed, OPAQUE_MALFORMED);
	}
}

/* --- records -------------------------------------------------------------------------------------------- */

static bool header_byte_fits(const struct feed *feed, uint8_t c)
{
	/* Strict until BEGIN_REQUEST was seen: 1, 1, an id, 8 bytes. */
	static const int first[8] = {1, FASTCGI_BEGIN_REQUEST, -1, -1, 0, 8, -1, -1};
	uint8_t at = feed->record->got;

	if (at == 0 && c != 1)
		return false;
	return feed->state->proven || first[at] < 0 || first[at] == c;
}

static void header(struct feed *feed)
{
	struct fastcgi_half *record = feed->record;
	bool requests = feed->run.which == HALF_REQUESTS;

	if (record->got == 0) {
		feed->header_at = feed->run.at;
		feed->header_here = true;
	}
	while (record->got < 8 && feed->run.at < feed->run.in.len) {
		uint8_t c = (uint8_t)feed->run.in.ptr[feed->run.at];
		if (!header_byte_fits(feed, c)) {
			give_up(feed, OPAQUE_MALFORMED);
			return;
		}
		feed->run.at++;
		record->header[record->got++] = c;
	}
	if (record->got < 8)
		return;
	record->content = (uint16_t)(record->header[4] << 8 | record->header[5]);
	record->padding = record->header[6];
	record->body_got = 0;
	record->slot = find(feed->state, record_id(record));
	if (requests)
		request_record(feed);
	else
		response_record(feed);
}

static bool is_fixed(const struct feed *feed)
{
	uint8_t type = feed->record->header[1];
	return type == (feed->run.which == HALF_REQUESTS ? FASTCGI_BEGIN_REQUEST : FASTCGI_END_REQUEST);
}

/* BEGIN_REQUEST and END_REQUEST. */
static void fixed(struct feed *feed, struct bytes piece)
{
	struct fastcgi_half *record = feed->record;

	if (piece.len)
		memcpy(record->body + record->body_got, piece.ptr, piece.len);
	record->body_got = (uint8_t)(record->body_got + piece.len);
	if (record->body_got < 8)
		return;
	if (feed->run.which == HALF_REQUESTS)
		begin_request(feed);
	else
		end_request(feed);
}

static void of_head(struct feed *feed, struct bytes piece)
{
	struct fastcgi_request *request = request_of(feed);

	feed->run.exchange = request->exchange;
	if (feed->run.which == HALF_REQUESTS) {
		if (!fastcgi_pairs(&feed->state->pair, &feed->run, piece))
			give_up(feed, feed->run.why ? feed->run.why : OPAQUE_MALFORMED);
		return;
	}
	cgi_response(&feed->run, piece);
	if (feed->run.why)
		give_up(feed, feed->run.why);
	else if (feed->run.half->step == CGI_DONE)
		answer_head(feed, request);
}

static void content(struct feed *feed)
{
	struct fastcgi_half *record = feed->record;
	struct bytes piece = bytes_until(bytes_from(feed->run.in, feed->run.at), record->content);
	uint8_t type = record->header[1];
	bool head = type == FASTCGI_PARAMS || type == FASTCGI_STDOUT;

	feed->run.at += piece.len;
	record->content = (uint16_t)(record->content - piece.len);
	if (is_fixed(feed))
		fixed(feed, piece);
	else if (head && record->slot != FASTCGI_NOBODY && record->head == record->slot)
		of_head(feed, piece);
}

static void step(struct feed *feed)
{
	struct fastcgi_half *record = feed->record;

	if (record->got < 8) {
		header(feed);
	} else if (record->content) {
		content(feed);
	} else {
		size_t here = feed->run.in.len - feed->run.at;
		if (here > record->padding)
			here = record->padding;
		feed->run.at += here;
		record->padding = (uint8_t)(record->padding - here);
	}
	if (record->got == 8 && record->content == 0 && record->padding == 0)
		record->got = 0;
}

/* --- the protocol --------------------------------------------------------------------------------------- */

static void fastcgi_open(void *opaque)
{
	struct fastcgi_state *state = opaque;

	memset(state, 0, sizeof(*state));
	for (int half = 0; half < 2; half++)
		state->record[half].slot = state->record[half].head = FASTCGI_NOBODY;
}

static void start(struct feed *feed, struct fastcgi_state *state, enum protocol_half which, struct bytes in,
		  struct protocol_sink *sink)
{
	feed->state = state;
	feed->record = &state->record[which];
	feed->header_at = 0;
	feed->header_here = false;
	cgi_start(&feed->run, &state->half[which], which, in, sink);
}

static void fastcgi_feed(void *opaque, enum protocol_half which, struct bytes in, struct protocol_sink *sink)
{
	struct fastcgi_state *state = opaque;
	struct feed feed;

	if (state->opaque || in.len == 0)
		return;
	start(&feed, state, which, in, sink);
	if (which == HALF_RESPONSES && !state->proven)
		give_up(&feed, OPAQUE_MALFORMED);
	state->run = &feed.run;
	while (feed.run.at < in.len && !state->opaque)
		step(&feed);
	state->run = NULL;
}

static void fastcgi_skip(void *opaque, enum protocol_half which, uint64_t count, struct protocol_sink *sink)
{
	struct fastcgi_state *state = opaque;
	struct feed feed;

	if (state->opaque || count == 0)
		return;
	start(&feed, state, which, BYTES_NONE, sink);
	struct fastcgi_half *record = feed.record;
	bool head = record->slot != FASTCGI_NOBODY && record->head == record->slot;
	if (record->got < 8 || is_fixed(&feed) || head || count > record->content) {
		give_up(&feed, OPAQUE_LOST);
		return;
	}
	record->content = (uint16_t)(record->content - count);
	if (record->content == 0 && record->padding == 0)
		record->got = 0;
}

static void fastcgi_end(void *opaque, enum protocol_half which, struct protocol_sink *sink)
{
	(void)opaque;
	(void)which;
	(void)sink; /* what is under way stays unfinished */
}

static enum protocol_identified fastcgi_identify(const void *opaque, struct protocol_identity *to)
{
	const struct cgi_run *run = ((const struct fastcgi_state *)opaque)->run;
	return run ? http_identify(&run->message, run->message.cut > 0, to) : IDENTIFIED_NOT;
}

static void fastcgi_describe(const void *opaque, enum protocol_side side, enum protocol_moment moment,
			     const struct protocol_endpoint *endpoint, struct protocol_facts *facts)
{
	const struct fastcgi_state *state = opaque;
	if (state->run)
		cgi_describe(state->run, side, moment, endpoint, facts);
}

const struct protocol protocol_fastcgi = {
	.name = "fastcgi",
	.state_size = sizeof(struct fastcgi_state),
	.open = fastcgi_open,
	.feed = fastcgi_feed,
	.skip = fastcgi_skip,
	.end = fastcgi_end,
	.describe = fastcgi_describe,
	.identify = fastcgi_identify,
	.encode = fastcgi_encode,
};
