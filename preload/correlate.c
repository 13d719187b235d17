#include "preload/correlate.h"

#include <stdatomic.h>
#include <string.h>

#include "preload/counters.h"
#include "preload/sys.h"

#define PROBES 16

static struct bytes names[SPAN_CORRELATES];
static uint32_t name_count;
static bool whole; /* ":request" */
static uint32_t lengths[26];
static _Atomic span_ref *places;
static uint32_t place_mask;
/* Requests in flight that are in no place, by a header's value and as a whole: as long as there is one, no
 * value of that kind is known to be only one's. */
static _Atomic uint32_t unplaced[2];

static bool is_whole(uint32_t field)
{
	return field >= CORRELATE_WHOLE;
}

uint32_t correlate_configure(const struct bytes *list)
{
	uint64_t key[2];

	name_count = 0;
	whole = false;
	memcpy(lengths, context_field_lengths(), sizeof(lengths));
	for (; list && list->ptr; list++) {
		if (bytes_equal(*list, BYTES(CORRELATE_REQUEST))) {
			whole = sys_getrandom(key, sizeof(key)) == (long)sizeof(key);
			correlate_key(key);
		}
		if (list->len == 0 || name_count == CORRELATE_NAMES)
			continue;
		unsigned letter = (unsigned char)list->ptr[0] - 'a';
		if (letter >= 26)
			continue;
		lengths[letter] |= 1u << (list->len < 31 ? list->len : 31);
		names[name_count++] = *list;
	}
	return name_count;
}

bool correlate_requests(void)
{
	return whole;
}

static uint32_t places_for(uint32_t most)
{
	uint32_t count = 256;
	while (count < 4 * (uint64_t)most && count < 1u << 20)
		count *= 2;
	return count;
}

size_t correlate_memory(uint32_t most)
{
	return name_count || whole ? places_for(most) * sizeof(*places) : 0;
}

bool correlate_init(uint32_t most)
{
	if (name_count == 0 && !whole)
		return true;
	place_mask = places_for(most) - 1;
	places = sys_map(correlate_memory(most));
	return places != NULL;
}

uint32_t correlate_field(struct bytes name)
{
	uint32_t known = context_field(name);
	for (uint32_t i = 0; !known && i < name_count; i++)
		if (bytes_equal_nocase(names[i], name))
			known = FIELD_COUNT + i;
	return known;
}

const uint32_t *correlate_field_lengths(void)
{
	return lengths;
}

static bool usable(uint32_t field, struct bytes value)
{
	return places && value.len > 0 && value.len <= CORRELATE_VALUE &&
	       field - FIELD_COUNT < SPAN_CORRELATES;
}

static uint32_t place_of(uint32_t field, const char *text, size_t len)
{
	uint64_t hash = 0xcbf29ce484222325u ^ field;
	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (uint8_t)text[i]) * 0x100000001b3u;
	return (uint32_t)((hash * 0x9e3779b97f4a7c15u) >> 40);
}

void correlate_note(struct span *span, uint32_t field, struct bytes value)
{
	bool lost = field == CORRELATE_DOUBT && value.len == 0;
	if (!places || (!usable(field, value) && !lost))
		return;
	for (uint32_t i = 0; i < span->correlates; i++)
		if (span->correlate[i].field == field)
			return;
	struct span_correlate *kept = &span->correlate[span->correlates++];
	kept->field = (uint8_t)field;
	kept->len = (uint8_t)value.len;
	if (value.len)
		memcpy(kept->text, value.ptr, value.len);
}

static bool put(span_ref self, const struct span_correlate *value)
{
	uint32_t at = place_of(value->field, value->text, value->len);
	for (uint32_t i = 0; i < PROBES && value->len; i++) {
		_Atomic span_ref *place = &places[(at + i) & place_mask];
		span_ref was = atomic_load_explicit(place, memory_order_relaxed);
		if (was != SPAN_NOBODY && span_alive(was))
			continue;
		if (atomic_compare_exchange_strong(place, &was, self))
			return true;
	}
	return false;
}

void correlate_index(struct span *span)
{
	span_ref self = span_reference(span);
	for (uint32_t i = 0; i < span->correlates; i++) {
		span->correlate[i].placed = put(self, &span->correlate[i]);
		if (span->correlate[i].placed)
			continue;
		atomic_fetch_add(&unplaced[is_whole(span->correlate[i].field)], 1);
		count_one(activities_unindexed);
	}
}

void correlate_unindex(struct span *span)
{
	span_ref self = span_reference(span);
	for (uint32_t i = 0; i < span->correlates; i++) {
		const struct span_correlate *value = &span->correlate[i];
		uint32_t at = place_of(value->field, value->text, value->len);
		if (!value->placed)
			atomic_fetch_sub(&unplaced[is_whole(value->field)], 1);
		/* While it lives nobody else takes its place. */
		for (uint32_t probe = 0; value->placed && probe < PROBES; probe++) {
			span_ref ours = self;
			if (atomic_compare_exchange_strong(&places[(at + probe) & place_mask], &ours,
							   SPAN_NOBODY))
				break;
		}
	}
	span->correlates = 0;
}

/* Read while the slot may become another's: bounded, and judged by the look at its end. */
static bool carries(span_ref activity, uint32_t field, struct bytes value)
{
	const struct span *span = span_of(activity);
	bool equal = false;
	for (uint32_t i = 0; span && i < SPAN_CORRELATES && !equal; i++) {
		const struct span_correlate *own = &span->correlate[i];
		equal = i < span->correlates && own->field == field && own->len == value.len &&
			memcmp(own->text, value.ptr, value.len) == 0;
	}
	atomic_thread_fence(memory_order_acquire);
	return equal && span_alive(activity);
}

/* Two answers that differ are none. */
static void conclude(struct correlated *answer, span_ref activity)
{
	if (answer->found == CORRELATES_NOT)
		*answer = (struct correlated){activity, CORRELATES_ONE};
	else if (answer->with != activity)
		answer->found = CORRELATES_MANY;
}

void correlate_ask(struct correlated *answer, uint32_t field, struct bytes value)
{
	if (!usable(field, value))
		return;
	if (atomic_load_explicit(&unplaced[is_whole(field)], memory_order_relaxed))
		answer->found = CORRELATES_MANY;
	uint32_t at = place_of(field, value.ptr, value.len);
	for (uint32_t i = 0; i < PROBES && answer->found != CORRELATES_MANY; i++) {
		span_ref candidate =
			atomic_load_explicit(&places[(at + i) & place_mask], memory_order_acquire);
		if (candidate != SPAN_NOBODY && carries(candidate, field, value))
			conclude(answer, candidate);
	}
}

void correlate_unseen(int count)
{
	atomic_fetch_add(&unplaced[1], (uint32_t)count);
}
