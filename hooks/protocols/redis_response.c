/* redis_response.c - replies, of any depth, and what of them ends a call. */
#include "hooks/protocols/redis.h"

/* Whose reply begins here? False: nobody's. */
static bool find_call(struct redis_run *run, char type)
{
	struct redis_state *state = run->state;
	struct redis_heap *heap;

	if (state->head == state->tail)
		redis_call_ends(run); /* answered before it was written to its end */
	if (state->head == state->tail || !(heap = redis_heap(run))) {
		if (type != '>')
			redis_opaque(run, OPAQUE_MALFORMED);
		return false;
	}
	if (state->pending == 0) {
		uint32_t entry = heap->replies[state->head % REDIS_CALLS];
		state->pending = entry & REDIS_REPLIES_MOST;
		state->transaction = entry & REDIS_TRANSACTION;
		state->select = entry >> REDIS_SELECT_SHIFT;
	}
	return true;
}

/* Is what is told unasked all the answer that will come? RESP3's SUBSCRIBE. */
static bool last_of_leaving(const struct redis_state *state)
{
	return state->leaving && state->pending == 1 && state->head + 1 == state->tail;
}

static void reply_begins(struct redis_run *run, char type)
{
	struct redis_state *state = run->state;
	struct redis_reply *reply = &state->reply;

	if (!find_call(run, type)) {
		reply->push = true;
		return;
	}
	if (type == '>' && !last_of_leaving(state)) {
		reply->push = true;
		return;
	}
	if (!reply->begun) {
		reply->begun = true;
		redis_tell(run, EVENT_RESPONSE_BEGIN, state->head + 1, false);
	}
}

static void reply_done(struct redis_run *run)
{
	struct redis_state *state = run->state;
	struct redis_reply *reply = &state->reply;

	if (reply->push) {
		reply->push = false;
		return;
	}
	if (--state->pending)
		return;
	redis_tell(run, EVENT_RESPONSE_HEAD, state->head + 1, false);
	redis_tell(run, EVENT_RESPONSE_END, state->head + 1, false);
	if (state->select) {
		state->selecting--;
		if (!reply->failed)
			state->space = (uint16_t)(state->select - 1);
	}
	reply->begun = reply->failed = false;
	reply->code_len = 0;
	state->head++;
	if (state->leaving && state->head == state->tail)
		redis_opaque(run, OPAQUE_HANDED_OVER);
}

/* A value is complete, and with it perhaps those that it is the last of. */
static void item_done(struct redis_run *run)
{
	struct redis_reply *reply = &run->state->reply;

	reply->step = REDIS_TYPE;
	while (reply->depth) {
		uint32_t *open = &reply->open[reply->depth - 1];
		if (--*open & ~REDIS_ASIDE)
			return;
		reply->depth--;
		if (*open & REDIS_ASIDE)
			return; /* what it is said of comes now */
	}
	reply_done(run);
}

/* The error's first word, of the first error. */
static void note_error(struct redis_state *state)
{
	struct redis_reply *reply = &state->reply;
	bool counts = reply->depth == 0 || (state->transaction && reply->depth == 1);

	reply->coding = counts && !reply->push && !reply->failed;
	if (reply->coding)
		reply->failed = true;
}

static void code(struct redis_reply *reply, struct bytes piece)
{
	for (size_t i = 0; i < piece.len && reply->coding; i++) {
		char c = piece.ptr[i];
		reply->coding = c > ' ' && c < 0x7f && reply->code_len < sizeof(reply->code);
		if (reply->coding)
			reply->code[reply->code_len++] = c;
	}
}

/* "$3\r\nabc\r\n" or "$-1\r\n", where it stands whole in what is fed, as it mostly does: read in one go. */
static bool bulk_whole(struct redis_run *run)
{
	const char *at = run->in.ptr + run->at + 1, *end = run->in.ptr + run->in.len, *first = at;
	ptrdiff_t length = 0;

	if (end - at >= 4 && at[0] == '-' && at[1] == '1' && at[2] == '\r' && at[3] == '\n') {
		at += 4;
	} else {
		for (; at < end && *at >= '0' && *at <= '9' && at - first < 9; at++)
			length = length * 10 + (*at - '0');
		if (at == first || end - at < length + 4 || at[0] != '\r' || at[1] != '\n')
			return false;
		at += length + 4;
	}
	run->at = (size_t)(at - run->in.ptr);
	item_done(run);
	return true;
}

