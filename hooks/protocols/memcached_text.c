/* memcached_text.c - ASCII: commands with the data that follow some of them, and the lines that answer them.
 */
#include "hooks/protocols/memcached.h"

/* --- commands ------------------------------------------------------------------------------------------- */

static struct memcached_wish wish_of(const struct memcached_line *line)
{
	uint8_t kind = line->verb->kind;
	struct memcached_wish wish = {
		.name = line->verb->name, .kind = kind, .closes = kind == MEMCACHED_NOOP};

	if (line->noreply)
		wish.ahead = MEMCACHED_NOREPLY;
	else if (line->quiet && bytes_equal(wish.name, BYTES("mg")))
		wish.ahead = MEMCACHED_QUIET_READ;
	else if (line->quiet && !bytes_equal(wish.name, BYTES("me")))
		wish.ahead = MEMCACHED_QUIET_WRITE;
	wish.reads = wish.ahead == MEMCACHED_QUIET_READ;
	return wish;
}

void memcached_text_early(struct memcached_run *run)
{
	struct memcached_wish wish = wish_of(&run->state->request.line);
	memcached_asked(run, &wish);
}

static void command_done(struct memcached_run *run)
{
	struct memcached_request *request = &run->state->request;

	if (request->step != MEMCACHED_SPENT)
		memcached_text_early(run);
	memset(&request->line, 0, sizeof(request->line));
	request->step = MEMCACHED_START;
}

static void command(struct memcached_run *run)
{
	struct memcached_request *request = &run->state->request;
	struct memcached_line *line = &request->line;

	run->at += memcached_line(line, bytes_from(run->in, run->at));
	if (line->verb && line->verb->kind != MEMCACHED_QUIT && !line->bad)
		memcached_begins(run);
	if (line->bad || (line->over && !line->verb)) {
		memcached_opaque(run, OPAQUE_MALFORMED);
	} else if (!line->over) {
		return;
	} else if (line->verb->kind == MEMCACHED_QUIT) {
		run->state->quit = true;
	} else if (line->verb->shape == MEMCACHED_STORE || line->verb->shape == MEMCACHED_CAS ||
		   line->verb->shape == MEMCACHED_DATA) {
		request->left = line->bytes + 2;
		request->step = MEMCACHED_BODY;
	} else {
		command_done(run);
	}
}

/* With the line's end behind them. False: it is none. */
static bool data(struct memcached_run *run, uint64_t *left)
{
	struct bytes rest = bytes_from(run->in, run->at);

	if (*left > 2) {
		uint64_t take = *left - 2 < rest.len ? *left - 2 : rest.len;
		run->at += (size_t)take;
		*left -= take;
		return true;
	}
	run->at++;
	return rest.ptr[0] == ((*left)-- == 2 ? '\r' : '\n');
}

void memcached_text_requests(struct memcached_run *run)
{
	struct memcached_state *state = run->state;
	struct memcached_request *request = &state->request;

	while (run->at < run->in.len && !state->opaque && !state->quit) {
		if (request->step == MEMCACHED_START)
			command(run);
		else if (!data(run, &request->left))
			memcached_opaque(run, OPAQUE_MALFORMED);
		else if (request->left == 0)
			command_done(run);
	}
}

/* --- replies -------------------------------------------------------------------------------------------- */

/* The words that may be all of a line; `more`: something may follow. */
struct said {
	struct bytes word;
	bool more;
};

static bool among(const struct memcached_reply *reply, const struct said *list, size_t count)
{
	struct bytes word = {reply->word, reply->len};

	for (size_t i = 0; i < count && reply->len <= sizeof(reply->word); i++)
		if (bytes_equal(word, list[i].word))
			return list[i].more || reply->words == 1;
	return false;
}

#define SAID(text, more)                       \
	{                                      \
		{text, sizeof(text) - 1}, more \
	}
#define AMONG(reply, list) among(reply, list, sizeof(list) / sizeof((list)[0]))

