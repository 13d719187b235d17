/* fdtable.h - what we know of a file descriptor, in two loads and a test.
 *
 * Three levels that grow with the fd: a process with a million descriptors pays for those it tracks. Leaves
 * are mapped when first needed and never unmapped. An entry is one word, read and replaced atomically:
 *
 *	0            nothing known (files, fds made by calls that we do not see)
 *	pointer      a connection; the table holds one of its references
 *	odd          a plain descriptor that can wake a loop or be waited for (pipe, eventfd, epoll, ...):
 *	             the span_ref of the activity that made it, shifted, with FD_WAKES where reading it is a
 *	             wake-up. With FD_CHANNEL: of a pipe that no activity made, and in place of that the
 *	             pipe's number (handoff.h)
 *
 * Lock-free; any thread, any context. */
#ifndef TAGALONG_FDTABLE_H
#define TAGALONG_FDTABLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "preload/span.h"

struct conn;

#define FD_SHIFT 20
#define FD_MIDDLE_BITS 10
#define FD_LEAF_BITS 10

typedef _Atomic uintptr_t fd_entry;
extern fd_entry *_Atomic *_Atomic fdtable_top[1 << (31 - FD_SHIFT)];

#define FD_PLAIN 1u
#define FD_WAKES 2u
#define FD_CHANNEL ((uintptr_t)1 << 63) /* of 64 bits a span_ref needs 56 */

static inline fd_entry *fdtable_find(int fd)
{
	if (__builtin_expect(fd < 0, 0))
		return NULL;
	fd_entry *_Atomic *middle = atomic_load_explicit(&fdtable_top[fd >> FD_SHIFT], memory_order_acquire);
	if (!middle)
		return NULL;
	fd_entry *leaf = atomic_load_explicit(&middle[(fd >> FD_LEAF_BITS) & ((1 << FD_MIDDLE_BITS) - 1)],
					      memory_order_acquire);
	return leaf ? &leaf[fd & ((1 << FD_LEAF_BITS) - 1)] : NULL;
}

static inline uintptr_t fdtable_get(int fd)
{
	fd_entry *entry = fdtable_find(fd);
	return entry ? atomic_load_explicit(entry, memory_order_acquire) : 0;
}

/* Replaces the entry, returns the old word. Setting 0 where nothing is mapped maps nothing; a value that
 * cannot be stored (no memory) answers the value itself, for the caller to give back. */
uintptr_t fdtable_set(int fd, uintptr_t value);

/* Calls `visit` for every fd in [first, last] that has an entry. */
void fdtable_each(int first, int last, void (*visit)(int fd, uintptr_t value, void *arg), void *arg);

/* A plain descriptor made on behalf of `activity`; 24 + 32 bits of the reference are kept. */
static inline uintptr_t fd_plain(span_ref activity, bool wakes)
{
	return (uintptr_t)(activity << 2) | FD_PLAIN | (wakes ? FD_WAKES : 0);
}
static inline span_ref fd_plain_activity(uintptr_t entry)
{
	return entry & FD_CHANNEL ? SPAN_NOBODY : (span_ref)(entry >> 2);
}

static inline uintptr_t fd_channel(uint64_t channel, bool wakes)
{
	return fd_plain(channel, wakes) | FD_CHANNEL;
}
/* 0: it is none. */
static inline uint64_t fd_channel_of(uintptr_t entry)
{
	return (entry & (FD_CHANNEL | FD_PLAIN)) == (FD_CHANNEL | FD_PLAIN) ? (entry & ~FD_CHANNEL) >> 2 : 0;
}

#endif
