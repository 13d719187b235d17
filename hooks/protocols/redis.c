/* redis.c - commands on their way out: what they are, and which of them make up one call. */
#include "hooks/protocols/redis.h"

extern const struct protocol protocol_redis;

void redis_tell(struct redis_run *run, enum protocol_event_type type, uint32_t exchange, bool quiet)
{
	struct protocol_event event = {.type = type, .exchange = exchange, .offset = run->at, .quiet = quiet};
	run->sink->event(run->sink, &event);
}

void redis_opaque(struct redis_run *run, enum protocol_opaque why)
{
	struct protocol_event event = {.type = EVENT_OPAQUE, .number = why, .offset = run->at};

	if (run->state->opaque)
		return;
	run->state->opaque = true;
	run->sink->event(run->sink, &event);
}

struct redis_heap *redis_heap(struct redis_run *run)
{
	struct protocol_arena *arena = run->sink->arena;

	if (!run->heap) {
		if (!arena->base)
			arena->little = true;
		run->heap = (void *)arena->take(arena);
		if (!run->heap)
			redis_opaque(run, OPAQUE_TOO_LARGE);
	}
	return run->heap;
}

_Static_assert(sizeof(struct redis_heap) <= PROTOCOL_LITTLE_ARENA, "too large");

/* --- the call's text ------------------------------------------------------------------------------------ */

static void say(struct redis_run *run, struct bytes piece)
{
	struct redis_call *call = &run->state->call;
	struct redis_heap *heap = call->full ? NULL : redis_heap(run);

	if (!heap)
		return;
	if (piece.len > sizeof(heap->text) - call->text) {
		piece.len = sizeof(heap->text) - call->text;
		call->full = true;
	}
	call->text = (uint16_t)(redis_copy(heap->text + call->text, piece) - heap->text);
}

static void argument_begins(struct redis_run *run)
{
	struct redis_request *request = &run->state->request;

	request->told = false;
	request->left = request->length + 2;
	if (request->index == 0) {
		if (run->state->call.commands)
			say(run, BYTES("; "));
		return; /* is said when it is there */
	}
	uint8_t keep = request->command->keep;
	if (keep == REDIS_NONE || (keep == REDIS_VERB && request->index == 1))
		return;
	request->told = redis_told(request->command, request->arguments, request->index);
	say(run, request->told ? BYTES(" ") : BYTES(" ?"));
}

static uint8_t keep(char *room, uint8_t used, size_t cap, struct bytes piece)
{
	if (piece.len > cap - used)
		piece.len = cap - used;
	if (piece.len)
		memcpy(room + used, piece.ptr, piece.len);
	return (uint8_t)(used + piece.len);
}

/* A piece of the argument, from `done` of its bytes on. */
static void argument(struct redis_run *run, struct bytes piece, uint32_t done)
{
	struct redis_request *request = &run->state->request;

	if (request->index == 0)
		request->name_len = keep(request->name, request->name_len, sizeof(request->name), piece);
	else if (request->index == 1)
		request->word_len = keep(request->word, request->word_len, sizeof(request->word), piece);
	if (request->told && done < REDIS_ARGUMENT)
		say(run, bytes_until(piece, REDIS_ARGUMENT - done));
}

/* From here on its name is what is told of it. */
static void name_done(struct redis_run *run)
{
	struct redis_request *request = &run->state->request;
	struct bytes name = {request->name, request->name_len};

	request->command = redis_command_again(request->command, name);
	struct bytes told = request->length > sizeof(request->name) ? BYTES("?")
								    : redis_name_told(request->command, name);
	if (told.ptr != name.ptr)
		request->name_len = keep(request->name, 0, sizeof(request->name), told);
	say(run, (struct bytes){request->name, request->name_len});
}

static void verb_done(struct redis_run *run)
{
	struct redis_request *request = &run->state->request;
	struct bytes word = {request->word, request->word_len};

	if (!redis_verb_told(request->command, word)) {
		say(run, BYTES(" ?"));
		return;
	}
	say(run, BYTES(" "));
	say(run, word);
}

/* --- calls -----------------------------------------------------------------------------------------------
 */

