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
	OPENSSL_OPTIONAL(FIND)
#undef FIND
	library->reads_by_name = object_imports(&object, "SSL_read_ex");
	library->writes_by_name = object_imports(&object, "SSL_write_ex");
#define NEED(name) library->whole = library->whole && library->name;
	OPENSSL_ASKED(NEED)
#undef NEED
	openssl_bio_fill(&library->bio, library, &object);
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

struct caller {
	uintptr_t address;
	const struct openssl *asks; /* what it was loaded with */
	int known_ones;
	struct object object; /* it */
};

static int find_caller(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct caller *caller = arg;
	(void)size;
	return object_read(&caller->object, info) && caller->address >= caller->object.low &&
	       caller->address < caller->object.high;
}

static int find_asked(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct caller *caller = arg;
	struct object object;
	(void)size;
	if (!object_read(&object, info))
		return 0;
	const char *name = object_name(&object);
	for (int i = 0; name && i < caller->known_ones && !caller->asks; i++)
		if (libraries[i].low == object.low && object_needs(&caller->object, name))
			caller->asks = &libraries[i];
	return caller->asks != NULL;
}

const struct openssl *openssl_for(const void *address)
{
	look_again();
	struct caller caller = {.address = (uintptr_t)address,
				.known_ones = atomic_load_explicit(&count, memory_order_acquire)};
	if (__builtin_expect(caller.known_ones <= 1, 1))
		return caller.known_ones ? &libraries[0] : NULL;
	for (int i = 0; i < caller.known_ones; i++)
		if (caller.address >= libraries[i].low && caller.address < libraries[i].high)
			return &libraries[i];
	if (dl_iterate_phdr(find_caller, &caller))
		dl_iterate_phdr(find_asked, &caller);
	return caller.asks ? caller.asks : &libraries[0];
}

const struct openssl *openssl_of_bio(const BIO *bio)
{
	const uintptr_t *words = (const uintptr_t *)(const void *)bio;
	int known_ones = atomic_load_explicit(&count, memory_order_acquire);
	for (int i = 1; i < known_ones; i++)
		for (int k = 0; k < 2; k++)
			if (words[k] == (uintptr_t)libraries[i].bio.methods)
				return &libraries[i];
	return &libraries[0];
}
