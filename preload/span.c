/* span.c - slots, identity, and the one encoding at a span's end. */
#include "preload/span.h"

#include <stddef.h>
#include <string.h>

#include "preload/clock.h"
#include "preload/config.h"
#include "preload/counters.h"
#include "preload/hook.h"
#include "preload/pool.h"
#include "preload/queue.h"
#include "preload/sampler.h"
#include "preload/thread.h"

static struct pool spans;
static _Atomic uint32_t forks;      /* children made so far */
static _Atomic uint32_t fork_epoch; /* spans begun before the last fork carry an older one */

#define REF(generation, index) ((span_ref)(generation) << 24 | (index))
#define REF_INDEX(ref) ((uint32_t)((ref)&0xffffff))
#define REF_GENERATION(ref) ((uint32_t)((ref) >> 24))

bool span_init(uint32_t max_spans)
{
	if (max_spans > 1u << 23)
		max_spans = 1u << 23;
	return pool_init(&spans, sizeof(struct span), max_spans);
}

struct span *span_begin(enum span_kind kind, uint64_t start)
{
	hook_notice_fork();
	struct span *span = pool_take(&spans);
	if (!span) {
		count_one(spans_no_slot);
		return NULL;
	}

	uint32_t generation = atomic_load_explicit(&span->generation, memory_order_relaxed);
	memset((char *)span + offsetof(struct span, index), 0,
	       offsetof(struct span, text) - offsetof(struct span, index));
	span->index = pool_index(&spans, span);
	span->kind = (uint8_t)kind;
	span->start = start;
	span->fork_epoch = atomic_load_explicit(&fork_epoch, memory_order_relaxed);
	span->forks = atomic_load_explicit(&forks, memory_order_relaxed);
	attrs_init(&span->attrs, span->attrs_buf, sizeof(span->attrs_buf), &config.span_limits);
	id_span(&thread.ids, span->context.span_id);
	/* Whoever sees the new generation sees an identity that is not final yet (identified is false). */
	atomic_store_explicit(&span->generation, (generation | 1) + (generation & 1 ? 2 : 0),
			      memory_order_release);
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

void span_identify(struct span *span, const struct context *parent)
{
	struct context *own = &span->context;
	bool has_parent = parent && parent->valid;
	char rewritten[CONTEXT_STATE_MAX];

	span->has_parent = has_parent;
	if (has_parent) {
		memcpy(own->trace_id, parent->trace_id, sizeof(own->trace_id));
		memcpy(span->parent_id, parent->span_id, sizeof(span->parent_id));
		own->flags = parent->flags & FLAG_RANDOM;
		span->parent_remote = parent->remote;
		own->debug = parent->debug;
	} else {
		id_trace(&thread.ids, own->trace_id);
		own->flags = FLAG_RANDOM;
	}
	own->valid = true;
	own->tracestate = BYTES_NONE;
	own->baggage = parent ? keep_text(span, parent->baggage) : BYTES_NONE;

	if (config.sdk_disabled) {
		/* Pass-through: what came in goes out unchanged, and a root gets no context at all. */
		own->valid = has_parent;
		if (has_parent) {
			memcpy(own->span_id, parent->span_id, sizeof(own->span_id));
			own->flags = parent->flags;
			own->tracestate = keep_text(span, parent->tracestate);
		}
		span->recording = false;
	} else {
		span->recording = sampler_decide(parent, own, rewritten, sizeof(rewritten));
		own->tracestate = keep_text(span, own->tracestate);
	}
	if (span->recording)
		count_one(spans_started_sampled);
	else
		count_one(spans_started_dropped);
	span->identified = true;
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
	return atomic_load_explicit(&span->generation, memory_order_acquire) == REF_GENERATION(ref) ? span
												    : NULL;
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
	if (name.len)
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

static void free_slot(struct span *span)
{
	block_give(span->block);
	span->block = NULL;
	/* Even: nobody. The next owner makes it odd again, two up. */
	atomic_fetch_add_explicit(&span->generation, 1, memory_order_release);
	pool_give(&spans, span);
}

void span_discard(struct span *span)
{
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

/* Fields of opentelemetry.proto.trace.v1.Span, in order of their numbers but for the attributes. */
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

static void export_span(struct span *span, uint64_t end)
{
	uint8_t head[64], state_head[4], tail[SPAN_NAME + 64];

	if (span->error_len)
		attrs_string(&span->attrs, BYTES("error.type"), (struct bytes){span->error, span->error_len});
	if (span->ambiguous)
		attrs_bool(&span->attrs, BYTES("tagalong.parent.ambiguous"), true);
	if (span->attrs.dropped)
		count_add(attributes_dropped, span->attrs.dropped);
	if (span->attrs.cut)
		count_add(attributes_cut, span->attrs.cut);

	size_t head_len = encode_identity(span, head);
	size_t state_len = 0;
	if (span->context.tracestate.len) {
		state_head[0] = 0x1a;
		state_len = 1 + put_varint(state_head + 1, span->context.tracestate.len);
	}
	size_t tail_len = encode_rest(span, end, tail);
	struct bytes parts[] = {
		{(char *)head, head_len},
		{(char *)state_head, state_len},
		span->context.tracestate,
		{(char *)tail, tail_len},
		{(char *)span->attrs.buf, span->attrs.len},
	};
	if (queue_put(RECORD_SPAN, parts, sizeof(parts) / sizeof(parts[0])))
		count_one(spans_queued);
}

void span_end(struct span *span, uint64_t end)
{
	hook_notice_fork();
	if (span->recording && !span->aside && span->identified && !span_inherited(span))
		export_span(span, end);
	free_slot(span);
}

void span_forked(void)
{
	atomic_fetch_add(&fork_epoch, 1);
}

bool span_inherited(const struct span *span)
{
	return span->fork_epoch != atomic_load_explicit(&fork_epoch, memory_order_relaxed);
}

void span_forked_parent(void)
{
	atomic_fetch_add(&forks, 1);
}

bool span_shared(const struct span *span)
{
	return span->forks != atomic_load_explicit(&forks, memory_order_relaxed);
}