void redis_call_ends(struct redis_run *run)
{
	struct redis_state *state = run->state;
	struct redis_call *call = &state->call;
	struct redis_heap *heap = call->commands ? redis_heap(run) : NULL;

	if (!heap)
		return;
	if (state->tail - state->head == REDIS_CALLS || call->commands > REDIS_REPLIES_MOST) {
		redis_opaque(run, OPAQUE_TOO_LARGE);
		return;
	}
	state->heap = heap;
	redis_tell(run, EVENT_REQUEST_HEAD, state->tail + 1, false);
	state->heap = NULL;
	redis_tell(run, EVENT_REQUEST_END, state->tail + 1, false);
	heap->replies[state->tail % REDIS_CALLS] = call->commands |
						   (call->multi && call->exec ? REDIS_TRANSACTION : 0) |
						   (uint32_t)call->select << REDIS_SELECT_SHIFT;
	state->selecting += call->select > 0;
	state->tail++;
	memset(call, 0, sizeof(*call));
}

static uint16_t number_of(struct bytes word)
{
	uint32_t number = 0;

	for (size_t i = 0; i < word.len && word.len <= 4; i++) {
		if (word.ptr[i] < '0' || word.ptr[i] > '9')
			return 0;
		number = number * 10 + (uint32_t)(word.ptr[i] - '0');
	}
	return word.len && word.len <= 4 && number < 4094 ? (uint16_t)(number + 1) : 0;
}

void redis_note_name(struct redis_call *call, struct bytes name)
{
	if (call->name_len == 0)
		call->name_len = keep(call->name, 0, sizeof(call->name), name);
	else if (!bytes_equal_nocase((struct bytes){call->name, call->name_len}, name))
		call->mixed = true;
}

static void command_done(struct redis_run *run)
{
	struct redis_state *state = run->state;
	struct redis_request *request = &state->request;
	struct redis_call *call = &state->call;
	struct bytes name = {request->name, request->name_len}, word = {request->word, request->word_len};
	uint8_t effect = request->command->effect;

	call->exec = effect == REDIS_EXEC;
	if (effect == REDIS_MULTI && call->commands == 0)
		call->multi = true;
	else if (!(call->multi && call->exec))
		redis_note_name(call, name);
	if (effect == REDIS_SELECT)
		call->select = number_of(word);
	else if (effect == REDIS_SCRIPT && call->commands == 0)
		call->procedure_len = keep(call->procedure, 0, sizeof(call->procedure), word);
	call->commands++;
	request->step = REDIS_START;
	request->index = request->arguments = 0;
	request->name_len = request->word_len = 0;
	if (effect == REDIS_LEAVES) {
		redis_call_ends(run);
		state->leaving = true;
	} else if (effect == REDIS_CLIENT && bytes_equal_nocase(word, BYTES("reply"))) {
		redis_call_ends(run);
		redis_opaque(run, OPAQUE_LOST); /* from here on answers may be missing */
	} else if (run->sink->parts && run->sink->parts(run->sink, run->at)) {
		redis_call_ends(run);
	}
}

/* --- framing ---------------------------------------------------------------------------------------------
 */

static void number_begins(struct redis_request *request, enum redis_step step)
{
	request->step = (uint8_t)step;
	request->number = 0;
	request->digits = 0;
	request->cr = false;
}

static void start(struct redis_run *run)
{
	struct redis_state *state = run->state;
	char c = run->in.ptr[run->at];

	if (c == '\r' || c == '\n') { /* an empty inline command: not answered */
		run->at++;
		return;
	}
	if (!state->call.begun) {
		state->call.begun = true;
		redis_tell(run, EVENT_REQUEST_BEGIN, state->tail + 1, false);
	}
	if (c == '*') {
		number_begins(&state->request, REDIS_COUNT);
		run->at++;
		return;
	}
	if (state->call.commands == 0 && state->tail == 0) { /* what never spoke RESP may be anything */
		redis_opaque(run, OPAQUE_NOT_MINE);
		return;
	}
	state->request.step = REDIS_INLINE;
	state->request.length = 0;
	argument_begins(run);
}

static void number_done(struct redis_run *run)
{
	struct redis_request *request = &run->state->request;

	if (request->step == REDIS_COUNT) {
		request->arguments = request->number;
		if (request->number == 0)
			redis_opaque(run, OPAQUE_MALFORMED);
		number_begins(request, REDIS_LENGTH);
		return;
	}
	request->length = request->number;
	request->step = REDIS_DATA;
	argument_begins(run);
}

/* "*3\r\n" behind its '*', or "$5\r\n", where it stands whole in what is fed; false: nothing was read. */
static bool number_whole(struct redis_run *run)
{
	struct redis_request *request = &run->state->request;
	const char *at = run->in.ptr + run->at, *end = run->in.ptr + run->in.len;
	uint32_t number = 0;

	if (request->digits || request->cr)
		return false;
	if (request->step == REDIS_LENGTH && (request->told || *at++ != '$'))
		return false;
	const char *first = at;
	for (; at < end && *at >= '0' && *at <= '9' && at - first < 9; at++)
		number = number * 10 + (uint32_t)(*at - '0');
	if (at == first || end - at < 2 || at[0] != '\r' || at[1] != '\n')
		return false;
	run->at = (size_t)(at + 2 - run->in.ptr);
	request->number = number;
	request->told = false;
	number_done(run);
	return true;
}

