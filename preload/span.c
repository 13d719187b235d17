/* span.c - slots, identity, and the one encoding at a span's end. */
#include "preload/span.h"

#include <stddef.h>
#include <string.h>

#include "preload/clock.h"
#include "preload/config.h"
#include "preload/counters.h"
#include "preload/hook.h"
#include "preload/overdue.h"
#include "preload/pool.h"
#include "preload/queue.h"
#include "preload/repeats.h"
#include "preload/sampler.h"
#include "preload/stack.h"
#include "preload/sys.h"
#include "preload/thread.h"

static struct pool spans;
static _Atomic uint32_t forks;      /* children made so far */
static _Atomic uint32_t fork_epoch; /* spans begun before the last fork carry an older one */

/* The generation of each slot once more, where a child can see it after the fork: what it carries on of its
 * parent's requests dies with them. A child has a board of its own for its own spans. */
static _Atomic uint32_t *board;

#define REF(generation, index) ((span_ref)(generation) << 24 | (index))
#define REF_INDEX(ref) ((uint32_t)((ref)&0xffffff))
#define REF_GENERATION(ref) ((uint32_t)((ref) >> 24))

bool span_init(uint32_t max_spans)
{
	if (max_spans > 1u << 23)
		max_spans = 1u << 23;
	board = sys_map_shared(max_spans * sizeof(*board));
	return pool_init(&spans, sizeof(struct span), max_spans);
}

/* Long addresses, captured headers and statements: a block in place of the slot's own buffer. */
static bool grow(struct attrs *attrs)
{
	struct span *span = (struct span *)(void *)((char *)attrs - offsetof(struct span, attrs));

	attrs->grow = NULL;
	span->wide = block_take();
	if (!span->wide)
		return false;
	memcpy(span->wide, attrs->buf, attrs->len);
	attrs->buf = (uint8_t *)span->wide;
	attrs->cap = BLOCK_SIZE;
	return true;
}

static void beat(const struct span *span)
{
	_Atomic uint32_t *pulse = atomic_load_explicit(&span->pulse, memory_order_relaxed);
	if (pulse)
		atomic_store_explicit(pulse, atomic_load_explicit(&span->generation, memory_order_relaxed),
				      memory_order_release);
}

struct span *span_begin(enum span_kind kind, uint64_t start)
{
	hook_notice_fork();
	struct span *span = pool_take(&spans);
	if (!span) {
		count_one(spans_no_slot);
		overdue_pressed();
		return NULL;
	}

	uint32_t generation = atomic_load_explicit(&span->generation, memory_order_relaxed);
	memset((char *)span + offsetof(struct span, index), 0,
	       offsetof(struct span, text) - offsetof(struct span, index));
	span->index = pool_index(&spans, span);
	span->kind = (uint8_t)kind;
	span->start = start;
	atomic_store_explicit(&span->fork_epoch, atomic_load_explicit(&fork_epoch, memory_order_relaxed),
			      memory_order_relaxed);
	atomic_store_explicit(&span->pulse, board ? &board[span->index] : NULL, memory_order_relaxed);
	if (kind == SPAN_CLIENT) {
		span->reader = &thread;
		span->waits = thread.waits;
	}
	span->forks = atomic_load_explicit(&forks, memory_order_relaxed);
	attrs_init(&span->attrs, span->attrs_buf, sizeof(span->attrs_buf), &config.span_limits);
	span->attrs.grow = grow;
	id_span(&thread.ids, span->context.span_id);
	/* Whoever sees the new generation sees an identity that is not final yet (identified is false). */
	atomic_store_explicit(&span->generation, (generation | 1) + (generation & 1 ? 2 : 0),
			      memory_order_release);
	beat(span);
	return span;
}

char *span_room(struct span *span, size_t size)
{
	size = (size + 7) & ~(size_t)7;
	if (span->text_used + size <= sizeof(span->text)) {
		char *at = span->text + span->text_used;
		span->text_used += (uint32_t)size;
		return at;
	}
	if (!span->block)
		span->block = block_take();
	if (!span->block || span->block_used + size > BLOCK_SIZE)
		return NULL;
	char *at = span->block + span->block_used;
	span->block_used += (uint32_t)size;
	return at;
}

