/* memcached.c - commands on their way out, put together to calls; whose an answer is. */
#include "hooks/protocols/memcached.h"

extern const struct protocol protocol_memcached;

static void tell(struct memcached_run *run, enum protocol_event_type type, uint32_t exchange, bool quiet)
{
	struct protocol_event event = {.type = type, .exchange = exchange, .offset = run->at, .quiet = quiet};
	if (type == EVENT_RESET)
		event.number = RESET_CANCELLED;
	run->sink->event(run->sink, &event);
}

void memcached_opaque(struct memcached_run *run, enum protocol_opaque why)
{
	struct protocol_event event = {.type = EVENT_OPAQUE, .number = why, .offset = run->at};

	if (run->state->opaque)
		return;
	run->state->opaque = true;
	run->sink->event(run->sink, &event);
}

static struct memcached_heap *heap_of(struct memcached_run *run)
{
	char *base = run->sink->arena->take(run->sink->arena);

	if (!base)
		memcached_opaque(run, OPAQUE_TOO_LARGE);
	return (void *)base;
}

_Static_assert(sizeof(struct memcached_heap) <= PROTOCOL_ARENA_SIZE, "too large");

/* --- calls ---------------------------------------------------------------------------------------------- */

void memcached_begins(struct memcached_run *run)
{
	struct memcached_call *call = &run->state->call;

	if (call->begun)
		return;
	call->begun = true;
	tell(run, EVENT_REQUEST_BEGIN, run->state->told + 1, false);
}

static void name_call(struct memcached_call *call, const struct memcached_wish *wish)
{
	if (wish->closes && call->commands && call->silent)
		return;
	if (call->commands++ == 0)
		call->name = wish->name;
	else if (!bytes_equal(call->name, wish->name))
		call->mixed = true;
}

static void note_ahead(struct memcached_state *state, const struct memcached_wish *wish)
{
	bool first = state->ahead == 0;

	state->ahead |= wish->ahead | MEMCACHED_OWN;
	if (first || wish->opaque < state->lowest)
		state->lowest = wish->opaque;
	if (first || wish->opaque > state->highest)
		state->highest = wish->opaque;
}

void memcached_asked(struct memcached_run *run, const struct memcached_wish *wish)
{
	struct memcached_state *state = run->state;

	name_call(&state->call, wish);
	if (wish->ahead) {
		note_ahead(state, wish);
		state->call.silent = true;
		state->call.open |= wish->reads;
		return;
	}
	struct memcached_heap *heap = heap_of(run);
	if (!heap)
		return;
	if (state->tail - state->head == MEMCACHED_IN_FLIGHT) {
		memcached_opaque(run, OPAQUE_TOO_LARGE);
		return;
	}
	heap->entry[state->tail++ % MEMCACHED_IN_FLIGHT] = (struct memcached_entry){
		.exchange = state->told + 1,
		.ahead = state->ahead,
		.opaque = wish->opaque,
		.kind = wish->kind,
		.op = wish->op,
		.clash = state->ahead && wish->opaque >= state->lowest && wish->opaque <= state->highest,
	};
	state->ahead = 0;
	state->call.open = false;
}

/* Nothing of it is waited for: it ends when it has been sent. */
static void ends_by_itself(struct memcached_run *run, uint32_t exchange)
{
	struct memcached_reply *reply = &run->state->reply;

	if (reply->failed &&
	    run->state->head == run->state->tail) /* its own: of what was answered meanwhile */
		tell(run, EVENT_RESPONSE_HEAD, exchange, false);
	tell(run, EVENT_RESET, exchange, false);
	if (run->state->head == run->state->tail) {
		reply->failed = reply->begun = false;
		reply->code_len = 0;
	}
}

void memcached_call_ends(struct memcached_run *run)
{
	struct memcached_state *state = run->state;
	uint32_t exchange = state->told + 1;
	struct memcached_heap *heap;

	if (state->call.commands == 0 || state->opaque)
		return;
	tell(run, EVENT_REQUEST_HEAD, exchange, false);
	tell(run, EVENT_REQUEST_END, exchange, false);
	state->told = exchange;
	memset(&state->call, 0, sizeof(state->call));
	if (state->ahead & MEMCACHED_OWN)
		state->ahead = (state->ahead & ~MEMCACHED_OWN) | MEMCACHED_FORGOTTEN;
	bool waits = false;
	if (state->head != state->tail && (heap = heap_of(run)) != NULL)
		waits = heap->entry[(state->tail - 1) % MEMCACHED_IN_FLIGHT].exchange == exchange;
	if (!waits)
		ends_by_itself(run, exchange);
}

