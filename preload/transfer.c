/* transfer.c - handles of client libraries, and the marks of their calls; see transfer.h. */
#include "preload/transfer.h"

#include <string.h>

#include "preload/conn_internal.h"
#include "preload/clock.h"
#include "preload/config.h"
#include "preload/counters.h"
#include "preload/names.h"
#include "preload/pool.h"
#include "preload/stack.h"
#include "preload/sys.h"
#include "preload/thread.h"

#define PROBES 16
#define GONE ((uintptr_t)1) /* of a slot whose handle is being freed */

static struct transfer *slots;
static uint32_t slot_mask;
static _Atomic uint32_t *marks; /* by the hash of a span id: slot + 1 */
static uint32_t mark_mask;
static _Atomic uint32_t marked;
static _Atomic uint32_t parked; /* spans that wait for what becomes of their call */

bool transfer_init(uint32_t most)
{
	uint32_t count = 64;
	while (count < most && count < 1u << 16)
		count *= 2;
	slots = sys_map(count * sizeof(*slots));
	marks = sys_map(4 * (size_t)count * sizeof(*marks));
	slot_mask = count - 1;
	mark_mask = 4 * count - 1;
	return slots && marks;
}

bool transfer_any(void)
{
	return atomic_load_explicit(&marked, memory_order_relaxed) > 0;
}

static uint32_t hash(uint64_t word)
{
	return (uint32_t)((word * 0x9e3779b97f4a7c15u) >> 40);
}

/* --- handles
 * ---------------------------------------------------------------------------------------------------------
 */

struct transfer *transfer_get(const void *handle)
{
	uint32_t at = hash((uintptr_t)handle);
	if ((uintptr_t)handle <= GONE || !slots)
		return NULL;
	for (uint32_t i = 0; i < PROBES; i++) {
		struct transfer *slot = &slots[(at + i) & slot_mask];
		if (atomic_load_explicit(&slot->handle, memory_order_acquire) == (uintptr_t)handle)
			return slot;
	}
	return NULL;
}

struct transfer *transfer_open(const void *handle)
{
	uint32_t at = hash((uintptr_t)handle);
	struct transfer *old = transfer_get(handle); /* its end went by unseen */
	if (old)
		transfer_close(old);
	for (uint32_t i = 0; handle && slots && i < PROBES; i++) {
		struct transfer *slot = &slots[(at + i) & slot_mask];
		uintptr_t none = 0;
		/* Nobody looks for a handle that its maker has not seen yet: the rest may follow. */
		if (atomic_load_explicit(&slot->handle, memory_order_relaxed) == 0 &&
		    atomic_compare_exchange_strong(&slot->handle, &none, (uintptr_t)handle)) {
			slot->theirs = NULL;
			slot->peculiar = false;
			slot->passed = 0;
			slot->correlated = (struct correlated){SPAN_NOBODY, CORRELATES_NOT};
			return slot;
		}
	}
	if (handle && slots)
		count_one(transfers_no_slot);
	return NULL;
}

void transfer_leave(struct transfer *transfer)
{
	atomic_store(&transfer->handle, GONE);
}

void transfer_close(struct transfer *transfer)
{
	transfer_unmark(transfer);
	atomic_store_explicit(&transfer->handle, 0, memory_order_release);
}

/* --- marks
 * -----------------------------------------------------------------------------------------------------------
 */

/* What the server has answered says more than that the library took it for a failure. */
static void fail(struct span *span, struct bytes error)
{
	if (span->status >= 400)
		return;
	span->error_len = 0;
	span_error(span, error);
}

static bool end_parked(struct transfer *transfer, struct bytes error)
{
	struct span *span = atomic_exchange(&transfer->parked, NULL);
	if (!span)
		return false;
	atomic_fetch_sub(&parked, 1);
	if (error.len)
		fail(span, error);
	span_end(span, transfer->parked_end);
	return true;
}

static uint64_t id_of(const struct context *context)
{
	uint64_t id;
	memcpy(&id, context->span_id, sizeof(id));
	return id;
}

