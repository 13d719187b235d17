#include "preload/names.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#define SETS 64
#define WAYS 4

/* Words, so that a reader that races with a writer reads old or new ones, never anything undefined; the
 * sequence number tells it which. */
#define NAME_WORDS ((NAME_MOST + 1) / 8)

struct entry {
	_Atomic uint32_t sequence; /* odd: being written */
	_Atomic uint64_t address[2];
	_Atomic uint64_t from, until;
	_Atomic uint64_t text[NAME_WORDS];
};

static struct entry table[SETS][WAYS];
static _Atomic uint32_t turn;

struct key {
	uint64_t word[2];
};

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/* IPv4 in its mapped form: one key for both ways of naming it. */
static bool make_key(int family, const void *address, struct key *key)
{
	uint8_t bytes[16];
	if (family == AF_INET) {
		memcpy(bytes, mapped_prefix, sizeof(mapped_prefix));
		memcpy(bytes + 12, address, 4);
	} else if (family == AF_INET6) {
		memcpy(bytes, address, 16);
	} else {
		return false;
	}
	memcpy(key->word, bytes, sizeof(bytes));
	return key->word[0] || key->word[1];
}

static bool key_of(const struct sockaddr *address, struct key *key)
{
	if (address->sa_family == AF_INET)
		return make_key(AF_INET, &((const struct sockaddr_in *)(const void *)address)->sin_addr, key);
	if (address->sa_family == AF_INET6)
		return make_key(AF_INET6, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr,
				key);
	return false;
}

static struct entry *set_of(const struct key *key)
{
	/* The last octets, which differ most, are the highest bits: folded down before a product can lose
	 * them. */
	uint64_t hash = key->word[0] * 0x9e3779b97f4a7c15ull ^ key->word[1];
	hash = (hash ^ hash >> 32) * 0xbf58476d1ce4e5b9ull;
	return table[(hash >> 48) % SETS];
}

/* "10.0.0.1", "::1", "127.1", "0x7f000001": inet_aton takes all the old forms. */
static bool is_address(const char *name)
{
	struct in_addr in;
	return strchr(name, ':') || inet_aton(name, &in) != 0;
}

static bool same(struct entry *entry, const struct key *key)
{
	return atomic_load_explicit(&entry->address[0], memory_order_relaxed) == key->word[0] &&
	       atomic_load_explicit(&entry->address[1], memory_order_relaxed) == key->word[1];
}

static void write_entry(struct entry *entry, const struct key *key, const uint64_t *text,
			const struct name_times *times)
{
	uint32_t sequence = atomic_load_explicit(&entry->sequence, memory_order_relaxed);
	if ((sequence & 1) ||
	    !atomic_compare_exchange_strong_explicit(&entry->sequence, &sequence, sequence + 1,
						     memory_order_acquire, memory_order_relaxed))
		return;
	atomic_thread_fence(memory_order_release);
	for (int i = 0; i < 2; i++)
		atomic_store_explicit(&entry->address[i], key->word[i], memory_order_relaxed);
	for (int i = 0; i < NAME_WORDS; i++)
		atomic_store_explicit(&entry->text[i], text[i], memory_order_relaxed);
	atomic_store_explicit(&entry->from, times->from, memory_order_relaxed);
	atomic_store_explicit(&entry->until, times->until, memory_order_relaxed);
	atomic_store_explicit(&entry->sequence, sequence + 2, memory_order_release);
}

static void remember(const struct key *key, const char *name, const struct name_times *times)
{
	uint64_t text[NAME_WORDS] = {0};
	size_t length = strlen(name);

	if (length == 0 || length > NAME_MOST || is_address(name))
		return;
	memcpy(text, name, length);
	struct entry *set = set_of(key);
	struct entry *chosen = NULL;
	for (int i = 0; i < WAYS && !chosen; i++)
		if (same(&set[i], key))
			chosen = &set[i];
	for (int i = 0; i < WAYS && !chosen; i++)
		if (atomic_load_explicit(&set[i].sequence, memory_order_relaxed) == 0)
			chosen = &set[i];
	if (!chosen)
		chosen = &set[atomic_fetch_add_explicit(&turn, 1, memory_order_relaxed) % WAYS];
	write_entry(chosen, key, text, times);
}

static const struct name_times untimed;

void name_looked_up(const struct sockaddr *address, const char *name, const struct name_times *times)
{
	struct key key;
	if (key_of(address, &key))
		remember(&key, name, times);
}

void name_remember(const struct sockaddr *address, const char *name)
{
	name_looked_up(address, name, &untimed);
}

void name_remember_raw(int family, const void *address, const char *name)
{
	struct key key;
	if (make_key(family, address, &key))
		remember(&key, name, &untimed);
}

static bool read_entry(struct entry *entry, const struct key *key, uint64_t *text)
{
	uint32_t before = atomic_load_explicit(&entry->sequence, memory_order_acquire);
	if (before == 0 || (before & 1) || !same(entry, key))
		return false;
	for (int i = 0; i < NAME_WORDS; i++)
		text[i] = atomic_load_explicit(&entry->text[i], memory_order_relaxed);
	atomic_thread_fence(memory_order_acquire);
	return atomic_load_explicit(&entry->sequence, memory_order_relaxed) == before;
}

bool name_of(const struct sockaddr *address, char *out, size_t cap)
{
	uint64_t text[NAME_WORDS];
	struct key key;

	if (!key_of(address, &key))
		return false;
	struct entry *set = set_of(&key);
	for (int i = 0; i < WAYS; i++) {
		if (!read_entry(&set[i], &key, text))
			continue;
		size_t length = strlen((const char *)text);
		if (length >= cap)
			return false;
		memcpy(out, text, length + 1);
		return true;
	}
	return false;
}

struct name_times name_times(const struct sockaddr *address)
{
	struct key key;
	struct entry *set = key_of(address, &key) ? set_of(&key) : NULL;
	for (int i = 0; set && i < WAYS; i++) {
		uint32_t before = atomic_load_explicit(&set[i].sequence, memory_order_acquire);
		if (before == 0 || (before & 1) || !same(&set[i], &key))
			continue;
		struct name_times times = {atomic_load_explicit(&set[i].from, memory_order_relaxed),
					   atomic_load_explicit(&set[i].until, memory_order_relaxed)};
		atomic_thread_fence(memory_order_acquire);
		if (atomic_load_explicit(&set[i].sequence, memory_order_relaxed) == before)
			return times;
	}
	return untimed;
}