/* tracestate and baggage must live as long as the span: copied into it. */
static struct bytes keep_text(struct span *span, struct bytes text)
{
	if (text.len == 0)
		return BYTES_NONE;
	char *at = span_room(span, text.len);
	if (!at)
		return BYTES_NONE;
	memcpy(at, text.ptr, text.len);
	return (struct bytes){at, text.len};
}

bool span_derive(const struct context *parent, struct context *own, char *text, size_t cap)
{
	if (parent && parent->valid) {
		memcpy(own->trace_id, parent->trace_id, sizeof(own->trace_id));
		own->flags = parent->flags & FLAG_RANDOM;
		own->debug = parent->debug;
	} else {
		id_trace(&thread.ids, own->trace_id);
		own->flags = FLAG_RANDOM;
	}
	own->valid = true;
	own->tracestate = BYTES_NONE;
	return sampler_decide(parent, own, text, cap);
}

static void identified(struct span *span)
{
	if (span->recording)
		count_one(spans_started_sampled);
	else
		count_one(spans_started_dropped);
	span->identified = true;
}

/* Pass-through: what came in goes out unchanged, and a root gets no context at all. */
static void pass_through(struct span *span, const struct context *parent)
{
	struct context *own = &span->context;
	span->recording = false;
	own->valid = span->has_parent;
	if (!span->has_parent) {
		id_trace(&thread.ids, own->trace_id);
		own->flags = FLAG_RANDOM;
		return;
	}
	memcpy(own->trace_id, parent->trace_id, sizeof(own->trace_id));
	memcpy(own->span_id, parent->span_id, sizeof(own->span_id));
	own->flags = parent->flags;
	own->debug = parent->debug;
	own->tracestate = keep_text(span, parent->tracestate);
}

void span_identify(struct span *span, const struct context *parent)
{
	struct context *own = &span->context;
	char rewritten[CONTEXT_STATE_MAX];

	span->has_parent = parent && parent->valid;
	if (span->has_parent) {
		memcpy(span->parent_id, parent->span_id, sizeof(span->parent_id));
		span->parent_remote = parent->remote;
	}
	own->tracestate = BYTES_NONE;
	own->baggage = parent ? keep_text(span, parent->baggage) : BYTES_NONE;
	if (config.sdk_disabled) {
		pass_through(span, parent);
	} else {
		span->recording = span_derive(parent, own, rewritten, sizeof(rewritten));
		own->tracestate = keep_text(span, own->tracestate);
	}
	identified(span);
}

void span_assume(struct span *span, const struct context *own, const uint8_t *parent_id, bool remote)
{
	span->context = *own;
	span->context.tracestate = keep_text(span, own->tracestate);
	span->context.baggage = BYTES_NONE;
	span->has_parent = parent_id != NULL;
	if (parent_id)
		memcpy(span->parent_id, parent_id, sizeof(span->parent_id));
	span->parent_remote = parent_id && remote;
	identified(span);
}

span_ref span_reference(const struct span *span)
{
	return REF(atomic_load_explicit(&span->generation, memory_order_relaxed), span->index);
}

struct span *span_slot(uint32_t index)
{
	return pool_slot(&spans, index);
}

struct span *span_of(span_ref ref)
{
	if (ref == SPAN_NOBODY || REF_INDEX(ref) >= atomic_load_explicit(&spans.carved, memory_order_acquire))
		return NULL;
	struct span *span = pool_slot(&spans, REF_INDEX(ref));
	if (atomic_load_explicit(&span->generation, memory_order_acquire) != REF_GENERATION(ref))
		return NULL;
	_Atomic uint32_t *pulse =
		span_inherited(span) ? atomic_load_explicit(&span->pulse, memory_order_relaxed) : NULL;
	if (pulse && atomic_load_explicit(pulse, memory_order_acquire) != REF_GENERATION(ref))
		return NULL;
	return span;
}

bool span_alive(span_ref ref)
{
	return span_of(ref) != NULL;
}