static bool index_mark(struct transfer *transfer, uint64_t id)
{
	uint32_t at = hash(id), self = (uint32_t)(transfer - slots) + 1;
	for (uint32_t i = 0; i < PROBES; i++) {
		uint32_t none = 0;
		if (atomic_compare_exchange_strong(&marks[(at + i) & mark_mask], &none, self))
			return true;
	}
	count_one(transfers_no_slot);
	return false;
}

static void drop_mark(struct transfer *transfer, int which)
{
	uint64_t id = atomic_exchange(&transfer->id[which], 0);
	uint32_t at = hash(id);
	for (uint32_t i = 0; id && i < PROBES; i++) {
		uint32_t self = (uint32_t)(transfer - slots) + 1;
		if (atomic_compare_exchange_strong(&marks[(at + i) & mark_mask], &self, 0))
			return;
	}
}

static struct transfer *find_mark(uint64_t id)
{
	uint32_t at = hash(id);
	for (uint32_t i = 0; id && i < PROBES; i++) {
		uint32_t index = atomic_load(&marks[(at + i) & mark_mask]);
		struct transfer *slot = index ? &slots[index - 1] : NULL;
		if (slot && (atomic_load(&slot->id[0]) == id || atomic_load(&slot->id[1]) == id))
			return slot;
	}
	return NULL;
}

/* --- the lines
 * -------------------------------------------------------------------------------------------------------
 */

struct writer {
	struct transfer *transfer;
	char *room;
	size_t cap;
	bool full;
};

static void put_line(void *arg, struct bytes name, struct bytes value)
{
	struct writer *writer = arg;
	struct transfer *transfer = writer->transfer;
	size_t need = name.len + 2 + value.len + 1;

	if (transfer->lines == TRANSFER_LINES || transfer->used + need > writer->cap)
		writer->full = true;
	if (writer->full)
		return;
	char *text = writer->room + transfer->used;
	memcpy(text, name.ptr, name.len);
	memcpy(text + name.len, ": ", 2);
	if (value.len)
		memcpy(text + name.len + 2, value.ptr, value.len);
	text[need - 1] = '\0';
	int digits = context_span_offset(context_field(name), value, &transfer->own);
	if (digits >= 0 && transfer->digits < TRANSFER_DIGITS)
		transfer->digit[transfer->digits++] = text + name.len + 2 + digits;
	transfer->line[transfer->lines++].text = text;
	transfer->used += need;
	transfer->size += need + 1; /* with CRLF */
}

static bool write_lines(struct transfer *transfer, char *room, size_t cap)
{
	struct writer writer = {.transfer = transfer, .room = room, .cap = cap};
	transfer->lines = transfer->digits = 0;
	transfer->used = transfer->size = 0;
	context_inject(&transfer->own, transfer->present, put_line, &writer);
	return !writer.full;
}

void transfer_chain(struct transfer *transfer, void *theirs)
{
	for (uint32_t i = 0; i < transfer->lines; i++)
		transfer->line[i].next = i + 1 < transfer->lines ? &transfer->line[i + 1] : theirs;
}

/* --- identity
 * --------------------------------------------------------------------------------------------------------
 */

/* A new one below `parent`, and the lines that say so. */
static bool write_identity(struct transfer *transfer, const struct context *parent)
{
	struct context *own = &transfer->own;
	*own = (struct context){.valid = true};
	id_span(&thread.ids, own->span_id);
	transfer->recording = span_derive(parent, own, transfer->state, sizeof(transfer->state));
	if (own->tracestate.len && own->tracestate.ptr != transfer->state) {
		memcpy(transfer->state, own->tracestate.ptr, own->tracestate.len);
		own->tracestate.ptr = transfer->state;
	}
	own->baggage = parent ? parent->baggage : BYTES_NONE;
	bool fits = write_lines(transfer, transfer->text, sizeof(transfer->text));
	if (!fits && (transfer->block || (transfer->block = block_take()) != NULL))
		fits = write_lines(transfer, transfer->block, BLOCK_SIZE);
	own->baggage = BYTES_NONE; /* it was the parent's */
	if (!fits)
		count_one(transfers_no_room);
	/* No digits: no format that is configured names a span. */
	if (!fits || transfer->digits == 0 || !index_mark(transfer, id_of(own)))
		return false;
	atomic_store(&transfer->id[0], id_of(own));
	return true;
}