/* The same, byte by byte. */
static void number(struct redis_run *run)
{
	struct redis_request *request = &run->state->request;
	char c = run->in.ptr[run->at];

	run->at++;
	if (request->step == REDIS_LENGTH && request->arguments && !request->cr && request->digits == 0 &&
	    c == '$' && !request->told) {
		request->told = true; /* the dollar was seen */
		return;
	}
	if (request->cr && c == '\n') {
		request->told = false;
		number_done(run);
	} else if (c == '\r' && request->digits && !request->cr) {
		request->cr = true;
	} else if (c >= '0' && c <= '9' && !request->cr && request->digits < 9 &&
		   (request->step == REDIS_COUNT || request->told)) {
		request->number = request->number * 10 + (uint32_t)(c - '0');
		request->digits++;
	} else {
		redis_opaque(run, OPAQUE_MALFORMED);
	}
}

static void argument_done(struct redis_run *run)
{
	struct redis_request *request = &run->state->request;

	if (request->index == 0)
		name_done(run);
	else if (request->index == 1 && request->command->keep == REDIS_VERB)
		verb_done(run);
	request->told = false;
	if (++request->index == request->arguments)
		command_done(run);
	else
		number_begins(request, REDIS_LENGTH);
}

static void data(struct redis_run *run)
{
	struct redis_request *request = &run->state->request;

	if (request->left > 2) {
		uint32_t left = request->left - 2;
		struct bytes piece = bytes_until(bytes_from(run->in, run->at), left);
		argument(run, piece, request->length - left);
		run->at += piece.len;
		request->left -= (uint32_t)piece.len;
		if (run->at == run->in.len || run->state->opaque)
			return;
	}
	for (; request->left && run->at < run->in.len; request->left--)
		if (run->in.ptr[run->at++] != (request->left == 2 ? '\r' : '\n')) {
			redis_opaque(run, OPAQUE_MALFORMED);
			return;
		}
	if (request->left == 0)
		argument_done(run);
}

/* Only the command is told of such a line. */
static void inline_command(struct redis_run *run)
{
	struct redis_request *request = &run->state->request;
	struct bytes rest = bytes_from(run->in, run->at);
	struct bytes line = bytes_until(rest, bytes_find(rest, '\n'));

	for (size_t i = 0; i < line.len && request->index == 0; i++) {
		char c = line.ptr[i];
		if (c == ' ' || c == '\t' || c == '\r')
			request->index = 1;
		else
			argument(run, (struct bytes){&c, 1}, request->length++);
	}
	run->at += line.len;
	if (line.len == rest.len) {
		if (request->length < UINT32_MAX / 2)
			return;
		redis_opaque(run, OPAQUE_TOO_LARGE);
		return;
	}
	run->at++;
	name_done(run);
	command_done(run);
}

static void requests(struct redis_run *run)
{
	struct redis_state *state = run->state;

	while (run->at < run->in.len && !state->opaque && !state->leaving) {
		switch (state->request.step) {
		case REDIS_START:
			if (!redis_whole(run))
				start(run);
			break;
		case REDIS_COUNT:
		case REDIS_LENGTH:
			if (!number_whole(run))
				number(run);
			break;
		case REDIS_DATA:
			data(run);
			break;
		default:
			inline_command(run);
			break;
		}
	}
	if (state->opaque || state->call.commands == 0)
		return;
	if (state->request.step == REDIS_START) {
		redis_call_ends(run);
	} else if (!state->call.quiet) { /* the write was cut: whose call it is is known already */
		state->call.quiet = true;
		redis_tell(run, EVENT_REQUEST_HEAD, state->tail + 1, true);
	}
}

/* --- the protocol ----------------------------------------------------------------------------------------
 */

static void redis_open(void *opaque)
{
	memset(opaque, 0, sizeof(struct redis_state));
}

static void redis_feed(void *opaque, enum protocol_half half, struct bytes in, struct protocol_sink *sink)
{
	struct redis_run run = {.state = opaque, .sink = sink, .in = in};

	if (run.state->opaque)
		return;
	if (half == HALF_REQUESTS)
		requests(&run);
	else
		redis_replies(&run);
}

