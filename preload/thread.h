/* thread.h - the only thread-local variable. Small, initial-exec (no __tls_get_addr, no lazy allocation),
 * zero is a valid start: a thread made behind our back needs no set-up. */
#ifndef TAGALONG_THREAD_H
#define TAGALONG_THREAD_H

#include <stdbool.h>
#include <stdint.h>

#include "preload/id.h"
#include "preload/span.h"

/* Level of a hook. A hook records only when no hook of the same or a higher level runs on this thread: what
 * runs inside an outer call is that call's own business. */
enum layer { LAYER_NONE, LAYER_SOCKET, LAYER_TLS, LAYER_CLIENT };

enum evidence { /* why `current` is what it is */
		EVIDENCE_NONE,
		EVIDENCE_REQUEST,   /* bytes of the request were read here */
		EVIDENCE_ANSWER,    /* bytes of an answer to it were read here */
		EVIDENCE_INHERITED, /* carried in by pthread_create or fork */
		EVIDENCE_FORKED,    /* carried in by fork, and no thread made since */
		EVIDENCE_STACK,     /* carried by a context switch */
};

#define THREAD_READABLE 4

struct thread {
	uint8_t layer;    /* outermost level running a real call that we own */
	uint8_t busy;     /* our own code is running: any hook entered now (signal handler) passes through */
	uint8_t own;      /* the exporter's thread: never traced */
	uint8_t evidence; /* enum evidence */
	bool ambiguous;   /* bytes of two activities were read since the last wait */
	bool vforked;     /* hook_same_process() was last asked in a vfork child, which shares our memory */
	bool loop;        /* it waits for other activities' events: an event loop */
	uintptr_t frame;  /* frame of the hook that set busy or layer: lets a longjmp be noticed */
	span_ref current; /* the activity this thread works for; may be stale: ask activity_current() */
	struct conn *source; /* connection the evidence came from; compared, never followed */
	uint64_t retry_authority, retry_target; /* what the redirect that was read last leads to; 0: none */
	uint32_t retry_count;
	span_ref retry_activity;
	uintptr_t readable[THREAD_READABLE]; /* pages lately found readable, see readable.h */
	uint8_t readable_next;
	struct id_state ids;
};

extern __thread struct thread thread __attribute__((tls_model("initial-exec")));

void thread_mark_own(void); /* the calling thread is ours: all hooks pass through on it */

#endif
