#include "preload/messages.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "preload/counters.h"
#include "preload/thread.h"

#define PLACES 8192
#define PROBES 8
#define WRITING ((uint64_t)1)
#define SURE ((uint64_t)1 << 63)        /* a span_ref has 24 + 32 bits */
#define DOUBTFUL (~(uint64_t)0 & ~SURE) /* no span_ref at all */

static struct place {
	_Atomic uint64_t key;   /* 0: free; WRITING: being filled */
	_Atomic uint64_t value; /* activity, with SURE; or DOUBTFUL */
} places[PLACES];

static span_ref activity_of(uint64_t value)
{
	return value & ~SURE;
}

static bool is_near(uint64_t word, uint64_t other)
{
	const uint64_t around = (uint64_t)1 << 42;
	return other && word + around >= other && word < other + around;
}

/* Where the program's own variables, its heap, the stacks and what was mapped lie. Numbers, times, text are
 * elsewhere. */
static bool is_address(uint64_t word)
{
	if (word == 0 || word & 7)
		return false;
	return (word >= getauxval(AT_PHDR) && word < (uint64_t)(uintptr_t)sbrk(0)) ||
	       is_near(word, getauxval(AT_SYSINFO_EHDR)) || is_near(word, (uint64_t)(uintptr_t)&thread);
}

static uint64_t mix(uint64_t sum, uint64_t word)
{
	sum = (sum ^ word) * 0xff51afd7ed558ccdull;
	return sum ^ sum >> 32;
}

static uint64_t finish(uint64_t sum)
{
	sum *= 0xc4ceb9fe1a85ec53ull;
	sum ^= sum >> 29;
	return sum > WRITING ? sum : 2;
}

uint64_t message_key(uint64_t channel, const void *bytes, size_t len)
{
	uint64_t sum = mix(channel, len), word;
	bool address = false;

	if (len < sizeof(word) || len > MESSAGE_MAX || len % sizeof(word))
		return 0;
	for (size_t at = 0; at < len; at += sizeof(word)) {
		memcpy(&word, (const char *)bytes + at, sizeof(word));
		sum = mix(sum, word);
		address = address || is_address(word);
	}
	return address ? finish(sum) : 0;
}

uint64_t message_key_of(uint64_t channel, const void *address)
{
	return message_key(channel, &address, sizeof(address));
}

static struct place *probe(uint64_t key, uint32_t i)
{
	return &places[((uint32_t)(key >> 40) + i) % PLACES];
}

static struct place *find(uint64_t key, const struct place *but)
{
	for (uint32_t i = 0; i < PROBES; i++) {
		struct place *place = probe(key, i);
		if (place != but && atomic_load(&place->key) == key)
			return place;
	}
	return NULL;
}

/* Another activity's while the first one lives: neither's. */
static void sent_again(struct place *place, uint64_t key, uint64_t value)
{
	uint64_t was = atomic_load(&place->value), now;
	do {
		bool alive = span_alive(activity_of(was));
		if (was == DOUBTFUL || (!alive && !value) ||
		    (value && activity_of(was) == activity_of(value)))
			return;
		now = alive ? DOUBTFUL : value;
	} while (!atomic_compare_exchange_weak(&place->value, &was, now));
	/* The place became another message's meanwhile; what was written may be taken for that one's. */
	if (atomic_load(&place->key) != key)
		atomic_store(&place->value, DOUBTFUL);
}

static bool claim(struct place *place)
{
	uint64_t was = atomic_load(&place->key);
	if (was == WRITING)
		return false;
	if (was != 0) {
		uint64_t value = atomic_load(&place->value);
		if (value == DOUBTFUL || span_alive(activity_of(value)))
			return false;
	}
	return atomic_compare_exchange_strong(&place->key, &was, WRITING);
}

/* How often nothing could be kept: whoever writes meanwhile may have the same, which the other did not find.
 */
static _Atomic uint64_t missed;

/* Two threads that send the same at once do not both miss the other's place, or that there was none for it.
 */
static void settle(struct place *place, uint64_t key, uint64_t value, uint64_t before)
{
	atomic_store(&place->value, value);
	atomic_store(&place->key, key);
	struct place *twin = find(key, place);
	if (twin)
		atomic_store(&twin->value, DOUBTFUL);
	if (twin || atomic_load(&missed) != before)
		atomic_store(&place->value, DOUBTFUL);
}

static void sent_first(uint64_t key, uint64_t value)
{
	uint64_t before = atomic_load(&missed);
	for (uint32_t i = 0; i < PROBES; i++) {
		struct place *place = probe(key, i);
		if (claim(place)) {
			settle(place, key, value, before);
			return;
		}
	}
	count_one(messages_unkept);
	atomic_fetch_add(&missed, 1);
	struct place *twin = find(key, NULL);
	if (twin)
		atomic_store(&twin->value, DOUBTFUL);
}

void message_sent(uint64_t key, span_ref activity, bool sure)
{
	uint64_t value = activity == SPAN_NOBODY ? 0 : activity | (sure ? SURE : 0);
	struct place *place = find(key, NULL);

	if (place)
		sent_again(place, key, value);
	else if (value)
		sent_first(key, value);
}

span_ref message_taken(uint64_t key, message_place *at)
{
	const struct place *place = find(key, NULL);
	*at = 0;
	if (!place)
		return SPAN_NOBODY;
	uint64_t value = atomic_load(&place->value);
	if (value == DOUBTFUL || !span_alive(activity_of(value)) || atomic_load(&place->key) != key)
		return SPAN_NOBODY;
	*at = (message_place)(place - places) + 1;
	return activity_of(value);
}

bool message_holds(message_place at, uint64_t key, span_ref activity, bool *sure)
{
	if (at == 0)
		return false;
	const struct place *place = &places[at - 1];
	uint64_t value = atomic_load(&place->value);
	*sure = (value & SURE) != 0;
	return activity_of(value) == activity && atomic_load(&place->key) == key;
}