static const struct said errors[] = {SAID("ERROR", true), SAID("CLIENT_ERROR", true),
				     SAID("SERVER_ERROR", true)};
static const struct said ones[] = {SAID("STORED", false),  SAID("NOT_STORED", false), SAID("EXISTS", false),
				   SAID("DELETED", false), SAID("NOT_FOUND", false),  SAID("TOUCHED", false),
				   SAID("OK", false),      SAID("VERSION", true)};
static const struct said statistics[] = {SAID("STAT", true), SAID("ITEM", true), SAID("PREFIX", true)};
static const struct said statistics_end[] = {SAID("END", false), SAID("RESET", false), SAID("OK", false)};
static const struct said end[] = {SAID("END", false)};
static const struct said metas[] = {SAID("HD", true), SAID("NS", true), SAID("EX", true), SAID("NF", true),
				    SAID("EN", true), SAID("ME", true), SAID("OK", true)};
static const struct said certain[] = {SAID("HD", true), SAID("EN", true)};
static const struct said miss[] = {SAID("EN", true)};

static bool is(const struct memcached_reply *reply, struct bytes word)
{
	return reply->len == word.len && memcmp(reply->word, word.ptr, word.len) == 0;
}

static struct bytes word_of(const struct memcached_reply *reply)
{
	return (struct bytes){reply->word, reply->len};
}

static enum memcached_next block(struct memcached_reply *reply, uint32_t words)
{
	if (!reply->digits || reply->words < words)
		return MEMCACHED_BAD;
	reply->left = reply->number + 2;
	return MEMCACHED_BLOCK;
}

/* A meta command's line, whosever it is. */
static enum memcached_next meta(struct memcached_reply *reply)
{
	if (is(reply, BYTES("VA")))
		return block(reply, 2);
	return AMONG(reply, metas) ? MEMCACHED_LAST : MEMCACHED_BAD;
}

static enum memcached_next noop(struct memcached_run *run, const struct memcached_entry *entry)
{
	struct memcached_reply *reply = &run->state->reply;

	if (is(reply, BYTES("MN")))
		return MEMCACHED_LAST;
	if (!(entry->ahead & (MEMCACHED_QUIET_READ | MEMCACHED_QUIET_WRITE)))
		return MEMCACHED_BAD;
	enum memcached_next next = meta(reply);
	return next == MEMCACHED_LAST ? MEMCACHED_GOES_ON : next;
}

static enum memcached_next error(struct memcached_run *run, const struct memcached_entry *entry)
{
	struct bytes word = word_of(&run->state->reply);

	if (entry->ahead && entry->kind != MEMCACHED_NOOP)
		return MEMCACHED_DOUBT;
	if (entry->ahead == 0) {
		memcached_failed(run, word);
		return MEMCACHED_LAST;
	}
	/* A server that has no meta commands does not know this one either. */
	if (word.len == 5 || !memcached_failed_ahead(run, entry->ahead, word))
		return MEMCACHED_DOUBT;
	return MEMCACHED_GOES_ON;
}

static enum memcached_next next_of(struct memcached_run *run, const struct memcached_entry *entry)
{
	struct memcached_reply *reply = &run->state->reply;
	uint32_t ahead = entry->ahead;

	if (AMONG(reply, errors))
		return error(run, entry);
	switch (entry->kind) {
	case MEMCACHED_ONE:
		return AMONG(reply, ones) || reply->first_digits ? MEMCACHED_LAST : MEMCACHED_BAD;
	case MEMCACHED_VALUES:
		if (is(reply, BYTES("VALUE")))
			return block(reply, 4);
		return AMONG(reply, end) ? MEMCACHED_LAST : MEMCACHED_BAD;
	case MEMCACHED_STATS:
		if (AMONG(reply, statistics))
			return MEMCACHED_GOES_ON;
		return AMONG(reply, statistics_end) ? MEMCACHED_LAST : MEMCACHED_BAD;
	case MEMCACHED_NOOP:
		return noop(run, entry);
	default:
		/* What quiet ones ahead of it may say as well is nobody's for certain. */
		if ((ahead & MEMCACHED_QUIET_READ) && !AMONG(reply, miss))
			return MEMCACHED_DOUBT;
		if ((ahead & MEMCACHED_QUIET_WRITE) && !AMONG(reply, certain))
			return MEMCACHED_DOUBT;
		return meta(reply);
	}
}