bool span_look(span_ref ref, struct context *out, char *text, size_t cap)
{
	struct span *span = span_of(ref);
	if (!span || !span->identified)
		return false;

	*out = span->context;
	/* The lengths may be torn if the slot is reused right now: bounded here, judged by the second look.
	 */
	size_t state = out->tracestate.len, baggage = out->baggage.len;
	if (state > CONTEXT_STATE_MAX || state > cap)
		state = 0;
	if (baggage > CONTEXT_BAGGAGE_MAX || baggage > cap - state)
		baggage = 0;
	const char *from = out->tracestate.ptr, *from_baggage = out->baggage.ptr;
	out->tracestate = out->baggage = BYTES_NONE;
	atomic_thread_fence(memory_order_acquire);
	if (atomic_load_explicit(&span->generation, memory_order_relaxed) != REF_GENERATION(ref))
		return false;
	if (state && from) {
		memcpy(text, from, state);
		out->tracestate = (struct bytes){text, state};
	}
	if (baggage && from_baggage) {
		memcpy(text + state, from_baggage, baggage);
		out->baggage = (struct bytes){text + state, baggage};
	}
	atomic_thread_fence(memory_order_acquire);
	return atomic_load_explicit(&span->generation, memory_order_relaxed) == REF_GENERATION(ref);
}

void span_name(struct span *span, struct bytes name)
{
	if (name.len > sizeof(span->name))
		name.len = utf8_prefix(name, UINT32_MAX, sizeof(span->name));
	if (name.len && name.ptr != span->name)
		memcpy(span->name, name.ptr, name.len);
	span->name_len = (uint8_t)name.len;
}

void span_error(struct span *span, struct bytes type)
{
	span->failed = true;
	if (span->error_len || !type.len)
		return;
	if (type.len > sizeof(span->error))
		type.len = sizeof(span->error);
	memcpy(span->error, type.ptr, type.len);
	span->error_len = (uint8_t)type.len;
}

void span_event(struct span *span, const char *name, uint64_t at)
{
	if (span->events >= SPAN_EVENTS || span->events >= config.span_event_count_limit) {
		span->events_dropped++;
		return;
	}
	span->event[span->events].name = name;
	span->event[span->events++].at = at;
}

static void free_slot(struct span *span)
{
	block_give(span->block);
	block_give(span->wide);
	span->block = span->wide = NULL;
	/* Even: nobody. The next owner makes it odd again, two up. Only owners write it. */
	atomic_store_explicit(&span->generation,
			      atomic_load_explicit(&span->generation, memory_order_relaxed) + 1,
			      memory_order_release);
	if (!span_inherited(span))
		beat(span);
	pool_give(&spans, span);
}

void span_discard(struct span *span)
{
	if (span->repeats)
		repeats_drop(span);
	free_slot(span);
}

static size_t put_varint(uint8_t *out, uint64_t value)
{
	size_t n = 0;
	while (value >= 0x80) {
		out[n++] = (uint8_t)(value | 0x80);
		value >>= 7;
	}
	out[n++] = (uint8_t)value;
	return n;
}

static size_t put_fixed64(uint8_t *out, uint8_t tag, uint64_t value)
{
	out[0] = tag;
	memcpy(out + 1, &value, 8); /* little-endian, as all our targets */
	return 9;
}

/* Fields of opentelemetry.proto.trace.v1.Span. */
static size_t encode_identity(const struct span *span, uint8_t *out)
{
	size_t n = 0;
	out[n++] = 0x0a;
	out[n++] = 16;
	memcpy(out + n, span->context.trace_id, 16);
	n += 16;
	out[n++] = 0x12;
	out[n++] = 8;
	memcpy(out + n, span->context.span_id, 8);
	n += 8;
	if (span->has_parent) {
		out[n++] = 0x22;
		out[n++] = 8;
		memcpy(out + n, span->parent_id, 8);
		n += 8;
	}
	return n;
}

