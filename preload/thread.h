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

/* What kind of client library's call is under way on this thread, see call.h. */
enum call_kind { CALL_NONE, CALL_EMBEDDED, CALL_CLIENT, CALL_WIRED };

enum evidence { /* why `current` is what it is */
		EVIDENCE_NONE,
		EVIDENCE_REQUEST,   /* bytes of the request were read here */
		EVIDENCE_ANSWER,    /* bytes of an answer to it were read here */
		EVIDENCE_INHERITED, /* carried in by pthread_create or fork */
		EVIDENCE_FORKED,    /* carried in by fork, and no thread made since */
		EVIDENCE_STACK,     /* carried by a context switch */
		EVIDENCE_CALLBACK,  /* in a callback that it registered (later.h) */
		EVIDENCE_HANDED,    /* another thread was seen to hand over what this one works on */
};

enum gave { GAVE_NOT, GAVE_MAYBE, GAVE_TO_JOBS }; /* see worker.h */

#define THREAD_READABLE 4

struct given;

struct thread {
	uint8_t layer;     /* outermost level running a real call that we own */
	uint8_t busy;      /* our own code is running: any hook entered now (signal handler) passes through */
	uint8_t own;       /* the exporter's thread: never traced */
	uint8_t evidence;  /* enum evidence */
	uint8_t call;      /* enum call_kind */
	bool call_seen;    /* what a library's own call does came by our hooks */
	uint8_t ambiguous; /* enum ambiguity: whose `current` is, is not certain */
	bool vforked;      /* hook_same_process() was last asked in a vfork child, which shares our memory */
	bool loop;         /* it waits for other activities' events: an event loop */
	uint32_t waits;    /* counts its waits for several events that no client library's call did */
	uintptr_t frame;   /* frame of the hook that set busy or layer: lets a longjmp be noticed */
	uintptr_t call_frame;    /* of the hook that runs that call */
	struct span *call_span;  /* its span, or NULL */
	const void *call_handle; /* statement that a library's own call steps, and may end unseen; or NULL */
	span_ref current;  /* the activity this thread works for; may be stale: ask activity_current() */
	bool reads;        /* it has read a request; see worker.h */
	uint8_t gave;      /* enum gave: may it have given away what it works for? */
	bool lost;         /* what it worked for ended elsewhere */
	uint32_t place;    /* where it waited last while it worked for nobody, since its last activity; 0:
			      nowhere */
	uint32_t paused;   /* where it waited last in the midst of a request that it read, see worker.h; 0:
			      nowhere */
	bool stale;        /* since it slept last it read an answer that is no live request's: what it posted
			      for that runs in whatever window comes */
	uint32_t asked_in; /* 1 + the turn in which it made a call last; 0: in none */
	int fd;            /* the last that its bytes went through, of those that are followed */
	uint16_t events;   /* that waits told since the thread slept last, see loop.h */
	uint16_t windows;  /* activities it turned to since then */
	uint32_t turn;     /* counts what it turned to, and its waits */
	uint64_t waited;   /* ns, monotonic and never ahead: when it woke last from a wait for events */
	uint64_t due;      /* ns, monotonic: when it would have woken by itself; 0: never */
	struct conn *source; /* connection the evidence came from; compared, never followed */
	uint8_t post;   /* the condition that it waited on last, where those are followed (jobs.h); 0: none */
	bool came;      /* it was woken there and has answered nothing since */
	uint8_t job;    /* enum job: what it did since */
	span_ref holds; /* whose job it took there, if that is known */
	uint32_t tid;   /* 0: not asked for yet */
	uint64_t taken; /* with EVIDENCE_HANDED: the message, and where it is kept */
	uint32_t taken_at;
	uint64_t retry_authority, retry_target; /* what the redirect that was read last leads to; 0: none */
	uint32_t retry_count;
	span_ref retry_activity;
	struct given *given; /* the handle whose library's write or read is under way, see given.h; or NULL */
	uintptr_t given_frame; /* of the hook that runs it */
	uintptr_t within; /* frame of a client library's call that tells how its transfers end; 0: none */
	uintptr_t readable[THREAD_READABLE]; /* pages lately found readable, see readable.h */
	uint8_t readable_next;
	struct parent_link link; /* where `current` is nobody: whose callback runs after its end */
	struct id_state ids;
};

extern __thread struct thread thread __attribute__((tls_model("initial-exec")));

void thread_mark_own(void); /* the calling thread is ours: all hooks pass through on it */

#endif
