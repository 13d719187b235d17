/* openssl_lib.c - the libssl's of this process. Usually one; a second version may come with a plug-in, and a
 * session must never be handed to the wrong one. */
#include "hooks/openssl.h"

#include <stdatomic.h>
#include <string.h>

#include "preload/object.h"
#include "preload/readable.h"

#define MOST 6

static struct openssl libraries[MOST]; /* filled once each, never changed */
static _Atomic int count;
static _Atomic int filling;
static _Atomic unsigned long long seen; /* loads and unloads of objects so far */

static bool known(const struct object *object, void *read)
{
	for (int i = 0; i < atomic_load(&count); i++)
		if (libraries[i].low == object->low && (void *)(uintptr_t)libraries[i].SSL_read == read)
			return true;
	return false;
}

static int add(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct object object;
	int at = atomic_load(&count);
	(void)size, (void)arg;
	if (at == MOST || !object_read(&object, info))
		return at == MOST;
	uintptr_t self = (uintptr_t)(void *)openssl_of;
	void *read = self >= object.low && self < object.high ? NULL : object_function(&object, "SSL_read");
	if (!read || known(&object, read))
		return 0;
	struct openssl *library = &libraries[at];
	library->low = object.low;
	library->high = object.high;
	library->whole = true;
#define FIND(name) *(void **)(void *)&library->name = object_function(&object, #name);
	OPENSSL_HOOKED(FIND)
	OPENSSL_ASKED(FIND)
#undef FIND
#define NEED(name) library->whole = library->whole && library->name;
	OPENSSL_ASKED(NEED)
#undef NEED
	atomic_store_explicit(&count, at + 1, memory_order_release);
	return 0;
}

/* A thread that finds another one at it goes on with what is known. */
static void look_again(void)
{
	unsigned long long now = object_changes();
	if (now == atomic_load(&seen) || atomic_exchange(&filling, 1))
		return;
	dl_iterate_phdr(add, NULL);
	atomic_store(&seen, now);
	atomic_store(&filling, 0);
}

/* Sessions are of a shape of their own in each version, but one of the first words of each points to the
 * methods of its protocol, which stand in the library. */
static const struct openssl *owner(const SSL *ssl, int known_ones)
{
	uintptr_t words[6];
	if (!readable(ssl, sizeof(words)))
		return &libraries[0];
	memcpy(words, ssl, sizeof(words));
	for (size_t k = 1; k < sizeof(words) / sizeof(words[0]); k++)
		for (int i = known_ones - 1; i >= 0; i--)
			if (words[k] >= libraries[i].low && words[k] < libraries[i].high)
				return &libraries[i];
	return &libraries[0];
}

const struct openssl *openssl_of(const SSL *ssl, bool look)
{
	int known_ones = atomic_load_explicit(&count, memory_order_acquire);
	if (look || known_ones == 0) {
		look_again();
		known_ones = atomic_load_explicit(&count, memory_order_acquire);
	}
	if (__builtin_expect(known_ones == 1, 1))
		return &libraries[0];
	return known_ones && ssl ? owner(ssl, known_ones) : known_ones ? &libraries[0] : NULL;
}