static size_t encode_rest(const struct span *span, uint64_t end, uint8_t *out)
{
	uint64_t start_wall = clock_wall(span->start);
	uint32_t flags = (span->context.flags & 0xffu) | 0x100u | (span->parent_remote ? 0x200u : 0u);
	size_t n = 0;

	out[n++] = 0x2a;
	n += put_varint(out + n, span->name_len);
	if (span->name_len <= 16) /* at least so much follows it */
		memcpy(out + n, span->name, 16);
	else
		memcpy(out + n, span->name, span->name_len);
	n += span->name_len;
	out[n++] = 0x30;
	out[n++] = span->kind;
	n += put_fixed64(out + n, 0x39, start_wall);
	n += put_fixed64(out + n, 0x41, start_wall + (end > span->start ? end - span->start : 0));
	uint32_t dropped = span->attrs.dropped;
	if (dropped) {
		out[n++] = 0x50;
		n += put_varint(out + n, dropped);
	}
	if (span->failed) {
		static const uint8_t status_error[] = {0x7a, 2, 0x18, 2};
		memcpy(out + n, status_error, sizeof(status_error));
		n += sizeof(status_error);
	}
	out[n++] = 0x85;
	out[n++] = 0x01;
	memcpy(out + n, &flags, 4);
	return n + 4;
}

#define EVENT_MOST 64 /* bytes of one */

/* Span.events: time_unix_nano = 1, name = 2. */
static size_t encode_events(const struct span *span, uint8_t *out)
{
	size_t n = 0;
	for (int i = 0; i < span->events; i++) {
		size_t len = strlen(span->event[i].name);
		if (len > EVENT_MOST - 13)
			len = EVENT_MOST - 13;
		out[n++] = 0x5a;
		out[n++] = (uint8_t)(9 + 2 + len);
		n += put_fixed64(out + n, 0x09, clock_wall(span->event[i].at));
		out[n++] = 0x12;
		out[n++] = (uint8_t)len;
		memcpy(out + n, span->event[i].name, len);
		n += len;
	}
	if (span->events_dropped) {
		out[n++] = 0x60;
		n += put_varint(out + n, span->events_dropped);
	}
	return n;
}

#define LINK_MOST 35

/* Span.links: trace_id = 1, span_id = 2, flags = 6 (it is known to be no remote one). */
static size_t encode_link(const struct span *span, uint8_t *out)
{
	uint32_t flags = 0x100u | span->link.flags;
	size_t n = 0;
	if (config.span_link_count_limit == 0) { /* dropped_links_count */
		out[n++] = 0x70;
		out[n++] = 1;
		return n;
	}
	out[n++] = 0x6a;
	out[n++] = 33;
	out[n++] = 0x0a;
	out[n++] = 16;
	memcpy(out + n, span->link.trace_id, 16);
	n += 16;
	out[n++] = 0x12;
	out[n++] = 8;
	memcpy(out + n, span->link.span_id, 8);
	n += 8;
	out[n++] = 0x35;
	memcpy(out + n, &flags, 4);
	return n + 4;
}

static const struct bytes ambiguities[AMBIGUITIES] = {
	[AMBIGUOUS_READ] = {"two_read", 8},     [AMBIGUOUS_LOOP] = {"event_loop", 10},
	[AMBIGUOUS_TIMER] = {"timer", 5},       [AMBIGUOUS_CONNECTION] = {"connection", 10},
	[AMBIGUOUS_POOL] = {"thread_pool", 11}, [AMBIGUOUS_WAIT] = {"job_wait", 8},
	[AMBIGUOUS_HANDOFF] = {"handoff", 7},   [AMBIGUOUS_ID] = {"same_id", 7},
	[AMBIGUOUS_LIBRARY] = {"library", 7},   [AMBIGUOUS_CUT] = {"cut_off", 7},
};

void span_ambiguous(struct span *span, enum ambiguity why)
{
	_Static_assert(COUNTER_ambiguous_cut - COUNTER_ambiguous_read == AMBIGUOUS_CUT - AMBIGUOUS_READ,
		       "the counters are in the order of the reasons");
	if (span)
		span->ambiguous = (uint8_t)why;
	if (why)
		count_nth(ambiguous_read, why - AMBIGUOUS_READ);
}

static void tell_evidence(struct span *span)
{
	static const struct bytes names[] = {
		[PARENT_NONE] = {"none", 4},       [PARENT_HEADER] = {"header", 6},
		[PARENT_THREAD] = {"thread", 6},   [PARENT_CONNECTION] = {"connection", 10},
		[PARENT_LINEAGE] = {"lineage", 7}, [PARENT_HANDOFF] = {"handoff", 7},
		[PARENT_PROCESS] = {"process", 7},
	};
	attrs_string(&span->attrs, BYTES("tagalong.parent.evidence"),
		     names[span->has_parent ? span->evidence : PARENT_NONE]);
}