/* Nothing is waited for: a complaint about what is not answered, or an early word of quiet reads. */
static enum memcached_next unasked(struct memcached_run *run)
{
	struct memcached_state *state = run->state;

	if (AMONG(&state->reply, errors) && state->ahead)
		return memcached_failed_ahead(run, state->ahead, word_of(&state->reply)) ? MEMCACHED_GOES_ON
											 : MEMCACHED_DOUBT;
	if (!(state->ahead & (MEMCACHED_QUIET_READ | MEMCACHED_QUIET_WRITE)))
		return MEMCACHED_BAD;
	enum memcached_next next = meta(&state->reply);
	return next == MEMCACHED_LAST ? MEMCACHED_GOES_ON : next;
}

static void line_done(struct memcached_run *run)
{
	struct memcached_reply *reply = &run->state->reply;
	const struct memcached_entry *entry = memcached_awaited(run);
	enum memcached_next next = entry ? next_of(run, entry) : unasked(run);

	if (next == MEMCACHED_BAD || next == MEMCACHED_DOUBT) {
		memcached_refuse(run, next);
		return;
	}
	memcached_understood(run, entry);
	if (next == MEMCACHED_BLOCK) {
		reply->step = MEMCACHED_BODY;
		reply->next = entry && entry->kind == MEMCACHED_META ? MEMCACHED_LAST : MEMCACHED_GOES_ON;
	} else if (next == MEMCACHED_LAST) {
		memcached_answered(run);
	}
	reply->words = 0;
	reply->len = 0;
	reply->used = 0;
}

static void word_ends(struct memcached_reply *reply)
{
	if (reply->used == 0)
		return;
	if (reply->words == 0)
		reply->first_digits = reply->digits;
	if (reply->words < 8)
		reply->words++;
	reply->used = 0;
}

/* Of interest: the first word, and the number that says how long the data are. */
static bool counts(const struct memcached_reply *reply)
{
	if (reply->words == 0)
		return true;
	return (reply->words == 3 && is(reply, BYTES("VALUE"))) ||
	       (reply->words == 1 && is(reply, BYTES("VA")));
}

static void take(struct memcached_reply *reply, char c)
{
	bool digit = c >= '0' && c <= '9';

	if (counts(reply)) {
		if (reply->used == 0) {
			reply->digits = true;
			reply->number = 0;
		}
		reply->digits &= digit && (reply->used < 10 || reply->words == 0);
		if (reply->digits)
			reply->number = reply->number * 10 + (uint64_t)(c - '0');
	}
	if (reply->words == 0) {
		if (reply->len < sizeof(reply->word))
			reply->word[reply->len] = c;
		reply->len += reply->len < UINT8_MAX;
	}
	reply->used += reply->used < UINT8_MAX;
}

static void line(struct memcached_run *run)
{
	struct memcached_reply *reply = &run->state->reply;

	while (run->at < run->in.len) {
		char c = run->in.ptr[run->at++];
		if (c == '\n') {
			word_ends(reply);
			line_done(run);
			return;
		}
		if (c == ' ' || c == '\r')
			word_ends(reply);
		else
			take(reply, c);
	}
}

void memcached_text_replies(struct memcached_run *run)
{
	struct memcached_state *state = run->state;
	struct memcached_reply *reply = &state->reply;

	while (run->at < run->in.len && !state->opaque) {
		if (reply->step == MEMCACHED_START) {
			line(run);
			continue;
		}
		if (!data(run, &reply->left)) {
			memcached_refuse(run, MEMCACHED_BAD);
		} else if (reply->left == 0) {
			reply->step = MEMCACHED_START;
			if (reply->next == MEMCACHED_LAST)
				memcached_answered(run);
		}
	}
}