static bool look_at_parent(struct transfer *transfer, struct context *parent, char *text, size_t cap)
{
	struct activity_verdict verdict = activity_for_transfer();
	if (transfer->correlated.found == CORRELATES_ONE)
		verdict = (struct activity_verdict){.activity = transfer->correlated.with,
						    .evidence = PARENT_HEADER};
	else if (transfer->correlated.found == CORRELATES_MANY && verdict.activity == SPAN_NOBODY)
		verdict.ambiguous = AMBIGUOUS_ID;
	transfer->ambiguous = verdict.ambiguous;
	transfer->evidence = verdict.evidence;
	transfer->activity = verdict.activity;
	if (verdict.process) {
		*parent = process_context;
		return parent->valid;
	}
	if (verdict.activity == SPAN_NOBODY || !span_look(verdict.activity, parent, text, cap))
		return false;
	parent->remote = false; /* its own span is no remote parent of ours */
	return parent->valid;
}

bool transfer_mark(struct transfer *transfer, uint32_t present)
{
	struct context parent;

	transfer_unmark(transfer);
	transfer->passed = 0;
	char *text = config.sdk_disabled || (present & CONTEXT_IDENTIFYING) ? NULL : block_take();
	if (!text)
		return false;
	transfer->has_parent = look_at_parent(transfer, &parent, text, BLOCK_SIZE);
	if (transfer->has_parent) {
		memcpy(transfer->parent_id, parent.span_id, sizeof(transfer->parent_id));
		transfer->parent_remote = parent.remote;
	}
	transfer->present = present;
	transfer->attempts = 0;
	transfer->begun = clock_now();
	transfer->last = SPAN_NOBODY;
	transfer->reclaimable = false;
	transfer->marked = true;
	atomic_fetch_add(&marked, 1);
	bool done = write_identity(transfer, transfer->has_parent ? &parent : NULL);
	block_give(text);
	if (!done)
		transfer_unmark(transfer);
	else
		span_ambiguous(NULL, (enum ambiguity)transfer->ambiguous);
	return done;
}

void transfer_unmark(struct transfer *transfer)
{
	if (!transfer->marked)
		return;
	end_parked(transfer, BYTES_NONE);
	transfer->marked = false;
	drop_mark(transfer, 0);
	drop_mark(transfer, 1);
	block_give(transfer->block);
	transfer->block = NULL;
	atomic_fetch_sub(&marked, 1);
}

/* Of a root each attempt is a trace of its own, as it is without a mark. */
static void next_identity(struct transfer *transfer)
{
	void *theirs = transfer->line[transfer->lines - 1].next;
	drop_mark(transfer, 1);
	atomic_store(&transfer->id[1], atomic_exchange(&transfer->id[0], 0));
	if (!transfer->has_parent) {
		/* Without it the library would send an identity that is another's: these lines stay text. */
		if (!write_identity(transfer, NULL))
			count_one(edits_skipped);
		transfer_chain(transfer, theirs);
		return;
	}
	id_span(&thread.ids, transfer->own.span_id);
	for (uint32_t i = 0; i < transfer->digits; i++)
		hex_encode(transfer->digit[i], transfer->own.span_id, sizeof(transfer->own.span_id));
	if (index_mark(transfer, id_of(&transfer->own)))
		atomic_store(&transfer->id[0], id_of(&transfer->own));
}