/* With more than every span has. False: dropped. */
__attribute__((noinline)) static bool put_parts(struct span *span, uint64_t end, bool stack)
{
	uint8_t head[SPAN_NAME + 128 + SPAN_EVENTS * EVENT_MOST + 4 + LINK_MOST], state_head[4];

	size_t head_len = encode_identity(span, head), state_len = 0;
	head_len += encode_rest(span, end, head + head_len);
	if (span->events || span->events_dropped)
		head_len += encode_events(span, head + head_len);
	if (span->link.set && !span->has_parent)
		head_len += encode_link(span, head + head_len);
	if (span->context.tracestate.len) {
		state_head[0] = 0x1a;
		state_len = 1 + put_varint(state_head + 1, span->context.tracestate.len);
	}
	struct bytes parts[] = {
		{(char *)head, head_len},
		{(char *)span->attrs.buf, span->attrs.len},
		{(char *)state_head, state_len},
		span->context.tracestate,
	};
	size_t count = state_len ? 4 : 2;
	return stack ? stack_put(span, end, parts, count) : queue_put(RECORD_SPAN, parts, count);
}

/* As nearly all: written where it is to stand. */
static bool put_plain(struct span *span, uint64_t end)
{
	size_t length = 2 + 16 + 2 + 8 + (span->has_parent ? 2 + 8 : 0) + 2 + span->name_len + 2 + 9 + 9 +
			(span->failed ? 4 : 0) + 2 + 4;
	char *place = queue_begin(length + span->attrs.len);

	if (!place)
		return false;
	uint8_t *out = (uint8_t *)place;
	out += encode_identity(span, out);
	out += encode_rest(span, end, out);
	memcpy(out, span->attrs.buf, span->attrs.len);
	queue_commit(place, RECORD_SPAN, length + span->attrs.len);
	return true;
}

static void export_span(struct span *span, uint64_t end)
{
	if (span->error_len)
		attrs_string(&span->attrs, BYTES("error.type"), (struct bytes){span->error, span->error_len});
	if (span->ambiguous) {
		attrs_bool(&span->attrs, BYTES("tagalong.parent.ambiguous"), true);
		attrs_string(&span->attrs, BYTES("tagalong.parent.ambiguity"), ambiguities[span->ambiguous]);
	}
	if (config.explain)
		tell_evidence(span);
	if (span->attrs.dropped)
		count_add(attributes_dropped, span->attrs.dropped);
	if (span->attrs.cut)
		count_add(attributes_cut, span->attrs.cut);

	bool stack = stack_wanted(span, end);
	bool plain = !stack && !span->events && !span->events_dropped && !span->link.set &&
		     !span->context.tracestate.len && !span->attrs.dropped && span->name_len < 0x80;
	if (__builtin_expect(plain, 1) ? put_plain(span, end) : put_parts(span, end, stack))
		count_one(spans_queued);
}

void span_end(struct span *span, uint64_t end)
{
	hook_notice_fork();
	if (span->statement && span->activity != SPAN_NOBODY && repeats_ended(span, end))
		return;
	bool exported = span->recording && !span->aside && span->identified && !span_inherited(span);
	if (span->repeats && exported)
		repeats_tell(span);
	if (exported)
		export_span(span, end);
	span_discard(span);
}

void span_forked(void)
{
	atomic_fetch_add(&fork_epoch, 1);
	board = board ? sys_map_shared(spans.most * sizeof(*board)) : NULL;
}

bool span_inherited(const struct span *span)
{
	return atomic_load_explicit(&span->fork_epoch, memory_order_relaxed) !=
	       atomic_load_explicit(&fork_epoch, memory_order_relaxed);
}

void span_forked_parent(void)
{
	atomic_fetch_add(&forks, 1);
}

bool span_shared(const struct span *span)
{
	return span->forks != atomic_load_explicit(&forks, memory_order_relaxed);
}

void span_left_behind(struct span *span)
{
	atomic_store_explicit(&span->pulse, NULL, memory_order_relaxed);
}
