/* asked.c - calls of database clients in the order in which they were asked; see asked.h. */
#include "preload/asked.h"

#include <string.h>

#include "preload/config.h"
#include "preload/conn_internal.h"
#include "preload/loop.h"
#include "preload/session.h"

#define RUNS 128

#define RUN_GOES_ON 0x10u /* what follows was asked in the same go */

/* Calls in a row that are alike: asked in one go, and so one call under way for whoever asked (loop.h),
 * until the last of them is answered. */
struct run {
	struct activity_verdict whose;
	span_ref asker;
	uint32_t from; /* number of the first */
	uint32_t flags;
};

struct asked {
	/* Numbers of calls: those asked so far, seen on the wire, answered. */
	uint32_t pushed, wired, answered;
	uint32_t first, next; /* runs */
	bool lost;            /* more than there is room for */
	bool given;           /* some of the answer to the oldest */
	bool held;
	/* What the thread that asked last was at then: if it still is, it asks on. */
	struct {
		const void *thread;
		span_ref current;
		uint32_t turn;
		uint8_t evidence;
		uint8_t ambiguous;
	} by;
	struct run run[RUNS];
	/* The library's spans, oldest first: index + 1. Of such a span asked_at is its call's number,
	 * deadline when the last of its answer was given (0: not yet), quiet that nothing is told of it
	 * unless it fails. */
	uint32_t own, own_last;
};

static struct pool queues;
static _Atomic bool owns;
static _Atomic bool adopts_none; /* there was no room for a connection that nobody knew */

static uint32_t queues_for(uint32_t connections)
{
	return connections / 16 + 16;
}

size_t asked_memory(uint32_t connections)
{
	return queues_for(connections) * (sizeof(struct asked) + 64);
}

bool asked_init(uint32_t connections)
{
	return pool_init(&queues, sizeof(struct asked), queues_for(connections));
}

/* --- runs ---------------------------------------------------------------------------------------------- */

static struct run *run_at(struct asked *asked, uint32_t index)
{
	return &asked->run[index % RUNS];
}

static uint32_t run_end(struct asked *asked, uint32_t index)
{
	return index + 1 == asked->next ? asked->pushed : run_at(asked, index + 1)->from;
}

/* The run of this number, which was pushed and not answered yet. */
static struct run *run_of(struct asked *asked, uint32_t number, uint32_t *index)
{
	for (*index = asked->first; *index != asked->next; ++*index)
		if ((int32_t)(run_end(asked, *index) - number) > 0)
			return run_at(asked, *index);
	return NULL;
}

/* Is the oldest call the last of its run? */
static bool is_last(struct asked *asked)
{
	return asked->answered + 1 == run_end(asked, asked->first);
}

static struct span *own_of(const struct asked *asked, uint32_t number)
{
	struct span *span = asked->own ? span_slot(asked->own - 1) : NULL;
	return span && span->asked_at == number ? span : NULL;
}

static void end_own(struct asked *asked, struct span *span, bool closed)
{
	uint64_t end = span->deadline;

	asked->own = span->next;
	if (asked->own)
		span_slot(asked->own - 1)->before = 0;
	else
		asked->own_last = 0;
	if (span->quiet && !span->failed) {
		span_discard(span);
		return;
	}
	if (closed && !end && span->recording)
		attrs_string(&span->attrs, BYTES("tagalong.incomplete"), BYTES("closed"));
	span_end(span, end ? end : clock_now());
}

static void pop_answered(struct asked *asked, bool closed)
{
	if (is_last(asked))
		loop_uncount(&run_at(asked, asked->first)->asker);
	struct span *span = own_of(asked, asked->answered);
	if (span)
		end_own(asked, span, closed);
	asked->given = false;
	asked->answered++;
	if ((int32_t)(asked->answered - asked->wired) > 0)
		asked->wired = asked->answered;
	if (asked->answered == run_end(asked, asked->first))
		asked->first++;
}

static void drop_all(struct asked *asked)
{
	while (asked->answered != asked->pushed)
		pop_answered(asked, true);
	asked->first = asked->next = 0;
	asked->lost = false;
}

static bool asks_on(const struct asked *asked)
{
	return asked->pushed != asked->answered && asked->by.thread == &thread &&
	       asked->by.turn == thread.turn && asked->by.current == thread.current &&
	       asked->by.evidence == thread.evidence && asked->by.ambiguous == thread.ambiguous;
}

static bool add_run(struct asked *asked, const struct run *fresh)
{
	if (asked->next - asked->first == RUNS)
		return false;
	*run_at(asked, asked->next) = *fresh;
	run_at(asked, asked->next++)->from = asked->pushed++;
	asked->by.thread = &thread;
	asked->by.turn = thread.turn;
	asked->by.current = thread.current;
	asked->by.evidence = thread.evidence;
	asked->by.ambiguous = thread.ambiguous;
	return true;
}