static void type(struct redis_run *run)
{
	struct redis_state *state = run->state;
	struct redis_reply *reply = &state->reply;
	char c = run->in.ptr[run->at];

	if (reply->depth == 0 && !reply->push)
		reply_begins(run, c);
	if (state->opaque || (c == '$' && bulk_whole(run)))
		return;
	run->at++;
	reply->type = (uint8_t)c;
	reply->number = 0;
	reply->digits = 0;
	reply->minus = reply->coding = false;
	switch (c) {
	case '-':
		note_error(state);
		/* fall through */
	case '+':
	case ':':
	case '_':
	case '#':
	case ',':
	case '(':
		reply->step = REDIS_LINE;
		break;
	case '$':
	case '=':
	case '!':
	case '*':
	case '~':
	case '>':
	case '%':
	case '|':
		reply->step = REDIS_SIZE;
		break;
	default:
		redis_opaque(run, OPAQUE_MALFORMED);
		break;
	}
}

static void line(struct redis_run *run)
{
	struct bytes rest = bytes_from(run->in, run->at);
	size_t end = bytes_find(rest, '\n');

	if (run->state->reply.coding)
		code(&run->state->reply, bytes_until(rest, end));
	run->at += end;
	if (end == rest.len)
		return;
	run->at++;
	item_done(run);
}

static void aggregate(struct redis_run *run)
{
	struct redis_reply *reply = &run->state->reply;
	bool aside = reply->type == '|';
	uint64_t items = reply->number * (reply->type == '%' || aside ? 2 : 1);

	if (reply->minus || (items == 0 && !aside)) {
		item_done(run);
		return;
	}
	reply->step = REDIS_TYPE;
	if (items == 0)
		return;
	if (reply->depth == REDIS_DEPTH || items >= REDIS_ASIDE) {
		redis_opaque(run, OPAQUE_TOO_LARGE);
		return;
	}
	reply->open[reply->depth++] = (uint32_t)items | (aside ? REDIS_ASIDE : 0);
}

static void size_done(struct redis_run *run)
{
	struct redis_reply *reply = &run->state->reply;

	if (reply->digits == 0) {
		redis_opaque(run, OPAQUE_MALFORMED); /* a length that comes later: no server sends it */
	} else if (reply->type != '$' && reply->type != '=' && reply->type != '!') {
		aggregate(run);
	} else if (reply->minus) {
		item_done(run);
	} else {
		reply->left = reply->number + 2;
		reply->step = REDIS_BULK;
		if (reply->type == '!')
			note_error(run->state);
	}
}

static void size(struct redis_run *run)
{
	struct redis_reply *reply = &run->state->reply;

	while (run->at < run->in.len) {
		char c = run->in.ptr[run->at++];
		if (c >= '0' && c <= '9' && reply->digits < 18) {
			reply->number = reply->number * 10 + (uint64_t)(c - '0');
			reply->digits++;
		} else if (c == '\n') {
			size_done(run);
			return;
		} else if (c == '-' && reply->digits == 0 && !reply->minus) {
			reply->minus = true;
		} else if (c != '\r' || reply->digits == 0) {
			redis_opaque(run, OPAQUE_MALFORMED);
			return;
		}
	}
}

static void bulk(struct redis_run *run)
{
	struct redis_reply *reply = &run->state->reply;
	struct bytes piece = bytes_from(run->in, run->at);

	if (reply->left < piece.len)
		piece.len = (size_t)reply->left;
	if (reply->coding)
		code(reply, piece);
	run->at += piece.len;
	reply->left -= piece.len;
	if (reply->left == 0)
		item_done(run);
}

void redis_replies(struct redis_run *run)
{
	while (run->at < run->in.len && !run->state->opaque) {
		switch (run->state->reply.step) {
		case REDIS_TYPE:
			type(run);
			break;
		case REDIS_LINE:
			line(run);
			break;
		case REDIS_SIZE:
			size(run);
			break;
		default:
			bulk(run);
			break;
		}
	}
}
