/* queue.c - a ring of records: writers reserve with a compare-and-swap, fill, then publish.
 *
 * Positions count bytes and only grow. A record is an 8-byte header {length, kind | READY} and its payload,
 * padded to 8, of which the reader may have given up some (SPARE bytes of the length); it never wraps: where
 * the end of the ring is too near, a filler record takes the rest. The reader zeroes what it gives back, so
 * that a header that is not READY yet reads as 0. */
#include "preload/queue.h"

#include <stdatomic.h>

#include "preload/counters.h"
#include "preload/sys.h"

#define READY 0x80000000u
#define FILLER 0x7fu
#define SPARE_SHIFT 7 /* between the kind and READY */
#define SPARE_MOST ((1u << (31 - SPARE_SHIFT)) - 1)
#define HEADER 8u
#define PADDED(n) (((n) + 7) & ~(size_t)7)

static char *ring;
static size_t capacity;
static uint32_t most_records;
static _Atomic bool closed;
static void (*wake)(void);
/* Apart from what the writers only read. */
static _Alignas(64) _Atomic uint64_t head; /* next byte to reserve */
static _Atomic uint32_t records;
static _Alignas(64) _Atomic uint64_t tail; /* oldest byte not given back */

bool queue_open(size_t bytes, uint32_t max_records)
{
	size_t size = 65536;
	while (size < bytes && size < (size_t)1 << 30)
		size *= 2;
	ring = sys_map(size);
	capacity = ring ? size : 0;
	most_records = max_records;
	return ring != NULL;
}

static _Atomic uint64_t *header_at(uint64_t position)
{
	return (_Atomic uint64_t *)(void *)(ring + (position & (capacity - 1)));
}

static void publish(_Atomic uint64_t *header, uint32_t length, uint32_t kind)
{
	atomic_store_explicit(header, (uint64_t)(kind | READY) << 32 | length, memory_order_release);
}

/* Room for `need` bytes in one piece; false when there is none. */
static bool reserve(size_t need, uint64_t *position)
{
	uint64_t at = atomic_load_explicit(&head, memory_order_relaxed);
	for (;;) {
		size_t to_end = capacity - (size_t)(at & (capacity - 1));
		size_t skip = to_end < need ? to_end : 0;
		if (at + skip + need - atomic_load_explicit(&tail, memory_order_acquire) > capacity)
			return false;
		if (!atomic_compare_exchange_weak_explicit(&head, &at, at + skip + need, memory_order_relaxed,
							   memory_order_relaxed))
			continue;
		if (skip)
			publish(header_at(at), (uint32_t)(skip - HEADER), FILLER);
		*position = at + skip;
		return true;
	}
}

char *queue_begin(size_t length)
{
	uint64_t position;

	if (atomic_load_explicit(&closed, memory_order_relaxed)) {
		count_one(spans_after_shutdown);
		return NULL;
	}
	if (length > capacity / 4 ||
	    (most_records && atomic_load_explicit(&records, memory_order_relaxed) >= most_records) ||
	    !reserve(HEADER + PADDED(length), &position)) {
		count_one(spans_queue_full);
		return NULL;
	}
	return (char *)header_at(position) + HEADER;
}

void queue_commit(char *place, enum record_kind kind, size_t length)
{
	/* Sequentially consistent, as is the look at the exporter's state in wake(): either this writer sees
	 * that it sleeps, or it sees this record before it does. */
	atomic_fetch_add(&records, 1);
	publish((_Atomic uint64_t *)(void *)(place - HEADER), (uint32_t)length, kind);
	if (wake)
		wake();
}

bool queue_put(enum record_kind kind, const struct bytes *parts, size_t count)
{
	size_t length = 0;

	for (size_t i = 0; i < count; i++)
		length += parts[i].len;
	char *place = queue_begin(length), *to = place;
	if (!place)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (parts[i].len)
			memcpy(to, parts[i].ptr, parts[i].len);
		to += parts[i].len;
	}
	queue_commit(place, kind, length);
	return true;
}

uint32_t queue_records(void)
{
	return atomic_load(&records);
}