/* --- answers -------------------------------------------------------------------------------------------- */

const struct memcached_entry *memcached_awaited(struct memcached_run *run)
{
	struct memcached_state *state = run->state;
	struct memcached_heap *heap;

	if (state->head == state->tail && state->ahead == 0 && state->request.step == MEMCACHED_BODY) {
		/* answered before it was written to its end: refused */
		if (state->binary)
			memcached_binary_early(run);
		else
			memcached_text_early(run);
		state->request.step = MEMCACHED_SPENT;
		memcached_call_ends(run);
	}
	if (state->head == state->tail || state->opaque || !(heap = heap_of(run)))
		return NULL;
	return &heap->entry[state->head % MEMCACHED_IN_FLIGHT];
}

void memcached_failed(struct memcached_run *run, struct bytes code)
{
	struct memcached_reply *reply = &run->state->reply;

	if (reply->failed)
		return;
	reply->failed = true;
	reply->code_len = (uint8_t)(code.len < sizeof(reply->code) ? code.len : sizeof(reply->code));
	memcpy(reply->code, code.ptr, reply->code_len);
}

bool memcached_failed_ahead(struct memcached_run *run, uint32_t ahead, struct bytes code)
{
	if ((ahead & MEMCACHED_OWN) && (ahead & MEMCACHED_FORGOTTEN))
		return false;
	if (ahead & MEMCACHED_OWN)
		memcached_failed(run, code);
	return true;
}

void memcached_understood(struct memcached_run *run, const struct memcached_entry *entry)
{
	struct memcached_state *state = run->state;

	state->sure = true;
	if (!entry || entry->exchange > state->told || state->reply.begun)
		return;
	state->reply.begun = true;
	tell(run, EVENT_RESPONSE_BEGIN, entry->exchange, false);
}

void memcached_answered(struct memcached_run *run)
{
	struct memcached_state *state = run->state;
	struct memcached_reply *reply = &state->reply;
	struct memcached_heap *heap = heap_of(run);

	if (!heap)
		return;
	const struct memcached_entry *entry = &heap->entry[state->head % MEMCACHED_IN_FLIGHT];
	uint32_t exchange = entry->exchange;
	memcached_understood(run, entry);
	state->head++;
	if (state->head == state->tail)
		state->head = state->tail = 0; /* the same few pages of the arena */
	else if (heap->entry[state->head % MEMCACHED_IN_FLIGHT].exchange == exchange)
		return;
	if (exchange > state->told)
		return;
	tell(run, EVENT_RESPONSE_HEAD, exchange, false);
	tell(run, EVENT_RESPONSE_END, exchange, false);
	reply->failed = reply->begun = false;
	reply->code_len = 0;
}

/* Before anything was understood, it was another protocol: nobody made those calls. */
static void none_of_it(struct memcached_run *run)
{
	struct memcached_state *state = run->state;
	struct memcached_heap *heap = state->head == state->tail ? NULL : heap_of(run);
	uint32_t last = 0;

	for (uint32_t i = state->head; heap && i != state->tail; i++) {
		uint32_t exchange = heap->entry[i % MEMCACHED_IN_FLIGHT].exchange;
		if (exchange != last && exchange <= state->told)
			tell(run, EVENT_VOID, exchange, false);
		last = exchange;
	}
	if (state->call.begun)
		tell(run, EVENT_VOID, state->told + 1, false);
}

void memcached_refuse(struct memcached_run *run, enum memcached_next why)
{
	if (!run->state->sure && !run->state->opaque) {
		none_of_it(run);
		memcached_opaque(run, OPAQUE_NOT_MINE);
	}
	memcached_opaque(run, why == MEMCACHED_DOUBT ? OPAQUE_LOST : OPAQUE_MALFORMED);
}

/* --- the protocol --------------------------------------------------------------------------------------- */

static void memcached_open(void *opaque)
{
	memset(opaque, 0, sizeof(struct memcached_state));
}