/* Of the other kind than the last, but asked in the same go. */
static bool go_on(struct asked *asked, unsigned flags)
{
	struct run *last = run_at(asked, asked->next - 1), run = *last;

	if ((last->flags & ASKED_PART) == (flags & ASKED_PART)) {
		asked->pushed++;
		return true;
	}
	run.flags = (run.flags ^ ASKED_PART) | RUN_GOES_ON;
	if (!add_run(asked, &run))
		return false;
	last->asker = SPAN_NOBODY;
	return true;
}

/* --- connections --------------------------------------------------------------------------------------- */

static struct asked *of(const struct conn *conn)
{
	return conn->carrier ? conn->carrier->asked : conn->asked;
}

static bool is_followed(const struct conn *conn)
{
	return conn->mode == CONN_FOLLOWED && !atomic_load_explicit(&conn->lost, memory_order_relaxed) &&
	       conn->protocol->database;
}

/* Older than us, or made in a way that is not seen: its bytes are not followed, but it has a place. */
static struct conn *adopt(int fd)
{
	struct conn *conn;

	if (fd < 0 || fdtable_get(fd) || atomic_load_explicit(&adopts_none, memory_order_relaxed))
		return NULL;
	conn_adopted(fd);
	conn = conn_get(fd);
	if (conn)
		atomic_store(&conn->lost, true);
	else
		atomic_store(&adopts_none, true);
	return conn;
}

static struct asked *queue_of(struct conn *conn)
{
	if (!conn->asked && (conn->asked = pool_take(&queues)))
		memset(conn->asked, 0, sizeof(*conn->asked));
	if (!conn->asked)
		count_one(asked_untold);
	return conn->asked;
}

/* By whom, as the wire would find if it were written now. */
static struct run judge(struct asked *asked, struct conn *speaker, unsigned flags)
{
	struct run run = {.flags = flags & ASKED_PART};
	uint32_t number = speaker->requests + (asked->pushed - asked->wired) + 1;

	run.whose = exchange_judge(speaker, number, &run.asker);
	return run;
}

static bool append(struct asked *asked, struct conn *speaker, unsigned flags)
{
	if (asks_on(asked))
		return go_on(asked, flags);
	struct run run = judge(asked, speaker, flags);
	if (add_run(asked, &run))
		return true;
	loop_uncount(&run.asker);
	return false;
}

static void begin_own(struct asked *asked, const struct run *run, struct asked_own *own)
{
	struct span *span = config.sdk_disabled ? NULL : span_begin(SPAN_CLIENT, clock_now());

	if (!span)
		return;
	atomic_store_explicit(&owns, true, memory_order_relaxed);
	exchange_adopt(span, &run->whose);
	span->asked_at = asked->pushed - 1;
	span->quiet = run->flags & ASKED_PART;
	span->before = asked->own_last;
	if (asked->own_last)
		span_slot(asked->own_last - 1)->next = span->index + 1;
	else
		asked->own = span->index + 1;
	asked->own_last = span->index + 1;
	own->span = span;
}

/* What was begun last did not come to be. */
static void drop_own(struct asked *asked, uint32_t number)
{
	struct span *span = asked->own_last ? span_slot(asked->own_last - 1) : NULL;

	if (!span || span->asked_at != number)
		return;
	asked->own_last = span->before;
	if (asked->own_last)
		span_slot(asked->own_last - 1)->next = 0;
	else
		asked->own = 0;
	span_discard(span);
}

static bool push_on(struct conn *conn, struct conn *speaker, unsigned flags, struct asked_own *own)
{
	struct asked *asked = queue_of(conn);

	if (!asked)
		return false;
	if (flags & ASKED_ALONE)
		drop_all(asked);
	if (asked->lost)
		return false;
	own->own = (flags & ASKED_BLIND) || !is_followed(speaker);
	own->endpoint = own->own ? conn_endpoint(conn) : NULL;
	if (!append(asked, speaker, flags)) {
		drop_all(asked);
		asked->lost = true;
		count_one(asked_untold);
		return false;
	}
	if (own->own)
		begin_own(asked, run_at(asked, asked->next - 1), own);
	return true;
}

bool asked_push(int fd, unsigned flags, struct asked_own *own)
{
	struct conn *conn = conn_get(fd);

	*own = (struct asked_own){.own = false};
	if (!conn)
		conn = adopt(fd);
	if (!conn)
		return false;
	struct conn *session = conn->carries ? session_above(conn) : NULL;
	bool known = push_on(conn, session ? session : conn, flags, own);
	if (session)
		conn_put(session);
	conn_put(conn);
	return known;
}

bool asked_followed(int fd, const char *protocol)
{
	struct conn *conn = conn_get(fd);

	if (!conn)
		return false;
	struct conn *session = conn->carries ? session_above(conn) : NULL;
	const struct conn *speaker = session ? session : conn;
	bool followed = is_followed(speaker) && strcmp(speaker->protocol->name, protocol) == 0;
	if (session)
		conn_put(session);
	conn_put(conn);
	return followed;
}