size_t queue_used(void)
{
	return (size_t)(atomic_load_explicit(&head, memory_order_relaxed) -
			atomic_load_explicit(&tail, memory_order_relaxed));
}

size_t queue_capacity(void)
{
	return capacity;
}

static uint32_t length_of(uint64_t header)
{
	return (uint32_t)header;
}

static uint32_t kind_of(uint64_t header)
{
	return (uint32_t)(header >> 32) & FILLER;
}

static uint32_t spare_of(uint64_t header)
{
	return ((uint32_t)(header >> 32) & ~READY) >> SPARE_SHIFT;
}

static bool is_filler(uint64_t header)
{
	return kind_of(header) == FILLER;
}

size_t queue_peek(struct queue_record *out, size_t max, size_t max_bytes)
{
	uint64_t at = atomic_load_explicit(&tail, memory_order_relaxed);
	uint64_t end = atomic_load_explicit(&head, memory_order_relaxed);
	size_t found = 0, bytes = 0;

	while (found < max && at != end) {
		_Atomic uint64_t *place = header_at(at);
		uint64_t header = atomic_load_explicit(place, memory_order_acquire);
		if (header == 0)
			break;
		size_t size = HEADER + PADDED(length_of(header));
		/* Where a header is only the one before it says: two of about this size from here. */
		__builtin_prefetch((char *)place + 2 * size);
		at += size;
		if (is_filler(header))
			continue;
		uint32_t length = length_of(header) - spare_of(header);
		bytes += length;
		if (found && bytes > max_bytes)
			break;
		out[found].kind = (enum record_kind)kind_of(header);
		out[found++].payload = (struct bytes){(char *)place + HEADER, length};
	}
	return found;
}

void queue_amend(struct queue_record *record, enum record_kind kind, size_t length)
{
	_Atomic uint64_t *header = (_Atomic uint64_t *)(void *)(record->payload.ptr - HEADER);
	uint32_t whole = length_of(atomic_load_explicit(header, memory_order_relaxed));

	if (length > whole || whole - length > SPARE_MOST)
		return;
	publish(header, whole, kind | (uint32_t)(whole - length) << SPARE_SHIFT);
	record->kind = kind;
	record->payload.len = length;
}

/* Zeroes what lies between two positions, in one piece or in two. */
static void clear(uint64_t from, uint64_t to)
{
	size_t size = (size_t)(to - from), to_end = capacity - (size_t)(from & (capacity - 1));
	size_t first = size < to_end ? size : to_end;
	memset((char *)header_at(from), 0, first);
	memset(ring, 0, size - first);
}

/* Writers look at `records` and `tail` with every span: both are written once for all that is given back. */
void queue_release(size_t count)
{
	uint64_t from = atomic_load_explicit(&tail, memory_order_relaxed), at = from;
	uint64_t end = atomic_load_explicit(&head, memory_order_relaxed);
	uint32_t released = 0;

	while (released < count && at != end) {
		uint64_t header = atomic_load_explicit(header_at(at), memory_order_acquire);
		if (header == 0)
			break;
		released += !is_filler(header);
		at += HEADER + PADDED(length_of(header));
	}
	if (at == from)
		return;
	clear(from, at);
	atomic_fetch_sub_explicit(&records, released, memory_order_relaxed);
	atomic_store_explicit(&tail, at, memory_order_release);
}

void queue_wake(void)
{
	if (wake)
		wake();
}

void queue_set_waker(void (*waker)(void))
{
	wake = waker;
}

void queue_close(void)
{
	atomic_store(&closed, true);
}

void queue_forked(void)
{
	if (!ring)
		return;
	/* A fresh mapping: the parent's pages are not touched, and a half-filled record is gone. */
	char *fresh = sys_map(capacity);
	if (fresh) {
		sys_unmap(ring, capacity);
		ring = fresh;
	} else {
		memset(ring, 0, capacity);
	}
	atomic_store(&head, 0);
	atomic_store(&tail, 0);
	atomic_store(&records, 0);
	atomic_store(&closed, false);
}