static void redis_skip(void *opaque, enum protocol_half half, uint64_t count, struct protocol_sink *sink)
{
	struct redis_run run = {.state = opaque, .sink = sink};
	struct redis_request *request = &run.state->request;
	struct redis_reply *reply = &run.state->reply;

	if (run.state->opaque || count == 0)
		return;
	if (half == HALF_REQUESTS && request->step == REDIS_DATA && request->index > 0 &&
	    count <= request->left - (request->left < 2 ? request->left : 2))
		request->left -= (uint32_t)count;
	else if (half == HALF_RESPONSES && reply->step == REDIS_BULK && reply->left > 2 &&
		 count <= reply->left - 2)
		reply->left -= count;
	else
		redis_opaque(&run, OPAQUE_LOST);
}

static void redis_end(void *opaque, enum protocol_half half, struct protocol_sink *sink)
{
	struct redis_run run = {.state = opaque, .sink = sink};

	(void)half;
	if (!run.state->opaque)
		redis_call_ends(&run); /* what was written of it will not be answered */
}

static struct bytes operation(const struct redis_call *call, char *room, size_t cap)
{
	struct bytes kind = call->multi && call->exec ? BYTES("MULTI") : BYTES("PIPELINE");
	struct bytes name = {call->name, call->name_len};
	uint8_t used;

	if (call->commands == 1)
		return name.len ? name : BYTES("MULTI");
	if (call->mixed || name.len == 0)
		return kind;
	used = keep(room, 0, cap, kind);
	used = keep(room, used, cap, BYTES(" "));
	return (struct bytes){room, keep(room, used, cap, name)};
}

/* Apart: what it needs of the stack would cost each answer as well. */
__attribute__((noinline)) static void describe_call(const struct redis_state *state,
						    const struct redis_heap *heap,
						    const struct protocol_endpoint *endpoint,
						    struct protocol_facts *facts)
{
	const struct redis_call *call = &state->call;
	char room[REDIS_NAME + 16], digits[6];
	size_t at = sizeof(digits);
	struct bytes text = {heap->text, call->text};
	struct db_call described = {
		.system = BYTES("redis"), .batch = 1, .usual_port = 6379, .bare = true, .peer = true};

	if (call->full)
		text.len = utf8_prefix(text, UINT32_MAX, text.len - 3);
	for (unsigned rest = state->space, more = 1; more; more = rest > 0) {
		digits[--at] = (char)('0' + rest % 10);
		rest /= 10;
	}
	if (state->selecting == 0 && (call->select == 0 || call->commands == 1))
		described.space = (struct bytes){digits + at, sizeof(digits) - at};
	described.operation = operation(call, room, sizeof(room));
	described.procedure = (struct bytes){call->procedure, call->procedure_len};
	described.text = text;
	if (call->multi && call->exec)
		described.batch = call->commands - 2;
	else if (call->commands > 1)
		described.batch = call->commands;
	db_describe_call(&described, endpoint, facts);
}

static void redis_describe(const void *opaque, enum protocol_side side, enum protocol_moment moment,
			   const struct protocol_endpoint *endpoint, struct protocol_facts *facts)
{
	const struct redis_state *state = opaque;

	(void)side;
	if (moment == MOMENT_REQUEST) {
		if (state->heap)
			describe_call(state, state->heap, endpoint, facts);
		return;
	}
	struct db_answer answer = {.code = {state->reply.code, state->reply.code_len},
				   .failed = state->reply.failed};
	db_describe_answer(&answer, facts);
}

static bool redis_begins(enum protocol_half half, struct bytes first)
{
	size_t at = 1;

	if (half != HALF_REQUESTS || first.len < 4 || first.ptr[0] != '*' || first.ptr[1] < '1' ||
	    first.ptr[1] > '9')
		return false;
	while (at < first.len && first.ptr[at] >= '0' && first.ptr[at] <= '9')
		at++;
	if (at > 8 || at + 2 > first.len || first.ptr[at] != '\r' || first.ptr[at + 1] != '\n')
		return false;
	return at + 2 == first.len || first.ptr[at + 2] == '$';
}

/* In the arena are the text of the call that is being written, and what those under way wait for. */
static bool redis_at_rest(const void *opaque)
{
	const struct redis_state *state = opaque;

	return state->head == state->tail && !state->call.begun;
}

const struct protocol protocol_redis = {
	.name = "redis",
	.state_size = sizeof(struct redis_state),
	.open = redis_open,
	.feed = redis_feed,
	.skip = redis_skip,
	.end = redis_end,
	.describe = redis_describe,
	.begins = redis_begins,
	.at_rest = redis_at_rest,
	.database = true,
};