static void requests(struct memcached_run *run)
{
	struct memcached_state *state = run->state;
	struct memcached_request *request = &state->request;

	if (!state->spoken && run->in.len) {
		state->spoken = true;
		state->binary = (unsigned char)run->in.ptr[0] == 0x80;
	}
	if (state->binary)
		memcached_binary_requests(run);
	else
		memcached_text_requests(run);
	if (state->opaque || !state->call.begun)
		return;
	bool between = request->step == MEMCACHED_START && request->used == 0 && request->line.words == 0 &&
		       request->line.len == 0;
	if ((between && !state->call.open) || state->quit) {
		memcached_call_ends(run);
	} else if (!state->call.quiet) { /* the write was cut: whose call it is is known already */
		state->call.quiet = true;
		tell(run, EVENT_REQUEST_HEAD, state->told + 1, true);
	}
}

static void memcached_feed(void *opaque, enum protocol_half half, struct bytes in, struct protocol_sink *sink)
{
	struct memcached_run run = {.state = opaque, .sink = sink, .in = in};

	if (run.state->opaque)
		return;
	if (half == HALF_REQUESTS)
		requests(&run);
	else if (run.state->binary)
		memcached_binary_replies(&run);
	else
		memcached_text_replies(&run);
}

/* Only inside data, of which something is to be left. */
static void memcached_skip(void *opaque, enum protocol_half half, uint64_t count, struct protocol_sink *sink)
{
	struct memcached_run run = {.state = opaque, .sink = sink};
	struct memcached_state *state = opaque;
	uint64_t *left = half == HALF_REQUESTS ? &state->request.left : &state->reply.left;
	bool inside = half == HALF_REQUESTS ? state->request.step != MEMCACHED_START
					    : state->reply.step == MEMCACHED_BODY;
	uint64_t end = state->binary ? 0 : 2;

	if (state->opaque || count == 0)
		return;
	if (!inside || *left <= end || count > *left - end) {
		memcached_opaque(&run, OPAQUE_LOST);
		return;
	}
	*left -= count;
	if (*left == 0)
		memcached_feed(opaque, half, BYTES_NONE, sink);
}

static void memcached_end(void *opaque, enum protocol_half half, struct protocol_sink *sink)
{
	struct memcached_run run = {.state = opaque, .sink = sink};

	(void)half;
	memcached_call_ends(&run); /* what was written of it will not be answered */
}

static void memcached_describe(const void *opaque, enum protocol_side side, enum protocol_moment moment,
			       const struct protocol_endpoint *endpoint, struct protocol_facts *facts)
{
	const struct memcached_state *state = opaque;
	const struct memcached_call *call = &state->call;
	char room[24] = "PIPELINE ";

	(void)side;
	if (moment == MOMENT_RESPONSE) {
		struct db_answer answer = {.code = {state->reply.code, state->reply.code_len},
					   .failed = state->reply.failed};
		db_describe_answer(&answer, facts);
		return;
	}
	struct db_call described = {.system = BYTES("memcached"),
				    .operation = call->name,
				    .batch = call->commands,
				    .usual_port = 11211};
	if (call->commands > 1 && call->mixed) {
		described.operation = BYTES("PIPELINE");
	} else if (call->commands > 1 && call->name.len <= sizeof(room) - 9) {
		memcpy(room + 9, call->name.ptr, call->name.len);
		described.operation = (struct bytes){room, 9 + call->name.len};
	}
	db_describe_call(&described, endpoint, facts);
}

static bool memcached_begins_so(enum protocol_half half, struct bytes first)
{
	struct memcached_line line = {0};

	if (half != HALF_REQUESTS || first.len == 0)
		return false;
	if ((unsigned char)first.ptr[0] == 0x80)
		return memcached_binary_begins(first);
	if (first.ptr[0] < 'a' || first.ptr[0] > 'v')
		return false;
	first = bytes_until(first, memcached_line(&line, first));
	if (!line.over || line.bad || line.doubtful || line.verb->kind == MEMCACHED_QUIT)
		return false;
	for (size_t i = 0; i + 3 <= first.len && line.verb->shape == MEMCACHED_GET; i++)
		if (memcmp(first.ptr + i, "://", 3) == 0)
			return false;
	return true;
}

static bool memcached_at_rest(const void *opaque)
{
	const struct memcached_state *state = opaque;

	return state->head == state->tail;
}

const struct protocol protocol_memcached = {
	.name = "memcached",
	.state_size = sizeof(struct memcached_state),
	.open = memcached_open,
	.feed = memcached_feed,
	.skip = memcached_skip,
	.end = memcached_end,
	.describe = memcached_describe,
	.begins = memcached_begins_so,
	.at_rest = memcached_at_rest,
	.database = true,
};