static void give_identity(struct transfer *transfer, struct span *span, const struct context *own,
			  bool recording)
{
	span->recording = recording;
	span_assume(span, own, transfer->has_parent ? transfer->parent_id : NULL, transfer->parent_remote);
	span->activity = transfer->activity;
	span->ambiguous = transfer->ambiguous;
	span->evidence = transfer->evidence;
	span->resend = transfer->attempts - 1;
	span->transfer = (uint32_t)(transfer - slots) + 1;
	transfer->last = span_reference(span);
	transfer->late = BYTES_NONE;
}

bool transfer_claim(struct span *span, const struct context *theirs)
{
	struct transfer *transfer = find_mark(id_of(theirs));
	if (!transfer)
		return false;
	bool again = id_of(&transfer->own) != id_of(theirs); /* it was looked at before, and refused */
	struct context own = again ? transfer->before : transfer->own;
	/* Some formats carry only half of a trace's id. */
	if (id_of(&own) != id_of(theirs) || memcmp(own.trace_id + 8, theirs->trace_id + 8, 8) != 0 ||
	    (again && !transfer->reclaimable))
		return false;
	transfer->reclaimable = false;
	if (again) {
		own.tracestate = theirs->tracestate;
		give_identity(transfer, span, &own, transfer->recorded);
		return true;
	}
	end_parked(transfer, BYTES_NONE);
	transfer->attempts++;
	transfer->passed += transfer->size;
	give_identity(transfer, span, &own, transfer->recording);
	transfer->before = own;
	transfer->recorded = transfer->recording;
	next_identity(transfer);
	return true;
}

/* --- ends
 * ----------------------------------------------------------------------------------------------------------
 */

bool transfer_park(struct span *span, uint64_t end)
{
	struct transfer *transfer = span->transfer ? &slots[span->transfer - 1] : NULL;
	if (!transfer || transfer->last != span_reference(span))
		return false;
	if (transfer->late.len || !transfer->marked) {
		if (transfer->late.len)
			fail(span, transfer->late);
		return false;
	}
	span->exchange = 0; /* it is no exchange any more, whoever remembers it as one */
	transfer->parked_end = end;
	atomic_fetch_add(&parked, 1);
	atomic_store(&transfer->parked, span);
	return true;
}

void transfer_failed(struct transfer *transfer, struct bytes error)
{
	if (!end_parked(transfer, error) && span_alive(transfer->last))
		transfer->late = error;
}

struct span *transfer_unsent(struct transfer *transfer, uint64_t start)
{
	struct span *span = span_begin(SPAN_CLIENT, start);
	if (!span)
		return NULL;
	if (transfer && transfer->marked) {
		transfer->attempts++;
		give_identity(transfer, span, &transfer->own, transfer->recording);
	} else {
		struct activity_verdict verdict = activity_for_transfer();
		exchange_adopt(span, &verdict);
	}
	return span;
}

void transfer_tell_connection(struct span *span, const struct conn *conn)
{
	const struct transfer *transfer = &slots[span->transfer - 1];
	uint64_t since = transfer->begun;
	struct name_times looked_up = name_times(&conn->peer.any);

	if (conn->name[0] && looked_up.until >= since && looked_up.until <= conn->connect_start)
		span_event(span, "dns.lookup.end", looked_up.until);
	if (conn->connect_start >= since && conn->connect_end >= conn->connect_start)
		span_event(span, "connect.end", conn->connect_end);
	if (conn->tls && conn->established_at >= since)
		span_event(span, "tls.handshake.end", conn->established_at);
}

void transfer_flush(void)
{
	struct span *span;
	for (uint32_t i = 0; slots && atomic_load(&parked) && i <= slot_mask; i++)
		if ((span = atomic_load(&slots[i].parked)) != NULL) {
			stack_never(span);
			end_parked(&slots[i], BYTES_NONE);
		}
}

void transfer_release(const struct span *span)
{
	struct transfer *transfer = span->transfer ? &slots[span->transfer - 1] : NULL;
	if (transfer && atomic_load(&transfer->id[1]) == id_of(&span->context))
		transfer->reclaimable = true;
}
