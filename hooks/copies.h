/* copies.h - a library's copies in this process. Usually one. Where there are more, each caller's calls must
 * go to the one that it would be bound to without us: a handle of the one is no handle of the other. That is
 * the one in the global scope, if there is any; else that which the caller was loaded with. (Not for
 * libraries whose copies differ by the versions of their symbols.)
 *
 * A library describes itself in a table of the names that its hooks need, and a struct of pointers to them
 * behind a struct copy. No allocation; takes the loader's lock only where objects may have come or gone, and
 * for callers that are new where there is more than one copy. */
#ifndef TAGALONG_HOOKS_COPIES_H
#define TAGALONG_HOOKS_COPIES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COPIES_MOST 8
#define COPIES_CALLERS 64

enum copy_calls { CALLS_UNKNOWN, CALLS_BY_NAME, CALLS_DIRECTLY };

struct copy {
	uintptr_t low, high;          /* where it is loaded */
	bool loaded;                  /* when that was looked at last */
	_Atomic uint8_t calls_itself; /* by name, so that it comes by our hooks: its hooks find out */
	/* The functions follow, in the order of the names; NULL where it has none. */
};

struct copies {
	const char *const *names; /* the first one makes it a copy of this library */
	size_t count;
	void *room; /* COPIES_MOST times the library's own struct */
	size_t size;
	bool compares; /* it compares its functions with others': it must find its own there */
	_Atomic int known;
	_Atomic(const struct copy *) global; /* of several the one in the global scope; NULL: none */
	_Atomic int filling;
	_Atomic unsigned long long seen; /* loads and unloads of objects so far */
	struct {                         /* who was found to be bound to which; pages, not places */
		_Atomic uintptr_t caller;
		_Atomic(const struct copy *) copy;
	} callers[COPIES_CALLERS];
};

/* The copy that the caller at this address is bound to; NULL: none was found. `look`: objects may have come
 * and gone since. */
const struct copy *copies_of(struct copies *copies, const void *caller, bool look);

/* The same where nothing can have come or gone, and mostly is one copy. */
static inline const struct copy *copies_known(struct copies *copies, const void *caller)
{
	return __builtin_expect(atomic_load_explicit(&copies->known, memory_order_acquire) == 1, 1)
		       ? (const struct copy *)copies->room
		       : copies_of(copies, caller, false);
}

/* Does the library call itself? */
static inline bool copies_itself(const struct copy *copy, const void *caller)
{
	return copy && (uintptr_t)caller >= copy->low && (uintptr_t)caller < copy->high;
}

#endif