void asked_pull(int fd)
{
	struct conn *conn = asked_get(fd);
	struct asked *asked = conn ? conn->asked : NULL;

	/* What was written already will be answered, or the connection's end is the answer. */
	if (asked && asked->wired != asked->pushed) {
		struct run *last = run_at(asked, asked->next - 1);
		uint32_t number = --asked->pushed;
		drop_own(asked, number);
		if (last->from == number) {
			asked->next--;
			if (last->flags & RUN_GOES_ON && asked->next != asked->first)
				run_at(asked, asked->next - 1)->asker = last->asker;
			else
				loop_uncount(&last->asker);
		}
	}
	if (conn)
		conn_put(conn);
}

struct conn *asked_get(int fd)
{
	struct conn *conn = conn_get(fd);

	if (!conn)
		return NULL;
	if (conn->asked && conn->asked->answered != conn->asked->pushed)
		return conn;
	conn_put(conn);
	return NULL;
}

void asked_answer(struct conn *conn, bool whole)
{
	struct asked *asked = conn->asked;

	if (asked->answered == asked->pushed)
		return;
	asked->given = true;
	struct run *run = run_at(asked, asked->first);
	if (run->whose.activity == SPAN_NOBODY && run->asker != SPAN_NOBODY)
		activity_read_doubtful(conn, run->asker);
	else
		activity_read_answer(conn, run->whose.activity);
	if (whole && is_last(asked))
		loop_uncount(&run->asker);
	struct span *span = whole ? own_of(asked, asked->answered) : NULL;
	if (span)
		span->deadline = clock_now();
}

void asked_over(struct conn *conn)
{
	if (conn->asked->given)
		pop_answered(conn->asked, false);
}

void asked_end_span(struct conn *conn)
{
	struct span *span = asked_span(conn);
	if (span)
		end_own(conn->asked, span, false);
}

bool asked_owns(void)
{
	return atomic_load_explicit(&owns, memory_order_relaxed);
}

struct span *asked_span(const struct conn *conn)
{
	const struct asked *asked = conn->asked;
	return asked->answered == asked->pushed ? NULL : own_of(asked, asked->answered);
}

void asked_hold(struct conn *conn)
{
	conn->asked->held = true;
}

void asked_put(struct conn *conn)
{
	if (conn->asked)
		conn->asked->held = false;
	if (atomic_load(&conn->fds) == 0)
		asked_closed(conn);
	conn_put(conn);
}

/* --- the wire's side ----------------------------------------------------------------------------------- */

/* Which of several it is cannot be told: some of them are one exchange, and some none. */
static bool next_part(struct asked *asked, struct activity_verdict *verdict)
{
	uint32_t index;
	const struct run *run = run_of(asked, asked->wired, &index);

	if (!run || !(run->flags & ASKED_PART))
		return false;
	*verdict = run->whose;
	for (index++; index != asked->next && run_at(asked, index)->flags & ASKED_PART; index++)
		*verdict = (struct activity_verdict){.ambiguous = AMBIGUOUS_LIBRARY};
	return true;
}

bool asked_next(struct conn *conn, struct span *span, bool part, struct activity_verdict *verdict)
{
	struct asked *asked = of(conn);
	uint32_t index;

	span->asked = false;
	if (!asked)
		return false;
	*verdict = (struct activity_verdict){.ambiguous = AMBIGUOUS_LIBRARY};
	if (asked->lost)
		return thread.loop;
	if (part)
		return next_part(asked, verdict);
	for (uint32_t at = asked->wired; at != asked->pushed;) {
		struct run *run = run_of(asked, at, &index);
		if (!run)
			break;
		if (run->flags & ASKED_PART) {
			at = run_end(asked, index);
			continue;
		}
		*verdict = run->whose;
		span->asked = true;
		span->asked_at = asked->wired;
		asked->wired = at + 1;
		return true;
	}
	return false;
}

void asked_again(struct conn *conn, const struct span *span)
{
	struct asked *asked = of(conn);

	if (asked && span->asked && (int32_t)(span->asked_at - asked->answered) >= 0)
		asked->wired = span->asked_at;
}

bool asked_tells(const struct conn *conn)
{
	const struct asked *asked = of(conn);
	return asked && asked->answered != asked->pushed;
}

void asked_closed(struct conn *conn)
{
	struct asked *asked = conn->asked;

	if (!asked || asked->held)
		return;
	drop_all(asked);
	conn->asked = NULL;
	pool_give(&queues, asked);
}

/* The activities and their counts are the parent's. */
void asked_forked(struct conn *conn)
{
	if (conn->asked)
		memset(conn->asked, 0, sizeof(*conn->asked));
}
